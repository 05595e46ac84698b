"""Style groups of the live catalogue: those of the snapshot, joined by what changed since."""

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from catalogue.errors import Conflict, NotFound
from catalogue.variants import MODES, SameFrom, contradict
from index.groups import JOIN_K, join
from index.live import LiveView, Selection
from index.near import Floors
from index.products import Listing
from index.rivals import AGAIN
from index.search import Neighbours
from index.styles import StyleGroups, several

MOST_CHANGED: Final = 2_000
"""A search each, and a score for each two: seconds. The others are in groups when the next snapshot is cut."""
_MOST_NEW: Final = 32
"""Changed products that one search looks up a style for: a search each. Later ones look up the others."""
_UNCHANGED: Final = 0.999
"""More like each other are two vectors of one photo and text, encoded twice and rounded."""


def style_groups(view: LiveView, among: Selection, go_on: Callable[[], None]) -> StyleGroups:
    """The groups with at least two of the selected rows of a view.

    A changed product is of the style of its nearest product in the snapshot, or else of the changed one among the
    selected that it is most alike to; what was found for it is kept for later views. Of more than `MOST_CHANGED`
    selected changes, the latest count. `go_on` is called before each is looked at, and may raise. Raises Conflict where
    the snapshot has no groups.
    """
    same = _same_from(view)
    styles = view.snapshot.products.styles
    base = np.ones(view.base_rows, np.bool_) if among.base is None else among.base
    old = styles.grouped(base & view.visible)
    new = np.flatnonzero(among.delta)[-MOST_CHANGED:] + view.base_rows
    medoids = np.array(_joined(view, new.tolist(), same, go_on), np.int64)
    scores = np.einsum("ij,ij->i", view.vectors("fusion", new), view.vectors("fusion", medoids)).astype(np.float32)
    return several(
        np.concatenate([old, new]),
        np.concatenate([styles.medoids[old].astype(np.int64), medoids]),
        np.concatenate([styles.scores[old], scores]),
        lambda rows: pa.array([view.id_of(row) for row in rows.tolist()], pa.string()),
    )


def style_names(view: LiveView, rows: list[int], go_on: Callable[[], None]) -> list[str]:
    """The id of the product that the style of each of some rows is named after, its own where it is alone.

    As in `style_groups`; few of the changed products nobody has looked at yet are looked at, the others are alone.
    Raises Conflict where the snapshot has no groups.
    """
    same = _same_from(view)
    changed = [row for row in rows if row >= view.base_rows]
    later = [row for row in changed if row not in view.joined][_MOST_NEW:]
    changed = sorted(set(changed).difference(later))
    medoids = dict(zip(changed, _joined(view, changed, same, go_on), strict=True))
    for row in rows:
        if row < view.base_rows and (medoid := view.snapshot.products.styles.medoid(row)) is not None:
            medoids[row] = medoid
    return [view.id_of(medoids.get(row, row)) for row in rows]


def _same_from(view: LiveView) -> SameFrom:
    same = view.snapshot.manifest.same_from
    if same is None:
        raise Conflict(
            f"Snapshot {view.snapshot.manifest.name} has no style groups. Build one with a model whose bundle has a "
            "same_style threshold for m-m."
        )
    return same


def _joined(view: LiveView, rows: list[int], same: SameFrom, go_on: Callable[[], None]) -> list[int]:
    """The medoid of each changed row: one of the snapshot, or a changed row, which may be itself."""
    for row in rows:
        if row not in view.joined:
            go_on()
            view.joined[row] = _nearest(view, row, same)
    strangers = [row for row in rows if view.joined[row] is None]
    medoids = dict(zip(strangers, _among_themselves(view, strangers, same, go_on), strict=True))
    for row in rows:
        near = view.joined[row]
        if near is not None:
            medoid = view.snapshot.products.styles.medoid(near)
            medoids[row] = near if medoid is None else medoid
    return [medoids[row] for row in rows]


def _nearest(view: LiveView, row: int, same: SameFrom) -> int | None:
    """The row of the snapshot that a changed product is of one style with; it counts even if it changed since."""

    def search(vector: NDArray[np.float32], k: int) -> Neighbours:
        found = view.snapshot.index("fusion").search(vector, k + len(view.damaged))
        whole = ~np.isin(found.rows, [*view.damaged])
        return Neighbours(found.rows[whole], found.scores[whole])

    vector = view.vectors("fusion", np.array([row]))[0]
    products, own = view.snapshot.products, view.listing(row)
    near = _as_it_was(view, own, vector)
    if near is None:
        near = _of_its_gtin(view, own, vector, same)
    if near is None:
        vectors_of = partial(view.snapshot.vectors, "fusion")
        near = join(search, products.listing, vectors_of, lambda one: view.gtins(one.attributes), vector, own, same)
    return near


def _as_it_was(view: LiveView, own: Listing, vector: NDArray[np.float32]) -> int | None:
    """The row of the product itself in the snapshot, where all that tells its style is as it was, unlike its price."""
    try:
        row = view.snapshot.products.row_of(own.product_id)
    except NotFound:
        return None
    if row in view.damaged:
        return None
    before = view.snapshot.products.listing(row)
    says = [(one.title, one.attributes, one.supplier_id, one.mode) for one in (before, own)]
    is_like = float(view.snapshot.vectors("fusion", np.array([row]))[0] @ vector) > _UNCHANGED
    return row if is_like and says[0] == says[1] else None


def _of_its_gtin(view: LiveView, own: Listing, vector: NDArray[np.float32], same: SameFrom) -> int | None:
    """The row of the snapshot that is most like a product, of those with a GTIN of its that may be the same one."""
    codes = view.gtins(own.attributes)
    if not codes:
        return None
    rows = np.unique(np.concatenate([view.snapshot.products.of_gtin(code) for code in codes]))
    rows = rows[~np.isin(rows, [*view.damaged])]
    scores = np.einsum("ij,j->i", view.vectors("fusion", rows), vector)
    nearest = np.argsort(-scores, kind="stable")
    for at in nearest[: min(JOIN_K, np.count_nonzero(scores >= same.with_gtin))].tolist():
        other = view.snapshot.products.listing(int(rows[at]))
        if other.product_id != own.product_id and not contradict(own, other):
            return int(rows[at])
    return None


def _among_themselves(view: LiveView, rows: list[int], same: SameFrom, go_on: Callable[[], None]) -> list[int]:
    """For each of some changed rows the earlier one that it is most alike to and that is alike to none, or itself.

    One that has its GTIN comes first.
    """
    vectors = view.vectors("fusion", np.array(rows, np.int64))
    scores = vectors @ vectors.T
    products = [view.listing(row) for row in rows]
    suppliers = np.array([product.supplier_id for product in products])
    having: defaultdict[str, list[int]] = defaultdict(list)
    floors = Floors.of(same, np.array([MODES.index(product.mode) for product in products], np.uint8))
    medoids: list[int] = []
    is_medoid = np.zeros(len(rows), np.bool_)
    for at, own in enumerate(products):
        go_on()
        shared = np.zeros(at, np.bool_)
        for code in view.gtins(own.attributes):
            shared[having[code]] = True
            having[code].append(at)
        floor = floors.between(np.full(at, at), np.arange(at))
        if own.supplier_id:
            floor = np.where(suppliers[:at] == own.supplier_id, floor + AGAIN * (1 - floor), floor)
        alike = scores[at, :at] >= np.where(shared, floor.clip(max=np.float32(same.with_gtin)), floor)
        earlier = np.flatnonzero(alike & is_medoid[:at])
        nearest = earlier[np.lexsort((earlier, -scores[at, earlier], ~shared[earlier]))][:JOIN_K]
        medoid = next((near for near in nearest.tolist() if not contradict(own, products[near])), at)
        is_medoid[at] = medoid == at
        medoids.append(rows[medoid])
    return medoids
