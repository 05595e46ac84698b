"""`samestyle model`, as a stranger types it."""

import json
from pathlib import Path

import pytest

from tests.models.bundles import SHIPPED, copy_bundle, edit_json, replace
from tests.service.test_cli import run


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")


def test_lists_what_is_here_and_what_is_damaged(tmp_path: Path) -> None:
    copy_bundle(tmp_path / "bundles" / "mine")
    (tmp_path / "bundles" / "broken").mkdir()
    code, text = run("model", "list", "--data", str(tmp_path), "--json")
    assert code == 0
    found = json.loads(text)
    assert [row.get("name") for row in found] == ["v0", None, "v0"]
    assert found[0]["fingerprint"] == found[2]["fingerprint"]
    assert "config.json is missing" in found[1]["error"]
    code, text = run("model", "list", "--data", str(tmp_path))
    assert code == 0
    assert "Apache-2.0" in text
    assert "config.json is missing" in text


def test_verifies_by_running(tmp_path: Path) -> None:
    code, text = run("model", "verify", str(SHIPPED), "--json")
    assert (code, json.loads(text)["name"]) == (0, "v0")
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
def test_a_model_of_this_disk_becomes_a_bundle_that_verifies(tmp_path: Path) -> None:
    from tests.models.zoo_sources import save_clip

    source = save_clip(tmp_path / "tiny-clip", licence="mit")
    words = ("model", "export", str(source), "--variants", "float32")
    (source / "README.md").rename(tmp_path / "card")
    code, text = run(*words, "--out", str(tmp_path / "bundle"))
    assert code == 1
    assert "Say it with --licence" in text
    (tmp_path / "card").rename(source / "README.md")
    code, text = run(*words, "--out", str(tmp_path / "bundle"), "--dim", "8")
    assert (code, "--catalogue" in text) == (1, True)
    code, text = run(*words, "--out", str(tmp_path / "bundle"), "--json")
    assert code == 0
    code, text = run("model", "verify", str(tmp_path / "bundle"), "--json")
    assert json.loads(text)["name"] == "tiny-clip"
    code, text = run("model", "card", str(tmp_path / "bundle"))
    assert "under **mit**" in text
    code, text = run(*words, "--out", str(tmp_path / "bundle"))
    assert (code, "there already" in text) == (1, True)
    code, text = run("model", "export", str(tmp_path / "nowhere"), "--out", str(tmp_path / "other"))
    assert (code, "There is no model at" in text) == (1, True)
    assert not (tmp_path / "other").exists()
