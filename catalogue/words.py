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
_WORD: Final = re.compile(r"\d+(?:\.\d+)*|[^\W\d_]+")
_MARKS: Final = re.compile(r"[\u0300-\u036f]+")
_UNSPACED: Final = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese."""


def singular(word: str) -> str:
    """Near enough to count "mugs" and "mug" as one word; a singular stays as it is."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("sses", "xes", "ches", "shes")) else word[:-1]


def words_of(text: str) -> dict[str, None]:
    """The words of a text that say something, each once, in their order."""
    text = text.lower().replace(",", ".")  # a decimal's, elsewhere
    if text.isascii():
        return dict.fromkeys([singular(word) for word in _WORD.findall(text) if word not in EMPTY])
    text = _UNSPACED.sub(r" \g<0> ", _MARKS.sub("", unicodedata.normalize("NFKD", text)))
    found: dict[str, None] = {}
    for word in _WORD.findall(text):
        if _UNSPACED.match(word):
            found |= dict.fromkeys([word[at : at + 2] for at in range(max(1, len(word) - 1))])
        elif word not in EMPTY:
            found[singular(word)] = None
    return found
