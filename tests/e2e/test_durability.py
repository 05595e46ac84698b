"""Kills, full disks and neighbours: what was acknowledged stays, and what serves is whole."""

import base64
import contextlib
import json
import random
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from index.aliases import read_aliases
from tests.e2e.conftest import SAMESTYLE, Gateway
from tests.e2e.crashes import (
    PHOTO,
    Appearance,
    SmallDisk,
    build_shop,
    check_acknowledged,
    check_snapshots,
    require_small_disks,
    write_catalogue,
    write_until_killed,
)
from tests.servers.process import free_port
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def data(shop: Path, tmp_path: Path) -> Path:
    """A data directory of the test's own, in which `two` is newer than `one`."""
    return Path(shutil.copytree(shop, tmp_path / "data"))


def get(gateway: Gateway, path: str) -> Any:
    answer = httpx.get(f"{gateway.url}{path}", timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def put(gateway: Gateway, product_id: str, **fields: Any) -> httpx.Response:
    return httpx.put(f"{gateway.url}/v1/products/{product_id}", json=fields, timeout=30)


def point(gateway: Gateway, snapshot: str) -> httpx.Response:
    return httpx.put(f"{gateway.url}/admin/v1/aliases/live", json={"snapshot": snapshot}, timeout=60)


def found(gateway: Gateway, text: str) -> list[str]:
    answer = httpx.post(f"{gateway.url}/v1/search", json={"text": text, "k": 5}, timeout=30)
    assert answer.status_code == 200, answer.text
    return [hit["product_id"] for hit in answer.json()["hits"]]


# Kills amid writes.


def kill_amid_writes(data: Path, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    clients, writes = [], 0
    with Gateway(data) as gateway:
        before = get(gateway, "/v1/products")["total"]
        for number in range(rounds):
            clients += write_until_killed(gateway, chance.uniform(0, 1.2), seed=10 * seed + number)
            gateway.start()
            there = check_acknowledged(gateway, clients)
            assert get(gateway, "/v1/products")["total"] == before + there
            assert get(gateway, "/readyz")["status"] == "ready"
            writes = sum(client.writes for client in clients)
        assert writes > 20 * rounds


def test_kill_9_amid_writes_loses_nothing_acknowledged(data: Path) -> None:
    kill_amid_writes(data, rounds=1, seed=1)


@pytest.mark.heavy
def test_kill_9_amid_writes_20_times(data: Path) -> None:
    kill_amid_writes(data, rounds=20, seed=2)


# Kills amid builds and swaps.


def build_command(data: Path, catalogue: Path, name: str) -> list[str]:
    """An index that takes its time to be tuned."""
    slow = ["--index-type", "hnsw", "--index-parameter", "ef_construction=2000"]
    return [SAMESTYLE, "build", str(catalogue), "--data", str(data), "--name", name, *slow]


def kill_amid_builds(data: Path, catalogue: Path, *moments: str) -> None:
    """Killed as each of these files appears; then it is built as if nothing had been."""
    shutil.rmtree(data / "photos")
    for moment in moments:
        appearance = Appearance(data, moment)
        with subprocess.Popen(
            build_command(data, catalogue, "next"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            assert appearance.wait(lambda: process.poll() is None)  # called at once
            process.kill()
        assert check_snapshots(data) == ["one", "two"]
    subprocess.run(build_command(data, catalogue, "next"), check=True, capture_output=True, timeout=120)
    assert check_snapshots(data) == ["next", "one", "two"]
    assert [path.name for path in (data / "snapshots").glob(".*")] == []


def test_kill_9_amid_a_build(data: Path, tmp_path: Path) -> None:
    kill_amid_builds(data, write_catalogue(tmp_path / "next.jsonl", 50), "snapshots/.next.*/canary.npz")


@pytest.mark.heavy
def test_kill_9_amid_builds(data: Path, tmp_path: Path) -> None:
    """As photos come in, as the snapshot is begun, as it is nearly done."""
    moments = ("photos/*/*", "snapshots/.next.*", "snapshots/.next.*/canary.npz")
    kill_amid_builds(data, write_catalogue(tmp_path / "next.jsonl", 50), *moments)


def kill_amid_a_swap(gateway: Gateway, data: Path, wait: Callable[[Callable[[], bool]], object]) -> None:
    """Ask for a swap, kill the gateway when `wait` returns, start it again: old or new, and whole."""
    before = get(gateway, "/readyz")["snapshot"]
    to = "one" if before == "two" else "two"

    def ask() -> None:
        with contextlib.suppress(httpx.TransportError):
            point(gateway, to)

    asking = threading.Thread(target=ask)
    asking.start()
    wait(asking.is_alive)
    gateway.kill()
    asking.join()
    table = read_aliases(data).get("live")
    assert check_snapshots(data) == ["one", "two"]
    gateway.start()
    ready = get(gateway, "/readyz")
    assert (ready["status"], ready["snapshot"]) == ("ready", before if table is None else table.snapshot)
    assert ready["snapshot"] in {before, to}
    assert get(gateway, "/v1/products/kept")["title"] == "a mug that is kept"
    assert found(gateway, "a mug that is kept")[0] == "kept"


@pytest.mark.heavy
def test_kill_9_as_the_aliases_are_written(data: Path) -> None:
    with Gateway(data) as gateway:
        assert put(gateway, "kept", title="a mug that is kept").status_code == 200
        kill_amid_a_swap(gateway, data, Appearance(data, "*aliases.json*").wait)
        assert point(gateway, "one").status_code == 200
        assert get(gateway, "/readyz")["snapshot"] == "one"


@pytest.mark.heavy
def test_kill_9_amid_a_swap(data: Path) -> None:
    with Gateway(data, INDEX__VERIFY_BYTES_PER_S="400000") as gateway:
        assert put(gateway, "kept", title="a mug that is kept").status_code == 200
        kill_amid_a_swap(gateway, data, lambda _: time.sleep(0.1))
        assert get(gateway, "/readyz")["snapshot"] == "two"  # it was verifying
        assert point(gateway, "one").status_code == 200
        assert get(gateway, "/readyz")["snapshot"] == "one"


@pytest.mark.heavy
def test_kill_9_at_any_moment_of_a_swap(data: Path) -> None:
    chance = random.Random(3)
    with Gateway(data, INDEX__VERIFY_BYTES_PER_S="4000000") as gateway:
        assert put(gateway, "kept", title="a mug that is kept").status_code == 200
        for number in range(16):
            shutil.rmtree(data / "verified", ignore_errors=True)
            moment = chance.uniform(0, 0.4)
            aliases = Appearance(data, ".aliases.json.*")
            kill_amid_a_swap(gateway, data, aliases.wait if number % 2 else lambda _, m=moment: time.sleep(m))  # type: ignore[misc]


# A full disk.


@pytest.fixture(scope="module")
def small_disk(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    require_small_disks()
    with SmallDisk(shop, tmp_path_factory.mktemp("disk"), megabytes=12) as gateway:
        yield gateway


def write_until_refused(gateway: Gateway) -> dict[str, str]:
    """Ids and titles of what was acknowledged although the disk is full: the log had room of its own left."""
    acknowledged: dict[str, str] = {}
    for number in range(300):
        name = f"q{number}"
        answer = put(gateway, name, title=f"lamp {name}", description="y" * 5_000)
        if answer.status_code == 503:
            assert answer.json()["type"] in {"samestyle:journal-unavailable", "samestyle:storage-unavailable"}
            assert "space on its disk" in answer.json()["detail"]
            return acknowledged
        assert answer.status_code == 200, answer.text
        acknowledged[name] = f"lamp {name}"
    pytest.fail("the disk never was full")


@pytest.mark.heavy
def test_a_full_disk_stops_writes_and_swaps_and_nothing_else(small_disk: SmallDisk, tmp_path: Path) -> None:
    gateway = small_disk
    catalogue = write_catalogue(tmp_path / "next.jsonl", 20)
    command = [SAMESTYLE, "build", str(catalogue), "--data", str(gateway.mount), "--name", "next"]
    acknowledged = {f"p{number}": f"mug {number}" for number in range(5)}
    for name, title in acknowledged.items():
        assert put(gateway, name, title=title).status_code == 200

    filler = gateway.fill()
    acknowledged |= write_until_refused(gateway)
    assert httpx.delete(f"{gateway.url}/v1/products/p0", timeout=30).status_code == 503
    refused = point(gateway, "one")
    assert (refused.status_code, refused.json()["type"]) == (503, "samestyle:swap-failed")
    assert "No space left" in refused.json()["detail"]
    built = gateway.run(*command)
    assert built.returncode == 1
    assert "No space left" in built.stderr
    assert "Traceback" not in built.stderr
    assert check_snapshots(gateway.data) == ["one", "two"]
    assert get(gateway, "/readyz")["snapshot"] == "two"
    assert found(gateway, "mug 3")
    assert {name: get(gateway, f"/v1/products/{name}")["title"] for name in acknowledged} == acknowledged

    filler.unlink()
    assert put(gateway, "late", title="a late mug").status_code == 200
    assert httpx.delete(f"{gateway.url}/v1/products/p0", timeout=30).status_code == 204
    del acknowledged["p0"]
    assert point(gateway, "one").status_code == 200
    assert get(gateway, "/readyz")["snapshot"] == "one"
    wait_until(lambda: bool(get(gateway, "/readyz")["status"] == "ready"), 10)  # once the log of searches is kept again
    assert found(gateway, "a late mug")[0] == "late"
    assert {name: get(gateway, f"/v1/products/{name}")["title"] for name in acknowledged} == acknowledged
    assert httpx.get(f"{gateway.url}/v1/products/p0", timeout=30).status_code == 404
    built = gateway.run(*command)
    assert built.returncode == 0, built.stderr
    assert check_snapshots(gateway.data) == ["next", "one", "two"]


def test_a_photo_that_has_no_room_is_refused_and_found_when_there_is(small_disk: SmallDisk) -> None:
    photo = base64.b64encode(PHOTO + b"of its own").decode()
    line = json.dumps({"product_id": "many", "title": "a seen mug", "image": photo}) + "\n"

    def bulk() -> Any:
        headers = {"content-type": "application/x-ndjson"}
        answer = httpx.post(f"{small_disk.url}/v1/products/bulk", content=line, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.text.splitlines()[0])

    filler = small_disk.fill()
    try:
        assert put(small_disk, "seen", title="a seen mug", image=photo).status_code == 503
        assert bulk()["status"] == 503
        assert httpx.get(f"{small_disk.url}/v1/products/seen", timeout=30).status_code == 404
    finally:
        filler.unlink()
    assert put(small_disk, "seen", title="a seen mug", image=photo).status_code == 200
    assert bulk()["position"] > 0
    assert (
        httpx.get(f"{small_disk.url}{get(small_disk, '/v1/products/seen')['image_url']}", timeout=30).status_code == 200
    )


# Neighbours.


def test_gateways_share_a_journal_and_follow_one_another(data: Path, postgres: str) -> None:
    settings = {"JOURNAL": postgres, "INDEX__WATCH_S": "0.2"}
    with Gateway(data, **settings) as first, Gateway(data, **settings) as second:
        for writer, reader, name in ((first, second, "garden gnome"), (second, first, "rubber duck")):
            product_id = name.replace(" ", "-")
            assert put(writer, product_id, title=name).status_code == 200
            wait_until(lambda: found(reader, name)[0] == product_id, seconds=10)  # noqa: B023  # called at once
            assert httpx.delete(f"{writer.url}/v1/products/{product_id}", timeout=30).status_code == 204
            wait_until(lambda: product_id not in found(reader, name), seconds=10)  # noqa: B023
        assert put(first, "kept", title="a mug that is kept").status_code == 200
        assert point(first, "one").status_code == 200
        wait_until(lambda: bool(get(second, "/readyz")["snapshot"] == "one"), seconds=10)
        for gateway in (first, second):
            assert found(gateway, "a mug that is kept")[0] == "kept"
            assert get(gateway, "/readyz")["status"] == "ready"


class OnePort(Gateway):
    """A gateway that shares its port; it is known by its admin port."""

    def __init__(self, data: Path, port: int, journal: str) -> None:
        self.admin_port = free_port()
        shared = {"REUSE_PORT": "true", "JOURNAL": journal, "CURSOR_SECRET": "the same for both"}
        super().__init__(data, ADMIN_PORT=str(self.admin_port), **shared)
        self.port = port

    def answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.admin_port}/readyz", timeout=30).status_code == 200
        except httpx.TransportError:
            return False

    @property
    def answered(self) -> int:
        metrics = httpx.get(f"http://127.0.0.1:{self.admin_port}/metrics", timeout=30).text
        lines = re.findall(r'^samestyle_request_seconds_count{.*route="/v1/products".* (\S+)$', metrics, re.MULTILINE)
        return sum(int(float(count)) for count in lines)


@pytest.mark.heavy
def test_gateways_on_one_port_take_turns_and_each_other_s_place(data: Path, postgres: str) -> None:
    """Each request comes by a connection of its own, so any of them may get it."""
    port = free_port()
    with OnePort(data, port, postgres) as first, OnePort(data, port, postgres) as second:
        for _ in range(20):  # a list that is begun by one is gone on with by the other
            cursor = get(first, "/v1/products?limit=1")["next_cursor"]
            assert get(first, f"/v1/products?limit=1&cursor={cursor}")["products"]
        assert min(first.answered, second.answered) > 5
        assert put(first, "new", title="a mug that is new").status_code == 200
        wait_until(lambda: all(found(first, "a mug that is new")[0] == "new" for _ in range(8)), seconds=10)
        statuses, resets, done = [], [], threading.Event()

        def ask() -> None:
            while not done.is_set():
                try:
                    statuses.append(httpx.get(f"{first.url}/v1/products?limit=1", timeout=30).status_code)
                except httpx.TransportError:  # a connection that the one that ended had not taken yet is reset
                    resets.append(len(statuses))

        asking = threading.Thread(target=ask)
        asking.start()
        first.stop()
        first.start()
        done.set()
        asking.join()
        assert len(statuses) > 10
        assert set(statuses) == {200}
        assert len(resets) <= 1
        second.kill()
        assert [get(first, "/v1/products?limit=1")["total"] for _ in range(8)]
