"""The report as one HTML page that loads nothing: tables, intervals and days drawn as SVG."""

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from service.experiments.report import METRICS, ArmReport, Report
from service.experiments.statistics import Rate

NAMES: Final = {
    "ctr": "Click-through: answers with a click, of all answers",
    "conversion": "Conversion: users who bought, of all users",
    "purchases": "Purchases for each user",
}
_COLOURS: Final = ("#0969da", "#bc4c00", "#1a7f37", "#8250df", "#bf3989", "#4d2d00", "#0a3069", "#57606a")
_STYLE: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid #8885 }
th:first-child, td:first-child { text-align: left }
svg { width: 100%; height: auto; margin: .5rem 0 1.5rem } text { fill: currentColor; font-size: 13px }
.warning { border-left: 4px solid #bc4c00; padding: .3rem .8rem; background: #bc4c0018 }
"""
_WIDTH: Final = 720
_LEFT: Final = 150
_ROW: Final = 34


def page(made: Report) -> str:
    """A whole HTML document."""
    until = f"{made.stopped_at:%Y-%m-%d %H:%M} UTC" if made.stopped_at is not None else "now"
    warnings = "".join(f'<p class="warning">{escape(text)}</p>' for text in made.warnings)
    parts = [
        f"<h1>Experiment {escape(made.experiment)}</h1>",
        f"<p>{made.started_at:%Y-%m-%d %H:%M} UTC to {until}; made {made.made_at:%Y-%m-%d %H:%M} UTC. ",
        f"The control is <b>{escape(made.control)}</b>. Intervals are of 95 %, by users.</p>",
        warnings,
        _counts(made),
    ]
    for metric in METRICS:
        parts += [f"<h2>{NAMES[metric]}</h2>", _rates(made, metric), _forest(made, metric)]
    for currency in made.arms[0].values:
        parts += [f"<h2>Value of purchases for each user, in {escape(currency)}</h2>", _values(made, currency)]
    parts += ["<h2>Click-through by day</h2>", _days(made.arms)]
    parts.append(
        f"<p>Users fit their shares with p = {made.sample_ratio_p:.3g}. {made.mixed_users:,} users of several arms and "
        f"{made.nobodys_answers:,} answers without a user are left out.</p>"
    )
    title = escape(f"Experiment {made.experiment}")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    body = "".join(parts)
    return f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body>{body}</body></html>\n'


def percent(value: float, digits: int = 2) -> str:
    """A share as people read it; a dash for what is not known."""
    return f"{value * 100:.{digits}f} %" if math.isfinite(value) else "-"


def uplift(value: float) -> str:
    """With its sign; a dash for what is not known."""
    return f"{value * 100:+.1f} %" if math.isfinite(value) else "-"


def p_value(value: float) -> str:
    """Never 0."""
    return f"{value:.4f}" if value >= 0.0001 else "< 0.0001"


def interval(value: tuple[float, float], digits: int = 1) -> str:
    """An interval of shares, with signs."""
    low, high = value
    return f"{low * 100:+.{digits}f} to {high * 100:+.{digits}f} %" if math.isfinite(low) else "-"


def _counts(made: Report) -> str:
    head = ("arm", "share", "users", "answers", "with a click", "purchases", "median ms", "95 % within ms", "failures")
    rows = [
        (
            arm.arm, percent(arm.share, 0), f"{arm.users:,}", f"{arm.answers:,}", f"{arm.clicks:,}",
            f"{arm.purchases:,}", f"{arm.p50_ms:.1f}", f"{arm.p95_ms:.1f}", percent(arm.failures.value),
        )
        for arm in made.arms
    ]  # fmt: skip
    return _table(head, rows)


def _rates(made: Report, metric: str) -> str:
    rows = []
    for arm in made.arms:
        own, against = arm.rates[metric], arm.compared.get(metric)
        row = [arm.arm, rate(own, metric)]
        if against is None:
            row += ["control", "", ""]
        else:
            row += [uplift(against.uplift), interval(against.interval), p_value(against.p)]
        rows.append((*row, percent(against.detectable, 1) if against is not None else ""))
    return _table(("arm", "rate", "uplift", "95 % interval", "p", "found in 4 of 5 from"), rows)


def _values(made: Report, currency: str) -> str:
    rows = []
    for arm in made.arms:
        own = arm.values[currency]
        row = [arm.arm, money(own.total), money(own.rate.value)]
        if own.compared is None:
            rows.append((*row, "control", "", "", ""))
        else:
            against = own.compared
            row += [uplift(against.uplift), interval(against.interval), p_value(against.p)]
            rows.append((*row, percent(against.detectable, 1)))
    return _table(("arm", "in all", "for each user", "uplift", "95 % interval", "p", "found in 4 of 5 from"), rows)


def money(value: float) -> str:
    """A sum as people read it; a dash for what is not known."""
    return f"{value:,.2f}" if math.isfinite(value) else "-"


def rate(found: Rate, metric: str) -> str:
    """A share as one; purchases for each user, of which there may be several, as a number."""
    return f"{found.value:.4f}" if metric == "purchases" and math.isfinite(found.value) else percent(found.value)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _forest(made: Report, metric: str) -> str:
    """Uplifts and their intervals around 0."""
    known = [arm for arm in made.arms if arm.compared and math.isfinite(arm.compared[metric].interval[0])]
    if not known:
        return "<p>Too few users to compare.</p>"
    reach = max(0.01, *(abs(end) for arm in known for end in arm.compared[metric].interval)) * 1.1
    height = _ROW * len(known) + 30

    def x(value: float) -> float:
        return _LEFT + (value + reach) / (2 * reach) * (_WIDTH - _LEFT - 20)

    parts = [f'<line x1="{x(0):.1f}" x2="{x(0):.1f}" y1="4" y2="{height - 22}" stroke="#888" stroke-dasharray="4 3"/>']
    parts += [
        f'<text x="{x(end):.1f}" y="{height - 6}" text-anchor="middle">{end * 100:+.1f} %</text>'
        for end in (-reach / 1.1, 0.0, reach / 1.1)
    ]
    for at, arm in enumerate(known):
        against, y = arm.compared[metric], _ROW * at + _ROW / 2
        colour = _colour(made, arm)
        low, high = (x(end) for end in against.interval)
        parts.append(f'<text x="0" y="{y + 4:.1f}">{escape(arm.arm[:20])}</text>')
        parts.append(f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="3"/>')
        parts.append(f'<circle cx="{x(against.uplift):.1f}" cy="{y}" r="6" fill="{colour}"/>')
    return _svg(height, f"Uplift of {metric} with its interval, by arm", parts)


def _days(arms: Sequence[ArmReport]) -> str:
    """A line for each arm."""
    days = sorted({day for arm in arms for day, _ in arm.daily_ctr})
    if not days:
        return "<p>No answers yet.</p>"
    top = max(0.01, *(value for arm in arms for _, value in arm.daily_ctr)) * 1.1
    height = 240

    def at(day: str, value: float) -> tuple[float, float]:
        step = (_WIDTH - _LEFT - 20) / max(1, len(days) - 1)
        return _LEFT + days.index(day) * step, (height - 40) * (1 - value / top) + 10

    parts = [
        f'<text x="{_LEFT}" y="{height - 8}">{days[0]}</text>',
        f'<text x="{_WIDTH - 20}" y="{height - 8}" text-anchor="end">{days[-1] if len(days) > 1 else ""}</text>',
        f'<text x="{_LEFT - 8}" y="20" text-anchor="end">{percent(top, 1)}</text>',
    ]
    for number, arm in enumerate(arms):
        colour = _COLOURS[number % len(_COLOURS)]
        points = [at(day, value) for day, value in arm.daily_ctr]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        parts.append(f'<circle cx="6" cy="{46 + 20 * number}" r="5" fill="{colour}"/>')
        parts.append(f'<text x="18" y="{50 + 20 * number}">{escape(arm.arm[:18])}</text>')
    return _svg(height, "Share of answers with a click, by day and arm", parts)


def _colour(made: Report, arm: ArmReport) -> str:
    return _COLOURS[list(made.arms).index(arm) % len(_COLOURS)]


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    label = escape(title, quote=True)
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
