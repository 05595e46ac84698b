"""The made-up log is skewed as it says, and the measurement measures."""

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bench.pairs import make, measure, show


def test_a_small_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, catalogue = tmp_path / "log.parquet", tmp_path / "catalogue.parquet"
    make(log, catalogue, rows=40_000, products=2_000)
    rows = pq.read_table(log).to_pylist()
    assert len(rows) == 40_000
    for column in ("product_id", "user_id"):
        counts = [count for _, count in Counter(row[column] for row in rows).most_common()]
        assert sum(counts[: len(counts) // 10]) > 0.2 * len(rows), column
    measured = measure(log, catalogue, tmp_path, memory_gb=0.5)
    assert measured.seconds > 0
    assert measured.cpu_seconds > 0
    assert measured.peak_bytes > 10_000_000
    assert measured.report["windows"]["crowded"] > 0
    assert measured.report["steps"][-1]["precision"]["share"] > 2 * measured.report["candidates_precision"]["share"]
    show(measured, 40_000, log.stat().st_size)
    assert "peak memory" in capsys.readouterr().out
