"""Photos of strangers, decoded within limits.

One door for every photo, whether it goes to an encoder or is shown again as a thumbnail.
"""

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from catalogue.containers import Container, read_container
from catalogue.errors import InvalidInput, TooLarge, UndecodableImage

MAX_PIXELS: Final = 25_000_000
"""What is decoded at most; 25 MP of RGBA are 100 MB."""
MAX_JPEG_PIXELS: Final = 100_000_000
"""JPEG is decoded at a fraction of its size (DCT scaling), so phone cameras fit; not if it comes in several scans,
which are all kept at full size until the last."""
MAX_SCANS: Final = 100
"""Scans of a JPEG, and of 25 MP a fifth: each goes over the whole picture. Cameras and tools write about ten."""
MAX_RAW_BYTES: Final = 4 * MAX_PIXELS
"""A TIFF as it is kept: its samples may have 64 bits."""
BYTES_PER_PIXEL: Final = 16
"""What decoding takes at most for each pixel decoded; WebP comes nearest, with two canvases of its own."""
MAX_PIXELS_AT_ONCE: Final = 2 * MAX_PIXELS
"""Pixels being decoded in this process, so that decoding takes 800 MB at most, however many threads do it."""

_MAX_JPEG_SIDE: Final = 65_500
"""What libjpeg can write."""
_STRIP: Final = 1_000_000
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a photo of each EXIF orientation upright."""

Image.MAX_IMAGE_PIXELS = None  # our own limits below depend on the format and raise our own error
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # a stranger's odd EXIF is nobody's news


class _PixelBudget:
    """Bounds the pixels that are being decoded at once, on however many threads."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._change = threading.Condition()

    @contextmanager
    def take(self, pixels: int) -> Iterator[None]:
        """Wait until there is room; whoever has it is decoding, and so gives it back."""
        with self._change:
            self._change.wait_for(lambda: self._free >= pixels)
            self._free -= pixels
        try:
            yield
        finally:
            with self._change:
                self._free += pixels
                self._change.notify_all()


_budget: Final = _PixelBudget(MAX_PIXELS_AT_ONCE)


def decode_image(data: bytes, *, min_side: int | None = None) -> Image.Image:
    """Decode a photo to upright RGB, the first frame if it moves, transparency over white.

    With `min_side` (pixels) a JPEG may come back smaller than it is, its shorter side not below `min_side`: the
    decoder then skips most of the work. A JPEG over 25 MP is always halved at least.

    Raises UndecodableImage for bytes that are no photo or end too early, TooLarge over the limits.
    """
    try:
        container = read_container(data)
        _check_size(container)
        image = Image.open(io.BytesIO(container.data), formats=(container.kind,))
        if image.size != (container.width, container.height):
            raise ValueError("the decoder sees another size than was checked")  # noqa: TRY301
        _draft(image, min_side)
        with _budget.take(image.width * image.height):
            image.load()
            return _upright(_to_rgb(image), container.orientation)
    except InvalidInput:
        raise
    except Exception as error:  # Pillow's plugins raise SyntaxError, struct.error, EOFError, ... for broken files
        raise UndecodableImage(_undecodable(data)) from error


def _undecodable(data: bytes) -> str:
    kinds = "JPEG, PNG, WebP, GIF, BMP or TIFF"
    if not data:
        return f"The image is empty. Send a {kinds} photo."
    return f"The image cannot be decoded: it is not a {kinds} photo, or it is truncated. Send the complete file."


def _check_size(image: Container) -> None:
    pixels = image.width * image.height
    kind = "JPEG in several scans" if image.scans else image.kind
    limit = MAX_JPEG_PIXELS if kind == "JPEG" else MAX_PIXELS
    if pixels > limit:
        raise TooLarge(
            f"The image has {pixels / 1e6:.0f} megapixels; the limit for {kind} is {limit // 1_000_000}. "
            "Send a smaller photo; 1,000 pixels a side are plenty."
        )
    if image.raw_bytes > MAX_RAW_BYTES:
        raise TooLarge(
            f"The image has {image.raw_bytes / 1e6:.0f} MB of samples; the limit is {MAX_RAW_BYTES // 1_000_000}. "
            "Send it smaller, or with 8 bits a sample."
        )
    if image.scans > MAX_SCANS or image.scans * pixels > MAX_SCANS * MAX_PIXELS // 5:
        raise TooLarge(f"The image comes in {image.scans} scans. Send it as a plain JPEG.")


def _draft(image: Image.Image, min_side: int | None) -> None:
    """Ask the JPEG decoder for the smallest 1/1, 1/2, 1/4 or 1/8 scale that keeps the shorter side."""
    width, height = image.size
    scale = 1.0 if min_side is None else min_side / min(width, height)
    if width * height > MAX_PIXELS:
        scale = min(scale, 0.5)
    if scale < 1:
        image.draft("RGB", (max(1, round(width * scale)), max(1, round(height * scale))))


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return _to_eight_bits(image).convert("RGB")
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        return _over_white(image)
    if image.mode == "RGB" and image.format != "WEBP":  # whose decoder lives, with two canvases, as long as its image
        return image
    return image.convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    opaque = Image.new("RGB", image.size)
    for box in _parts(image.size):
        part = image.crop(box).convert("RGBA")
        white = Image.new("RGBA", part.size, (255, 255, 255, 255))
        opaque.paste(Image.alpha_composite(white, part).convert("RGB"), box)
    return opaque


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """16-bit greys by their full range, 32-bit ones by the range they seem to use: Pillow alone would clip both."""
    grey = Image.new("L", image.size)
    if image.mode.startswith("I;16"):
        for box in _parts(image.size):
            grey.paste(Image.fromarray((np.asarray(image.crop(box)) >> 8).astype(np.uint8)), box)
        return grey
    low, high = 0.0, -np.inf
    for box in _parts(image.size):
        values = _numbers(image.crop(box))
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    high = next((usual for usual in (1.0, 255.0, 65535.0) if high <= usual), high)
    for box in _parts(image.size):
        scaled = (_numbers(image.crop(box)) - low) * (255.0 / (high - low))
        grey.paste(Image.fromarray(scaled.round().astype(np.uint8)), box)
    return grey


def _numbers(image: Image.Image) -> NDArray[np.float64]:
    return np.nan_to_num(np.asarray(image, dtype=np.float64))


def _parts(size: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Boxes that cover a picture, each of at most a million pixels, so that what is computed on the way stays small."""
    width, height = size
    wide = min(width, _STRIP)
    high = _STRIP // wide
    for top in range(0, height, high):
        for left in range(0, width, wide):
            yield left, top, min(left + wide, width), min(top + high, height)


def thumbnail(data: bytes, width: int) -> bytes:
    """A JPEG of at most `width` pixels across (never enlarged), for showing.

    Raises what `decode_image` raises.
    """
    image = decode_image(data, min_side=width)
    if image.width > width:
        height = max(1, round(image.height * width / image.width))
        image = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
    if image.height > _MAX_JPEG_SIDE:
        image = image.resize((image.width, _MAX_JPEG_SIDE))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85, optimize=True)
    return out.getvalue()
