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
from models.export.source_files import JINA_CLIP, OWN_FILES
from models.onnx_files import data_files


def own_word(source: Source) -> Source | None:
    """A Jina-CLIP with these files in place of its network, as far as `parity` uses it; None where they are not there.

    Raises BundleInvalid for files that cannot be used.
    """
    vision, text = (source.path / name for name in OWN_FILES)
    if source.family != JINA_CLIP or not vision.is_file() or not text.is_file():
        return None
    return replace(source, model=_Own(_Session(vision, source.dim), _Session(text, source.dim)))


class _Own:
    """Used as a CLIPModel of `transformers` is."""

    def __init__(self, vision: "_Session", text: "_Session") -> None:
        self._vision, self._text = vision, text

    def get_image_features(self, pixel_values: Tensor) -> SimpleNamespace:
        """`pooler_output` [n, dim] of photos [n, 3, side, side]."""
        return self._vision.run({"pixel_values": pixel_values.numpy()})

    def get_text_features(self, input_ids: Tensor) -> SimpleNamespace:
        """`pooler_output` [n, dim] of texts [n, tokens]."""
        ids = input_ids.numpy()
        return self._text.run(
            {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        )


class _Session:
    """A file that gives vectors of `dim` numbers, among other things."""

    def __init__(self, path: Path, dim: int) -> None:
        self._path, self._dim = path, dim
        data_files(path)
        try:
            self._session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime has exceptions of its own, without a common base
            raise BundleInvalid(f"{path} cannot be loaded: {_first_line(error)}. Remove it to do without.") from error

    def run(self, given: dict[str, NDArray[np.generic]]) -> SimpleNamespace:
        asked = [one.name for one in self._session.get_inputs()]
        try:
            found = self._session.run(None, {name: given[name] for name in asked})
        except Exception as error:  # as above; KeyError for an input that is not known here
            raise BundleInvalid(
                f"{self._path} cannot be run: {_first_line(error)}. Remove it to do without."
            ) from error
        rows = [one for one in found if isinstance(one, np.ndarray) and one.shape == (*one.shape[:1], self._dim)]
        if not rows:
            raise BundleInvalid(f"{self._path} gives no vectors of {self._dim} numbers.")
        return SimpleNamespace(pooler_output=torch.from_numpy(rows[0].astype(np.float32)))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
