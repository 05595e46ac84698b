"""Figures of a network in training: the nine modes by the evaluation protocol, and the composed task."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from models.embedder import Vectors
from models.evaluation import Mode, evaluate
from models.training.batches import padded
from models.training.config import TrainConfig
from models.training.data import Corpus
from models.training.network import CrossEncoder
from models.training.texts import difference_words, query_and_gallery_words, tokenise
from models.training.views import plain_photos

_MODES: Final[tuple[Mode, ...]] = ("i", "t", "m")
_CHUNK: Final = 32
_COMPOSED_TASKS: Final = 500


def headline(model: CrossEncoder, corpus: Corpus, tokenizer: Tokenizer, config: TrainConfig) -> dict[str, float]:
    """recall@10 of each mode among the items kept to choose by, recall@1 too of i-i, t-t, m-m, and the composed task.

    Empty where nothing is kept.
    """
    if not corpus.dev:
        return {}
    items = [item for item, _ in corpus.dev]
    words = [query_and_gallery_words(corpus.items[item].product) for item in items]
    photos = photo_tokens(model, corpus, items, config)
    queries = embed(model, photos, tokenise(tokenizer, [query for query, _ in words], config.network.max_text_tokens))
    gallery = embed(model, photos, tokenise(tokenizer, [told for _, told in words], config.network.max_text_tokens))
    scores = evaluate(queries, gallery, [str(group) for _, group in corpus.dev])
    result = {
        f"{pair}@{k}": score.recall[k]
        for pair, score in scores.items()
        for k in ((1, 10) if pair[0] == pair[2] else (10,))
    }
    composed = composed_recall(model, corpus, photos, gallery["m"], tokenizer, config)
    return result if composed is None else {**result, "composed@10": composed}


def photo_tokens(model: CrossEncoder, corpus: Corpus, items: Sequence[int], config: TrainConfig) -> Tensor:
    """Tokens [n, tokens, width] of unchanged photos; zeros for an item without one."""
    device, made = model.fusion.start.device, []
    for start in range(0, len(items), _CHUNK):
        places = [corpus.items[item].photo for item in items[start : start + _CHUNK]]
        pixels = plain_photos([corpus.photos[place] for place in places], config.views.side, device)
        with torch.inference_mode():
            made.append(
                model.photo(pixels) * torch.tensor([place >= 0 for place in places], device=device)[:, None, None]
            )
    return torch.cat(made)


def embed(model: CrossEncoder, photos: Tensor, ids: Sequence[Sequence[int]]) -> dict[Mode, Vectors]:
    """Vectors of products by photo, by text, and by both; zeros where one lacks what is needed."""
    device = photos.device
    vectors = np.zeros((len(ids), 3, photos.shape[2]), dtype=np.float32)
    order = np.argsort([len(row) for row in ids], kind="stable")
    for start in range(0, len(order), _CHUNK):
        rows = order[start : start + _CHUNK]
        row_ids, mask = (part.to(device) for part in padded([ids[row] for row in rows]))
        has_text = torch.tensor([len(ids[row]) > 0 for row in rows], device=device)
        image = photos[rows]
        has_image = image.flatten(1).any(dim=1)
        has = torch.stack([has_image, has_text, has_image | has_text], dim=1)
        with torch.inference_mode():
            by_mode = model.fuse(image, model.text(row_ids, mask), mask, has[:, :2])
        vectors[rows] = (by_mode * has[:, :, None]).float().cpu().numpy()
    return {mode: vectors[:, at] for at, mode in enumerate(_MODES)}


def composed_recall(
    model: CrossEncoder, corpus: Corpus, photos: Tensor, gallery: Vectors, tokenizer: Tokenizer, config: TrainConfig
) -> float | None:
    """How often a photo with the words for what differs finds that other product of its group among ten."""
    tasks = _composed_tasks(corpus, config.losses.composed_attributes)
    if not tasks:
        return None
    tasks = [tasks[at] for at in np.random.default_rng(0).permutation(len(tasks))[:_COMPOSED_TASKS]]
    rows, first = np.arange(len(tasks)), np.array([task[0] for task in tasks])
    ids = tokenise(tokenizer, [words for _, _, words in tasks], config.network.max_text_tokens)
    similar = embed(model, photos[first], ids)["m"] @ gallery.T
    wanted = similar[rows, [second for _, second, _ in tasks]]
    similar[rows, first] = -np.inf
    return float(((similar >= wanted[:, None]).sum(axis=1) <= 10).mean())


def _composed_tasks(corpus: Corpus, attributes: Sequence[str]) -> list[tuple[int, int, str]]:
    """Places in `dev` of two products of a group, with the words that tell the second from the first."""
    members: dict[int, list[int]] = {}
    for at, (_, group) in enumerate(corpus.dev):
        members.setdefault(group, []).append(at)
    items = [corpus.items[item] for item, _ in corpus.dev]
    return [
        (first, second, words)
        for group in members.values()
        for first in group
        for second in group
        if first != second and items[first].photo >= 0
        if (words := difference_words(items[first].product, items[second].product, attributes))
    ]
