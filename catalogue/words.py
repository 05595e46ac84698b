"""The words of texts, as they are compared: lower case, singular, without accents, numbers apart from letters.

A number with the letters beside it is a word, too: M6 says m, 6 and m6, which an M8 of 6 cm does not say.
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
_MICRO: Final = "\u03bc"
"""As of micrometres, which many write um."""
_NO_SPACES: Final = r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+"
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese."""
_INDIC: Final = r"\u0900-\u0dff"
"""Of these scripts the vowel signs are no letters, either."""
_LETTERS: Final = rf"(?:(?!{_NO_SPACES})[^\W\d_]|[{_INDIC}])+"
_COMMA: Final = re.compile(r"(?<![\d,])(\d+),(\d+)(?!\d|,\d)")
"""Between two numbers; of three it parts a list."""
_NUMBER: Final = r"\d+(?:\.\d+)*"
_WORD: Final = re.compile(rf"{_NUMBER}|[^\W\d_]+")
_ANY_WORD: Final = re.compile(rf"{_NUMBER}|{_NO_SPACES}|{_LETTERS}")
_UNSPACED: Final = re.compile(_NO_SPACES)
_CODE: Final = re.compile(
    rf"(?<![^\W\d_])(?=([^\W\d_]+)({_NUMBER})|([^\W\d_]{{1,3}}) ({_NUMBER}))"
    rf"|(?<![\d.])(?=({_NUMBER})([^\W\d_]+)|({_NUMBER}) ([^\W\d_]{{1,3}})(?![^\W\d_]))"
)
"""Letters and a number side by side, or up to three letters a space away: M6, M 6, 128GB, 38 cm."""
_ENDINGS: Final = {"ie": "y", "ve": "f", "fe": "f", "oe": "o"}
"""What the singular of a plural leaves open: hoodies, leaves, knives, potatoes."""


def singular(word: str) -> str:
    """Near enough to count "mugs" and "mug" as one word; a singular stays as it is."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("sses", "xes", "ches", "shes")) else word[:-1]


def words_of(text: str) -> dict[str, None]:
    """The words of a text that say something, each once, in their order, and then numbers with the letters beside."""
    text = text.casefold()
    if text.isascii():
        words = _WORD.findall(text := _COMMA.sub(_plain, text))
    else:
        text = unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFKD", text))).replace(_MICRO, "u")
        text = _COMMA.sub(_plain, text)
        words = [part for word in _ANY_WORD.findall(text) for part in _parts(word)]
    as_compared = [compared(word) for word in words if word not in EMPTY]
    return dict.fromkeys([*(word for word in as_compared if word not in EMPTY), *_codes(text)])


def _plain(number: re.Match[str]) -> str:
    """1,000 as 1000, 10,9 as 10.9, and 0,125 as 0.125."""
    is_thousands = len(number[2]) == 3 and number[1] != "0"
    return f"{number[1]}{'' if is_thousands else '.'}{number[2]}"


def _parts(word: str) -> list[str]:
    if not _UNSPACED.match(word):
        return [word]
    return [word[at : at + 2] for at in range(max(1, len(word) - 1))]


def _codes(text: str) -> list[str]:
    found = _CODE.findall(text)
    return [f"{one}{two}" for parts in found for one, two in zip(parts[::2], parts[1::2], strict=True) if one]


def compared(word: str) -> str:
    """What is the same for all ways to write a word in lower case, if it is one: hoodie and hoodies, leaf and leaves.

    It need not be a word itself: of shoe and shoes it is sho.
    """
    word = singular(word)
    for ending, common in _ENDINGS.items():
        if word.endswith(ending) and len(word) > 3:
            return word[: -len(ending)] + common
    return word
