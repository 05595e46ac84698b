import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from catalogue.errors import BundleInvalid
from models import Bundle, Encoders
from tests.models.bundles import SHIPPED, copy_bundle, edit_json, replace


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return copy_bundle(tmp_path / "bundle")


def second_variant(**changes: object) -> dict[str, object]:
    variant: dict[str, object] = json.loads((SHIPPED / "config.json").read_text())["variants"][0]
    return variant | {"name": "fp16", "device": "cuda", "precision": "fp16", "reference": False} | changes


def update(change: dict[str, object], config: dict[str, Any]) -> None:
    config.update(change)


def test_the_shipped_bundle_is_sound_and_small() -> None:
    bundle = Bundle.load(SHIPPED)
    assert len(bundle.fingerprint) == 64
    assert bundle.config.licence.startswith("Research use")
    assert sum(file.stat().st_size for file in SHIPPED.rglob("*") if file.is_file()) <= 32_000_000


@pytest.mark.parametrize(
    "name", ["config.json", "preprocessor_config.json", "tokenizer.json", "onnx/image_encoder.onnx"]
)
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(BundleInvalid, match=f"{Path(name).name} is missing. Fetch the complete bundle"):
        Bundle.load(copy)


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(BundleInvalid, match="no model bundle"):
        Bundle.load(tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
def test_what_is_no_json_is_refused(copy: Path, name: str, content: bytes) -> None:
    replace(copy / name, content)
    with pytest.raises(BundleInvalid, match=name):
        Bundle.load(copy)


def test_a_newer_schema_asks_for_an_upgrade(copy: Path) -> None:
    edit_json(copy / "config.json", lambda config: config.update(schema_version=2, shiny="new"))
    with pytest.raises(BundleInvalid, match="Upgrade samestyle"):
        Bundle.load(copy)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../image_encoder.onnx", "onnx/../../x.onnx", "C:\\x.onnx", "onnx\\x.onnx", "file:x", ""]
)
def test_a_path_that_leaves_the_bundle_is_refused(copy: Path, path: str) -> None:
    edit_json(copy / "config.json", lambda config: config["variants"][0].update(image_encoder=path))
    with pytest.raises(BundleInvalid, match="relative path inside the bundle"):
        Bundle.load(copy)


@pytest.mark.parametrize("name", ["tokenizer.json", "onnx/image_encoder.onnx"])
def test_a_link_that_leaves_the_bundle_is_refused(copy: Path, tmp_path: Path, name: str) -> None:
    (copy / name).rename(tmp_path / "elsewhere")
    (copy / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleInvalid, match="leads out of the bundle"):
        Bundle.load(copy)


@pytest.mark.parametrize(
    "change",
    [
        {"image_size": 256},
        {"embedding_dim": 0},
        {"embedding_dim": "many"},
        {"family": "triple"},
        {"variants": []},
        {"variants": [second_variant()]},
        {"max_text_tokens": 100_000},
        {"product_text": "{description}, {title}"},
        {"product_text": "{title.__class__}"},
        {"product_text": "{title!r:>1000000}"},
        {"product_text": "{title"},
        {"product_text": "nothing"},
        {"thresholds": {"x-y": {}}},
        {"thresholds": {"i-i": {"same_style": {"score": 2, "precision": 1, "interval": [0, 1], "pairs": 1}}}},
        {"surprise": 1},
    ],
    ids=lambda change: json.dumps(change)[:40],
)
def test_settings_that_cannot_be_are_refused(copy: Path, change: dict[str, object]) -> None:
    edit_json(copy / "config.json", lambda config: config.update(change))
    with pytest.raises(BundleInvalid):
        Bundle.load(copy)


@pytest.mark.parametrize(
    "change", [{"std": [0, 1, 1]}, {"crop": 300}, {"mean": [0, 0]}, {"mean": [float("nan"), 0, 0]}, {"resize": 1e9}]
)
def test_preprocessing_that_cannot_be_is_refused(copy: Path, change: dict[str, object]) -> None:
    edit_json(copy / "preprocessor_config.json", lambda config: config.update(change))
    with pytest.raises(BundleInvalid, match="preprocessor_config"):
        Bundle.load(copy)


def test_a_dimension_that_disagrees_with_the_model_is_refused(copy: Path) -> None:
    edit_json(copy / "config.json", lambda config: config.update(embedding_dim=128))
    with pytest.raises(BundleInvalid, match="embedding_dim 128"):
        Encoders.load(copy, threads=1)


def test_swapped_models_are_refused(copy: Path) -> None:
    edit_json(
        copy / "config.json", lambda config: config["variants"][0].update(image_encoder="onnx/fusion_encoder.onnx")
    )
    with pytest.raises(BundleInvalid, match="pixel_values"):
        Encoders.load(copy, threads=1)


def test_a_damaged_model_is_refused(copy: Path) -> None:
    file = copy / "onnx" / "fusion_encoder.onnx"
    replace(file, file.read_bytes()[:-7])
    with pytest.raises(BundleInvalid):
        Encoders.load(copy, threads=1)


def test_a_damaged_tokenizer_is_refused(copy: Path) -> None:
    replace(copy / "tokenizer.json", b'{"version": "1.0"}')
    with pytest.raises(BundleInvalid, match="cannot be read"):
        Encoders.load(copy, threads=1)


def test_the_fingerprint_names_the_space(copy: Path) -> None:
    fingerprint = Bundle.load(SHIPPED).fingerprint
    assert Bundle.load(copy).fingerprint == fingerprint
    changes: list[dict[str, object]] = [
        {"name": "other"},
        {"licence": "MIT"},
        {"thresholds": {}},
        {"variants": [second_variant(name="int8", device="cpu", reference=True), second_variant(drift=drift(0, 0))]},
    ]
    for change in changes:
        edit_json(copy / "config.json", partial(update, change))
        assert Bundle.load(copy).fingerprint == fingerprint
    replace(copy / "README.md", b"another card")
    assert Bundle.load(copy).fingerprint == fingerprint


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("config.json", {"max_text_tokens": 64}),
        ("config.json", {"product_text": "{title}. {description}"}),
        ("preprocessor_config.json", {"resample": "bilinear"}),
        ("tokenizer.json", {"version": "1.1"}),
    ],
)
def test_the_fingerprint_changes_with_what_moves_a_vector(copy: Path, name: str, change: dict[str, object]) -> None:
    edit_json(copy / name, lambda content: content.update(change))
    assert Bundle.load(copy).fingerprint != Bundle.load(SHIPPED).fingerprint


def test_the_fingerprint_changes_with_the_weights(copy: Path) -> None:
    file = copy / "onnx" / "fusion_encoder.onnx"
    replace(file, file.read_bytes() + b"\x32\x01x")  # doc_string: another file, whatever it computes
    assert Bundle.load(copy).fingerprint != Bundle.load(SHIPPED).fingerprint


def drift(cosine: float, recall: float) -> dict[str, float]:
    return {"cosine_p999": cosine, "recall_at_10_lost": recall}


@pytest.mark.parametrize(("device", "name"), [("cpu", "int8"), ("cuda", "fp16")])
def test_the_variant_made_for_the_device_is_chosen(copy: Path, device: str, name: str) -> None:
    edit_json(copy / "config.json", lambda config: config["variants"].append(second_variant(drift=drift(0.01, 0.005))))
    assert Bundle.load(copy).variant_for(device).name == name  # type: ignore[arg-type]


def test_the_reference_serves_a_device_without_a_variant() -> None:
    assert Bundle.load(SHIPPED).variant_for("cuda").reference


@pytest.mark.parametrize("too_far", [drift(0.011, 0), drift(0, 0.006)])
def test_a_variant_that_drifted_too_far_is_refused(copy: Path, too_far: dict[str, float]) -> None:
    edit_json(copy / "config.json", lambda config: config["variants"].append(second_variant(drift=too_far)))
    bundle = Bundle.load(copy)
    with pytest.raises(BundleInvalid, match="drifted too far"):
        bundle.variant_for("cuda")
    assert bundle.variant_for("cpu").name == "int8"


def test_a_variant_of_unknown_drift_is_refused(copy: Path) -> None:
    edit_json(copy / "config.json", lambda config: config["variants"].append(second_variant()))
    with pytest.raises(BundleInvalid, match="drift must be recorded"):
        Bundle.load(copy)
