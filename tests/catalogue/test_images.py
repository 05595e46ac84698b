import io
import subprocess
import sys
import tracemalloc
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from catalogue.errors import InvalidInput, TooLarge, UndecodableImage
from catalogue.images import MAX_JPEG_PIXELS, MAX_PIXELS, decode_image, thumbnail
from tests.catalogue import pictures
from tests.catalogue.pictures import BLUE, RED, encode

KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "MPO")
WHITE = (255, 255, 255)


def near(pixel: Any, colour: tuple[int, int, int], by: int = 12) -> bool:
    return all(abs(int(a) - b) <= by for a, b in zip(pixel, colour, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_out_as_rgb(kind: str) -> None:
    image = decode_image(pictures.plain(kind))
    assert (image.mode, image.size) == ("RGB", (32, 24))
    assert near(image.getpixel((5, 5)), RED)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("min_side", [None, 1, 224])
def test_extreme_shapes_keep_their_size(size: tuple[int, int], kind: str, min_side: int | None) -> None:
    assert decode_image(pictures.plain(kind, size), min_side=min_side).size == size


def test_a_cmyk_jpeg_keeps_its_colours() -> None:
    data = encode(Image.new("RGB", (16, 16), RED).convert("CMYK"), "JPEG")
    image = decode_image(data, min_side=8)
    assert image.mode == "RGB"
    assert near(image.getpixel((4, 4)), RED, by=25)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_16_bit_gradient_stays_a_gradient(kind: str) -> None:
    values = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (4, 1))
    grey = np.asarray(decode_image(encode(Image.fromarray(values), kind)))[0, :, 0]
    assert grey.tolist() == list(range(256))


def test_a_dark_16_bit_photo_stays_dark() -> None:
    values = np.full((4, 4), 255, np.uint16)
    assert np.asarray(decode_image(encode(Image.fromarray(values), "PNG"))).max() <= 1


@pytest.mark.parametrize("top", [1.0, 255.0, 65535.0, 3e9, 1e300])
def test_a_floating_point_gradient_stays_a_gradient(top: float) -> None:
    values = np.tile(np.linspace(0, 1, 256) * min(top, 1e38), (4, 1)).astype(np.float32)
    grey = np.asarray(decode_image(encode(Image.fromarray(values), "TIFF")))[0, :, 0].astype(int)
    assert grey[0] == 0
    assert grey[-1] == 255
    assert np.abs(grey - np.arange(256)).max() <= 1


def test_values_that_are_no_numbers_are_tolerated() -> None:
    values = np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)
    values[0, 0] = np.nan
    values[1, 1] = np.inf
    assert decode_image(encode(Image.fromarray(values), "TIFF")).size == (4, 4)


def test_a_32_bit_integer_tiff_is_not_clipped() -> None:
    values = np.tile(np.linspace(0, 1_000_000, 256).astype(np.int32), (4, 1))
    grey = np.asarray(decode_image(encode(Image.fromarray(values), "TIFF")))[0, :, 0].astype(int)
    assert np.abs(grey - np.arange(256)).max() <= 1


def test_transparency_goes_over_white() -> None:
    rgba = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    rgba.paste((*RED, 255), (4, 0, 8, 8))
    for data in (encode(rgba, "PNG"), encode(rgba, "WEBP", lossless=True)):
        image = decode_image(data)
        assert image.mode == "RGB"
        assert (image.getpixel((0, 0)), image.getpixel((6, 4))) == (WHITE, RED)


def test_half_transparency_is_blended() -> None:
    image = decode_image(encode(Image.new("LA", (4, 4), (0, 128)), "PNG"))
    assert near(image.getpixel((0, 0)), (127, 127, 127), by=1)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_palette_with_a_transparent_entry_goes_over_white(kind: str) -> None:
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([0, 0, 0, *RED])
    palette.paste(1, (4, 0, 8, 8))
    image = decode_image(encode(palette, kind, transparency=0))
    assert (image.getpixel((0, 0)), image.getpixel((6, 4))) == (WHITE, RED)


def test_a_palette_with_half_transparent_entries_is_blended() -> None:
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([0, 0, 0, *RED])
    image = decode_image(encode(palette, "PNG", transparency=bytes([128, 255])))
    assert near(image.getpixel((0, 0)), (127, 127, 127), by=1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_photo_taken_sideways_comes_upright(kind: str) -> None:
    image = decode_image(pictures.oriented(6, kind), min_side=20)  # 6: turn a quarter clockwise
    assert image.size == (20, 40)
    assert near(image.getpixel((10, 5)), RED, by=25)
    assert near(image.getpixel((10, 35)), BLUE, by=25)


@pytest.mark.parametrize("orientation", [0, 1, 9, 65535])
def test_an_orientation_that_says_nothing_is_ignored(orientation: int) -> None:
    assert decode_image(pictures.oriented(orientation)).size == (40, 20)


BIG_ENDIAN_SIDEWAYS = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"


@pytest.mark.parametrize(
    "payload",
    [
        b"Exif\0\0",
        b"Exif\0\0garbage that is no TIFF header at all",
        b"Exif\0\0MM\0*",
        b"Exif\0\0MM\0*\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" * 3,
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x04six\0",  # orientation as text
        BIG_ENDIAN_SIDEWAYS[:-4] + b"\xff\xff\xff\xff",
    ],
)
def test_a_broken_exif_block_costs_nothing_but_the_exif(payload: bytes) -> None:
    image = decode_image(pictures.with_app1(pictures.plain(size=(40, 20)), payload))
    assert image.size in {(40, 20), (20, 40)}
    assert near(image.getpixel((5, 5)), RED)


def test_an_orientation_before_broken_tags_still_counts() -> None:
    tags = b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0" + b"\x01\x1a\0\x05\0\0\0\x01\xff\xff\xff\xff"  # a resolution nowhere
    data = pictures.with_app1(pictures.plain(size=(40, 20)), b"Exif\0\0MM\0*\0\0\0\x08\0\x02" + tags)
    assert decode_image(data).size == (20, 40)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_moving_pictures_the_first_frame_counts(kind: str) -> None:
    frames = [Image.new("RGB", (16, 16), RED), Image.new("RGB", (16, 16), BLUE)]
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
    image = decode_image(data)
    assert near(image.getpixel((8, 8)), RED)


def test_a_progressive_jpeg_is_read() -> None:
    data = encode(pictures.noise((200, 100)), "JPEG", progressive=True)
    assert decode_image(data).size == (200, 100)
    assert decode_image(data, min_side=20).size == (50, 25)


@pytest.mark.parametrize("size", [(641, 479), (479, 641), (1001, 33), (224, 224), (100, 3000)])
@pytest.mark.parametrize("min_side", [1, 7, 32, 33, 200, 224, 480])
def test_a_jpeg_asked_for_small_keeps_its_shorter_side(size: tuple[int, int], min_side: int) -> None:
    image = decode_image(pictures.plain("JPEG", size), min_side=min_side)
    assert min(image.size) >= min(min_side, *size)
    assert image.width <= size[0]


def test_a_phone_photo_is_decoded_small(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = pictures.pixels_decoded(monkeypatch)
    data = encode(Image.new("L", (8000, 6000), 128), "JPEG")
    assert decode_image(data, min_side=448).size == (1000, 750)
    assert decoded == [1000 * 750]


def test_a_whole_photo_is_decoded_without_min_side() -> None:
    assert decode_image(pictures.plain("JPEG", (640, 480))).size == (640, 480)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_truncated_photo_is_refused(kind: str, share: float) -> None:
    data = encode(pictures.noise(), kind)
    with pytest.raises(UndecodableImage, match="complete file"):
        decode_image(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    "data", [b"x", b"\0" * 100, b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", b"\xff\xd8\xff"]
)
def test_what_is_no_photo_is_refused(data: bytes) -> None:
    with pytest.raises(UndecodableImage, match="not a JPEG, PNG"):
        decode_image(data)


def test_nothing_is_refused() -> None:
    with pytest.raises(UndecodableImage, match="empty"):
        decode_image(b"")


@pytest.mark.parametrize("kind", ["ICO", "PPM", "TGA", "PDF", "ICNS"])
def test_kinds_that_are_not_promised_are_refused(kind: str) -> None:
    with pytest.raises(UndecodableImage):
        decode_image(encode(Image.new("RGB", (32, 32)), kind))


@pytest.mark.parametrize("size", [(5001, 5000), (2**31 - 1, 2**31 - 1), (1, MAX_PIXELS + 1)])
def test_a_png_over_the_limit_is_refused_before_it_is_decoded(size: tuple[int, int]) -> None:
    tracemalloc.start()
    with pytest.raises(TooLarge, match="limit for PNG is 25"):
        decode_image(pictures.png_header(*size), min_side=100)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def test_the_limits_are_inclusive() -> None:
    with pytest.raises(UndecodableImage):  # not TooLarge: it is small enough, but there is nothing in it
        decode_image(pictures.png_header(5000, MAX_PIXELS // 5000))


def test_a_jpeg_has_its_own_limit() -> None:
    assert MAX_JPEG_PIXELS == 100_000_000
    with pytest.raises(TooLarge, match="100 megapixels; the limit for JPEG is 100"):
        decode_image(pictures.jpeg_of_size(10_001, 10_000))
    assert min(decode_image(pictures.jpeg_of_size(5001, 5000), min_side=100).size) >= 100


@pytest.mark.parametrize("kind", [b"iCCP", b"zTXt", b"iTXt"])
def test_compressed_bombs_in_png_chunks_are_not_unpacked(kind: bytes) -> None:
    bomb = zlib.compress(b"\0" * 50_000_000, 9)
    lead = b"name\0\0" if kind != b"iTXt" else b"name\0\1\0\0\0"
    tracemalloc.start()
    with suppress(UndecodableImage):
        decode_image(pictures.png_with(pictures.png_chunk(kind, lead + bomb)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


def test_warnings_about_strange_files_are_nobodys_news(tmp_path: Path) -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\x02\0" + b"\x0f\x01\x02\0\xff\xff\0\0\xff\xff\0\0" * 2
    (tmp_path / "odd.jpg").write_bytes(pictures.with_app1(pictures.plain(), exif))
    code = "import sys; from catalogue.images import decode_image; decode_image(open(sys.argv[1], 'rb').read())"
    outcome = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "odd.jpg")], capture_output=True, text=True, check=True
    )
    assert outcome.stderr == ""


@settings(deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0"]),
)
def test_random_bytes_raise_nothing_unexpected(data: bytes, lead: bytes) -> None:
    with suppress(InvalidInput):
        decode_image(lead + data, min_side=16)


WHOLE = (
    *(encode(pictures.noise((24, 20)), kind) for kind in KINDS),
    encode(pictures.noise((24, 20)), "JPEG", progressive=True),
    encode(pictures.noise((24, 20)).convert("CMYK"), "JPEG"),
    encode(pictures.noise((24, 20)).quantize(16), "PNG", transparency=0),
    encode(Image.new("RGBA", (24, 20), (9, 9, 9, 9)), "WEBP"),
    encode(pictures.noise((24, 20)), "TIFF", compression="tiff_lzw"),
    pictures.oriented(6),
    pictures.oriented(6, "PNG"),
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(WHOLE),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
    st.floats(0, 1),
    st.sampled_from([None, 8]),
)
def test_damaged_photos_raise_nothing_unexpected(
    whole: bytes, damage: list[tuple[float, int]], kept: float, min_side: int | None
) -> None:
    data = bytearray(whole)
    for where, value in damage:
        data[int(where * min(len(data), 400))] = value  # the headers are where the trouble is
    try:
        image = decode_image(bytes(data[: max(1, int(len(data) * kept))]), min_side=min_side)
    except InvalidInput:
        return
    assert image.mode == "RGB"


@pytest.mark.parametrize("size", [(1, 1), (50, 50), (99, 400), (100, 10), (400, 99), (1000, 3), (1, 5000)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_thumbnail_is_never_enlarged_and_keeps_its_shape(size: tuple[int, int], kind: str) -> None:
    small = Image.open(io.BytesIO(thumbnail(pictures.plain(kind, size), 100)))
    assert small.format == "JPEG"
    assert small.width == min(size[0], 100)
    assert abs(small.height - size[1] * small.width / size[0]) <= 1


def test_a_thumbnail_of_what_no_jpeg_can_hold() -> None:
    tall = Image.open(io.BytesIO(thumbnail(pictures.plain("PNG", (1, 70_000)), 100)))
    assert tall.width == 1
    assert tall.height <= 65_500


def test_a_thumbnail_is_upright_and_without_metadata() -> None:
    small = Image.open(io.BytesIO(thumbnail(pictures.oriented(6), 10)))
    assert small.size == (10, 20)
    assert "exif" not in small.info


def test_a_thumbnail_of_a_broken_photo_is_refused() -> None:
    with pytest.raises(UndecodableImage):
        thumbnail(pictures.plain("PNG")[:60], 100)
