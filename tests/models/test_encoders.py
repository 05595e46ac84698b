import os
import shutil
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from catalogue.errors import BundleInvalid, ConfigurationError
from models import Encoders, Prepared, ProductInput
from models.bound import _SHAPES_KEPT
from models.encoders import BATCH_SIZES, _bucket, _cut, _text_lengths
from tests.catalogue.pictures import encode, plain
from tests.models.bundles import SHIPPED, copy_bundle, edit_json

PHOTOS = [plain(), encode(Image.effect_noise((80, 60), 90), "PNG"), encode(Image.radial_gradient("L"), "PNG")]
WORDS = ["red", "mug", "steel", "bolt", "M8", "for", "tea", "with", "a", "very", "long", "handle", "of", "oak"]
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=40).map(" ".join)
INPUTS = st.one_of(
    st.builds(ProductInput, text=TEXTS),
    st.builds(ProductInput, image=st.sampled_from(PHOTOS)),
    st.builds(ProductInput, image=st.sampled_from(PHOTOS), text=TEXTS),
)


@settings(max_examples=15, deadline=None)
@given(item=INPUTS, others=st.lists(INPUTS, max_size=5), place=st.integers(0, 5))
def test_an_embedding_does_not_depend_on_its_batch(
    encoders: Encoders, item: ProductInput, others: list[ProductInput], place: int
) -> None:
    alone = encoders.embed([item])[0]
    batch = [*others[:place], item, *others[place:]]
    np.testing.assert_allclose(encoders.embed(batch)[min(place, len(others))], alone, atol=1e-5)


def test_padding_to_a_bucket_changes_nothing(encoders: Encoders) -> None:
    """Nine tokens go into a bucket of 16; the same nine padded by hand to 128 must give the same."""
    ids = encoders.prepare(ProductInput(text="a red mug for hot tea and more")).token_ids
    assert ids is not None
    session = encoders._sessions["text_encoder"]
    tokens = []
    for length in (len(ids), 16, 128):
        padded, mask = np.zeros((1, length), np.int64), np.zeros((1, length), np.int64)
        padded[0, : len(ids)], mask[0, : len(ids)] = ids, 1
        tokens.append(session.run(None, {"input_ids": padded, "attention_mask": mask})[0][:, : len(ids)])
    np.testing.assert_allclose(tokens[1], tokens[0], atol=1e-4)
    np.testing.assert_allclose(tokens[2], tokens[0], atol=1e-4)


def test_an_absent_modality_cannot_be_seen_through_its_mask(encoders: Encoders) -> None:
    session = encoders._sessions["fusion_encoder"]
    random = np.random.default_rng(0)
    text = random.normal(size=(1, 3, 256)).astype(np.float32)
    mask = np.array([[1, 1, 0]])

    def run(image: np.ndarray, text: np.ndarray) -> np.ndarray:
        inputs = {"image_tokens": image, "image_mask": np.zeros((1, 1), np.int64), "text_tokens": text}
        (vector,) = session.run(None, inputs | {"text_mask": mask})
        return np.asarray(vector)

    vector = run(np.zeros((1, 1, 256), np.float32), text)
    text[0, 2] = 100
    np.testing.assert_allclose(run(random.normal(size=(1, 1, 256)).astype(np.float32), text), vector, atol=1e-6)


def test_masking_everything_is_not_nan(encoders: Encoders) -> None:
    none = np.zeros((1, 1), np.int64)
    tokens = np.ones((1, 1, 256), np.float32)
    inputs: dict[str, np.ndarray] = {"image_tokens": tokens, "text_tokens": tokens}
    inputs |= {"image_mask": none, "text_mask": none}
    assert np.isfinite(encoders._sessions["fusion_encoder"].run(None, inputs)[0]).all()


def test_only_few_shapes_reach_the_runtime(monkeypatch: pytest.MonkeyPatch, encoders: Encoders) -> None:
    shapes: set[tuple[int, ...]] = set()
    run = encoders._run

    def spy(encoder: str, inputs: dict[str, np.ndarray]) -> np.ndarray:
        if encoder == "text_encoder":
            shapes.add(inputs["input_ids"].shape)
        return run(encoder, inputs)

    monkeypatch.setattr(encoders, "_run", spy)
    for count in range(1, 40):
        encoders.embed([ProductInput(text="mug " * (1 + row % 5)) for row in range(count)])
    assert {size for size, _ in shapes} <= {1, 2, 4, 8, 16, 32}
    assert {length for _, length in shapes} <= {8, 16, 32, 64, 128}


@pytest.mark.parametrize("count", range(1, 100, 7))
@pytest.mark.parametrize("pad", [True, False])
def test_batches_hold_every_item_once(count: int, *, pad: bool) -> None:
    batches = list(_cut(count, BATCH_SIZES[:4], pad=pad))
    assert sum(taken for _, taken in batches) == count
    assert all(taken <= size for size, taken in batches)
    assert pad or all(taken == size for size, taken in batches)


def test_a_long_text_is_cut_before_it_costs_anything(monkeypatch: pytest.MonkeyPatch, encoders: Encoders) -> None:
    class Counting:
        """The tokenizer, and how much it was given."""

        characters = 0

        def encode(self, text: str) -> Any:
            self.characters += len(text)
            return tokenizer.encode(text)

    tokenizer, counting = encoders._tokenizer, Counting()
    monkeypatch.setattr(encoders, "_tokenizer", counting)
    prepared = encoders.prepare(ProductInput(text="steel bolt " * 10_000))
    assert prepared.token_ids is not None
    assert len(prepared.token_ids) == 128
    assert counting.characters <= 128 * 32


def test_loading_takes_less_than_a_start_may() -> None:
    started = time.process_time()  # other programs do not count
    Encoders.load(SHIPPED, threads=1)
    assert time.process_time() - started < 5  # about 0.3 s


def test_a_shorter_limit_has_its_own_last_bucket(tmp_path: Path) -> None:
    bundle = copy_bundle(tmp_path / "bundle")
    edit_json(bundle / "config.json", lambda config: config.update(max_text_tokens=50))
    encoders = Encoders.load(bundle, threads=1)
    prepared = encoders.prepare(ProductInput(text="mug " * 300))
    assert prepared.token_ids is not None
    assert len(prepared.token_ids) == 50
    assert encoders.encode([prepared]).shape == (1, 256)


@pytest.mark.parametrize(("most", "tokens", "padded"), [(512, 130, 192), (512, 400, 512), (256, 200, 256)])
def test_long_texts_are_padded_by_less_than_half(most: int, tokens: int, padded: int) -> None:
    assert _bucket(tokens, _text_lengths(most)) == padded
    texts, sizes = len(_text_lengths(512)), len(BATCH_SIZES)
    assert texts * sizes <= _SHAPES_KEPT, "a GPU keeps the buffers of all of them"


def test_a_bundle_that_fails_fails_when_loaded(tmp_path: Path) -> None:
    bundle = copy_bundle(tmp_path / "bundle")
    edit_json(bundle / "config.json", lambda config: config.update(image_size=128))
    edit_json(bundle / "preprocessor_config.json", lambda config: config.update(resize=128, crop=128))
    with pytest.raises(BundleInvalid, match="image_size"):
        Encoders.load(bundle, threads=1)


@pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="this machine has CUDA")
def test_cuda_is_refused_where_it_is_not() -> None:
    with pytest.raises(ConfigurationError, match="cannot run on cuda"):
        Encoders.load(SHIPPED, device="cuda")


def test_a_silent_fallback_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.runtime.ort.get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr("models.runtime.ort.preload_dlls", lambda: None)
    monkeypatch.setattr("models.runtime._with_settings", lambda provider: "CPUExecutionProvider")
    with pytest.raises(ConfigurationError, match="fell back"):
        Encoders.load(SHIPPED, device="cuda")


@pytest.mark.parametrize("pair", [("onnxruntime", "onnxruntime-gpu"), ("faiss-cpu", "faiss-gpu-cuvs")])
def test_packages_that_shadow_each_other_are_refused(monkeypatch: pytest.MonkeyPatch, pair: tuple[str, str]) -> None:
    def distribution(name: str) -> object:
        if name in pair:
            return object()
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("models.runtime.metadata.distribution", distribution)
    with pytest.raises(ConfigurationError, match="Uninstall both"):
        Encoders.load(SHIPPED, threads=1)


def test_the_bundle_may_be_moved(tmp_path: Path, encoders: Encoders) -> None:
    shutil.copytree(SHIPPED, tmp_path / "a copy")
    moved = Encoders.load(tmp_path / "a copy", threads=1)
    item: Prepared = encoders.prepare(ProductInput(text="mug"))
    np.testing.assert_array_equal(moved.encode([item]), encoders.encode([item]))


def test_onnx_runtime_tells_nobody_that_it_runs(tmp_path: Path) -> None:
    """Left alone it keeps a device's id and a queue of events in the home folder, to be sent when it can."""
    code = f"from models import Encoders; Encoders.load({str(SHIPPED)!r})"
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": "", "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=300)
    assert list(tmp_path.rglob("*")) == []
