"""The fusion encoder of a `cross` bundle: what it makes of photo and words together, plus what it makes of each alone.

One vector then holds what fusion found and, added, what each modality says by itself: queries of one modality find
products better, and words are heard where they matter. Words with numbers in them (sizes, models, values) tell more of
a product than others, so they weigh more.
"""

from collections.abc import Sequence
from typing import Final

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from models.training.batches import padded
from models.training.network import FusionEncoder, TextEncoder, mean_token
from models.training.texts import tokenise

REACH: Final = 0.3
"""By how much the words of a text with many numbers weigh more than those of one without."""
_MANY: Final = 0.1
"""From this share of pieces with a digit on, numbers are many."""
_RIDGE: Final = 1e-3
_CHUNK: Final = 64


class SummedFusion(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """Tokens and masks of both modalities to the unit embedding [n, width]; one modality alone as before."""

    def __init__(self, fusion: FusionEncoder) -> None:
        super().__init__()
        self.fusion = fusion
        self.numbers = nn.Linear(fusion.start.shape[0], 1)
        """Hears in the mean of a text's tokens whether it has many numbers (1) or none (0); 0 until it is fitted."""
        nn.init.zeros_(self.numbers.weight)
        nn.init.zeros_(self.numbers.bias)

    def forward(self, image_tokens: Tensor, image_mask: Tensor, text_tokens: Tensor, text_mask: Tensor) -> Tensor:
        """One vector per product."""
        both = self.fusion(image_tokens, image_mask, text_tokens, text_mask)
        rows = (image_mask.amax(dim=1) * text_mask.amax(dim=1)).nonzero()[:, 0]  # that have both
        image, image_on, words, words_on = (part[rows] for part in (image_tokens, image_mask, text_tokens, text_mask))
        no_image, no_text, off = (torch.zeros_like(part[:, :1]) for part in (image, words, image_on))
        weight = 1 + REACH * self.numbers(mean_token(words, words_on)).clamp(0, 1)
        alone = self.fusion(image, image_on, no_text, off) + weight * self.fusion(no_image, off, words, words_on)
        return functional.normalize(both.index_add(0, rows, alone), dim=1)


def hear_numbers(
    summed: SummedFusion, text: TextEncoder, tokenizer: Tokenizer, texts: Sequence[str], most: int
) -> None:
    """Fit `summed.numbers` to some thousand texts, by ridge regression on their share of pieces with a digit."""
    ids, means = [row for row in tokenise(tokenizer, texts, most) if row], []
    if not ids:
        return
    for start in range(0, len(ids), _CHUNK):
        row_ids, mask = padded(ids[start : start + _CHUNK])
        with torch.inference_mode():
            means.append(mean_token(text(row_ids, mask), mask))
    has_digit = {at for piece, at in tokenizer.get_vocab().items() if any(letter.isdigit() for letter in piece)}
    share = torch.tensor([len([piece for piece in row if piece in has_digit]) / len(row) for row in ids])
    heard, wanted = torch.cat(means).double(), (share / _MANY).clamp(max=1).double()
    centre, middle = heard.mean(dim=0), wanted.mean()
    spread = (heard - centre).T @ (heard - centre) / len(ids)
    slope = torch.linalg.solve(
        spread + _RIDGE * spread.diagonal().mean() * torch.eye(len(spread), dtype=torch.float64),
        (heard - centre).T @ (wanted - middle) / len(ids),
    )
    with torch.no_grad():
        summed.numbers.weight.copy_(slope[None].float())
        summed.numbers.bias.copy_((middle - centre @ slope)[None].float())
