"""The order of hits, groups and pages, against a plain sort of all scores; writes happen between pages."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from catalogue.errors import Conflict, DeadlineExceeded
from catalogue.variants import SameFrom
from index import Change, Filters, IndexedProduct, LiveIndex, LiveView, Neighbours, Snapshot, write_snapshot
from index.products import Listing, to_table
from service import ranking
from service.deadlines import Deadline, under
from service.ranking import Ranked, Scope, Start, Term, begin_after, combined, contributions, rank
from tests.index.builders import FINGERPRINT, item, reopen, unit, unit_rows
from tests.index.test_live_view import in_order

COUNT = 120
VECTORS = unit_rows(9, seed=5)
"""Few, so that many products tie."""
TERMS = (Term("query", 1.0, unit_rows(1, seed=6)[0]),)
SUPPLIERS = ("acme", "kestrel", "orion", "")
Row = NDArray[np.float32]


def product(number: int) -> IndexedProduct:
    """Ids that sort otherwise than rows do."""
    return item(f"p{number * 37 % COUNT:03d}", supplier_id=SUPPLIERS[number % 7 % 4])


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    root = tmp_path_factory.mktemp("ranking")
    vectors = VECTORS[np.arange(COUNT) % len(VECTORS)]
    return reopen(written(root, [product(number) for number in range(COUNT)], vectors))


def written(root: Path, products: list[IndexedProduct], vectors: Row, same_style: float | None = 0.99) -> Path:
    return write_snapshot(
        root, "snap", to_table(products), {"fusion": vectors}, model="stand-in", fingerprint=FINGERPRINT,
        variant="cpu-fp32", same=None if same_style is None else SameFrom(same_style, same_style),
    )  # fmt: skip


@pytest.fixture(scope="module")
def view(snapshot: Snapshot) -> LiveView:
    return LiveIndex(snapshot).view


@pytest.fixture(scope="module")
def untied(tmp_path_factory: pytest.TempPathFactory) -> LiveView:
    """No two of its products have one score."""
    products = [product(number) for number in range(COUNT)]
    return LiveIndex(reopen(written(tmp_path_factory.mktemp("untied"), products, unit_rows(COUNT), None))).view


def all_pages(view: LiveView, scope: Scope, excluded: frozenset[str] = frozenset()) -> list[list[Ranked]]:
    pages: list[list[Ranked]] = []
    start: Start | None = None
    while True:
        hits, more, _ = rank(view, TERMS, scope, excluded, start)
        pages.append(hits)
        if not more:
            return pages
        assert len(hits) == scope.k
        start = begin_after(shown_as(view, hits), TERMS, start)


def shown_as(view: LiveView, hits: list[Ranked]) -> list[tuple[str, Ranked]]:
    return [(view.id_of(hit.row), hit) for hit in hits]


def names(view: LiveView, hits: list[Ranked]) -> list[str]:
    return [view.id_of(hit.row) for hit in hits]


def flat(pages: list[list[Ranked]]) -> list[Ranked]:
    return [hit for page in pages for hit in page]


def in_full(view: LiveView, scope: Scope) -> list[tuple[float, str]]:
    """All that passes the filters and the least score, sorted the plain way: minus score, then id."""
    found = view.search(scope.target, combined(TERMS), len(view), view.select(scope.filters))
    scored = zip(found.scores.tolist(), found.rows.tolist(), strict=True)
    floor = -1.0 if scope.min_score is None else scope.min_score
    return sorted((-score, view.id_of(row)) for score, row in scored if score >= floor)


SCOPES = st.builds(
    Scope,
    k=st.integers(1, COUNT + 5),
    min_score=st.none() | st.floats(-0.5, 0.9),
    filters=st.builds(Filters, suppliers=st.none() | st.lists(st.sampled_from(SUPPLIERS), max_size=3).map(tuple)),
)
EXCLUDED = st.frozensets(st.integers(0, COUNT + 5).map(lambda number: f"p{number:03d}"), max_size=30)


@settings(max_examples=150, deadline=None)
@given(scope=SCOPES, excluded=EXCLUDED, few=st.integers(1, 64))
def test_the_pages_are_one_sorted_list(view: LiveView, scope: Scope, excluded: frozenset[str], few: int) -> None:
    expected = [pair for pair in in_full(view, scope) if pair[1] not in excluded]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "_FEW", few)  # however few are asked for first where there is a least score
        hits = flat(all_pages(view, scope, excluded))
    assert [(-hit.score, name) for hit, name in zip(hits, names(view, hits), strict=True)] == expected


@settings(max_examples=50, deadline=None)
@given(scope=SCOPES)
def test_what_is_judged_is_left_out_of_all_pages(view: LiveView, scope: Scope) -> None:
    def is_even(_: int, product: Listing, __: float) -> bool:
        return int(product.product_id[1:]) % 2 == 0

    judged = Scope(k=scope.k, min_score=scope.min_score, filters=scope.filters, keep=lambda _: is_even)
    expected = [name for _, name in in_full(view, scope) if int(name[1:]) % 2 == 0]
    assert names(view, flat(all_pages(view, judged))) == expected


@settings(max_examples=50, deadline=None)
@given(scope=SCOPES, excluded=EXCLUDED)
def test_what_is_known_to_be_near_is_not_searched_for(view: LiveView, scope: Scope, excluded: frozenset[str]) -> None:
    least = -1.0 if scope.min_score is None else scope.min_score
    every = view.search(scope.target, combined(TERMS), len(view), view.select(Filters()))
    there = every.scores >= least
    known = Neighbours(every.rows[there], every.scores[there])
    scope = replace(scope, min_score=least, near=lambda _, __: None)
    expected = all_pages(view, scope, excluded)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LiveView, "search", None)
        assert all_pages(view, replace(scope, near=lambda _, __: known), excluded) == expected


@settings(max_examples=80, deadline=None)
@given(scope=SCOPES, excluded=EXCLUDED, by=st.sampled_from(["supplier", "style"]))
def test_pages_of_groups_have_the_best_hit_of_each(
    view: LiveView, scope: Scope, excluded: frozenset[str], by: Any
) -> None:
    grouped = Scope(k=scope.k, min_score=scope.min_score, filters=scope.filters, group_by=by)
    groups: dict[str, list[str]] = {}
    for score, name in in_full(view, scope):
        if name not in excluded:
            supplier = view.get(view.row_of(name)).product.supplier_id
            key = str(score) if by == "style" else supplier or name  # one style has one vector, and so one score
            groups.setdefault(key, []).append(name)
    hits = flat(all_pages(view, grouped, excluded))
    assert names(view, hits) == [members[0] for members in groups.values()]
    assert [hit.group.size for hit in hits if hit.group] == [len(members) for members in groups.values()]
    if by == "supplier":
        suppliers = [view.get(hit.row).product.supplier_id or None for hit in hits]
        assert [hit.group.key for hit in hits if hit.group] == suppliers


WRITES = st.lists(
    st.tuples(st.integers(0, COUNT + 20), st.none() | st.integers(0, len(VECTORS) - 1), st.sampled_from(SUPPLIERS)),
    max_size=12,
)


@settings(max_examples=80, deadline=None)
@given(scope=SCOPES, by=st.sampled_from([None, "supplier", "style"]), data=st.data())
def test_writes_between_pages_repeat_nothing_and_lose_nothing_that_stayed(
    snapshot: Snapshot, scope: Scope, by: Any, data: st.DataObject
) -> None:
    index = LiveIndex(snapshot)
    scope = Scope(k=min(scope.k, 30), min_score=scope.min_score, filters=scope.filters, group_by=by)
    before = in_full(index.view, scope)
    shown: list[str] = []
    written: set[str] = set()
    start: Start | None = None
    while True:
        hits, more, _ = rank(index.view, TERMS, scope, frozenset(), start)
        scores = [hit.score for hit in hits]
        assert scores == sorted(scores, reverse=True)
        if start is not None and scores:
            assert scores[0] <= start.score
        shown += names(index.view, hits)
        if not more:
            break
        start = begin_after(shown_as(index.view, hits), TERMS, start)
        changes = data.draw(WRITES)
        written |= {f"p{number:03d}" for number, _, _ in changes}
        index.apply(in_order([*changes_of(changes)], index.view.position + 1))
    assert len(set(shown)) == len(shown)
    if by is None:
        assert [name for name in shown if name not in written] == [name for _, name in before if name not in written]


def changes_of(drawn: list[tuple[int, int | None, str]]) -> Iterator[Change]:
    for number, vector, supplier in drawn:
        name = f"p{number:03d}"
        if vector is None:
            yield Change.delete(name)
        else:
            yield Change.upsert(item(name, supplier_id=supplier), {FINGERPRINT: {"fusion": VECTORS[vector]}})


def test_a_product_that_was_shown_and_fell_is_not_shown_again(snapshot: Snapshot) -> None:
    index = LiveIndex(snapshot)
    scope = Scope(k=5)
    hits, _, _ = rank(index.view, TERMS, scope, frozenset(), None)
    start = begin_after(shown_as(index.view, hits), TERMS, None)
    first = names(index.view, hits)[0]
    worst = VECTORS[np.argmin(VECTORS @ TERMS[0].vector)]
    index.apply(in_order([Change.upsert(item(first), {FINGERPRINT: {"fusion": worst}})]))
    rest, more, _ = rank(index.view, TERMS, Scope(k=COUNT), frozenset(), start)
    assert not more
    assert len(rest) == COUNT - 5
    assert first not in names(index.view, rest)


def test_no_more_than_the_window(tmp_path: Path) -> None:
    count = ranking.WINDOW + 30
    products = [item(f"p{number:05d}", supplier_id=f"s{number % 500}") for number in range(count)]
    view = LiveIndex(reopen(written(tmp_path, products, unit_rows(count), None))).view
    pages = all_pages(view, Scope(k=300))
    assert [len(page) for page in pages] == [300, 300, 300, 100]
    assert len(set(names(view, flat(pages)))) == ranking.WINDOW
    grouped = all_pages(view, Scope(k=300, group_by="supplier"))
    assert sum(hit.group.size for hit in flat(grouped) if hit.group) == ranking.WINDOW
    with pytest.raises(Conflict, match="no style groups"):
        rank(view, TERMS, Scope(group_by="style"), frozenset(), None)


def test_of_very_many_others_the_best_are_judged_and_shown(tmp_path: Path) -> None:
    count, judged = 4 * ranking.WINDOW, []
    view = LiveIndex(reopen(written(tmp_path, [item(f"p{n:05d}") for n in range(count)], unit_rows(count), None))).view

    def keep(_: int, __: Listing, score: float) -> bool:
        judged.append(score)
        return True

    scope = Scope(
        k=5, min_score=1.1, keep=lambda _: keep, also=lambda *_: np.arange(count), arrange=lambda _, hits, __: [*hits]
    )
    hits, *_ = rank(view, TERMS, scope, frozenset(), None)
    best, *_ = rank(view, TERMS, Scope(k=5), frozenset(), None)
    assert names(view, hits) == names(view, best)
    assert len(judged) == ranking.WINDOW


def test_the_best_are_judged_and_each_once(untied: LiveView, monkeypatch: pytest.MonkeyPatch) -> None:
    view = untied
    monkeypatch.setattr(ranking, "_MOST_JUDGED", 20)
    monkeypatch.setattr(ranking, "_FEW", 8)
    judged: list[str] = []

    def keep(_: int, listing: Listing, __: float) -> bool:
        judged.append(listing.product_id)
        return listing.product_id.endswith("7")

    in_order = in_full(view, Scope())
    scope = Scope(k=5, min_score=-1, keep=lambda _: keep, arrange=lambda _, hits, __: [*hits], counted=True)
    *_, total = rank(view, TERMS, scope, frozenset(), None)
    assert judged == [name for _, name in in_order[:20]]
    assert total == (sum(name.endswith("7") for name in judged), False)
    judged.clear()
    floor = -in_order[40][0]
    rank(view, TERMS, replace(scope, judged_from=floor), frozenset(), None)
    assert judged == [name for _, name in in_order[:20]] + [name for score, name in in_order if -score < floor]
    judged.clear()
    rank(view, TERMS, replace(scope, min_score=1.1, also=lambda *_: np.arange(COUNT), also_from=0.3), frozenset(), None)
    assert 0 < len(judged) == sum(-score >= 0.3 for score, _ in in_order) <= 20


def test_what_is_kept_is_not_looked_for_for_ever(
    view: LiveView, monkeypatch: pytest.MonkeyPatch, asked: list[int]
) -> None:
    monkeypatch.setattr(ranking, "_MOST_FETCHED", 20)
    none = Scope(k=2, keep=lambda _: lambda *_: False, arrange=lambda _, hits, __: [*hits], arranged=0, counted=True)
    assert rank(view, TERMS, none, frozenset(), None) == ([], False, (0, False))
    assert asked == [4, 16, 20]


@pytest.mark.parametrize(("most_judged", "most_fetched", "shown"), [(20, 8_000, 2), (20, 60, 2), (8_000, 60, 6)])
def test_pages_of_any_length_show_the_same_where_not_all_are_looked_at(
    untied: LiveView, monkeypatch: pytest.MonkeyPatch, most_judged: int, most_fetched: int, shown: int
) -> None:
    monkeypatch.setattr(ranking, "_MOST_JUDGED", most_judged)
    monkeypatch.setattr(ranking, "_MOST_FETCHED", most_fetched)
    some = {name for _, name in in_full(untied, Scope())[9::10]}
    few, more = (Scope(k=k, keep=lambda _: lambda _, listing, __: listing.product_id in some) for k in (1, 3))
    assert flat(all_pages(untied, few)) == flat(all_pages(untied, more))
    assert len(flat(all_pages(untied, few))) == shown


def test_of_ten_thousand_that_tie_no_page_repeats_any(tmp_path: Path, asked: list[int]) -> None:
    products = [item(f"p{number:05d}") for number in range(10_000, 0, -1)]
    view = LiveIndex(reopen(written(tmp_path, products, np.repeat(VECTORS[:1], 10_000, 0), None))).view
    hits = flat(all_pages(view, Scope(k=90)))
    assert len(set(names(view, hits))) == len(hits) == ranking.WINDOW
    asked.clear()
    rank(view, TERMS, Scope(k=10), frozenset({"p00001"}), None)
    assert asked == [12, 48, 4_000]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows an index is asked for, each time."""
    counts: list[int] = []
    search = LiveView.search

    def counted(self: LiveView, field: str, query: Any, k: int, among: Any) -> Any:
        counts.append(k)
        return search(self, field, query, k, among)

    monkeypatch.setattr(LiveView, "search", counted)
    return counts


def test_a_page_asks_for_no_more_than_it_needs(view: LiveView, asked: list[int]) -> None:
    distinct = Scope(k=10, filters=Filters(ids=tuple(f"p{number * 37 % COUNT:03d}" for number in range(9))))
    rank(view, TERMS, distinct, frozenset({"p000"}), None)
    assert asked == [12]
    best = -in_full(view, Scope())[0][0]
    asked.clear()
    same = Scope(k=10, min_score=best, arrange=lambda _, hits, __: list(hits))
    found, _, _ = rank(view, TERMS, same, frozenset(), None)
    assert {hit.score for hit in found} == {best}
    assert asked == [64]


def test_contributions_add_up(view: LiveView) -> None:
    one, other = unit_rows(2, seed=7)
    length = float(np.linalg.norm(0.7 * one + 0.3 * other))
    terms = (Term("a", 0.7 / length, one), Term("b", 0.3 / length, other))
    hits, _, _ = rank(view, terms, Scope(k=COUNT), frozenset(), None)
    shares: list[Mapping[str, float]] = [*contributions(view, hits, "fusion", terms)]
    np.testing.assert_allclose([sum(share.values()) for share in shares], [hit.score for hit in hits], atol=1e-5)
    assert np.allclose(combined(terms), unit(0.7 * one + 0.3 * other), atol=1e-6)


def test_nothing_is_looked_for_that_nobody_waits_for_any_more(view: LiveView) -> None:
    deadline, looks = Deadline(), 0

    def keep(*_: object) -> bool:
        nonlocal looks
        looks += 1
        deadline._at = 0.0  # passes amid the first look
        return False

    with under(deadline), pytest.raises(DeadlineExceeded):
        rank(view, TERMS, Scope(k=2, keep=lambda _: keep), frozenset(), None)
    assert looks == 1


@pytest.mark.parametrize("arranged", [0, 3, ranking.WINDOW])
@pytest.mark.parametrize("window", [ranking.WINDOW, 40])
def test_what_is_named_beside_the_best_comes_with_them(
    untied: LiveView, monkeypatch: pytest.MonkeyPatch, arranged: int, window: int
) -> None:
    """Wherever it lies; the rest follows by score, and the last make room for it."""
    monkeypatch.setattr(ranking, "WINDOW", window)
    names_in_order = [name for _, name in in_full(untied, Scope())]
    named = [names_in_order[at] for at in (1, 50, 70, 110)]
    rows = np.array([untied.row_of(name) for name in named])
    scope = Scope(k=7, also=lambda *_: rows, arrange=lambda _, hits, __: [*hits], arranged=arranged)
    best = [name for name in names_in_order[: min(arranged, window)] if name not in named]
    first = sorted([*named, *best[: window - len(named)]], key=names_in_order.index)
    rest = [name for name in names_in_order if name not in first]
    shown = names(untied, flat(all_pages(untied, scope)))
    assert shown == [*first, *rest][:window]
    filtered = replace(scope, filters=Filters(not_ids=(named[1],)), also_from=-in_full(untied, Scope())[80][0])
    assert set(named) & set(names(untied, rank(untied, TERMS, filtered, frozenset({named[2]}), None)[0])) == {named[0]}


@pytest.mark.parametrize("k", [3, 7, 30])
def test_what_comes_first_moves_nothing_in_or_out_of_what_is_arranged(untied: LiveView, k: int) -> None:
    """Whatever the length of the pages, which are those of one long answer."""
    names_in_order = [name for _, name in in_full(untied, Scope())]
    lead = [names_in_order[100], names_in_order[5]]
    rows = np.array([untied.row_of(name) for name in lead])
    scope = Scope(k=k, first=lambda _: rows, arrange=lambda _, hits, __: [*hits][::-1], arranged=10)
    others = [name for name in names_in_order if name not in lead]
    expected = [lead[1], lead[0], *others[:10][::-1], *others[10:]]
    assert names(untied, flat(all_pages(untied, scope))) == expected
