"""The measurements of `samestyle bench gateway`: each gives rows, of what is asked and what was found."""

import asyncio
import itertools
import json
import random
import shutil
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final, TypeVar

import uvloop

from bench.gateway import queries
from bench.gateway.direct import BATCHES, THREADS
from bench.gateway.queries import KINDS, K, Kind, Source
from bench.load import HOST, Answer, Connection, Request, closed_loop, open_loop_for, percentiles_ms, rate
from bench.process import SAMESTYLE, Answering, Gateway, serving

PORT: Final = 18_434
SECOND_PORT: Final = 18_435
CLIENTS: Final = 16
ROUNDS: Final = 3
COMPARED: Final = 25
_CONNECTIONS: Final = 900
_CACHED: Final = 16
_ASKED_CPU: Final[dict[Kind, float]] = {"text": 0.85, "image": 0.90, "image+text": 0.90}
_ASKED_ADDED_MS: Final[dict[Kind, float]] = {"text": 1.5, "image": 2.5}


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what was measured, its value, what is asked of it (None: nothing), and the figures behind it."""

    name: str
    value: float
    unit: str
    asked: float | None = None
    at_most: bool = False
    """Whether `asked` is the most, not the least."""
    detail: str = ""

    @property
    def is_met(self) -> bool | None:
        """None where nothing is asked."""
        if self.asked is None:
            return None
        return self.value <= self.asked if self.at_most else self.value >= self.asked

    def as_json(self) -> dict[str, Any]:
        """With whether it is met."""
        return asdict(self) | {"is_met": self.is_met}


@dataclass(frozen=True, slots=True)
class Bench:
    """What all measurements need: the gateway, the limit beside it, and queries nobody asked yet."""

    data: Path
    gateway: Gateway
    limit: Answering
    ids: Sequence[str]
    source: Source
    seconds: float
    redis: str | None = None

    def closed(self, requests: Iterator[Request], clients: int = CLIENTS, *, port: int = PORT) -> list[Answer]:
        """A closed loop, all of whose answers must be 200."""
        answers = run(closed_loop(port, requests, clients=clients, seconds=self.seconds))
        _check(answers)
        return answers

    def cpu(self, requests: Iterator[Request], clients: int = CLIENTS) -> float:
        """CPU seconds that the gateway's process takes for one answer."""
        before = self.gateway.cpu_s()
        answers = self.closed(requests, clients)
        return (self.gateway.cpu_s() - before) / len(answers)

    def by_id(self, size: int = 0) -> Iterator[Request]:
        """Searches by product id, of at least so many bytes."""
        return (queries.id_request(random.choice(self.ids), size) for _ in itertools.count())

    def best(self, kind: Kind, by: str) -> dict[str, Any]:
        """The combination of batch and threads with the smallest `cpu`, or `seconds` of one query alone."""
        batches = BATCHES if by == "cpu" else BATCHES[:1]
        tried = [
            self.limit.ask("encoded", kind=kind, batch=batch, threads=threads, seconds=self.seconds / 4)
            for batch in batches
            for threads in THREADS
        ]
        found: dict[str, Any] = min(tried, key=lambda one: one[by])
        return found


@contextmanager
def serving_copy(data: Path, port: int, *, program: Sequence[str] = (SAMESTYLE,), **settings: str) -> Iterator[Gateway]:
    """A gateway on the snapshots and photos of a data directory, with a journal of its own."""
    with tempfile.TemporaryDirectory() as own:
        for name in ("snapshots", "photos"):
            if (data / name).exists():
                (Path(own) / name).symlink_to((data / name).resolve())
        if (data / "aliases.json").exists():
            shutil.copy(data / "aliases.json", own)
        with serving(Path(own), port, program=program, **settings) as gateway:
            yield gateway


def equal_answers(bench: Bench) -> Iterator[Row]:
    """Whether the gateway finds what the index finds for what the encoders make."""

    async def ask(kind: Kind, number: int) -> list[tuple[str, float]]:
        connection = Connection(PORT)
        status, body = await connection.ask(queries.request(kind, number))
        connection.close()
        if status != 200:
            raise RuntimeError(f"the gateway answered {status}: {body.decode()}")
        return [(hit["product_id"], hit["score"]) for hit in json.loads(body)["hits"]]

    for kind in KINDS:
        equal = 0
        for number in range(10_000_000, 10_000_000 + COMPARED):
            mine, theirs = bench.limit.ask("answer", kind=kind, number=number), run(ask(kind, number))
            equal += _agree(mine, theirs)
        yield Row(f"{kind}: equal answers", equal / COMPARED, "share", 1.0, detail=f"{COMPARED} queries, {K} hits each")


def cpu_per_answer(bench: Bench) -> Iterator[Row]:
    """CPU seconds of an answer called directly, by those through the gateway."""
    for kind in KINDS:
        chosen = bench.best(kind, "cpu")
        how = {name: chosen[name] for name in ("batch", "threads")}
        rounds = [
            (bench.limit.ask("encoded", kind=kind, seconds=bench.seconds / 2, **how)["cpu"], through)
            for through in (bench.cpu(bench.source.requests(kind)) for _ in range(ROUNDS))
        ]
        direct, through = map(median, zip(*rounds, strict=True))
        yield Row(
            f"{kind}: CPU direct / through the gateway",
            median(one / other for one, other in rounds),
            "",
            _ASKED_CPU[kind],
            detail=f"{direct * 1e3:.2f} ms (batch {how['batch']}, ONNX threads {how['threads']}) / "
            f"{through * 1e3:.2f} ms",
        )
    by_id = [
        (
            bench.cpu(Request("/livez") for _ in itertools.count()),
            float(bench.limit.ask("looked_up", seconds=bench.seconds / 2)["cpu"]),
            bench.cpu(bench.by_id()),
        )
        for _ in range(ROUNDS)
    ]
    noop, look_up, through = map(median, zip(*by_id, strict=True))
    yield Row(
        "product id: CPU (no-op route + direct search) / through the gateway",
        median((one + other) / all_of_it for one, other, all_of_it in by_id),
        "",
        0.8,
        detail=f"({noop * 1e3:.2f} + {look_up * 1e3:.2f} ms) / {through * 1e3:.2f} ms",
    )


def latency(bench: Bench) -> Iterator[Row]:
    """What the gateway adds for one client, and how latency spreads at half load."""
    for kind, asked in _ASKED_ADDED_MS.items():
        direct = bench.best(kind, "seconds")
        alone = [answer.seconds for answer in bench.closed(bench.source.requests(kind), 1)]
        p50 = median(alone)
        yield Row(
            f"{kind}: added latency, one client",
            (p50 - direct["seconds"]) * 1e3,
            "ms",
            asked,
            at_most=True,
            detail=f"p50 {p50 * 1e3:.2f} ms, direct {direct['seconds'] * 1e3:.2f} ms with {direct['threads']} threads",
        )
    kinds: dict[str, Iterator[Request]] = {kind: bench.source.requests(kind) for kind in KINDS}
    for name, requests in (kinds | {"product id": bench.by_id()}).items():
        capacity = rate(bench.closed(requests))
        answers = ask_openly(requests, capacity / 2, 2 * bench.seconds)
        _check(answers)
        low, high = percentiles_ms([answer.seconds for answer in answers], 50, 99)
        detail = f"p50 {low:.1f} ms, p99 {high:.1f} ms at {capacity / 2:.0f}/s; capacity {capacity:.0f}/s"
        yield Row(f"{name}: p99 / p50 at half load", high / low, "", 3, at_most=True, detail=detail)


def cached_photo(bench: Bench) -> Iterator[Row]:
    """A photo that is known already, beside an id in a body of the same size."""
    photos = [queries.photo_request(20_000_000 + number) for number in range(_CACHED)]
    size = sum(len(photo.content) for photo in photos) // len(photos)
    _check(run(closed_loop(PORT, itertools.cycle(photos), clients=1, seconds=1)))
    rounds = [
        (rate(bench.closed(itertools.cycle(photos))), rate(bench.closed(bench.by_id(size)))) for _ in range(ROUNDS)
    ]
    known, by_id = (median(values) for values in zip(*rounds, strict=True))
    yield Row(
        "cached photo / product id with an equal body, throughput",
        median(one / other for one, other in rounds),
        "",
        0.7,
        detail=f"{known:.0f}/s / {by_id:.0f}/s, {size:,} bytes",
    )
    if bench.redis is not None:
        yield _photo_in_redis(bench, bench.redis, photos, by_id)


def _photo_in_redis(bench: Bench, redis: str, photos: Sequence[Request], by_id: float) -> Row:
    """The same photos through a gateway that keeps nothing itself, beside the same ids."""
    nothing = {"CACHE__MEMORY_BYTES": "0", "CACHE__TOKENS_MEMORY_BYTES": "0"}
    with serving_copy(bench.data, SECOND_PORT, CACHE__REDIS_URL=redis, **nothing):
        _check(run(closed_loop(SECOND_PORT, itertools.cycle(photos), clients=1, seconds=1)))
        before = _found_in_redis(SECOND_PORT)
        answers = bench.closed(itertools.cycle(photos), port=SECOND_PORT)
        found = (_found_in_redis(SECOND_PORT) - before) / len(answers)
    known = rate(answers)
    return Row(
        "photo that only Redis knows / product id with an equal body, throughput",
        known / by_id,
        "",
        detail=f"{known:.0f}/s / {by_id:.0f}/s; {found:.0%} of the answers asked Redis, 16 clients share some",
    )


def _found_in_redis(port: int) -> float:
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    name = 'samestyle_cache_lookups_total{kind="vector",outcome="redis"}'
    return next((float(line.split()[-1]) for line in lines if line.startswith(name)), 0.0)


def batching(bench: Bench) -> Iterator[Row]:
    """Texts encoded together against one by one; the other gateway is idle meanwhile, and they are asked in turn."""
    with serving_copy(bench.data, SECOND_PORT, ENCODER__MAX_BATCH="1"):
        for clients, what in ((CLIENTS, "throughput"), (1, "p50 of one client")):
            rounds = [
                (
                    bench.closed(bench.source.requests("text"), clients),
                    bench.closed(bench.source.requests("text"), clients, port=SECOND_PORT),
                )
                for _ in range(ROUNDS)
            ]
            figures = [tuple(map(rate if clients > 1 else _p50_ms, pair)) for pair in rounds]
            batched, single = (median(values) for values in zip(*figures, strict=True))
            unit = "/s" if clients > 1 else " ms"
            yield Row(
                f"text: batching / none, {what}",
                median(one / other for one, other in figures),
                "",
                detail=f"{batched:.1f}{unit} / {single:.1f}{unit}, {clients} clients",
            )


def ask_openly(requests: Iterator[Request], each_second: float, seconds: float) -> list[Answer]:
    """What an open loop gets answered."""
    return run(open_loop_for(PORT, requests, rate=each_second, seconds=seconds, most=_CONNECTIONS))


def _agree(one: Sequence[Sequence[Any]], other: Sequence[Sequence[Any]]) -> bool:
    """The same products with the same scores, to what a batch may change of them; near ties in any order."""
    if len(one) != len(other) or any(abs(a[1] - b[1]) > 1e-4 for a, b in zip(one, other, strict=True)):
        return False
    last = min(score for _, score in one)
    sure = {name for name, score in one if score > last + 1e-4}
    return sure <= {name for name, _ in other}


def _p50_ms(answers: Sequence[Answer]) -> float:
    return median(answer.seconds for answer in answers) * 1e3


def _check(answers: Sequence[Answer]) -> None:
    failed = Counter(answer.status for answer in answers if answer.status != 200)
    if failed:
        raise RuntimeError(f"{failed.total()} of {len(answers)} requests were not answered 200: {dict(failed)}")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run on the loop that costs least."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
