"""What `samestyle bench gateway` prints."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table


def show(found: Mapping[str, Any], out: Console) -> None:
    """One table: what was measured, what is asked, whether it is met, and the figures behind it."""
    about = found["about"]
    out.print(f"{about['date']} UTC, {about['machine']}, {about['products']:,} products ({about['snapshot']})")
    loads = " to ".join(f"{about[f'load_at_{when}'][0]:.1f}" for when in ("start", "end"))
    out.print(f"load average {loads}; {about['seconds']:g} s a measurement")
    table = Table("", "measured", "asked", "met", "figures")
    for rows in found["steps"].values():
        for row in rows:
            table.add_row(row["name"], _value(row["value"], row["unit"]), _asked(row), _met(row), row["detail"])
        table.add_section()
    out.print(table)


def _value(value: float, unit: str) -> str:
    return f"{value:.2f} {unit if unit != 'share' else ''}".strip()


def _asked(row: Mapping[str, Any]) -> str:
    if row["asked"] is None:
        return ""
    return f"{'<=' if row['at_most'] else '>='} {_value(row['asked'], row['unit'])}"


def _met(row: Mapping[str, Any]) -> str:
    return {True: "yes", False: "NO", None: ""}[row["is_met"]]
