"""The text tower of Jina-CLIP v2: an XLM-RoBERTa whose heads are turned by position, in place of learned positions.

`transformers` has this network (JinaEmbeddingsV3) but neither its adapters nor the checkpoint's form of it, so it is
written out here; adapters are merged into the weights before they get here.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.export.jina_reader import JinaReader

_EPS: Final = 1e-5
_SLOWEST: Final = 20_000.0
"""Of the rotations by position, how much slower the last would be than the first."""


class JinaRoberta(JinaReader):
    """See JinaReader."""

    def __init__(
        self, vocabulary: int, kinds: int, width: int, inner: int, layers: int, heads: int, filling: int
    ) -> None:
        own = nn.ModuleList(_Layer(width, inner, heads) for _ in range(layers))
        super().__init__(vocabulary, kinds, width, _EPS, filling, own)
        self.head = width // heads

    def read(self, x: Tensor, there: Tensor) -> Tensor:
        """See JinaReader."""
        angles = _angles(there.shape[1], self.head, there.device)
        cosines, sines = angles.cos().to(self.dtype), angles.sin().to(self.dtype)
        lowest = torch.finfo(self.dtype).min
        hidden = torch.zeros_like(there, dtype=self.dtype).masked_fill(~there, lowest)[:, None, None, :]
        for layer in self.encoder["layers"]:
            x = layer(x, cosines, sines, hidden)
        return x


class _Layer(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """Attention over rotated positions, then two plain layers; each is added to what it was given and normalised."""

    def __init__(self, width: int, inner: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.mixer = nn.ModuleDict({"Wqkv": nn.Linear(width, 3 * width), "out_proj": nn.Linear(width, width)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, inner), "fc2": nn.Linear(inner, width)})
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=_EPS), nn.LayerNorm(width, eps=_EPS)

    def forward(self, x: Tensor, cosines: Tensor, sines: Tensor, hidden: Tensor) -> Tensor:
        parts = self.mixer["Wqkv"](x).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        query, key = (_turned(part, cosines, sines) for part in (query, key))
        weights = torch.softmax(query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5 + hidden, dim=-1)
        x = self.norm1(x + self.mixer["out_proj"]((weights @ value).transpose(1, 2).flatten(2)))
        return self.norm2(x + self.mlp["fc2"](functional.gelu(self.mlp["fc1"](x))))


def _angles(tokens: int, head: int, device: torch.device) -> Tensor:
    """[tokens, head / 2], in float32 whatever the weights are: half precision cannot tell late positions apart."""
    speeds = _SLOWEST ** (-torch.arange(head // 2, device=device, dtype=torch.float32) / (head // 2))
    return torch.arange(tokens, device=device, dtype=torch.float32)[:, None] * speeds


def _turned(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Heads [n, heads, tokens, head], each number of their first half turned with its partner in the second."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cosines - b * sines, b * cosines + a * sines], dim=-1)
