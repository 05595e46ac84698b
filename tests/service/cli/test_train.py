"""`samestyle train`, as a stranger types it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.models.shops import write_config, write_shop
from tests.service.cli.test_main import run

pytestmark = pytest.mark.heavy

TINY: dict[str, Any] = {
    "network": {
        "photo": "tiny", "text": "tiny", "width": 32, "layers": 1, "heads": 2, "grid": 2, "max_text_tokens": 24,
        "frozen_photo_blocks": 0, "frozen_text_layers": 0,
    },
    "data": {"cache_side": 32, "dev_share": 0.3},
    "views": {"side": 32},
    "steps": 4,
    "rows": 6,
    "evaluate_every": 2,
}  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.parquet"
    write_shop(path, styles=10)
    return path


def test_trains_keeps_its_configuration_and_goes_on(tmp_path: Path, shop: Path) -> None:
    config = write_config(tmp_path / "run.json", TINY)
    words = ("train", str(shop), "--out", str(tmp_path / "run"))
    code, text = run(*words, "--config", str(config), "--set", "losses.locality=0", "--held-out")
    assert code == 0
    assert "30 products; 4 styles and 0 pairs to train on" in text
    assert "m-m@1" in text
    kept = json.loads((tmp_path / "run" / "config.json").read_bytes())
    assert kept["losses"]["locality"] == 0
    assert kept["data"]["held_out"]
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert list((tmp_path / "run" / "tensorboard").rglob("events.*"))

    code, text = run(*words, "--config", str(config))
    assert (code, "Add --resume" in text) == (1, True)
    code, text = run("train", "--out", str(tmp_path / "run"), "--resume", "--json")
    assert code == 0
    code, text = run(*words, "--config", str(config), "--resume")
    assert (code, "losses.locality: 0.25 here, 0.0 there" in text) == (1, True)


def test_what_stopped_before_its_first_checkpoint_may_start_anew(tmp_path: Path, shop: Path) -> None:
    config = write_config(tmp_path / "run.json", TINY)
    words = ("train", str(shop), "--out", str(tmp_path / "run"), "--config", str(config))
    code, text = run(*words, "--set", "lr=1e30", "--set", "clip=1e30", "--set", "warmup=0", "--set", "evaluate_every=9")
    assert (code, "There is no checkpoint from before: start anew with a lower lr" in text) == (1, True)
    code, text = run(*words, "--resume")
    assert (code, "Leave --resume out" in text) == (1, True)
    assert run(*words)[0] == 0
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]  # of this run alone
    code, text = run("train", "--out", str(tmp_path / "nothing"), "--resume")
    assert (code, "There is no" in text, "Leave --resume out" in text) == (1, True, True)


@pytest.mark.parametrize("at", [1, 3])
def test_whoever_stops_it_hears_how_to_go_on(
    tmp_path: Path, shop: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Where there is a checkpoint: the first is written after the second step."""
    from models.training.loop import Trainer  # needs PyTorch

    step = Trainer._one_step

    def stopped(self: Trainer, batch: Any) -> Any:
        if self.step == at:
            raise KeyboardInterrupt
        return step(self, batch)

    monkeypatch.setattr(Trainer, "_one_step", stopped)
    config = write_config(tmp_path / "run.json", TINY | {"save_every": 2})
    words = ("train", str(shop), "--out", str(tmp_path / "run"), "--config", str(config))
    code, text = run(*words)
    assert (code, "with --resume goes on" in text) == (130, at > 2)
    monkeypatch.undo()
    assert run(*words, *(("--resume",) if at > 2 else ()))[0] == 0


@pytest.mark.parametrize(
    ("content", "words", "says"),
    [
        ({"steps": 0}, (), "steps: Input should be greater than or equal to 1"),
        ({"losses": {"triplet": 1}}, (), "losses.triplet: there is no such field"),
        ({}, ("--set", "steps"), "write it as name=value"),
        ({}, ("--resume",), "Leave --resume out"),
        ({}, ("--pairs", "nowhere.parquet"), "no such file. Check the path"),
    ],
)
def test_says_what_is_wrong(tmp_path: Path, shop: Path, content: Any, words: tuple[str, ...], says: str) -> None:
    config = write_config(tmp_path / "run.json", {**TINY, **content})
    code, text = run("train", str(shop), "--config", str(config), "--out", str(tmp_path / "run"), *words)
    assert code == 1
    assert says in text
    assert not (tmp_path / "run" / "config.json").exists()
