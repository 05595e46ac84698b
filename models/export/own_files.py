"""The ONNX files that a source brings along: its own word on its vectors.

Beside them a network is held that was written here and not by `transformers`, from a description.
"""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor

from catalogue.errors import BundleInvalid
from models.export.source import Source
from models.export.source_files import JINA_CLIP, OWN_MODEL, OWN_TOWERS, first_line
from models.onnx_files import data_files


def own_word(source: Source) -> Source | None:
    """A Jina-CLIP with these files in place of its network, as far as `parity` uses it; None where they are not there.

    Raises BundleInvalid for files that cannot be used.
    """
    towers, both = [source.path / name for name in OWN_TOWERS], source.path / OWN_MODEL
    if source.family != JINA_CLIP:
        return None
    if all(path.is_file() for path in towers):
        return replace(source, model=_Own(*(_Session(path, source.dim) for path in towers)))
    return replace(source, model=_OwnBoth(_Session(both, source.dim), source)) if both.is_file() else None


class _Own:
    """Used as a CLIPModel of `transformers` is."""

    def __init__(self, vision: "_Session", text: "_Session") -> None:
        self._vision, self._text = vision, text

    def get_image_features(self, pixel_values: Tensor) -> SimpleNamespace:
        """`pooler_output` [n, dim] of photos [n, 3, side, side]."""
        return self._vision.run({"pixel_values": pixel_values.numpy()})

    def get_text_features(self, input_ids: Tensor) -> SimpleNamespace:
        """`pooler_output` [n, dim] of texts [n, tokens]."""
        return self._text.run(_texts(input_ids.numpy()))


class _OwnBoth:
    """As above, of a file that wants a photo and a text each time: one of them is made up, and one is taken at a time.

    Its results have `image` or `text` in their names.
    """

    def __init__(self, session: "_Session", source: Source) -> None:
        side = source.preprocessor.crop
        self._session = session
        self._photo = {"pixel_values": np.zeros((1, 3, side, side), np.float32)}
        self._text = _texts(np.array([source.token_ids("")]))

    def get_image_features(self, pixel_values: Tensor) -> SimpleNamespace:
        """See above."""
        photos = [
            self._session.run({"pixel_values": one} | self._text, "image") for one in pixel_values.numpy()[:, None]
        ]
        return SimpleNamespace(pooler_output=torch.cat([photo.pooler_output for photo in photos]))

    def get_text_features(self, input_ids: Tensor) -> SimpleNamespace:
        """See above; one text."""
        return self._session.run(_texts(input_ids.numpy()) | self._photo, "text")


def _texts(ids: NDArray[np.int64]) -> dict[str, NDArray[np.generic]]:
    """All that is to be said of texts without filling."""
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


class _Session:
    """A file that gives vectors of `dim` numbers, among other things."""

    def __init__(self, path: Path, dim: int) -> None:
        self._path, self._dim = path, dim
        try:
            data_files(path)
        except BundleInvalid as error:
            raise BundleInvalid(f"{error} Or remove it to do without.") from error
        try:
            self._session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime has exceptions of its own, without a common base
            raise BundleInvalid(f"{path} cannot be loaded: {first_line(error)}. Remove it to do without.") from error

    def run(self, given: dict[str, NDArray[np.generic]], of: str = "") -> SimpleNamespace:
        """The first result that is such vectors, and has `of` in its name."""
        asked = [one.name for one in self._session.get_inputs()]
        named = [one.name for one in self._session.get_outputs() if of in one.name]
        try:
            found = self._session.run(named, {name: given[name] for name in asked}) if named else []
        except Exception as error:  # as above; KeyError for an input that is not known here
            raise BundleInvalid(f"{self._path} cannot be run: {first_line(error)}. Remove it to do without.") from error
        rows = [one for one in found if isinstance(one, np.ndarray) and one.shape == (*one.shape[:1], self._dim)]
        if not rows:
            raise BundleInvalid(f"{self._path} gives no vectors of {self._dim} numbers{f' by {of!r}' if of else ''}.")
        return SimpleNamespace(pooler_output=torch.from_numpy(rows[0].astype(np.float32)))
