"""Whether two listings are different variants by their own words: M6 and M8, 10 µF and 100 µF, red and blue."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from catalogue.titles import Fact, facts
from catalogue.vocabulary import UNITS

NAMES: Final = frozenset(
    {"color", "colour", "size", "pattern", "print", "motif", "model", "model number", "part number"}
)
"""Attributes that tell variants apart whatever their value; any other does where its value holds a number."""
_OF_LISTINGS: Final = frozenset({
    "asin", "barcode", "cost", "created", "date", "delivery", "discount", "ean", "gtin", "image", "isbn", "link",
    "modified", "msrp", "packaging", "photo", "position", "price", "rank", "rating", "ratings", "review", "reviews",
    "rrp", "sales", "seller", "shipping", "sku", "stock", "supplier", "upc", "updated", "url", "vendor", "views",
})  # fmt: skip
"""But not with one of these words in its name: each supplier numbers, rates, prices and ships a thing differently."""
_OF_SUPPLIERS: Final = frozenset({"code", "id", "no", "nr", "number", "reference"})
"""Nor with one of these at the end ("item number"), but where it is a quantity: ID 12 mm is an inner diameter."""
_LONGEST: Final = 60
"""Characters of a value; what is longer is prose, and everyone's own."""
TOLERANCE: Final = 0.02
"""Suppliers round when they convert: 1.57 in and 40 mm are one length."""

_DIGIT: Final = re.compile(r"\d")
_WORDS: Final = re.compile(r"[^\W_]+")
_CAMEL: Final = re.compile(r"([a-z])([A-Z])")
_QUANTITY: Final = re.compile(r"\s*([\d.,]+)\s*([^\d\s.,]+)\s*")


class Declared(NamedTuple):
    """What an attribute says about the variant: a quantity of some `dimension` and `size`, or a plain text."""

    dimension: str | None
    size: float
    plain: str


class Described(Protocol):
    """Whatever has a title and attributes: a product, or a listing that was not made one."""

    @property
    def title(self) -> str:
        """Empty where there is none."""
        ...

    @property
    def attributes(self) -> Mapping[str, str]:
        """Values by name."""
        ...


def contradict(one: Described, other: Described) -> bool:
    """Whether what two listings say, by attributes or in their titles, cannot both be true of one product.

    What only one of them declares proves nothing, and free text ("steel", "zinc-plated steel") neither. Titles
    contradict each other where each has a quantity, a code or a number of one kind (GB, M6, iPhone 14), or a colour,
    that the other listing has nowhere in its title and attributes.
    """
    return any(True for _ in contradictions(one, other))


def contradictions(one: Described, other: Described) -> Iterator[tuple[str, str, str]]:
    """What `contradict` goes by: the attribute's name as `one` has it, or "title", and what each of them says."""
    theirs = {name.casefold(): value for name, value in other.attributes.items()}
    for name, value in one.attributes.items():
        other_value = theirs.get(name.casefold())
        if other_value is not None and _differ(declared(name, value), declared(name, other_value)):
            yield name, value, other_value
    told = (("title", mine.text, their.text) for mine, their in _told_apart(one, other))
    yield from dict.fromkeys(told)  # 38 x 42 cm is several facts


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
    quantity = _quantity(value)
    if name.casefold() not in NAMES:
        is_of_listings, is_of_suppliers = _belongs(name)
        is_own = is_of_listings or (is_of_suppliers and quantity is None) or len(value) > _LONGEST
        if is_own or not _DIGIT.search(value):
            return None
    dimension, size = quantity or (None, 0.0)
    return Declared(dimension, size, _plain(value))


@lru_cache(4_096)
def _belongs(name: str) -> tuple[bool, bool]:
    """Whether an attribute is of the listing or its seller, and whether it is perhaps a supplier's number."""
    words = _WORDS.findall(_CAMEL.sub(r"\1 \2", name).casefold())
    return not _OF_LISTINGS.isdisjoint(words), not _OF_SUPPLIERS.isdisjoint(words[-1:])


def _told_apart(one: Described, other: Described) -> Iterator[tuple[Fact, Fact]]:
    """Of each kind that both titles tell: what each has and the other listing says nowhere."""
    mine, theirs = ([fact for fact in facts(listing.title) if fact.tells] for listing in (one, other))
    both = {fact.kind for fact in mine} & {fact.kind for fact in theirs}
    if both and (unsaid := _unsaid(mine, other, both)):
        answers = _unsaid(theirs, one, both)
        yield from ((fact, answers[kind]) for kind, fact in unsaid.items() if kind in answers)


def _unsaid(told: Sequence[Fact], other: Described, kinds: Set[str]) -> dict[str, Fact]:
    """By kind, the first of some facts that a listing says nowhere."""
    said = [
        fact for text in (other.title, *(as_text(*item) for item in other.attributes.items())) for fact in facts(text)
    ]
    unsaid: dict[str, Fact] = {}
    for fact in told:
        if fact.kind in kinds and not any(_is_said(fact, by) for by in said if by.kind == fact.sought):
            unsaid.setdefault(fact.kind, fact)
    return unsaid


def as_text(name: str, value: str) -> str:
    """An attribute as a title would have it: "module 1.5"."""
    return f"{name.casefold()} {value}"


def _is_said(fact: Fact, by: Fact) -> bool:
    """Whether what another text says may mean the same."""
    if fact.size is not None and by.size is not None:
        return math.isclose(fact.size, by.size, rel_tol=TOLERANCE)
    return fact.plain == by.plain


def _differ(one: Declared | None, other: Declared | None) -> bool:
    if one is None or other is None:
        return False
    if one.dimension is not None and one.dimension == other.dimension:
        return not math.isclose(one.size, other.size, rel_tol=TOLERANCE)
    return one.plain != other.plain


def _quantity(text: str) -> tuple[str, float] | None:
    """The dimension and size of a value such as `40 mm`; None for anything else."""
    match = _QUANTITY.fullmatch(text.casefold())
    unit = UNITS.get(match.group(2)) if match else None
    if match is None or unit is None:
        return None
    try:
        return unit[0], float(match.group(1).replace(",", ".")) * unit[1]
    except ValueError:
        return None


def _plain(text: str) -> str:
    return re.sub(r"[\s_-]+", "", text.casefold())
