"""The measurements on a GPU, tried on a CPU."""

import json
import sys
from pathlib import Path

import pytest

from bench import gpu


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu", "--device", "cpu", "--tiny", *arguments])
    gpu.main()


def test_every_part_prints_its_table_or_says_why_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run(monkeypatch, "--sections", "bundle,memory,index", "--rows", "1000", "--json", str(tmp_path / "found.json"))
    said = capsys.readouterr().out
    assert "| image_encoder | 2 |" in said
    assert "only a GPU has a limit" in said
    assert "no GPU support" in said
    found = json.loads((tmp_path / "found.json").read_text())["sections"]
    assert found["default bundle: CUDA against CPU"][0]["largest_1_minus_cos"] < 1e-5
    assert all(row["MB_moved_each"] > 0 for row in found["default bundle: throughput"])


def test_a_part_that_fails_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(gpu, "VIT", tmp_path)
    run(monkeypatch, "--sections", "vit,memory")
    said = capsys.readouterr().out
    assert "not run: FileNotFoundError" in said
    assert "only a GPU has a limit" in said


def test_cards_are_told_apart() -> None:
    names = {
        "NVIDIA H100 80GB HBM3, 81559 MiB": 989e12,
        "NVIDIA H200, 143771 MiB": 989e12,
        "NVIDIA H100 PCIe, 81559 MiB": 756e12,
        "NVIDIA L40S, 46068 MiB": 362e12,
    }
    for name, peak in names.items():
        assert next(value for key, value in gpu.PEAKS.items() if key in name)[0] == peak
    vectors, queries = gpu._vectors(1000)
    assert (vectors.shape, queries.shape) == ((1000, 256), (256, 256))
