"""Photos decoded once into a file that later steps and runs read from."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from catalogue.errors import CatalogueInvalid, SamestyleError
from catalogue.product import Product
from catalogue.readers import CatalogueRow, usable_rows
from catalogue.threads import available_cores
from models.evaluation.pairs import is_pairs_file, products_of
from models.evaluation.tables import read_rows as pairs_as_texts
from models.preprocessing import Pixels, PreprocessorConfig, load_pixels

Progress: TypeAlias = Callable[[int], None]
"""Told how many more products are done."""

_AT_ONCE: Final = 256


class DecodedPhotos:
    """The photos of several catalogues, numbered through; none of them is in memory."""

    def __init__(self, parts: Sequence[NDArray[np.uint8]]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *map(len, parts)])
        self.side = int(parts[0].shape[1])

    def __len__(self) -> int:
        """How many photos there are."""
        return int(self._starts[-1])

    def __getitem__(self, number: int) -> Pixels:
        """One photo, uint8 [side, side, 3]; a white one for -1."""
        if number < 0:
            return np.full((self.side, self.side, 3), 255, dtype=np.uint8)
        part = int(np.searchsorted(self._starts, number, side="right")) - 1
        pixels: Pixels = self._parts[part][number - self._starts[part]]
        return pixels


def stretched(side: int) -> PreprocessorConfig:
    """Photos become squares of `side` pixels, whatever their proportions."""
    return PreprocessorConfig(resize=side, crop=side, fit="stretch", mean=(0, 0, 0), std=(1, 1, 1))


def read_with_photos(
    catalogue: Path, pictures: PreprocessorConfig, work: Path, progress: Progress
) -> tuple[list[Product], NDArray[np.uint8], NDArray[np.int64]]:
    """A catalogue's products, their photos uint8 [n, side, side, 3], and each product's place among these.

    The place is -1 without a photo, or with one that cannot be read. Raises CatalogueInvalid for a catalogue that
    cannot be read.
    """
    try:
        stat = catalogue.stat()
    except OSError as error:
        raise CatalogueInvalid(f"{catalogue}: no such file ({error.strerror}). Check the path.") from error
    work.mkdir(parents=True, exist_ok=True)
    side = pictures.crop
    fit = side if pictures == stretched(side) else pictures.model_dump_json()
    key = hashlib.sha256(f"{catalogue.resolve()}:{stat.st_size}:{stat.st_mtime_ns}:{fit}".encode()).hexdigest()[:16]
    photos_file, places_file = work / f"photos-{key}.bin", work / f"places-{key}.npy"
    products: list[Product] = []
    if places_file.exists():
        products = [row.product for row in read_rows(catalogue)]
    else:
        _decode(catalogue, pictures, photos_file, places_file, products, progress)
    places: NDArray[np.int64] = np.load(places_file)
    count = int(places.max(initial=-1)) + 1
    shape = (count, side, side, 3)
    photos = np.memmap(photos_file, dtype=np.uint8, mode="r", shape=shape) if count else np.zeros(shape, np.uint8)
    return products, photos, places


def _decode(
    catalogue: Path,
    pictures: PreprocessorConfig,
    photos_file: Path,
    places_file: Path,
    products: list[Product],
    progress: Progress,
) -> None:
    places: list[int] = []
    count = 0
    rows = read_rows(catalogue)
    with photos_file.open("wb") as file, ThreadPoolExecutor(available_cores()) as pool:
        while some := list(islice(rows, _AT_ONCE)):
            products.extend(row.product for row in some)
            for pixels in pool.map(lambda row: _pixels(row, catalogue.parent, pictures), some):
                if pixels is not None:
                    file.write(pixels.tobytes())
                places.append(-1 if pixels is None else count)
                count += pixels is not None
            progress(len(some))
    unfinished = places_file.with_suffix(".tmp")
    with unfinished.open("wb") as file:
        np.save(file, np.array(places, dtype=np.int64))
    unfinished.rename(places_file)  # the last step: with it the photos count as complete


def read_rows(catalogue: Path) -> Iterator[CatalogueRow]:
    """The rows of a catalogue that can be read; a file of pairs that bring their products is one too."""
    if is_pairs_file(catalogue):
        products = products_of(pairs_as_texts(catalogue), catalogue)[0]
        return (CatalogueRow(number, product) for number, product in enumerate(products, start=1))
    return usable_rows(catalogue)


def photo_of(row: CatalogueRow, folder: Path) -> bytes | None:
    """A row's main photo; None where it has none, or one that cannot be had."""
    try:
        return row.main_photo(folder)
    except SamestyleError:
        return None


def usable_photo_of(row: CatalogueRow, folder: Path) -> bytes | None:
    """The same, and None for one that cannot be decoded."""
    photo = photo_of(row, folder)
    try:
        return photo if photo is not None and load_pixels(photo, stretched(16)) is not None else None
    except SamestyleError:
        return None


def _pixels(row: CatalogueRow, folder: Path, config: PreprocessorConfig) -> Pixels | None:
    photo = photo_of(row, folder)
    try:
        return load_pixels(photo, config) if photo is not None else None
    except SamestyleError:
        return None
