"""From which scores on products are the same, by a bundle's thresholds."""

import pytest

from catalogue.variants import SameFrom
from models import StandInEncoders
from models.bundle import Threshold, Thresholds
from service.models import same_from


def at(score: float) -> Threshold:
    return Threshold(score=score, precision=0.95, interval=(0.9, 1.0), pairs=100)


@pytest.mark.parametrize(
    ("calibrated", "same"),
    [
        (Thresholds(same_style=at(0.8), similar=at(0.6)), SameFrom(0.8, 0.6)),
        (Thresholds(same_style=at(0.8), similar=at(0.9)), SameFrom(0.8, 0.8)),
        (Thresholds(same_style=at(0.8)), SameFrom(0.8, 0.8)),
        (Thresholds(similar=at(0.6)), None),
    ],
)
def test_one_gtin_never_asks_for_more_likeness(calibrated: Thresholds, same: SameFrom | None) -> None:
    embedder = StandInEncoders()
    embedder.thresholds = {"m-m": calibrated}
    assert same_from(embedder) == same


def test_pairs_of_modes_have_their_own_where_it_is_as_precise() -> None:
    embedder = StandInEncoders()
    rough = Threshold(score=0.5, precision=0.78, interval=(0.6, 0.9), pairs=46)
    embedder.thresholds = {
        "m-m": Thresholds(same_style=at(0.8)),
        "t-m": Thresholds(same_style=at(0.7)),
        "i-i": Thresholds(same_style=at(0.85)),
        "i-t": Thresholds(same_style=rough),
        "t-t": Thresholds(similar=at(0.6)),
    }
    same = same_from(embedder)
    assert same is not None
    assert [same.of("m", "m"), same.of("t", "m"), same.of("i", "i")] == [0.8, 0.7, 0.85]
    assert [same.of("i", "t"), same.of("t", "t")] == [0.8, 0.8]
    assert [same.least("t"), same.least("i"), same.least("m")] == [0.7, 0.8, 0.8]
