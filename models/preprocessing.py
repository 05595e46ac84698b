"""From a stranger's photo or text to what an encoder takes in.

The rules here are part of a vector space: a change that moves any vector must raise PREPROCESSING_VERSION, which
changes the fingerprint of every bundle.
"""

import math
import re
import string
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from catalogue.errors import InvalidInput
from catalogue.images import decode_image
from catalogue.product import Product
from catalogue.variants import is_of_listing

PREPROCESSING_VERSION: Final = 1

Box: TypeAlias = tuple[float, float, float, float]
"""x0, y0, x1, y1 as shares (0..1) of the width and height, from the top left corner."""
Pixels: TypeAlias = NDArray[np.uint8]
"""[side, side, 3] RGB."""

TEMPLATE: Final = "{title}, {category}, {properties}. {description}"
"""How a product becomes text, unless its bundle says otherwise."""
TEMPLATE_FIELDS: Final = ("title", "category", "attributes", "properties", "description")
"""`properties` are the attributes less those of the listing, such as its SKU or rating."""
_MAX_CHARS_PER_TOKEN: Final = 32
_NOT_TEXT: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_RESAMPLING: Final = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


class PreprocessorConfig(BaseModel):
    """preprocessor_config.json: a photo to a square of `crop` pixels, then (x/255 - mean) / std.

    `fit` says how: "crop" brings the shorter side to `resize` and cuts the centre out, "crop-whole" does so in whole
    pixels, as models of others were trained, "stretch" keeps all of the photo and forgets its proportions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    resize: int = Field(ge=16, le=2048, description="pixels of the shorter side")
    crop: int = Field(ge=16, le=1024, description="pixels of the square")
    fit: Literal["crop", "crop-whole", "stretch"] = "crop"
    resample: Literal["bilinear", "bicubic"] = "bicubic"
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def identity(self) -> dict[str, Any]:
        """What of it names a vector space; "crop" goes unsaid, as in the bundles from before there was a choice."""
        return self.model_dump(mode="json", exclude={"fit"} if self.fit == "crop" else None)

    @model_validator(mode="after")
    def _can_be_applied(self) -> Self:
        if self.crop > self.resize:
            raise ValueError("crop must not be larger than resize")
        if self.fit == "stretch" and self.crop != self.resize:
            raise ValueError("with fit stretch, crop and resize must be equal")
        if min(self.std) <= 0:
            raise ValueError("std must be positive")
        return self


def load_pixels(image: bytes, config: PreprocessorConfig, crop: Box | None = None) -> Pixels:
    """Decode a photo and cut it to the encoder's square, uint8 [side, side, 3].

    `crop` is cut out first. Raises UndecodableImage or TooLarge for the photo, InvalidInput for the box.
    """
    box = _checked_box(crop) if crop is not None else (0.0, 0.0, 1.0, 1.0)
    smallest_share = min(box[2] - box[0], box[3] - box[1])
    # twice the side: halving by averaging is what the resize does well, and DCT scaling alone would alias
    photo = decode_image(image, min_side=min(math.ceil(2 * config.resize / smallest_share), 1 << 20))
    source = _in_pixels(box, photo.size)
    if config.fit == "crop":
        source = _centre_square(source, config.crop / config.resize)
    elif config.fit == "crop-whole":
        source = _whole_centre(source, config.resize, config.crop)
    # one resize straight from the source: a 1 x 5000 photo never becomes 224 x 1,120,000
    resized = photo.resize((config.crop, config.crop), _RESAMPLING[config.resample], box=source, reducing_gap=3.0)
    return np.asarray(resized, dtype=np.uint8)


def normalise(batch: Sequence[Pixels], config: PreprocessorConfig) -> NDArray[np.float32]:
    """Photos to the image encoder's input, float32 [n, 3, side, side]."""
    mean, std = (np.asarray(values, dtype=np.float32)[:, None, None] for values in (config.mean, config.std))
    out = np.empty((len(batch), 3, config.crop, config.crop), dtype=np.float32)
    for row, pixels in enumerate(batch):
        np.multiply(pixels.transpose(2, 0, 1), np.float32(1 / 255) / std, out=out[row])
        np.subtract(out[row], mean / std, out=out[row])
    return out


def normalise_text(text: str, max_tokens: int) -> str:
    """One line of clean text, cut to what `max_tokens` tokens can hold; may be empty.

    Control characters and lone surrogates become spaces, runs of space one space, and Unicode is composed (NFC).
    It is cut before it is composed or tokenised: both would cost a second for a book, the cut costs nothing.
    """
    words = _NOT_TEXT.sub(" ", text).split()
    return unicodedata.normalize("NFC", " ".join(words)[: max_tokens * _MAX_CHARS_PER_TOKEN]).strip()


def check_template(template: str) -> str:
    """Return a valid product_text template unchanged.

    Raises ValueError unless its fields are some of TEMPLATE_FIELDS, in that order.
    """
    fields = []
    for _, field, spec, conversion in string.Formatter().parse(template):
        if field is not None:
            fields.append(field)
        if spec or conversion:
            raise ValueError("fields of product_text take no format")
    if not fields or fields != [field for field in TEMPLATE_FIELDS if field in fields]:
        raise ValueError(f"product_text must use fields of {', '.join(TEMPLATE_FIELDS)}, in that order and once each")
    return template


def product_text(product: Product, template: str) -> str:
    """The only way a product becomes text; empty where it has none of the template's fields."""
    levels, attributes = product.category_levels, sorted(product.attributes.items())
    values = {
        "title": product.title,
        "category": levels[-1] if levels else "",
        "attributes": ", ".join(f"{name} {value}" for name, value in attributes),
        "properties": ", ".join(f"{name} {value}" for name, value in attributes if not is_of_listing(name, value)),
        "description": product.description,
    }
    return fill_template(template, values)


def fill_template(template: str, values: Mapping[str, str]) -> str:
    """A template with its fields filled in.

    An absent field goes together with the words before it in the template, so no separator is left over.
    """
    text = ""
    for words, field, _, _ in string.Formatter().parse(template):
        value = values.get(field, "").strip() if field else ""
        if value:
            text += (words if text else words.lstrip(" ,.;:|-")) + value
    return text


def _checked_box(box: Box) -> Box:
    if len(box) != 4:
        raise InvalidInput("A crop has four numbers: x0, y0, x1, y1, each from 0 to 1.")
    x0, y0, x1, y1 = box
    if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):  # NaN fails every comparison
        raise InvalidInput("A crop needs 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1, measured from the top left corner.")
    return box


def _in_pixels(box: Box, size: tuple[int, int]) -> Box:
    """The box on a photo of `size`, at least one pixel wide and high."""
    width, height = size
    left, top = min(box[0] * width, width - 1), min(box[1] * height, height - 1)
    return left, top, max(box[2] * width, left + 1), max(box[3] * height, top + 1)


def _centre_square(box: Box, share: float) -> Box:
    """The square in the middle of `box` whose side is `share` of the shorter side of the box."""
    left, top, right, bottom = box
    half = share * min(right - left, bottom - top) / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    return x - half, y - half, x + half, y + half


def _whole_centre(box: Box, resize: int, crop: int) -> Box:
    """What is left of `box` if its shorter side becomes `resize`, its longer one whole, and the centre is cut."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    shorter = min(width, height)
    wide, high = int(resize * width / shorter), int(resize * height / shorter)
    across, down = width / wide, height / high
    x, y = (wide - crop) // 2, (high - crop) // 2
    return left + x * across, top + y * down, left + (x + crop) * across, top + (y + crop) * down
