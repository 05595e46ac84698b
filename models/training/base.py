"""A `dual` bundle whose two encoders stay as they are, under a fusion encoder that is trained."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from catalogue.errors import ConfigurationError
from models.embedder import Encoded, Tokens, Vectors
from models.encoders import Encoders
from models.export.narrow import directions
from models.preprocessing import Pixels, PreprocessorConfig
from models.training.photos import DecodedPhotos
from models.training.views import Looks, look_at

_FITTED_ON: Final = 20_000
"""Photos, and texts."""


class Base:
    """The bundle's encoders on ONNX Runtime, and the tokens of all texts and plain photos they were asked for so far.

    A text is named by its number, as if that were a text of one token id.
    """

    def __init__(self, path: Path, threads: int) -> None:
        """Raises BundleInvalid for a bundle that cannot be served, ConfigurationError for one with other tokens."""
        self.encoders = Encoders.load(path, threads=threads)
        config = self.encoders.bundle.config
        if config.family != "dual":
            raise ConfigurationError(
                f"{path} is of family {config.family}. A base must be of family dual; `samestyle model export` makes "
                "such."
            )
        grey = np.full((config.image_size, config.image_size, 3), 127, np.uint8)
        ids = [ids for text in ("mug", "a red mug for tea") if (ids := self.encoders.prepare_text(text)) is not None]
        self.image_shape = self.encoders.image_tokens([grey])[0].shape
        shapes = {tokens.shape for tokens in self.encoders.text_tokens(ids)}
        self.width = self.image_shape[1]
        if shapes != {(1, self.width)}:
            raise ConfigurationError(
                f"{path} does not give one token a text, as wide as those of photos. Give a bundle that does."
            )
        self._numbers: dict[bytes, int] = {}
        self._texts: list[NDArray[np.float16]] = []
        self._plain: dict[int, Tokens] = {}

    def __deepcopy__(self, _: object) -> Self:
        """Copies of a network share it."""
        return self

    @property
    def fingerprint(self) -> str:
        """The name of the bundle's own space."""
        return self.encoders.fingerprint

    @property
    def pictures(self) -> PreprocessorConfig:
        """How a photo becomes the square that the bundle sees."""
        return self.encoders.bundle.preprocessor

    def words(self, texts: Sequence[str], _: int) -> list[list[int]]:
        """The number of each text; none for a text without a word. What is new is encoded."""
        ids = [self.encoders.prepare_text(text) for text in texts]
        new = {key: one for one in ids if one is not None and (key := one.tobytes()) not in self._numbers}
        for key, tokens in zip(new, self.encoders.text_tokens(list(new.values())), strict=True):
            self._numbers[key] = len(self._texts)
            self._texts.append(tokens[0].astype(np.float16))
        return [[] if one is None else [self._numbers[one.tobytes()]] for one in ids]

    def texts(self, numbers: NDArray[np.int64]) -> NDArray[np.float16]:
        """The tokens of texts by their numbers [n], [n, width]; zeros as long as there is no text at all."""
        if not self._texts:
            return np.zeros((len(numbers), self.width), np.float16)
        rows: NDArray[np.float16] = np.stack([self._texts[number] for number in numbers])
        return rows

    def looked(self, looks: Looks) -> NDArray[np.float16]:
        """The tokens of photos that are changed, [n, tokens, width]."""
        pixels = look_at(looks, self.pictures.crop, torch.device("cpu")).mul(255).round().byte()
        return self._photos(list(pixels.permute(0, 2, 3, 1).numpy()))

    def plain(self, places: Sequence[int], photos: DecodedPhotos) -> NDArray[np.float16]:
        """The tokens of photos as they are, by their place among the decoded ones, [n, tokens, width]."""
        for place in places:
            if place not in self._plain:
                self._plain[place] = self._photos([photos[place]])[0]
        tokens: NDArray[np.float16] = np.stack([self._plain[place] for place in places])
        return tokens

    def fuse(self, image: Tensor, ids: Sequence[Sequence[int]]) -> Vectors:
        """The bundle's own vectors, from the tokens of photos (zeros for none) and the numbers of texts."""
        has_photo = image.flatten(1).any(dim=1).tolist()
        photos = [tokens.float().numpy() if has else None for tokens, has in zip(image.cpu(), has_photo, strict=True)]
        texts = [self._texts[row[0]][None].astype(np.float32) if row else None for row in ids]
        vectors = np.zeros((len(photos), self.encoders.dim), np.float32)
        there = [row for row in range(len(photos)) if photos[row] is not None or texts[row] is not None]
        if there:
            vectors[there] = self.encoders.fuse([Encoded(photos[row], texts[row]) for row in there])
        return vectors

    def _photos(self, pixels: Sequence[Pixels]) -> NDArray[np.float16]:
        return np.stack(self.encoders.image_tokens(pixels)).astype(np.float16)


class Project(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """Tokens of the bundle [n, tokens, width], brought to one length, as tokens of the fusion encoder."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.width = outside
        self.turn = nn.Linear(inside, outside)
        nn.init.eye_(self.turn.weight)
        nn.init.zeros_(self.turn.bias)

    def start_with(self, matrix: NDArray[np.float32]) -> None:
        """Begin with this turn [inside, outside]."""
        with torch.no_grad():
            self.turn.weight.copy_(torch.from_numpy(matrix.T))

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens [n, tokens, outside]; a token of zeros becomes the bias."""
        return self.turn(self.width**0.5 * functional.normalize(tokens, dim=-1))


class ProjectTexts(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """Numbers of texts [n, 1], as the bundle counts them, to tokens [n, 1, outside]."""

    def __init__(self, base: Base, outside: int) -> None:
        super().__init__()
        self.project = Project(base.width, outside)
        self.base = base

    def forward(self, input_ids: Tensor, _: Tensor) -> Tensor:
        """Tokens of texts."""
        rows = torch.from_numpy(self.base.texts(input_ids[:, 0].cpu().numpy()))
        return self.project(rows.float().to(input_ids.device)[:, None])


def start_narrow(photo: Project, text: ProjectTexts, photos: NDArray[np.float16], texts: Sequence[str]) -> None:
    """Begin with the directions in which the base's tokens lie most, of these photos [n, tokens, width] and texts.

    The same for both, so that they still find each other; fitted on some where there are many.
    """
    random, base = np.random.default_rng(0), text.base
    seen = photos[np.sort(random.permutation(len(photos))[:_FITTED_ON])].reshape(-1, base.width)
    told = [texts[at] for at in random.permutation(len(texts))[:_FITTED_ON]]
    numbers = [row[0] for row in base.words(told, 0) if row]
    rows = np.concatenate([seen, base.texts(np.array(numbers, np.int64))]).astype(np.float32)
    matrix = directions(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6), photo.width)
    for part in (photo, text.project):
        part.start_with(matrix)
