import numpy as np
import pytest

from catalogue import Product
from models import StandInEncoders
from models.calibration import calibrate, threshold_at, wilson_interval
from models.evaluation import cosine_drift, embed_modes, evaluate, recall_lost
from tests.catalogue.pictures import plain


def unit(rows: list[list[float]]) -> np.ndarray:
    vectors = np.array(rows, dtype=np.float32)
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))


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


def test_drift_and_recall_lost() -> None:
    random = np.random.default_rng(0)
    rows = unit(random.normal(size=(50, 8)).tolist())
    assert recall_lost(rows, rows) == 0
    assert cosine_drift(rows, rows) == pytest.approx(0, abs=1e-6)
    moved = unit((rows + random.normal(size=rows.shape)).tolist())
    assert recall_lost(rows, moved) > 0.1
    assert cosine_drift(rows, moved) > 0.1


def test_embedding_all_modes_leaves_zeros_for_what_is_absent() -> None:
    vectors = embed_modes(StandInEncoders(), [plain(), None, plain()], ["mug", "mug", " "])
    present = {mode: rows.any(axis=1).tolist() for mode, rows in vectors.items()}
    assert present == {"i": [True, False, True], "t": [True, True, False], "m": [True, False, False]}


def test_the_lowest_score_that_is_precise_enough() -> None:
    scores = np.linspace(1, 0, 100, dtype=np.float32)
    positive = np.arange(100) < 40
    threshold = threshold_at(scores, positive, 0.95)
    assert threshold is not None
    assert threshold.pairs == 42  # 40 of 42 are 95.2 %
    assert threshold.score <= scores[41]
    assert threshold.interval[0] < threshold.precision < threshold.interval[1]


def test_a_tie_is_never_split() -> None:
    scores = np.repeat(np.array([1, 0.5], dtype=np.float32), 50)
    positive = np.arange(100) < 60  # ten of the second fifty
    threshold = threshold_at(scores, positive, 0.95)
    assert threshold is not None
    assert threshold.pairs == 50


def test_where_no_score_is_precise_enough_the_best_is_taken_and_says_so() -> None:
    scores = np.linspace(1, 0, 200, dtype=np.float32)
    positive = (np.arange(200) < 60) & (np.arange(200) % 4 > 0)
    threshold = threshold_at(scores, positive, 0.95)
    assert threshold is not None
    assert 0.7 < threshold.precision < 0.8


@pytest.mark.parametrize("positive", [np.zeros(50, bool), np.arange(50) % 5 == 0])
def test_scores_that_say_nothing_give_no_threshold(positive: np.ndarray) -> None:
    assert threshold_at(np.zeros(50, np.float32), positive, 0.95) is None
    assert threshold_at(np.zeros(0, np.float32), positive[:0], 0.95) is None


def test_contradicting_attributes_are_left_out_of_same_style() -> None:
    """Red and blue mugs that look alike would spoil the threshold, but are never the same style."""
    colours = ["red", "blue"] * 10
    products = [
        Product(product_id=f"p{row}", title="Mug", category="Mugs", attributes={"Colour": colour})
        for row, colour in enumerate(colours)
    ]
    vectors = unit([[1, 0]] * 20)
    found = calibrate({"i": vectors}, colours, products)["i-i"]
    assert found.same_style is not None
    assert found.same_style.precision == 1
    assert found.same_style.pairs == 90
    assert found.similar is not None
    assert found.similar.pairs == 190


def test_wilson_interval() -> None:
    low, high = wilson_interval(95, 100)
    assert (low, high) == pytest.approx((0.888, 0.978), abs=2e-3)
    assert wilson_interval(10, 10)[1] == 1
