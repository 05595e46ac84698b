"""What a caller sees while something breaks: steady searches, writes one after the other, and what became of them."""

import asyncio
import itertools
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import uvloop

from bench.gateway.queries import words
from bench.load import Answer, Request, open_loop, percentiles_ms
from tests.e2e.conftest import Gateway

ROOT = Path(__file__).parents[2]
RATE: int = 25
"""Searches a second: about a quarter of what two cores can do, so that slowness comes from what broke."""
_WRITE_EVERY_S = 0.03


@dataclass(frozen=True, slots=True)
class Written:
    """A PUT: which product, when it was sent, how long it took, and what came (0: nothing)."""

    product_id: str
    sent: float
    seconds: float
    status: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What callers were answered from one moment to another."""

    searches: list[Answer]
    writes: list[Written]

    @property
    def statuses(self) -> Counter[int]:
        return Counter(answer.status for answer in self.searches)

    @property
    def write_statuses(self) -> Counter[int]:
        return Counter(write.status for write in self.writes)

    @property
    def p99_ms(self) -> float:
        return percentiles_ms([answer.seconds for answer in self.searches], 99)[0]


class Callers:
    """Searches `RATE` times a second (an open loop, every one new to the cache) and a writer, until the block ends."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._search), threading.Thread(target=self._write)]
        self.searches: list[Answer] = []
        self.writes: list[Written] = []

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
            for number in itertools.count():
                if self._ended.wait(_WRITE_EVERY_S):
                    return
                name, sent, status = f"written-{number}", time.perf_counter(), 0
                with suppress(httpx.TransportError):
                    status = http.put(f"/v1/products/{name}", json={"title": title_of(name)}).status_code
                self.writes.append(Written(name, sent, time.perf_counter() - sent, status))

    def seen(self, since: float = 0.0, until: float = float("inf")) -> Seen:
        """What was answered in that time, or was not."""
        return Seen(
            [answer for answer in self.searches if since <= answer.due + answer.seconds < until],
            [write for write in self.writes if since <= write.sent + write.seconds < until],
        )

    @property
    def acknowledged(self) -> list[str]:
        return [write.product_id for write in self.writes if write.status == 200]


def title_of(product_id: str) -> str:
    return f"a mug called {product_id}"


@dataclass(frozen=True, slots=True)
class Fault:
    """One that is over: what it was, when it began and was mended, and what callers saw."""

    name: str
    began: float
    mended: float
    callers: Callers
    signal: str

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
    def recovery_s(self) -> float:
        """From when it was mended until the last answer that was not right had come."""
        ends = [answer.due + answer.seconds for answer in self.callers.searches if answer.status != 200]
        ends += [write.sent + write.seconds for write in self.callers.writes if write.status != 200]
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
        return (
            f"| {self.name} | {lasted:.1f} s | {failed(during.statuses + self.after.statuses)} "
            f"| {failed(during.write_statuses + self.after.write_statuses)} "
            f"| {self.before.p99_ms:.0f} / {during.p99_ms:.0f} / {self.after.p99_ms:.0f} ms "
            f"| {self.recovery_s:.1f} s | {len(self.callers.acknowledged)}, 0 lost | {self.signal} |"
        )


def check_nothing_lost(gateway: Gateway, callers: Callers) -> None:
    """Every product whose write was acknowledged is there, as it was written."""
    assert len(callers.acknowledged) > 20
    with httpx.Client(base_url=gateway.url, timeout=30) as http:
        for product_id in callers.acknowledged:
            answer = http.get(f"/v1/products/{product_id}")
            assert answer.status_code == 200, product_id
            assert answer.json()["title"] == title_of(product_id)


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
