"""What a colour attribute says, in one way, whichever of a few languages it is said in."""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from catalogue.vocabulary import COLOUR_VALUES, SHADES

_WORD: Final = re.compile(r"[^\W\d_]+")
_COMPOUND: Final = re.compile(r"(dunkel|hell|marine)(.+)")
_LONGEST: Final = 60


@lru_cache(4_096)
def plain_colour(value: str) -> str | None:
    """The colours that a value names, and what it says of them: navy blue and dunkelblau are "blue, dark".

    None where it names none that hardly anybody takes for another, and for prose.
    """
    bases: set[str] = set()
    said: set[str] = set()
    if len(value) > _LONGEST:
        return None
    for word in _WORD.findall(unicodedata.normalize("NFC", value.casefold())):
        compound = _COMPOUND.fullmatch(word)
        parts = compound.groups() if compound is not None and compound.group(2) in COLOUR_VALUES else (word,)
        for part in parts:
            if part in COLOUR_VALUES:
                bases.add(COLOUR_VALUES[part])
            said.update(SHADES.get(part, () if part in COLOUR_VALUES else (part,)))
    return ", ".join([*sorted(bases), *sorted(said)]) if bases else None
