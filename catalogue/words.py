"""The words of texts, as they are compared: in lower case, without accents, numbers apart from letters.

Plurals are those of English. Scripts that put no space between words are compared two characters at a time.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

EMPTY: Final = frozenset({
    "a", "an", "and", "as", "at", "by", "for", "from", "in", "is", "it", "its", "of", "on", "or", "our", "per", "that",
    "the", "this", "to", "with", "you", "your",
})  # fmt: skip
"""Words that say nothing of a product."""
_WORD: Final = re.compile(r"\d+(?:\.\d+)*|[^\W\d_]+")
_MARKS: Final = re.compile(r"[\u0300-\u036f]+")
_UNSPACED: Final = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese."""
_LONGEST: Final = 64
_ENDINGS: Final = frozenset({"", "s", "es"})
_OF_S: Final = frozenset({"", "es"})
_OF_Y: Final = frozenset({"y", "ys", "ies"})
_END: Final = 4
"""Letters that tell whether one of these ends there."""


def singular(word: str) -> str:
    """Near enough to count "mugs" and "mug" as one word; a singular stays as it is."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("sses", "xes", "ches", "shes")) else word[:-1]


def plain(text: str) -> str:
    """A text as words are looked for in it."""
    text = text.lower().replace(",", ".")  # a decimal's, elsewhere
    if text.isascii():
        return text
    return _UNSPACED.sub(r" \g<0> ", _MARKS.sub("", unicodedata.normalize("NFKD", text)))


def wanted(text: str, most: int) -> tuple[str, ...]:
    """The first so many words of a text that say something of a product, in the singular."""
    found: dict[str, None] = {}
    for word in _WORD.findall(plain(text)):
        if _UNSPACED.match(word):
            found |= dict.fromkeys([word[at : at + 2] for at in range(max(1, len(word) - 1))])
        elif word not in EMPTY and len(word) <= _LONGEST:
            found[singular(word)] = None
    return tuple(found)[:most]


def saying(word: str, texts: Sequence[str]) -> list[bool]:
    """Which of some texts, as `plain` makes them, say one of the words that `wanted` makes."""
    if _UNSPACED.match(word):
        return [word in text for text in texts]
    if word[0].isdigit():
        return [word in text and _has_number(text, word) for text in texts]
    stem, endings = word, _OF_S if word.endswith("s") else _ENDINGS
    if word.endswith("y") and len(word) > 3:
        stem, endings = word[:-1], _OF_Y
    return [stem in text and _has_word(text, stem, endings) for text in texts]


def _has_word(text: str, stem: str, endings: frozenset[str]) -> bool:
    """Whether it stands somewhere with no letter before it and one of the endings behind it."""
    at = text.find(stem)
    while at >= 0:
        end = at + len(stem)
        if not text[at - 1 : at].isalpha():
            behind = text[end : end + _END]
            while behind and not behind.isalpha():
                behind = behind[:-1]
            if behind in endings:
                return True
        at = text.find(stem, end)
    return False


def _has_number(text: str, number: str) -> bool:
    """Whether it stands somewhere that is no part of another number."""
    at = text.find(number)
    while at >= 0:
        end = at + len(number)
        before, behind = text[max(0, at - 2) : at], text[end : end + 2]
        if not (
            before[-1:].isdigit()
            or (before[-1:] == "." and before[:-1].isdigit())
            or behind[:1].isdigit()
            or (behind[:1] == "." and behind[1:].isdigit())
        ):
            return True
        at = text.find(number, end)
    return False
