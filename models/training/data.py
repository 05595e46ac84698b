"""Catalogues as training material: products with their decoded photos, styles and pairs to draw from."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalogue.demo import is_held_out
from catalogue.errors import CatalogueInvalid
from catalogue.gtin import MOST_OF_ONE_GTIN, gtin_of
from catalogue.product import Product
from catalogue.variants import is_of_listing
from models.preprocessing import PreprocessorConfig
from models.training.config import DataConfig
from models.training.pairs import NO_PAIRS, Pairs, read_pairs
from models.training.photos import DecodedPhotos, Progress, read_rows, read_with_photos, stretched, usable_photo_of

_STYLE: Final = "style "
_GTIN: Final = "GTIN "
_BUCKETS: Final = 10_000
_MOST_DEV_PAIRS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Item:
    """A product to learn from; `photo` is its row among the decoded photos, -1 without one.

    A product without a style_id is of the style of its GTIN, without that one of its own.
    """

    product: Product
    style: int
    photo: int

    @property
    def leaf(self) -> str:
        """The last level of its category."""
        return self.product.category_levels[-1] if self.product.category_levels else ""


@dataclass(frozen=True, slots=True)
class Corpus:
    """All products, what is trained on, and what is kept to choose by."""

    items: Sequence[Item]
    photos: DecodedPhotos
    styles: Mapping[int, Sequence[int]]
    """Items of each style that is trained on."""
    style_weights: Mapping[int, float]
    """Of each style's source."""
    pairs: Pairs
    dev: Sequence[tuple[int, int]]
    """Items that are kept, each with the number of the group whose members should find each other."""

    @property
    def summary(self) -> str:
        """How much of what there is, a line for people."""
        negatives, pairs = sum(map(len, self.pairs.negatives.values())), self.pairs
        told = f"{len(self.items):,} products; {len(self.styles):,} styles and {len(pairs.items):,} pairs to train on"
        told += f" ({negatives:,} said not to be alike)" if negatives else ""
        told += f", {len(self.dev):,} products to choose by."
        told += f" {pairs.left_out:,} pairs touch products that are kept apart." if pairs.left_out else ""
        return told + (f" {pairs.unknown:,} pairs name a product that is not there." if pairs.unknown else "")


@dataclass(frozen=True, slots=True)
class Kept:
    """A product that a run keeps to choose by, and measures itself on."""

    product: Product
    photo: bytes | None
    group: str
    """Whose members should find each other."""


def read_corpus(
    config: DataConfig,
    work: Path,
    progress: Progress = lambda _: None,
    pictures: PreprocessorConfig | None = None,
) -> Corpus:
    """Read all catalogues and decode their photos once into `work`; a later run finds them there.

    `pictures` says what photos become, by default squares of `cache_side` pixels that hold all of them. Raises
    CatalogueInvalid where nothing is left to train on.
    """
    numbering = _Numbering(config.drop_attributes)
    parts: list[NDArray[np.uint8]] = []
    for source in config.catalogues:
        products, photos, places = read_with_photos(
            source.path, pictures or stretched(config.cache_side), work, progress
        )
        start = sum(map(len, parts))
        parts.append(photos)
        for product, place in zip(products, places.tolist(), strict=True):
            numbering.add(product, source.weight, start + place if place >= 0 else -1)
    numbering.forget_common_gtins()
    styles, pairs, dev = _split(config, numbering)
    if len(styles) < 2:
        paths = ", ".join(str(source.path) for source in config.catalogues)
        raise CatalogueInvalid(
            f"There are {len(styles)} styles to train on in {paths}; at least 2 are needed. Fill in style_id or "
            "GTINs, or give pairs."
        )
    return Corpus(numbering.items, DecodedPhotos(parts), styles, numbering.weights, pairs, dev)


def kept_products(config: DataConfig) -> list[Kept]:
    """The products that are kept to choose by, with their photos as they are in the catalogues."""
    numbering = _Numbering(config.drop_attributes)
    for source in config.catalogues:
        for row in read_rows(source.path):
            numbering.add(row.product, source.weight, -1)
    numbering.forget_common_gtins()
    groups = dict(_split(config, numbering)[2])
    every_row = ((source.path, row) for source in config.catalogues for row in read_rows(source.path))
    return [
        Kept(numbering.items[number].product, usable_photo_of(row, path.parent), str(groups[number]))
        for number, (path, row) in enumerate(every_row)
        if number in groups
    ]


class _Numbering:
    """Products and styles, numbered in the order they come."""

    def __init__(self, dropped: Sequence[str]) -> None:
        self.items: list[Item] = []
        self.names: dict[str, int] = {}
        self.weights: dict[int, float] = {}
        self._dropped = dropped

    def add(self, product: Product, weight: float, photo: int) -> None:
        """One more product."""
        kept = {
            name: value
            for name, value in product.attributes.items()
            if name not in self._dropped and not is_of_listing(name, value)
        }
        style = self.names.setdefault(_style(product), len(self.names))
        self.weights.setdefault(style, weight)
        self.items.append(Item(product.model_copy(update={"attributes": kept}), style, photo))

    def forget_common_gtins(self) -> None:
        """Products with a GTIN that too many have are each of a style of their own."""
        names, sizes = list(self.names), Counter(item.style for item in self.items)
        for number, item in enumerate(self.items):
            if names[item.style].startswith(_GTIN) and sizes[item.style] > MOST_OF_ONE_GTIN:
                style = self.names.setdefault(f"product {item.product.product_id}", len(self.names))
                self.weights.setdefault(style, self.weights[item.style])
                self.items[number] = replace(item, style=style)


def _style(product: Product) -> str:
    if product.style_id:
        return f"{_STYLE}{product.style_id}"
    code = gtin_of(product.attributes)
    return f"product {product.product_id}" if code is None else f"{_GTIN}{code}"


def _split(config: DataConfig, numbering: _Numbering) -> tuple[dict[int, list[int]], Pairs, list[tuple[int, int]]]:
    """The styles and pairs to train on, and what is kept to choose by."""
    items, names, share = numbering.items, list(numbering.names), config.dev_share
    numbers = {item.product.product_id: number for number, item in enumerate(items)}
    pairs = read_pairs(config.pairs, numbers) if config.pairs else NO_PAIRS
    members: dict[int, list[int]] = {}
    for number, item in enumerate(items):
        members.setdefault(item.style, []).append(number)
    if any(len(group) > 1 for group in members.values()):
        if config.held_out:
            members = {style: group for style, group in members.items() if not _is_held_out(names[style])}
        kept = {style for style in members if _is_kept(names[style], share)}
        styles = {style: group for style, group in members.items() if style not in kept}
        trained = np.array([items[a].style in styles and items[b].style in styles for a, b in pairs.items], dtype=bool)
        dev = [(item, style) for style in sorted(kept) for item in members[style]]
        return styles, _some(pairs, trained, items, styles), dev
    if config.held_out:
        raise CatalogueInvalid(
            "No two products share a style_id or GTIN, so no styles can be held out. Leave --held-out out."
        )
    kept_pairs = np.array([_is_kept(f"{a} {b}", share) for a, b in pairs.items], dtype=bool)
    groups: dict[int, int] = {}
    for number, (a, b) in enumerate(pairs.items[kept_pairs][:_MOST_DEV_PAIRS].tolist()):
        if a not in groups and b not in groups:
            groups |= {a: number, b: number}
    return members, _some(pairs, ~kept_pairs, items, members), sorted(groups.items())


def _some(pairs: Pairs, chosen: NDArray[np.bool_], items: Sequence[Item], styles: Mapping[int, Sequence[int]]) -> Pairs:
    """The chosen pairs, and what is said not to be alike among these styles and is not of one."""
    negatives = {
        item: [other for other in others if items[other].style in styles and items[other].style != items[item].style]
        for item, others in pairs.negatives.items()
        if items[item].style in styles
    }
    negatives = {item: others for item, others in negatives.items() if others}
    left_out = int(np.count_nonzero(~chosen))
    return Pairs(pairs.items[chosen], pairs.weights[chosen], negatives, pairs.unknown, left_out)


def _is_held_out(name: str) -> bool:
    """By the bare style_id or GTIN, as evaluation goes by."""
    bare = name.removeprefix(_STYLE if name.startswith(_STYLE) else _GTIN)
    return bare != name and is_held_out(bare)


def _is_kept(name: str, share: float) -> bool:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % _BUCKETS < share * _BUCKETS
