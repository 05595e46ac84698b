"""Pairs and triplets to train on: products that are alike, and products that only look it.

Three kinds of file, in CSV, TSV, JSON Lines or Parquet:

- pairs: `trigger_id`, `recall_id` and, where there is one, `weight`, as `samestyle pairs mine` writes them;
- labelled pairs: the same with `label`, 1 for the same style and 0 for not, as the paper's authors publish them;
- triplets: `anchor_id`, `positive_id`, `negative_id` (or without `_id`), and `weight` where there is one.

What is labelled 0, or stands as a negative, shares a batch with its trigger as often as that is drawn.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyarrow.lib import ArrowException

from catalogue.errors import CatalogueInvalid
from models.evaluation.tables import column_names, read_table

_KINDS: Final = (
    ("trigger_id", "recall_id"),
    ("anchor_id", "positive_id", "negative_id"),
    ("anchor", "positive", "negative"),
)
_LABELS: Final = {"1": True, "0": False, "1.0": True, "0.0": False, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Pairs:
    """Products that are said to be alike: items [n, 2] and how much that weighs [n]."""

    items: NDArray[np.int64]
    weights: NDArray[np.float64]
    negatives: Mapping[int, Sequence[int]] = field(default_factory=dict)
    """Items that are said not to be like an item, by that."""
    unknown: int = 0
    """Rows of the file that name a product that is not there."""
    left_out: int = 0
    """Pairs of products that are not trained on."""


NO_PAIRS: Final = Pairs(np.zeros((0, 2), np.int64), np.zeros(0))


class _Row(NamedTuple):
    trigger: str
    positive: str | None
    negative: str | None
    weight: float


def read_pairs(path: Path, numbers: Mapping[str, int]) -> Pairs:
    """The pairs of a file whose products are among `numbers`, product ids with their item.

    Raises InvalidInput or CatalogueInvalid for a file that cannot be read, lacks columns, or has no such pair.
    """
    found: list[tuple[int, int, float]] = []
    negatives: defaultdict[int, dict[int, None]] = defaultdict(dict)
    rows = unknown = 0
    for row in pair_rows(path):
        rows += 1
        trigger, positive, negative = (
            numbers.get(name) if name else None for name in (row.trigger, row.positive, row.negative)
        )
        if trigger is None or None in (positive if row.positive else 0, negative if row.negative else 0):
            unknown += 1
        if trigger is not None and positive is not None and trigger != positive:
            found.append((trigger, positive, row.weight))
        if trigger is not None and negative is not None and trigger != negative:
            negatives[trigger][negative] = None
    if not found:
        raise CatalogueInvalid(_nothing(path, rows, unknown))
    items = np.array([pair[:2] for pair in found], dtype=np.int64)
    alike = {frozenset(pair) for pair in items.tolist()}
    told = {item: [other for other in others if {item, other} not in alike] for item, others in negatives.items()}
    return Pairs(
        items, np.array([pair[2] for pair in found]), {item: rest for item, rest in told.items() if rest}, unknown
    )


def pair_rows(path: Path) -> Iterator[_Row]:
    """What each row says; those that weigh nothing are left out."""
    there = column_names(path)
    names = next((kind for kind in _KINDS if set(kind) <= set(there)), None)
    if names is None:
        raise CatalogueInvalid(
            f"{path}: needs the columns trigger_id and recall_id (and may have label and weight), or anchor_id, "
            f"positive_id and negative_id; there are {', '.join(there)}."
        )
    extra = [name for name in ("weight", "label") if name in there]
    table = read_table(path, [*names, *extra])
    try:
        ids = [table[name].cast("string").to_pylist() for name in names]
        weights = table["weight"].cast("float64").to_pylist() if "weight" in extra else [1.0] * len(table)
    except ArrowException as error:
        raise CatalogueInvalid(f"{path}: {', '.join(names)} must be ids, and weight a number: {error}") from error
    for number, (cells, weight) in enumerate(zip(zip(*ids, strict=True), weights, strict=True)):
        if weight is None or not weight > 0 or not all(cells):
            continue
        if len(names) == 3:
            yield _Row(cells[0], cells[1], cells[2], weight)
        elif "label" not in extra or _label(path, number, table["label"][number].as_py()):
            yield _Row(cells[0], cells[1], None, weight)
        else:
            yield _Row(cells[0], None, cells[1], weight)


def _label(path: Path, number: int, label: object) -> bool:
    text = str(label).strip().lower()
    if text not in _LABELS:
        raise CatalogueInvalid(
            f"{path}: row {number + 1:,} has the label {text[:50]!r}. A label is 1 (same style) or 0 (not). Correct or "
            "remove it."
        )
    return _LABELS[text]


def _nothing(path: Path, rows: int, unknown: int) -> str:
    if not rows:
        return f"{path} has no row that weighs anything."
    if unknown == rows:
        return f"{path}: none of its {rows:,} pairs has both products in the catalogues. Check the product ids."
    return f"{path}: no row says which two different products are alike. Some must, beside those that are not."
