"""What callers see while something breaks, and which alert fires: steady searches, writes and events in a row."""

import asyncio
import itertools
import re
import socket
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import pyarrow.parquet as pq
import uvloop

from bench.gateway.queries import words
from bench.load import Answer, Request, open_loop, percentiles_ms
from tests.e2e.conftest import Gateway
from tests.e2e.crashes import SmallDisk
from tests.e2e.test_monitoring import RULES, configuration
from tests.servers.prometheus import Prometheus

ROOT = Path(__file__).parents[2]
RATE: int = 25
"""Searches a second: about a quarter of what two cores can do, so that slowness comes from what broke."""
_WRITE_EVERY_S = 0.03
ENOUGH = 20
"""Fewer acknowledged writes or events tell nothing about what was lost."""


@dataclass(frozen=True, slots=True)
class Written:
    """A product that was PUT, or an event: its id, when it was sent, how long it took, and what came (0: nothing)."""

    name: str
    sent: float
    seconds: float
    status: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What callers were answered from one moment to another."""

    searches: list[Answer]
    writes: list[Written]
    events: list[Written]

    @property
    def statuses(self) -> Counter[int]:
        return Counter(answer.status for answer in self.searches)

    @property
    def write_statuses(self) -> Counter[int]:
        return Counter(write.status for write in self.writes)

    @property
    def event_statuses(self) -> Counter[int]:
        return Counter(event.status for event in self.events)

    @property
    def p99_ms(self) -> float:
        return percentiles_ms([answer.seconds for answer in self.searches], 99)[0]


class Callers:
    """Searches `RATE` times a second (an open loop, every one new to the cache), a writer and one who sends events."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=each) for each in (self._search, self._write, self._tell)]
        self.searches: list[Answer] = []
        self.writes: list[Written] = []
        self.events: list[Written] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _search(self) -> None:
        requests = (Request.post("/v1/search", {"text": words(number), "k": 10}) for number in itertools.count())

        async def ask() -> list[Answer]:
            stop = asyncio.Event()
            loop = asyncio.create_task(open_loop(self._gateway.port, requests, rate=RATE, stop=stop))
            await asyncio.to_thread(self._ended.wait)
            stop.set()
            return await loop

        self.searches = uvloop.run(ask())

    def _write(self) -> None:
        with httpx.Client(base_url=self._gateway.url, timeout=30) as http:
            for number in self._until_ended():
                name, sent, status = f"written-{number}", time.perf_counter(), 0
                with suppress(httpx.TransportError):
                    status = http.put(f"/v1/products/{name}", json={"title": title_of(name)}).status_code
                self.writes.append(Written(name, sent, time.perf_counter() - sent, status))

    def _tell(self) -> None:
        """Each event is of an answer that has just come, if one has."""
        request_id = ""
        with httpx.Client(base_url=self._gateway.url, timeout=30) as http:
            for number in self._until_ended():
                with suppress(httpx.TransportError):
                    answer = http.post("/v1/search", json={"text": "mug", "k": 1})
                    request_id = answer.json()["request_id"] if answer.status_code == 200 else request_id
                name, sent, status = f"event-{number}", time.perf_counter(), 0
                with suppress(httpx.TransportError):
                    status = _status_of(http.post("/v1/events", json={"events": [event_of(name, request_id)]}))
                self.events.append(Written(name, sent, time.perf_counter() - sent, status))

    def _until_ended(self) -> Iterator[int]:
        for number in itertools.count():
            if self._ended.wait(_WRITE_EVERY_S):
                return
            yield number

    def seen(self, since: float = 0.0, until: float = float("inf")) -> Seen:
        """What was answered in that time, or was not."""
        return Seen(
            [answer for answer in self.searches if since <= answer.due + answer.seconds < until],
            [write for write in self.writes if since <= write.sent + write.seconds < until],
            [event for event in self.events if since <= event.sent + event.seconds < until],
        )

    @property
    def acknowledged(self) -> list[str]:
        return [write.name for write in self.writes if write.status == 200]

    @property
    def acknowledged_events(self) -> list[str]:
        return [event.name for event in self.events if event.status == 200]


def event_of(name: str, request_id: str, **more: str) -> dict[str, str]:
    return {"event_id": name, "type": "click", "request_id": request_id, "product_id": "any"} | more


def _status_of(answer: httpx.Response) -> int:
    """Of an event sent alone: what it was refused with, where it was."""
    if answer.status_code != 200:
        return answer.status_code
    told = answer.json()
    return 200 if told["accepted"] == 1 else told["refused"][0]["error"]["status"]


def title_of(product_id: str) -> str:
    return f"a mug called {product_id}"


@dataclass(frozen=True, slots=True)
class Fault:
    """One that is over: what it was, when it began and was mended, and what callers saw."""

    name: str
    began: float
    mended: float
    callers: Callers
    alert: str
    """Which fired, and after how long."""

    @property
    def before(self) -> Seen:
        return self.callers.seen(until=self.began)

    @property
    def meanwhile(self) -> Seen:
        return self.callers.seen(self.began, self.mended)

    @property
    def after(self) -> Seen:
        return self.callers.seen(self.mended)

    @property
    def search_statuses(self) -> set[int]:
        """Of the answers from when it began."""
        return {*self.meanwhile.statuses, *self.after.statuses}

    @property
    def write_statuses(self) -> set[int]:
        return {*self.meanwhile.write_statuses, *self.after.write_statuses}

    @property
    def event_statuses(self) -> set[int]:
        return {*self.meanwhile.event_statuses, *self.after.event_statuses}

    @property
    def recovery_s(self) -> float:
        """From when it was mended until the last answer that was not right had come."""
        ends = [answer.due + answer.seconds for answer in self.callers.searches if answer.status != 200]
        told = [*self.callers.writes, *self.callers.events]
        ends += [write.sent + write.seconds for write in told if write.status != 200]
        return max([0.0, *(end - self.mended for end in ends)])

    def row(self) -> str:
        """Of the table in docs/reliability.md."""

        def failed(statuses: Counter[int]) -> str:
            bad = sum(count for status, count in statuses.items() if status != 200)
            kinds = ", ".join(
                f"{status or 'no answer'}: {count}" for status, count in sorted(statuses.items()) if status != 200
            )
            return f"{bad / max(1, statuses.total()):.1%}" + (f" ({kinds})" if kinds else "")

        during, lasted = self.meanwhile, self.mended - self.began
        kept = f"{len(self.callers.acknowledged)} + {len(self.callers.acknowledged_events)}"
        return (
            f"| {self.name} | {lasted:.1f} s | {failed(during.statuses + self.after.statuses)} "
            f"| {failed(during.write_statuses + self.after.write_statuses)} "
            f"| {failed(during.event_statuses + self.after.event_statuses)} "
            f"| {self.before.p99_ms:.0f} / {during.p99_ms:.0f} / {self.after.p99_ms:.0f} ms "
            f"| {self.recovery_s:.1f} s | {kept}, 0 lost | {self.alert} |"
        )


def check_nothing_lost(gateway: Gateway, callers: Callers, events: Path) -> None:
    """Every product whose write was acknowledged is there, as it was written, and so is every event."""
    assert len(callers.acknowledged) > ENOUGH
    with httpx.Client(base_url=gateway.url, timeout=30) as http:
        for product_id in callers.acknowledged:
            answer = http.get(f"/v1/products/{product_id}")
            assert answer.status_code == 200, product_id
            assert answer.json()["title"] == title_of(product_id)
    assert len(callers.acknowledged_events) > ENOUGH
    assert set(callers.acknowledged_events) - kept_events(gateway, events) == set()


def kept_events(gateway: Gateway, events: Path) -> set[str]:
    """The ids of all that a gateway has in this folder, as it sees it."""
    if not isinstance(gateway, SmallDisk):
        return _kept_here(events)
    done = gateway.run("/usr/bin/env", f"PYTHONPATH={ROOT}", sys.executable, "-m", __name__, str(events))
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def _kept_here(events: Path) -> set[str]:
    """Those in spools, and then those in files: what leaves the one is in the other by then."""
    kept: set[str] = set()
    for path in events.glob("spool-*.sqlite3"):
        with closing(sqlite3.connect(path)) as spool:
            kept |= {name for (name,) in spool.execute("SELECT event_id FROM events")}
    for file in events.glob("events/date=*/*.parquet"):
        kept |= set(pq.ParquetFile(file).read(columns=["event_id"])["event_id"].to_pylist())
    return kept


class Alerts(Prometheus):
    """A Prometheus with the rules that are shipped, for which a minute is a second."""

    def __init__(self, folder: Path, port: int) -> None:
        rules = [folder / path.name for path in (RULES / "rules").glob("*.yml")]
        for path in rules:
            path.write_text(_DURATION.sub(_sixtieth, (RULES / "rules" / path.name).read_text()))
        super().__init__(configuration(folder, port, rules, interval="500ms"))

    def answers(self) -> bool:
        """It also has to know the gateway, which it looks for five seconds after its start."""
        return super().answers() and bool(self.query('up{job="samestyle"} == 1'))

    def firing(self) -> set[str]:
        """The names of the alerts that fire now."""
        return {series["metric"]["alertname"] for series in self.query('ALERTS{alertstate="firing"}')}


_DURATION = re.compile(r"(?<=\[)(\d+)([mhd])(?=\])|(?<=for: )(\d+)([mhd])")


def _sixtieth(found: "re.Match[str]") -> str:
    number, unit = found[1] or found[3], found[2] or found[4]
    return f"{int(number) * {'m': 1, 'h': 60, 'd': 1440}[unit]}s"


def metric(gateway: Gateway, name: str) -> float:
    """The largest value of a metric, whatever its labels; 0 where there is none."""
    text = httpx.get(f"{gateway.url}/metrics", timeout=30).text
    found = [float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
    return max(found, default=0.0)


class FakedClock(Gateway):
    """A gateway whose wall clock can be put forward and back; what measures time goes on as it does."""

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self._off = self.folder / "clock"
        self.jump(0)

    def command(self) -> list[str]:
        environment, _, *words = super().command()
        return [
            environment,
            f"PYTHONPATH={ROOT}",
            sys.executable,
            "-m",
            "tests.e2e.faked_clock",
            str(self._off),
            *words,
        ]

    def jump(self, seconds: int) -> None:
        """Put its clock so much off."""
        self._off.write_text(str(seconds))


@contextmanager
def slow_clients(gateway: Gateway, count: int) -> Iterator[None]:
    """So many connections, each of which sends the head of a request a byte a second and never comes to its end."""
    ended = threading.Event()
    head = b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nX-Padding: " + b"x" * 10_000

    def crawl() -> None:
        sockets: list[socket.socket | None] = [None] * count
        for place in itertools.cycle(range(count)):
            if place == 0 and ended.wait(0.2):
                break
            sockets[place] = _one_byte(sockets[place], head, gateway.port)
        for each in sockets:
            if each is not None:
                each.close()

    thread = threading.Thread(target=crawl)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _one_byte(connection: socket.socket | None, head: bytes, port: int) -> socket.socket | None:
    """Send one more; whoever was thrown out comes again."""
    try:
        if connection is None:
            connection = socket.create_connection(("127.0.0.1", port), timeout=5)
            connection.setblocking(False)
            connection.send(head[:60])
        else:
            connection.send(b"x")
    except OSError:
        if connection is not None:
            connection.close()
        return None
    return connection


if __name__ == "__main__":
    print(*_kept_here(Path(sys.argv[1])))
