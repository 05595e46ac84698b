"""Pictures drawn for printed products: mugs, bags, and the marks on parts."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from PIL import Image, ImageDraw

from .model import seeded

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


def fox(width: int, height: int, ground: str, ink: str) -> Image.Image:
    """A fox's face between grasses, once on either side."""
    image, pen = canvas(width, height, ground)
    for middle in (0.25, 0.75):
        x, y, s = middle * image.width, 0.5 * image.height, 0.36 * image.height
        for side in (-1, 1):
            for k in range(3):
                root = x + side * s * (1.3 + 0.17 * k)
                pen.polygon(_blade(root, y + 0.95 * s, s * (0.9 - 0.2 * k), side * 0.2 * (k - 0.6)), fill="#6d7f63")
        _fox(pen, x, y, s, ink)
    return done(image)


def _fox(pen: ImageDraw.ImageDraw, x: float, y: float, s: float, ink: str) -> None:
    dark = "#33261f"

    def shape(points: list[tuple[float, float]], fill: str) -> None:
        pen.polygon([(x + a * s, y + b * s) for a, b in points], fill=fill)

    def disc(dx: float, dy: float, r: float) -> None:
        pen.ellipse((x + (dx - r) * s, y + (dy - r) * s, x + (dx + r) * s, y + (dy + r) * s), fill=dark)

    shape([(-1.05, 0.05), (-0.62, -0.5), (0.62, -0.5), (1.05, 0.05), (0.1, 0.95), (-0.1, 0.95)], ink)
    for side in (-1, 1):
        shape([(0.2 * side, -0.5), (0.82 * side, -1.0), (0.92 * side, -0.1)], ink)
        shape([(0.48 * side, -0.52), (0.76 * side, -0.8), (0.78 * side, -0.4)], dark)
        shape([(1.05 * side, 0.05), (0.35 * side, 0.08), (0.08 * side, 0.7), (0.1 * side, 0.95)], "#f6f1e8")
        disc(0.4 * side, -0.08, 0.095)
    disc(0, 0.88, 0.13)


def fern(width: int, height: int, ground: str, ink: str) -> Image.Image:
    """Fern fronds growing up from the foot, all round."""
    image, pen = canvas(width, height, ground)
    count = 9
    for k in range(count):
        length = image.height * (0.86, 0.66, 0.78)[k % 3]
        _frond(pen, ((k + 0.5) / count * image.width, image.height), length, (0.1, -0.14, 0.02)[k % 3], ink)
    return done(image)


def _frond(pen: ImageDraw.ImageDraw, root: tuple[float, float], length: float, lean: float, ink: str) -> None:
    stem = []
    for k in range(25):
        t = k / 24
        stem.append((root[0] + length * lean * t * t * 1.6, root[1] - length * t))
    pen.line(stem, fill=ink, width=max(2, int(length * 0.014)), joint="curve")
    for k in range(4, 25, 2):
        t = k / 24
        size = length * 0.19 * (1 - t) ** 0.75 + length * 0.05
        for side in (-1, 1):
            pen.polygon(_blade(*stem[k], size, side * math.radians(62 - 14 * t) + lean), fill=ink)


def hearts(width: int, height: int, ground: str, ink: str) -> Image.Image:
    """Hearts in offset rows, every third only an outline."""
    image, pen = canvas(width, height, ground)
    step = image.width / 12
    for row in range(4):
        for k in range(13):
            x, y = (k + 0.5 * (row % 2)) * step, image.height * (0.16 + row * 0.225)
            pen.polygon(_heart(x, y, step * 0.3), fill=ink)
            if (k + row) % 3 == 0:
                pen.polygon(_heart(x, y, step * 0.2), fill=ground)
    return done(image)


def _heart(x: float, y: float, s: float) -> list[tuple[float, float]]:
    out = []
    for k in range(60):
        t = k / 60 * 2 * math.pi
        across = math.sin(t) ** 3
        up = (13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)) / 16
        out.append((x + s * across, y - s * up))
    return out


def marking(width: int, height: int, ground: str, ink: str, lines: int = 3) -> Image.Image:
    """Small print of a part: lines of strokes that only look like letters."""
    image, pen = canvas(width, height, ground)
    strokes = seeded("marking", str(lines))
    step = image.height / (lines + 0.4)
    tall = step * 0.6
    for row in range(lines):
        y = step * (0.3 + row)
        for k in range((9, 7, 11, 6)[row % 4]):
            x = tall * (0.4 + 0.78 * k)
            bars = [((0, 0), (0, 1)), ((0, 0), (1, 0)), ((1, 0), (1, 1)), ((0, 1), (1, 1)), ((0, 0.5), (1, 0.5))]
            for a, b in strokes.sample(bars, strokes.choice((2, 3, 3, 4))):
                ends = [(x + p[0] * tall * 0.5, y + p[1] * tall) for p in (a, b)]
                pen.line(ends, fill=ink, width=max(2, int(tall * 0.13)))
    return done(image)


def bicycle(width: int, height: int, ground: str, ink: str) -> Image.Image:
    """A town bicycle seen from the side."""
    image, pen = canvas(width, height, ground)
    s, x0, y0 = image.width * 0.0073, image.width * 0.49, image.height * 0.53

    def at(x: float, y: float) -> tuple[float, float]:
        return (x0 + x * s, y0 + y * s)

    def line(*points: tuple[float, float], width: float = 2.2) -> None:
        pen.line([at(*p) for p in points], fill=ink, width=int(width * s), joint="curve")
        for p in (points[0], points[-1]):
            _disc(pen, at(*p), width * s / 2, ink)

    crank, saddle, head, rear, front = (-5.0, 18.0), (-15.0, -18.0), (23.0, -17.0), (-32.0, 16.0), (33.0, 16.0)
    for hub in (rear, front):
        (x, y), r = at(*hub), 22 * s
        pen.ellipse((x - r, y - r, x + r, y + r), outline=ink, width=int(2.6 * s))
        for k in range(12):
            a = math.pi * k / 6
            pen.line([(x, y), (x + 21 * s * math.cos(a), y + 21 * s * math.sin(a))], fill=ink, width=int(0.5 * s))
        _disc(pen, (x, y), 2.4 * s, ink)
    line(rear, crank, head, saddle, rear)
    line(crank, (-17.0, -25.0))
    line((20.0, -28.0), head, (25.5, -7.0), front)
    line((20.0, -28.0), (24.0, -32.0), (17.0, -33.5), (10.0, -31.0), width=2.0)
    line((-25.0, -26.0), (-17.0, -26.5), (-9.0, -25.0), width=4.2)
    _disc(pen, at(*crank), 5.2 * s, ink)
    _disc(pen, at(*crank), 2.4 * s, ground)
    line(crank, (2.0, 25.0), width=1.6)
    line((-1.5, 25.5), (6.0, 25.5), width=2.0)
    for x, y in ((38.0, -29.0), (38.0, -16.0)):
        line((28.0, y), (x + 12, y), width=1.4)
    line((28.0, -29.0), (31.0, -12.0), (47.0, -12.0), (50.0, -29.0), width=1.4)
    return done(image)


def _disc(pen: ImageDraw.ImageDraw, at: tuple[float, float], r: float, fill: str) -> None:
    pen.ellipse((at[0] - r, at[1] - r, at[0] + r, at[1] + r), fill=fill)


def sunburst(width: int, height: int, ground: str, ink: str) -> Image.Image:
    """Half a sun on the horizon, long and short rays fanned above it."""
    image, pen = canvas(width, height, ground)
    x, y, r = image.width * 0.5, image.height * 0.66, image.width * 0.13
    rays = 15
    for k in range(rays):
        a = math.pi * (k + 0.5) / rays
        far = image.width * (0.39 if k % 2 == 0 else 0.29)
        spread = math.pi / rays * 0.3
        points = [(1.3 * r, -0.5), (far, -1.0), (far * 1.02, 0.0), (far, 1.0), (1.3 * r, 0.5)]
        pen.polygon([(x - d * math.cos(a + q * spread), y - d * math.sin(a + q * spread)) for d, q in points], fill=ink)
    pen.pieslice((x - r, y - r, x + r, y + r), 180, 360, fill=ink)
    for k, half in enumerate((0.39, 0.27, 0.14)):
        low = y + image.height * (0.025 + 0.038 * k)
        box = (x - half * image.width, low, x + half * image.width, low + image.height * 0.013)
        pen.rounded_rectangle(box, image.height * 0.006, fill=ink)
    return done(image)


def _blend(a: str, b: str, part: float) -> str:
    """A colour between two."""
    pairs = ((int(a[i : i + 2], 16), int(b[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(p + (q - p) * part):02x}" for p, q in pairs)


def ticking(width: int, height: int, ground: str, ink: str) -> Image.Image:
    """Upright woven stripes: a broad one between two fine ones."""
    image, pen = canvas(width, height, ground)
    step = image.width / 8
    for k in range(8):
        for start, end in ((0.3, 0.62), (0.16, 0.21), (0.71, 0.76)):
            pen.rectangle(((k + start) * step, 0, (k + end) * step, image.height), fill=ink)
    return done(image)


def gingham(width: int, height: int, ground: str, ink: str) -> Image.Image:
    """Two crossed sets of stripes, darkest where both meet."""
    image, pen = canvas(width, height, ground)
    count = 11
    step = image.width / count
    for row in range(count):
        for k in range(count):
            tone = (row % 2 + k % 2) / 2
            box = (k * step, row * step, (k + 1) * step, (row + 1) * step)
            pen.rectangle(box, fill=_blend(ground, ink, tone * (0.9 if tone < 1 else 1.0)))
    return done(image)


def melange(width: int, height: int, ground: str, ink: str) -> Image.Image:
    """One colour of yarn, its threads a little lighter and darker."""
    image, pen = canvas(width, height, ground)
    dice = random.Random(7)
    for _ in range(2600):
        x, y = dice.random() * image.width, dice.random() * image.height
        length, thick = image.width * dice.uniform(0.02, 0.09), SCALE * 2
        tone = _blend(ground, ink if dice.random() < 0.6 else "#ffffff", dice.uniform(0.05, 0.3))
        upright = dice.random() < 0.4
        pen.rectangle((x, y, x + (thick if upright else length), y + (length if upright else thick)), fill=tone)
    return done(image)


def zigzag(width: int, height: int, ground: str, ink: str) -> Image.Image:
    """Rows of chevrons, right across."""
    image, pen = canvas(width, height, ground)
    step, rise = image.width / 10, image.height / 18
    for row in range(-1, 11):
        y = row * image.height / 9.5
        crest = [(k * step, y + (rise if k % 2 else 0)) for k in range(11)]
        band = image.height / 19
        pen.polygon([*crest, *((x, z + band) for x, z in reversed(crest))], fill=ink)
    return done(image)


MOTIFS: dict[str, Callable[[int, int, str, str], Image.Image]] = {
    "stripes": stripes,
    "dots": dots,
    "owl": owl,
    "fox": fox,
    "fern": fern,
    "hearts": hearts,
    "bicycle": bicycle,
    "sunburst": sunburst,
    "ticking": ticking,
    "gingham": gingham,
    "melange": melange,
    "zigzag": zigzag,
    "leaf": leaf,
    "waves": waves,
    "sleeve": sleeve,
}
