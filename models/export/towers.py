"""The two towers of a CLIP-like model of `transformers` as modules in the contract of any bundle."""

from typing import Final

import onnx
import torch
from torch import Tensor, nn

from models.export.contract import export_images, export_texts

_EAGER: Final = "eager"
"""The attention that exports to plain operations, which those that fuse know."""
_CAUSAL: Final = "clip_text_model"
"""A text tower in which tokens see those before them only and the text is told by its last: what fills up, by none."""


class ImageTower(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """pixel_values [n, 3, side, side] to image_tokens [n, 1, width], in float32 whatever the tower computes in."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: Tensor) -> Tensor:
        """One token per photo."""
        features = self.model.get_image_features(pixel_values=pixel_values.to(self.model.dtype)).pooler_output
        return features[:, None, :].float()


class TextTower(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """input_ids and attention_mask [n, tokens] to text_tokens [n, 1, width].

    A tower that looks at the end of its text, and was trained on texts filled up with a token, gets them filled up to
    `fill_to` tokens with `filling`, whatever the length they come in.
    """

    def __init__(self, model: nn.Module, fill_to: int | None, filling: int) -> None:
        super().__init__()
        self.model = model
        self.fill_to = fill_to
        self.filling = filling

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """One token per text."""
        if getattr(self.model.config.text_config, "model_type", None) == _CAUSAL:
            found = self.model.get_text_features(input_ids=input_ids)
        elif self.fill_to is None:
            found = self.model.get_text_features(input_ids=input_ids, attention_mask=attention_mask)
        else:
            own = torch.where(attention_mask > 0, input_ids, self.filling)
            end = torch.full((1, self.fill_to), self.filling, dtype=own.dtype).expand(own.shape[0], -1)
            found = self.model.get_text_features(input_ids=torch.cat([own, end], dim=1)[:, : self.fill_to])
        return found.pooler_output[:, None, :].float()


def export_image(model: nn.Module, side: int, *, fuse: bool = False) -> onnx.ModelProto:
    """The image encoder, for photos of `side` pixels; `fuse` joins operations (`models.export.fused`)."""
    model.set_attn_implementation(_EAGER)
    return export_images(ImageTower(model), side, fuse=fuse)


def export_text(model: nn.Module, fill_to: int | None, filling: int = 0, *, fuse: bool = False) -> onnx.ModelProto:
    """The text encoder, see `TextTower`; `fuse` joins operations (`models.export.fused`)."""
    model.set_attn_implementation(_EAGER)
    return export_texts(TextTower(model, fill_to, filling), fuse=fuse)
