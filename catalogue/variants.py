"""Whether two listings are different variants by their own words: M6 and M8, 10 µF and 100 µF, red and blue."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import lru_cache
from itertools import chain, islice, product, starmap
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, Protocol

from catalogue import names
from catalogue.colours import plain_colour
from catalogue.titles import FAR, MANIFOLD, Fact, facts, number, telling
from catalogue.vocabulary import SIZES, UNSAID, VALUE_UNITS

_LONGEST: Final = 60
"""Characters of a value; what is longer is prose, and everyone's own."""
TOLERANCE: Final = 0.02
"""Suppliers round when they convert: 1.57 in and 40 mm are one length."""

_DIGIT: Final = re.compile(r"\d")
_SIZE: Final = re.compile(r"(?:size|grösse|gr|taille|talla|taglia|eur?)?[.:]?(\d[\d.,/]*|[^\W\d]+)(?:eur?)?")
_QUANTITY: Final = re.compile(r"\s*([\d.,]+)\s*([^\d\s.,]+)\s*")


class Declared(NamedTuple):
    """What an attribute says of the variant: a quantity of some `dimension` and `size`, or else a plain text."""

    dimension: str | None
    size: float
    plain: str


Mode = Literal["i", "t", "m"]
"""What there is of a listing: a photo, a text, or both."""
MODES: Final[tuple[Mode, ...]] = ("i", "t", "m")


class SameFrom(NamedTuple):
    """From which likeness on, -1..1, two listings are one product; from a lower one where both have the same GTIN.

    `by_modes` is another `score` for pairs of which one has no photo or no text, such as `t-m`, where there is one.
    """

    score: float
    with_gtin: float
    by_modes: Mapping[str, float] = MappingProxyType({})

    def of(self, one: Mode, other: Mode) -> float:
        """For listings that have this much, without a GTIN."""
        return self.by_modes.get(f"{one}-{other}", self.score)

    def least(self, one: Mode) -> float:
        """The lowest for a listing and any other."""
        return min(self.of(one, other) for other in MODES)


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


def mode_of(title: str, photo: str | None) -> Mode:
    """What there is of a listing; what has no title has no text."""
    if photo is None:
        return "t"
    return "m" if title.strip() else "i"


def contradict(one: Described, other: Described) -> bool:
    """Whether what two listings say, by attributes or in their titles, cannot both be true of one product.

    What only one of them declares proves nothing, and free text ("steel", "zinc-plated steel") neither. Titles
    contradict each other where each has a quantity, a code or a number of one kind (GB, M6, iPhone 14), or a colour,
    that the other listing has nowhere in its title and attributes.
    """
    return any(True for _ in contradictions(one, other))


def contradictions(one: Described, other: Described) -> Iterator[tuple[str, str, str]]:
    """What `contradict` goes by: the attribute's name as `one` has it, or "title", and what each of them says."""
    theirs = declarations(other)
    for key, (name, value, mine) in declarations(one).items():
        if key in theirs and differ(mine, theirs[key][2]):
            yield name, value, theirs[key][1]
    told = (("title", mine.text, their.text) for mine, their in _told_apart(one, other))
    yield from dict.fromkeys(told)  # 38 x 42 cm is several facts


def agree(one: Described, other: Described) -> bool:
    """Whether both declare a variant attribute and its values may be of one product."""
    theirs = declarations(other)
    return any(key in theirs and not differ(own, theirs[key][2]) for key, (_, _, own) in declarations(one).items())


@lru_cache(4_096)
def declared(name: str, value: str) -> Declared | None:
    """What a value of an attribute declares; None for what tells no variants apart."""
    key, quantity = names.key_of(name), _quantity(value)
    if value.strip().casefold() in UNSAID:
        return None
    if key not in names.NAMES:
        is_own = names.may_be_of_listing(name, is_quantity=quantity is not None)
        if is_own or len(value) > _LONGEST or not _DIGIT.search(value):
            return None
    dimension, size = quantity or (None, 0.0)
    if key == "colour":
        return Declared(dimension, size, plain_colour(value) or _plain(value))
    return Declared(dimension, size, _plain_size(value) if key == "size" else _plain(value))


def is_of_listing(name: str, value: str) -> bool:
    """Whether an attribute surely is of the listing or its seller and says nothing of the product: SKU, EAN, price."""
    return names.is_of_listing(name, value, is_quantity=_quantity(value) is not None)


def declarations(listing: Described) -> dict[str, tuple[str, str, Declared]]:
    """What attributes declare, by what they are compared by: of several for one key, the first by name and value."""
    found: dict[str, tuple[str, str, Declared]] = {}
    for name, value in sorted(listing.attributes.items(), key=lambda item: (item[0].casefold(), item[1])):
        said = declared(name, value)
        if said is not None:
            found.setdefault(names.key_of(name), (name, value, said))
    return found


def _told_apart(one: Described, other: Described) -> Iterator[tuple[Fact, Fact]]:
    """Of each kind that both titles tell: what each has and the other listing says nowhere."""
    mine, theirs = telling(one.title), telling(other.title)
    both = {fact.kind for fact in mine} & {fact.kind for fact in theirs}
    if both and (unsaid := _unsaid(mine, other, both)):
        answers = _unsaid(theirs, one, both)
        for kind in unsaid:
            yield from islice(filter(_of_one_thing, product(unsaid[kind], answers.get(kind, ()))), 1)


def _unsaid(told: Sequence[Fact], other: Described, kinds: Set[str]) -> dict[str, list[Fact]]:
    """By kind, those of some facts that a listing says nowhere."""
    left = [(fact, fact.sought) for fact in told if fact.kind in kinds]
    for text in chain([other.title], starmap(as_text, other.attributes.items())):
        if not left:
            return {}
        said = facts(text)
        left = [
            (fact, sought) for fact, sought in left if not any(by.kind == sought and _is_said(fact, by) for by in said)
        ]
    unsaid: dict[str, list[Fact]] = {}
    for fact, _ in left:
        unsaid.setdefault(fact.kind, []).append(fact)
    return unsaid


def as_text(name: str, value: str) -> str:
    """An attribute as a title would have it: "module 1.5"."""
    return f"{name.casefold()} {value}"


def _is_said(fact: Fact, by: Fact) -> bool:
    """Whether what another text says, of the kind that is sought, may mean the same."""
    if fact.size is not None and by.size is not None:
        return math.isclose(fact.size, by.size, rel_tol=TOLERANCE)
    return fact.plain == by.plain


def _of_one_thing(facts: tuple[Fact, Fact]) -> bool:
    """Whether two facts of a kind may be about the same part of a thing; see `titles.FAR`."""
    one, other = facts
    if one.size is None or other.size is None or one.kind not in MANIFOLD:
        return True
    return max(one.size, other.size) <= FAR * min(one.size, other.size)


def differ(one: Declared, other: Declared) -> bool:
    """Whether two values of one attribute cannot both be true of one product."""
    if one.dimension is not None and one.dimension == other.dimension:
        return not math.isclose(one.size, other.size, rel_tol=TOLERANCE)
    return one.plain != other.plain


def _quantity(text: str) -> tuple[str, float] | None:
    """The dimension and size of a value such as `40 mm`; None for anything else."""
    match = _QUANTITY.fullmatch(text.casefold())
    unit = VALUE_UNITS.get(match.group(2)) if match else None
    if match is None or unit is None:
        return None
    try:
        return unit[0], number(match.group(1)) * unit[1]
    except ValueError:
        return None


def _plain(text: str) -> str:
    return re.sub(r"[\s_-]+", "", text.casefold())


def _plain_size(value: str) -> str:
    """X-Large and "size XL" are xl, EU 42 is 42."""
    plain = _plain(value)
    match = _SIZE.fullmatch(plain)
    if plain in SIZES or match is None:
        return SIZES.get(plain, plain)
    size = match.group(1)
    return SIZES.get(size, size if size[0].isdigit() else plain)
