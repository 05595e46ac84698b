"""Encoders on a GPU from loading to vectors: on a real one with `--gpu`, else on a pretended one."""

import threading
from pathlib import Path

import numpy as np
import pytest

from catalogue.errors import ConfigurationError, DeviceMemoryFull, NotEnoughMemory
from models import Encoders, ProductInput
from models.encoders import BATCH_SIZES
from models.runtime import open_session, prepare_device
from tests.catalogue.pictures import encode, noise, plain
from tests.models.bundles import SHIPPED, copy_bundle, edit_json
from tests.models.pretend_cuda import Card, put_in

ITEMS = [ProductInput(encode(noise((60 + at, 50)), "PNG"), f"mug number {at}") for at in range(7)]
ITEMS += [ProductInput(plain()), ProductInput(text="steel bolt M8 x 40")]


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch, real_gpu: bool) -> Card:
    return put_in(monkeypatch, real=real_gpu)


@pytest.fixture
def on_card(card: Card) -> Encoders:
    return Encoders.load(SHIPPED, device="cuda")


@pytest.mark.gpu
def test_it_gives_what_the_cpu_gives_in_few_padded_batches(encoders: Encoders, on_card: Encoders, card: Card) -> None:
    card.batches.clear()
    np.testing.assert_allclose(on_card.embed(ITEMS), encoders.embed(ITEMS), atol=card.exact)
    assert card.batches["image_tokens"] == [8]
    assert {size for sizes in card.batches.values() for size in sizes} <= set(BATCH_SIZES)
    before = card.buffers
    for _ in range(3):
        on_card.embed(ITEMS)
    assert card.buffers == before, "what is bound stays bound"
    assert len(card.threads - {threading.get_ident()}) == len(card.threads) == 1


@pytest.mark.gpu
def test_batch_mates_and_padding_move_nothing(on_card: Encoders, card: Card) -> None:
    few = ITEMS[5:]
    alone = np.concatenate([on_card.embed([item]) for item in few])
    for batch, wanted in ((few, alone), (few[::-1] * 3, np.tile(alone[::-1], (3, 1)))):
        np.testing.assert_allclose(on_card.embed(batch), wanted, atol=1e-3 if card.real else 1e-5)


@pytest.mark.gpu
def test_a_full_card_takes_smaller_batches_then_says_so_and_goes_on(
    encoders: Encoders, on_card: Encoders, card: Card
) -> None:
    wanted = encoders.embed(ITEMS)
    card.room = 3
    np.testing.assert_allclose(on_card.embed(ITEMS), wanted, atol=card.exact)
    assert card.shrunk, "what the large batch had taken is given back"
    card.batches.clear()
    np.testing.assert_allclose(on_card.embed(ITEMS), wanted, atol=card.exact)
    assert max(card.batches["image_tokens"]) == 2, "for a while no larger ones are tried"
    card.room = 0
    with pytest.raises(DeviceMemoryFull, match="no memory left to encode"):
        on_card.embed(ITEMS)
    card.room = 32
    np.testing.assert_allclose(on_card.embed(ITEMS), wanted, atol=card.exact)


@pytest.mark.parametrize("kind", ["Conv", "MatMul"])
def test_what_is_left_to_the_cpu_is_refused(card: Card, kind: str) -> None:
    card.left_to_the_cpu = {"Shape", kind}
    with pytest.raises(ConfigurationError, match=f"would run .*{kind}.* on the CPU"):
        Encoders.load(SHIPPED, device="cuda")
    card.left_to_the_cpu = {"Shape", "Gather"}
    assert Encoders.load(SHIPPED, device="cuda").dim == 256


def test_a_silent_fallback_is_refused(card: Card) -> None:
    card.falls_back = True
    with pytest.raises(ConfigurationError, match="fell back"):
        Encoders.load(SHIPPED, device="cuda")


@pytest.mark.gpu
def test_a_card_without_room_for_a_model_is_no_damaged_bundle(card: Card) -> None:
    card.loads = False
    with pytest.raises(NotEnoughMemory, match="no room for"):
        Encoders.load(SHIPPED, device="cuda")
    card.loads, card.room = True, 0
    with pytest.raises(NotEnoughMemory, match="not to run it"):
        Encoders.load(SHIPPED, device="cuda")


def test_what_cuda_says_is_not_blamed_on_the_file(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tests.models.pretend_cuda.FULL_AT_LOAD", "CUDA failure 35: CUDA driver version is insufficient"
    )
    card.loads = False
    with pytest.raises(ConfigurationError, match="cannot use cuda: CUDA failure 35"):
        Encoders.load(SHIPPED, device="cuda")


@pytest.mark.gpu
def test_its_own_variant_is_served_there(card: Card, tmp_path: Path) -> None:
    bundle = copy_bundle(tmp_path / "bundle")

    def add(config: dict[str, list[dict[str, object]]]) -> None:
        drift = {"cosine_p999": 1e-4, "recall_at_10_lost": 0.0}
        config["variants"].append(config["variants"][0] | {
            "name": "half", "device": "cuda", "precision": "float16", "reference": False, "drift": drift,
        })  # fmt: skip

    edit_json(bundle / "config.json", add)
    assert Encoders.load(bundle, device="cuda").variant == "half"
    assert Encoders.load(SHIPPED, device="cuda").variant == Encoders.load(SHIPPED, device="cuda").bundle.reference.name


@pytest.mark.gpu
@pytest.mark.heavy
def test_float16_drifts_no_further_than_it_may(card: Card, real_gpu: bool) -> None:
    """A transformer as large as the usual ones, of made-up weights; the contract allows 1 - cos of 0.01."""
    path = SHIPPED.parents[1] / "bench" / "vit_b16" / "text.onnx"
    ids = np.random.default_rng(0).integers(1, 49_000, (8, 77))
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    if real_gpu:
        prepare_device("cuda")
    found, wanted = (
        open_session(path, device=device, threads=2).run(None, inputs)[0].reshape(8, -1).astype(np.float64)
        for device in ("cuda", "cpu")
    )
    cosines = (found * wanted).sum(axis=1) / np.linalg.norm(found, axis=1) / np.linalg.norm(wanted, axis=1)
    assert 1 - cosines.min() < 0.01
