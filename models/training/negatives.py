"""Which products share a batch: near ones teach more than chance ones."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.training.config import TrainConfig
from models.training.data import Corpus

Neighbours: TypeAlias = Callable[[int, int], Sequence[int]]
"""The items nearest to an item by some index, best first, and at most so many."""

_NEAREST: Final = 24
_MOST: Final = 32_768
_ROWS: Final = 4_096


class LastSeen:
    """The last vector of every item that training came by, and who was near whom when that was last looked up.

    An index that is a little stale and costs next to nothing. Processes that prepare batches read `nearest` from
    shared memory.
    """

    def __init__(self, items: int, width: int, device: torch.device) -> None:
        self.vectors = torch.zeros((items, width), device=device)
        self.nearest = torch.full((items, _NEAREST), -1, dtype=torch.int32).share_memory_()

    def keep(self, items: Sequence[int], vectors: Tensor) -> None:
        """Remember the unit vectors [n, width] of items."""
        self.vectors[torch.tensor(items, device=self.vectors.device)] = vectors

    def look_up(self, random: np.random.Generator) -> None:
        """Find the nearest of all items seen so far, among at most 32,768 of them drawn by chance."""
        seen = self.vectors.any(dim=1).nonzero()[:, 0].cpu().numpy()
        if len(seen) > _MOST:
            seen = np.sort(random.choice(seen, _MOST, replace=False))
        if len(seen) < 2:
            return
        items = torch.from_numpy(seen).to(self.vectors.device)
        gallery, count = self.vectors[items], min(_NEAREST, len(seen) - 1)
        for start in range(0, len(items), _ROWS):
            scores = self.vectors[items[start : start + _ROWS]] @ gallery.T
            rows = torch.arange(len(scores), device=scores.device)
            scores[rows, start + rows] = -torch.inf  # itself
            near = items[scores.topk(count, dim=1).indices]
            self.nearest[items[start : start + _ROWS].cpu(), :count] = near.int().cpu()

    def __call__(self, item: int, count: int) -> Sequence[int]:
        """The nearest items of an item, best first; none before the item itself was seen."""
        return [other for other in self.nearest[item, :count].tolist() if other >= 0]


@dataclass(frozen=True, slots=True)
class Row:
    """Two products that should match; the same one twice in a self row."""

    first: int
    second: int


class Sampler:
    """Draws the rows of a batch; what it draws depends on the random numbers and the neighbours alone."""

    def __init__(self, corpus: Corpus, config: TrainConfig, neighbours: Neighbours) -> None:
        self._corpus, self._config, self._neighbours = corpus, config, neighbours
        self._styles = np.array(list(corpus.styles), dtype=np.int64)
        weights = [
            corpus.style_weights[style] * (1 if len(members) > 1 else config.single_weight)
            for style, members in corpus.styles.items()
        ]
        self._style_chances, self._pair_chances = np.cumsum(weights), np.cumsum(corpus.pairs.weights)
        self._by_leaf: defaultdict[str, list[int]] = defaultdict(list)
        for style, members in corpus.styles.items():
            self._by_leaf[corpus.items[members[0]].leaf].append(style)
        self._linked: defaultdict[int, set[int]] = defaultdict(set)
        for first, second in corpus.pairs.items:
            one, other = corpus.items[first].style, corpus.items[second].style
            self._linked[one].add(other)
            self._linked[other].add(one)

    def rows(self, random: np.random.Generator) -> list[Row]:
        """As many rows as the configuration says, or as there can be.

        No product of one row is known to match one of another: they are each other's negatives.
        """
        rows: list[Row] = []
        taken: set[int] = set()
        for row in self._candidates(random):
            styles = {self._corpus.items[row.first].style, self._corpus.items[row.second].style}
            if not styles & taken:
                rows.append(row)
                taken |= styles.union(*(self._linked.get(style, ()) for style in styles))
                if len(rows) == self._config.rows:
                    break
        return rows

    def _candidates(self, random: np.random.Generator) -> Iterator[Row]:
        """Rows by chance, half of them followed by one near it, and where something is said not to be like it, by that.

        In the end every style once, for small catalogues.
        """
        for _ in range(4 * self._config.rows):
            if len(self._corpus.pairs.items) and random.random() < self._config.data.pair_share:
                first, second = self._corpus.pairs.items[_drawn(self._pair_chances, random)]
                row = Row(int(first), int(second))
            else:
                row = self._style_row(int(self._styles[_drawn(self._style_chances, random)]), random)
            yield row
            if said := self._corpus.pairs.negatives.get(row.first):
                yield self._row_with(int(random.choice(said)), random)
            if random.random() < self._config.hard and (near := self._near(row.first, random)) is not None:
                yield self._style_row(near, random)
        for style in random.permutation(self._styles):
            yield self._style_row(int(style), random)

    def _near(self, item: int, random: np.random.Generator) -> int | None:
        """Another style near this item: by the index or, before that knows it, of the same leaf category."""
        own = self._corpus.items[item].style
        others = [self._corpus.items[other].style for other in self._neighbours(item, _NEAREST)]
        others = [style for style in others if style != own and style in self._corpus.styles]
        others = others or self._by_leaf[self._corpus.items[item].leaf]
        return int(random.choice(others)) if others else None

    def _style_row(self, style: int, random: np.random.Generator) -> Row:
        members = self._corpus.styles[style]
        if len(members) == 1 or random.random() < self._config.self_share:
            only = int(random.choice(members))
            return Row(only, only)
        first, second = random.choice(members, size=2, replace=False)
        return Row(int(first), int(second))

    def _row_with(self, item: int, random: np.random.Generator) -> Row:
        """An item and another of its style, or itself."""
        others = [other for other in self._corpus.styles[self._corpus.items[item].style] if other != item]
        return Row(item, int(random.choice(others)) if others else item)


def _drawn(chances: NDArray[np.float64], random: np.random.Generator) -> int:
    """A place, by its share of these cumulative chances."""
    return int(np.searchsorted(chances, random.random() * chances[-1], side="right"))
