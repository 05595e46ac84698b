"""Figures of an evaluation as tables on the terminal."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.table import Column, Table

from service.cli.common import err, print_table

if TYPE_CHECKING:
    from models.bundle import ModePair
    from models.evaluation import Scores
    from models.evaluation.data import EvaluationData
    from models.evaluation.report import BundleFigures

_CATEGORIES_SHOWN: Final = 20
_SCORE: Final = ".3f"
_GAIN: Final = "+.3f"
"""With its sign."""
_BY_CATEGORY: Final[tuple["ModePair", ...]] = ("m-m", "i-i", "t-t")


def print_evaluation(data: "EvaluationData", left_out: list[str], found: "list[BundleFigures]") -> None:
    """What was measured as tables, and what was left out."""
    from models.evaluation.report import gains  # noqa: PLC0415

    for line in left_out:
        err.print(f"Left out: {line}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    for figures in found:
        measured = figures.measured
        title = f"{figures.label}: {len(data.truth.own):,} queries among {len(data.products):,} products"
        _print_scores(title, "mode", measured.modes)
        _print_scores("with poor photos", "mode", measured.poor)
        _print_scores("what m-m gains over", "", measured.fusion, _GAIN)
        _print_categories(measured.categories)
        _print_scores("photo and words, among products", "query", measured.composed)
        _print_scores("what photo and words gain over", "", measured.composed_gain, _GAIN)
        _print_thresholds(figures)
        _print_weights(figures)
    for figures in found[1:]:
        gained = gains(data, found[0].measured, figures.measured)
        _print_scores(f"what {figures.label} gains over {found[0].label}", "mode", gained, _GAIN)


def _print_weights(figures: "BundleFigures") -> None:
    """What the photo weighs now, and what that gains where it was not chosen."""
    if (tuned := figures.tuned) is None:
        return
    told = "" if tuned.is_better else "; no gain is certain, so no bundle was written"
    title = f"photo weighs {tuned.after:g} instead of {tuned.before:g} of 1 (chosen on {tuned.queries:,} queries){told}"
    _print_scores(title, "on the other half", {"m-m gains": tuned.gain}, _GAIN)


def _print_scores(
    title: str, first: str, scores: "Mapping[ModePair, Scores] | Mapping[str, Scores]", number: str = _SCORE
) -> None:
    """A row for each task, with intervals; nothing for no task."""
    if scores:
        table = _table(title, first)
        for name, one in scores.items():
            table.add_row(escape(name), *_cells(one, number))
        print_table(table)


def _print_categories(categories: "Mapping[str, Mapping[ModePair, Scores]]") -> None:
    """The largest categories in the mode that has most of the product."""
    if len(categories) < 2:
        return
    pair: ModePair = next((pair for pair in _BY_CATEGORY if any(pair in one for one in categories.values())), "m-m")
    table = _table(f"{pair} by category", "category")
    rows = [(name, one[pair]) for name, one in categories.items() if pair in one]
    for name, scores in rows[:_CATEGORIES_SHOWN]:
        table.add_row(escape(name), *_cells(scores))
    print_table(table)
    if len(rows) > _CATEGORIES_SHOWN:
        err.print(f"The {_CATEGORIES_SHOWN} largest of {len(rows):,} categories; --json has them all.")


def _print_thresholds(figures: "BundleFigures") -> None:
    """Before and after a calibration."""
    if not figures.calibrated:
        return
    columns = ("mode", "kind", "before", "after", "precision", "pairs")
    table = Table(*columns, title=f"thresholds of {escape(figures.label)}", title_justify="left")
    for pair, after in figures.calibrated.items():
        for kind in ("same_style", "similar"):
            old, new = getattr(figures.before.get(pair), kind, None), getattr(after, kind)
            table.add_row(
                pair,
                kind.replace("_", "-"),
                "none" if old is None else f"{old.score:.4f}",
                *(("none", "", "") if new is None else (f"{new.score:.4f}", f"{new.precision:.3f}", f"{new.pairs:,}")),
            )
    print_table(table)
    err.print(
        f"Written into {figures.path}/config.json. The model card there still shows the thresholds of its export.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _table(title: str, first: str) -> Table:
    figures = [Column(name, justify="right") for name in ("queries", "MRR", "recall@1", "@5", "@10", "@20")]
    return Table(first, *figures, title=escape(title), title_justify="left")


def _cells(scores: "Scores", number: str = _SCORE) -> list[str]:
    cells = [_cell(scores.mrr, scores.mrr_interval, number)]
    cells += [_cell(value, scores.recall_interval[k], number) for k, value in scores.recall.items()]
    return [f"{scores.queries:,}", *cells]


def _cell(value: float, interval: tuple[float, float], number: str) -> str:
    """The value and its interval, without leading zeros, so that a row fits 120 columns."""
    value_, low, high = (re.sub(r"\b0\.", ".", f"{one:{number}}") for one in (value, *interval))
    return escape(f"{value_} [{low}, {high}]")
