"""The game day: one thing after the other breaks under load, and is mended; `-s` prints rows of docs/reliability.md.

Searches 25 times a second, all new to the cache, a writer, and events, all the time. A Prometheus for which a minute is
a second tells which alert fires.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from index.aliases import activate
from tests.e2e.conftest import Gateway
from tests.e2e.crashes import SmallDisk, build_shop, require_small_disks
from tests.e2e.game_day import (
    ENOUGH,
    Alerts,
    Callers,
    FakedClock,
    Fault,
    check_nothing_lost,
    event_of,
    metric,
    slow_clients,
)
from tests.e2e.test_durability import get, point
from tests.servers.postgres import Postgres
from tests.servers.process import free_port
from tests.servers.valkey import Valkey
from tests.waiting import wait_until

pytestmark = pytest.mark.heavy

CALM_S, BROKEN_S = 2.5, 4.0
DAY_S = 86_400
SLOW = {"SamestyleLatencyBudgetBurn"}
"""What may fire on a machine that is busy with other things."""
ALL_WELL = {200}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_shop(tmp_path_factory.mktemp("shop"))


def game(
    gateway: Gateway,
    name: str,
    break_it: Callable[[], object],
    mend_it: Callable[[], object],
    *,
    events: Path,
    tells: Callable[[], bool],
    alert: str | None,
    scraped: int | None = None,
) -> Fault:
    """Break something under load, see that the gateway tells and the alert fires, mend it.

    Nothing acknowledged may be lost: events are looked for in their folder. Without an alert, none may fire.
    """
    with Alerts(gateway.folder, scraped or gateway.port) as alerts, Callers(gateway) as callers:
        time.sleep(CALM_S)  # what callers see before
        began = time.perf_counter()
        break_it()
        wait_until(tells, seconds=20)
        if alert is not None:
            wait_until(lambda: alert in alerts.firing(), seconds=30)
        fired_s = time.perf_counter() - began
        time.sleep(max(0.0, BROKEN_S - (time.perf_counter() - began)))
        fired = sorted(alerts.firing() - SLOW)
        mend_it()
        mended = time.perf_counter()
        wait_until(lambda: httpx.get(f"{gateway.url}/readyz", timeout=30).json()["status"] == "ready", seconds=30)
        time.sleep(CALM_S)  # and after, on a busy machine for longer
        wait_until(lambda: min(len(callers.acknowledged), len(callers.acknowledged_events)) > ENOUGH, seconds=60)
    told = ", ".join(f"`{each}`" for each in fired) + f" after {fired_s:.1f} s" if fired else "none"
    fault = Fault(name, began, mended, callers, told)
    print(f"\n{fault.row()}")
    assert fault.before.statuses.keys() == {200}
    assert fault.before.write_statuses.keys() == {200}
    assert fault.before.event_statuses.keys() == {200}
    assert fired == [] if alert is None else alert in fired
    check_nothing_lost(gateway, callers, events)
    return fault


def test_redis_is_killed_and_comes_back(shop: Path, tmp_path: Path, valkey: Valkey) -> None:
    data = copy_of_shop(shop, tmp_path)
    with Gateway(data, CACHE__REDIS_URL=valkey.url) as gateway:
        fault = game(
            gateway,
            "Redis killed",
            valkey.kill,
            valkey.start,
            events=data / "events",
            tells=lambda: metric(gateway, "samestyle_redis_state") == 2,
            alert="SamestyleRedisCircuitOpen",
        )
        assert fault.search_statuses == fault.write_statuses == fault.event_statuses == ALL_WELL
        wait_until(lambda: metric(gateway, "samestyle_redis_state") == 0, seconds=10)


def test_postgresql_is_restarted_amid_writes(
    shop: Path, tmp_path: Path, postgres: str, postgres_server: Postgres
) -> None:
    data = copy_of_shop(shop, tmp_path)
    with Gateway(data, JOURNAL=postgres) as gateway:
        fault = game(
            gateway,
            "PostgreSQL killed",
            postgres_server.kill,
            postgres_server.start,
            events=data / "events",
            tells=lambda: get(gateway, "/readyz")["status"] == "degraded",
            alert="SamestyleJournalLag",
        )
        assert fault.search_statuses == fault.event_statuses == ALL_WELL
        assert fault.write_statuses <= {200, 503}
        assert fault.recovery_s < 5


def test_the_disk_is_full(shop: Path, tmp_path: Path) -> None:
    require_small_disks()
    (tmp_path / "disk").mkdir()
    with SmallDisk(shop, tmp_path / "disk", megabytes=14) as gateway:
        filler: list[Path] = []

        def writes_are_refused() -> bool:
            answer = httpx.put(
                f"{gateway.url}/v1/products/large", json={"title": "x", "description": "y" * 9_000}, timeout=30
            )
            return answer.status_code == 503

        fault = game(
            gateway,
            "disk full: of all data",
            lambda: filler.append(gateway.fill()),
            lambda: filler.pop().unlink(),
            events=gateway.mount / "events",
            tells=writes_are_refused,
            alert="SamestyleErrorBudgetBurn",
        )
        assert fault.search_statuses == ALL_WELL
        assert fault.write_statuses | fault.event_statuses <= {200, 503}
        assert fault.recovery_s < 2
        assert point(gateway, "one").status_code == 200


def test_the_disk_of_events_is_full(shop: Path, tmp_path: Path) -> None:
    """A volume of its own: products are written as ever, and what was told of shoppers before it was full stays."""
    require_small_disks()
    data, empty = copy_of_shop(shop, tmp_path), tmp_path / "empty"
    empty.mkdir()
    (data / "events").mkdir()
    settings = {"EVENTS__FILE_S": "1"}  # so that files have no room either
    with SmallDisk(empty, data / "events", megabytes=8, data=data, **settings) as gateway:
        filler: list[Path] = []
        request_id = httpx.post(f"{gateway.url}/v1/search", json={"text": "mug"}, timeout=30).json()["request_id"]

        def events_are_refused() -> bool:
            many = [event_of(f"large-{number}", request_id, query="y" * 900) for number in range(1_000)]
            return httpx.post(f"{gateway.url}/v1/events", json={"events": many}, timeout=30).status_code == 503

        fault = game(
            gateway,
            "disk full: of events",
            lambda: filler.append(gateway.fill()),
            lambda: filler.pop().unlink(),
            events=gateway.mount,
            tells=lambda: events_are_refused() and get(gateway, "/readyz")["status"] == "degraded",
            alert="SamestyleEventsNotKept",
        )
        assert fault.search_statuses == fault.write_statuses == ALL_WELL
        assert fault.event_statuses <= {200, 503}
        assert fault.recovery_s < 2
        assert metric(gateway, "samestyle_search_log_dropped_total") == 0


def test_the_clock_jumps(shop: Path, tmp_path: Path) -> None:
    """A day ahead, then two days back."""
    data = copy_of_shop(shop, tmp_path)
    with FakedClock(data) as gateway:

        def day() -> str:
            return httpx.get(f"{gateway.url}/livez", timeout=30).headers["date"][:16]

        today = day()
        page = httpx.post(f"{gateway.url}/v1/search", json={"text": "mug", "k": 2}, timeout=30).json()
        fault = game(
            gateway,
            "clock a day ahead, then a day behind",
            lambda: gateway.jump(DAY_S),
            lambda: gateway.jump(-DAY_S),
            events=data / "events",
            tells=lambda: day() != today,
            alert=None,
        )
        assert fault.search_statuses == fault.write_statuses == ALL_WELL
        later_than_itself = fault.meanwhile.event_statuses[400] + fault.after.event_statuses[400]
        assert fault.event_statuses <= {200, 400}
        assert later_than_itself <= 1  # of an answer before the jump, told after it
        answer = httpx.post(f"{gateway.url}/v1/search", json={"cursor": page["next_cursor"]}, timeout=30)
        assert answer.status_code == 200, answer.text


def test_the_service_is_killed_and_started_again(shop: Path, tmp_path: Path) -> None:
    data = copy_of_shop(shop, tmp_path)
    with Gateway(data) as gateway:
        fault = game(
            gateway,
            "`kill -9` of the service, started again",
            gateway.kill,
            gateway.start,
            events=data / "events",
            tells=lambda: True,
            alert="SamestyleNotReady",
        )
        assert fault.search_statuses <= {200, 0}
        assert fault.recovery_s < 10


def test_a_corrupt_snapshot_is_activated(shop: Path, tmp_path: Path) -> None:
    """By hand, so that nothing but the gateway can refuse it."""
    data = copy_of_shop(shop, tmp_path)
    vectors = data / "snapshots" / "one" / "vectors" / "fusion.npy"
    content = bytearray(vectors.read_bytes())
    content[-100] ^= 1
    vectors.write_bytes(content)
    with Gateway(data, INDEX__WATCH_S="0.2") as gateway:
        assert point(gateway, "one").status_code == 409
        fault = game(
            gateway,
            "a corrupt snapshot activated",
            lambda: activate(data, "live", "one", served="two"),
            lambda: activate(data, "live", "two"),
            events=data / "events",
            tells=lambda: metric(gateway, "samestyle_aliases_refused") == 1,
            alert="SamestyleAliasRefused",
        )
        assert fault.search_statuses == fault.write_statuses == fault.event_statuses == ALL_WELL
        assert get(gateway, "/readyz")["snapshot"] == "two"


def test_an_army_of_slow_clients(shop: Path, tmp_path: Path) -> None:
    """More than there is room for: who has a connection is served, others are told at once to come again."""
    data, admin = copy_of_shop(shop, tmp_path), free_port()
    settings = {"MAX_CONNECTIONS": "200", "HEADERS_TIMEOUT_S": "2", "ADMIN_PORT": str(admin)}
    with Gateway(data, **settings) as gateway:
        army = slow_clients(gateway, 400)
        fault = game(
            gateway,
            "400 slow clients, room for 200",
            army.__enter__,
            lambda: army.__exit__(None, None, None),
            events=data / "events",
            tells=lambda: refused(gateway),
            alert=None,
            scraped=admin,
        )
        seen = fault.meanwhile.statuses + fault.after.statuses
        assert seen.keys() <= {200, 429, 0}  # some refusals are lost: the client was still sending when it was closed
        assert seen[200] > seen[429]
        assert fault.recovery_s < 5


def refused(gateway: Gateway) -> bool:
    try:
        return httpx.get(f"{gateway.url}/livez", timeout=30).status_code == 429
    except httpx.TransportError:
        return False


def copy_of_shop(shop: Path, folder: Path) -> Path:
    return Path(shutil.copytree(shop, folder / "data"))
