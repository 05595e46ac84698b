"""What texts say of a listing's variant: 128 GB, 38 x 42 cm, a pack of 10, M6x30, iPhone 14, blue."""

import math
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple

from catalogue.vocabulary import COLOURS, UNITS

NUMBER: Final = "#"
"""The kind of a number by itself. A text that has one says so much of any series: "iPhone 11, 12" says iPhone 12."""
_MOST: Final = 32
"""Facts of one text: a title that is stuffed with words may hold hundreds."""
_READ: Final = 400
"""Characters of a text; a longer one tells a story."""
_REMEMBERED: Final = 8_192

_DIGITS: Final = r"\d{1,12}(?:[.,]\d{1,12}){0,3}"
_UNIT: Final = "|".join(sorted(map(re.escape, UNITS.keys() - {"in"}), key=len, reverse=True))
_QUANTITY: Final = re.compile(  # "in" is a word more often than a unit: "2 in 1"
    rf"(?<![\w.,/])({_DIGITS}(?:\s*[x-]\s*{_DIGITS}){{0,3}})[\s-]?({_UNIT}|in(?=\s*(?:[x,;.)|/]|$)))(?![\w²³/])",
    re.IGNORECASE,
)
_PACK: Final = re.compile(r"\b(?:pack|set|box)\s+of\s+(\d{1,6})\b", re.IGNORECASE)
_TIMES: Final = re.compile(r"(?<=\d)\s*x\s*(?=\d)", re.IGNORECASE)
_CODE: Final = re.compile(r"(?<![\w.,])(?=[\w.,/-]*\d)(?=[\w.,/-]*[^\W\d_])[^\W_][\w.,/-]*")
_SERIES: Final = re.compile(rf"\b([^\W\d_]{{2,}})\s+(?!(?:19|20)\d\d\b)((?>{_DIGITS}))(?![\w/%-])")  # no years
_ALONE: Final = re.compile(rf"(?<![\w.,])(?>{_DIGITS})(?![\w%])")
_WORD: Final = re.compile(r"[^\W\d_]+")
_USUAL: Final = str.maketrans({"\u00d7": "x", "\u2013": "-", "\u2033": '"', "\u201d": '"'})
"""Signs for times, from-to and inches."""
_NO_SERIES: Final = frozenset({"art", "article", "code", "ean", "id", "item", "no", "nr", "ref", "sku"})
"""Before a supplier's own number for a thing, which says nothing about the thing."""


class Fact(NamedTuple):
    """One thing that a text says: so much (`size`) of a `kind`, or else a code, number or colour (`plain`) of it."""

    kind: str
    size: float | None
    plain: str
    text: str

    @property
    def tells(self) -> bool:
        """Whether another one of this kind may be of another variant."""
        return self.kind != NUMBER

    @property
    def sought(self) -> str:
        """The kind of what says the same in other texts."""
        return NUMBER if self.kind.endswith(f" {NUMBER}") else self.kind


@lru_cache(_REMEMBERED)
def facts(text: str) -> tuple[Fact, ...]:
    """The quantities, codes, numbers and colours in the beginning of a text, the first `_MOST`."""
    return tuple(dict.fromkeys(islice(_facts(text), _MOST)))


def _facts(text: str) -> Iterator[Fact]:
    text = unicodedata.normalize("NFKC", text[:_READ].translate(_USUAL))
    for match in _QUANTITY.finditer(text):
        yield from _quantities(match)
    for match in _PACK.finditer(text):
        yield Fact(UNITS["pack"][0], float(match[1]), "", match[0])
    text = _TIMES.sub("x", _PACK.sub(" ", _QUANTITY.sub(" ", text)))
    for match in _CODE.finditer(text):
        code = match[0].rstrip(".,/-")
        plain = code.casefold()
        yield Fact(re.sub(_DIGITS, NUMBER, plain), None, plain, code)
    for match in _SERIES.finditer(text):
        if (word := match[1].casefold()) not in _NO_SERIES:
            yield Fact(f"{word} {NUMBER}", None, match[2], match[0])
    for match in _ALONE.finditer(text):
        yield Fact(NUMBER, None, match[0], match[0])
    for match in _WORD.finditer(text):
        if (word := match[0].casefold()) in COLOURS:
            yield Fact("colour", None, COLOURS[word], match[0])


def _quantities(match: re.Match[str]) -> Iterator[Fact]:
    """Each edge of 40 x 60 cm and what they make multiplied, as it is not 40 x 40; both ends of 14-15 in."""
    kind, factor = UNITS.get(match[2].casefold(), ("", 0.0))
    if not kind:  # regular expressions take the Turkish i without a dot for ours
        return
    sizes = [_number(part) * factor for part in re.split("[xX-]", match[1])]
    for size in sizes:
        yield Fact(kind, size, "", match[0])
    if len(sizes) > 1 and "-" not in match[1]:
        yield Fact(f"{kind}^{len(sizes)}", math.prod(sizes), "", match[0])


def _number(text: str) -> float:
    """What digits with points and commas mean: 1,050 is a thousand and fifty, 1,5 is one and a half."""
    digits = text.strip()
    if re.fullmatch(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?", digits):
        return float(digits.replace(",", ""))
    whole, *rest = re.split("[.,]", digits)
    return float(f"{whole}.{''.join(rest)}")
