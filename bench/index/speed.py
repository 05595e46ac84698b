"""samestyle beside other libraries: build time, memory, and queries a second at one recall.

Each library has a process of its own, that is idle unless it is asked. They are measured in turn, several times over,
so that what else the machine does hits all of them alike.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from bench.index.libraries import PEERS, package_version

RECALL: Final = 0.99
THREADS: Final = (1, 2)
OWN: Final = "samestyle"
ALONE: Final = "samestyle, index alone"

Answer = dict[str, Any]


class Process:
    """A library's process (`bench.index.peers`)."""

    def __init__(self, name: str, work: Path, rows: int) -> None:
        command = [sys.executable, "-m", "bench.index.peers", name, str(work), str(rows)]
        environment = os.environ | {"OMP_WAIT_POLICY": "passive"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def ask(self, do: str, **given: Any) -> Answer:
        """What it answers; raises RuntimeError when it ends instead, having said why."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **given}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the library's process ended with code {self._process.wait()}")
        answer: Answer = json.loads(line)
        return answer

    def end(self) -> None:
        """Let it leave."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@contextmanager
def process(name: str, work: Path, rows: int) -> Iterator[Process]:
    """A library's process, ended afterwards."""
    started = Process(name, work, rows)
    try:
        yield started
    finally:
        started.end()


def build(name: str, work: Path, rows: int) -> Answer:
    """Build a library's index where it is not there yet; the seconds it took, then or now."""
    with process(name, work, rows) as builder:
        return builder.ask("build")


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


def _rounds(running: dict[str, Process], found: dict[str, Answer], rounds: int, say: Callable[[str], None]) -> None:
    for name in running:
        found[name]["rounds"] = {str(threads): [] for threads in THREADS}
    for number in range(rounds):
        say(f"Round {number + 1} of {rounds}")
        for threads in THREADS:
            for name, library in running.items():
                found[name]["rounds"][str(threads)].append(library.ask("round", threads=threads))


ALL_PEERS: Final = tuple(PEERS)
