"""The shipped bundle on the demo catalogue's held-out styles: a change that costs recall must not pass unseen.

python -m tests.models.test_demo_recall            # prints the figures
python -m tests.models.test_demo_recall --record   # and makes them the recorded ones
"""

import io
import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from catalogue.files import write_atomic
from models import Encoders, ProductInput
from models.bundle import ModePair
from models.evaluation import MODE_PAIRS, Scores, evaluate
from models.export.demo import Listing, held_out_scores, read_listings
from tests.models.bundles import ROOT, SHIPPED

RECORDED = Path(__file__).with_name("demo_recall.json")
ALLOWED_DROP = 0.02
CATALOGUE = ROOT / "catalogue" / "demo" / "products.jsonl"

pytestmark = pytest.mark.heavy  # tests/e2e/test_gateway.py sees first that recall has dropped


def measure(encoders: Encoders) -> dict[ModePair, Scores]:
    return held_out_scores(encoders, *read_listings(CATALOGUE))


@pytest.fixture(scope="module")
def encoders() -> Encoders:
    return Encoders.load(SHIPPED)  # on all cores: this embeds the shop four times


@pytest.fixture(scope="module")
def measured(encoders: Encoders) -> dict[ModePair, Scores]:
    return measure(encoders)


@pytest.mark.parametrize("pair", MODE_PAIRS)
def test_recall_at_5_has_not_dropped(measured: dict[ModePair, Scores], pair: ModePair) -> None:
    recorded = json.loads(RECORDED.read_text())[pair]["recall@5"]
    found = measured[pair].recall[5]
    print(f"{pair}: recall@5 {found:.3f}, recorded {recorded:.3f}")
    assert found >= recorded - ALLOWED_DROP


def test_neither_trivial_nor_impossible_and_both_modalities_are_needed(measured: dict[ModePair, Scores]) -> None:
    first = {pair: measured[pair].recall[1] for pair in ("i-i", "t-t", "m-m")}
    print({pair: round(value, 3) for pair, value in first.items()})
    assert 0.25 <= first["i-i"] <= 0.85
    assert 0.25 <= first["t-t"] <= 0.85
    assert first["m-m"] >= max(first["i-i"], first["t-t"]) + 0.05


def test_colour_matters(encoders: Encoders, measured: dict[ModePair, Scores]) -> None:
    tuning, held_out = read_listings(CATALOGUE)
    gallery = encoders.embed([ProductInput(image=in_grey(listing)) for listing in [*held_out, *tuning]])
    queries = gallery.copy()
    queries[len(held_out) :] = 0  # a row of zeros is no query
    styles = [listing.style_id for listing in [*held_out, *tuning]]
    grey = evaluate({"i": queries}, {"i": gallery}, styles)["i-i"].recall[1]
    print(f"i-i recall@1 in grey {grey:.3f}, in colour {measured['i-i'].recall[1]:.3f}")
    assert grey < measured["i-i"].recall[1]


def in_grey(listing: Listing) -> bytes:
    assert listing.photo is not None
    out = io.BytesIO()
    Image.open(io.BytesIO(listing.photo)).convert("L").convert("RGB").save(out, "JPEG", quality=95)
    return out.getvalue()


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
