"""The order of an answer: by score, ties by product id, or as arranged; grouped where asked, and page by page.

A place in the order by score is a score and an id, which writes beside it do not move. Whoever goes on from a place is
shown nothing a second time: what a product was when it was shown may have changed, so what was shown is remembered too.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from index import Filters, LiveView, Neighbours
from index.filters import OPEN
from index.live import Selection
from index.live_styles import style_names
from index.products import Listing, id_hash
from service.deadlines import check_deadline

WINDOW: Final = 1_000
"""The most hits there are, however many pages they stand on, and the products that groups are made of."""
_MOST_TIED: Final = 4 * WINDOW
"""Of more products with one score, those that come first in the index are put in order."""
_FEW: Final = 64
"""What a search with a least score asks for first: hardly any product has more listings."""
_MOST_JUDGED: Final = WINDOW
"""Products that are read and compared with that of the query, the best first: each takes 0.02 to 0.2 ms."""
_MOST_FETCHED: Final = 8 * WINDOW
"""And so many are looked through for those that are judged at a glance."""

Vector = NDArray[np.float32]
GroupBy = Literal["supplier", "style"]


@dataclass(frozen=True, slots=True)
class Scope:
    """Where it is looked for, and how much of it is answered; `keep` makes of a view what judges its listings.

    Of very many with at least the score `judged_from`, those that fit worse are left out unseen. `also` names rows for
    the query's vector and a selection that `keep` judges too, if they are selected and have at least the score
    `also_from`; only with `arrange`. `near` has all products with at least `min_score`, filtered or not, where they are
    few; else they are searched for.
    """

    k: int = 10
    target: str = "fusion"
    filters: Filters = OPEN
    exclude: frozenset[str] = frozenset()
    min_score: float | None = None
    near: Callable[[LiveView, Vector], Neighbours | None] | None = None
    keep: "Callable[[LiveView], Keep] | None" = None
    judged_from: float = -math.inf
    also: Callable[[LiveView, Vector, Selection], NDArray[np.int64]] | None = None
    also_from: float = -math.inf
    first: Callable[[LiveView], NDArray[np.int64]] | None = None
    """Names rows that come before all others, by their scores, whatever these are; only with `arrange`."""
    group_by: GroupBy | None = None
    explain: bool = False
    arrange: "Arrange | None" = None
    """Puts the `arranged` best hits, and those of `also`, in another order than that of their scores."""
    arranged: int = WINDOW
    counted: bool = False
    """Whether the arrangement is asked how many hits there are in all; it then puts all in order, not those needed."""


@dataclass(frozen=True, slots=True)
class Term:
    """A part of a query: a vector float32 [dim], of length 1 unless it is a negative, and its weight in the sum."""

    name: str
    weight: float
    vector: Vector


@dataclass(frozen=True, slots=True)
class Words:
    """The numbers of a query's words (`index.words`), if these are all of it, what they weigh, and those unwanted."""

    said: tuple[int, ...]
    alone: bool
    weight: float
    unwanted: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Start:
    """Where a page begins: after a hit, of a query that is embedded already.

    `seen` holds what `_mark` makes of each of the `shown` hits before, and of their groups.
    """

    terms: tuple[Term, ...] = field(compare=False)
    score: float
    product_id: str
    shown: int
    seen: frozenset[int]
    words: Words | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """The hits of one supplier or style: how many there are in the window; `key` is None for a product of none."""

    key: str | None
    size: int


@dataclass(frozen=True, slots=True)
class Ranked:
    """A row of a view, its score, its group where hits are grouped, and how much of a query's words it says."""

    row: int
    score: float
    group: Group | None = None
    words_said: float | None = None


class Total(NamedTuple):
    """How many hits all pages have; where the window was full, or not all were looked at, there may be more."""

    hits: int
    is_exact: bool


Keep = Callable[[int, Listing, float], bool]
"""Whether a row, its listing and its score count."""
Arrange = Callable[[LiveView, Sequence[Ranked], int], list[Ranked]]
"""Some hits, the best first, in the order in which they are shown, those it leaves out left out; of them no more than a
number of the first are needed, and these must not depend on it."""


def combined(terms: Sequence[Term]) -> Vector:
    """The sum of the terms; to the last bit the same for equal terms, so that pages agree on every score."""
    if len(terms) == 1:
        term = terms[0]
        return term.vector if term.weight == 1 else np.float32(term.weight) * term.vector
    total: Vector = np.sum([np.float32(term.weight) * term.vector for term in terms], axis=0, dtype=np.float32)
    return total


def rank(
    view: LiveView, terms: Sequence[Term], scope: Scope, excluded: frozenset[str], start: Start | None
) -> tuple[list[Ranked], bool, Total | None]:
    """The next `scope.k` hits, or as many as the window still has, whether more follow, and how many there are.

    Raises InvalidInput for a target the snapshot lacks, Conflict where it has no style groups to group by, and
    DeadlineExceeded: who is late is not worth a thread.
    """
    left = WINDOW - (start.shown if start else 0)
    wanted = min(scope.k, left)
    look, total = _Look(view, combined(terms), scope, view.select(scope.filters), view.rows_of(excluded)), None
    if scope.group_by is not None:
        ranked = _grouped(look, start)
    elif scope.arrange is not None:
        ranked, total = _arranged(look, scope.arrange, start, (start.shown if start else 0) + scope.k + 1)
    else:
        found = _ranked(look, start, wanted, _Judge(view, scope))
        ranked = [Ranked(row, score) for row, score in found]
    return ranked[:wanted], wanted < min(len(ranked), left), total


def begin_after(
    shown: Sequence[tuple[str, Ranked]], terms: tuple[Term, ...], before: Start | None, words: Words | None = None
) -> Start:
    """Where the page after some products and hits of a query begins; `before` is where theirs began."""
    groups = [hit.group.key for _, hit in shown if hit.group is not None and hit.group.key is not None]
    marks = [_mark(product_id) for product_id, _ in shown] + [_mark(key, group=True) for key in groups]
    last_id, last = shown[-1]
    if before is None:
        return Start(terms, last.score, last_id, len(shown), frozenset(marks), words)
    return Start(terms, last.score, last_id, before.shown + len(shown), before.seen.union(marks), words)


@dataclass(frozen=True, slots=True)
class _Look:
    """What is looked for in a view: the rows `among`, less those `without`."""

    view: LiveView
    query: Vector
    scope: Scope
    among: Selection
    without: set[int]


class _Judge:
    """What a scope keeps: each row is judged once, however often it is found."""

    def __init__(self, view: LiveView, scope: Scope) -> None:
        self.is_cut = False
        """Whether some were left out unseen."""
        self._view = view
        self._scope = scope
        self._keep = None if scope.keep is None else scope.keep(view)
        self._kept: dict[int, bool] = {}
        self._left = _MOST_JUDGED

    @property
    def is_done(self) -> bool:
        """Whether none that comes is kept any more."""
        least = -math.inf if self._scope.min_score is None else self._scope.min_score
        return self.is_cut and self._scope.judged_from <= least

    def renew(self) -> None:
        """Judge as many again."""
        self._left = _MOST_JUDGED

    def keeps(self, row: int, score: float, *, is_before: bool = False) -> bool:
        """Whether a row counts; those that fit best are to be asked about first.

        One before the page does not, but is judged no more: so pages of any length show the same.
        """
        if self._keep is None:
            return not is_before
        kept = self._kept.get(row)
        if kept is None:
            if score >= self._scope.judged_from:
                if not self._left:
                    self.is_cut = True
                    return False
                self._left -= 1
            check_deadline()  # a listing may say so much that it takes a second to compare
            kept = self._kept[row] = not is_before and self._keep(row, self._view.listing(row), score)
        return kept


def _ranked(look: _Look, start: Start | None, wanted: int, judge: _Judge) -> list[tuple[int, float]]:
    """`wanted` rows and scores after `start`, in order, and one more where there is one; fewer only at the end.

    Fetches more as long as too few of them count.
    """
    view, scope = look.view, look.scope
    check_deadline()
    if scope.near is not None and (near := scope.near(view, look.query)) is not None:
        passed = np.isin(near.rows, view.among(near.rows, look.among))
        found = Neighbours(near.rows[passed], near.scores[passed])
        return list(islice(_taken(look, found, start, judge), wanted + 1))
    fetch = wanted + 1 + len(look.without) + (len(start.seen) if start else 0)
    if scope.min_score is not None and fetch > 8 * _FEW:
        fetch = _FEW if scope.near is None else 4 * _FEW
    is_tied = False
    while True:
        check_deadline()
        found = view.search(scope.target, look.query, fetch, look.among)
        chosen = list(islice(_taken(look, found, start, judge), wanted + 1))
        exhausted = len(found.rows) < fetch or judge.is_done
        if exhausted or (scope.min_score is not None and found.scores[-1] < scope.min_score):
            return chosen
        if scope.keep is not None and fetch >= _MOST_FETCHED:
            judge.is_cut = True
            return chosen
        # Of products that tie with the last one found, some may not have been found: those before are certain.
        if len(chosen) > wanted and (chosen[wanted - 1][1] > found.scores[-1] or fetch >= _MOST_TIED):
            return chosen
        fetch = max(4 * fetch, _MOST_TIED) if is_tied else 4 * fetch
        if scope.keep is not None:
            fetch = min(fetch, _MOST_FETCHED)  # the same ones for pages of any length
        is_tied = len(chosen) > wanted


def _taken(look: _Look, found: Neighbours, start: Start | None, judge: _Judge) -> Iterator[tuple[int, float]]:
    """Those of the rows found that count, in order."""
    view, least = look.view, look.scope.min_score
    for row, score in _in_order(view, zip(found.rows.tolist(), found.scores.tolist(), strict=True)):
        if least is not None and score < least:
            return
        if row in look.without:
            continue
        is_before = start is not None and (score > start.score or _is_before(start, score, view.id_of(row)))
        if judge.keeps(row, score, is_before=is_before):
            yield row, score


def _in_order(view: LiveView, pairs: Iterable[tuple[int, float]]) -> list[tuple[int, float]]:
    """Rows and scores, best first, ties by product id."""
    ordered = sorted(pairs, key=lambda pair: -pair[1])
    counts = Counter(score for _, score in ordered)
    if len(counts) < len(ordered):
        ordered.sort(key=lambda pair: (-pair[1], view.id_of(pair[0]) if counts[pair[1]] > 1 else ""))
    return ordered


def _is_before(start: Start, score: float, product_id: str) -> bool:
    """Whether a product stands before a place, or was shown when it stood there."""
    return (-score, product_id) <= (-start.score, start.product_id) or _mark(product_id) in start.seen


def _arranged(look: _Look, arrange: Arrange, start: Start | None, needed: int) -> tuple[list[Ranked], Total | None]:
    """The first `needed` hits in the order of an arrangement, less what was shown, and how many there are if counted.

    What it does not put in order comes by score, behind what it does.
    """
    view, scope = look.view, look.scope
    lead = [] if scope.first is None else _scored(look, view.among(scope.first(view), look.among), -math.inf)
    look = replace(look, without=look.without.union(row for row, _ in lead))
    window = min(WINDOW, max(scope.arranged, needed))
    judge = _Judge(view, scope)
    found = _ranked(look, None, window, judge)[:window]
    judge.renew()  # so that many that are more alike do not keep those of `scope.also` away
    also = _also(look, dict(found), judge)
    left = WINDOW - len(lead) - len(also)
    first = [pair for pair in found[: scope.arranged] if pair[0] not in also][:left]
    rest = [pair for pair in found[scope.arranged :] if pair[0] not in also][: left - len(first)]
    if also:
        first = _in_order(view, [*first, *also.items()])
    hits = arrange(view, [Ranked(row, score) for row, score in first], needed)
    total = Total(len(hits), len(first) < WINDOW and not judge.is_cut) if scope.counted else None
    hits = [*(Ranked(row, score) for row, score in lead), *hits, *(Ranked(row, score) for row, score in rest)]
    if start is not None:
        hits = [hit for hit in hits if _mark(view.id_of(hit.row)) not in start.seen]
    return hits, total


def _also(look: _Look, found: Mapping[int, float], judge: _Judge) -> dict[int, float]:
    """The rows of `scope.also` that count, with their scores, the best first."""
    view, scope = look.view, look.scope
    if scope.also is None:
        return {}
    check_deadline()
    among = view.without(look.among, look.without) if look.without else look.among
    pairs = _scored(look, view.among(scope.also(view, look.query, among), among), scope.also_from)
    return dict(islice((pair for pair in pairs if pair[0] in found or judge.keeps(*pair)), WINDOW))


def _scored(look: _Look, rows: NDArray[np.int64], least: float) -> list[tuple[int, float]]:
    """Those of some rows that have a vector, and at least some score, with their scores, the best first."""
    check_deadline()
    rows = np.setdiff1d(rows, [*look.without])
    vectors = look.view.vectors(look.scope.target, rows)
    rows, vectors = rows[there := vectors.any(axis=1)], vectors[there]
    # Not `@`: what BLAS makes of a row differs with the rows beside it, and pages must agree.
    scores = np.einsum("ij,j->i", vectors, look.query).clip(-1, 1).astype(np.float64)
    enough = scores >= least
    return _in_order(look.view, zip(rows[enough].tolist(), scores[enough].tolist(), strict=True))


def _grouped(look: _Look, start: Start | None) -> list[Ranked]:
    """The first hit of each group of the window that comes after `start`."""
    view, scope = look.view, look.scope
    if scope.arrange is None:
        found = _ranked(look, None, WINDOW, _Judge(view, scope))[:WINDOW]
        window = [Ranked(row, score) for row, score in found]
    else:
        window, _ = _arranged(look, scope.arrange, None, WINDOW)
    if start is not None:  # what was shown may be in another group by now
        window = [hit for hit in window if _mark(view.id_of(hit.row)) not in start.seen]
    keys = _keys(view, [hit.row for hit in window], scope.group_by)
    first: dict[str | int, Ranked] = {}
    sizes: dict[str | int, int] = {}
    for hit, key in zip(window, keys, strict=True):
        name = hit.row if key is None else key
        first.setdefault(name, hit)
        sizes[name] = sizes.get(name, 0) + 1
    return [
        replace(hit, group=Group(name if isinstance(name, str) else None, sizes[name]))
        for name, hit in first.items()
        if start is None or _goes_on(look, start, name, hit)
    ]


def _goes_on(look: _Look, start: Start, name: str | int, hit: Ranked) -> bool:
    """Whether a group and its first hit come after a place; an arrangement knows no places but what was shown."""
    if isinstance(name, str) and _mark(name, group=True) in start.seen:
        return False
    return look.scope.arrange is not None or not _is_before(start, hit.score, look.view.id_of(hit.row))


def _keys(view: LiveView, rows: list[int], by: GroupBy | None) -> list[str | None]:
    """What each row is grouped by; None for a product without a supplier."""
    if by == "style":
        return [*style_names(view, rows, check_deadline)]
    return [supplier or None for supplier in view.suppliers(np.array(rows, np.int64))]


def _mark(name: str, *, group: bool = False) -> int:
    """32 bits for a product id, or for a group's key: two of a thousand agree once in ten thousand listings."""
    return id_hash(f"\0{name}" if group else name) & 0xFFFF_FFFF


def contributions(
    view: LiveView, ranked: Sequence[Ranked], target: str, terms: Sequence[Term]
) -> list[dict[str, float]]:
    """What each term adds to the score of each hit."""
    vectors = view.vectors(target, np.array([hit.row for hit in ranked], np.int64))
    # Not `@`: what BLAS makes of a row differs with the rows beside it, and pages must agree.
    parts = {term.name: (np.einsum("ij,j->i", vectors, term.vector) * term.weight).tolist() for term in terms}
    return [{name: part[at] for name, part in parts.items()} for at in range(len(ranked))]
