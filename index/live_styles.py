"""Style groups of the live catalogue: those of the snapshot, joined by what changed since."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from catalogue.errors import Conflict
from index.groups import join
from index.live import LiveView, Selection
from index.search import Neighbours
from index.styles import StyleGroups, several


def style_groups(view: LiveView, among: Selection) -> StyleGroups:
    """The groups with at least two of the selected rows of a view.

    A changed product is of the style of its nearest product in the snapshot, or else of the first changed one among
    the selected that it is alike to; what was found for it is kept for later views. Raises Conflict where the snapshot
    has no groups.
    """
    threshold = view.snapshot.manifest.same_style
    if threshold is None:
        raise Conflict(
            f"Snapshot {view.snapshot.manifest.name} has no style groups. Build one with a model whose bundle has a "
            "same_style threshold for m-m."
        )
    styles = view.snapshot.products.styles
    base = np.ones(view.base_rows, np.bool_) if among.base is None else among.base
    old = styles.grouped(base & view.delta.visible)
    new = np.flatnonzero(among.delta) + view.base_rows
    medoids = np.array(_joined(view, new.tolist(), threshold), np.int64)
    scores = np.einsum("ij,ij->i", view.vectors("fusion", new), view.vectors("fusion", medoids)).astype(np.float32)
    return several(
        np.concatenate([old, new]),
        np.concatenate([styles.medoids[old].astype(np.int64), medoids]),
        np.concatenate([styles.scores[old], scores]),
        lambda rows: pa.array([view.id_of(row) for row in rows.tolist()], pa.string()),
    )


def _joined(view: LiveView, rows: list[int], threshold: float) -> list[int]:
    """The medoid of each changed row: one of the snapshot, or a changed row, which may be itself."""
    alone: list[int] = []
    medoids = []
    for row in rows:
        if row not in view.joined:
            view.joined[row] = _nearest(view, row, threshold)
        near = view.joined[row]
        if near is not None:
            medoids.append(int(view.snapshot.products.styles.medoids[near]))
            continue
        medoids.append(_like(view, row, alone, threshold))
        if medoids[-1] == row:
            alone.append(row)
    return medoids


def _nearest(view: LiveView, row: int, threshold: float) -> int | None:
    """The row of the snapshot that a changed product is of one style with; it counts even if it changed since."""

    def search(vector: NDArray[np.float32], k: int) -> Neighbours:
        return view.snapshot.index("fusion").search(vector, k)

    vector = view.vectors("fusion", np.array([row]))[0]
    products = view.snapshot.products
    return join(search, lambda near: products.get(near).product, vector, view.get(row).product, threshold)


def _like(view: LiveView, row: int, others: list[int], threshold: float) -> int:
    """The one of some changed rows that a changed row is most alike to, itself where it is like none."""
    if not others:
        return row
    vector = view.vectors("fusion", np.array([row]))[0]
    scores = view.vectors("fusion", np.array(others)) @ vector
    order = np.argsort(-scores, kind="stable")
    ranked = Neighbours(np.array(others)[order], scores[order].astype(np.float32))
    found = join(lambda _, __: ranked, lambda near: view.get(near).product, vector, view.get(row).product, threshold)
    return row if found is None else found
