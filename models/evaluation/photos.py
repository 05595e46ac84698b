"""The photos of an evaluation: read when they are needed, so that a large catalogue fits into memory."""

import os
import tempfile
import threading
from pathlib import Path
from typing import Self

from catalogue.errors import InvalidInput
from catalogue.fetch import Fetcher
from catalogue.photos import load_photo


class Photos:
    """Photos by the number of their product: a path or URL, or bytes that the catalogue brought.

    Bytes, and what is fetched from the web, are kept in an unnamed temporary file. Safe for several threads.
    """

    def __init__(self, folder: Path, fetcher: Fetcher | None = None) -> None:
        self._folder = folder
        self._fetcher = fetcher
        self._sources: dict[int, str | tuple[int, int]] = {}
        self._file = tempfile.TemporaryFile(prefix="samestyle-evaluate-")  # noqa: SIM115  # closed by `close`
        self._end = 0
        self._adding = threading.Lock()
        self.problems: dict[int, str] = {}
        """Why a photo was left out, by the number of its product."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __contains__(self, row: int) -> bool:
        """Whether the product has a photo, as far as is known."""
        return row in self._sources and row not in self.problems

    def add(self, row: int, source: str | bytes) -> None:
        """Note where a product's photo is (relative to the catalogue's folder), or keep its bytes."""
        self._sources[row] = self._keep(source) if isinstance(source, bytes) else source

    @property
    def on_the_web(self) -> bool:
        """Whether some photos are still to be fetched."""
        return any(isinstance(source, str) and "://" in source for source in self._sources.values())

    def load(self, row: int) -> bytes | None:
        """The bytes of a photo, None where there is none; raises InvalidInput where they cannot be had."""
        source = self._sources.get(row)
        if source is None or row in self.problems:
            return None
        if isinstance(source, tuple):
            start, size = source
            return os.pread(self._file.fileno(), size, start)
        data = load_photo(source, self._folder, self._fetcher)
        if "://" in source:
            self._sources[row] = self._keep(data)
        return data

    def refuse(self, row: int, error: InvalidInput) -> None:
        """Leave a photo out from now on."""
        self.problems[row] = str(error)

    def _keep(self, data: bytes) -> tuple[int, int]:
        with self._adding:
            start, self._end = self._end, self._end + len(data)
        os.pwrite(self._file.fileno(), data, start)
        return start, len(data)
