"""`samestyle model`, as a stranger types it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models.bundles import ROOT, SHIPPED, copy_bundle, edit_json, replace
from tests.service.cli.test_main import run


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")


def test_lists_what_is_here_and_what_is_damaged(tmp_path: Path) -> None:
    copy_bundle(tmp_path / "bundles" / "mine")
    (tmp_path / "bundles" / "broken").mkdir()
    code, text = run("model", "list", "--data", str(tmp_path), "--json")
    assert code == 0
    found = json.loads(text)
    assert [row.get("name") for row in found] == ["v1", None, "v1"]
    assert found[0]["fingerprint"] == found[2]["fingerprint"]
    assert "config.json is missing" in found[1]["error"]
    code, text = run("model", "list", "--data", str(tmp_path))
    assert code == 0
    assert "config.json is missing" in text


def test_verifies_by_running(tmp_path: Path) -> None:
    code, text = run("model", "verify", str(SHIPPED), "--json")
    assert (code, json.loads(text)["name"]) == (0, "v1")
    bundle = copy_bundle(tmp_path / "bundle")
    file = bundle / "onnx" / "text_encoder.onnx"
    replace(file, file.read_bytes()[:-5000])
    code, text = run("model", "verify", str(bundle))
    assert code == 1
    assert "text_encoder.onnx" in text


def test_operations_of_a_strangers_own_are_refused(tmp_path: Path) -> None:
    bundle = copy_bundle(tmp_path / "bundle")
    file = bundle / "onnx" / "fusion_encoder.onnx"
    content = file.read_bytes()
    assert b"ReduceSum" in content
    replace(file, content.replace(b"ReduceSum", b"HomeBrewn"))
    code, text = run("model", "verify", str(bundle))
    assert code == 1
    assert "HomeBrewn" in text


def test_dims_that_disagree_are_told(tmp_path: Path) -> None:
    bundle = copy_bundle(tmp_path / "bundle")
    edit_json(bundle / "config.json", lambda config: config.update(embedding_dim=128))
    code, text = run("model", "verify", str(bundle))
    assert code == 1
    assert "embedding_dim 128 but the ONNX file has 256" in text


def test_prints_the_card() -> None:
    code, text = run("model", "card", str(SHIPPED))
    assert code == 0
    assert "EfficientNet-lite0" in text
    assert run("model", "card", "nowhere")[0] == 1


def test_a_bundle_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    code, text = run("model", "pull", "shop/clip@main", "--out", str(tmp_path))
    assert code == 1
    assert "is there already" in text


@pytest.mark.heavy
def test_exports_that_cannot_be_are_refused(tmp_path: Path) -> None:
    from tests.models.zoo_sources import save_clip

    source = save_clip(tmp_path / "tiny-clip", licence="mit")
    words = ("model", "export", str(source), "--variants", "float32")
    (source / "README.md").rename(tmp_path / "card")
    code, text = run(*words, "--out", str(tmp_path / "bundle"))
    assert code == 1
    assert "Say it with --licence" in text
    (tmp_path / "card").rename(source / "README.md")
    for option, value, reason in (
        ("--dim", "8", "--catalogue"),
        ("--variants", "int8", "float32 is always"),
        ("--product-text", "{size}", "product_text must use"),
        ("--catalogue", "nowhere.csv", "nowhere.csv"),
    ):
        code, text = run(*words, "--out", str(tmp_path / "bundle"), option, value)
        assert (code, reason in text) == (1, True), text
    code, text = run("model", "export", str(tmp_path / "nowhere"), "--out", str(tmp_path / "other"))
    assert (code, "There is no model at" in text) == (1, True)
    assert {path.name for path in tmp_path.iterdir()} == {"tiny-clip"}


@pytest.mark.heavy
def test_a_model_of_the_hub_becomes_a_bundle(tmp_path: Path) -> None:
    from tests.models.test_hub import COMMIT, serving_hub
    from tests.models.zoo_sources import save_siglip

    source = save_siglip(tmp_path / "source")
    with serving_hub({path.name: path.read_bytes() for path in source.iterdir()}) as hub:
        words = ["model", "pull", f"shop/clip@{COMMIT}", "--out", str(tmp_path / "bundle"), "--variants", "float32"]
        environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_TELEMETRY": "1"}

        def started() -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "service", *words]
            return subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=200, cwd=ROOT, check=False
            )

        done = started()
        assert done.returncode == 0, done.stderr
        hub.sent["model.safetensors"] = b"short"
        words[4] = str(tmp_path / "other")
        done = started()
    assert done.returncode == 1
    assert "model.safetensors" in done.stderr
    code, text = run("model", "verify", str(tmp_path / "bundle"), "--json")
    assert (code, json.loads(text)["name"], json.loads(text)["licence"]) == (0, "clip", "apache-2.0")
    assert COMMIT in run("model", "card", str(tmp_path / "bundle"))[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "source"]
