"""The tokens of photos, made once: all that training needs of a photo encoder that does not change."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from models.training.config import ViewConfig
from models.training.network import PhotoEncoder
from models.training.photos import DecodedPhotos, Progress
from models.training.views import apply_looks, draw_looks

Look: TypeAlias = NDArray[np.float16]
"""The tokens of every photo in one look, [photos, tokens, width]."""

_CHUNK: Final = 32


def keep_tokens(
    encoder: PhotoEncoder, photos: DecodedPhotos, config: ViewConfig, seed: int, folder: Path, progress: Progress
) -> list[Look]:
    """Encode `config.kept` looks of each photo, and last one in other colours.

    Each look is a file in `folder`; those that are there already, from the same weights, are taken as they are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [_look(encoder, photos, config, (seed, number), folder, progress) for number in range(config.kept + 1)]


def tokens_of(looks: Sequence[Look], place: int, *, recolour: bool, random: np.random.Generator) -> Look:
    """The tokens [tokens, width] of one photo in a look by chance; zeros for -1."""
    if place < 0:
        return np.zeros(looks[0].shape[1:], dtype=np.float16)
    tokens: Look = looks[-1 if recolour else int(random.integers(len(looks) - 1))][place]
    return tokens


def _look(
    encoder: PhotoEncoder,
    photos: DecodedPhotos,
    config: ViewConfig,
    seed: tuple[int, int],
    folder: Path,
    progress: Progress,
) -> Look:
    """One look, read from its file or made and written there."""
    file = folder / f"{_digest(encoder, config, seed)}.npy"
    if not file.exists():
        recoloured = seed[1] == config.kept
        shape = (len(photos), encoder.position.shape[0], encoder.position.shape[1])
        unfinished = file.with_suffix(".tmp")
        tokens = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.float16, shape=shape)
        for start in range(0, len(photos), _CHUNK):
            some = [photos[at] for at in range(start, min(start + _CHUNK, len(photos)))]
            random = np.random.default_rng((*seed, start))
            looks = draw_looks(some, np.full(len(some), recoloured), config, random)
            with torch.inference_mode():
                made = encoder(apply_looks(looks, config.side, encoder.position.device))
            tokens[start : start + len(some)] = made.half().cpu().numpy()
            progress(len(some))
        tokens.flush()
        unfinished.rename(file)
    look: Look = np.load(file, mmap_mode="r")
    return look


def _digest(encoder: PhotoEncoder, config: ViewConfig, seed: tuple[int, int]) -> str:
    """Of all that decides what a look's tokens are."""
    digest = hashlib.sha256(f"{config.model_dump_json()} {seed}".encode())
    for name, weights in sorted(encoder.state_dict().items()):
        digest.update(name.encode() + weights.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
