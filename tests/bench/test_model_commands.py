"""The commands that measure a model, on little."""

import sys
from pathlib import Path

import pytest

from bench import latency


def test_latency_prints_every_part(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["bench.latency", "--threads", "1"])
    monkeypatch.setattr(latency, "RUNS", 1)
    monkeypatch.setattr(latency, "WARM", 0)
    latency.main()
    told = capsys.readouterr().out
    for part in ("photo encoder", "text encoder", "fusion of a photo", "fusion of a text", "all of photo + text"):
        assert part in told


@pytest.mark.heavy
def test_ablations_run_each_once_and_print_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from bench import ablations
    from models.export.zoo import export_zoo
    from tests.models.shops import write_shop
    from tests.models.test_zoo_export import read, wanted
    from tests.models.zoo_sources import save_clip

    train, validation, pairs, out = (tmp_path / name for name in ("train.parquet", "val.parquet", "pairs", "out"))
    write_shop(train, styles=40)
    write_shop(validation, styles=12)
    export_zoo(read(save_clip(tmp_path / "clip")), tmp_path / "base", wanted(variants=("float32",)))
    products = pq.read_table(train).column("product_id").to_pylist()
    pairs.mkdir()
    pq.write_table(pa.table({"trigger_id": products[:30:2], "recall_id": products[1:30:2]}), pairs / "all.parquet")
    for name, value in {"steps": 2, "rows": 6, "chunk": 8, "evaluate_every": 1}.items():
        monkeypatch.setitem(ablations.COMMON, name, value)
    words = [train, validation, "--base", tmp_path / "base", "--pairs", pairs, "--out", out, "--seeds", 1]
    monkeypatch.setattr(sys, "argv", ["bench.ablations", *map(str, words)])
    ablations.main()
    told = capsys.readouterr().out
    for name in [*ablations.LOSSES, "pairs all"]:
        assert f"| {name}, 1 runs |" in told
    monkeypatch.setattr(ablations, "_train", lambda *_: pytest.fail("run once more"))
    ablations.main()
    assert capsys.readouterr().out == told
