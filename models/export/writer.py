"""A bundle directory, written so that it is there completely or not at all."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import onnx

from catalogue.files import sync_directory, sync_tree
from models.bundle import BundleConfig, Variant
from models.export.onnx_weights import save
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
    (variant,) = config.variants
    files = {getattr(variant, encoder): model for encoder, model in models.items()}
    write_files(out, config, preprocessor, tokenizer, files, card)


def write_files(
    out: Path,
    config: BundleConfig,
    preprocessor: PreprocessorConfig,
    tokenizer: bytes,
    files: Mapping[str, onnx.ModelProto],
    card: str,
) -> None:
    """Write a bundle to `out`, in place of what was there; `files` holds its ONNX models by their place in it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as temporary:
        fresh, old = Path(temporary) / "new", Path(temporary) / "old"
        (fresh / "onnx").mkdir(parents=True)
        for place, model in files.items():
            save(model, fresh / place)
        (fresh / "config.json").write_text(_pretty(config.model_dump(mode="json")))
        (fresh / "preprocessor_config.json").write_text(_pretty(preprocessor.model_dump(mode="json")))
        (fresh / "tokenizer.json").write_bytes(tokenizer)
        (fresh / "README.md").write_text(card)
        install(fresh, out, old)


def install(fresh: Path, out: Path, old: Path) -> None:
    """Move a directory that is complete to `out`; what was there goes to `old` on the way out."""
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
