"""Thresholds: the lowest cosine that is precise enough."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue import Product
from catalogue.variants import contradict
from models import calibration
from models.bundle import Threshold
from models.calibration import calibrate, wilson_interval
from tests.models.evaluation.shops import unit


def test_the_lowest_score_that_is_precise_enough() -> None:
    scores = np.linspace(1, 0, 100, dtype=np.float32)
    positive = np.arange(100) < 40
    threshold = _threshold(scores, positive)
    assert threshold is not None
    assert threshold.pairs == 42  # 40 of 42 are 95.2 %
    assert threshold.score <= scores[41]
    assert threshold.interval[0] < threshold.precision < threshold.interval[1]


def test_a_tie_is_never_split() -> None:
    scores = np.repeat(np.array([1, 0.5], dtype=np.float32), 50)
    positive = np.arange(100) < 60  # ten of the second fifty
    threshold = _threshold(scores, positive)
    assert threshold is not None
    assert threshold.pairs == 50


def test_where_no_score_is_precise_enough_the_best_is_taken_and_says_so() -> None:
    scores = np.linspace(1, 0, 200, dtype=np.float32)
    positive = (np.arange(200) < 60) & (np.arange(200) % 4 > 0)
    threshold = _threshold(scores, positive)
    assert threshold is not None
    assert 0.7 < threshold.precision < 0.8


@pytest.mark.parametrize("positive", [np.zeros(50, bool), np.arange(50) % 5 == 0])
def test_scores_that_say_nothing_give_no_threshold(positive: np.ndarray) -> None:
    assert _threshold(np.zeros(50, np.float32), positive) is None
    assert _threshold(np.zeros(0, np.float32), positive[:0]) is None


def test_contradicting_attributes_are_left_out_of_same_style() -> None:
    """Red and blue mugs that look alike would spoil the threshold, but are never the same style."""
    colours = ["red", "blue"] * 10
    products = [
        Product(product_id=f"p{row}", title="Mug", category="Mugs", attributes={"Colour": colour})
        for row, colour in enumerate(colours)
    ]
    products += [Product(product_id=f"b{row}", title="Bag", category="Bags") for row in range(6)]
    vectors = unit([[1.0, 0.0]] * 20 + [[0.0, 1.0]] * 6)
    found = calibrate({"i": vectors}, [*colours, *[""] * 6], products)["i-i"]
    assert found.same_style is not None
    assert found.same_style.precision == 1
    assert found.same_style.pairs == 90
    assert found.similar is not None
    assert found.similar.pairs == 190 + 15


def test_wilson_interval() -> None:
    low, high = wilson_interval(95, 100)
    assert (low, high) == pytest.approx((0.888, 0.978), abs=2e-3)
    assert wilson_interval(10, 10)[1] == 1


some_attributes = st.dictionaries(
    st.sampled_from(["colour", "Size", "volume", "material"]),
    st.sampled_from(
        ["red", "Red", "blue", "M6", "m 6", "steel", "500 ml", "0.5 l", "505 ml", "500 g", f"{'9' * 400} mm"]
    ),
    max_size=3,
)


@settings(deadline=None)
@given(st.lists(some_attributes, min_size=2, max_size=8), st.integers(1, 40))
def test_pairs_are_left_out_as_two_products_contradict_each_other(shop: list[dict[str, str]], at_once: int) -> None:
    """Block by block, whatever the size of the blocks."""
    products = [Product(product_id=f"p{row}", title="x", attributes=some) for row, some in enumerate(shop)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "_PAIRS_AT_ONCE", at_once)
        patch.setattr(calibration, "_FEWEST_PAIRS", 1)
        same = calibrate({"t": unit([[1, 0]] * len(shop))}, ["s"] * len(shop), products)["t-t"].same_style
    judged = sum(not contradict(a, b) for row, a in enumerate(products) for b in products[:row])
    assert (same.pairs if same is not None else 0) == judged


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-1, 1, width=32), st.booleans()), min_size=1, max_size=60))
def test_counting_in_steps_finds_what_sorting_finds(pairs: list[tuple[float, bool]]) -> None:
    scores = np.array([score for score, _ in pairs], np.float32)
    positive = np.array([right for _, right in pairs])
    scores = (np.round(scores.astype(np.float64), 3) + 5e-6).astype(np.float32)  # in the middle of a step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "_FEWEST_PAIRS", 1)
        assert _threshold(scores, positive) == _by_sorting(scores, positive)


def test_one_category_says_nothing_of_what_is_similar() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(40, 8))
    for categories, told in ((["Mugs"] * 40, False), (["Mugs", "Bags"] * 20, True)):
        shop = [Product(product_id=f"p{row}", title="x", category=name) for row, name in enumerate(categories)]
        rows[:, 0] = [9 if name == "Mugs" else -9 for name in categories]
        found = calibrate({"t": unit(rows.tolist())}, [""] * 40, shop)["t-t"]
        assert (found.similar is not None) == told


def test_products_without_style_or_category_are_not_judged() -> None:
    products = [Product(product_id=f"p{row}", title="Mug") for row in range(30)]
    found = calibrate({"t": unit([[1, 0]] * 30)}, ["a"] * 10 + [""] * 20, products)["t-t"]
    assert found.same_style is not None
    assert found.same_style.pairs == 45
    assert found.similar is None


def _threshold(scores: np.ndarray, positive: np.ndarray) -> Threshold | None:
    counted = calibration._Histogram()
    counted.add(scores, np.ones(len(scores), bool), positive)
    return counted.threshold(0.95)


def _by_sorting(scores: np.ndarray, positive: np.ndarray) -> Threshold | None:
    levels, level = np.unique(-scores, return_inverse=True)
    counts = np.bincount(level, minlength=len(levels))
    hits = np.bincount(level[positive], minlength=len(levels))
    return calibration._lowest(-levels.astype(np.float64), hits, counts, 0.95)
