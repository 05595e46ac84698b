"""The model card of a trained bundle."""

from collections.abc import Mapping
from dataclasses import dataclass

from models.bundle import ModePair, Thresholds
from models.evaluation import Mode, Scores
from models.export.card import drift_table, score_table, threshold_table
from models.training.config import TrainConfig


@dataclass(frozen=True, slots=True)
class CrossFigures:
    """All that the card says."""

    name: str
    licence: str
    terms: str
    config: TrainConfig
    side: int
    parity: float
    drift: Mapping[Mode, float]
    recall_lost: Mapping[Mode, float]
    scores: Mapping[ModePair, Scores]
    thresholds: Mapping[ModePair, Thresholds]
    products: int


def cross_card(figures: CrossFigures) -> str:
    """README.md of the bundle, Markdown."""
    config = figures.config
    network, losses = config.network, config.losses
    on = {
        "InfoNCE": losses.info_nce,
        "matching hinge": losses.hinge,
        "self-distinctiveness": losses.self_distinct,
        "locality consistency": losses.locality,
        "composed": losses.composed,
    }
    weights = ", ".join(f"{name} {weight:g}" for name, weight in on.items() if weight)
    return f"""---
license: other
license_name: {figures.licence}
tags: [product-retrieval, image-text]
---
# samestyle {figures.name}

Embeds product photos, texts, or both into one space of {network.width} dimensions for finding the same and similar
products. Photo and text tokens go through one transformer, so photos find texts and texts find photos.

| part | what |
| --- | --- |
| photo | EfficientNet-lite0, {figures.side} x {figures.side} pixels, {1 + network.grid**2} tokens |
| text | all-MiniLM-L6-v2, one token per word piece |
| both | {network.layers} transformer layers of width {network.width}; added to what they make of each alone |

## Data and terms
**{figures.licence}.** {figures.terms}

The two networks it started from are Apache-2.0: EfficientNet-lite0 (ImageNet-1k) and all-MiniLM-L6-v2 (pairs of
sentences).

## Training
`samestyle train`, {config.steps:,} steps of {config.rows} pairs; losses and weights: {weights}. The lowest
{network.frozen_photo_blocks} blocks of the photo network and {network.frozen_text_layers} layers of the text network
kept their weights.

## Figures
On {figures.products:,} products of styles that were not trained on (but chose among checkpoints): finding another
listing of the same style (i photo, t text, m both; query - gallery), any of them in the top k, with 95 % intervals.
Where the listings of a style share a description, as in many shops, words are flattered.

{score_table(figures.scores)}

## Thresholds
From which cosine a pair counts as the same style (shares a style) or as similar (shares a leaf category), over all
pairs of the same products: the lowest cosine with 95 % precision or, where none has that, the one with the best F0.5.
In brackets: pairs at or above it, their precision, its 95 % interval. Pairs that contradict each other (by
attributes, or in their titles) are left out of the first column: they are never the same style. Calibrate on your own
catalogue for others.

{threshold_table(figures.thresholds)}

## Precision
Large weights are stored as int8, one scale per channel, and computed with as float32, so that a vector does not depend
on its batch. These files are the reference. Before rounding, the export differs from PyTorch by at most
{figures.parity:.1e}. Rounding moved the vectors by (99.9th percentile of 1 - cos, and the share of the 10 nearest
lost):

{drift_table(figures.drift, figures.recall_lost)}

## Limits
- English texts, and products like those it was trained on; others are found less well.
- It must not be used to identify people.
"""
