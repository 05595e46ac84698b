"""From the rows of a batch to what the network takes in."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from models.training.config import TrainConfig
from models.training.data import Corpus
from models.training.negatives import Row
from models.training.network import Inputs
from models.training.texts import difference_words, tokenise, vary_texts
from models.training.views import vary_photos

_MOST_WORDS = 16


@dataclass(frozen=True, slots=True)
class Batch:
    """The products of a batch, first sides before second sides, and what is said of them."""

    items: Sequence[int]
    ids: Sequence[Sequence[int]]
    """Token ids of each product's text; none where it has none."""
    words: dict[int, Sequence[int]]
    """Token ids of what tells the second product of a row from the first, by row."""
    is_self: NDArray[np.bool_]
    """[rows]."""
    recolour: NDArray[np.bool_]
    """[2 * rows]: whose photos get other colours."""

    def chunks(self, size: int) -> list[NDArray[np.int64]]:
        """Products that are encoded together: of similar text length, so that little of it is padding."""
        order = np.argsort([len(ids) for ids in self.ids], kind="stable")
        return [order[start : start + size] for start in range(0, len(order), size)]


class Batches:
    """Makes the views of a batch; what it makes depends on the rows and the random numbers alone."""

    def __init__(self, corpus: Corpus, config: TrainConfig, tokenizer: Tokenizer, device: torch.device) -> None:
        self._corpus, self._config, self._tokenizer, self._device = corpus, config, tokenizer, device

    def batch(self, rows: Sequence[Row], random: np.random.Generator) -> Batch:
        """What is said of both sides of each row."""
        items, config = self._corpus.items, self._config
        is_self = np.array([row.first == row.second for row in rows])
        recolour = is_self & (random.random(len(rows)) < config.views.recolour)
        hidden = config.losses.composed_attributes
        told = [
            vary_texts(
                items[row.first].product, items[row.second].product, config.views, random, hidden if other else ()
            )
            for row, other in zip(rows, recolour, strict=True)
        ]
        words = {
            number: difference
            for number, row in enumerate(rows if config.losses.composed else ())
            if items[row.first].photo >= 0
            and (difference := difference_words(items[row.first].product, items[row.second].product, hidden))
        }
        texts = [*(first for first, _ in told), *(second for _, second in told)]
        word_ids = tokenise(self._tokenizer, list(words.values()), _MOST_WORDS)
        return Batch(
            [*(row.first for row in rows), *(row.second for row in rows)],
            tokenise(self._tokenizer, texts, config.network.max_text_tokens),
            {number: ids for number, ids in zip(words, word_ids, strict=True) if ids},
            is_self,
            np.concatenate([np.zeros(len(rows), dtype=bool), recolour]),
        )

    def inputs(self, batch: Batch, chunk: NDArray[np.int64], random: np.random.Generator) -> Inputs:
        """The network's inputs for some products of a batch."""
        places = [self._corpus.items[batch.items[at]].photo for at in chunk]
        photos = [self._corpus.photos[place] for place in places]
        pixels = vary_photos(photos, batch.recolour[chunk], self._config.views, random, self._device)
        ids, mask = padded([batch.ids[at] for at in chunk])
        has = torch.tensor([[place >= 0, len(batch.ids[at]) > 0] for place, at in zip(places, chunk, strict=True)])
        with_words = [number for number, at in enumerate(chunk) if int(at) in batch.words]
        other_ids, other_mask = padded([batch.words[int(chunk[number])] for number in with_words])
        rest = (ids, mask, has, other_ids, other_mask, torch.tensor(with_words, dtype=torch.long))
        return Inputs(pixels, *(part.to(self._device) for part in rest))


def padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Ids and mask, int64 [n, longest]; a row without tokens has one, 0, so that the encoder has something to read."""
    longest = max(1, *(len(row) for row in rows)) if rows else 1
    ids = torch.zeros((len(rows), longest), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for at, row in enumerate(rows):
        ids[at, : len(row)] = torch.tensor(row, dtype=torch.long)
        mask[at, : max(1, len(row))] = 1
    return ids, mask
