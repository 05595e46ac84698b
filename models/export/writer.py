"""A bundle directory, written so that it is there completely or not at all."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import onnx

from catalogue.files import sync_directory, sync_tree
from models.bundle import BundleConfig, Variant
from models.preprocessing import PreprocessorConfig


def write_bundle(
    out: Path,
    config: BundleConfig,
    preprocessor: PreprocessorConfig,
    tokenizer: bytes,
    models: Mapping[str, onnx.ModelProto],
    card: str,
) -> None:
    """Write a bundle with one variant to `out`, in place of what was there.

    `models` holds the variant's image_encoder, text_encoder and fusion_encoder.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as temporary:
        fresh, old = Path(temporary) / "new", Path(temporary) / "old"
        (fresh / "onnx").mkdir(parents=True)
        (variant,) = config.variants
        for encoder, model in models.items():
            onnx.save_model(model, fresh / getattr(variant, encoder))
        (fresh / "config.json").write_text(_pretty(config.model_dump(mode="json")))
        (fresh / "preprocessor_config.json").write_text(_pretty(preprocessor.model_dump(mode="json")))
        (fresh / "tokenizer.json").write_bytes(tokenizer)
        (fresh / "README.md").write_text(card)
        sync_tree(fresh)
        if out.exists():
            out.rename(old)
        fresh.rename(out)
        sync_directory(out.parent)
        shutil.rmtree(old, ignore_errors=True)


def single_variant(precision: str) -> Variant:
    """The reference variant of a bundle that has only this one; it runs on any device."""
    return Variant(
        name=precision,
        device="cpu",
        precision=precision,
        reference=True,
        image_encoder="onnx/image_encoder.onnx",
        text_encoder="onnx/text_encoder.onnx",
        fusion_encoder="onnx/fusion_encoder.onnx",
    )


def _pretty(content: object) -> str:
    return json.dumps(content, indent=2) + "\n"
