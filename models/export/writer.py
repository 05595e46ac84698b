"""A bundle directory, written so that it is there completely or not at all."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import onnx

from catalogue.errors import Conflict
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
    with beside(out) as folder:
        fresh = folder / "new"
        write_files(fresh, config, preprocessor, tokenizer, files, card)
        install(fresh, out)


def write_files(
    out: Path,
    config: BundleConfig,
    preprocessor: PreprocessorConfig,
    tokenizer: bytes,
    files: Mapping[str, onnx.ModelProto | Path],
    card: str,
) -> None:
    """Write a bundle to a new directory that nobody reads yet; `files` holds models, or files of such, by place."""
    out.mkdir()
    for place, model in files.items():
        (out / place).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(model, Path):
            shutil.copyfile(model, out / place)
        else:
            save(model, out / place)
    (out / "config.json").write_text(_pretty(config.model_dump(mode="json")))
    (out / "preprocessor_config.json").write_text(_pretty(preprocessor.model_dump(mode="json")))
    (out / "tokenizer.json").write_bytes(tokenizer)
    (out / "README.md").write_text(card)


def check_free(out: Path) -> None:
    """Raise Conflict where something is at `out`."""
    if out.exists():
        raise Conflict(f"{out} is there already. Give another directory, or remove it.")


@contextmanager
def beside(out: Path) -> Iterator[Path]:
    """A directory on the disk of `out`, to make in it what is to be there; in the end it goes."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
        yield Path(folder)


def install(fresh: Path, out: Path) -> None:
    """Move a directory that is complete to `out`; what was there takes a place beside `fresh` on the way out."""
    sync_tree(fresh)
    old = fresh.with_name(f"{fresh.name}.old")
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
