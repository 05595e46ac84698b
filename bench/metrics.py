"""What counting costs: `python -m bench.metrics [--data DATA]`, in about two minutes.

Two gateways run side by side, of which the second one's metrics do nothing: its process starts with prometheus_client's
methods taken out. They are asked in turn, and the CPU that their processes took for an answer is compared pair by pair.
Each pair's order is the other way round than the last one's. Two gateways that are alike differ by a per cent or two
from start to start, so both are started several times, and the interval counts that in.

As it stays some per cent wide, the first gateway's own numbers say besides how much it counted for an answer, and a
loop here how long that takes: again and again, and after something else has had the processor's caches.
"""

import itertools
import math
import random
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Annotated, Final

import numpy as np
import typer
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from bench.gateway.queries import Source, id_request, some_ids
from bench.gateway.steps import CLIENTS, run, serving_copy
from bench.load import HOST, Request, closed_loop
from bench.machine import machine
from bench.process import Gateway
from index import Snapshot
from index.snapshot import list_snapshots
from service.metrics import BUCKETS

PORTS: Final = (18_436, 18_437)
STARTS: Final = 4
ROUNDS: Final = 8
SECONDS: Final = 0.5
UNCOUNTED: Final = (sys.executable, "-m", "bench.metrics", "uncounted")
_SAMPLES: Final = 2_000
_CALLS: Final = 200
_OTHER: Final = 50_000
_GAUGES: Final = 2
"""What an answer changes that leaves no trace: the requests in flight, up and down."""

app = typer.Typer(add_completion=False)


def silence() -> None:
    """Let every metric of this process do nothing, and hand out none by its labels."""
    for kind, names in ((Counter, ("inc",)), (Gauge, ("inc", "dec", "set")), (Histogram, ("observe",))):
        for name in names:
            setattr(kind, name, lambda *_, **__: None)
    MetricWrapperBase.labels = lambda self, *_, **__: self  # type: ignore[method-assign]


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def uncounted(context: typer.Context) -> None:
    """Be `samestyle`, without metrics."""
    silence()
    from service.cli import app as samestyle  # noqa: PLC0415  # its metrics are made now, and do nothing

    samestyle(context.args)


@app.command()
def main(
    data: Annotated[Path, typer.Option(help="a data directory with a snapshot")] = Path("data/demo"),
    starts: Annotated[int, typer.Option(help="how often the two gateways are started")] = STARTS,
    rounds: Annotated[int, typer.Option(help="pairs of each kind after each start")] = ROUNDS,
    seconds: Annotated[float, typer.Option(help="of asking, in each half of a pair")] = SECONDS,
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
    about = f"{newest.products} products, {starts} starts with {rounds} pairs of {seconds:g} s, {CLIENTS} clients"
    typer.echo(f"{', '.join(str(each) for each in machine().values())}, {about}")
    found: dict[str, list[list[Pair]]] = {kind: [] for kind in kinds}
    for start in range(starts):
        ports = PORTS if start % 2 else PORTS[::-1]
        with serving_copy(data, ports[0]) as counted, serving_copy(data, ports[1], program=UNCOUNTED) as silent:
            for kind, requests in kinds.items():
                _cpu(silent, requests(), seconds)
                before = told(counted.port)
                cpu_ms = _cpu(counted, requests(), seconds)  # both are warm then
                if start == 0:
                    typer.echo(f"{kind}, by what is counted: {_counted(before, told(counted.port), cpu_ms)}")
                found[kind].append([_pair(counted, silent, requests, seconds, n) for n in range(rounds)])
    for kind, pairs in found.items():
        typer.echo(f"{kind}: {_compared(pairs)}")


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
        f"{observations:.1f} observations and {counts:.1f} counts an answer take {hot_us:.1f} us, with cold caches "
        f"{cold_us:.1f}: {hot_us / cpu_ms / 1e3:.2%} to {cold_us / cpu_ms / 1e3:.2%} of {cpu_ms:.3f} ms"
    )


def taken_us(observations: int, counts: int) -> tuple[float, float]:
    """Microseconds that so many calls take, of as many metrics: at once again, and after other work; medians."""
    registry = CollectorRegistry()
    histograms = [
        Histogram(f"h{at}", "a", ["by"], buckets=BUCKETS, registry=registry).labels("b") for at in range(observations)
    ]
    counters = [Counter(f"c{at}", "a", ["by"], registry=registry).labels("b") for at in range(counts)]
    other, numbers = [{"at": at} for at in range(_OTHER)], np.ones(_OTHER * 8)
    cold: list[float] = []
    hot: list[float] = []
    for _ in range(_CALLS):
        numbers.sum()
        sum(each["at"] for each in other)
        for times in (cold, hot):
            began = time.perf_counter()
            for histogram in histograms:
                histogram.observe(0.003)
            for counter in counters:
                counter.inc()
            times.append(time.perf_counter() - began)
    return median(hot) * 1e6, median(cold) * 1e6


Pair = tuple[float, float]


def _pair(
    counted: Gateway, silent: Gateway, requests: Callable[[], Iterator[Request]], seconds: float, number: int
) -> Pair:
    if number % 2:
        without, with_ = _cpu(silent, requests(), seconds), _cpu(counted, requests(), seconds)
    else:
        with_, without = _cpu(counted, requests(), seconds), _cpu(silent, requests(), seconds)
    return with_, without


def _cpu(gateway: Gateway, requests: Iterator[Request], seconds: float) -> float:
    """CPU milliseconds of its process for an answer."""
    before = gateway.cpu_s()
    answers = run(closed_loop(gateway.port, requests, clients=CLIENTS, seconds=seconds))
    if any(answer.status != 200 for answer in answers):
        raise RuntimeError("not all were answered 200")
    return (gateway.cpu_s() - before) / len(answers) * 1e3


def _compared(starts: list[list[Pair]]) -> str:
    """The mean of the pairs' ratios, with the interval that 95 % of its resamples, of starts and then pairs, lie in."""
    ratios = np.array([[with_ / without for with_, without in pairs] for pairs in starts])
    random_ = np.random.default_rng(0)
    some = random_.integers(0, len(ratios), (_SAMPLES, len(ratios), 1))
    means = ratios[some, random_.integers(0, ratios.shape[1], (_SAMPLES, *ratios.shape))].mean(axis=(1, 2))
    low, high = np.percentile(means, [2.5, 97.5])
    with_, without = (mean(values) for values in zip(*itertools.chain(*starts), strict=True))
    return (
        f"{with_:.3f} ms with metrics, {without:.3f} without: {ratios.mean() - 1:+.1%} "
        f"(95 % interval {low - 1:+.1%} to {high - 1:+.1%})"
    )


if __name__ == "__main__":
    app(sys.argv[1:] if sys.argv[1:2] == ["uncounted"] else ["main", *sys.argv[1:]])
