"""The steps of `samestyle bench index`, one after the other."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from bench.index import expansion, speed
from bench.index.libraries import package_version
from bench.machine import machine
from catalogue.errors import InvalidInput

STEPS: Final = ("speed", "filters")


def run(
    work: Path,
    photos: Path | None,
    rows: int,
    *,
    peers: Sequence[str] | None,
    steps: Sequence[str] | None,
    rounds: int,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Everything measured, as JSON; raises InvalidInput for a step or a library there is not."""
    _check("step", steps or (), STEPS)
    _check("library", peers or (), speed.ALL_PEERS)
    found: dict[str, Any] = {"about": machine() | {"rows": rows, "rounds": rounds}}
    found["data"] = expansion.prepare(work, photos, rows, say)
    for step in steps or STEPS:
        if step == "speed":
            found[step] = speed.compare(work, rows, peers or speed.ALL_PEERS, rounds, say)
        else:
            found[step] = _filters(work, rows, peers or speed.ALL_PEERS, say)
    found["about"]["load_at_end"] = os.getloadavg()
    return found


def _filters(work: Path, rows: int, peers: Sequence[str], say: Callable[[str], None]) -> dict[str, Any]:
    """Filtered search, in a process for each library whose index is there."""
    found: dict[str, Any] = {}
    for name in ("samestyle", *(peer for peer in ("hnswlib",) if peer in peers and package_version(peer))):
        say(f"Filters of {name}")
        speed.build(name, work, rows)
        command = [sys.executable, "-m", "bench.index.filters", name, str(work), str(rows)]
        found |= json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return {"by_index": found}


def _check(what: str, given: Sequence[str], known: Sequence[str]) -> None:
    if unknown := set(given) - set(known):
        raise InvalidInput(f"There is no {what} {min(unknown)!r}; there are {', '.join(known)}.")
