"""The steps of `samestyle bench gateway`, one after the other."""

import json
import os
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from bench.gateway import steps
from bench.gateway.direct import direct
from bench.gateway.overload import overload
from bench.gateway.queries import Source, some_ids
from bench.gateway.steps import PORT, Bench, Row, serving_copy
from bench.load import HOST
from bench.machine import machine
from catalogue.errors import InvalidInput
from index import Snapshot
from index.manifest import read_manifest, snapshot_path

STEPS: Final[dict[str, Callable[[Bench], Iterator[Row]]]] = {
    "answers": steps.equal_answers,
    "cpu": steps.cpu_per_answer,
    "latency": steps.latency,
    "cached": steps.cached_photo,
    "batching": steps.batching,
    "overload": overload,
}


def run(
    data: Path, *, only: Sequence[str] | None, seconds: float, redis: str | None, say: Callable[[str], None]
) -> dict[str, Any]:
    """Everything measured, as JSON; raises InvalidInput for a step there is not, and data without a snapshot."""
    for name in only or ():
        if name not in STEPS:
            raise InvalidInput(f"There is no step {name!r}; there are {', '.join(STEPS)}.")
    if not (data / "snapshots").is_dir():
        raise InvalidInput(f"{data} holds no snapshot to serve. Make one: samestyle demo --once, or samestyle build.")
    about = machine()
    found: dict[str, list[dict[str, Any]]] = {}
    with serving_copy(data, PORT) as gateway:
        with urllib.request.urlopen(f"http://{HOST}:{PORT}/readyz") as answer:
            ready = json.load(answer)
        path = snapshot_path(data / "snapshots", ready["snapshot"])
        snapshot = Snapshot.open(path, fingerprint=read_manifest(path).fingerprint)
        with direct(path) as limit:
            bench = Bench(data, gateway, limit, some_ids(snapshot), Source(), seconds, redis)
            for name in only or STEPS:
                say(f"Measuring {name}")
                found[name] = [row.as_json() for row in STEPS[name](bench)]
    about |= {"snapshot": ready["snapshot"], "products": ready["products"], "seconds": seconds}
    return {"about": about | {"load_at_end": os.getloadavg()}, "steps": found}
