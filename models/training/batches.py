"""From the rows of a batch to what the network takes in."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from models.training.config import TrainConfig
from models.training.data import Corpus
from models.training.invented import Inventor
from models.training.kept import Look, tokens_of
from models.training.negatives import Row, Sampler
from models.training.network import Inputs
from models.training.texts import (
    MOST_ASKED,
    Words,
    content_words,
    difference_words,
    few_words,
    fitting,
    told_words,
    vary_texts,
)
from models.training.views import Looks, apply_looks, draw_looks

_BASE_INVENTED = 50
"""Steps whose invented products come again with a base."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Products of a batch that are encoded together, as prepared on the CPU."""

    number: int
    products: Tensor
    """Which of the batch, int64 [n]."""
    photos: Looks | Tensor
    """Or the tokens that were made of them before, float16 [n, tokens, width]."""
    rest: tuple[Tensor, ...]
    """The other fields of `Inputs`, in order."""

    def inputs(self, side: int, device: torch.device) -> Inputs:
        """The network's inputs, with photos of `side` pixels."""
        made = apply_looks(self.photos, side, device) if isinstance(self.photos, Looks) else self.photos.to(device)
        return Inputs(made.float(), *(part.to(device) for part in self.rest))


@dataclass(frozen=True, slots=True)
class Batch:
    """Pairs of products, first sides before second sides."""

    items: Sequence[int]
    is_self: Tensor
    """bool [rows]: both sides are one product."""
    with_words: Tensor
    """int64 [k]: the rows whose second product is told from the first by words."""
    view_of: Tensor
    """int64 [v]: the products that come once more, changed, after all pairs."""
    fits: Tensor
    """bool [q, 2 * rows]: which products a shopper's few words fit, which come after the views like products without
    a photo."""
    invented_fits: Tensor
    """bool [n, n]: the same of invented products; the n few words come next, then what is told of the n products."""
    chunks: Sequence[Chunk]


@dataclass(frozen=True, slots=True)
class _Told:
    """What is said of the products of a batch, as token ids."""

    ids: list[Sequence[int]]
    """Of each product; none where it has no text."""
    words: dict[int, Sequence[int]]
    """What tells the second product of a row from the first, by row."""


class Batches(Dataset[Batch]):  # type: ignore[misc]  # torch is not installed where types are checked
    """The batch of each step.

    All randomness comes from the seed and the step's number, so a resumed run goes the same way, whichever process
    prepares a batch. Of several processes that train, this one prepares the chunks of its `part` (which, of how many).
    Where the tokens of photos are `kept`, it draws from them.
    """

    def __init__(
        self,
        corpus: Corpus,
        config: TrainConfig,
        words: Words,
        sampler: Sampler,
        inventor: Inventor,
        part: tuple[int, int],
        kept: Sequence[Look],
    ) -> None:
        self._corpus, self._config, self._words = corpus, config, words
        self._sampler, self._inventor, self._part, self._kept = sampler, inventor, part, kept

    def __getitem__(self, step: int) -> Batch:
        """The batch of a step."""
        config = self._config
        random = np.random.default_rng((config.seed, step))
        rows = self._sampler.rows(random)
        is_self = np.array([row.first == row.second for row in rows])
        recoloured = is_self & (random.random(len(rows)) < config.views.recolour)
        told = self._told(rows, recoloured, random)
        pairs = [*(row.first for row in rows), *(row.second for row in rows)]
        view_of = self._views(is_self, step)
        items = [*pairs, *(pairs[product] for product in view_of)]
        told.ids.extend(self._retold(items[len(pairs) :], step))
        recolour = np.concatenate([np.zeros(len(rows), bool), recoloured, np.zeros(len(view_of), bool)])
        # of similar text length, so that little of a chunk is padding
        order = np.argsort([len(ids) for ids in told.ids], kind="stable")
        asked, (invented, invented_asked) = self._asked(pairs, step), self._invented(step)
        texts = [
            *self._words([*asked, *invented_asked], MOST_ASKED),
            *self._words(invented, config.network.max_text_tokens),
        ]
        parts = [order[start : start + config.chunk] for start in range(0, len(order), config.chunk)]
        ours, count = self._part
        chunks = [
            self._chunk(number, part, items, told, recolour, step)
            for number, part in enumerate(parts)
            if number % count == ours
        ]
        for number, start in enumerate(range(0, len(texts), config.chunk), start=len(parts)):
            if number % count == ours:
                chunks.append(self._text_chunk(number, len(items) + start, texts[start : start + config.chunk]))
        with_words = torch.tensor(sorted(told.words), dtype=torch.long)
        products = [self._corpus.items[item].product for item in pairs if asked]
        fits = fitting(asked, [told_words(product) for product in products])
        return Batch(
            pairs,
            torch.from_numpy(is_self),
            with_words,
            torch.from_numpy(view_of),
            torch.from_numpy(fits.reshape(len(asked), len(pairs))),
            torch.from_numpy(fitting(invented_asked, [content_words(text) for text in invented])),
            chunks,
        )

    def _views(self, is_self: NDArray[np.bool_], step: int) -> NDArray[np.int64]:
        """Which products get a view of their own. Drawn by itself, so that none of what else is drawn depends on it."""
        random = np.random.default_rng((self._config.seed, step, 0, 1))
        chosen = random.random(2 * len(is_self)) < self._config.views.third
        return np.flatnonzero(chosen & ~np.tile(is_self, 2))

    def _retold(self, items: Sequence[int], step: int) -> Sequence[Sequence[int]]:
        """The token ids of texts for views."""
        random = np.random.default_rng((self._config.seed, step, 0, 2))
        products = [self._corpus.items[item].product for item in items]
        texts = [
            vary_texts(product, product, self._config.views, random, (), self._tellings(item, item, random))[0]
            for item, product in zip(items, products, strict=True)
        ]
        return self._words(texts, self._config.network.max_text_tokens)

    def _asked(self, pairs: Sequence[int], step: int) -> list[str]:
        """What shoppers would type to find the first side of each row, drawn by itself as the views are."""
        if not self._config.losses.words:
            return []
        random = np.random.default_rng((self._config.seed, step, 0, 3))
        firsts = pairs[: len(pairs) // 2]
        asked = []
        for item in firsts:
            tellings = self._tellings(item, item, random)
            asked.append(few_words(self._corpus.items[item].product, tellings[0] if tellings else random))
        return [words for words in asked if content_words(words)]

    def _invented(self, step: int) -> tuple[list[str], list[str]]:
        """Half as many invented products as there are rows, and few words for each."""
        config = self._config
        if not config.losses.invented:
            return [], []
        if config.network.base is not None:  # its encoder is slow, and knows texts it has met
            step %= _BASE_INVENTED
        return self._inventor.products(config.rows // 2, np.random.default_rng((config.seed, step, 0, 4)))

    def _tellings(
        self, first: int, second: int, random: np.random.Generator
    ) -> tuple[np.random.Generator, np.random.Generator] | None:
        """With a base, one of few ways to tell each product: its encoder is slow, and knows texts it has met."""
        config = self._config
        if config.network.base is None:
            return None
        one, other = random.integers(config.views.kept, size=2).tolist()
        return np.random.default_rng((config.seed, first, one)), np.random.default_rng((config.seed, second, other))

    def _told(self, rows: Sequence[Row], recoloured: NDArray[np.bool_], random: np.random.Generator) -> _Told:
        items, config = self._corpus.items, self._config
        hidden = config.losses.composed_attributes
        texts = [
            vary_texts(
                items[row.first].product,
                items[row.second].product,
                config.views,
                random,
                hidden if other else (),
                self._tellings(row.first, row.second, random),
            )
            for row, other in zip(rows, recoloured, strict=True)
        ]
        words = {
            number: difference
            for number, row in enumerate(rows if config.losses.composed else ())
            if items[row.first].photo >= 0
            and (difference := difference_words(items[row.first].product, items[row.second].product, hidden))
        }
        sides = [*(first for first, _ in texts), *(second for _, second in texts)]
        word_ids = self._words(list(words.values()), MOST_ASKED)
        return _Told(
            [*self._words(sides, config.network.max_text_tokens)],
            {number: ids for number, ids in zip(words, word_ids, strict=True) if ids},
        )

    def _chunk(
        self,
        number: int,
        chunk: NDArray[np.int64],
        items: Sequence[int],
        told: _Told,
        recolour: NDArray[np.bool_],
        step: int,
    ) -> Chunk:
        random = np.random.default_rng((self._config.seed, step, number))
        places = [self._corpus.items[items[at]].photo for at in chunk]
        photos = self._photos(places, recolour[chunk], random)
        ids, mask = padded([told.ids[at] for at in chunk])
        has = torch.tensor([[place >= 0, len(told.ids[at]) > 0] for place, at in zip(places, chunk, strict=True)])
        with_words = [at for at, product in enumerate(chunk) if int(product) in told.words]
        other_ids, other_mask = padded([told.words[int(chunk[at])] for at in with_words])
        rest = (ids, mask, has, other_ids, other_mask, torch.tensor(with_words, dtype=torch.long))
        return Chunk(number, torch.from_numpy(chunk), photos, rest)

    def _text_chunk(self, number: int, start: int, texts: Sequence[Sequence[int]]) -> Chunk:
        """Texts as products without a photo, whose one zero token no photo encoder has to make."""
        ids, mask = padded(texts)
        has = torch.tensor([[False, len(row) > 0] for row in texts])
        none, no_mask = padded([])
        width = self._kept[0].shape[2] if self._kept else self._config.network.width
        products = torch.arange(start, start + len(texts))
        rest = (ids, mask, has, none, no_mask, torch.zeros(0, dtype=torch.long))
        return Chunk(number, products, torch.zeros(len(texts), 1, width), rest)

    def _photos(
        self, places: Sequence[int], recolour: NDArray[np.bool_], random: np.random.Generator
    ) -> Looks | Tensor:
        if not self._kept:
            photos = [self._corpus.photos[place] for place in places]
            return draw_looks(photos, recolour, self._config.views, random)
        tokens = [
            tokens_of(self._kept, place, recolour=bool(other), random=random)
            for place, other in zip(places, recolour, strict=True)
        ]
        return torch.from_numpy(np.stack(tokens))


def padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Ids and mask, int64 [n, longest]; a row without tokens has one, 0, so that the encoder has something to read."""
    longest = max(1, *(len(row) for row in rows)) if rows else 1
    ids = torch.zeros((len(rows), longest), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for at, row in enumerate(rows):
        ids[at, : len(row)] = torch.tensor(row, dtype=torch.long)
        mask[at, : max(1, len(row))] = 1
    return ids, mask
