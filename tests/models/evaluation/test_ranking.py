"""Ranks: by hand, and against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evaluation import evaluate, ranking
from models.evaluation.ranking import answers_of, codes_of, of_styles, of_targets, ranks_of
from tests.models.evaluation.shops import unit

# two styles of two, one of one; the second b is nearer to a than to its twin
VECTORS = unit([[1, 0], [1, 0.1], [0, 1], [1, 0.3], [-1, 0]])
STYLES = ["a", "a", "b", "b", "c"]


def test_the_figures_by_hand() -> None:
    scores = evaluate({"i": VECTORS}, {"i": VECTORS}, STYLES)["i-i"]
    # ranks: a 1, a 1, b 1 (its twin is nearest to it), b 3
    assert scores.queries == 4
    assert scores.mrr == pytest.approx((1 + 1 + 1 + 1 / 3) / 4)
    assert scores.recall == {1: 0.75, 5: 1.0, 10: 1.0, 20: 1.0}
    assert scores.mrr_interval[0] <= scores.mrr <= scores.mrr_interval[1]


def test_ties_count_against_the_model() -> None:
    same = unit([[1, 0]] * 4)
    assert evaluate({"t": same}, {"t": same}, ["a", "a", "b", "c"])["t-t"].mrr == pytest.approx(1 / 3)


def test_a_product_without_the_mode_is_neither_query_nor_answer() -> None:
    holes = VECTORS.copy()
    holes[1] = 0
    scores = evaluate({"i": holes}, {"i": holes}, STYLES)["i-i"]
    assert scores.queries == 2  # the first a has no twin left


def test_modes_are_told_apart() -> None:
    found = evaluate({"i": VECTORS, "m": VECTORS}, {"t": VECTORS}, STYLES)
    assert set(found) == {"i-t", "m-t"}


def test_giveaways_leave_the_gallery_only_for_queries_that_show_them() -> None:
    photos = ["p", "p", "q", "r", "s"]
    found = evaluate({"i": VECTORS, "t": VECTORS}, {"i": VECTORS}, STYLES, same_photo=photos)
    assert found["i-i"].queries == 2
    assert found["t-i"].queries == 4


def test_nothing_to_find_gives_no_figures() -> None:
    assert evaluate({"i": VECTORS}, {"i": VECTORS}, list("abcde")) == {}


some_codes = st.integers(0, 3)
some_shop = st.lists(st.tuples(st.integers(0, 6), some_codes, some_codes, some_codes), min_size=1, max_size=12)
"""Direction, style, photo and text of each product."""
DIRECTIONS = ((0, 0), (1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (0, -1))
"""Whole numbers, so that ties are ties; the first one is no vector."""


def rank_by_hand(query: int, vectors: np.ndarray, styles: list[int], hidden: list[list[int]]) -> int:
    if not vectors[query].any():
        return 0
    searched = [
        row
        for row in range(len(vectors))
        if row != query and vectors[row].any() and all(codes[row] != codes[query] for codes in hidden)
    ]
    right = [float(vectors[query] @ vectors[row]) for row in searched if styles[row] == styles[query]]
    wrong = [float(vectors[query] @ vectors[row]) for row in searched if styles[row] != styles[query]]
    return 1 + sum(score >= max(right) for score in wrong) if right else 0


@settings(deadline=None)
@given(some_shop, st.integers(1, 60))
def test_ranks_are_as_counted_by_hand(shop: list[tuple[int, int, int, int]], at_once: int) -> None:
    vectors = np.array([DIRECTIONS[at] for at, *_ in shop], np.float32)
    styles = [style for _, style, _, _ in shop]
    hidden = [[photo for _, _, photo, _ in shop], [text for *_, text in shop]]
    codes = [np.array(one, np.int64) for one in hidden]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "_SCORES_AT_ONCE", at_once)
        for count in range(3):
            found = ranks_of(vectors, vectors, of_styles(np.array(styles, np.int64)), codes[:count])
            assert found.tolist() == [
                rank_by_hand(query, vectors, styles, hidden[:count]) for query in range(len(shop))
            ]


def test_only_some_are_asked_for() -> None:
    own = np.array([3, 0])
    found = ranks_of(VECTORS[own], VECTORS, of_styles(codes_of(STYLES), own))
    assert found.tolist() == [3, 1]


def test_listed_targets_are_right_and_nothing_else() -> None:
    own = np.array([0, 2, 4])
    truth = of_targets(own, [[3], [0, 1], [4]], len(VECTORS))
    # 3 is second after 1; 1 is second after 3; a product is never its own answer
    assert ranks_of(VECTORS[own], VECTORS, truth).tolist() == [2, 2, 0]


def test_an_empty_name_is_shared_with_nobody() -> None:
    assert codes_of(["a", "", "a", ""]).tolist() == [0, 1, 0, 2]


def test_answers_show_what_was_nearest_and_the_best_right_one() -> None:
    truth = of_styles(codes_of(STYLES))
    ranks = ranks_of(VECTORS, VECTORS, truth)
    (answer,) = answers_of(VECTORS, VECTORS, truth, [], ranks, [3], 2)
    assert (answer.query, answer.rank, answer.right[0]) == (3, 3, 2)
    assert [row for row, _ in answer.found] == [1, 0]
    assert answer.found[0][1] > answer.found[1][1] > answer.right[1]


@settings(deadline=None)
@given(some_shop)
def test_a_sheet_never_shows_what_is_not_searched(shop: list[tuple[int, int, int, int]]) -> None:
    vectors = np.array([DIRECTIONS[at] for at, *_ in shop], np.float32)
    truth = of_styles(np.array([style for _, style, _, _ in shop], np.int64))
    hidden = [np.array([photo for _, _, photo, _ in shop], np.int64)]
    ranks = ranks_of(vectors, vectors, truth, hidden)
    for answer in answers_of(vectors, vectors, truth, hidden, ranks, np.flatnonzero(ranks).tolist(), 20):
        for row, _ in answer.found:
            assert row != answer.query
            assert vectors[row].any()
            assert shop[row][2] != shop[answer.query][2]
        # the best right one is in its place, behind all that are ahead of it or tie with it
        scores = [score for _, score in answer.found]
        assert answer.rank - 1 == sum(
            score >= answer.right[1] and shop[row][1] != shop[answer.query][1] for row, score in answer.found
        )
        assert scores == sorted(scores, reverse=True)
