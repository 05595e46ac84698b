"""Whether the exported files compute what PyTorch computes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime as ort
import torch
from torch import nn

from models.bundle import ENCODERS, Bundle
from models.embedder import Vectors

MAX_DIFFERENCE: Final = 1e-4
"""Of any number of a unit vector."""


@dataclass(frozen=True, slots=True)
class Modules:
    """The PyTorch side of a bundle."""

    image_encoder: nn.Module
    text_encoder: nn.Module
    fusion_encoder: nn.Module


def difference(found: Vectors, wanted: Vectors) -> float:
    """The largest of any number; infinite where one is no number, or there are more or fewer of them."""
    largest = float(np.abs(found - wanted).max()) if found.shape == wanted.shape else float("inf")
    return largest if np.isfinite(largest) else float("inf")


def largest_difference(modules: Modules, bundle_path: Path) -> float:
    """The largest absolute difference of any embedding's number, over photos of noise and random tokens.

    Every combination of modalities, several batch sizes and text lengths, and padded texts are tried.
    """
    bundle = Bundle.load(bundle_path)
    sessions = {name: ort.InferenceSession(str(bundle.file(getattr(bundle.reference, name)))) for name in ENCODERS}
    random = np.random.default_rng(0)
    worst = 0.0
    for batch, length in ((1, 8), (3, 16), (4, bundle.config.max_text_tokens)):
        side = bundle.config.image_size
        coarse = random.normal(0, 1, (batch, 3, 8, 8)).repeat(side // 8, axis=2).repeat(side // 8, axis=3)
        pixels = (coarse + random.normal(0, 0.2, coarse.shape)).astype(np.float32)
        ids = random.integers(1000, 20_000, (batch, length))
        mask = (np.arange(length)[None, :] < random.integers(3, length + 1, (batch, 1))).astype(np.int64)
        (image_tokens,) = sessions["image_encoder"].run(None, {"pixel_values": pixels})
        (text_tokens,) = sessions["text_encoder"].run(None, {"input_ids": ids, "attention_mask": mask})
        with torch.inference_mode():
            image = modules.image_encoder(torch.from_numpy(pixels))
            text = modules.text_encoder(torch.from_numpy(ids), torch.from_numpy(mask))
        for has_image, has_text in ((1, 1), (1, 0), (0, 1)):
            image_mask = np.full(image_tokens.shape[:2], has_image)
            text_mask = has_text * (mask if text_tokens.shape[1] == length else np.ones((batch, 1), np.int64))
            given = {
                "image_tokens": image_tokens,
                "image_mask": image_mask,
                "text_tokens": text_tokens,
                "text_mask": text_mask,
            }
            (found,) = sessions["fusion_encoder"].run(None, given)
            with torch.inference_mode():
                wanted = modules.fusion_encoder(image, torch.from_numpy(image_mask), text, torch.from_numpy(text_mask))
            worst = max(worst, difference(found, wanted.numpy()))
    return worst
