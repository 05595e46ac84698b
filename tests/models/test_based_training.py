"""Training over a bundle whose encoders stay as they are: from a tiny CLIP to a bundle of family cross that serves."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from catalogue.errors import BundleInvalid, ConfigurationError, Conflict
from models import Bundle, Encoders, ProductInput
from tests.models.bundles import SHIPPED
from tests.models.shops import draw, write_shop
from tests.service.cli.test_main import run as samestyle

if TYPE_CHECKING:
    from models.training.config import TrainConfig

pytestmark = pytest.mark.heavy

TINY: dict[str, Any] = {
    "network": {"width": 24, "heads": 2, "layers": 1},
    "views": {"kept": 3},
    "losses": {"composed": 0.1},
    "steps": 6, "rows": 16, "chunk": 16, "lr": 1e-2, "warmup": 5, "ema": 0.98,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a shop, and a base of 24 dimensions in three variants, whose weights are in files beside the ONNX files."""
    from models.export.zoo import export_zoo
    from tests.models.test_zoo_export import read, wanted
    from tests.models.zoo_sources import save_clip

    folder = tmp_path_factory.mktemp("based")
    write_shop(folder / "shop.parquet", styles=80)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.export.onnx_weights.MAX_ONE_FILE", 60_000)
        export_zoo(read(save_clip(folder / "clip")), folder / "base", wanted(variants=("float32", "float16", "int8")))
    assert (folder / "base" / "onnx" / "text_encoder.onnx.data").is_file()
    return folder


def config(folder: Path, **changes: Any) -> "TrainConfig":
    from models.training.config import parse_config

    data = {"catalogues": [{"path": str(folder / changes.pop("shop", "shop.parquet"))}], "dev_share": 0.3}
    content = json.loads(json.dumps({**TINY, "data": data}))
    content["network"]["base"] = str(folder / changes.pop("base", "base"))
    for name, value in changes.items():
        section, _, field = name.partition("__")
        if field:
            content[section][field] = value
        else:
            content[section] = value
    return parse_config(content, "test")


def train(folder: Path, name: str, *, resume: bool = False, **changes: Any) -> list[dict[str, Any]]:
    from models.training.run import Run

    run = Run(config(folder, **changes), folder / name, resume=resume, threads=1)
    run.train(run.read(photos=folder / "photos"), lambda _: None)
    return [json.loads(line) for line in (folder / name / "log.jsonl").read_text().splitlines()]


def export(folder: Path, name: str) -> Encoders:
    from rich.console import Console

    from models.export.based import export_based
    from models.export.cross import About

    about = About("toy", "For tests only", "Drawn for tests.")
    export_based(folder / name, folder / f"{name}-bundle", about, threads=1, console=Console(quiet=True))
    return Encoders.load(folder / f"{name}-bundle", threads=1)


def test_a_fusion_over_a_base_beats_its_late_fusion_and_serves(folder: Path) -> None:
    lines = train(folder, "whole", steps=300, rows=32, evaluate_every=150)
    late, best = lines[0]["late_fusion"], lines[-1]["scores"]
    assert all(best[name] > late[name] for name in ("m-m@1", "m-m@10"))
    assert np.mean([best[name] for name in late]) > np.mean(list(late.values()))
    losses = [line["loss"] for line in lines[1:]]
    assert np.mean(losses[-40:]) < np.mean(losses[:40])

    encoders = export(folder, "whole")
    bundle, base = Bundle.load(folder / "whole-bundle"), Bundle.load(folder / "base")
    assert (bundle.config.family, bundle.config.embedding_dim) == ("cross", 24)
    assert [variant.name for variant in bundle.config.variants] == ["float32", "float16", "int8"]
    for variant in bundle.config.variants:
        for place in (variant.image_encoder, variant.text_encoder):
            assert bundle.file(place).read_bytes() == base.file(place).read_bytes()
    assert bundle.fingerprint != base.fingerprint
    assert bundle.config.thresholds.keys() >= {"m-m", "i-t"}
    items = [ProductInput(draw(style, "red"), f"circle number {style}") for style in range(5)]
    items += [ProductInput(draw(3, "blue")), ProductInput(text="square number 1")]
    together = encoders.embed(items)
    np.testing.assert_allclose(together, np.concatenate([encoders.embed([item]) for item in items]), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert len(np.unique(together.round(4), axis=0)) == len(items)
    card = (folder / "whole-bundle" / "README.md").read_text()
    assert all(words in card for words in ("Drawn for tests.", "of tiny by itself", "| int8 |", "| m-m |"))
    code, text = samestyle("model", "verify", str(folder / "whole-bundle"))
    assert code == 0, text
    with pytest.raises(Conflict, match="there already"):
        export(folder, "whole")


def test_a_narrower_space_begins_with_the_main_directions(folder: Path) -> None:
    late = train(folder, "narrow", network__width=12, steps=1, lr=1e-9)
    start, wide = late[-1]["scores"], late[0]["late_fusion"]
    assert np.mean([start[name] for name in wide]) > 0.7 * np.mean(list(wide.values()))
    encoders = export(folder, "narrow")
    assert encoders.dim == 12
    assert "begun with the main directions of its 24" in (folder / "narrow-bundle" / "README.md").read_text()


def test_it_goes_on_as_if_never_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from functools import partialmethod

    import torch

    from models.training.loop import Trainer

    train(folder, "uninterrupted", steps=9, save_every=4)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "run", partialmethod(Trainer.run, until=6))
        train(folder, "parts", steps=9, save_every=4)
    # its tokens are there; the texts' are made anew
    monkeypatch.setattr("models.training.base.Base.looked", lambda *_: pytest.fail("encoded once more"))
    train(folder, "parts", resume=True, steps=9, save_every=4)
    one, other = (torch.load(folder / name / "checkpoint.pt", weights_only=True) for name in ("uninterrupted", "parts"))
    assert all(torch.equal(weights, other["model"][name]) for name, weights in one["model"].items())


@pytest.mark.parametrize("lacking", ["photos", "texts"])
def test_a_shop_without_photos_or_texts_trains_on_what_there_is(folder: Path, lacking: str) -> None:
    name = f"no-{lacking}.parquet"
    write_shop(folder / name, styles=12, photos=lacking != "photos", texts=lacking != "texts")
    lines = train(folder, f"no-{lacking}", shop=name, rows=6, network__width=12)
    assert all(np.isfinite(line["loss"]) for line in lines[1:])
    assert ("t-t@1" if lacking == "photos" else "i-i@1") in lines[-1]["scores"]
    assert export(folder, f"no-{lacking}").dim == 12


def test_says_why_a_base_cannot_be_one(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleInvalid, match="not a directory"):
        train(folder, "refused", base="gone")
    with pytest.raises(ConfigurationError, match="of family cross"):
        train(folder, "refused", base=str(SHIPPED))
    with pytest.raises(ConfigurationError, match=r"network\.width is 32, and .* has 24 dimensions"):
        train(folder, "refused", network__width=32)
    assert not (folder / "refused").exists()
    train(folder, "first", steps=2)
    kept = json.loads((folder / "first" / "config.json").read_text())["network"]
    assert kept["base_fingerprint"] == Bundle.load(folder / "base").fingerprint
    with pytest.raises(ConfigurationError, match="not the bundle that the run began with"):
        train(folder, "first", resume=True, steps=2, network__base_fingerprint="0" * 64)


def test_the_commands_do_all_of_it(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({**TINY, "data": {"dev_share": 0.3}}))
    words = ("--base", str(folder / "base"), "--config", str(tmp_path / "run.json"), "--out", str(tmp_path / "run"))
    code, text = samestyle("train", str(folder / "shop.parquet"), *words)
    assert code == 0, text
    assert "late fusion  i-i@1" in text
    code, text = samestyle("train", "--out", str(tmp_path / "run"), "--resume", "--json")
    assert code == 0, text
