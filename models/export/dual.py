"""The three modules of a dual bundle: two separate encoders and a weighted sum, in the contract of any bundle.

Each encoder gives one token per product in the joint space. The fusion encoder makes each present modality a unit
vector, adds them up with their weights, and makes the sum a unit vector.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from models.export.projection import Matrix

if TYPE_CHECKING:
    from models.export.backbones import PhotoBackbone, TextBackbone  # their weights are in packages of their own

_EPSILON = 1e-9


class _ToJoint(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """Backbone features to joint space: a projection [width, dim] that fills the dimensions from `start` on."""

    def __init__(self, projection: Matrix, start: int, joint_dim: int) -> None:
        super().__init__()
        matrix = np.zeros((projection.shape[0], joint_dim))
        matrix[:, start : start + projection.shape[1]] = projection
        self.turn = nn.Linear(*matrix.shape, bias=False)
        self.turn.weight.data = torch.from_numpy(matrix.T.copy()).float()

    def forward(self, features: Tensor) -> Tensor:
        return self.turn(features)[:, None, :]


class ImageEncoder(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """pixel_values [n, 3, 224, 224] to image_tokens [n, 1, joint_dim]."""

    def __init__(self, backbone: "PhotoBackbone", projection: Matrix, start: int, joint_dim: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.to_joint = _ToJoint(projection, start, joint_dim)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """One token per photo."""
        return self.to_joint(self.backbone(pixel_values))


class TextEncoder(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """input_ids and attention_mask [n, tokens] to text_tokens [n, 1, joint_dim]."""

    def __init__(self, backbone: "TextBackbone", projection: Matrix, start: int, joint_dim: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.to_joint = _ToJoint(projection, start, joint_dim)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """One token per text."""
        return self.to_joint(self.backbone(input_ids, attention_mask))


class DualFusion(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """Tokens and masks of both modalities to the unit embedding [n, joint_dim]."""

    def __init__(self, image_weight: float) -> None:
        """`image_weight` (0..1) goes to the photo, the rest to the text."""
        super().__init__()
        self.image_weight = image_weight

    def forward(self, image_tokens: Tensor, image_mask: Tensor, text_tokens: Tensor, text_mask: Tensor) -> Tensor:
        """One vector per product."""
        image = self.image_weight * _pooled(image_tokens, image_mask)
        text = (1 - self.image_weight) * _pooled(text_tokens, text_mask)
        return _unit(image + text)


def _pooled(tokens: Tensor, mask: Tensor) -> Tensor:
    """The unit sum of the tokens that count; zeros where none does."""
    return _unit((tokens * mask[..., None].to(tokens.dtype)).sum(dim=1))


def _unit(rows: Tensor) -> Tensor:
    return rows / rows.square().sum(dim=1, keepdim=True).sqrt().clamp(min=_EPSILON)
