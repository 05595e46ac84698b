"""What counting costs: `python -m bench.metrics [--data DATA]`, in about 100 seconds.

Two gateways run side by side, of which the second one's metrics do nothing: its process starts with prometheus_client's
methods taken out. They are asked in turn, and the CPU that their processes took for an answer is compared pair by pair.
Each pair's order is the other way round than the last one's.
"""

import itertools
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean
from typing import Annotated, Final

import numpy as np
import typer
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from bench.gateway.queries import Source, id_request, some_ids
from bench.gateway.steps import CLIENTS, run, serving_copy
from bench.load import Request, closed_loop
from bench.machine import machine
from bench.process import Gateway
from index import Snapshot
from index.snapshot import list_snapshots

PORTS: Final = (18_436, 18_437)
ROUNDS: Final = 11
SECONDS: Final = 1.8
UNCOUNTED: Final = (sys.executable, "-m", "bench.metrics", "uncounted")
_SAMPLES: Final = 2_000

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
    rounds: Annotated[int, typer.Option(help="pairs of each kind")] = ROUNDS,
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
    about = f"{newest.products} products, {rounds} pairs of {seconds:g} s, {CLIENTS} clients"
    typer.echo(f"{', '.join(str(each) for each in machine().values())}, {about}")
    with serving_copy(data, PORTS[0]) as counted, serving_copy(data, PORTS[1], program=UNCOUNTED) as silent:
        for kind, requests in kinds.items():
            _cpu(counted, requests(), seconds)  # both are warm then
            _cpu(silent, requests(), seconds)
            typer.echo(f"{kind}: {_compared([_pair(counted, silent, requests, seconds, n) for n in range(rounds)])}")


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


def _compared(pairs: list[Pair]) -> str:
    """The mean of the pairs' ratios, with the interval that 95 % of its resamples lie in."""
    ratios = np.array([with_ / without for with_, without in pairs])
    means = np.random.default_rng(0).choice(ratios, (_SAMPLES, len(ratios))).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    with_, without = (mean(values) for values in zip(*pairs, strict=True))
    return (
        f"{with_:.3f} ms with metrics, {without:.3f} without: {ratios.mean() - 1:+.1%} "
        f"(95 % interval {low - 1:+.1%} to {high - 1:+.1%})"
    )


if __name__ == "__main__":
    app(sys.argv[1:] if sys.argv[1:2] == ["uncounted"] else ["main", *sys.argv[1:]])
