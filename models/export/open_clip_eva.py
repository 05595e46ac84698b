"""EVA-CLIP in OpenCLIP's format: an EVA-02 tower of timm beside OpenCLIP's text transformer.

`transformers` has no such tower, so it is written out here; its parts have timm's names, and are filled by them.
"""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from catalogue.errors import BundleInvalid
from models.export.open_clip_weights import clip_text, clip_text_weights, filled

SIZES: Final[Mapping[str, tuple[int, int, int, int]]] = {
    "eva02_base_patch16_clip": (768, 12, 12, 16),
    "eva02_large_patch14_clip": (1024, 24, 16, 14),
}
"""timm's name without its resolution -> width, layers, heads, pixels of a patch."""
_TRUNK: Final = "visual.trunk."
_EPS: Final = 1e-6
_TRAINED_SIDE: Final = 16
"""Patches of a side in training: those of any other photo are spread over as many positions."""
_SLOWEST: Final = 10_000.0
"""Of the rotations by position, how much slower the last would be than the first."""


def read_eva(where: Path, cfg: dict[str, Any], vision: dict[str, Any], text: dict[str, Any], of: Any) -> nn.Module:
    """The network with the weights `of`; raises BundleInvalid for another pooling, KeyError or RuntimeError for others.

    See `models.export.open_clip`.
    """
    if vision.get("timm_pool") != "token" or vision.get("timm_proj"):
        raise BundleInvalid(f"{where}: an EVA tower that does not end in its first token cannot be exported.")
    sizes = SIZES[str(vision["timm_model_name"]).rpartition("_")[0]]
    tower = EvaTower(vision["image_size"], *sizes, cfg["embed_dim"])
    filled(tower, {name: of[f"{_TRUNK}{name}"] for name in tower.state_dict()})
    act = "quick_gelu" if cfg.get("quick_gelu") else "gelu"
    reader = CLIPTextModelWithProjection(CLIPTextConfig(**clip_text(text, cfg["embed_dim"], act)))
    filled(reader, clip_text_weights(text["layers"], of))
    of["logit_scale"]  # a part of every checkpoint that plays no role here
    return EvaClip(tower, reader, vision["image_size"])


class EvaClip(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """An EVA tower and one for texts, used as a CLIPModel of `transformers` is."""

    def __init__(self, tower: "EvaTower", reader: nn.Module, side: int) -> None:
        super().__init__()
        self.tower, self.reader = tower, reader
        self.config = SimpleNamespace(text_config=reader.config, vision_config=SimpleNamespace(image_size=side))

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return self.reader.dtype

    def set_attn_implementation(self, name: str) -> None:
        """Of the text transformer; the tower has its own written out."""
        self.reader.set_attn_implementation(name)

    def get_image_features(self, pixel_values: Tensor) -> SimpleNamespace:
        """`pooler_output` [n, dim] of photos [n, 3, side, side]."""
        return SimpleNamespace(pooler_output=self.tower(pixel_values))

    def get_text_features(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> SimpleNamespace:
        """`pooler_output` [n, dim] of texts [n, tokens]."""
        found = self.reader(input_ids=input_ids, attention_mask=attention_mask)
        return SimpleNamespace(pooler_output=found.text_embeds)


class EvaTower(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """Photos [n, 3, side, side] to features [n, dim], from the first token; [n, width] of a tower without a head."""

    def __init__(
        self, side: int, width: int, layers: int, heads: int, patch: int, dim: int | None, inner: int | None = None
    ) -> None:
        super().__init__()
        patches = side // patch
        inner = int(width * 4 * 2 / 3) if inner is None else inner
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, patches**2 + 1, width))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, patch, patch)})
        self.blocks = nn.ModuleList(_Block(width, inner, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width, eps=_EPS)
        self.head = nn.Identity() if dim is None else nn.Linear(width, dim)
        cosines, sines = _rotations(patches, width // heads)
        self.register_buffer("cosines", cosines, persistent=False)
        self.register_buffer("sines", sines, persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """See above."""
        x = self.patch_embed["proj"](pixels).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1) + self.pos_embed
        for block in self.blocks:
            x = block(x, self.cosines, self.sines)
        return self.head(self.norm(x)[:, 0])


class _Block(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """Attention over rotated positions, then a gated network; both with a normalisation inside."""

    def __init__(self, width: int, inner: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=_EPS), nn.LayerNorm(width, eps=_EPS)
        self.attn = nn.ModuleDict(
            {
                "q_proj": nn.Linear(width, width),
                "k_proj": nn.Linear(width, width, bias=False),
                "v_proj": nn.Linear(width, width),
                "norm": nn.LayerNorm(width, eps=_EPS),
                "proj": nn.Linear(width, width),
            }
        )
        self.mlp = nn.ModuleDict(
            {
                "fc1_g": nn.Linear(width, inner),
                "fc1_x": nn.Linear(width, inner),
                "norm": nn.LayerNorm(inner, eps=_EPS),
                "fc2": nn.Linear(inner, width),
            }
        )

    def forward(self, x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
        x = x + self._attended(self.norm1(x), cosines, sines)
        own, mlp = self.norm2(x), self.mlp
        return x + mlp["fc2"](mlp["norm"](functional.silu(mlp["fc1_g"](own)) * mlp["fc1_x"](own)))

    def _attended(self, x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
        query, key, value = (
            self.attn[name](x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for name in ("q_proj", "k_proj", "v_proj")
        )
        query, key = (_rotated(part, cosines, sines) for part in (query, key))
        weights = torch.softmax(query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5, dim=-1)
        return self.attn["proj"](self.attn["norm"]((weights @ value).transpose(1, 2).flatten(2)))


def _rotations(patches: int, width: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines [patches * patches, width / 2]: one half of a head turns by row, the other by column."""
    speeds = _SLOWEST ** (-torch.arange(width // 4) / (width // 4))
    places = torch.arange(patches) / patches * _TRAINED_SIDE
    rows, columns = torch.meshgrid(places, places, indexing="ij")
    angles = torch.cat([place.reshape(-1, 1) * speeds for place in (rows, columns)], dim=1)
    return angles.cos(), angles.sin()


def _rotated(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Each pair of neighbours in the heads [n, heads, tokens, width] turned by its angle; the first token stays."""
    first, rest = x[:, :, :1], x[:, :, 1:].unflatten(-1, (-1, 2))
    a, b = rest[..., 0], rest[..., 1]
    turned = torch.stack([a * cosines - b * sines, b * cosines + a * sines], dim=-1).flatten(-2)
    return torch.cat([first, turned], dim=2)
