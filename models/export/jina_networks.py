"""The text towers of the Jina-CLIPs; their parts have the names of the checkpoints' weights.

`transformers` has none of them as the checkpoints have it (JinaEmbeddingsV3 is v2's, without its adapters), so they are
written out here; adapters are merged into the weights before they get here.
"""

import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import ClassVar, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

_SLOWEST: Final = 20_000.0
"""Of the rotations by position, how much slower the last would be than the first."""


class _Gated(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """What comes after attention in v1: one half of a layer opens for the other."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.gated_layers, self.wo = nn.Linear(width, 2 * inner, bias=False), nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        gate, passed = self.gated_layers(x).chunk(2, dim=-1)
        return self.wo(functional.gelu(gate) * passed)


class _Plain(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """What comes after attention in v2."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x)))


class _Layer(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """Attention, then `mlp`; each is added to what it was given and normalised."""

    def __init__(self, width: int, heads: int, eps: float, mlp: nn.Module) -> None:
        super().__init__()
        self.heads = heads
        self.mixer = nn.ModuleDict({"Wqkv": nn.Linear(width, 3 * width), "out_proj": nn.Linear(width, width)})
        self.mlp = mlp
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=eps), nn.LayerNorm(width, eps=eps)

    def forward(self, x: Tensor, bias: Tensor, *turn: Tensor) -> Tensor:
        """`bias` is added to how much a token looks at another; `turn` has the cosines and sines of rotated heads."""
        parts = self.mixer["Wqkv"](x).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        if turn:
            query, key = (_turned(part, *turn) for part in (query, key))
        weights = torch.softmax(query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5 + bias, dim=-1)
        x = self.norm1(x + self.mixer["out_proj"]((weights @ value).transpose(1, 2).flatten(2)))
        return self.norm2(x + self.mlp(x))


class JinaReader(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """input_ids and attention_mask [n, tokens] to `text_embeds` [n, width], the mean over all tokens of a text.

    `filling` counts as no token.
    """

    eps: ClassVar[float]
    mlp: ClassVar[type[_Gated] | type[_Plain]]

    def __init__(
        self, vocabulary: int, kinds: int, width: int, inner: int, layers: int, heads: int, filling: int
    ) -> None:
        super().__init__()
        self.filling, self.heads, self.head = filling, heads, width // heads
        self.embeddings = nn.ModuleDict(
            {"word_embeddings": nn.Embedding(vocabulary, width), "token_type_embeddings": nn.Embedding(kinds, width)}
        )
        self.emb_ln = nn.LayerNorm(width, eps=self.eps)
        own = nn.ModuleList(_Layer(width, heads, self.eps, self.mlp(width, inner)) for _ in range(layers))
        self.encoder = nn.ModuleDict({"layers": own})

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return self.emb_ln.weight.dtype

    @property
    def tables(self) -> Mapping[str, Tensor]:
        """Numbers that follow from the sizes, by the name under which a checkpoint may keep them all the same."""
        return {}

    def set_attn_implementation(self, name: str) -> None:
        """There is one, written out."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> SimpleNamespace:
        """See above."""
        there = input_ids != self.filling
        if attention_mask is not None:
            there = there & (attention_mask > 0)
        words, kinds = self.embeddings["word_embeddings"], self.embeddings["token_type_embeddings"]
        x, places = self.emb_ln(words(input_ids) + kinds.weight[0]), self.places(there)
        for layer in self.encoder["layers"]:
            x = layer(x, *places)
        counts = there.float().unsqueeze(-1)  # half precision would not do for the sum of many tokens
        return SimpleNamespace(text_embeds=(x.float() * counts).sum(dim=1) / counts.sum(dim=1))

    def places(self, there: Tensor) -> tuple[Tensor, ...]:
        """What layers are told of where tokens stand, and which of them are `there` [n, tokens]; see `_Layer`."""
        raise NotImplementedError


class JinaBert(JinaReader):
    """Of v1: a BERT without positions of its own, whose attention falls off with distance (ALiBi)."""

    eps = 1e-12
    mlp = _Gated

    def __init__(self, *sizes: int) -> None:
        super().__init__(*sizes)
        self.register_buffer("slopes", torch.tensor(slopes(self.heads)).reshape(1, -1, 1, 1), persistent=False)

    @property
    def tables(self) -> Mapping[str, Tensor]:
        """See JinaReader."""
        return {"alibi_slopes": self.slopes.flatten()}

    def places(self, there: Tensor) -> tuple[Tensor, ...]:
        """A bias [n, heads, tokens, tokens]: less the further a token is."""
        at = torch.arange(there.shape[1], device=there.device)
        apart = (at[:, None] - at[None, :]).abs().to(self.dtype)
        return ((-self.slopes * apart).masked_fill(~there[:, None, None, :], torch.finfo(self.dtype).min),)


class JinaRoberta(JinaReader):
    """Of v2: an XLM-RoBERTa whose heads are turned by position, in place of learned positions."""

    eps = 1e-5
    mlp = _Plain

    def places(self, there: Tensor) -> tuple[Tensor, ...]:
        """A bias that hides tokens which are not there, and the rotations."""
        angles = _angles(there.shape[1], self.head, there.device)
        cosines, sines = angles.cos().to(self.dtype), angles.sin().to(self.dtype)
        lowest = torch.finfo(self.dtype).min
        hidden = torch.zeros_like(there, dtype=self.dtype).masked_fill(~there, lowest)[:, None, None, :]
        return hidden, cosines, sines


def slopes(heads: int) -> list[float]:
    """How fast each head's attention falls off: powers of two, and in between for heads beyond a power of two."""
    whole = 2 ** math.floor(math.log2(heads))
    between = [2.0 ** (-8 * (2 * head + 1) / (2 * whole)) for head in range(heads - whole)]
    return [2.0 ** (-8 * (head + 1) / whole) for head in range(whole)] + between


def _angles(tokens: int, head: int, device: torch.device) -> Tensor:
    """[tokens, head / 2], in float32 whatever the weights are: half precision cannot tell late positions apart."""
    speeds = _SLOWEST ** (-torch.arange(head // 2, device=device, dtype=torch.float32) / (head // 2))
    return torch.arange(tokens, device=device, dtype=torch.float32)[:, None] * speeds


def _turned(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Heads [n, heads, tokens, head], each number of their first half turned with its partner in the second."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cosines - b * sines, b * cosines + a * sines], dim=-1)
