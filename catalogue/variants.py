"""Whether two listings declare themselves different variants: M6 and M8, 10 µF and 100 µF, red and blue."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, Protocol

NAMES: Final = frozenset({"color", "colour", "size", "pattern", "print", "motif", "model", "part number"})
"""Attributes that tell variants apart whatever their value; any other does where its value holds a number."""
TOLERANCE: Final = 0.02
"""Suppliers round when they convert: 1.57 in and 40 mm are one length."""

_DIGIT: Final = re.compile(r"\d")
_QUANTITY: Final = re.compile(r"\s*([\d.,]+)\s*([^\d\s.,]+)\s*")
_UNITS: Final[Mapping[str, tuple[str, float]]] = {
    "mm": ("m", 1e-3), "cm": ("m", 1e-2), "m": ("m", 1.0), "in": ("m", 0.0254), "inch": ("m", 0.0254),
    '"': ("m", 0.0254), "″": ("m", 0.0254), "ft": ("m", 0.3048),
    "ml": ("l", 1e-3), "cl": ("l", 1e-2), "l": ("l", 1.0), "fl.oz": ("l", 0.0295735),
    "mg": ("g", 1e-3), "g": ("g", 1.0), "kg": ("g", 1e3), "oz": ("g", 28.3495), "lb": ("g", 453.592),
    "pf": ("f", 1e-12), "nf": ("f", 1e-9), "µf": ("f", 1e-6), "μf": ("f", 1e-6), "uf": ("f", 1e-6),
    "ω": ("ω", 1.0), "ohm": ("ω", 1.0), "kω": ("ω", 1e3), "kohm": ("ω", 1e3),
}  # fmt: skip


class Declared(NamedTuple):
    """What an attribute says about the variant: a quantity of some `dimension` and `size`, or a plain text."""

    dimension: str | None
    size: float
    plain: str


class Described(Protocol):
    """Whatever declares attributes: a product, or a listing that was not made one."""

    @property
    def attributes(self) -> Mapping[str, str]:
        """Values by name."""
        ...


def contradict(one: Described, other: Described) -> bool:
    """Whether both declare a variant attribute and its values cannot both be true of one product.

    What only one of them declares proves nothing, and free text ("steel", "zinc-plated steel") neither.
    """
    return any(True for _ in contradictions(one, other))


def contradictions(one: Described, other: Described) -> Iterator[tuple[str, str, str]]:
    """The attributes that `contradict` goes by: the name as `one` has it, and what each declares."""
    theirs = {name.casefold(): value for name, value in other.attributes.items()}
    for name, value in one.attributes.items():
        other_value = theirs.get(name.casefold())
        if other_value is not None and _differ(declared(name, value), declared(name, other_value)):
            yield name, value, other_value


def agree(one: Described, other: Described) -> bool:
    """Whether both declare a variant attribute and its values may be of one product."""
    theirs = {name.casefold(): value for name, value in other.attributes.items()}
    for name, value in one.attributes.items():
        own, other_value = declared(name, value), theirs.get(name.casefold())
        said = declared(name, other_value) if other_value is not None else None
        if own is not None and said is not None and not _differ(own, said):
            return True
    return False


def declared(name: str, value: str) -> Declared | None:
    """What a value of an attribute declares; None for what tells no variants apart."""
    if name.casefold() not in NAMES and not _DIGIT.search(value):
        return None
    dimension, size = _quantity(value) or (None, 0.0)
    return Declared(dimension, size, _plain(value))


def _differ(one: Declared | None, other: Declared | None) -> bool:
    if one is None or other is None:
        return False
    if one.dimension is not None and one.dimension == other.dimension:
        return not math.isclose(one.size, other.size, rel_tol=TOLERANCE)
    return one.plain != other.plain


def _quantity(text: str) -> tuple[str, float] | None:
    """The dimension and size of a value such as `40 mm`; None for anything else."""
    match = _QUANTITY.fullmatch(text.casefold())
    unit = _UNITS.get(match.group(2)) if match else None
    if match is None or unit is None:
        return None
    try:
        return unit[0], float(match.group(1).replace(",", ".")) * unit[1]
    except ValueError:
        return None


def _plain(text: str) -> str:
    return re.sub(r"[\s_-]+", "", text.casefold())
