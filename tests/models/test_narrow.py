"""A space of fewer dimensions, and what is said to be lost by it."""

from typing import cast

import numpy as np
import pytest

from models.embedder import Embedder, Vectors
from models.evaluation.modes import Mode
from models.tuning import fused

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize("weight", [0.5, 0.9])
def test_a_turn_alone_loses_nothing_whatever_the_photo_weighs(weight: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of photos that tell styles, and texts that do not."""
    from models.export.narrow import Narrow

    random, count = np.random.default_rng(0), 400
    styles = random.normal(size=(count // 2, 16)).repeat(2, axis=0)
    rows = {"i": styles + 0.3 * random.normal(size=styles.shape), "t": random.normal(size=styles.shape)}
    full: dict[Mode, Vectors] = {
        cast("Mode", mode): (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
        for mode, made in rows.items()
    }
    full["m"] = fused(full | {"m": full["i"]}, weight)
    monkeypatch.setattr("models.export.narrow.embed_modes", lambda *_: full)
    narrow = Narrow(16, [b""] * count, ["a"] * count, [str(row // 2) for row in range(count)])
    _, lost = narrow.fit(cast("Embedder", None), weight)
    assert lost["m-m: recall@10 before"] > 0.2
    assert max(value for name, value in lost.items() if name.endswith("lost")) < 0.01
