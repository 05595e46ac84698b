"""What every implementation of the seam must do: the stand-in is only worth something if it acts like the encoders."""

import threading

import numpy as np
import pytest
from PIL import Image

from catalogue import Product
from catalogue.errors import InvalidInput, UndecodableImage
from models import Embedder, Prepared, ProductInput, StandInEncoders
from tests.catalogue.pictures import encode, halves, noise, plain

RED, HALVES = plain(size=(64, 48)), encode(halves((90, 60)), "PNG")
NOISE = encode(noise((120, 120)), "PNG")


def test_says_what_it_is(embedder: Embedder) -> None:
    assert embedder.name
    assert embedder.variant
    assert embedder.licence
    assert len(embedder.fingerprint) == 64
    assert embedder.embed([ProductInput(text="mug")]).shape == (1, embedder.dim)
    assert all(threshold.similar is None or threshold.similar.pairs for threshold in embedder.thresholds.values())


def test_every_modality_gives_unit_vectors_in_order(embedder: Embedder) -> None:
    inputs = [
        ProductInput(image=RED),
        ProductInput(text="red mug"),
        ProductInput(image=RED, text="red mug"),
        ProductInput(text="a much longer text that goes into another bucket of lengths than the short one"),
        ProductInput(image=NOISE),
    ]
    vectors = embedder.embed(inputs)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for row, item in enumerate(inputs):
        np.testing.assert_allclose(embedder.embed([item])[0], vectors[row], atol=1e-5)


def test_equal_inputs_give_equal_vectors_and_alike_ones_near(embedder: Embedder) -> None:
    crop = (0.02, 0.02, 0.98, 0.98)
    same, again, near, far = embedder.embed(
        [ProductInput(image=HALVES)] * 2 + [ProductInput(image=HALVES, crop=crop), ProductInput(image=NOISE)]
    )
    assert (same == again).all()
    assert same @ near > same @ far
    a, b, c = embedder.embed([ProductInput(text=text) for text in ("red mug", "mug, red", "steel bolt")])
    assert a @ b > a @ c


def test_no_inputs_give_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dim)


@pytest.mark.parametrize("text", [None, "", "  \n", "\x00\x07"])
def test_nothing_to_encode_is_refused(embedder: Embedder, text: str | None) -> None:
    with pytest.raises(InvalidInput, match="nothing to encode"):
        embedder.prepare(ProductInput(text=text))


def test_nothing_prepared_is_refused(embedder: Embedder) -> None:
    with pytest.raises(InvalidInput, match="nothing to encode"):
        embedder.encode([embedder.prepare(ProductInput(text="mug")), Prepared(None, None)])


def test_an_empty_text_beside_a_photo_is_no_text(embedder: Embedder) -> None:
    alone, with_blank = embedder.embed([ProductInput(image=RED), ProductInput(image=RED, text="  ")])
    np.testing.assert_array_equal(alone, with_blank)


def test_bad_photos_are_refused(embedder: Embedder) -> None:
    with pytest.raises(UndecodableImage):
        embedder.prepare(ProductInput(image=b"no photo", text="mug"))


@pytest.mark.parametrize("crop", [(0, 0, 0, 0), (0.9, 0, 0.1, 1), (0, 0, 2, 2)])
def test_bad_crops_are_refused(embedder: Embedder, crop: tuple[float, float, float, float]) -> None:
    with pytest.raises(InvalidInput, match="crop"):
        embedder.prepare(ProductInput(image=RED, crop=crop))


def test_a_crop_without_a_photo_is_refused(embedder: Embedder) -> None:
    with pytest.raises(InvalidInput, match="crop needs a photo"):
        embedder.prepare(ProductInput(text="mug", crop=(0, 0, 1, 1)))


@pytest.mark.parametrize(
    "text",
    ["\ud800", "\u200b", "\U0001f600" * 50, "\u0301" * 1000, "\x00mug", "中文商品", "x" * 100_000, "a " * 99_999],
)
def test_any_text_gives_a_vector_or_invalid_input(embedder: Embedder, text: str) -> None:
    try:
        vector = embedder.embed([ProductInput(text=text)])[0]
    except InvalidInput:
        return
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (1, 1)),
        Image.new("RGB", (1, 5000), (255, 255, 255)),
        Image.new("L", (7, 7), 127),
        Image.new("RGBA", (9, 9), (0, 0, 0, 0)),
        Image.new("P", (9, 9)),
        Image.new("I;16", (9, 9), 40_000),
    ],
    ids=["pixel", "line", "grey", "clear", "palette", "16 bit"],
)
def test_odd_photos_give_a_vector(embedder: Embedder, image: Image.Image) -> None:
    vector = embedder.embed([ProductInput(image=encode(image, "PNG"))])[0]
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_preparing_runs_on_any_thread(embedder: Embedder) -> None:
    expected = embedder.embed([ProductInput(image=NOISE, text="red mug")])[0]
    results: list[Prepared] = []
    threads = [
        threading.Thread(target=lambda: results.append(embedder.prepare(ProductInput(image=NOISE, text="red mug"))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_allclose(embedder.encode(results), np.tile(expected, (8, 1)), atol=1e-5)


def test_a_product_becomes_text_through_the_template(embedder: Embedder) -> None:
    product = Product(product_id="p", title="Mug", category="Kitchen > Cups", attributes={"b": "2", "a": "1"})
    assert embedder.product_text(product) == "Mug, Cups, a 1, b 2"


def test_stand_ins_of_another_name_are_another_model() -> None:
    assert StandInEncoders().fingerprint == StandInEncoders().fingerprint
    assert StandInEncoders(name="other").fingerprint != StandInEncoders().fingerprint
    assert StandInEncoders(dim=64).embed([ProductInput(text="mug")]).shape == (1, 64)
