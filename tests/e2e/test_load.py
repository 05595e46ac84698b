"""The real process under more than it can do, and under a mix of everything; scaled, with no tight clocks."""

import json
import subprocess
from pathlib import Path
from statistics import median

import httpx
import pytest
import uvloop

from bench import soak
from bench.gateway.queries import Kind, Source
from bench.load import closed_loop, open_loop_for, rate
from bench.process import serving
from tests.e2e.conftest import SAMESTYLE, Gateway
from tests.servers.process import free_port
from tests.waiting import wait_until


@pytest.mark.heavy
@pytest.mark.parametrize("kind", ["text", "image"])
def test_five_times_too_much_is_refused_quickly_and_over_at_once(own_demo: Path, kind: Kind) -> None:
    requests = Source().requests(kind)
    with Gateway(own_demo) as server:
        calm = uvloop.run(closed_loop(server.port, requests, clients=16, seconds=3))
        assert {answer.status for answer in calm} == {200}
        peak = rate(calm)
        under = uvloop.run(open_loop_for(server.port, requests, rate=5 * peak, seconds=5, most=900))
        served = [answer for answer in under if answer.status == 200]
        refused = [answer.since_sent for answer in under if answer.status == 429]
        assert {answer.status for answer in under} <= {200, 429, 504}
        assert len(refused) > len(under) / 2
        assert rate(served) > peak / 3  # measured properly by `samestyle bench gateway`
        assert median(refused) < median(answer.since_sent for answer in served) / 2
        wait_until(lambda: httpx.get(f"{server.url}/readyz", timeout=30).status_code == 200, seconds=30)
        after = uvloop.run(closed_loop(server.port, requests, clients=4, seconds=2))
        assert {answer.status for answer in after} == {200}


@pytest.mark.heavy
def test_all_routes_side_by_side_and_nothing_fails(own_demo: Path) -> None:
    with serving(own_demo, free_port(), **soak.FULL_SOON) as gateway:
        outcome = soak.soak(gateway, 2_000)
    # So few do not warm everything up: how flat memory stays is for the whole soak.
    assert [fault for fault in outcome.faults if "memory" not in fault] == []
    assert outcome.growth < 0.25
    answered = {kind for kind, status in outcome.answers if status == 200}
    assert {kind for kind, _ in outcome.answers} - answered == {"photo by url", "bad"}
    assert all(400 <= status < 500 for kind, status in outcome.answers if kind == "bad")
    assert outcome.answers["photo by url", 400] == sum(
        count for (kind, _), count in outcome.answers.items() if kind == "photo by url"
    )


@pytest.mark.heavy
def test_the_bench_finds_equal_answers_and_measures(own_demo: Path) -> None:
    command = [SAMESTYLE, "bench", "gateway", "--data", str(own_demo), "--seconds", "0.5", "--json"]
    command += ["--only", "answers", "--only", "cpu", "--only", "cached"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    steps = json.loads(ran.stdout)["steps"]
    assert [row["value"] for row in steps["answers"]] == [1, 1, 1]
    assert len(steps["cpu"]) == 4
    assert all(row["value"] > 0.1 for rows in steps.values() for row in rows)
