"""samestyle beside other libraries: build time, memory, and queries a second at one recall.

Each library has a process of its own, that is idle unless it is asked. They are measured in turn, several times over,
so that what else the machine does hits all of them alike.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Final

from bench.index.libraries import PEERS, package_version
from bench.process import Answering, answering

RECALL: Final = 0.99
THREADS: Final = (1, 2)
OWN: Final = "samestyle"
ALONE: Final = "samestyle, index alone"

Answer = dict[str, Any]


def process(name: str, work: Path, rows: int) -> AbstractContextManager[Answering]:
    """A library's process (`bench.index.peers`), ended afterwards."""
    return answering("bench.index.peers", name, str(work), str(rows), OMP_WAIT_POLICY="passive")


def build(name: str, work: Path, rows: int) -> Answer:
    """Build a library's index where it is not there yet; the seconds it took, then or now."""
    with process(name, work, rows) as builder:
        built: Answer = builder.ask("build")
    return built


def compare(work: Path, rows: int, peers: Sequence[str], rounds: int, say: Callable[[str], None]) -> Answer:
    """Everything about samestyle and the `peers` that are installed, as JSON."""
    versions = {name: package_version(name) for name in peers}
    names = [OWN, *(name for name, found in versions.items() if found is not None)]
    found: dict[str, Answer] = {name: {"version": versions.get(name)} for name in names}
    for name in names:
        say(f"Building {name}")
        found[name]["build"] = build(name, work, rows)
    with process(ALONE, work, rows) as alone:
        found[OWN]["alone"] = alone.ask("open")
    with ExitStack() as stack:
        running = {name: stack.enter_context(process(name, work, rows)) for name in names}
        for name, library in running.items():
            say(f"Tuning {name}")
            found[name]["memory"] = library.ask("open")
            found[name]["effort"] = library.ask("tune", recall=RECALL)["effort"]
        _rounds({name: running[name] for name in names if found[name]["effort"] is not None}, found, rounds, say)
    return {"libraries": found, "missing": [name for name in peers if name not in found]}


def qps(answer: Answer, threads: int, way: str = "qps") -> list[float]:
    """Queries a second of each round, `qps` one by one or `qps_batch` in batches; none where the library has none."""
    return [each[way] for each in answer["rounds"][str(threads)] if way in each]


def _rounds(running: dict[str, Answering], found: dict[str, Answer], rounds: int, say: Callable[[str], None]) -> None:
    for name in running:
        found[name]["rounds"] = {str(threads): [] for threads in THREADS}
    for number in range(rounds):
        say(f"Round {number + 1} of {rounds}")
        for threads in THREADS:
            for name, library in running.items():
                found[name]["rounds"][str(threads)].append(library.ask("round", threads=threads))


ALL_PEERS: Final = tuple(PEERS)
