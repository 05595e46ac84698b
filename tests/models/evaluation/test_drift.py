import numpy as np
import pytest

from models.evaluation import cosine_drift, recall_lost
from tests.models.evaluation.shops import unit


def test_drift_and_recall_lost() -> None:
    random = np.random.default_rng(0)
    rows = unit(random.normal(size=(50, 8)).tolist())
    assert recall_lost(rows, rows) == 0
    assert cosine_drift(rows, rows) == pytest.approx(0, abs=1e-6)
    moved = unit((rows + random.normal(size=rows.shape)).tolist())
    assert recall_lost(rows, moved) > 0.1
    assert cosine_drift(rows, moved) > 0.1
