"""What a colour attribute says, so that suppliers with other words and languages can be compared."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from catalogue.vocabulary import COLOUR_VALUES, SHADES

_WORD: Final = re.compile(r"[^\W\d_]+")
_COMPOUND: Final = re.compile(r"(dunkel|hell)(.+)")


class Colour(NamedTuple):
    """Plain colours ("blue"), and what is said of them beside ("dark", "matte"); often nothing."""

    bases: frozenset[str]
    shade: frozenset[str]

    def may_be(self, other: "Colour") -> bool:
        """Whether two suppliers may mean one colour: who says blue may mean dark blue."""
        return self.bases == other.bases and (not self.shade or not other.shade or self.shade == other.shade)


@lru_cache(16_384)
def read_colour(value: str) -> Colour | None:
    """The colours that a value names; None where it names none that hardly anybody takes for another."""
    bases: set[str] = set()
    shade: set[str] = set()
    for word in _WORD.findall(value.casefold()):
        compound = _COMPOUND.fullmatch(word)
        parts = compound.groups() if compound is not None and compound.group(2) in COLOUR_VALUES else (word,)
        for part in parts:
            if part in COLOUR_VALUES:
                bases.add(COLOUR_VALUES[part])
            shade.update(SHADES.get(part, () if part in COLOUR_VALUES else (part,)))
    return Colour(frozenset(bases), frozenset(shade)) if bases else None
