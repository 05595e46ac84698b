"""The three encoders of any bundle as ONNX models, with the names and free dimensions that are read by."""

import onnx
import torch
from torch import nn

from models.export.onnx_export import to_onnx


def export_images(module: nn.Module, side: int, *, fuse: bool = False) -> onnx.ModelProto:
    """An image encoder, for photos of `side` pixels; `fuse` joins operations (`models.export.fused`)."""
    return to_onnx(
        module,
        {"pixel_values": torch.zeros((2, 3, side, side))},
        "image_tokens",
        {"pixel_values": ("batch", None, None, None)},
        fuse=fuse,
    )


def export_texts(module: nn.Module, *, fuse: bool = False) -> onnx.ModelProto:
    """A text encoder, for texts of any length; `fuse` as for photos."""
    shape = ("batch", "tokens")
    # two tensors: the exporter takes inputs that are the same object for the same input
    return to_onnx(
        module,
        {name: torch.ones((2, 6), dtype=torch.long) for name in ("input_ids", "attention_mask")},
        "text_tokens",
        {"input_ids": shape, "attention_mask": shape},
        fuse=fuse,
    )


def export_fusion(module: nn.Module, width: int) -> onnx.ModelProto:
    """A fusion encoder, for any number of tokens of `width`."""
    patches, tokens = ("batch", "patches"), ("batch", "tokens")
    return to_onnx(
        module,
        {
            "image_tokens": torch.ones((2, 3, width)),
            "image_mask": torch.ones((2, 3), dtype=torch.long),
            "text_tokens": torch.ones((2, 4, width)),
            "text_mask": torch.ones((2, 4), dtype=torch.long),
        },
        "embedding",
        {
            "image_tokens": (*patches, None),
            "image_mask": patches,
            "text_tokens": (*tokens, None),
            "text_mask": tokens,
        },
    )
