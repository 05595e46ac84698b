"""What encoders are measured with."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.gpu.report import ROOT
from models import Encoders

Inputs: TypeAlias = Mapping[str, NDArray[Any]]

VIT: Final = ROOT / "bench" / "vit_b16"


def token_shapes(encoders: Encoders) -> dict[str, tuple[int, ...]]:
    """The shapes of a photo's tokens and of those of a text of 32."""
    (photo,) = encoders.image_tokens([np.zeros((224, 224, 3), np.uint8)])
    (text,) = encoders.text_tokens([np.arange(1000, 1032)])
    return {"image": photo.shape, "text": text.shape}


def bundle_inputs(encoder: str, shapes: Mapping[str, tuple[int, ...]], size: int, seed: int = 0) -> Inputs:
    """Made up; `shapes` are those of a photo's and a text's tokens."""
    random = np.random.default_rng(seed)
    if encoder == "image_encoder":
        return {"pixel_values": random.normal(size=(size, 3, 224, 224)).astype(np.float32)}
    if encoder == "text_encoder":
        return {"input_ids": random.integers(1000, 20_000, (size, 32)), "attention_mask": np.ones((size, 32), np.int64)}
    tokens = {f"{side}_tokens": random.normal(size=(size, *shape)).astype(np.float32) for side, shape in shapes.items()}
    return tokens | {f"{side}_mask": np.ones((size, shape[0]), np.int64) for side, shape in shapes.items()}


def about_vit() -> dict[str, Any]:
    """Sizes of the ViT-B/16, and operations for an item."""
    about: dict[str, Any] = json.loads((VIT / "about.json").read_text())
    return about


def vit_file(part: str) -> Path:
    """Its `image` or `text` part."""
    return VIT / f"{part}.onnx"


def vit_inputs(part: str, about: Mapping[str, Any], size: int, seed: int = 0) -> Inputs:
    """Made up, for one of its parts."""
    random = np.random.default_rng(seed)
    if part == "image":
        return {"pixel_values": random.normal(size=(size, 3, about["side"], about["side"])).astype(np.float32)}
    ids = random.integers(0, about["vocabulary"] - 1, (size, about["tokens"]))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def photos(count: int) -> list[bytes]:
    """JPEGs of the demo catalogue."""
    files = sorted((ROOT / "catalogue" / "demo" / "photos").rglob("*.jpg"))
    return [files[row % len(files)].read_bytes() for row in range(count)]


def output_of(session: Any) -> str:
    """The name of a session's first output."""
    name: str = session.get_outputs()[0].name
    return name
