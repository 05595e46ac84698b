"""What the text towers of all Jina-CLIPs have in common; their parts have the names of the checkpoints' weights."""

from collections.abc import Mapping
from types import SimpleNamespace

import torch
from torch import Tensor, nn


class JinaReader(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """input_ids and attention_mask [n, tokens] to `text_embeds` [n, width], the mean over all tokens of a text.

    `filling` counts as no token.
    """

    def __init__(
        self, vocabulary: int, kinds: int, width: int, eps: float, filling: int, layers: nn.ModuleList
    ) -> None:
        super().__init__()
        self.filling = filling
        self.embeddings = nn.ModuleDict(
            {"word_embeddings": nn.Embedding(vocabulary, width), "token_type_embeddings": nn.Embedding(kinds, width)}
        )
        self.emb_ln = nn.LayerNorm(width, eps=eps)
        self.encoder = nn.ModuleDict({"layers": layers})

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
        x = self.read(self.emb_ln(words(input_ids) + kinds.weight[0]), there)
        counts = there.float().unsqueeze(-1)  # half precision would not do for the sum of many tokens
        return SimpleNamespace(text_embeds=(x.float() * counts).sum(dim=1) / counts.sum(dim=1))

    def read(self, x: Tensor, there: Tensor) -> Tensor:
        """All layers: tokens [n, tokens, width], of which those count that are `there` [n, tokens]."""
        raise NotImplementedError
