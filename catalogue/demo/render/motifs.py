"""Pictures drawn for printed products: mugs, bags, and the marks on parts."""

from __future__ import annotations

import math
from collections.abc import Callable

from PIL import Image, ImageDraw

Canvas = tuple[Image.Image, ImageDraw.ImageDraw]
SCALE = 2  # drawn larger and scaled down, so that edges are smooth


def canvas(width: int, height: int, ground: str) -> Canvas:
    """An empty picture and its pen."""
    image = Image.new("RGB", (width * SCALE, height * SCALE), ground)
    return image, ImageDraw.Draw(image)


def done(image: Image.Image) -> Image.Image:
    """Scale a finished drawing down."""
    return image.resize((image.width // SCALE, image.height // SCALE), Image.Resampling.LANCZOS)


def stripes(width: int, height: int, ground: str, ink: str) -> Image.Image:
    """Bands of changing width round the body."""
    image, pen = canvas(width, height, ground)
    for start, end in ((0.2, 0.27), (0.33, 0.36), (0.42, 0.55), (0.61, 0.64), (0.7, 0.77)):
        box = (0, int(start * image.height), image.width, int(end * image.height))
        pen.rectangle(box, fill=ink)
    return done(image)


def dots(width: int, height: int, ground: str, ink: str) -> Image.Image:
    """Polka dots in offset rows."""
    image, pen = canvas(width, height, ground)
    step = image.width / 16
    for row in range(1, 6):
        for k in range(17):
            x = (k + 0.5 * (row % 2)) * step
            y = image.height * (0.08 + row * 0.145)
            r = step * 0.27
            pen.ellipse((x - r, y - r, x + r, y + r), fill=ink)
    return done(image)


def owl(width: int, height: int, ground: str, ink: str) -> Image.Image:
    """An owl on a branch, once on either side."""
    image, pen = canvas(width, height, ground)
    for middle in (0.25, 0.75):
        _owl(pen, middle * image.width, 0.5 * image.height, 0.34 * image.height, ground, ink)
    return done(image)


def _owl(pen: ImageDraw.ImageDraw, x: float, y: float, s: float, ground: str, ink: str) -> None:
    def disc(dx: float, dy: float, rx: float, ry: float, fill: str) -> None:
        box = (x + (dx - rx) * s, y + (dy - ry) * s, x + (dx + rx) * s, y + (dy + ry) * s)
        pen.ellipse(box, fill=fill)

    disc(0, 0.12, 0.62, 0.85, ink)
    for side in (-1, 1):
        ear = [(0.62 * side, -0.98), (0.1 * side, -0.6), (0.55 * side, -0.3)]
        pen.polygon([(x + a * s, y + b * s) for a, b in ear], fill=ink)
        disc(0.29 * side, -0.36, 0.27, 0.27, ground)
        disc(0.29 * side, -0.36, 0.13, 0.13, ink)
    beak = [(-0.1, -0.2), (0.1, -0.2), (0, 0.02)]
    pen.polygon([(x + a * s, y + b * s) for a, b in beak], fill="#d98e32")
    for row in range(3):
        for k in range(-1, 2):
            a, b = k * 0.28 + (row % 2) * 0.14, 0.22 + row * 0.2
            disc(a, b, 0.1, 0.07, ground)
    pen.rounded_rectangle((x - s, y + 0.92 * s, x + s, y + 1.02 * s), 8, fill="#7a5a3c")


def leaf(width: int, height: int, ground: str, ink: str) -> Image.Image:
    """A twig with paired leaves."""
    image, pen = canvas(width, height, ground)
    w, h = image.width, image.height
    pen.line([(w * 0.5, h * 0.86), (w * 0.5, h * 0.22)], fill=ink, width=w // 70)
    for k in range(5):
        y = h * (0.76 - k * 0.115)
        size = w * (0.24 - 0.022 * k)
        for side in (-1, 1):
            pen.polygon(_blade(w * 0.5, y, size, side * math.radians(52)), fill=ink)
    pen.polygon(_blade(w * 0.5, h * 0.25, w * 0.14, 0.0), fill=ink)
    return done(image)


def _blade(x: float, y: float, size: float, turn: float) -> list[tuple[float, float]]:
    out = []
    for k in range(41):
        t = k / 40 * 2
        along = t if t <= 1 else 2 - t
        across = 0.2 * math.sin(math.pi * along**0.8) * (1 if t <= 1 else -1)
        a, b = across * size, along * size
        out.append(
            (
                x + a * math.cos(turn) + b * math.sin(turn),
                y + a * math.sin(turn) - b * math.cos(turn),
            )
        )
    return out


def waves(width: int, height: int, ground: str, ink: str) -> Image.Image:
    """Rows of rolling waves under a sun."""
    image, pen = canvas(width, height, ground)
    w, h = image.width, image.height
    pen.ellipse((w * 0.38, h * 0.2, w * 0.62, h * 0.2 + w * 0.24), fill=ink)
    for row in range(5):
        y = h * (0.5 + row * 0.085)
        points = [
            (w * (0.14 + 0.72 * t / 80), y + h * 0.022 * math.sin(t / 80 * 8 * math.pi + row * 1.6)) for t in range(81)
        ]
        pen.line(points, fill=ink, width=int(w * 0.024), joint="curve")
    return done(image)


def sleeve(width: int, height: int, ground: str, ink: str) -> Image.Image:
    """The wrap of a capacitor: a light stripe with minus signs, small print."""
    image, pen = canvas(width, height, ground)
    w, h = image.width, image.height
    pen.rectangle((w * 0.42, 0, w * 0.58, h), fill=ink)
    for k in range(4):
        y = h * (0.18 + k * 0.2)
        pen.rectangle((w * 0.47, y, w * 0.53, y + h * 0.06), fill=ground)
    for k in range(5):
        length = (0.1, 0.07, 0.12, 0.06, 0.09)[k]
        pen.rectangle((w * 0.78, h * (0.25 + k * 0.1), w * (0.78 + length), h * (0.29 + k * 0.1)), fill=ink)
    return done(image)


MOTIFS: dict[str, Callable[[int, int, str, str], Image.Image]] = {
    "stripes": stripes,
    "dots": dots,
    "owl": owl,
    "leaf": leaf,
    "waves": waves,
    "sleeve": sleeve,
}
