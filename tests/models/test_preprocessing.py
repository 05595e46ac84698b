import hashlib
import io
import unicodedata
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from catalogue import Product, names
from catalogue.errors import InvalidInput, UndecodableImage
from catalogue.vocabulary import VALUE_UNITS
from models.preprocessing import (
    PREPROCESSING_VERSION,
    TEMPLATE,
    PreprocessorConfig,
    load_pixels,
    normalise,
    normalise_text,
    product_text,
)
from tests.catalogue.pictures import encode, halves, oriented, pixels_decoded, plain

CONFIG = PreprocessorConfig(resize=256, crop=224, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.5))


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 2), (224, 224), (1000, 700)])
def test_any_shape_becomes_a_square(size: tuple[int, int]) -> None:
    pixels = load_pixels(plain("PNG", size), CONFIG)
    assert pixels.shape == (224, 224, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == (220, 30, 30)).all()


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK", "I;16", "I", "F", "YCbCr"])
def test_any_mode_becomes_rgb(mode: str) -> None:
    kind = "JPEG" if mode in {"CMYK", "YCbCr"} else "TIFF"
    image = Image.new(mode, (40, 30), 1 if mode == "1" else None)
    assert load_pixels(encode(image, kind), CONFIG).shape == (224, 224, 3)


def test_transparency_is_white() -> None:
    clear = encode(Image.new("RGBA", (30, 30), (0, 0, 0, 0)), "PNG")
    assert (load_pixels(clear, CONFIG) == 255).all()


def test_a_phone_photo_of_48_megapixels_is_decoded_small(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = pixels_decoded(monkeypatch)
    photo = plain("JPEG", (8000, 6000))
    assert np.abs(load_pixels(photo, CONFIG).astype(int) - (220, 30, 30)).max() <= 3
    assert decoded == [1000 * 750]


def test_a_photo_is_turned_upright() -> None:
    pixels = load_pixels(oriented(3), CONFIG)  # upside down: blue comes to the left
    assert pixels[112, 10, 2] > 200 > pixels[112, 10, 0]


@pytest.mark.parametrize("data", [b"", b"no photo", plain()[:100]])
def test_what_is_no_photo(data: bytes) -> None:
    with pytest.raises(UndecodableImage):
        load_pixels(data, CONFIG)


def test_a_crop_is_cut_before_anything_else() -> None:
    photo = encode(halves((400, 300)), "PNG")
    assert (load_pixels(photo, CONFIG, (0, 0, 0.5, 1)) == (220, 30, 30)).all()
    assert (load_pixels(photo, CONFIG, (0.5, 0, 1, 1)) == (30, 30, 220)).all()


@given(st.tuples(*[st.floats(0, 1, width=32)] * 4), st.sampled_from([(1, 1), (1, 400), (300, 2), (64, 48)]))
def test_any_crop_on_any_photo_gives_pixels_or_invalid_input(
    box: tuple[float, float, float, float], size: tuple[int, int]
) -> None:
    try:
        assert load_pixels(plain("PNG", size), CONFIG, box).shape == (224, 224, 3)
    except InvalidInput:
        assert box[0] >= box[2] or box[1] >= box[3]


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 1), (0.5, 0, 0.4, 1), (-0.1, 0, 1, 1), (0, 0, 1, 1.1), (float("nan"), 0, 1, 1), (0, 0, 1)]
)
def test_an_impossible_crop(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(InvalidInput, match="crop"):
        load_pixels(plain(), CONFIG, box)


def test_stretching_keeps_all_of_a_photo() -> None:
    stretched = CONFIG.model_copy(update={"resize": 224, "fit": "stretch"})
    tall = Image.new("RGB", (100, 400), (220, 30, 30))
    tall.paste((30, 30, 220), (0, 0, 100, 40))
    photo = encode(tall, "PNG")
    assert (load_pixels(photo, CONFIG)[0] == (220, 30, 30)).all()  # the centre has lost the blue top
    assert (load_pixels(photo, stretched)[:18] == (30, 30, 220)).all()
    assert (load_pixels(photo, stretched)[28:] == (220, 30, 30)).all()
    assert "fit" not in CONFIG.identity()
    assert stretched.identity()["fit"] == "stretch"
    with pytest.raises(ValueError, match="must be equal"):
        PreprocessorConfig(resize=256, crop=224, fit="stretch", mean=CONFIG.mean, std=CONFIG.std)


def test_normalising_is_the_usual_formula() -> None:
    pixels = load_pixels(encode(Image.effect_noise((300, 300), 80), "PNG"), CONFIG)
    batch = normalise([pixels, pixels], CONFIG)
    expected = ((pixels / 255 - CONFIG.mean) / CONFIG.std).transpose(2, 0, 1)
    assert batch.shape == (2, 3, 224, 224)
    assert batch.dtype == np.float32
    np.testing.assert_allclose(batch[1], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("  red \n\t mug\x00\x07 ", "red mug"),
        ("cafe\u0301", "caf\u00e9"),
        ("a\ud800b", "a b"),
        ("\u3000\u00a0", ""),
        ("10 \u00b5F", "10 \u00b5F"),
        ("", ""),
    ],
)
def test_text_is_made_clean(text: str, clean: str) -> None:
    assert normalise_text(text, 128) == clean


@given(st.text())
def test_clean_text_is_stable_and_can_be_sent(text: str) -> None:
    clean = normalise_text(text, 128)
    clean.encode()
    assert normalise_text(clean, 128) == clean


@pytest.mark.parametrize("text", ["word " * 200_000, "e\u0301" * 500_000, "\u0301" * 500_000, "x" * 1_000_000])
def test_a_book_costs_next_to_nothing(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Composing is what costs: with many accents on one letter it takes the square of their number."""
    composed: list[int] = []

    def compose(form: Literal["NFC"], given: str) -> str:
        composed.append(len(given))
        return normalize(form, given)

    normalize = unicodedata.normalize
    monkeypatch.setattr("models.preprocessing.unicodedata.normalize", compose)
    assert len(normalise_text(text, 128)) <= 128 * 32
    assert composed[0] <= 128 * 32


def product(**fields: object) -> Product:
    return Product.model_validate({"product_id": "p", "title": "Mug"} | fields)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "Mug"),
        ({"category": "Kitchen > Drinkware"}, "Mug, Drinkware"),
        ({"attributes": {"size": "L", "colour": "red"}}, "Mug, colour red, size L"),
        ({"description": "For tea."}, "Mug. For tea."),
        (
            {"category": "Kitchen > Mugs", "attributes": {"b": "2", "a": "1"}, "description": "For tea."},
            "Mug, Mugs, a 1, b 2. For tea.",
        ),
        ({"title": "", "images": ("x.jpg",), "description": "For tea."}, "For tea."),
        ({"title": " ", "images": ("x.jpg",)}, ""),
        ({"title": "{description}", "description": "x"}, "{description}. x"),
    ],
)
def test_product_text(fields: dict[str, object], text: str) -> None:
    assert product_text(product(**fields), TEMPLATE) == text


def test_price_supplier_and_ids_are_no_part_of_the_text() -> None:
    bare = product_text(product(), TEMPLATE)
    assert product_text(product(price=3.0, currency="EUR", supplier_id="s", style_id="x", url="u"), TEMPLATE) == bare


def test_nor_is_what_belongs_to_the_listing() -> None:
    attributes = {"colour": "red", "EAN": "4006381333931", "Item no.": "B-17", "rating": "4.5", "IP rating": "IP67"}
    assert product_text(product(attributes=attributes), TEMPLATE) == "Mug, IP rating IP67, colour red"
    everything = product_text(product(attributes=attributes), TEMPLATE.replace("properties", "attributes"))
    assert everything == "Mug, EAN 4006381333931, IP rating IP67, Item no. B-17, colour red, rating 4.5"


def test_product_texts_do_not_move_unnoticed() -> None:
    """Words that tell what is in a product's text: change them, and raise PREPROCESSING_VERSION."""
    lists = "_GTINS _GTINS_ALONE _OF_CASES _NUMBERS _LISTING _SELLER _FIGURES _NEUTRAL NAMES SAME_NAMES"
    words = [sorted(getattr(names, name)) for name in lists.split()]
    told = repr([*words, names._FIGURE.pattern, names._ADDRESS.pattern, sorted(VALUE_UNITS)])
    assert (hashlib.sha256(told.encode()).hexdigest()[:16], PREPROCESSING_VERSION) == ("602e064f8223e612", 1)


def test_draft_decoding_does_not_change_what_is_seen() -> None:
    """A photo at twice the size is decoded another way, and must come out nearly the same."""
    small = Image.effect_noise((60, 60), 60).resize((600, 600), Image.Resampling.BICUBIC).convert("RGB")
    large = small.resize((2400, 2400), Image.Resampling.BICUBIC)
    out = [load_pixels(encode(image, "JPEG", quality=95), CONFIG).astype(np.float64) for image in (small, large)]
    assert np.abs(out[0] - out[1]).mean() < 3


def test_bytes_are_not_kept_open() -> None:
    data = io.BytesIO(plain()).getvalue()
    assert (load_pixels(data, CONFIG) == load_pixels(data, CONFIG)).all()


@pytest.mark.parametrize("size", [(401, 333), (333, 517), (300, 300), (224, 900)])
def test_whole_pixels_are_those_of_two_steps(size: tuple[int, int]) -> None:
    """First the shorter side, then the centre, as the models of others do it; here both at once."""
    photo = Image.radial_gradient("L").resize(size).convert("RGB")
    wide, high = (int(224 * side / min(size)) for side in size)
    left, top = (wide - 224) // 2, (high - 224) // 2
    wanted = photo.resize((wide, high), Image.Resampling.BICUBIC).crop((left, top, left + 224, top + 224))
    whole = CONFIG.model_copy(update={"resize": 224, "crop": 224, "fit": "crop-whole"})
    found = load_pixels(encode(photo, "PNG"), whole)
    assert np.abs(found.astype(int) - np.asarray(wanted).astype(int)).max() <= 3
    assert whole.identity()["fit"] == "crop-whole"
