"""Which index is chosen, and how hard it is searched."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.errors import InvalidInput
from index.exact import FlatIndex
from index.plan import (
    _EFFORT,
    Choice,
    IndexType,
    Plan,
    Tuning,
    check_choice,
    check_parameters,
    choice_behind,
    held_out,
    make_plan,
    recall,
    tune,
)
from index.search import ShardedIndex
from tests.index.builders import unit_rows

VECTORS = unit_rows(2_000, 16).astype(np.float16)


class Lists:
    """A shard whose recall is known: of 100 equal stretches of rows, the first `effort` are looked at."""

    rows, most, filters, exact, busy, hardest = len(VECTORS), len(VECTORS), True, False, False, 100

    def search(self, query: np.ndarray, fetch: int, effort: int, allowed: np.ndarray | None) -> np.ndarray:
        seen = VECTORS[: self.rows * effort // 100].astype(np.float32) @ query
        return np.argsort(-seen)[:fetch]

    def effort(self, tuned: int, k: int) -> int:
        return tuned

    def cost(self, effort: int) -> float:
        return 0.0


def tuned_for(target: float, effort: int | None = None) -> tuple[ShardedIndex, FlatIndex, Plan]:
    index = ShardedIndex([Lists()], VECTORS, FlatIndex(VECTORS), 1)
    return index, index.flat, Plan("ivf-flat", {"nlist": 100}, effort, target)


@pytest.mark.parametrize(
    ("rows", "recall", "chosen"),
    [
        (0, 0.99, "flat"),
        (50_000, 0.5, "flat"),
        (50_001, 0.99, "hnsw"),
        (50_001, 1.0, "flat"),
        (20_000_000, 0.99, "hnsw"),
        (20_000_001, 0.99, "ivf-pq"),
    ],
)
def test_size_and_recall_choose_the_type(rows: int, recall: float, chosen: str) -> None:
    assert make_plan(rows, 256, 1, Choice(recall)).index_type == chosen


@given(
    rows=st.integers(1_000, 100_000_000),
    dim=st.sampled_from([8, 96, 97, 256, 768]),
    shards=st.integers(1, 20),
    kind=st.sampled_from(["flat", "hnsw", "ivf-flat", "ivf-sq8", "ivf-pq"]),
)
def test_what_is_chosen_would_be_accepted_by_hand(rows: int, dim: int, shards: int, kind: IndexType) -> None:
    plan = make_plan(rows, dim, shards, Choice(0.99, kind))
    assert plan.effort is None
    check_parameters(kind, plan.parameters)
    assert make_plan(rows, dim, shards, Choice(0.99, kind, plan.parameters)) == plan


CHOICES = st.one_of(
    st.builds(Choice, st.sampled_from([0.9, 0.99])),
    st.builds(
        Choice,
        st.sampled_from([0.9, 0.99]),
        st.just("hnsw"),
        st.fixed_dictionaries(
            {}, optional={"m": st.just(16), "ef_construction": st.just(200), "ef_search": st.just(9)}
        ),
    ),
    st.builds(Choice, st.just(0.9), st.just("ivf-sq8"), st.fixed_dictionaries({}, optional={"nlist": st.just(20)})),
)


@given(rows=st.sampled_from([1_000, 60_000, 30_000_000]), choice=CHOICES)
def test_what_was_chosen_is_told_from_what_was_built(rows: int, choice: Choice) -> None:
    plan = make_plan(rows, 256, 1, choice)
    tuning = None
    if plan.index_type != "flat":
        target = plan.recall if plan.effort is None else None
        value = plan.effort or 7
        tuning = Tuning(parameter=_EFFORT[plan.index_type], value=value, target=target, recall_at_10=1)
    behind = choice_behind(rows, 256, 1, plan.index_type, plan.parameters, tuning)
    again = make_plan(rows, 256, 1, behind)
    assert (again.index_type, again.parameters, again.effort) == (plan.index_type, plan.parameters, plan.effort)
    if choice.index_type is None:  # what the rule chose, it chooses anew for another size
        assert (behind.index_type, behind.parameters) == (None, {})
    elif plan.effort is None:
        assert behind.recall == choice.recall


def test_what_is_given_by_hand_is_taken() -> None:
    plan = make_plan(10_000, 64, 1, Choice(0.9, "ivf-pq", {"nlist": 7, "nprobe": 3, "pq_m": 16, "refine": 4}))
    assert (plan.parameters, plan.effort) == ({"nlist": 7, "pq_m": 16, "refine": 4}, 3)
    assert make_plan(10_000, 64, 1, Choice(0.9, "hnsw", {"ef_search": 99})).effort == 99


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        (Choice(0.0), "recall of 0"),
        (Choice(1.1), "recall of 1.1"),
        (Choice(float("nan")), "recall of nan"),
        (Choice(0.99, "annoy"), "no index type 'annoy'; there are flat, hnsw"),
        (Choice(0.99, None, {"m": 16}), "Give --index-type"),
        (Choice(0.99, "flat", {"m": 16}), "flat has no parameter 'm'; it has none"),
        (Choice(0.99, "hnsw", {"nlist": 16}), "no parameter 'nlist'; it has m, ef_construction, ef_search"),
        (Choice(0.99, "hnsw", {"m": 1}), "m is 1; it must be between 4 and 128"),
        (Choice(0.99, "ivf-pq", {"refine": 101}), "between 1 and 100"),
    ],
)
def test_a_choice_nothing_can_be_built_with_is_refused(choice: Choice, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        check_choice(choice)


@pytest.mark.parametrize(
    ("kind", "parameters", "rows", "says"),
    [
        ("ivf-flat", {"nlist": 101}, 100, "only 100 products"),
        ("ivf-sq8", {"nlist": 10, "nprobe": 11}, 100, "only 10 lists"),
        ("ivf-pq", {"pq_m": 5}, 10_000, "must divide the 64 dimensions"),
        ("ivf-pq", {}, 999, "at least 1,000 products.*--index-type flat"),
    ],
)
def test_a_choice_that_does_not_fit_the_products_is_refused(
    kind: str, parameters: Mapping[str, int], rows: int, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        make_plan(rows, 64, 1, Choice(0.99, kind, parameters))


def test_an_index_that_lacks_a_parameter_is_refused() -> None:
    with pytest.raises(InvalidInput, match="lacks the parameter ef_construction"):
        check_parameters("hnsw", {"m": 8})


@pytest.mark.parametrize("target", [0.2, 0.5, 0.9])
def test_the_least_effort_that_reaches_the_target_is_chosen(target: float) -> None:
    tuning = tune(*tuned_for(target))
    below = [point.recall_at_10 for point in tuning.curve if point.value < tuning.value]
    at = next(point.recall_at_10 for point in tuning.curve if point.value == tuning.value)
    assert at >= target
    assert all(recall < target for recall in below)
    assert below  # or there was no choice
    assert (tuning.parameter, tuning.target) == ("nprobe", target)
    assert abs(tuning.recall_at_10 - tuning.value / 100) < 0.1  # on queries that had no part in it


def test_the_curve_rises_to_the_end() -> None:
    curve = tune(*tuned_for(0.5)).curve
    assert [point.value for point in curve] == sorted({point.value for point in curve})
    assert curve[-1].recall_at_10 >= 0.999
    assert curve[0].recall_at_10 < 0.1
    assert all(point.relative_cost > 0 for point in curve)


def test_a_target_out_of_reach_gets_the_greatest_effort() -> None:
    asked = tuned_for(0.9)
    asked[0].shards[0].hardest = 30  # type: ignore[misc]
    tuning = tune(*asked)
    assert tuning.value == 30
    assert tuning.recall_at_10 < 0.5


def test_an_effort_given_by_hand_is_measured_and_kept() -> None:
    asked = tuned_for(0.9, effort=40)
    tuning = tune(*asked)
    assert (tuning.value, tuning.target, len(tuning.curve)) == (40, None, 1)
    assert 0.3 < tuning.recall_at_10 < 0.5


def test_held_out_queries_are_near_the_stored_vectors_and_none_of_them() -> None:
    queries = held_out(VECTORS, 100)
    np.testing.assert_allclose(np.linalg.norm(queries, axis=1), 1, atol=1e-5)
    nearest = (queries @ VECTORS.astype(np.float32).T).max(axis=1)
    assert nearest.max() < 0.9999
    assert np.median(nearest) > 0.8
    np.testing.assert_array_equal(queries, held_out(VECTORS, 100))


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_few_vectors_give_as_many_queries(rows: int) -> None:
    queries = held_out(VECTORS[:rows], 10)
    assert queries.shape == (10, VECTORS.shape[1])
    np.testing.assert_allclose(np.linalg.norm(queries, axis=1), 1, atol=1e-5)


def test_recall_takes_any_of_equal_scores() -> None:
    truth = np.array([0.9, 0.5, 0.5], np.float32)
    assert recall(truth, truth) == 1
    assert recall(np.array([0.9, 0.5, 0.4], np.float32), truth) == pytest.approx(2 / 3)
    assert recall(np.array([], np.float32), truth) == 0
    assert recall(np.array([], np.float32), np.array([], np.float32)) == 1
