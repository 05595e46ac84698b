"""The game day: one thing after the other breaks under load, and is mended; `-s` prints rows of docs/reliability.md.

Searches 25 times a second, all new to the cache, and a writer, all the time.
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
from tests.e2e.game_day import Callers, FakedClock, Fault, check_nothing_lost, metric, slow_clients
from tests.e2e.test_durability import eventually, get, point
from tests.servers.postgres import Postgres
from tests.servers.valkey import Valkey

pytestmark = pytest.mark.heavy

CALM_S, BROKEN_S = 2.5, 4.0
DAY_S = 86_400


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_shop(tmp_path_factory.mktemp("shop"))


def game(
    gateway: Gateway,
    name: str,
    break_it: Callable[[], object],
    mend_it: Callable[[], object],
    *,
    signal: tuple[str, Callable[[], bool]],
) -> Fault:
    """Break something under load, see that the gateway tells, mend it; nothing acknowledged may be lost."""
    with Callers(gateway) as callers:
        time.sleep(CALM_S)  # what callers see before
        began = time.perf_counter()
        break_it()
        what, tells = signal
        eventually(tells, within_s=20)
        time.sleep(max(0.0, BROKEN_S - (time.perf_counter() - began)))
        mend_it()
        mended = time.perf_counter()
        eventually(lambda: httpx.get(f"{gateway.url}/readyz", timeout=30).json()["status"] == "ready", within_s=30)
        time.sleep(CALM_S)  # and after
    fault = Fault(name, began, mended, callers, what)
    assert fault.before.statuses.keys() == {200}
    assert fault.before.write_statuses.keys() == {200}
    check_nothing_lost(gateway, callers)
    print(f"\n{fault.row()}")
    return fault


def test_redis_is_killed_and_comes_back(shop: Path, tmp_path: Path, valkey: Valkey) -> None:
    with Gateway(copy_of_shop(shop, tmp_path), CACHE__REDIS_URL=valkey.url) as gateway:
        fault = game(
            gateway,
            "Redis killed",
            valkey.kill,
            valkey.start,
            signal=("`samestyle_redis_state` 2", lambda: metric(gateway, "samestyle_redis_state") == 2),
        )
        assert (fault.meanwhile.statuses + fault.after.statuses).keys() == {200}
        assert (fault.meanwhile.write_statuses + fault.after.write_statuses).keys() == {200}
        eventually(lambda: metric(gateway, "samestyle_redis_state") == 0, within_s=10)


def test_postgresql_is_restarted_amid_writes(
    shop: Path, tmp_path: Path, postgres: str, postgres_server: Postgres
) -> None:
    with Gateway(copy_of_shop(shop, tmp_path), JOURNAL=postgres) as gateway:
        fault = game(
            gateway,
            "PostgreSQL killed",
            postgres_server.kill,
            postgres_server.start,
            signal=(
                "`samestyle_journal_failures_total`, `/readyz` degraded",
                lambda: get(gateway, "/readyz")["status"] == "degraded",
            ),
        )
        assert (fault.meanwhile.statuses + fault.after.statuses).keys() == {200}
        assert fault.meanwhile.write_statuses.keys() <= {200, 503}
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
            "disk of snapshots and journal full",
            lambda: filler.append(gateway.fill()),
            lambda: filler.pop().unlink(),
            signal=("writes answer 503, `samestyle_rejected_total`", writes_are_refused),
        )
        assert (fault.meanwhile.statuses + fault.after.statuses).keys() == {200}
        assert fault.meanwhile.write_statuses.keys() <= {200, 503}
        assert fault.recovery_s < 2
        assert point(gateway, "one").status_code == 200


def test_the_clock_jumps(shop: Path, tmp_path: Path) -> None:
    """A day ahead, then two days back."""
    with FakedClock(copy_of_shop(shop, tmp_path)) as gateway:

        def day() -> str:
            return httpx.get(f"{gateway.url}/livez", timeout=30).headers["date"][:16]

        today = day()
        page = httpx.post(f"{gateway.url}/v1/search", json={"text": "mug", "k": 2}, timeout=30).json()
        fault = game(
            gateway,
            "clock a day ahead, then a day behind",
            lambda: gateway.jump(DAY_S),
            lambda: gateway.jump(-DAY_S),
            signal=("nothing: only times in logs are off", lambda: day() != today),
        )
        seen = fault.meanwhile.statuses + fault.after.statuses
        assert seen.keys() == {200}
        assert (fault.meanwhile.write_statuses + fault.after.write_statuses).keys() == {200}
        answer = httpx.post(f"{gateway.url}/v1/search", json={"cursor": page["next_cursor"]}, timeout=30)
        assert answer.status_code == 200, answer.text


def test_the_service_is_killed_and_started_again(shop: Path, tmp_path: Path) -> None:
    """As a supervisor would, at once."""
    with Gateway(copy_of_shop(shop, tmp_path)) as gateway:
        fault = game(
            gateway,
            "`kill -9` of the service, started again at once",
            gateway.kill,
            gateway.start,
            signal=("no answer; `up` 0", lambda: True),
        )
        assert set(fault.meanwhile.statuses + fault.after.statuses) <= {200, 0}
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
            signal=(
                "`samestyle_aliases_refused` 1, `/readyz` degraded",
                lambda: metric(gateway, "samestyle_aliases_refused") == 1,
            ),
        )
        assert (fault.meanwhile.statuses + fault.after.statuses).keys() == {200}
        assert (fault.meanwhile.write_statuses + fault.after.write_statuses).keys() == {200}
        assert get(gateway, "/readyz")["snapshot"] == "two"


def test_an_army_of_slow_clients(shop: Path, tmp_path: Path) -> None:
    """More than there is room for: who has a connection is served, others are told at once to come again."""
    settings = {"MAX_CONNECTIONS": "200", "HEADERS_TIMEOUT_S": "2"}
    with Gateway(copy_of_shop(shop, tmp_path), **settings) as gateway:
        army = slow_clients(gateway, 400)
        fault = game(
            gateway,
            "400 slow clients, room for 200",
            army.__enter__,
            lambda: army.__exit__(None, None, None),
            signal=("429 `too-many-connections`", lambda: refused(gateway)),
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
