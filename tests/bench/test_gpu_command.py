"""The measurements on a GPU, tried on a CPU."""

import asyncio
import itertools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.gpu import __main__ as command
from bench.gpu import index, inputs, options, service
from bench.gpu.report import Report, Setting, peak_of
from index.exact import FlatIndex
from models.bundle import Device
from service.gpu_metrics import GpuState
from tests.index.builders import unit_rows
from tests.index.standin_gpu import put_faiss_on_gpus, shards_made
from tests.models.bundles import SHIPPED


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu", "--device", "cpu", "--tiny", *arguments])
    command.main()


def test_what_cannot_run_here_is_said_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(inputs, "VIT", tmp_path)
    monkeypatch.setattr("index.gpu._faiss", object())
    run(monkeypatch, "--sections", "vit,index", "--json", str(tmp_path / "found.json"))
    said = capsys.readouterr().out
    assert "card: no GPU" in said
    assert "not run: FileNotFoundError" in said
    assert "not run: This FAISS has no GPU support" in said
    found = json.loads((tmp_path / "found.json").read_text())["sections"]
    assert all("skipped" in found[name][0] for name in ("vit", "index"))


@pytest.mark.heavy
def test_every_part_prints_its_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The real thing but for the GPU: gateways, ONNX Runtime with too little memory, and an index that stands in."""
    from models.export import hollow

    hollow.write(tmp_path / "vit", tiny=True)
    monkeypatch.setattr(inputs, "VIT", tmp_path / "vit")
    put_faiss_on_gpus(monkeypatch)
    run(monkeypatch, "--rows", "10000", "--gpus", "2", "--work", str(tmp_path), "--json", str(tmp_path / "found.json"))
    said = capsys.readouterr().out
    found: dict[str, list[dict[str, Any]]] = json.loads((tmp_path / "found.json").read_text())["sections"]
    assert said.count("not run") == said.count("not run: RuntimeError: TensorRT's libraries are not installed") == 5
    assert [name for name in found if f"## {name}\n" in said and not name.startswith("options: ")] == [
        "default bundle: CUDA against CPU", "default bundle: throughput", "ViT-B/16 dual in float16", "options",
        "out of memory",
        "index", "index: single queries, as the service asks", "index: what must hold, as it is served",
        "HTTP at rising load", "hot swaps at half load",
    ]  # fmt: skip
    assert found["default bundle: CUDA against CPU"][0]["largest_1_minus_cos"] < 1e-5
    throughput = found["default bundle: throughput"]
    assert [(row["encoder"], row["batch"]) for row in throughput[:2]] == [("image_encoder", 1), ("image_encoder", 2)]
    assert all(row["MB_moved_each"] > 0 and row["served_per_s"] > 0 for row in throughput)
    assert {row["encoder"] for row in found["ViT-B/16 dual in float16"]} == {"image", "text"}
    ways = {(row["encoder"], row["batch"], row["option"]): row for row in found["options"]}
    assert len(ways) == 5 * 2 * 3
    assert all(row["items_per_s"] > 0 and row["largest_difference"] < 1e-4 for row in ways.values())
    (full,) = found["out of memory"]
    batches = json.loads(full["image_batches"])
    assert batches[0] == 32
    assert max(batches[3:]) <= 8, "it was really full, and smaller batches were made"
    assert full["outcome"].startswith("right within")
    singly = found["index: single queries, as the service asks"]
    assert [row["threads"] for row in singly] == [1, 4, 16, 64] * 3
    assert all(row["queries_per_s"] > 0 for row in singly)
    assert [(row["type"], row["batch"]) for row in found["index"]] == [
        (f"GpuIndex{kind}", batch) for kind in ("FlatIP", "IVFPQ", "Cagra") for batch in (1, 16, 256)
    ]
    for row in found["index: what must hold, as it is served"]:
        assert (row["missing"], row["not_allowed"]) == (0, 0)
        assert row["recall"] > 0.6
    rising = found["HTTP at rising load"]
    assert [(row["query"], row["load"]) for row in rising] == [
        (kind, load) for kind in ("text", "image") for load in (0.25, 1.0)
    ]
    assert all(row["failed"] == 0 and row["goodput_per_s"] > 0 and row["p50_ms"] <= row["p99_ms"] for row in rising)
    (swaps,) = found["hot swaps at half load"]
    assert (swaps["swaps"], swaps["failed"]) == (2, 0)


FUSION = SHIPPED / "onnx" / "fusion_encoder.onnx"


def fusion_inputs(size: int, seed: int) -> inputs.Inputs:
    return inputs.bundle_inputs("fusion_encoder", {"image": (1, 256), "text": (1, 256)}, size, seed)


def test_an_option_that_fails_is_said_and_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    class Stale(options.Served):
        """Gives what it gave first, as a graph does where something does not depend on shapes alone."""

        def prepare(self, first: inputs.Inputs, made: NDArray[Any]) -> options.Run:
            return lambda _: self.run(first)

    class Broken(options.Served):
        def prepare(self, first: inputs.Inputs, made: NDArray[Any]) -> options.Run:
            if made.shape[0] > 1:
                raise RuntimeError("operation not permitted when stream is capturing")
            return self.run

    def missing(*_: object) -> options.Option:
        raise RuntimeError("not installed")

    ways = {"as served": options.Served, "stale": Stale, "broken": Broken, "missing": missing}
    monkeypatch.setattr(options, "OPTIONS", ways)
    report = Report()
    setting = Setting("cpu", tiny=True, rows=1, gpus=1, peak=None, work=tmp_path)
    options.compare("fusion", FUSION, fusion_inputs, setting, report)
    rows = {(row["option"], row["batch"]): row for row in report.lines["options"]}
    assert list(rows) == [("as served", 1), ("stale", 1), ("broken", 1), ("as served", 2), ("stale", 2)]
    assert rows["as served", 2]["largest_difference"] == 0 < 0.01 < rows["stale", 2]["largest_difference"]
    assert report.lines["options: broken, fusion"] == [
        {"skipped": "RuntimeError: operation not permitted when stream is capturing"}
    ]
    assert "not installed" in capsys.readouterr().out


@pytest.mark.parametrize("way", [options.Pinned, options.CudaGraph])
def test_the_options_give_what_is_served(way: Callable[[Path, Device], options.Option]) -> None:
    served, option = options.Served(FUSION, "cpu"), way(FUSION, "cpu")
    runs = {size: option.prepare(made := fusion_inputs(size, 0), served.run(made)) for size in (1, 3)}
    kept = []
    for seed, size in enumerate((3, 1, 3, 3, 1)):
        asked = fusion_inputs(size, seed)
        kept.append((runs[size](asked), served.run(asked)))
    for found, wanted in kept:
        np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_a_run_that_is_cut_off_keeps_what_it_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def section(_: Setting, report: Report) -> None:
        report.row("here", found=1)
        report.row("there", found=2, more=3)
        report.row("here", found=4)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "SECTIONS", {"index": section})
    with pytest.raises(KeyboardInterrupt):
        run(monkeypatch, "--sections", "index", "--json", str(tmp_path / "found.json"))
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["sections"] == {"here": [{"found": 1}, {"found": 4}], "there": [{"found": 2, "more": 3}]}
    assert capsys.readouterr().out.count("## here") == 2


def test_what_must_hold_is_found_broken_where_it_is() -> None:
    vectors = unit_rows(2_000, 32).astype(np.float16)

    class Deaf:
        """An index that looks at no filter, and gives few."""

        def search(self, query: NDArray[np.float32], k: int, _: object = None) -> Any:
            return FlatIndex(vectors).search(query, min(k, 20))

    whole = {row["asked"]: row for row in index._promises(FlatIndex(vectors), vectors, vectors[:2])}
    assert all((row["missing"], row["not_allowed"], row["recall"]) == (0, 0, 1.0) for row in whole.values())
    broken = {row["asked"]: row for row in index._promises(Deaf(), vectors, vectors[:2])}
    assert broken["k 100"]["missing"] == 160
    assert broken["the 50 nearest deleted"]["not_allowed"] == 20
    assert broken["k 10, filter that passes 1%"]["recall"] < 1


def test_one_kind_that_cannot_be_made_takes_nothing_from_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put_faiss_on_gpus(monkeypatch)
    shards = shards_made(monkeypatch)

    def full(*_: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr("index.gpu._cagra", full)
    monkeypatch.setattr("index.plan._QUERIES", 50)
    report = Report()
    index.index(Setting("cpu", tiny=True, rows=1_500, gpus=1, peak=None, work=tmp_path), report)
    assert [(row["batch"], row["rows"]) for row in report.lines["index"]] == [(1, 1500), (16, 1500), (256, 1500)] * 2
    assert len(report.lines["index: what must hold, as it is served"]) == 18
    assert "no room" in report.lines["index: cagra"][0]["skipped"]
    assert [shard.index for shard in shards] == [None, None]


def test_what_was_measured_stays_where_the_rest_cannot_run() -> None:
    report = Report()
    report.row("vit", batch=1)
    report.skip("vit", "out of memory")
    assert report.lines["vit"] == [{"batch": 1}, {"skipped": "out of memory"}]


def test_the_most_memory_is_seen_in_the_middle_of_a_swap(monkeypatch: pytest.MonkeyPatch) -> None:
    states = iter([[GpuState(5_000_000, 9, None), GpuState(6_000_000, 9, None)], [GpuState(90_000_000, 9, None)], []])
    monkeypatch.setattr(service, "_nvml", lambda: SimpleNamespace(states=lambda: next(states)))

    async def swap() -> float:
        over, looks = asyncio.Event(), itertools.count(1)

        async def sleep(_: float) -> None:
            if next(looks) == 2:
                over.set()

        monkeypatch.setattr("bench.gpu.service.asyncio.sleep", sleep)
        return await service.most_device_mb(over)

    assert asyncio.run(swap()) == 90
    monkeypatch.setattr(service, "_nvml", lambda: None)
    assert np.isnan(service.device_mb())


def test_cards_are_told_apart() -> None:
    names = {
        "NVIDIA H100 80GB HBM3, 81559 MiB": (989e12, 3.35e12),
        "NVIDIA H200, 143771 MiB": (989e12, 4.8e12),
        "NVIDIA H100 PCIe, 81559 MiB": (756e12, 2.0e12),
        "NVIDIA L40S, 46068 MiB": (362e12, 0.86e12),
        "NVIDIA L4, 23034 MiB": (121e12, 0.3e12),
        "NVIDIA A100-SXM4-80GB, 81920 MiB": (312e12, 2.04e12),
        "NVIDIA A100 80GB PCIe, 81920 MiB": (312e12, 1.94e12),
        "Tesla T4, 15360 MiB": (65e12, 0.32e12),
    }
    for name, peak in names.items():
        assert peak_of(name) == peak
    for name in ("NVIDIA L40, 46068 MiB", "NVIDIA GH200 480GB", "NVIDIA RTX A1000", "NVIDIA T400", "no GPU"):
        assert peak_of(name) is None
    vectors, queries = index._vectors(1000)
    assert (vectors.shape, queries.shape) == ((1000, 256), (256, 256))
