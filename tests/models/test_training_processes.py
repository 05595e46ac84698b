"""Training by two processes, as `torchrun` starts them, learns what one process learns."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.models.shops import write_config, write_shop
from tests.service.cli.test_train import TINY

pytestmark = pytest.mark.heavy

CONFIG: dict[str, Any] = {
    **TINY, "steps": 12, "rows": 10, "chunk": 4, "look_up_every": 3, "evaluate_every": 12, "save_every": 5,
    "lr": 3e-3, "lr_photo": 3e-3, "lr_text": 1e-3, "warmup": 2, "cache_gradients": True,
}  # fmt: skip
TWO = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
WHOLE = ("-m", "service")
STOPPED = ("-m", "tests.models.stopped_run")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a shop, a configuration, and the run of one process."""
    folder = tmp_path_factory.mktemp("processes")
    write_shop(folder / "shop.parquet")
    write_config(folder / "run.json", CONFIG)
    run(folder, "alone", *WHOLE)
    return folder


def run(folder: Path, name: str, *words: str, more: tuple[str, ...] = (), config: str = "run.json") -> str:
    """Train in a directory of its own; what was told."""
    asked = ("train", str(folder / "shop.parquet"), "--config", str(folder / config), "--out", str(folder / name))
    done = subprocess.run(
        [sys.executable, *words, *asked, *more],
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def log(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name / "log.jsonl").read_text().splitlines()]


def furthest(folder: Path, one: str, other: str) -> float:
    """The largest difference of any weight, or any vector seen."""
    import torch

    first, second = (torch.load(folder / name / "checkpoint.pt", weights_only=True) for name in (one, other))
    assert first["step"] == second["step"] == CONFIG["steps"]
    parts = [(first[name], second[name]) for name in ("model", "averaged", "unit")]
    pairs = [(weights, theirs[name]) for ours, theirs in parts for name, weights in ours.items()]
    return max(float((a - b).abs().max()) for a, b in [*pairs, (first["seen"], second["seen"])])


def test_two_processes_learn_what_one_learns(folder: Path) -> None:
    told = run(folder, "together", *TWO, *WHOLE)
    assert told.count("products to choose by") == 1  # one of the two tells, and writes
    alone, together = log(folder, "alone"), log(folder, "together")
    assert [line["step"] for line in together] == list(range(1, CONFIG["steps"] + 1))
    assert [line["loss"] for line in together] == pytest.approx([line["loss"] for line in alone], rel=1e-3)
    assert sum(line["loss"] for line in together[-4:]) < sum(line["loss"] for line in together[:4])
    assert furthest(folder, "alone", "together") < 1e-2
    assert len(list((folder / "together" / "tensorboard").glob("events.*"))) == 1


def test_two_processes_go_on_as_if_never_stopped(folder: Path) -> None:
    run(folder, "parts", *TWO, *STOPPED)
    assert [line["step"] for line in log(folder, "parts")] == list(range(1, 8))
    run(folder, "parts", *TWO, *WHOLE, more=("--resume",))
    assert [line["step"] for line in log(folder, "parts")[7:]] == list(range(6, CONFIG["steps"] + 1))
    assert furthest(folder, "alone", "parts") < 1e-2


def test_one_of_two_encodes_the_photos_that_are_encoded_once(folder: Path) -> None:
    run(folder, "frozen", *TWO, *WHOLE, more=("--set", "network.frozen_photo=true", "--set", "steps=2"))
    assert {file.suffix for file in (folder / "frozen" / "tokens").iterdir()} == {".npy"}
    assert len(log(folder, "frozen")) == 2


def test_two_processes_learn_over_a_base_what_one_learns(folder: Path) -> None:
    """Each encodes the texts it meets, and one of them the photos; the narrower space is fitted on those."""
    from models.export.zoo import export_zoo
    from tests.models.test_based_training import TINY as BASED
    from tests.models.test_zoo_export import read, wanted
    from tests.models.zoo_sources import save_clip

    export_zoo(read(save_clip(folder / "clip")), folder / "base", wanted())
    steps = {**BASED, "steps": 12, "evaluate_every": 12, "save_every": 5, "data": {"dev_share": 0.3}}
    narrow = {**steps, "network": {**BASED["network"], "width": 16}, "cache_gradients": True, "chunk": 4}
    write_config(folder / "based.json", narrow)
    over = ("--base", str(folder / "base"))
    run(folder, "based-alone", *WHOLE, more=over, config="based.json")
    told = run(folder, "based-together", *TWO, *WHOLE, more=over, config="based.json")
    assert told.count("late fusion") == 1
    alone, together = log(folder, "based-alone"), log(folder, "based-together")
    assert [line["step"] for line in together] == list(range(13))
    assert together[0]["late_fusion"] == alone[0]["late_fusion"]
    assert [line["loss"] for line in together[1:]] == pytest.approx([line["loss"] for line in alone[1:]], rel=1e-3)
    assert furthest(folder, "based-alone", "based-together") < 1e-2
