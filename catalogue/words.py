"""The words of texts, as they are compared: lower case, singular, without accents, numbers apart from letters.

Plurals are those of English. Scripts that put no space between words are taken two characters at a time.
"""

import re
import unicodedata
from typing import Final

EMPTY: Final = frozenset({
    "a", "an", "and", "as", "at", "by", "for", "from", "in", "is", "it", "its", "of", "on", "or", "our", "per", "that",
    "the", "this", "to", "with", "you", "your",
})  # fmt: skip
"""Words that say nothing of a product."""
_MARKS: Final = re.compile(r"[\u0300-\u036f]+")
_NO_SPACES: Final = r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+"
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese."""
_INDIC: Final = r"\u0900-\u0dff"
"""Of these scripts the vowel signs are no letters, either."""
_LETTERS: Final = rf"(?:(?!{_NO_SPACES})[^\W\d_]|[{_INDIC}])+"
_DECIMAL: Final = r"(?<![\d,])\d+,\d+(?![\d,]*\d)"
"""A comma between two of three numbers parts a list."""
_WORD: Final = re.compile(rf"{_DECIMAL}|\d+(?:\.\d+)*|[^\W\d_]+")
_ANY_WORD: Final = re.compile(rf"{_DECIMAL}|\d+(?:\.\d+)*|{_NO_SPACES}|{_LETTERS}")
_UNSPACED: Final = re.compile(_NO_SPACES)


def singular(word: str) -> str:
    """Near enough to count "mugs" and "mug" as one word; a singular stays as it is."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("sses", "xes", "ches", "shes")) else word[:-1]


def words_of(text: str) -> dict[str, None]:
    """The words of a text that say something, each once, in their order."""
    text = text.casefold()
    if text.isascii():
        words = _WORD.findall(text)
    else:
        text = unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFKD", text)))
        words = [part for word in _ANY_WORD.findall(text) for part in _parts(word)]
    compared = [_compared(word) for word in words if word not in EMPTY]
    return dict.fromkeys([word for word in compared if word not in EMPTY])


def _parts(word: str) -> list[str]:
    if not _UNSPACED.match(word):
        return [word]
    return [word[at : at + 2] for at in range(max(1, len(word) - 1))]


def _compared(word: str) -> str:
    """What is the same for all ways to write a word: 1,000 and 1000, 10,9 and 10.9, hoodie and hoodies."""
    if word[0].isdecimal():
        whole, comma, rest = word.partition(",")
        return word if not comma else f"{whole}{'' if len(rest) == 3 else '.'}{rest}"
    word = singular(word)
    return f"{word[:-2]}y" if word.endswith("ie") and len(word) > 4 else word
