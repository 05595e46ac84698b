"""Style groups of the live catalogue: those of the snapshot, joined by what changed since."""

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from catalogue.errors import Conflict
from catalogue.variants import contradict
from index.groups import join
from index.live import LiveView, Selection
from index.search import Neighbours
from index.styles import StyleGroups, several

MOST_CHANGED: Final = 2_000
"""A search each, and a score for each two: seconds. The others are in groups when the next snapshot is cut."""
_MOST_NEW: Final = 32
"""Changed products that one search looks up a style for: a search each. Later ones look up the others."""


def style_groups(view: LiveView, among: Selection) -> StyleGroups:
    """The groups with at least two of the selected rows of a view.

    A changed product is of the style of its nearest product in the snapshot, or else of the changed one among the
    selected that it is most alike to; what was found for it is kept for later views. Of more than `MOST_CHANGED`
    selected changes, the latest count. Raises Conflict where the snapshot has no groups.
    """
    threshold = _threshold(view)
    styles = view.snapshot.products.styles
    base = np.ones(view.base_rows, np.bool_) if among.base is None else among.base
    old = styles.grouped(base & view.delta.visible)
    new = np.flatnonzero(among.delta)[-MOST_CHANGED:] + view.base_rows
    medoids = np.array(_joined(view, new.tolist(), threshold), np.int64)
    scores = np.einsum("ij,ij->i", view.vectors("fusion", new), view.vectors("fusion", medoids)).astype(np.float32)
    return several(
        np.concatenate([old, new]),
        np.concatenate([styles.medoids[old].astype(np.int64), medoids]),
        np.concatenate([styles.scores[old], scores]),
        lambda rows: pa.array([view.id_of(row) for row in rows.tolist()], pa.string()),
    )


def style_names(view: LiveView, rows: list[int]) -> list[str]:
    """The id of the product that the style of each of some rows is named after, its own where it is alone.

    As in `style_groups`; few of the changed products nobody has looked at yet are looked at, the others are alone.
    Raises Conflict where the snapshot has no groups.
    """
    threshold = _threshold(view)
    changed = [row for row in rows if row >= view.base_rows]
    later = [row for row in changed if row not in view.joined][_MOST_NEW:]
    changed = sorted(set(changed).difference(later))
    medoids = dict(zip(changed, _joined(view, changed, threshold), strict=True))
    for row in rows:
        if row < view.base_rows and (medoid := view.snapshot.products.styles.medoid(row)) is not None:
            medoids[row] = medoid
    return [view.id_of(medoids.get(row, row)) for row in rows]


def _threshold(view: LiveView) -> float:
    threshold = view.snapshot.manifest.same_style
    if threshold is None:
        raise Conflict(
            f"Snapshot {view.snapshot.manifest.name} has no style groups. Build one with a model whose bundle has a "
            "same_style threshold for m-m."
        )
    return threshold


def _joined(view: LiveView, rows: list[int], threshold: float) -> list[int]:
    """The medoid of each changed row: one of the snapshot, or a changed row, which may be itself."""
    for row in rows:
        if row not in view.joined:
            view.joined[row] = _nearest(view, row, threshold)
    strangers = [row for row in rows if view.joined[row] is None]
    medoids = dict(zip(strangers, _among_themselves(view, strangers, threshold), strict=True))
    for row in rows:
        near = view.joined[row]
        if near is not None:
            medoids[row] = int(view.snapshot.products.styles.medoids[near])
    return [medoids[row] for row in rows]


def _nearest(view: LiveView, row: int, threshold: float) -> int | None:
    """The row of the snapshot that a changed product is of one style with; it counts even if it changed since."""

    def search(vector: NDArray[np.float32], k: int) -> Neighbours:
        return view.snapshot.index("fusion").search(vector, k)

    vector = view.vectors("fusion", np.array([row]))[0]
    products = view.snapshot.products
    return join(search, lambda near: products.get(near).product, vector, view.get(row).product, threshold)


def _among_themselves(view: LiveView, rows: list[int], threshold: float) -> list[int]:
    """For each of some changed rows the earlier one that it is most alike to and that is alike to none, or itself."""
    vectors = view.vectors("fusion", np.array(rows, np.int64))
    scores = vectors @ vectors.T
    medoids: list[int] = []
    for at, row in enumerate(rows):
        earlier = [near for near in range(at) if medoids[near] == rows[near] and scores[at, near] >= threshold]
        earlier.sort(key=lambda near, at=at: (-scores[at, near], near))  # type: ignore[misc]
        own = view.get(row).product
        alike = (near for near in earlier if not contradict(own, view.get(rows[near]).product))
        medoids.append(rows[next(alike, at)])
    return medoids
