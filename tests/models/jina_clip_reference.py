"""The text tower of Jina-CLIP v1 by its published description, in NumPy, one text and one head after the other.

Written without looking at `models.export.jina_networks`: what both say alike is unlikely to be the same mistake.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
TEXT = "text_model.transformer."


def read(weights: Mapping[str, NDArray[Any]], ids: Sequence[int], heads: int, layers: int) -> Numbers:
    """[width], the mean over all tokens of a text that ends where its ids do."""

    def of(name: str) -> Numbers:
        return np.asarray(weights[f"{TEXT}{name}"], np.float64)

    words, kind = of("embeddings.word_embeddings.weight"), of("embeddings.token_type_embeddings.weight")[0]
    rows = normed(np.stack([words[number] + kind for number in ids]), of("emb_ln.weight"), of("emb_ln.bias"))
    falls = alibi(heads)
    for layer in range(layers):
        at = f"encoder.layers.{layer}."
        mixed = rows @ of(f"{at}mixer.Wqkv.weight").T + of(f"{at}mixer.Wqkv.bias")
        width = rows.shape[1]
        size = width // heads
        seen = []
        for head in range(heads):
            query, key, value = (mixed[:, part * width + head * size :][:, :size] for part in range(3))
            looks = np.empty((len(ids), len(ids)))
            for here in range(len(ids)):
                for there in range(len(ids)):
                    near = query[here] @ key[there] / math.sqrt(size)
                    looks[here, there] = near - falls[head] * abs(here - there)
            shares = np.exp(looks - looks.max(axis=1, keepdims=True))
            seen.append(shares / shares.sum(axis=1, keepdims=True) @ value)
        added = np.concatenate(seen, axis=1) @ of(f"{at}mixer.out_proj.weight").T + of(f"{at}mixer.out_proj.bias")
        rows = normed(rows + added, of(f"{at}norm1.weight"), of(f"{at}norm1.bias"))
        both = rows @ of(f"{at}mlp.gated_layers.weight").T
        half = both.shape[1] // 2
        gelu = 0.5 * both[:, :half] * (1 + np.vectorize(math.erf)(both[:, :half] / math.sqrt(2)))
        added = (gelu * both[:, half:]) @ of(f"{at}mlp.wo.weight").T + of(f"{at}mlp.wo.bias")
        rows = normed(rows + added, of(f"{at}norm2.weight"), of(f"{at}norm2.bias"))
    return np.asarray(rows.mean(axis=0))


def alibi(heads: int) -> list[float]:
    """The paper's slopes: from 2^(-8/n) in that ratio; beyond a power of two every other one of twice as many."""
    power = 2 ** int(math.log2(heads))
    first = 2 ** (-8 / power)
    found = [first ** (step + 1) for step in range(power)]
    return found if power == heads else found + alibi(2 * power)[0::2][: heads - power]


def normed(rows: Numbers, weight: Numbers, bias: Numbers) -> Numbers:
    """Layer normalisation."""
    spread = np.sqrt(rows.var(axis=1, keepdims=True) + 1e-12)
    return np.asarray((rows - rows.mean(axis=1, keepdims=True)) / spread * weight + bias)
