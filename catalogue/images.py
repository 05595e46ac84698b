"""Photos of strangers, decoded within limits.

One door for every photo, whether it goes to an encoder or is shown again as a thumbnail.
"""

import io
import warnings
from typing import Final

import numpy as np
from PIL import Image, ImageOps

from catalogue.errors import InvalidInput, TooLarge, UndecodableImage

MAX_PIXELS: Final = 25_000_000
"""Formats that must be decoded in full; 25 MP of RGBA are 100 MB."""
MAX_JPEG_PIXELS: Final = 100_000_000
"""JPEG is decoded at a fraction of its size (DCT scaling), so phone cameras fit."""
FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "MPO")

_MAX_JPEG_SIDE: Final = 65_500
"""What libjpeg can write."""

Image.MAX_IMAGE_PIXELS = None  # our own limits below depend on the format and raise our own error
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # a stranger's odd EXIF is nobody's news


def decode_image(data: bytes, *, min_side: int | None = None) -> Image.Image:
    """Decode a photo to upright RGB, the first frame if it moves, transparency over white.

    With `min_side` (pixels) a JPEG may come back smaller than it is, never with its shorter side below
    `min_side`: the decoder then skips most of the work.

    Raises UndecodableImage for bytes that are no photo or end too early, TooLarge over the pixel limits.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        _check_size(image)
        if min_side is not None:
            _draft(image, min_side)
        image.load()
        return _to_rgb(ImageOps.exif_transpose(image))
    except InvalidInput:
        raise
    except Exception as error:  # Pillow's plugins raise SyntaxError, struct.error, EOFError, ... for broken files
        raise UndecodableImage(_undecodable(data)) from error


def _undecodable(data: bytes) -> str:
    kinds = "JPEG, PNG, WebP, GIF, BMP or TIFF"
    if not data:
        return f"The image is empty. Send a {kinds} photo."
    return f"The image cannot be decoded: it is not a {kinds} photo, or it is truncated. Send the complete file."


def _check_size(image: Image.Image) -> None:
    pixels = image.width * image.height
    limit = MAX_JPEG_PIXELS if image.format in {"JPEG", "MPO"} else MAX_PIXELS
    if pixels > limit:
        raise TooLarge(
            f"The image has {pixels / 1e6:.0f} megapixels; the limit for {image.format} is {limit // 1_000_000}. "
            "Send a smaller photo; 1,000 pixels a side are plenty."
        )


def _draft(image: Image.Image, min_side: int) -> None:
    """Ask the JPEG decoder for the smallest 1/1, 1/2, 1/4 or 1/8 scale that keeps the shorter side."""
    scale = min_side / min(image.size)
    image.draft("RGB", (max(1, round(image.width * scale)), max(1, round(image.height * scale))))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        image = _to_eight_bits(image)
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """16-bit greys by their full range, 32-bit ones by the range they seem to use: Pillow alone would clip both."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    low, high = min(float(values.min()), 0.0), float(values.max())
    high = next((usual for usual in (1.0, 255.0, 65535.0) if high <= usual), high)
    scaled = (values - low) * (255.0 / (high - low))
    return Image.fromarray(scaled.round().astype(np.uint8))


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
