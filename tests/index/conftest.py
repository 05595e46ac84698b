"""What several files of these tests start from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from index import plan
from index.search import set_faiss_threads
from index.workers import shared_workers
from tests.index.changes import sqlite


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    return sqlite(tmp_path) if request.param == "sqlite" else str(request.getfixturevalue("postgres"))


@pytest.fixture(scope="module")
def quickly_built() -> Iterator[None]:
    """One thread, which OpenMP needs not wait for, and few queries to tune on."""
    before = shared_workers().threads
    set_faiss_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "_QUERIES", 120)
        yield
    set_faiss_threads(before)
