"""The shipped bundle on the demo catalogue's held-out styles: a change that costs recall must not pass unseen.

python -m tests.models.test_demo_recall            # prints the figures
python -m tests.models.test_demo_recall --record   # and makes them the recorded ones
"""

import json
import sys
from pathlib import Path

import pytest

from catalogue.files import write_atomic
from models import Encoders
from models.bundle import ModePair
from models.evaluation import MODE_PAIRS, Scores
from models.export.demo import held_out_scores, read_listings
from tests.models.bundles import ROOT, SHIPPED

RECORDED = Path(__file__).with_name("demo_recall.json")
NOT_GATED = {"i-t", "t-i"}  # photo and text have separate dimensions in this bundle: chance
ALLOWED_DROP = 0.02


def measure(encoders: Encoders) -> dict[ModePair, Scores]:
    return held_out_scores(encoders, *read_listings(ROOT / "catalogue" / "demo" / "products.jsonl"))


@pytest.fixture(scope="module")
def measured(encoders: Encoders) -> dict[ModePair, Scores]:
    return measure(encoders)


@pytest.mark.parametrize("pair", MODE_PAIRS)
def test_recall_at_5_has_not_dropped(measured: dict[ModePair, Scores], pair: ModePair) -> None:
    recorded = json.loads(RECORDED.read_text())[pair]["recall@5"]
    found = measured[pair].recall[5]
    print(f"{pair}: recall@5 {found:.3f}, recorded {recorded:.3f}")
    if pair not in NOT_GATED:
        assert found >= recorded - ALLOWED_DROP


def main() -> None:
    scores = measure(Encoders.load(SHIPPED))
    figures = {
        pair: {"recall@1": round(score.recall[1], 4), "recall@5": round(score.recall[5], 4), "mrr": round(score.mrr, 4)}
        for pair, score in scores.items()
    }
    for pair, figure in figures.items():
        print(pair, *(f"{name} {value:.2f}" for name, value in figure.items()), sep="  ")
    if "--record" in sys.argv:
        write_atomic(RECORDED, (json.dumps(figures, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
