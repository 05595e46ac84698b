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
