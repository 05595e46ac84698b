"""The style groups of a table's products, by row, and those of them that a selection of rows holds more than once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from index.columns import Arrays
from index.groups import Groups

_NONE: Final = -1


@dataclass(frozen=True, slots=True)
class StyleGroups:
    """Groups of at least two rows each, the largest first, then by the medoid's id.

    Group n is named after row `medoids[n]`, which need not be selected itself; its rows are
    `rows[starts[n]:starts[n + 1]]`, by their `scores` with it and then by number.
    """

    medoids: NDArray[np.int64]
    starts: NDArray[np.int64]
    rows: NDArray[np.int64]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.medoids)

    def of(self, group: int) -> list[tuple[int, float]]:
        """The rows of a group, and their scores."""
        inside = slice(self.starts[group], self.starts[group + 1])
        return list(zip(self.rows[inside].tolist(), self.scores[inside].tolist(), strict=True))


def with_groups(products: pa.Table, groups: Groups | None) -> pa.Table:
    """A table with the schema of `index.products` whose products are in these groups, or in none."""
    count = products.num_rows
    columns: dict[str, Any] = {"style_group": pa.nulls(count, pa.large_string()), "style_score": pa.nulls(count)}
    if groups is not None:
        columns["style_group"] = products["product_id"].take(pa.array(groups.medoid))
        columns["style_score"] = pa.array(groups.score)
    for name, values in columns.items():
        at = products.schema.get_field_index(name)
        products = products.set_column(at, products.schema.field(at), values.cast(products.schema.field(at).type))
    return products


class Styles:
    """Medoid and score by row, eight bytes; immutable, safe for any number of threads."""

    def __init__(self, arrays: Arrays) -> None:
        """From what `packed_styles` made, and the column `product_id` beside it."""
        self._ids = arrays["product_id"]
        self.medoids: NDArray[np.int32] = arrays["style.medoids"].to_numpy()
        self.scores: NDArray[np.float32] = arrays["style.scores"].to_numpy()

    def medoid(self, row: int) -> int | None:
        """The row that a row's group is named after; None where there are no groups."""
        medoid = int(self.medoids[row])
        return medoid if 0 <= medoid < len(self.medoids) else None

    def groups(self, selected: NDArray[np.bool_]) -> StyleGroups:
        """The groups with at least two of the selected rows, bool [rows], and those rows of theirs."""
        rows = self.grouped(selected)
        return several(
            rows,
            self.medoids[rows].astype(np.int64),
            self.scores[rows],
            lambda medoids: self._ids.take(pa.array(medoids)),
        )

    def grouped(self, selected: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Those of the selected rows, bool [rows], that are in a group."""
        return np.flatnonzero(selected & (self.medoids.view(np.uint32) < len(self.medoids)))  # nor is -1


def packed_styles(ids: Any, groups: Any, scores: Any) -> dict[str, Any]:
    """The arrays of `Styles` by name, of columns of Arrow in one chunk: `product_id`, `style_group`, `style_score`."""
    return {
        "style.medoids": pa.array(_rows_of_medoids(ids, groups)),
        "style.scores": pc.fill_null(scores, float("nan")),
    }


def several(
    rows: NDArray[np.int64],
    medoids: NDArray[np.int64],
    scores: NDArray[np.float32],
    ids_of: Callable[[NDArray[np.int64]], Any],
) -> StyleGroups:
    """The groups with at least two of some rows, given the medoid of each row and its score with that."""
    found, group, sizes = np.unique(medoids, return_inverse=True, return_counts=True)
    twice = np.flatnonzero(sizes > 1)
    keys = pa.table({"size": sizes[twice], "id": ids_of(found[twice])})
    order = twice[pc.sort_indices(keys, sort_keys=[("size", "descending"), ("id", "ascending")]).to_numpy()]
    place = np.full(len(found), _NONE)
    place[order] = np.arange(len(order))
    listed = place[group] != _NONE
    rows, scores, place_of = rows[listed], scores[listed], place[group][listed]
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes[order])])
    by_score = np.lexsort((rows, -scores, place_of))
    return StyleGroups(found[order].astype(np.int64), starts, rows[by_score], scores[by_score])


def _rows_of_medoids(ids: Any, groups: Any) -> NDArray[np.int32]:
    """The row of the product that each group is named after, -1 where there is none."""
    own = pc.fill_null(pc.equal(ids, groups), fill_value=False).to_numpy(zero_copy_only=False)
    medoids = np.flatnonzero(own).astype(np.int32)
    rows = np.full(len(own), _NONE, np.int32)
    rows[medoids] = medoids
    others = np.flatnonzero(~own)
    if len(medoids) and len(others):  # most products are alone: few ids have to be looked up
        names = ids.take(pa.array(medoids))
        place = pc.index_in(groups.take(pa.array(others)), value_set=names, skip_nulls=True)
        found = pc.fill_null(place, _NONE).to_numpy(zero_copy_only=False)
        rows[others[found != _NONE]] = medoids[found[found != _NONE]]
    return rows
