"""The tokens of photos, made once: all that training needs of a photo encoder that does not change."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from catalogue.array_file import write_array
from models.training.config import ViewConfig
from models.training.network import PhotoEncoder
from models.training.photos import DecodedPhotos, Progress
from models.training.views import Looks, apply_looks, draw_looks

Look: TypeAlias = NDArray[np.float16]
"""The tokens of every photo in one look, [photos, tokens, width]."""

TOKENS: Final = "tokens"
"""Where they are, in a run's directory."""
_CHUNK: Final = 32


class Sees(Protocol):
    """A photo encoder that does not change."""

    @property
    def fingerprint(self) -> str:
        """Of all that decides what it makes of pixels."""

    @property
    def image_shape(self) -> tuple[int, ...]:
        """How many tokens of a photo, and how wide."""

    def looked(self, looks: Looks) -> Look:
        """The tokens of photos that are changed."""


class Frozen:
    """A `PhotoEncoder` that is not trained, for photos of `side` pixels."""

    def __init__(self, encoder: PhotoEncoder, side: int) -> None:
        self._encoder, self._side = encoder, side

    @property
    def fingerprint(self) -> str:
        """Of its weights."""
        digest = hashlib.sha256()
        for name, weights in sorted(self._encoder.state_dict().items()):
            digest.update(name.encode() + weights.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    @property
    def image_shape(self) -> tuple[int, ...]:
        """How many tokens of a photo, and how wide."""
        return tuple(self._encoder.position.shape)

    def looked(self, looks: Looks) -> Look:
        """The tokens of photos that are changed."""
        with torch.inference_mode():
            made = self._encoder(apply_looks(looks, self._side, self._encoder.position.device))
        tokens: Look = made.half().cpu().numpy()
        return tokens


def keep_tokens(
    encoder: Sees, photos: DecodedPhotos, config: ViewConfig, seed: int, folder: Path, progress: Progress
) -> list[Look]:
    """Encode `config.kept` looks of each photo, and last one in other colours.

    Each look is a file in `folder`; those that are there already, from the same encoder, are taken as they are.
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
    encoder: Sees,
    photos: DecodedPhotos,
    config: ViewConfig,
    seed: tuple[int, int],
    folder: Path,
    progress: Progress,
) -> Look:
    """One look, read from its file or made and written there."""
    told = f"{config.model_dump_json()} {seed} {encoder.fingerprint} {photos.side}"
    file = folder / f"{hashlib.sha256(told.encode()).hexdigest()[:16]}.npy"
    if not file.exists():
        recoloured = seed[1] == config.kept
        unfinished, shape = file.with_suffix(".tmp"), (len(photos), *encoder.image_shape)

        def tokens(start: int) -> NDArray[np.float16]:
            some = [photos[at] for at in range(start, min(start + _CHUNK, len(photos)))]
            random = np.random.default_rng((*seed, start))
            made = encoder.looked(draw_looks(some, np.full(len(some), recoloured), config, random))
            progress(len(some))
            return made

        write_array(unfinished, shape, np.float16, map(tokens, range(0, len(photos), _CHUNK)))
        unfinished.rename(file)
    look: Look = np.load(file, mmap_mode="r")
    return look
