"""Batches, buckets and masks, with encoders that give a token for every word and several for a photo.

The shipped bundle pools each modality to one token, so here small functions stand in for its ONNX sessions.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models import Bundle, Embedder, Encoded, Encoders, Prepared, ProductInput
from models.embedder import Vectors
from tests.catalogue.pictures import encode, noise, plain
from tests.models.bundles import SHIPPED

WIDTH, PATCHES = 256, 3
JUNK = 1e3


@dataclass
class Node:
    """An input as ONNX Runtime describes it."""

    name: str
    shape: list[int | str]


class Session:
    """What `Encoders` uses of an `onnxruntime.InferenceSession`; writes down the shapes it is given."""

    def __init__(self, name: str, provider: str) -> None:
        self.shapes: set[tuple[int, ...]] = set()
        self._name = name
        self._provider = provider

    def get_providers(self) -> list[str]:
        return [self._provider]

    def get_inputs(self) -> list[Node]:
        return [Node(f"{side}_tokens", ["batch", "tokens", WIDTH]) for side in ("image", "text")]

    def run(self, _: list[str], inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        self.shapes |= {tuple(value.shape) for value in inputs.values()}
        return [getattr(self, self._name)(**inputs)]

    @staticmethod
    def image_encoder(pixel_values: NDArray[np.float32]) -> NDArray[np.float32]:
        return pixel_values.reshape(len(pixel_values), -1)[:, : PATCHES * WIDTH].reshape(-1, PATCHES, WIDTH)

    @staticmethod
    def text_encoder(input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> NDArray[np.float32]:
        tokens = np.sin(input_ids[..., None] * np.arange(1, WIDTH + 1)).astype(np.float32)
        return np.where(attention_mask[..., None] > 0, tokens, np.float32(JUNK))

    @staticmethod
    def fusion_encoder(
        image_tokens: Vectors, image_mask: NDArray[np.int64], text_tokens: Vectors, text_mask: NDArray[np.int64]
    ) -> Vectors:
        assert not (text_tokens[text_mask == 0]).any(), "padding is zeros"
        assert ((image_mask.sum(1) + text_mask.sum(1)) > 0).all()
        sums = (image_tokens * image_mask[..., None]).sum(1) + 2 * (text_tokens * text_mask[..., None]).sum(1)
        made: Vectors = (sums / np.linalg.norm(sums, axis=1, keepdims=True)).astype(np.float32)
        return made


def encoders_on(provider: str) -> tuple[Encoders, dict[str, Session]]:
    bundle = Bundle.load(SHIPPED)
    sessions = {name: Session(name, provider) for name in ("image_encoder", "text_encoder", "fusion_encoder")}
    return Encoders(bundle, bundle.variant_for("cpu"), sessions), sessions


PHOTOS = [plain(), encode(noise((80, 60)), "PNG")]
INPUTS = st.builds(
    lambda image, words: ProductInput(image, " ".join(["mug"] * words) if words or image is None else None),
    st.sampled_from([None, *PHOTOS]),
    st.integers(0, 150),
).filter(lambda item: item.image is not None or bool(item.text))


@pytest.mark.parametrize("provider", ["CPUExecutionProvider", "CUDAExecutionProvider"])
@settings(max_examples=15, deadline=None)
@given(items=st.lists(INPUTS, max_size=12))
def test_every_token_counts_and_no_padding_does(provider: str, items: list[ProductInput]) -> None:
    encoders, sessions = encoders_on(provider)
    vectors = encoders.embed(items)
    for item, vector in zip(items, vectors, strict=True):
        prepared = encoders.prepare(item)
        image = encoders.image_tokens([prepared.pixels])[0] if prepared.pixels is not None else None
        text = None
        if prepared.token_ids is not None:
            text = Session.text_encoder(prepared.token_ids[None], np.ones((1, len(prepared.token_ids)), np.int64))[0]
        parts = [part * weight for part, weight in ((image, 1), (text, 2)) if part is not None]
        expected = np.concatenate(parts).sum(0)
        np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-5)
    lengths = {shape[1] for shape in sessions["text_encoder"].shapes}
    assert lengths <= {8, 16, 32, 64, 128}
    assert {shape[0] for session in sessions.values() for shape in session.shapes} <= {1, 2, 4, 8, 16, 32}


def test_the_steps_make_the_whole(embedder: Embedder) -> None:
    """Also where a photo's tokens were kept as float16 in between."""
    items = [ProductInput(PHOTOS[1]), ProductInput(PHOTOS[1], "red mug"), ProductInput(text="a steel bolt M8")]
    for item, whole in zip(items, embedder.embed(items), strict=True):
        prepared: Prepared = embedder.prepare(item)
        image = embedder.image_tokens([prepared.pixels])[0] if prepared.pixels is not None else None
        text = embedder.text_tokens([prepared.token_ids])[0] if prepared.token_ids is not None else None
        np.testing.assert_allclose(embedder.fuse([Encoded(image, text)])[0], whole, atol=1e-5)
        half = image.astype(np.float16).astype(np.float32) if image is not None else None
        assert 1 - float(embedder.fuse([Encoded(half, text)])[0] @ whole) < 1e-6


def test_clean_texts_that_are_equal_give_equal_vectors(embedder: Embedder) -> None:
    written = ["red  mug", " red\tmug\n", "red mug\x00"]
    assert len({embedder.clean_text(text) for text in written}) == 1
    vectors = embedder.embed([ProductInput(text=text) for text in written])
    np.testing.assert_allclose(vectors, np.tile(vectors[0], (3, 1)), atol=1e-6)
    assert not embedder.clean_text(" \x00\n")
