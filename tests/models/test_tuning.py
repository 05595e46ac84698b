import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.errors import InvalidInput
from models.embedder import Vectors
from models.evaluation.modes import Mode
from models.evaluation.ranking import of_styles
from models.tuning import fused, tune, weight_of


def unit(rows: np.ndarray) -> Vectors:
    made: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return made


def shop(noise_of_photos: float, noise_of_texts: float, weight: float, styles: int = 60) -> dict[Mode, Vectors]:
    """Two listings of each style, whose photos and texts resemble each other more or less."""
    random = np.random.default_rng(1)
    parts: dict[Mode, Vectors] = {}
    modes: tuple[tuple[Mode, float, int], ...] = (("i", noise_of_photos, 0), ("t", noise_of_texts, 24))
    for mode, noise, start in modes:
        rows = np.zeros((2 * styles, 48))
        rows[:, start : start + 24] = np.repeat(random.normal(size=(styles, 24)), 2, axis=0)
        rows[:, start : start + 24] += noise * random.normal(size=(2 * styles, 24))
        parts[mode] = unit(rows)
    parts["m"] = np.ones_like(parts["i"])
    parts["m"] = fused(parts, weight)
    return parts


STYLES = np.repeat(np.arange(60), 2)


def test_the_better_half_of_a_product_weighs_more() -> None:
    tuned = tune(shop(0.4, 3.0, 0.3), of_styles(STYLES))
    assert tuned.before == 0.3
    assert tuned.after > 0.5
    assert tuned.is_better
    assert tuned.tried[tuned.after] == max(tuned.tried.values())
    assert tune(shop(3.0, 0.4, 0.7), of_styles(STYLES)).after < 0.5


def test_where_nothing_is_gained_the_weight_stays() -> None:
    tuned = tune(shop(0.1, 0.1, 0.5), of_styles(STYLES))
    assert tuned.after == tuned.before == 0.5
    assert not tuned.is_better


def test_a_gain_that_may_be_chance_is_none() -> None:
    tuned = tune(shop(1.2, 1.4, 0.4), of_styles(STYLES))
    assert tuned.after != tuned.before
    assert tuned.gain.mrr_interval[0] < 0 < tuned.gain.mrr
    assert not tuned.is_better


@settings(max_examples=20, deadline=None)
@given(st.floats(0.05, 0.95))
def test_the_weight_is_read_from_vectors(weight: float) -> None:
    assert weight_of(shop(1, 1, weight, styles=5)) == pytest.approx(weight, abs=2e-3)


def test_products_without_one_of_them_do_not_count() -> None:
    gallery = shop(0.4, 3.0, 0.3)
    for mode in ("i", "m"):
        gallery[mode][:20] = 0
    assert tune(gallery, of_styles(STYLES)).after > 0.5
    assert not fused(gallery, 0.5)[:20].any()


def test_too_few_queries_are_refused() -> None:
    gallery = {mode: rows[:30] for mode, rows in shop(1, 1, 0.5).items()}
    with pytest.raises(InvalidInput, match="Give more pairs"):
        tune(gallery, of_styles(STYLES[:30]))


def test_vectors_that_are_no_sum_are_refused() -> None:
    gallery = shop(1, 1, 0.5)
    gallery["m"] = unit(np.random.default_rng(0).normal(size=gallery["m"].shape))
    with pytest.raises(InvalidInput, match="none to tune"):
        tune(gallery, of_styles(STYLES))
    gallery["m"][:] = 0
    with pytest.raises(InvalidInput, match="nothing to weigh"):
        tune(gallery, of_styles(STYLES))
