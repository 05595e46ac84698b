"""The cross-modal encoder: a photo tower, a text tower, and a small transformer over the tokens of both."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.training.base import Base, Project, ProjectTexts
from models.training.config import NetworkConfig
from models.training.towers import photo_tower, text_tower


class PhotoEncoder(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """pixel_values [n, 3, side, side] to image_tokens [n, 1 + grid * grid, width]: the whole photo, then its parts."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.tower = photo_tower(config)
        self.grid = config.grid
        self.norm = nn.LayerNorm(self.tower.width)
        self.project = nn.Linear(self.tower.width, config.width)
        self.position = nn.Parameter(torch.zeros(1 + config.grid**2, config.width))

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Tokens of photos."""
        features = self.tower(pixel_values)
        # the cubic mean hears small strong details
        whole = features.pow(3).mean(dim=(2, 3)).clamp(min=1e-6).pow(1 / 3)
        parts = functional.adaptive_avg_pool2d(features, self.grid).flatten(2).transpose(1, 2)
        tokens = torch.cat([whole[:, None], parts], dim=1)
        return self.project(self.norm(tokens)) + self.position


class TextEncoder(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """input_ids and attention_mask [n, tokens] to text_tokens [n, tokens, width]."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.tower = text_tower(config)
        self.norm = nn.LayerNorm(self.tower.width)
        self.project = nn.Linear(self.tower.width, config.width)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Tokens of texts."""
        return self.project(self.norm(self.tower(input_ids, attention_mask)))


class Layer(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """A pre-norm transformer layer that adds nothing at first."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)
        for last in (self.out, self.down):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, tokens: Tensor, bias: Tensor, most: int | None = None) -> Tensor:
        """Tokens [n, t, width] and what is added to attention [n, 1, 1, t]; with `most`, only so many come out."""
        count, length, width = tokens.shape
        qkv = self.qkv(self.norm_attention(tokens)).reshape(count, length, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(query[:, :, :most], key, value, attn_mask=bias)
        tokens = tokens[:, :most]
        tokens = tokens + self.dropout(self.out(mixed.transpose(1, 2).reshape(tokens.shape)))
        return tokens + self.dropout(self.down(functional.gelu(self.up(self.norm_mlp(tokens)))))


class FusionEncoder(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """Tokens and masks of both modalities to the unit embedding [n, width].

    One more token starts as the sum of the whole photo's token and the mean of the text's: late fusion, which the
    layers then correct. It is never masked, so no mask makes a NaN.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        width = config.width
        self.start = nn.Parameter(torch.zeros(width))
        self.kind = nn.Parameter(0.02 * torch.randn(2, width))
        self.layers = nn.ModuleList(Layer(width, config.heads, config.dropout) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, width)

    def forward(self, image_tokens: Tensor, image_mask: Tensor, text_tokens: Tensor, text_mask: Tensor) -> Tensor:
        """One vector per product."""
        image_on, text_on = image_mask[..., None].to(image_tokens.dtype), text_mask[..., None].to(text_tokens.dtype)
        image, text = image_tokens * image_on, text_tokens * text_on
        start = self.start + image[:, 0] + mean_token(text_tokens, text_mask)
        tokens = torch.cat([start[:, None], image + self.kind[0], text + self.kind[1]], dim=1)
        seen = torch.cat([torch.ones_like(image_mask[:, :1]), image_mask, text_mask], dim=1)
        bias = (1 - seen[:, None, None, :].to(tokens.dtype)) * -1e4
        for number, layer in enumerate(self.layers, start=1):
            tokens = layer(tokens, bias, most=1 if number == len(self.layers) else None)
        return functional.normalize(self.out(self.norm(tokens[:, 0])), dim=1)


def mean_token(tokens: Tensor, mask: Tensor) -> Tensor:
    """[n, width] of tokens [n, t, width]; zeros where nothing is seen."""
    seen = mask[..., None].to(tokens.dtype)
    return (tokens * seen).sum(dim=1) / seen.sum(dim=1).clamp(min=1)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Products as the network takes them; an absent photo or text is zeros with `has` false."""

    photos: Tensor
    """Pixels [n, 3, side, side], or tokens [n, tokens, width] made before."""
    ids: Tensor
    mask: Tensor
    """[n, tokens]."""
    has: Tensor
    """bool [n, 2]: a photo, a text."""
    other_ids: Tensor
    other_mask: Tensor
    """[k, tokens]: words to go with the photos of the rows `other_rows`."""
    other_rows: Tensor


class CrossEncoder(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """The three encoders together; of a `base`, the tokens of its own two, and the fusion encoder over them."""

    def __init__(self, config: NetworkConfig, base: Base | None = None) -> None:
        super().__init__()
        self.base = base
        self.photo = PhotoEncoder(config) if base is None else Project(base.width, config.width)
        if config.frozen_photo and base is None:
            self.photo.requires_grad_(requires_grad=False)
        self.text = TextEncoder(config) if base is None else ProjectTexts(base, config.width)
        self.fusion = FusionEncoder(config)
        if base is not None:  # begin with the base's own late fusion
            nn.init.eye_(self.fusion.out.weight)
            nn.init.zeros_(self.fusion.out.bias)

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Vectors by photo, by text and by both [n, 3, width], and of photos with other words [k, width]."""
        made_before = inputs.photos.ndim == 3 and self.base is None
        image = inputs.photos if made_before else self.photo(inputs.photos)
        rows = inputs.other_rows
        vectors = self.fuse(image, self.text(inputs.ids, inputs.mask), inputs.mask, inputs.has)
        if not len(rows):
            return vectors, image.new_zeros(0, vectors.shape[2])
        other, image_on = self.text(inputs.other_ids, inputs.other_mask), torch.ones_like(image[rows, :, 0]).long()
        return vectors, self.fusion(image[rows], image_on, other, inputs.other_mask)

    def fuse(self, image: Tensor, text: Tensor, text_mask: Tensor, has: Tensor) -> Tensor:
        """Vectors by photo, by text and by both [n, 3, width]; `has` bool [n, 2] says what there is."""
        image_on = has[:, :1].long().expand(-1, image.shape[1])
        text_on = text_mask * has[:, 1:].long()
        off = torch.zeros_like(text_on[:, :1])
        return torch.stack(
            [
                self.fusion(image, image_on, torch.zeros_like(text[:, :1]), off),
                self.fusion(torch.zeros_like(image[:, :1]), off, text, text_on),
                self.fusion(image, image_on, text, text_on),
            ],
            dim=1,
        )
