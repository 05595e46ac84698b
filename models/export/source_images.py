"""How a source prepares photos, in the words of a bundle."""

import math
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from catalogue.errors import BundleInvalid
from catalogue.versioned import first_reason
from models.export.source_files import read_json
from models.preprocessing import PreprocessorConfig

_RESAMPLING: Final = {2: "bilinear", 3: "bicubic", "bilinear": "bilinear", "bicubic": "bicubic"}
_NAMES: Final = ("preprocessor_config.json", "processor_config.json")


def pictures_of(path: Path, side: int) -> PreprocessorConfig:
    """What a `transformers` model's own files say; raises BundleInvalid for steps that a bundle does not have.

    `side` is what the network takes in.
    """
    told = _read(path)
    where = path / _NAMES[0]
    resize, crop = told.get("size"), told.get("crop_size")
    if not told.get("do_resize", True) or not told.get("do_rescale", True):
        raise BundleInvalid(f"{where} does not resize or rescale photos, and a bundle always does.")
    scale = told.get("rescale_factor", 1 / 255)
    if not isinstance(scale, float) or not math.isclose(scale, 1 / 255, rel_tol=1e-4):
        raise BundleInvalid(f"{where} has the rescale_factor {scale!r}; a bundle has 1/255.")
    normal = told.get("do_normalize", True)
    return made(
        where,
        side,
        resize=_shorter(resize),
        square=_square(resize) if not told.get("do_center_crop", _shorter(resize) is not None) else _square(crop),
        resample=told.get("resample", 3),
        mean=told.get("image_mean") if normal else [0.0] * 3,
        std=told.get("image_std") if normal else [1.0] * 3,
    )


def made(
    where: Path, side: int, *, resize: int | None, square: int | None, resample: object, mean: Any, std: Any
) -> PreprocessorConfig:
    """A bundle's preprocessing: the shorter side to `resize` and a `square` cut out, or all of a photo to a square."""
    kind = _RESAMPLING.get(resample) if isinstance(resample, int | str) else None
    if kind is None:
        raise BundleInvalid(
            f"{where} resizes by method {resample!r}; a bundle does by {', '.join(_RESAMPLING.values())}."
        )
    if square != side:
        raise BundleInvalid(
            f"{where} gives photos of {square or 'no fixed'} pixels, and the network takes squares of {side}."
        )
    try:
        return PreprocessorConfig(
            resize=resize or side,
            crop=side,
            fit="stretch" if resize is None else "crop-whole",
            resample=kind,
            mean=mean,
            std=std,
        )
    except ValidationError as error:
        raise BundleInvalid(f"{where}: {first_reason(error)}.") from error


def _read(path: Path) -> dict[str, Any]:
    for name in _NAMES:
        if (path / name).is_file():
            told = read_json(path / name)
            inner = told.get("image_processor", told)
            return inner if isinstance(inner, dict) else {}
    raise BundleInvalid(f"{path} does not say how photos are prepared: {_NAMES[0]} is missing.")


def _shorter(size: Any) -> int | None:
    """The pixels of the shorter side; None where both sides are given, so that photos are stretched."""
    if isinstance(size, int):
        return size
    found = size.get("shortest_edge") if isinstance(size, dict) else None
    return found if isinstance(found, int) else None


def _square(size: Any) -> int | None:
    if isinstance(size, int):
        return size
    height, width = (size.get("height"), size.get("width")) if isinstance(size, dict) else (None, None)
    return height if isinstance(height, int) and height == width else None
