"""A photo as somebody else would have copied it."""

import io
from typing import Final

from PIL import Image, ImageEnhance, ImageOps

from catalogue.images import decode_image

CROP: Final = 0.8
BRIGHTNESS: Final = 0.8
QUALITY: Final = 50


def poor_copy(photo: bytes) -> bytes:
    """The middle of a photo (0.8 of each side), mirrored, darker, as a JPEG of quality 50.

    Raises UndecodableImage or TooLarge.
    """
    image = decode_image(photo)
    width, height = image.size
    left, top = (1 - CROP) / 2 * width, (1 - CROP) / 2 * height
    cut = image.crop((round(left), round(top), max(round(width - left), 1), max(round(height - top), 1)))
    copy: Image.Image = ImageEnhance.Brightness(ImageOps.mirror(cut)).enhance(BRIGHTNESS)
    out = io.BytesIO()
    copy.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
