"""The one place that says how many threads anything gets."""

import os
from dataclasses import dataclass
from typing import Final

DNS_THREADS: Final = 4
"""Beside the budget: they only wait for the names of hosts to be resolved."""
JOURNAL_THREADS: Final = 2
"""They only ask where its head is; what is written has a thread of its own."""
FETCH_THREADS: Final = 16
"""Of an evaluation whose photos are on the web: they mostly wait for them."""


def available_cores() -> int:
    """How many cores this process may run on: what a command that works alone takes."""
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True)
class ThreadBudget:
    """How the cores of this process are shared out.

    `search` requests look things up at once; whatever they scan, no more than `faiss` parts of it run at any moment,
    each on one thread (`index.workers`). Each of the three encoders has one thread of its own and runs on `onnx` cores.
    The encoders and the index never run for one request at the same moment, and decoding is cheap beside them, so each
    may use all cores; what must not happen is that every server thread brings a full set of its own. `work` takes
    bodies apart and reads stored photos, so that neither waits for photos being decoded. `thumbnail` makes small photos
    for pages, which ask for many at once: half the cores, so that what else is asked finds the others.
    """

    onnx: int
    faiss: int
    decode: int
    work: int
    thumbnail: int
    search: int

    @classmethod
    def of(cls, cores: int | None = None) -> "ThreadBudget":
        """The budget for `cores` (by default those this process may run on)."""
        cores = cores or available_cores()
        return cls(onnx=cores, faiss=cores, decode=cores, work=cores, thumbnail=max(1, cores // 2), search=cores)
