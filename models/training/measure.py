"""Figures of a network in training: the nine modes by the evaluation protocol, and the composed task."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor

from models.embedder import Vectors
from models.evaluation import Mode, evaluate
from models.evaluation.modes import MODES
from models.training.base import Base
from models.training.batches import padded
from models.training.config import TrainConfig
from models.training.data import Corpus
from models.training.network import CrossEncoder
from models.training.texts import (
    MOST_ASKED,
    Words,
    content_words,
    difference_words,
    few_words,
    fitting,
    query_and_gallery_words,
    told_words,
)
from models.training.views import plain_photos

_CHUNK: Final = 32
_COMPOSED_TASKS: Final = 500
_FIRST: Final = 5


def headline(model: CrossEncoder, corpus: Corpus, words: Words, config: TrainConfig) -> dict[str, float]:
    """recall@10 of each mode among the items kept to choose by, @1 too of i-i, t-t, m-m; composed task and few words.

    Empty where nothing is kept.
    """
    if not corpus.dev:
        return {}
    asked, told = _texts(corpus, words, config)
    photos = photo_tokens(model, corpus, [item for item, _ in corpus.dev], config)
    gallery = embed(model, photos, told)
    result = _recalls(embed(model, photos, asked), gallery, corpus)
    composed = composed_recall(model, corpus, photos, gallery["m"], words, config)
    few = few_words_precision(model, corpus, gallery["m"], words)
    more = {"composed@10": composed, f"words@{_FIRST}": few}
    return result | {name: score for name, score in more.items() if score is not None}


def late_fusion(base: Base, corpus: Corpus, config: TrainConfig) -> dict[str, float]:
    """The same figures, but for the composed task, of a base's own vectors."""
    if not corpus.dev:
        return {}
    places = [corpus.items[item].photo for item, _ in corpus.dev]
    has_photo = torch.tensor([place >= 0 for place in places])[:, None, None]
    photos = torch.from_numpy(base.plain(places, corpus.photos)).float() * has_photo
    none: list[list[int]] = [[] for _ in places]
    made: list[dict[Mode, Vectors]] = [
        {"i": base.fuse(photos, none), "t": base.fuse(0 * photos, ids), "m": base.fuse(photos, ids)}
        for ids in _texts(corpus, base.words, config)
    ]
    return _recalls(made[0], made[1], corpus)


def _texts(corpus: Corpus, words: Words, config: TrainConfig) -> tuple[list[list[int]], list[list[int]]]:
    """Token ids of what somebody would ask for each item that is kept, and of what it is told by."""
    texts = [query_and_gallery_words(corpus.items[item].product) for item, _ in corpus.dev]
    asked, told = ([text[side] for text in texts] for side in (0, 1))
    return words(asked, config.network.max_text_tokens), words(told, config.network.max_text_tokens)


def _recalls(queries: Mapping[Mode, Vectors], gallery: Mapping[Mode, Vectors], corpus: Corpus) -> dict[str, float]:
    scores = evaluate(queries, gallery, [str(group) for _, group in corpus.dev])
    return {
        f"{pair}@{k}": score.recall[k]
        for pair, score in scores.items()
        for k in ((1, 10) if pair[0] == pair[2] else (10,))
    }


def photo_tokens(model: CrossEncoder, corpus: Corpus, items: Sequence[int], config: TrainConfig) -> Tensor:
    """Tokens [n, tokens, width] of unchanged photos; zeros for an item without one."""
    device, made = model.fusion.start.device, []
    for start in range(0, len(items), _CHUNK):
        places = [corpus.items[item].photo for item in items[start : start + _CHUNK]]
        if model.base is not None:
            seen = torch.from_numpy(model.base.plain(places, corpus.photos)).float().to(device)
        else:
            seen = plain_photos([corpus.photos[place] for place in places], config.views.side, device)
        with torch.inference_mode():
            made.append(
                model.photo(seen) * torch.tensor([place >= 0 for place in places], device=device)[:, None, None]
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
    return {mode: vectors[:, at] for at, mode in enumerate(MODES)}


def composed_recall(
    model: CrossEncoder, corpus: Corpus, photos: Tensor, gallery: Vectors, words: Words, config: TrainConfig
) -> float | None:
    """How often a photo with the words for what differs finds that other product of its group among ten."""
    tasks = _composed_tasks(corpus, config.losses.composed_attributes)
    if not tasks:
        return None
    tasks = [tasks[at] for at in np.random.default_rng(0).permutation(len(tasks))[:_COMPOSED_TASKS]]
    rows, first = np.arange(len(tasks)), np.array([task[0] for task in tasks])
    ids = words([told for _, _, told in tasks], config.network.max_text_tokens)
    similar = embed(model, photos[first], ids)["m"] @ gallery.T
    wanted = similar[rows, [second for _, second, _ in tasks]]
    similar[rows, first] = -np.inf
    return float(((similar >= wanted[:, None]).sum(axis=1) <= 10).mean())


def few_words_precision(model: CrossEncoder, corpus: Corpus, gallery: Vectors, words: Words) -> float | None:
    """Of the first five products that a shopper's few words find, the share that they fit; of as many as there are."""
    random = np.random.default_rng(0)
    products = [corpus.items[item].product for item, _ in corpus.dev]
    asked = [text for product in products if content_words(text := few_words(product, random))]
    if not asked:
        return None
    fits = fitting(asked, [told_words(product) for product in products])
    ids = words(asked, MOST_ASKED)
    nothing = torch.zeros((len(ids), 1, gallery.shape[1]), device=model.fusion.start.device)
    nearest = np.argsort(-(embed(model, nothing, ids)["t"] @ gallery.T), axis=1)[:, :_FIRST]
    found = np.take_along_axis(fits, nearest, axis=1).sum(axis=1)
    return float((found / fits.sum(axis=1).clip(max=_FIRST)).mean())


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
