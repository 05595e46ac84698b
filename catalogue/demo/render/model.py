"""The plain data every other module speaks: kinds, styles, suppliers, listings."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Object = Any  # a bpy.types.Object; bpy ships no types
Material = Any  # a bpy.types.Material
Shape = Mapping[str, Any]  # the numbers and names a builder draws from
Words = Mapping[str, Sequence[str]]  # language -> alternatives
Translations = Mapping[str, Mapping[str, str]]  # language -> English word -> its word
Builder = Callable[[Shape], list[Object]]


def seeded(*parts: str) -> random.Random:
    """Return a generator that depends on nothing but the given words."""
    digest = hashlib.sha256("|".join(parts).encode()).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))


@dataclass(frozen=True)
class Pose:
    """How a piece lies: a turn in degrees, and whether it then tips onto its hull."""

    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)
    tip: bool = False


@dataclass(frozen=True)
class Kind:
    """One kind of product: how it is built and how photographers show it."""

    name: str
    build: Builder
    poses: Sequence[Pose] = (Pose(),)
    azimuth: tuple[float, float] = (-45.0, 45.0)
    elevation: tuple[float, float] = (12.0, 38.0)
    extras: Sequence[str] = ("pair", "ruler", "box")
    spacing: float = 1.12  # distance of a second piece, in widths of the first


@dataclass(frozen=True)
class Vocabulary:
    """Where a kind is filed, what it is called, what it is for, and what sellers praise."""

    category: str
    names: Words
    uses: Words
    praise: Words


@dataclass(frozen=True)
class Style:
    """One product as a shopper understands it: a design in one variant."""

    style_id: str
    kind: str
    shape: Shape
    facts: Mapping[str, str]  # canonical attributes, in the order of their weight
    price: float  # US dollars, before the supplier's margin
    codes: Sequence[str] = ()  # how suppliers write the variant in a title
    look: Words = field(default_factory=dict)  # what the photo shows; only some texts say it
    uses: Words = field(default_factory=dict)  # what this very variant is for, instead of the kind's uses


@dataclass(frozen=True)
class Listing:
    """One supplier's offer of one style."""

    product_id: str
    style: Style
    supplier: str

    def rng(self, purpose: str) -> random.Random:
        """Randomness of this listing alone, so that it can be made alone."""
        return seeded(self.product_id, self.style.style_id, purpose)


KINDS: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Add a kind to the registry; group modules call this as they are imported."""
    KINDS[kind.name] = kind
