"""Whether two listings are different variants by their own words: M6 and M8, 10 µF and 100 µF, red and blue."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import lru_cache
from itertools import chain, islice, product, starmap
from typing import Final, NamedTuple, Protocol

from catalogue.colours import Colour, read_colour
from catalogue.gtin import gtin_of, is_gtin_name
from catalogue.titles import FAR, MANIFOLD, Fact, facts, number
from catalogue.vocabulary import NEUTRAL, OF_LISTINGS, OF_LISTINGS_ALONE, OF_SUPPLIERS, SAME_NAMES, SIZES, UNITS

NAMES: Final = frozenset(
    {"colour", "size", "pattern", "print", "motif", "model", "model no", "model number", "part number"}
)
"""Attributes (see `key_of`) that tell variants apart whatever their value; any other does where it holds a number.

But not what is of the listing, or perhaps a supplier's own number (`OF_SUPPLIERS`) and no quantity.
"""
_LONGEST: Final = 60
"""Characters of a value; what is longer is prose, and everyone's own."""
TOLERANCE: Final = 0.02
"""Suppliers round when they convert: 1.57 in and 40 mm are one length."""

_DIGIT: Final = re.compile(r"\d")
_WORDS: Final = re.compile(r"[^\W_]+")
_CAMEL: Final = re.compile(r"([a-z])([A-Z])")
_SIZE_OF: Final = re.compile(r"(?:size|größe|grösse|gr\.?|taille|talla|eu|eur)(?=\w)")
_QUANTITY: Final = re.compile(r"\s*([\d.,]+)\s*([^\d\s.,]+)\s*")


class Declared(NamedTuple):
    """What an attribute says of the variant: a quantity of some `dimension` and `size`, a colour, or a plain text."""

    dimension: str | None
    size: float
    plain: str
    colour: Colour | None = None


class SameFrom(NamedTuple):
    """From which likeness on, -1..1, two listings are one product; from a lower one where both have the same GTIN."""

    score: float
    with_gtin: float


class Described(Protocol):
    """Whatever has a title and attributes: a product, or a listing that was not made one."""

    @property
    def title(self) -> str:
        """Empty where there is none."""
        ...

    @property
    def supplier_id(self) -> str:
        """Empty where there is none."""
        ...

    @property
    def attributes(self) -> Mapping[str, str]:
        """Values by name."""
        ...


def are_same(one: Described, other: Described, score: float, same: SameFrom) -> bool:
    """Whether two listings are one product: alike enough, and nothing they say speaks against it."""
    enough = score >= same.score or (score >= same.with_gtin and share_gtin(one, other))
    return enough and not contradict(one, other)


def share_gtin(one: Described, other: Described) -> bool:
    """Whether both have the same GTIN."""
    code = gtin_of(one.attributes)
    return code is not None and code == gtin_of(other.attributes)


def contradict(one: Described, other: Described) -> bool:
    """Whether what two listings say, by attributes or in their titles, cannot both be true of one product.

    What only one of them declares proves nothing, and free text ("steel", "zinc-plated steel") neither. Titles
    contradict each other where each has a quantity, a code or a number of one kind (GB, M6, iPhone 14), or a colour,
    that the other listing has nowhere in its title and attributes.
    """
    return any(True for _ in contradictions(one, other))


def contradictions(one: Described, other: Described) -> Iterator[tuple[str, str, str]]:
    """What `contradict` goes by: the attribute's name as `one` has it, or "title", and what each of them says."""
    theirs, one_supplier = _named(other), _are_of_one_supplier(one, other)
    for key, (name, value) in _named(one).items():
        if key in theirs and _differ(declared(name, value), declared(*theirs[key]), one_supplier):
            yield name, value, theirs[key][1]
    told = (("title", mine.text, their.text) for mine, their in _told_apart(one, other))
    yield from dict.fromkeys(told)  # 38 x 42 cm is several facts


def agree(one: Described, other: Described) -> bool:
    """Whether both declare a variant attribute and its values may be of one product."""
    theirs, one_supplier = _named(other), _are_of_one_supplier(one, other)
    for key, item in _named(one).items():
        if key in theirs:
            own, said = declared(*item), declared(*theirs[key])
            if own is not None and said is not None and not _differ(own, said, one_supplier):
                return True
    return False


def declared(name: str, value: str) -> Declared | None:
    """What a value of an attribute declares; None for what tells no variants apart."""
    key, quantity = key_of(name), _quantity(value)
    if key not in NAMES:
        is_number = not OF_SUPPLIERS.isdisjoint(_words(name)[-1:]) and quantity is None
        if is_number or is_of_listing(name, value) or len(value) > _LONGEST or not _DIGIT.search(value):
            return None
    dimension, size = quantity or (None, 0.0)
    plain = _plain(value)
    if key == "size":
        plain = _SIZE_OF.sub("", plain)
        plain = SIZES.get(plain, plain)
    return Declared(dimension, size, plain, read_colour(value) if key == "colour" else None)


@lru_cache(4_096)
def key_of(name: str) -> str:
    """By what an attribute is compared with others of its name, and of the same name in another language."""
    key = name.casefold().rstrip(".")
    return SAME_NAMES.get(key, key)


def is_of_listing(name: str, value: str) -> bool:
    """Whether an attribute is of the listing or its seller and says nothing of the product: SKU, EAN, rating, price."""
    anyway, unless_quantity = _belongs(name)
    return anyway or (unless_quantity and _quantity(value) is None)


@lru_cache(4_096)
def _belongs(name: str) -> tuple[bool, bool]:
    """Whether an attribute is of the listing whatever its value, and whether it is unless that is a quantity."""
    if key_of(name) in NAMES:
        return False, False
    words = frozenset(_words(name))
    more = words - NEUTRAL - OF_SUPPLIERS
    anyway = is_gtin_name(name) or not OF_LISTINGS.isdisjoint(words) or OF_LISTINGS_ALONE >= more > frozenset()
    return anyway, not more and not OF_SUPPLIERS.isdisjoint(words)


def _words(name: str) -> list[str]:
    return _WORDS.findall(_CAMEL.sub(r"\1 \2", name).casefold())


def _named(listing: Described) -> dict[str, tuple[str, str]]:
    """Attributes by what they are compared by; of several for one key, the first by name without case and value."""
    named: dict[str, tuple[str, str]] = {}
    for name, value in sorted(listing.attributes.items(), key=lambda item: (item[0].casefold(), item[1])):
        named.setdefault(key_of(name), (name, value))
    return named


def _are_of_one_supplier(one: Described, other: Described) -> bool:
    return bool(one.supplier_id) and one.supplier_id == other.supplier_id


def _told_apart(one: Described, other: Described) -> Iterator[tuple[Fact, Fact]]:
    """Of each kind that both titles tell: what each has and the other listing says nowhere."""
    mine, theirs = ([fact for fact in facts(listing.title) if fact.tells] for listing in (one, other))
    both = {fact.kind for fact in mine} & {fact.kind for fact in theirs}
    if both and (unsaid := _unsaid(mine, other, both)):
        answers = _unsaid(theirs, one, both)
        for kind in unsaid:
            yield from islice(filter(_of_one_thing, product(unsaid[kind], answers.get(kind, ()))), 1)


def _unsaid(told: Sequence[Fact], other: Described, kinds: Set[str]) -> dict[str, list[Fact]]:
    """By kind, those of some facts that a listing says nowhere."""
    left = [fact for fact in told if fact.kind in kinds]
    for text in chain([other.title], starmap(as_text, other.attributes.items())):
        if left:
            said = facts(text)
            left = [fact for fact in left if not any(_is_said(fact, by) for by in said)]
    unsaid: dict[str, list[Fact]] = {}
    for fact in left:
        unsaid.setdefault(fact.kind, []).append(fact)
    return unsaid


def as_text(name: str, value: str) -> str:
    """An attribute as a title would have it: "module 1.5"."""
    return f"{name.casefold()} {value}"


def _is_said(fact: Fact, by: Fact) -> bool:
    """Whether what another text says may mean the same."""
    if by.kind != fact.sought:
        return False
    if fact.size is not None and by.size is not None:
        return math.isclose(fact.size, by.size, rel_tol=TOLERANCE)
    return fact.plain == by.plain


def _of_one_thing(facts: tuple[Fact, Fact]) -> bool:
    """Whether two facts of a kind may be about the same part of a thing; see `titles.FAR`."""
    one, other = facts
    if one.size is None or other.size is None or one.kind not in MANIFOLD:
        return True
    return max(one.size, other.size) <= FAR * min(one.size, other.size)


def _differ(one: Declared | None, other: Declared | None, one_supplier: bool) -> bool:
    """One supplier's words for its colours are all different ones; another has other words for them."""
    if one is None or other is None:
        return False
    if one.dimension is not None and one.dimension == other.dimension:
        return not math.isclose(one.size, other.size, rel_tol=TOLERANCE)
    if one.colour is not None and other.colour is not None and not one_supplier:
        return not one.colour.may_be(other.colour)
    return one.plain != other.plain


def _quantity(text: str) -> tuple[str, float] | None:
    """The dimension and size of a value such as `40 mm`; None for anything else."""
    match = _QUANTITY.fullmatch(text.casefold())
    unit = UNITS.get(match.group(2)) if match else None
    if match is None or unit is None:
        return None
    try:
        return unit[0], number(match.group(1)) * unit[1]
    except ValueError:
        return None


def _plain(text: str) -> str:
    return re.sub(r"[\s_-]+", "", text.casefold())
