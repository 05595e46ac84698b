"""The text tower of Jina-CLIP v1.

A BERT without positions of its own, whose attention falls off with distance (ALiBi), with gated layers, and the mean of
its last layer as the text's vector. `transformers` has no such network, so it is written out here.
"""

import math
from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.export.jina_reader import JinaReader

_EPS: Final = 1e-12


class JinaBert(JinaReader):
    """See JinaReader."""

    def __init__(
        self, vocabulary: int, kinds: int, width: int, inner: int, layers: int, heads: int, filling: int
    ) -> None:
        own = nn.ModuleList(_Layer(width, inner, heads) for _ in range(layers))
        super().__init__(vocabulary, kinds, width, _EPS, filling, own)
        self.register_buffer("slopes", torch.tensor(slopes(heads)).reshape(1, -1, 1, 1), persistent=False)

    @property
    def tables(self) -> Mapping[str, Tensor]:
        """See JinaReader."""
        return {"alibi_slopes": self.slopes.flatten()}

    def read(self, x: Tensor, there: Tensor) -> Tensor:
        """See JinaReader."""
        bias = self._bias(there)
        for layer in self.encoder["layers"]:
            x = layer(x, bias)
        return x

    def _bias(self, there: Tensor) -> Tensor:
        """[n, heads, tokens, tokens], added to how much a token looks at another: less the further it is."""
        places = torch.arange(there.shape[1], device=there.device)
        apart = (places[:, None] - places[None, :]).abs().to(self.dtype)
        return (-self.slopes * apart).masked_fill(~there[:, None, None, :], torch.finfo(self.dtype).min)


class _Layer(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """Attention, then a gated network; each is added to what it was given and normalised."""

    def __init__(self, width: int, inner: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.mixer = nn.ModuleDict({"Wqkv": nn.Linear(width, 3 * width), "out_proj": nn.Linear(width, width)})
        self.mlp = nn.ModuleDict(
            {"gated_layers": nn.Linear(width, 2 * inner, bias=False), "wo": nn.Linear(inner, width)}
        )
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=_EPS), nn.LayerNorm(width, eps=_EPS)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        parts = self.mixer["Wqkv"](x).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        weights = torch.softmax(query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5 + bias, dim=-1)
        x = self.norm1(x + self.mixer["out_proj"]((weights @ value).transpose(1, 2).flatten(2)))
        gate, passed = self.mlp["gated_layers"](x).chunk(2, dim=-1)
        return self.norm2(x + self.mlp["wo"](functional.gelu(gate) * passed))


def slopes(heads: int) -> list[float]:
    """How fast each head's attention falls off: powers of two, and in between for heads beyond a power of two."""
    whole = 2 ** math.floor(math.log2(heads))
    between = [2.0 ** (-8 * (2 * head + 1) / (2 * whole)) for head in range(heads - whole)]
    return [2.0 ** (-8 * (head + 1) / whole) for head in range(whole)] + between
