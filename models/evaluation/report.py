"""Figures as plain data for machines, and the comparison of several bundles."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models.bundle import ModePair, Thresholds
from models.evaluation.bootstrap import Scores, paired
from models.evaluation.data import EvaluationData
from models.evaluation.run import Measured
from models.tuning import Tuned


@dataclass(frozen=True, slots=True)
class BundleFigures:
    """One bundle and what was measured of it.

    `before` and `calibrated` are its thresholds where they were set anew, `tuned` its weights.
    """

    label: str
    path: str
    fingerprint: str
    variant: str
    licence: str
    measured: Measured
    before: Mapping[ModePair, Thresholds] = field(default_factory=dict)
    calibrated: Mapping[ModePair, Thresholds] = field(default_factory=dict)
    tuned: Tuned | None = None


def gains(data: EvaluationData, first: Measured, other: Measured) -> dict[ModePair, Scores]:
    """By how much `other` is better than `first` in each mode pair that both have, on the queries both answer."""
    found = {
        pair: paired(other.ranks[pair], ranks, data.truth.clusters)
        for pair, ranks in first.ranks.items()
        if pair in other.ranks
    }
    return {pair: gain for pair, gain in found.items() if gain is not None}


def as_json(data: EvaluationData, left_out: list[str], bundles: list[BundleFigures]) -> dict[str, Any]:
    """Everything that was measured. Intervals are 95 %, bootstrapped over styles."""
    return {
        "source": str(data.source),
        "products": len(data.products),
        "queries": len(data.truth.own),
        "left_out": left_out,
        "bundles": [_bundle(figures) for figures in bundles],
        "compared_with_first": [
            {"bundle": figures.label, "modes": _each(gains(data, bundles[0].measured, figures.measured))}
            for figures in bundles[1:]
        ],
    }


def scores_json(scores: Scores) -> dict[str, Any]:
    """The figures of one task, rounded to four places."""
    figures: dict[str, Any] = {"queries": scores.queries, "mrr": _figure(scores.mrr, scores.mrr_interval)}
    figures |= {f"recall@{k}": _figure(value, scores.recall_interval[k]) for k, value in scores.recall.items()}
    return figures


def _bundle(figures: BundleFigures) -> dict[str, Any]:
    measured = figures.measured
    content: dict[str, Any] = {
        "name": figures.label,
        "path": figures.path,
        "fingerprint": figures.fingerprint,
        "variant": figures.variant,
        "licence": figures.licence,
        "modes": _each(measured.modes),
        "modes_with_poor_photos": _each(measured.poor),
        "m-m_gains_over": _each(measured.fusion),
        "categories": {name: _each(scores) for name, scores in measured.categories.items()},
        "composed": _each(measured.composed),
        "composed_gains_over": _each(measured.composed_gain),
    }
    if figures.calibrated:
        content["thresholds"] = {pair: both.model_dump(mode="json") for pair, both in figures.calibrated.items()}
    if (tuned := figures.tuned) is not None:
        content["weights"] = {
            "photo_before": tuned.before,
            "photo_after": tuned.after,
            "written": tuned.is_better,
            "gain": scores_json(tuned.gain),
            "tried": {str(weight): round(mrr, 4) for weight, mrr in tuned.tried.items()},
        }
    return content


def _each(scores: Mapping[Any, Scores]) -> dict[str, Any]:
    return {str(name): scores_json(one) for name, one in scores.items()}


def _figure(value: float, interval: tuple[float, float]) -> dict[str, Any]:
    return {"value": round(value, 4), "interval": [round(interval[0], 4), round(interval[1], 4)]}
