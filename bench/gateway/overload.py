"""Five times what the gateway can do, as a step of `samestyle bench gateway`."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import Final

from bench.gateway.steps import PORT, Bench, Row, ask_openly, run
from bench.load import Answer, Connection, Request, percentiles_ms, rate

OVERLOAD: Final = 5


def overload(bench: Bench) -> Iterator[Row]:
    """Five times what it can do: what is still answered, how the rest is told, and when it is as before."""
    for kind in ("text", "image"):
        requests = bench.source.requests(kind)
        before = _Load(partial(bench.closed, requests))
        peak = rate(before.answers) / before.free_cores
        calm = median(answer.seconds for answer in bench.closed(requests, 1))
        seconds, asked = 2 * bench.seconds, OVERLOAD * rate(before.answers)
        under = _Load(partial(ask_openly, requests, asked, seconds))
        recovered = run(_recovery(requests, 2 * calm))
        yield from _overload_rows(kind, under, peak, asked)
        yield Row(
            f"{kind}: 5x overload, until it answers as before",
            recovered,
            "s",
            detail=f"three answers in a row within {2 * calm * 1e3:.0f} ms, twice the calm p50",
        )


def _overload_rows(kind: str, under: "_Load", peak: float, asked: float) -> Iterator[Row]:
    count = Counter(answer.status for answer in under.answers)
    good = rate(under.answers)
    refused = [answer.since_sent for answer in under.answers if answer.status == 429]
    served = [answer.seconds for answer in under.answers if answer.status == 200]
    yield Row(
        f"{kind}: 5x overload, goodput of peak, the client's CPU deducted",
        good / under.free_cores / peak,
        "",
        0.9,
        detail=f"{good:.0f}/s answered of {asked:.0f}/s; the client took {under.client_cores:.2f} cores; "
        f"answers' p50 {percentiles_ms(served, 50)[0]:.0f} ms",
    )
    known = sum(count[status] for status in (200, 429, 504))
    told = ", ".join(f"{status}: {number:,}" for status, number in sorted(count.items()))
    yield Row(f"{kind}: 5x overload, 200, 429 or 504", known / count.total(), "share", 1.0, detail=told)
    low, high = percentiles_ms(refused, 50, 99)
    yield Row(f"{kind}: 5x overload, p50 of a refusal", low, "ms", 50, at_most=True)
    yield Row(f"{kind}: 5x overload, p99 of a refusal", high, "ms", 50, at_most=True)


class _Load:
    """Answers, and how many cores the client, which runs on the same machine, took meanwhile."""

    def __init__(self, ask: Callable[[], list[Answer]]) -> None:
        began, cpu = time.perf_counter(), time.process_time()
        self.answers = ask()
        self.client_cores = (time.process_time() - cpu) / (time.perf_counter() - began)
        self.free_cores = len(os.sched_getaffinity(0)) - self.client_cores


async def _recovery(requests: Iterator[Request], calm: float) -> float:
    """Seconds until three answers in a row come as soon as before."""
    connection, began, in_a_row = Connection(PORT), time.perf_counter(), 0
    while in_a_row < 3 and time.perf_counter() - began < 30:
        started = time.perf_counter()
        status, _ = await connection.ask(next(requests))
        ended = time.perf_counter()
        in_a_row = in_a_row + 1 if status == 200 and ended - started <= calm else 0
    connection.close()
    return time.perf_counter() - began
