"""What counting costs: `python -m bench.metrics [--data DATA]`, in about three minutes.

One gateway is asked, and its metrics are switched off and on again meanwhile, by signals: the methods of
prometheus_client are taken out of the running process, and put back. The CPU that it took for an answer is compared
pair by pair. Each pair's order is the other way round than the last one's. (Of two gateways side by side, of which
one's metrics do nothing, one may be some per cent slower for other reasons: where its memory lies, what a start left.)

Besides, the gateway's own numbers say how much it counted for an answer, and a loop here how long that takes: again
and again, and each call after something else has had the processor's caches. The truth lies in between: the calls are
spread over an answer. And it says how long one scrape keeps it.
"""

import itertools
import math
import os
import random
import signal
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Annotated, Final

import numpy as np
import typer
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from bench.gateway.queries import Source, id_request, some_ids
from bench.gateway.steps import CLIENTS, run, serving_copy
from bench.load import HOST, Request, closed_loop
from bench.machine import machine
from bench.process import Gateway
from index import Snapshot
from index.manifest import list_snapshots
from service.metrics import BUCKETS

PORT: Final = 18_436
ROUNDS: Final = 80
SECONDS: Final = 0.4
SWITCHED: Final = (sys.executable, "-m", "bench.metrics", "switched")
_ON, _OFF = signal.SIGUSR1, signal.SIGUSR2
_SWITCHING_S: Final = 0.05
_SCRAPES: Final = 20
_SAMPLES: Final = 2_000
_CALLS: Final = 60
_OTHER: Final = 50_000
_GAUGES: Final = 2
"""What an answer changes that leaves no trace: the requests in flight, up and down."""

app = typer.Typer(add_completion=False)


_COUNTING: Final = tuple(
    (kind, name, getattr(kind, name))
    for kind, names in ((Counter, ("inc",)), (Gauge, ("inc", "dec", "set")), (Histogram, ("observe",)))
    for name in names
)


def silence() -> None:
    """Let every metric of this process do nothing from now on."""
    for kind, name, _ in _COUNTING:
        setattr(kind, name, lambda *_, **__: None)


def count() -> None:
    """Let them count again."""
    for kind, name, method in _COUNTING:
        setattr(kind, name, method)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def switched(context: typer.Context) -> None:
    """Be `samestyle`, with metrics that signals switch off and on."""
    from service.cli import app as samestyle  # noqa: PLC0415  # of no use to who measures

    signal.signal(_ON, lambda *_: count())
    signal.signal(_OFF, lambda *_: silence())
    samestyle(context.args)


@app.command()
def main(
    data: Annotated[Path, typer.Option(help="a data directory with a snapshot")] = Path("data/demo"),
    rounds: Annotated[int, typer.Option(help="pairs of each kind")] = ROUNDS,
    seconds: Annotated[float, typer.Option(help="of asking, in each half of a pair")] = SECONDS,
    alike: Annotated[bool, typer.Option("--alike", help="switch nothing off: what is found of no difference")] = False,
) -> None:
    """Print the CPU of an answer with metrics and without, by product id and by words."""
    manifests, _ = list_snapshots(data / "snapshots")
    newest = max(manifests, key=lambda manifest: manifest.created_at)
    ids = some_ids(Snapshot.open(data / "snapshots" / newest.name, fingerprint=newest.fingerprint))
    source = Source()
    kinds: dict[str, Callable[[], Iterator[Request]]] = {
        "product id": lambda: (id_request(random.choice(ids)) for _ in itertools.count()),
        "words": lambda: source.requests("text"),
    }
    about = f"{newest.products} products, {rounds} pairs of {seconds:g} s, {CLIENTS} clients"
    typer.echo(f"{', '.join(str(each) for each in machine().values())}, {about}")
    with serving_copy(data, PORT, program=SWITCHED) as gateway:
        for kind, requests in kinds.items():
            _cpu(gateway, requests(), seconds)  # it is warm then, and has all its series
            before = told(gateway.port)
            cpu_ms = _cpu(gateway, requests(), 4 * seconds)
            typer.echo(f"{kind}, by what is counted: {_counted(before, told(gateway.port), cpu_ms)}")
            pairs = [_pair(gateway, requests, seconds, number, _ON if alike else _OFF) for number in range(rounds)]
            typer.echo(f"{kind}: {_compared(pairs)}")
        typer.echo(f"a scrape: {_scraped_ms(gateway):.2f} ms of CPU")


@dataclass(frozen=True, slots=True)
class Told:
    """How much a gateway has counted until now: answers to searches, observations of histograms, counts."""

    answers: float
    observations: float
    counts: float


def told(port: int) -> Told:
    """What the gateway's own metrics say."""
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics") as answer:
        text = answer.read().decode()
    ours = [each for each in text_string_to_metric_families(text) if each.name.startswith("samestyle_")]
    samples = [(family.type, sample) for family in ours for sample in family.samples]
    return Told(
        answers=sum(sample.value for _, sample in samples if sample.name == "samestyle_search_seconds_count"),
        observations=sum(sample.value for _, sample in samples if sample.name.endswith("_count")),
        counts=sum(sample.value for kind, sample in samples if kind == "counter" and sample.name.endswith("_total")),
    )


def _counted(before: Told, after: Told, cpu_ms: float) -> str:
    """What was counted for an answer, and the share of its CPU that this takes by itself."""
    answers = after.answers - before.answers
    observations = (after.observations - before.observations) / answers
    counts = (after.counts - before.counts) / answers + _GAUGES
    hot_us, cold_us = taken_us(math.ceil(observations), math.ceil(counts))
    return (
        f"{observations:.1f} observations and {counts:.1f} counts an answer take {hot_us:.1f} us, each with cold "
        f"caches {cold_us:.1f}: {hot_us / cpu_ms / 1e3:.2%} to {cold_us / cpu_ms / 1e3:.2%} of {cpu_ms:.3f} ms"
    )


def taken_us(observations: int, counts: int) -> tuple[float, float]:
    """Microseconds that so many calls take, of as many metrics: at once again, and each after other work; medians."""
    registry = CollectorRegistry()
    histograms = [
        Histogram(f"h{at}", "a", ["by"], buckets=BUCKETS, registry=registry).labels("b") for at in range(observations)
    ]
    counters = [Counter(f"c{at}", "a", ["by"], registry=registry).labels("b") for at in range(counts)]
    calls: list[Callable[[], None]] = [
        *(partial(each.observe, 0.003) for each in histograms),
        *(each.inc for each in counters),
    ]
    other, numbers = [{"at": at} for at in range(_OTHER)], np.ones(_OTHER * 8)
    cold: list[float] = []
    hot: list[float] = []
    for _ in range(_CALLS):
        took = 0.0
        for call in calls:
            numbers.sum()
            sum(each["at"] for each in other)
            began = time.perf_counter()
            call()
            took += time.perf_counter() - began
        cold.append(took)
        for _ in range(2):
            began = time.perf_counter()
            for call in calls:
                call()
        hot.append(time.perf_counter() - began)
    return median(hot) * 1e6, median(cold) * 1e6


Pair = tuple[float, float]


def _pair(
    gateway: Gateway, requests: Callable[[], Iterator[Request]], seconds: float, number: int, off: signal.Signals
) -> Pair:
    took: dict[bool, float] = {}
    for counts in (True, False) if number % 2 else (False, True):
        os.kill(gateway.pid, _ON if counts else off)
        time.sleep(_SWITCHING_S)
        took[counts] = _cpu(gateway, requests(), seconds)
    os.kill(gateway.pid, _ON)
    return took[True], took[False]


def _scraped_ms(gateway: Gateway) -> float:
    """CPU milliseconds of one look at all metrics."""
    before = gateway.cpu_s()
    for _ in range(_SCRAPES):
        told(gateway.port)
    return (gateway.cpu_s() - before) / _SCRAPES * 1e3


def _cpu(gateway: Gateway, requests: Iterator[Request], seconds: float) -> float:
    """CPU milliseconds of its process for an answer."""
    before = gateway.cpu_s()
    answers = run(closed_loop(gateway.port, requests, clients=CLIENTS, seconds=seconds))
    if any(answer.status != 200 for answer in answers):
        raise RuntimeError("not all were answered 200")
    return (gateway.cpu_s() - before) / len(answers) * 1e3


def _compared(pairs: Sequence[Pair]) -> str:
    """The mean of the pairs' ratios, with the interval that 95 % of its resamples lie in, and their median."""
    ratios = np.array([with_ / without for with_, without in pairs])
    random_ = np.random.default_rng(0)
    means = ratios[random_.integers(0, len(ratios), (_SAMPLES, len(ratios)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    with_, without = (mean(values) for values in zip(*pairs, strict=True))
    return (
        f"{with_:.3f} ms with metrics, {without:.3f} without: {ratios.mean() - 1:+.1%} "
        f"(95 % interval {low - 1:+.1%} to {high - 1:+.1%}), median {median(ratios) - 1:+.1%}"
    )


if __name__ == "__main__":
    app(sys.argv[1:] if sys.argv[1:2] == ["switched"] else ["main", *sys.argv[1:]])
