"""What is measured, on what, and the tables it makes."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from models.bundle import Device

ROOT: Final = Path(__file__).parents[2]
_PEAKS: Final[Mapping[str, tuple[float, float]]] = {
    "H200": (989e12, 4.8e12),
    "H100 PCIe": (756e12, 2.0e12),
    "H100 NVL": (835e12, 3.9e12),
    "H100": (989e12, 3.35e12),
    "A100-SXM4-80GB": (312e12, 2.04e12),
    "A100 80GB PCIe": (312e12, 1.94e12),
    "A100-SXM4-40GB": (312e12, 1.56e12),
    "A100-PCIE-40GB": (312e12, 1.56e12),
    "L40S": (362e12, 0.86e12),
    "L4": (121e12, 0.3e12),
    "A10": (125e12, 0.6e12),
    "T4": (65e12, 0.32e12),
}
"""By whole words of a card's name: the L40 is no L4, and the GH200 no H200."""


def peak_of(card: str) -> tuple[float, float] | None:
    """Dense float16 operations and bytes of memory a second, as a card's maker states them; None for one not known."""
    return next((peak for name, peak in _PEAKS.items() if re.search(rf"\b{name}\b", card)), None)


@dataclass(frozen=True)
class Setting:
    """What is measured, and on what."""

    device: Device
    tiny: bool
    rows: int
    gpus: int
    """How many the index is spread over."""
    peak: tuple[float, float] | None
    work: Path
    """Where catalogues are kept between runs."""

    @property
    def seconds(self) -> float:
        """How long each figure is measured for."""
        return 0.05 if self.tiny else 0.6

    @property
    def batches(self) -> tuple[int, ...]:
        """Batch sizes of everything that is timed."""
        return (1, 2) if self.tiny else (1, 8, 32, 64, 128)


@dataclass
class Report:
    """Printed as it grows, and kept for a file: a run that is cut off keeps what it has."""

    lines: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    keep: Callable[[], None] = lambda: None
    """Called after every line."""
    _printed: tuple[str, ...] = ()
    """The section and the columns of the last line."""

    def row(self, section: str, **cells: Any) -> None:
        """One line of a section's table; sections may take turns."""
        if self._printed[:1] != (section,):
            print(f"\n## {section}\n")
        if self._printed != (section, *cells):
            print("| " + " | ".join(cells) + " |\n|" + " --- |" * len(cells))
        self._printed = (section, *cells)
        print("| " + " | ".join(_shown(value) for value in cells.values()) + " |", flush=True)
        self._add(section, cells)

    def skip(self, section: str, why: str) -> None:
        """A section that cannot run here, or a part of it."""
        print(f"\n## {section}\n\nnot run: {why}", flush=True)
        self._printed = ()
        self._add(section, {"skipped": why})

    def _add(self, section: str, cells: dict[str, Any]) -> None:
        self.lines.setdefault(section, []).append(cells)
        self.keep()


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def rate(work: Callable[[], Any], items: int, setting: Setting) -> float:
    """Items a second."""
    for _ in range(3):
        work()
    started, done = time.perf_counter(), 0
    while (took := time.perf_counter() - started) < setting.seconds or done < 3:
        work()
        done += 1
    return items * done / took


def share(rate: float, setting: Setting, of: int) -> float:
    """Of the card's peak: 0 operations, 1 bytes; not a number where the card is not known."""
    return rate / setting.peak[of] if setting.peak is not None else float("nan")
