"""Experiments: who sees which arm, where it is told, and what is said of it, on simulated shops and real requests."""

import json
import math
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from typer.testing import CliRunner

from catalogue.errors import Conflict, ExperimentsInvalid, InvalidInput, NotFound
from catalogue.settings import Settings
from index.aliases import activate
from models import StandInEncoders
from service.build import build
from service.cli import app
from service.events import files
from service.events.recorder import MAX_SHOWN
from service.experiments import arms
from service.experiments.page import page
from service.experiments.report import CURRENCIES, as_json, report
from service.experiments.statistics import POWER, Rate, chi_square_p, compare, rate, sample_ratio_p
from tests.service.conftest import client_of
from tests.service.test_api_events import send
from tests.service.test_api_products import get
from tests.service.test_api_search import search
from tests.waiting import wait_until

USERS = 4_000


class Shop:
    """Simulated users: how many answers each sees, and how inclined each is to click."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def clicks(self, users: int, uplift: float = 0.0) -> tuple[Any, Any]:
        """Clicked answers and answers of each user; who searches a lot clicks less often."""
        answers = 1 + self.random.poisson(self.random.gamma(1.0, 3.0, users))
        inclined = self.random.beta(2, 12, users) * (1 + uplift) / np.sqrt(answers)
        return self.random.binomial(answers, inclined).astype(np.float64), answers.astype(np.float64)


class TestStatistics:
    def test_a_thousand_comparisons_of_equal_arms_find_no_more_than_their_share(self) -> None:
        shop = Shop(1)
        found = [compare(rate(*shop.clicks(USERS // 4)), rate(*shop.clicks(USERS // 4))).p < 0.05 for _ in range(1_000)]
        assert np.mean(found) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1_000)
        assert np.mean(found) >= 0.05 - 3 * math.sqrt(0.05 * 0.95 / 1_000)

    def test_a_known_uplift_is_found_at_the_stated_power_and_lies_in_the_intervals(self) -> None:
        shop = Shop(2)
        whole = shop.clicks(200_000)
        control = rate(*whole)
        stated = compare(
            Rate(control.value, control.error * math.sqrt(200_000 / USERS), USERS),
            Rate(control.value, control.error * math.sqrt(200_000 / USERS), USERS),
        ).detectable
        assert 0.02 < stated < 0.3
        runs = [compare(rate(*shop.clicks(USERS)), rate(*shop.clicks(USERS, stated))) for _ in range(400)]
        power = np.mean([run.p < 0.05 and run.uplift > 0 for run in runs])
        assert abs(power - POWER) < 3 * math.sqrt(POWER * (1 - POWER) / 400) + 0.02
        covered = np.mean([run.interval[0] <= stated <= run.interval[1] for run in runs])
        assert covered >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / 400)

    @given(st.floats(0.001, 1), st.floats(0.001, 1), st.floats(0.0001, 0.3), st.floats(0.0001, 0.3))
    def test_the_interval_leaves_out_0_where_p_says_so(self, one: float, other: float, wide: float, far: float) -> None:
        found = compare(Rate(one, wide * one, 100), Rate(other, far * other, 100))
        low, high = found.interval
        assert low <= found.uplift <= high
        if abs(found.p - 0.05) > 1e-6:
            assert (low <= 0 <= high) == (found.p > 0.05)

    def test_a_rate_hardly_above_0_bounds_no_ratio(self) -> None:
        found = compare(Rate(0.001, 0.001, 100), Rate(0.02, 0.005, 100))
        assert found.p < 0.05
        assert math.isnan(found.interval[0])

    def test_searches_as_units_would_find_what_is_not_there(self) -> None:
        """Why users are the units: a few who search all day are not many shoppers."""
        random = np.random.default_rng(3)

        def clicks() -> tuple[Any, Any]:
            answers = np.where(random.random(500) < 0.05, 200, 2).astype(np.float64)
            return random.binomial(answers.astype(int), random.beta(1, 4, 500)).astype(np.float64), answers

        by_user = by_answer = 0
        for _ in range(300):
            one, other = clicks(), clicks()
            by_user += compare(rate(*one), rate(*other)).p < 0.05
            errors = [
                Rate(r.value, math.sqrt(r.value * (1 - r.value) / n.sum()), 500)
                for r, n in ((rate(*one), one[1]), (rate(*other), other[1]))
            ]
            by_answer += compare(*errors).p < 0.05
        assert by_user < 0.12 * 300 < by_answer

    @pytest.mark.parametrize(
        ("statistic", "freedom", "p"),
        [(3.841459, 1, 0.05), (5.991465, 2, 0.05), (7.814728, 3, 0.05), (11.344867, 3, 0.01), (14.067140, 7, 0.05),
         (0.0, 1, 1.0)],
    )  # fmt: skip
    def test_the_tail_of_chi_square(self, statistic: float, freedom: int, p: float) -> None:
        assert chi_square_p(statistic, freedom) == pytest.approx(p, abs=1e-6)

    def test_uneven_numbers_of_users_are_seen(self) -> None:
        assert sample_ratio_p([5_000, 5_100], [0.5, 0.5]) > 0.1
        assert sample_ratio_p([5_000, 5_500], [0.5, 0.5]) < 1e-5
        assert sample_ratio_p([900, 100], [0.9, 0.1]) == 1.0
        assert sample_ratio_p([0, 0], [0.5, 0.5]) == 1.0

    def test_too_few_say_nothing(self) -> None:
        few = rate(np.ones(10), np.ones(10))
        assert math.isnan(compare(few, few).uplift)
        assert compare(few, few).p == 1.0
        assert math.isnan(rate(np.zeros(0), np.zeros(0)).value)
        none = rate(np.zeros(100), np.ones(100))
        assert compare(none, rate(np.ones(100), np.ones(100))).p == 1.0


class TestAssignment:
    def test_users_are_shared_out_by_weight_and_stay(self, tmp_path: Path) -> None:
        begun = arms.start(tmp_path, "one", {"live": 3, "next": 1})
        seen = [begun.arm_of(f"user-{number}").name for number in range(20_000)]
        assert seen == [begun.arm_of(f"user-{number}").name for number in range(20_000)]
        assert sample_ratio_p([seen.count("live"), seen.count("next")], [0.75, 0.25]) > 0.001
        arms.stop(tmp_path)
        again = arms.start(tmp_path, "two", {"live": 3, "next": 1})
        both = sum(again.arm_of(f"user-{n}").name == name == "next" for n, name in enumerate(seen))
        assert abs(both / 20_000 - 1 / 16) < 0.01  # nobody is in the same arm for having been in it before

    @given(weights=st.lists(st.floats(0.001, 1_000), min_size=2, max_size=8), user=st.text(max_size=10))
    def test_whatever_the_weights_everybody_has_an_arm(self, weights: list[float], user: str) -> None:
        names = {f"a{n}": weight for n, weight in enumerate(weights)}
        begun = arms.Experiment(name="x", number=7, salt="12345678", arms=names, started_at=datetime.now(UTC))
        arm = begun.arm_of(user.encode("utf-8", "replace").decode())
        assert arm.name in names
        table = arms.ExperimentTable(experiments=(begun,))
        assert table.arm_of(arm.code, time.time_ns() // 10**6) == arm

    def test_a_code_means_something_only_while_its_experiment_ran(self, tmp_path: Path) -> None:
        code = arms.start(tmp_path, "one", {"live": 1, "next": 1}).arm("next").code
        now = time.time_ns() // 10**6
        table = arms.read_experiments(tmp_path)
        assert table.arm_of(code, now) == arms.Arm("one", "next", code)
        assert table.arm_of(code, now - 10**7) is table.arm_of(0, now) is table.arm_of(code | 15, now) is None
        arms.stop(tmp_path)
        assert arms.read_experiments(tmp_path).arm_of(code, now + 10**7) is None

    def test_mistakes(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound):
            arms.stop(tmp_path)
        for name, weights in (("a b", {"live": 1, "next": 1}), ("x", {"live": 1}), ("x", {"live": 0, "next": 1})):
            with pytest.raises(InvalidInput):
                arms.start(tmp_path, name, weights)
        arms.start(tmp_path, "x", {"live": 1, "next": 1})
        with pytest.raises(Conflict, match="Stop it first"):
            arms.start(tmp_path, "y", {"live": 1, "next": 1})
        arms.stop(tmp_path)
        with pytest.raises(Conflict, match="another name"):
            arms.start(tmp_path, "x", {"live": 1, "next": 1})
        for number in range(20):
            arms.start(tmp_path, f"n{number}", {"live": 1, "next": 1})
            arms.stop(tmp_path)
        numbers = [each.number for each in arms.read_experiments(tmp_path).experiments]
        assert len(set(numbers)) == len(numbers) == arms.MAX_KEPT
        (tmp_path / arms.FILE).write_text('{"experiments": 3}')
        with pytest.raises(ExperimentsInvalid, match="Correct it"):
            arms.read_experiments(tmp_path)


@pytest.fixture
def two(own_shop: Settings, embedder: StandInEncoders) -> Settings:
    """The shop with a second snapshot, which `next` points at."""
    (own_shop.data.parent / "rows.jsonl").write_text(
        "".join(json.dumps({"product_id": f"acme-{n:02d}", "title": f"mug {n}"}) + "\n" for n in range(12))
    )
    build(own_shop.data.parent / "rows.jsonl", own_shop.data, "shop-2", embedder, decode_threads=1)
    activate(own_shop.data, "live", "shop-1")
    return own_shop


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["experiment", *words], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.stdout


class TestServed:
    def test_the_arm_is_in_answers_ids_pages_turns_tabs_and_metrics(
        self, two: Settings, embedder: StandInEncoders
    ) -> None:
        with client_of(two, embedder) as api:
            self._point_next(api)
            assert search(api, text="mug", user_key="u-1")["arm"] is None
            run("start", "first", "--arm", "live=1", "--arm", "next=1", "--data", str(two.data))
            wait_until(lambda: search(api, text="mug", user_key="u-1")["arm"] is not None)
            seen, answers = {}, []
            for number in range(40):
                user = f"u-{number}"
                answer = search(api, text="mug", user_key=user, k=2)
                seen[user] = answer["arm"]
                answers.append(answer)
                snapshot = {"live": "shop-1", "next": "shop-2"}[answer["arm"]]
                others = [
                    search(api, product_id="acme-03", user_key=user),
                    search(api, cursor=answer["next_cursor"]),
                    api.post("/v1/search/refine", json={"cursor": answer["refine_cursor"], "text": "lamp"}).json(),
                    get(api, "/v1/products/acme-03/similar", user_key=user),
                ]
                for each in (answer, *others):
                    assert (each["arm"], each["alias"], each["snapshot"]) == (answer["arm"], answer["arm"], snapshot)
            assert set(seen.values()) == {"live", "next"}
            assert search(api, text="mug")["arm"] is None  # nobody's
            assert search(api, text="mug", user_key="u-1", alias="next")["arm"] is None  # who chooses is in none
            event = {"event_id": "e", "type": "click", "request_id": answer["request_id"], "product_id": "acme-03"}
            assert send(api, event)["accepted"] == 1
            for modality in ("text", "product"):  # of which one is a tab
                labels = {"arm": "next", "modality": modality}
                assert (REGISTRY.get_sample_value("samestyle_search_seconds_count", labels) or 0) >= 5
            run("stop", "--data", str(two.data))
            wait_until(lambda: search(api, text="mug", user_key="u-1")["arm"] is None)
            assert search(api, text="mug", user_key="u-1")["snapshot"] == "shop-1"
            under_next = next(answer for answer in answers if answer["arm"] == "next")
            later = api.post("/v1/search/refine", json={"cursor": under_next["refine_cursor"], "text": "lamp"}).json()
            assert (later["arm"], later["alias"], later["snapshot"]) == (None, "live", "shop-1")
            page = search(api, cursor=under_next["next_cursor"])  # where it began, but under no arm
            assert (page["arm"], page["snapshot"]) == (None, "shop-2")
        run("report", "--data", str(two.data))
        (kept,) = files.read(
            two.data / "events", "events", datetime.now(UTC).date().replace(day=1), ["experiment", "arm"], _ALL
        ).to_pylist()
        assert kept == {"experiment": "first", "arm": seen["u-39"]}

    def test_an_arm_whose_alias_is_not_served_falls_back(self, two: Settings, embedder: StandInEncoders) -> None:
        arms.start(two.data, "first", {"live": 1, "nowhere": 1_000})
        with client_of(two, embedder) as api:
            answers = [search(api, text="mug", user_key=f"u-{number}") for number in range(20)]
        assert {answer["arm"] for answer in answers} <= {None, "live"}
        assert {answer["snapshot"] for answer in answers} == {"shop-1"}

    def test_a_file_that_cannot_be_read_changes_nothing_and_is_told(
        self, two: Settings, embedder: StandInEncoders
    ) -> None:
        with client_of(two, embedder) as api:
            self._point_next(api)
            arms.start(two.data, "first", {"live": 1, "next": 1})
            wait_until(lambda: search(api, text="mug", user_key="u-1")["arm"] is not None)
            (two.data / arms.FILE).write_text("{")
            wait_until(lambda: api.get("/readyz").json()["status"] == "degraded")
            assert "experiments" in api.get("/readyz").json()["reasons"][0]
            assert search(api, text="mug", user_key="u-1")["arm"] is not None

    def _point_next(self, api: TestClient) -> None:
        assert api.put("/admin/v1/aliases/next", json={"snapshot": "shop-2"}).status_code == 200


class TestReport:
    @pytest.fixture
    def data(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """3,000 users; `next` brings 40 % more clicks, is slower, and fails now and then.

        Who sees what is the same each time: an interval of 95 % misses the truth one time in twenty.
        """
        monkeypatch.setattr("service.experiments.arms.secrets.token_hex", lambda _: "5a17" * 4)
        begun = arms.start(tmp_path, "first", {"live": 1, "next": 1})
        random, now = np.random.default_rng(5), time.time_ns() // 10**6
        arm_price = {"live": 3.0, "next": 4.5}
        searches: list[tuple[Any, ...]] = []
        events: list[tuple[Any, ...]] = []
        for number in range(3_000):
            user = f"{number:032x}"
            arm = begun.arm_of(user).name
            for turn in range(1 + random.poisson(2)):
                request, failed = f"r-{number}-{turn}", arm == "next" and random.random() < 0.05
                took = random.gamma(4, 3 if arm == "next" else 2)
                asked = (request, now, "search", None, "mug", 0, user, '["p"]', "s", "first", arm, took)
                searches.append((*asked, 503 if failed else 200))
                if not failed and random.random() < (0.28 if arm == "next" else 0.2):
                    for kind in ("click", *(("purchase",) if random.random() < 0.3 else ())):
                        paid = (arm_price[arm], "EUR") if kind == "purchase" else (None, None)
                        event = (f"{kind}-{request}", kind, now, "p", None, user, None, request, 1, "first", arm, now)
                        events += [event + paid, event + paid]  # written twice, counted once
        events += [
            (f"odd-{at}", "purchase", now, "p", None, None, None, "r-0-0", 1, "first", "live", now, 7.0, f"X{at:02}")
            for at in range(CURRENCIES + 1)
        ]
        mixed = (f"r-mixed-{at}" for at in range(2))
        searches += [
            (name, now, "search", None, "mug", 0, "mixed", "[]", "s", "first", arm, 1.0, 200)
            for name, arm in zip(mixed, ("live", "next"), strict=True)
        ]
        searches.append(("r-nobody", now, "page", None, None, 0, None, "[]", "s", "first", "live", 1.0, 200))
        files.write(tmp_path / "events", "searches", "a", searches)
        files.write(tmp_path / "events", "events", "a", events)
        return tmp_path

    def test_what_is_there_is_found(self, data: Path) -> None:
        made = report(data, arms.read_experiments(data).get(None))
        live, other = made.arms
        assert live.users + other.users == 3_000
        assert (made.mixed_users, made.nobodys_answers) == (1, 1)
        assert made.sample_ratio_p > 0.001
        assert live.rates["ctr"].value == pytest.approx(0.2, abs=0.02)
        assert live.clicks == round(live.rates["ctr"].value * live.answers)
        against = other.compared["ctr"]
        assert against.p < 1e-6
        assert against.interval[0] < 0.4 < against.interval[1]
        assert other.compared["conversion"].uplift > 0
        assert [("slower" in guard, "failures" in guard) for guard in other.guards] == [(True, False), (False, True)]
        assert live.guards == ()
        assert [*live.values] == [*other.values] == ["EUR", *(f"X{at:02}" for at in range(CURRENCIES - 1))]
        brought = other.values["EUR"]
        assert brought.total == pytest.approx(4.5 * (other.purchases - CURRENCIES - 1))
        assert brought.rate.value == pytest.approx(brought.total / other.users)
        assert brought.compared is not None
        assert brought.compared.p < 1e-6
        assert brought.compared.interval[0] < 1.4 * 1.5 - 1 < brought.compared.interval[1]
        assert live.values["EUR"].compared is None
        assert (live.values["X00"].total, other.values["X00"].total) == (0.0, 7.0)
        assert 0.03 < other.failures.value < 0.07

    def test_a_click_on_what_was_not_shown_counts_for_nothing(self, tmp_path: Path) -> None:
        begun = arms.start(tmp_path, "first", {"live": 1, "next": 1})
        now, user = time.time_ns() // 10**6, "0" * 32
        many = [f"p-{number}" for number in range(MAX_SHOWN)]  # of a longer answer no more is kept
        shown = {"r-1": (["p", "q"], "q"), "r-2": (["p", "q"], "elsewhere"), "r-3": (many, "p-500"), "r-4": ([], "p")}
        searches = [
            (name, now, "search", None, "mug", 0, user, json.dumps(products), "s", "first", "live", 1.0, 200)
            for name, (products, _) in shown.items()
        ]
        clicks = [
            (f"e-{name}", "click", now, product, None, user, None, name, 1, "first", "live", now, None, None)
            for name, (_, product) in shown.items()
        ]
        files.write(tmp_path / "events", "searches", "a", searches)
        files.write(tmp_path / "events", "events", "a", clicks)
        live = report(tmp_path, begun).arms[0]
        assert (live.answers, live.clicks) == (4, 2)

    @pytest.mark.parametrize(("users", "most", "told"), [(200, 10, False), (200, 40, True), (50, 40, False)])
    def test_a_user_of_very_many_answers_is_told_of(self, tmp_path: Path, users: int, most: int, told: bool) -> None:
        begun, now = arms.start(tmp_path, "first", {"live": 1, "next": 1}), time.time_ns() // 10**6
        searches = [
            (
                f"r-{number}-{turn}",
                now,
                "search",
                None,
                "mug",
                0,
                f"{number:032x}",
                "[]",
                "s",
                "first",
                "live",
                1.0,
                200,
            )
            for number in range(users)
            for turn in range(1 if number else most)
        ]
        files.write(tmp_path / "events", "searches", "a", searches)
        crowded = [warning for warning in report(tmp_path, begun).warnings if "one user has" in warning]
        assert crowded == (
            ["live: one user has 17% of its answers and sways its rates. Send no user_key for crawlers and monitors."]
            if told
            else []
        )

    def test_as_a_table_as_json_and_as_a_page(self, data: Path, tmp_path: Path) -> None:
        said = run("report", "first", "--data", str(data), "--html", str(tmp_path / "report.html"))
        for text in ("ctr", "conversion", "next", "EUR", "Sample ratio: p ="):
            assert text in said
        machine = json.loads(run("report", "--data", str(data), "--json"))
        bought = machine["arms"][1]["rates"]["purchases"]["value"]
        assert f" {bought:.4f} │" in said  # of one user there may be several
        assert machine == json.loads(json.dumps(machine, allow_nan=False))
        assert machine["arms"][1]["compared"]["ctr"]["p"] < 1e-6
        assert len(machine["warnings"]) == 2
        assert machine["arms"][1]["values"]["EUR"]["compared"]["p"] < 1e-6
        assert machine["arms"][1]["values"]["X00"]["compared"]["uplift"] is None
        written = (tmp_path / "report.html").read_text()
        assert written.count("<svg") == 4
        assert "Value of purchases for each user, in EUR" in written
        assert "http" not in written
        assert "<script" not in written

    def test_of_an_experiment_nobody_has_seen(self, tmp_path: Path) -> None:
        begun = arms.start(tmp_path, "first", {"live": 1, "next": 1})
        made = report(tmp_path, begun)
        assert [arm.users for arm in made.arms] == [0, 0]
        assert as_json(made)["arms"][1]["compared"]["ctr"]["uplift"] is None
        assert "Too few users" in page(made)

    def test_commands_say_what_is_wrong(self, tmp_path: Path) -> None:
        for words, says in (
            (("start", "x", "--arm", "live=1", "--arm", "nowhere=1"), "There is no alias nowhere"),
            (("start", "x", "--arm", "live=1"), "at least two arms"),
            (("start", "x", "--arm", "live=1", "--arm", "live=1"), "given twice"),
            (("start", "x", "--arm", "live=much"), "neither an alias nor"),
            (("stop",), "No experiment runs"),
            (("report",), "There is no experiment"),
        ):
            result = CliRunner().invoke(app, ["experiment", *words, "--data", str(tmp_path)])
            assert result.exit_code == 1
            assert says in " ".join(result.stderr.split())
        assert "There is no experiment" in run("show", "--data", str(tmp_path))


_ALL: Any = pc.scalar(True)
