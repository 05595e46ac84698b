"""Products that there are not, so that a network keeps telling words apart that its catalogue does not use.

Trained on one shop, a network learns which of its words matter and maps what is left to nearly one place: to one that
has learned fashion, an owl mug and a fox mug are the same. Invented products are told by words of the whole vocabulary.
"""

import re
from collections.abc import Iterable
from typing import Final

import numpy as np

from models.training.data import Corpus
from models.training.texts import content_words, put

_WORD: Final = re.compile(r"[a-z]{3,12}")
_KINDS: Final = 6
_SAID: Final = 10
"""Kinds and words for what they are like in a batch: few, so that every product has others that are half like it."""

# How the words are put. As with those of real products, the figures barely matter.
_LONG_KIND: Final = 0.2
_MORE_SAID: Final = 0.4
_MOST_FILLING: Final = 3
_TOLD: Final = (
    "{said} {kind} {filling}",
    "{kind} with {said} {filling}",
    "{kind}, {filling}, {said}",
    "{filling} {said} {kind}",
)
_BESIDE: Final = {"description": 0.35, "title": 0.15, "attributes": 0.25, "nothing": 0.25}
_ALL_ASKED: Final = 0.3


class Inventor:
    """Makes texts of invented products and few words to find them, out of a vocabulary and a catalogue's own texts."""

    def __init__(self, vocabulary: Iterable[str], corpus: Corpus) -> None:
        self._words = sorted(word for word in vocabulary if _WORD.fullmatch(word) and content_words(word))
        self._corpus = corpus
        self._items = [item for members in corpus.styles.values() for item in members]

    def products(self, count: int, random: np.random.Generator) -> tuple[list[str], list[str]]:
        """What is told of each, and the few words that ask for it."""
        kinds = [self._some(1 + (random.random() < _LONG_KIND), random) for _ in range(_KINDS)]
        likenesses = [self._words[at] for at in random.choice(len(self._words), _SAID, replace=False)]
        told, asked = [], []
        for _ in range(count):
            kind = kinds[int(random.integers(_KINDS))]
            said = [str(word) for word in random.choice(likenesses, 1 + (random.random() < _MORE_SAID), replace=False)]
            filling = self._some(int(random.integers(_MOST_FILLING + 1)), random)
            words = _TOLD[int(random.integers(len(_TOLD)))].format(said=" ".join(said), kind=kind, filling=filling)
            told.append(self._beside(words.strip(), random))
            wanted = said if random.random() < _ALL_ASKED else [str(random.choice(said))]
            asked.append(put(wanted, kind, random))
        return told, asked

    def _beside(self, words: str, random: np.random.Generator) -> str:
        """With some of what a real product says, as the words that matter stand among many."""
        product = self._corpus.items[self._items[int(random.integers(len(self._items)))]].product
        match str(random.choice(list(_BESIDE), p=list(_BESIDE.values()))):
            case "description":
                return f"{words}. {product.description}"
            case "title":
                return f"{product.title}, {words}"
            case "attributes":
                return ", ".join([words, *product.attributes.values()])
            case _:
                return words

    def _some(self, count: int, random: np.random.Generator) -> str:
        return " ".join(self._words[at] for at in random.integers(len(self._words), size=count))
