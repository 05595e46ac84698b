"""What words cost."""

from pathlib import Path

import pytest

from bench import word_costs


def test_what_each_kind_of_query_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(word_costs, "RUNS", 2)
    monkeypatch.setattr(word_costs, "_TIMES", 1)
    for _ in range(2):  # the second time on the snapshot of the first
        word_costs.main(10_000, tmp_path)
        printed = capsys.readouterr().out
        assert "10,000 products, flat" in printed
        assert "one that few say" in printed
        assert "A product of the demo: 5" in printed
