"""Where photos come from and where they are kept."""

import asyncio
import hashlib
import os
import re
from functools import cache
from pathlib import Path
from typing import IO, Final

import fsspec
from fsspec.implementations.local import LocalFileSystem

from catalogue.addresses import HostList
from catalogue.errors import InvalidInput, NotFound, StorageUnavailable, TooLarge
from catalogue.fetch import MAX_PHOTO_BYTES, Fetcher
from catalogue.files import write_atomic

FETCH_TIMEOUT_S: Final = 20.0
_STORES: Final = frozenset({"file", "memory", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss"})
"""What fsspec may be asked for: others (ftp, webhdfs, chains) would ask any host a catalogue names, without a check."""
_SHA256: Final = re.compile("[0-9a-f]{64}")


class PhotoStore:
    """Photos by the SHA-256 of their bytes, as `<root>/ab/<sha256>`; `root` is a folder or any fsspec URL."""

    def __init__(self, root: str | Path) -> None:
        self._fs, self._root = fsspec.core.url_to_fs(str(root))

    def put(self, data: bytes) -> str:
        """Keep a photo; returns its hex SHA-256. Storing the same bytes again only says that they are needed now.

        Raises StorageUnavailable.
        """
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(digest)
        try:
            if isinstance(self._fs, LocalFileSystem):
                if not _made_young(Path(path)):
                    write_atomic(Path(path), data)
            elif not self._fs.exists(path):
                self._fs.pipe_file(path, data)  # object stores make a whole object visible at once
        except OSError as error:
            raise _unavailable(error) from error
        return digest

    def get(self, digest: str) -> bytes:
        """The photo's bytes; raises NotFound, StorageUnavailable."""
        if not _SHA256.fullmatch(digest):
            raise NotFound("A photo is named by 64 hexadecimal digits.")
        try:
            data: bytes = self._fs.cat_file(self._path(digest))
        except FileNotFoundError:
            raise NotFound(f"Photo {digest[:12]}… is not in the photo store; build the snapshot again.") from None
        except OSError as error:
            raise _unavailable(error) from error
        return data

    def _path(self, digest: str) -> str:
        return f"{self._root}/{digest[:2]}/{digest}"


def _made_young(path: Path) -> bool:
    """Whether it is there; `index.photo_collection` takes old ones that nobody names yet."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    except OSError:  # somebody else's
        return path.exists()
    return True


def _unavailable(error: OSError) -> StorageUnavailable:
    return StorageUnavailable(
        f"The photo store cannot be used at the moment ({error.strerror or error}). Try again; if it lasts, look at "
        "the disk and the space on it."
    )


def load_photo(source: str, folder: str | Path, fetcher: Fetcher | None = None) -> bytes:
    """The bytes behind a catalogue's `image`: a URL of the web or of an object store, or a path relative to `folder`.

    Of the web, any public host is asked, or those of `fetcher`; not to be called where an event loop runs. Raises
    InvalidInput when it cannot be read, TooLarge over 20 MB.
    """
    try:
        if source.lower().startswith(("http://", "https://")):
            return asyncio.run((fetcher or _public_web()).fetch(source))
        with _opened(source, folder) as file:
            data: bytes = file.read(MAX_PHOTO_BYTES + 1)
    except Exception as error:  # whatever the file systems behind fsspec raise
        kind = type(error) if isinstance(error, InvalidInput) else InvalidInput
        raise kind(f"photo {_without_query(source)!r} cannot be read: {error}") from error
    _check_size(data, source)
    return data


def _opened(source: str, folder: str | Path) -> IO[bytes]:
    """A file of this machine or of an object store."""
    protocol, is_url, _ = source.partition("://")
    if not is_url:
        path = Path(folder, source)
        _check_is_file(path)
        return path.open("rb")
    if protocol not in _STORES or "::" in source:
        raise InvalidInput("give a path, or a plain URL of http, https or an object store, such as s3 or gs")
    fs, place = fsspec.core.url_to_fs(source)
    if isinstance(fs, LocalFileSystem):
        _check_is_file(Path(place))
    opened: IO[bytes] = fs.open(place, "rb")
    return opened


@cache
def _public_web() -> Fetcher:
    return Fetcher(HostList.parse("*"), timeout_s=FETCH_TIMEOUT_S)


def _without_query(source: str) -> str:
    """A URL as it may be written down: its query string often holds a key."""
    return source.partition("?")[0] if "://" in source else source


def _check_is_file(path: Path) -> None:
    if path.exists() and not path.is_file():
        raise InvalidInput("it is no file")  # a pipe or a device might never end


def _check_size(data: bytes, source: str) -> None:
    if len(data) > MAX_PHOTO_BYTES:
        raise TooLarge(f"photo {_without_query(source)!r} is over {MAX_PHOTO_BYTES // 1_000_000} MB")
