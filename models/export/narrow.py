"""A space of fewer dimensions: the directions in which a catalogue's vectors lie most, by PCA.

Photos and texts are turned by the same matrix, so they still find each other. The vectors are not centred first: what
is searched by is the dot product, and these are the directions that keep dot products best.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from catalogue.errors import InvalidInput
from models.embedder import Embedder, Vectors
from models.evaluation import Mode, embed_modes, evaluate
from models.tuning import fused

_OUTPUTS = {"image_encoder": "image_tokens", "text_encoder": "text_tokens"}


@dataclass(frozen=True, slots=True)
class Narrow:
    """How many dimensions, fitted on which products."""

    dim: int
    photos: list[bytes | None]
    texts: list[str]
    styles: list[str]
    """Empty where they are not known."""

    def fit(self, embedder: Embedder, image_weight: float) -> tuple[NDArray[np.float32], dict[str, float]]:
        """The matrix [width, dim] to multiply features with, and what it loses on the half it was not fitted on.

        `image_weight` is what the photo weighs of 1 in the embedder's products with both.

        Raises InvalidInput for too few products.
        """
        full = embed_modes(embedder, self.photos, self.texts)
        fitted = np.arange(len(self.texts)) % 2 == 0
        rows = np.concatenate([full[mode][fitted] for mode in ("i", "t")])
        rows = rows[rows.any(axis=1)]
        if len(rows) < 2 * self.dim:
            raise InvalidInput(
                f"{self.dim} dimensions need at least {2 * self.dim} photos and texts to be fitted on, and half of the "
                f"catalogue has {len(rows)}. Give a larger one."
            )
        matrix = directions(rows, self.dim)
        narrow: dict[Mode, Vectors] = {mode: _unit(vectors @ matrix) for mode, vectors in full.items()}
        narrow["m"] = fused(narrow, image_weight)
        return matrix, self._lost(full, narrow, ~fitted)

    def _lost(
        self, full: dict[Mode, Vectors], narrow: dict[Mode, Vectors], judged: NDArray[np.bool_]
    ) -> dict[str, float]:
        lost: dict[str, float] = {}
        names: dict[Mode, str] = {"i": "photo", "t": "text", "m": "both"}
        for mode, name in names.items():
            present = full[mode].any(axis=1) & judged
            if present.sum() > 10:
                wide, thin = full[mode][present], narrow[mode][present]
                lost[f"{name}: of the 10 nearest, lost"] = 1 - _kept(wide, thin)
        if any(self.styles):
            before, after = (_recall(vectors, self.styles, judged) for vectors in (full, narrow))
            for pair, value in before.items():
                lost[f"{pair}: recall@10 before"] = value
                lost[f"{pair}: recall@10 lost"] = value - after.get(pair, 0.0)
        return lost


def directions(rows: Vectors, dim: int) -> NDArray[np.float32]:
    """Orthonormal columns [width, dim], the one with most of the rows' squares first."""
    values, vectors = np.linalg.eigh(rows.astype(np.float64).T @ rows)
    chosen = vectors[:, np.argsort(-values)[:dim]]
    signs = np.sign(chosen[np.abs(chosen).argmax(axis=0), np.arange(dim)])  # else arbitrary
    matrix: NDArray[np.float32] = (chosen * signs).astype(np.float32)
    return matrix


def narrowed(models: dict[str, onnx.ModelProto], matrix: NDArray[np.float32]) -> dict[str, onnx.ModelProto]:
    """The two encoders with their tokens multiplied by the matrix."""
    return {name: _multiplied(model, _OUTPUTS[name], matrix) for name, model in models.items()}


def _multiplied(model: onnx.ModelProto, output: str, matrix: NDArray[np.float32]) -> onnx.ModelProto:
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph, wide = made.graph, f"{output}_wide"
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == output:
                    names[place] = wide
    graph.initializer.append(numpy_helper.from_array(matrix, "narrow"))
    graph.node.append(helper.make_node("MatMul", [wide, "narrow"], [output], "narrow"))
    graph.output[0].type.tensor_type.shape.dim[2].dim_value = matrix.shape[1]
    return made


def _unit(rows: Vectors) -> Vectors:
    made: Vectors = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return made


def _kept(wide: Vectors, thin: Vectors, k: int = 10) -> float:
    """The share of each row's nearest rows that are still among its nearest."""
    both = []
    for vectors in (wide, thin):
        scores = vectors @ vectors.T
        np.fill_diagonal(scores, -np.inf)
        both.append(np.argsort(-scores, axis=1, kind="stable")[:, :k])
    return float(np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(*both, strict=True)]))


def _recall(vectors: dict[Mode, Vectors], styles: Sequence[str], judged: NDArray[np.bool_]) -> dict[str, float]:
    queries = {mode: rows * judged[:, None] for mode, rows in vectors.items()}
    return {pair: scores.recall[10] for pair, scores in evaluate(queries, vectors, list(styles)).items()}
