"""What pair mining may be told, and what it does by default."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias

from catalogue.threads import available_cores

Window: TypeAlias = Literal["session", "query"]
"""What two products must share: one visit of one shopper, or one query within it."""

ACTIONS: Final[Mapping[str, int]] = {"click": 1, "cart": 1, "purchase": 1}
SCALE: Final = 10_000
"""Relevance is counted in whole 1/10,000, so that sums do not depend on the order of rows."""


@dataclass(frozen=True, slots=True)
class Options:
    """How pairs are mined; 0 switches a constraint off."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """The log's column for user, session, query, product, time, action; those not named are found by usual names."""
    time_format: str | None = None
    """As of strptime; by default ISO 8601, 20261126, or seconds to nanoseconds since 1970."""
    actions: Mapping[str, int] = field(default_factory=lambda: ACTIONS)
    """Which actions count, and how much: a window counts as much as the lesser of what was done to the two."""
    window: Window = "session"
    minutes: int = 30
    """A user without session ids has a new session after so long without an action."""
    max_products: int = 30
    """Windows of more products are nobody's choice (crawlers) and are left out."""
    min_weight: int = 2
    min_association: float = 0.1
    """Windows with both over the geometric mean of the windows with each: best-sellers do not pair with everything."""
    category_level: int | None = None
    """How many levels of the category must be equal; None: the whole path, 0: none."""
    min_title: float = 0.15
    min_query: float = 0.1
    max_partners: int = 20
    sample: int = 5
    """How many kept pairs, and removed ones for each constraint, are shown."""
    seed: int = 0
    memory_bytes: int = 4_000_000_000
    threads: int = field(default_factory=available_cores)
    temporary: Path | None = None
    """Where what does not fit into memory goes; by default beside the output."""
