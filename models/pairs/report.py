"""What mining found: how many pairs each constraint removed, how right those left are, and some to look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.calibration import wilson_interval
from models.pairs.constraints import PARTNERS, Constraint, best_of_both, with_roles
from models.pairs.database import one_row
from models.pairs.options import SCALE, Options
from models.pairs.windows import WindowCounts

if TYPE_CHECKING:
    from models.pairs.database import Connection


@dataclass(frozen=True, slots=True)
class Precision:
    """The share of pairs that are one style, of those whose styles are both known; 95 % interval."""

    known: int
    share: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Step:
    """One constraint: what it removes by itself, and after those before it."""

    name: str
    setting: str
    removed_alone: int
    removed: int
    left: int
    precision: Precision | None


@dataclass(frozen=True, slots=True)
class Sample:
    """A pair to look at; `removed_by` names the first constraint against it, None where it was kept."""

    removed_by: str | None
    trigger_id: str
    recall_id: str
    trigger_title: str
    recall_title: str
    weight: int
    title_relevance: float | None
    query_relevance: float | None
    same_style: bool | None


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of one run; the same input gives the same."""

    products: int
    products_left_out: int
    columns: Mapping[str, str]
    rows: Mapping[str, int]
    windows: WindowCounts
    candidates: int
    candidates_precision: Precision | None
    steps: Sequence[Step]
    pairs: int
    products_in_pairs: int
    sample: Sequence[Sample]


def apply_partners(connection: "Connection", most: int) -> int:
    """Create `survivors`, which pass all other constraints, and `kept`; returns how many the cap alone would remove."""
    alone = 0
    if most:
        best_of_both(connection, "candidates", most)
        (alone,) = one_row(connection, "SELECT (SELECT count(*) FROM candidates) - (SELECT count(*) FROM mutual)")
    connection.execute("CREATE TABLE survivors AS SELECT * FROM candidates WHERE fails = 0")
    if most:
        best_of_both(connection, "survivors", most)
        connection.execute("CREATE TABLE kept AS SELECT s.* FROM survivors s JOIN mutual USING (one, other)")
    else:
        connection.execute("CREATE VIEW kept AS SELECT * FROM survivors")
    return int(alone)


def steps(
    connection: "Connection", chosen: Sequence[Constraint], most: int, capped_alone: int
) -> tuple[Precision | None, list[Step]]:
    """The precision of all candidates, and every constraint in its order."""
    masks = dict(connection.execute("SELECT fails, count(*) FROM candidates GROUP BY fails").fetchall())
    (kept,) = one_row(connection, "SELECT count(*) FROM kept")
    precisions = _precisions(connection, len(chosen))
    left = sum(masks.values())
    found = []
    for number, one in enumerate(chosen):
        passing = sum(count for mask, count in masks.items() if mask & (2 << number) - 1 == 0)
        alone = sum(count for mask, count in masks.items() if mask >> number & 1)
        setting = one.setting if one.is_on else _off(one.setting)
        found.append(Step(one.name, setting, alone, left - passing, passing, precisions[number + 1]))
        left = passing
    setting = f"at most {most}, each one of both products' best" if most else "off"
    found.append(Step(PARTNERS, setting, capped_alone, left - kept, kept, precisions[-1]))
    return precisions[0], found


def sample(connection: "Connection", chosen: Sequence[Constraint], options: Options) -> list[Sample]:
    """Some kept pairs, and some that each constraint removed first."""
    found = _sample(connection, "SELECT * FROM kept", None, options)
    for number, one in enumerate(chosen):
        first = f"SELECT * FROM candidates WHERE fails & {(2 << number) - 1} = {1 << number}"  # noqa: S608  # numbers of ours
        found += _sample(connection, first, one.name, options)
    return found + _sample(connection, "SELECT * FROM survivors ANTI JOIN kept USING (one, other)", PARTNERS, options)


def _off(setting: str) -> str:
    return setting if setting.startswith("none") else "off"


def _precisions(connection: "Connection", number: int) -> list[Precision | None]:
    """Of all candidates, of those left after each constraint, and of those kept."""
    counts = ", ".join(
        f"count(*) FILTER (fails & {(1 << step) - 1} = 0) AS known_{step}, "
        f"count(*) FILTER (same_style AND fails & {(1 << step) - 1} = 0) AS same_{step}"
        for step in range(number + 1)
    )
    of_styles = "JOIN products ON code = one WHERE same_style IS NOT NULL GROUP BY style"
    found = connection.execute(f"SELECT {counts} FROM candidates {of_styles}").fetchnumpy()  # noqa: S608
    kept = connection.execute(
        f"SELECT count(*) AS known, count(*) FILTER (same_style) AS same FROM kept {of_styles}"  # noqa: S608
    ).fetchnumpy()
    pairs = [(found[f"known_{step}"], found[f"same_{step}"]) for step in range(number + 1)]
    return [precision(known, same) for known, same in [*pairs, (kept["known"], kept["same"])]]


def precision(known: NDArray[np.int64], same: NDArray[np.int64]) -> Precision | None:
    """From the pairs of each style, and those of them that are one style; None where there are none.

    The pairs of one style stand or fall together, so the interval is Wilson's for as many independent pairs as would
    vary as much.
    """
    known, same = known.astype(np.float64), same.astype(np.float64)
    total, right = float(known.sum()), float(same.sum())
    if not total:
        return None
    share = right / total
    spread = float(((same - share * known) ** 2).sum()) / total**2
    alone = share * (1 - share) / total
    independent = total * min(1.0, alone / spread) if spread > 0 else min(total, float((known > 0).sum()))
    independent = max(1.0, independent)
    return Precision(int(total), round(share, 4), wilson_interval(share * independent, independent))


def _sample(connection: "Connection", pairs: str, removed_by: str | None, options: Options) -> list[Sample]:
    """Pairs drawn by the seed; the same for the same pairs."""
    rows = connection.execute(
        f"""
        SELECT a.product_id, b.product_id, a.title, b.title, weight, title_relevance / {SCALE},
          query_relevance / {SCALE}, same_style
        FROM (FROM ({with_roles(pairs)}) ORDER BY hash(one, other, $seed), one, other LIMIT $count)
          JOIN products a ON a.code = trigger_code JOIN products b ON b.code = recall_code
        ORDER BY hash(one, other, $seed), one, other""",  # noqa: S608  # tables and numbers of ours
        {"seed": options.seed, "count": options.sample},
    ).fetchall()
    return [Sample(removed_by, *row) for row in rows]
