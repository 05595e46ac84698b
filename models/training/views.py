"""Other looks at the same photo: another crop, light, colours, background."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from models.preprocessing import Pixels
from models.training.config import ViewConfig

MEAN: Final = 127 / 255
STD: Final = 128 / 255
_TO_YIQ: Final = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_FROM_YIQ: Final = np.linalg.inv(_TO_YIQ)


def plain_photos(photos: Sequence[Pixels], side: int, device: torch.device) -> Tensor:
    """Photos as the encoder takes them, without any change, float32 [n, 3, side, side]."""
    pixels = _floats(torch.from_numpy(np.stack(photos)), device)
    if pixels.shape[-1] != side:
        pixels = functional.interpolate(pixels, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    return _normalised(pixels)


@dataclass(frozen=True, slots=True)
class Looks:
    """Photos, uint8 [n, from, from, 3], and how each is changed: drawn on the CPU, done on the device that trains."""

    photos: Tensor
    turn: Tensor
    """Which part of the photo, and whether mirrored, [n, 2, 3]."""
    backgrounds: Tensor
    """The colour behind it [n, 3], negative where it stays."""
    matrix: Tensor
    shift: Tensor
    """What becomes of its colours: [n, 3, 3] and [n]."""


def draw_looks(
    photos: Sequence[Pixels], recolour: NDArray[np.bool_], config: ViewConfig, random: np.random.Generator
) -> Looks:
    """Draw how photos are changed; `recolour` [n]: which get other colours. Only what JPEG does is done already."""
    spoiled = [_jpeg(photo, random) if random.random() < config.jpeg else photo for photo in photos]
    turn = _crops(len(photos), config, random)
    backgrounds = random.uniform(0.3, 1, (len(photos), 3)).astype(np.float32)
    backgrounds[random.random(len(photos)) >= config.background] = -1
    matrix, shift = _colour_changes(recolour, config, random)
    return Looks(torch.from_numpy(np.stack(spoiled)), turn, torch.from_numpy(backgrounds), matrix, shift)


def apply_looks(looks: Looks, side: int, device: torch.device) -> Tensor:
    """Photos cropped, mirrored, lit otherwise, as the encoder takes them, float32 [n, 3, side, side]."""
    return _normalised(look_at(looks, side, device))


def look_at(looks: Looks, side: int, device: torch.device) -> Tensor:
    """Photos cropped, mirrored, lit otherwise, float32 [n, 3, side, side] of 0..1."""
    pixels = _floats(looks.photos, device)
    # one sampling from the source: a part of it, perhaps mirrored
    grid = functional.affine_grid(looks.turn.to(device), [len(pixels), 3, side, side], align_corners=False)
    pixels = functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)
    pixels = _other_background(pixels, looks.backgrounds.to(device))
    matrix, shift = looks.matrix.to(device), looks.shift.to(device)
    pixels = torch.einsum("nij,njhw->nihw", matrix, pixels) + shift[:, None, None, None]
    return pixels.clamp(0, 1)


def _floats(photos: Tensor, device: torch.device) -> Tensor:
    return photos.to(device).permute(0, 3, 1, 2).float().div_(255)


def _normalised(pixels: Tensor) -> Tensor:
    return ((pixels - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def _jpeg(photo: Pixels, random: np.random.Generator) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=int(random.integers(30, 80)))
    return np.asarray(Image.open(file), dtype=np.uint8)


def _crops(count: int, config: ViewConfig, random: np.random.Generator) -> Tensor:
    area = random.uniform(config.crop, 1, count)
    stretch = np.exp(random.uniform(-1, 1, count) * np.log(config.aspect))
    width, height = np.minimum(1, np.sqrt(area * stretch)), np.minimum(1, np.sqrt(area / stretch))
    x, y = random.uniform(-1, 1, count) * (1 - width), random.uniform(-1, 1, count) * (1 - height)
    mirrored = np.where(random.random(count) < config.flip, -1.0, 1.0)
    turn = np.zeros((count, 2, 3), dtype=np.float32)
    turn[:, 0, 0], turn[:, 0, 2] = width * mirrored, x
    turn[:, 1, 1], turn[:, 1, 2] = height, y
    return torch.from_numpy(turn)


def _other_background(pixels: Tensor, backgrounds: Tensor) -> Tensor:
    """Another plain colour where the photo is nearly white."""
    white = ((pixels.amin(dim=1, keepdim=True) - 0.86) / 0.08).clamp(0, 1)
    white = white * (backgrounds[:, :1, None, None] >= 0)
    return pixels * (1 - white) + backgrounds[:, :, None, None] * white


def _colour_changes(
    recolour: NDArray[np.bool_], config: ViewConfig, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """A matrix [n, 3, 3] and a shift [n] for each photo's colours: what light does, or another colourway."""
    count = len(recolour)
    brightness, contrast, saturation = 1 + random.uniform(-config.jitter, config.jitter, (3, count))
    saturation[random.random(count) < config.grey] = 0
    angle = random.uniform(-0.05, 0.05, count)
    pivot = np.full(count, 0.5)
    if strong := int(recolour.sum()):
        angle[recolour] = random.uniform(0.5, 2 * np.pi - 0.5, strong)
        saturation[recolour] = random.choice([0, 0.4, 1, 1.8], strong)
        contrast[recolour] = random.uniform(0.4, 1.4, strong)
        pivot[recolour] = random.uniform(0.2, 1, strong)
    turn = np.zeros((count, 3, 3))
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = np.cos(angle)
    turn[:, 2, 1] = np.sin(angle)
    turn[:, 1, 2] = -np.sin(angle)
    hue = _FROM_YIQ @ turn @ _TO_YIQ
    matrix = saturation[:, None, None] * hue + (1 - saturation[:, None, None]) * _TO_YIQ[0]  # its first row is grey
    matrix *= (brightness * contrast)[:, None, None]
    shift = pivot * (1 - contrast)
    return torch.from_numpy(matrix.astype(np.float32)), torch.from_numpy(shift.astype(np.float32))
