import numpy as np
import pytest

from models.bundle import Drift
from models.evaluation import Mode, cosine_drift, drift_of, recall_lost
from tests.models.evaluation.shops import unit


def test_drift_and_recall_lost() -> None:
    random = np.random.default_rng(0)
    rows = unit(random.normal(size=(50, 8)).tolist())
    assert recall_lost(rows, rows) == 0
    assert cosine_drift(rows, rows) == pytest.approx(0, abs=1e-6)
    moved = unit((rows + random.normal(size=rows.shape)).tolist())
    assert recall_lost(rows, moved) > 0.1
    assert cosine_drift(rows, moved) > 0.1


@pytest.mark.parametrize(("apart", "lost"), [(5e-4, 0.0), (1e-2, 1 / 3)])
def test_rows_that_tie_are_as_good_as_one_another(apart: float, lost: float) -> None:
    first, second = [0.6, 0.8, 0.0], [0.6 - apart, 0.0, (1 - (0.6 - apart) ** 2) ** 0.5]
    rows = unit([[1.0, 0.0, 0.0], first, second])
    turned = rows.copy()
    turned[0] = unit([[1.0, -0.01, 0.02]])[0]  # nearer to the second
    assert recall_lost(rows, turned, k=1) == pytest.approx(lost)


def test_the_worst_input_counts_and_what_cannot_be_told_is_too_far() -> None:
    random = np.random.default_rng(0)
    rows = unit(random.normal(size=(50, 8)).tolist())
    moved = unit((rows + random.normal(size=rows.shape)).tolist())
    lacking, most = rows.copy(), Drift(cosine_p999=2, recall_at_10_lost=1)
    lacking[11:] = 0  # too few photos to tell by them
    reference: dict[Mode, np.ndarray] = {"i": lacking, "t": rows, "m": rows}
    assert drift_of(reference, {"i": moved, "t": rows, "m": rows}).tolerable
    assert drift_of(reference, {"i": rows, "t": rows, "m": moved}).cosine_p999 == cosine_drift(rows, moved)
    assert drift_of(reference, {"i": rows, "t": rows, "m": rows * np.float32(np.nan)}) == most
    assert drift_of({"i": lacking}, {"i": lacking}) == most
