"""What came of an experiment: rates by arm, how sure they are, and whether the experiment itself can be trusted.

Who was answered under an arm is one of its users, from the log of searches; what they did comes from the events of
those very answers. Users are the units. Somebody who was answered under two arms is left out and counted. Anybody can
tell of a click on anything: one on what its answer did not show counts for nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from service.events import files
from service.events.recorder import MAX_SHOWN
from service.experiments.arms import Experiment
from service.experiments.statistics import Comparison, Numbers, Rate, compare, rate, sample_ratio_p

METRICS: Final = ("ctr", "conversion", "purchases")
"""Answers with a click on what they showed over answers; users who bought over users; purchases over users."""
CURRENCIES: Final = 8
"""Of a report; purchases in others count, but not what they brought."""
SAMPLE_RATIO_P: Final = 0.001
SLOWER: Final = 1.2
"""An arm whose 95th percentile of time is over so many times the control's fails a guard-rail."""
MORE_ERRORS: Final = 0.005
"""So does one whose share of failures is so much higher, and surely is."""
MUCH_OF_ONE: Final = 0.1
"""So does one with a user who has more than this share of its answers, where there are `MANY_USERS`: a crawler."""
MANY_USERS: Final = 100
_Z_ERRORS: Final = 2.576
"""Of a p-value of 0.01."""


@dataclass(frozen=True, slots=True)
class ArmReport:
    """What came of one arm; `compared` with the control's by metric, empty for the control itself."""

    arm: str
    share: float
    users: int
    answers: int
    clicks: int
    purchases: int
    rates: Mapping[str, Rate]
    compared: Mapping[str, Comparison]
    p50_ms: float
    p95_ms: float
    failures: Rate
    guards: Sequence[str]
    daily_ctr: Sequence[tuple[str, float]]
    values: Mapping[str, "Value"]
    """What purchases brought, by the currencies that most of them of the experiment are in."""


@dataclass(frozen=True, slots=True)
class Value:
    """What the purchases of one arm brought in a currency: in all, for each user, and compared with the control's."""

    total: float
    rate: Rate
    compared: Comparison | None


@dataclass(frozen=True, slots=True)
class Report:
    """What came of an experiment; `sample_ratio_p` tells whether users were shared out as they should be."""

    experiment: str
    control: str
    started_at: datetime
    stopped_at: datetime | None
    made_at: datetime
    arms: Sequence[ArmReport]
    sample_ratio_p: float
    mixed_users: int
    nobodys_answers: int

    @property
    def warnings(self) -> list[str]:
        """What speaks against the experiment, or an arm."""
        found = []
        if self.sample_ratio_p < SAMPLE_RATIO_P:
            times = 1 / max(self.sample_ratio_p, 1e-12)
            found.append(
                f"Sample ratio: so uneven numbers of users come by chance once in {times:,.0f} times. Something "
                "sends them to one arm, or loses them; trust no rate before that is found."
            )
        return found + [f"{arm.arm}: {guard}" for arm in self.arms for guard in arm.guards]


def report(data: Path, experiment: Experiment) -> Report:
    """The report on what has become files until now; see `events.erasing.file_all`."""
    root = data / "events"
    since = experiment.started_at.astimezone(UTC).date()
    mine = pc.field("experiment") == experiment.name
    searches = files.read(root, "searches", since, ["request_id", "user_id", "arm", "took_ms", "status", "time"], mine)
    columns = ["event_id", "type", "request_id", "product_id", "value", "currency"]
    events = files.read(root, "events", since, columns, mine & (pc.field("type") != "impression"))
    clicks = events.filter(pc.equal(events["type"], "click"))
    clicked = mine & pc.field("request_id").isin(pc.unique(clicks["request_id"]))
    shown = files.read(root, "searches", since, ["request_id", "shown"], clicked)
    table = _Table(searches, events, _clicked(clicks, shown), experiment)
    control = table.arm(experiment.control, None)
    arms = [control, *(table.arm(name, control) for name in list(experiment.arms)[1:])]
    return Report(
        experiment=experiment.name,
        control=experiment.control,
        started_at=experiment.started_at,
        stopped_at=experiment.stopped_at,
        made_at=datetime.now(UTC),
        arms=arms,
        sample_ratio_p=sample_ratio_p([arm.users for arm in arms], list(experiment.shares.values())),
        mixed_users=table.mixed,
        nobodys_answers=table.nobodys,
    )


class _Table:
    """Answers and what was done with them, as numbers by user and arm."""

    def __init__(self, searches: pa.Table, events: pa.Table, clicked: set[str], experiment: Experiment) -> None:
        self._experiment = experiment
        self._all = searches
        named = searches.filter(pc.is_valid(searches["user_id"]))
        self.nobodys = len(searches) - len(named)
        users = named.group_by("user_id").aggregate([("arm", "count_distinct"), ("arm", "min")])
        is_mixed = pc.greater(users["arm_count_distinct"], 1)
        self.mixed = len(users.filter(is_mixed))
        self._users = users.filter(pc.invert(is_mixed))
        """Also those whose every request failed: without them, an arm that fails would look better."""
        answered = pc.and_(pc.equal(named["status"], 200), pc.is_in(named["user_id"], self._users["user_id"]))
        named = named.filter(answered)
        # of events and answers one each, however often they were written
        once = events.group_by("event_id").aggregate(
            [(name, "min") for name in ("type", "request_id", "value", "currency")]
        )
        self._answers = named.group_by("request_id").aggregate([("user_id", "min"), ("arm", "min"), ("time", "min")])
        self._clicked = clicked
        self._bought = _purchases(once)
        self._brought = _values(once)

    def arm(self, name: str, control: ArmReport | None) -> ArmReport:
        """One arm, compared with the control where there is one already."""
        answers = self._answers.filter(pc.equal(self._answers["arm_min"], name))
        ids = answers["request_id"].to_pylist()
        clicked = np.array([request in self._clicked for request in ids], np.float64)
        bought = np.array([self._bought.get(request, 0) for request in ids], np.float64)
        own = self._users.filter(pc.equal(self._users["arm_min"], name))["user_id"]
        code = pc.index_in(answers["user_id_min"], own).to_numpy().astype(np.int64)
        users = len(own)

        def by_user(values: Numbers) -> Numbers:
            return np.bincount(code, values, users).astype(np.float64)

        one, seen, purchases = np.ones(users), by_user(np.ones(len(ids))), by_user(bought)
        rates = {
            "ctr": rate(by_user(clicked), seen),
            "conversion": rate((purchases > 0).astype(np.float64), one),
            "purchases": rate(purchases, one),
        }
        asked = self._all.filter(pc.equal(self._all["arm"], name))
        times = asked.filter(pc.equal(asked["status"], 200))["took_ms"].to_numpy()
        p50, p95 = np.percentile(times, [50, 95]).tolist() if len(times) else (math.nan, math.nan)
        failures = _failures(asked)
        return ArmReport(
            arm=name,
            share=self._experiment.shares[name],
            users=users,
            answers=len(ids),
            clicks=int(clicked.sum()),
            purchases=int(bought.sum()),
            rates=rates,
            compared={metric: compare(control.rates[metric], rates[metric]) for metric in METRICS} if control else {},
            p50_ms=p50,
            p95_ms=p95,
            failures=failures,
            guards=(*_crowding(seen), *(_guards(control, p95, failures) if control else ())),
            daily_ctr=_daily(answers, clicked),
            values={
                currency: _value(
                    by_user(np.array([brought.get(request, 0.0) for request in ids], np.float64)),
                    control.values[currency] if control else None,
                )
                for currency, brought in self._brought.items()
            },
        )


def _clicked(clicks: pa.Table, shown: pa.Table) -> set[str]:
    """The answers that have a click on what they showed; of a long one not all that it showed is kept."""
    products = dict(zip(shown["request_id"].to_pylist(), shown["shown"].to_pylist(), strict=True))
    found = set()
    for request, product in zip(clicks["request_id"].to_pylist(), clicks["product_id"].to_pylist(), strict=True):
        of_answer = products.get(request, ())
        if product in of_answer or len(of_answer) >= MAX_SHOWN:
            found.add(request)
    return found


def _purchases(events: pa.Table) -> dict[str, int]:
    """How many each answer has."""
    some = events.filter(pc.equal(events["type_min"], "purchase"))
    some = some.group_by("request_id_min").aggregate([("event_id", "count")])
    return dict(zip(some["request_id_min"].to_pylist(), some["event_id_count"].to_pylist(), strict=True))


def _values(events: pa.Table) -> dict[str, dict[str, float]]:
    """By currency what the purchases of each answer brought; the currency of most purchases first."""
    paid = events.filter(pc.is_valid(events["value_min"])).group_by(["currency_min", "request_id_min"])
    sums = paid.aggregate([("value_min", "sum"), ("event_id", "count")])
    often = sums.group_by("currency_min").aggregate([("event_id_count", "sum")])
    often = often.sort_by([("event_id_count_sum", "descending"), ("currency_min", "ascending")])
    found: dict[str, dict[str, float]] = {name: {} for name in often["currency_min"].to_pylist()[:CURRENCIES]}
    for row in sums.to_pylist():
        if row["currency_min"] in found:
            found[row["currency_min"]][row["request_id_min"]] = row["value_min_sum"]
    return found


def _value(by_user: Numbers, control: Value | None) -> Value:
    own = rate(by_user, np.ones(len(by_user)))
    return Value(float(by_user.sum()), own, compare(control.rate, own) if control else None)


def _failures(asked: pa.Table) -> Rate:
    """The share of requests that the service failed, not their callers: 5xx and 429; by user where they are known."""
    status = asked["status"].to_numpy()
    failed = ((status >= 500) | (status == 429)).astype(np.float64)
    user = pc.fill_null(asked["user_id"], "").combine_chunks().dictionary_encode()
    code, users = user.indices.to_numpy(zero_copy_only=False).astype(np.int64), len(user.dictionary)
    return rate(
        np.bincount(code, failed, users).astype(np.float64), np.bincount(code, minlength=users).astype(np.float64)
    )


def _crowding(answers: Numbers) -> list[str]:
    """Whether one user's answers outweigh those of many; `answers` is [users]."""
    total = answers.sum()
    share = float(answers.max() / total) if len(answers) >= MANY_USERS and total else 0.0
    if share <= MUCH_OF_ONE:
        return []
    return [f"one user has {share:.0%} of its answers and sways its rates. Send no user_key for crawlers and monitors."]


def _guards(control: ArmReport, p95_ms: float, failures: Rate) -> list[str]:
    """What an arm costs."""
    found = []
    if p95_ms > SLOWER * control.p95_ms:
        found.append(f"slower: 95 % within {p95_ms:.1f} ms, {control.p95_ms:.1f} ms under {control.arm}.")
    more = failures.value - control.failures.value
    error = math.hypot(failures.error, control.failures.error)
    if more > MORE_ERRORS and more > _Z_ERRORS * error:
        found.append(f"more failures: {failures.value:.2%}, {control.failures.value:.2%} under {control.arm}.")
    return found


def _daily(answers: pa.Table, clicked: Numbers) -> list[tuple[str, float]]:
    """The share of answers with a click, day by day."""
    if not len(answers):
        return []
    days = pc.strftime(answers["time_min"], "%Y-%m-%d").combine_chunks().dictionary_encode()
    code = days.indices.to_numpy(zero_copy_only=False)
    shares = np.bincount(code, clicked) / np.bincount(code)
    return sorted(zip(days.dictionary.to_pylist(), shares.tolist(), strict=True))


def as_json(made: Report) -> dict[str, Any]:
    """The report for machines; what is not known is null."""
    plain: dict[str, Any] = _plain(asdict(made))
    return {**plain, "warnings": made.warnings}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
