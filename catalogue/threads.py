"""The one place that says how many threads anything gets."""

import os
from dataclasses import dataclass
from typing import Final

DNS_THREADS: Final = 4
"""Beside the budget: they only wait for the names of hosts to be resolved."""


@dataclass(frozen=True, slots=True)
class ThreadBudget:
    """How the cores of this process are shared out.

    `search` requests look things up at once; whatever they scan, no more than `faiss` parts of it run at any moment,
    each on one thread (`index.workers`). The encoder and the index never run for one request at the same moment, and
    decoding is cheap beside them, so each may use all cores; what must not happen is that every server thread brings
    a full set of its own.
    """

    onnx: int
    faiss: int
    decode: int
    search: int

    @classmethod
    def of(cls, cores: int | None = None) -> "ThreadBudget":
        """The budget for `cores` (by default those this process may run on)."""
        cores = cores or len(os.sched_getaffinity(0))
        return cls(onnx=cores, faiss=cores, decode=cores, search=cores)
