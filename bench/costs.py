"""What the log of searches and the tabs cost: `python -m bench.costs [--data DIR] [--seconds N]`.

CPU of a gateway for each answer, with 16 clients that ask again at once, kinds and gateways in turn; the client's is
not in it. One gateway keeps its log of searches; the other cannot, as a file lies where the folder should be. Of the
log by itself: a search noted on the event loop, and the same search written and filed by the thread for that.
"""

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Annotated, Final

import pyarrow.parquet as pq
import typer
import uvloop
from rich.console import Console

from bench.load import Request, closed_loop
from bench.machine import machine
from bench.process import Gateway, serving
from service.events.recorder import SearchRow
from service.events.spool import Spool
from service.ids import uuid7

CLIENTS: Final = 16
ROUNDS: Final = 5
ROWS: Final = 20_000
_PORTS: Final = (18_436, 18_437)
console = Console(width=120)
Ask = Callable[[str], Request]
KINDS: Final[dict[str, Ask]] = {
    "search by id, k=10": lambda id_: Request.post("/v1/search", {"product_id": id_, "k": 10}),
    "same-style, k=10": lambda id_: Request(f"/v1/products/{id_}/same-style?k=10"),
    "similar by score, k=10": lambda id_: Request(f"/v1/products/{id_}/similar?k=10&diversity=0"),
    "similar, diverse, k=10": lambda id_: Request(f"/v1/products/{id_}/similar?k=10"),
}


def main(
    data: Annotated[Path, typer.Option(help="A data directory; nothing is written to it.")] = Path("data/demo"),
    seconds: Annotated[float, typer.Option(help="How long each measurement takes.")] = 1.5,
) -> None:
    """Print milliseconds of CPU an answer."""
    console.print(machine())
    ids = _ids(data)
    with _gateway(data, _PORTS[0], keeps_log=True) as logging, _gateway(data, _PORTS[1], keeps_log=False) as silent:
        for name, ask in KINDS.items():
            gateways = [logging, silent] if name.startswith("search") else [logging]
            found: list[list[float]] = [[] for _ in gateways]
            for _ in range(ROUNDS):
                for times, gateway in zip(found, gateways, strict=True):
                    times.append(_cpu_ms(gateway, map(ask, ids), seconds))
            for times, how in zip(found, ("", ", no log kept"), strict=False):
                spread = f"{min(times):.2f} to {max(times):.2f}"
                console.print(f"{name}{how}: {median(times):.2f} ms CPU an answer ({spread})")
    noted, written, filed = _log_us()
    console.print(f"a search in the log: noted {noted:.1f} us CPU, written {written:.1f}, filed {filed:.1f}")


def _ids(data: Path) -> Iterator[str]:
    """Products, over and over."""
    (table,) = list(data.glob("snapshots/*/products.parquet"))[:1]
    ids: list[str] = pq.read_table(table, columns=["product_id"])["product_id"].to_pylist()
    return itertools.cycle(ids)


@contextmanager
def _gateway(data: Path, port: int, *, keeps_log: bool) -> Iterator[Gateway]:
    """One on the snapshots and photos of a data directory."""
    with tempfile.TemporaryDirectory() as own:
        for name in ("snapshots", "photos"):
            (Path(own) / name).symlink_to((data / name).resolve())
        if not keeps_log:
            (Path(own) / "events").touch()
        with serving(Path(own), port, EVENTS__SECRET="0" * 32) as gateway:  # it would lie in that folder
            yield gateway


def _cpu_ms(gateway: Gateway, requests: Iterator[Request], seconds: float) -> float:
    """Milliseconds of CPU for each answer, all of which must be 200."""
    before = gateway.cpu_s()
    answers = uvloop.run(closed_loop(gateway.port, requests, clients=CLIENTS, seconds=seconds))
    time.sleep(0.6)  # until the log is written
    if any(answer.status != 200 for answer in answers):
        raise RuntimeError(f"answered {sorted({answer.status for answer in answers})}, not 200 alone")
    return (gateway.cpu_s() - before) / len(answers) * 1000


def _log_us() -> tuple[float, float, float]:
    """Microseconds of CPU to note a search, to write it, and to file it."""
    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder), deadline_s=60)
        at = [time.process_time()]
        rows = [_row(number) for number in range(ROWS)]
        at.append(time.process_time())
        for start in range(0, ROWS, 200):  # as many as come in between two looks at the queue
            spool.add_searches(rows[start : start + 200])
        at.append(time.process_time())
        spool.file()
        at.append(time.process_time())
        spool.close()
    first, second, third = ((after - before) / ROWS * 1e6 for before, after in itertools.pairwise(at))
    return first, second, third


def _row(number: int) -> tuple[object, ...]:
    shown = [f"product-{number}-{at}" for at in range(10)]
    at_ms, words, user = 1_790_000_000_000 + number, f"mug number {number}", f"{number:032x}"
    row = SearchRow(str(uuid7()), at_ms, "search", None, words, False, user, shown, "demo", None, None, 5.0, 200)
    return row.row


if __name__ == "__main__":
    typer.run(main)
