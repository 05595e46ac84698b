"""One listing's photo: which pose, backdrop, light, camera; then the darkroom."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from . import props, scene
from .model import KINDS, Kind, Listing, Object
from .shapes import electronics, fasteners, home, machine, tableware, textiles, tools
from .suppliers import SUPPLIERS, Supplier

DEPARTMENTS = (electronics, fasteners, home, machine, tableware, textiles, tools)  # importing them registers kinds
SIZE, SAMPLES = 320, 12


def take(listing: Listing, path: Path, clay: bool = False, size: int = SIZE, samples: int = SAMPLES) -> None:
    """Render a listing's photo and save it as a JPEG."""
    rng = listing.rng("photo")
    supplier, kind = SUPPLIERS[listing.supplier], KINDS[listing.style.kind]
    scene.reset(size, samples, rng.randrange(1 << 30))
    shown = arrange(listing, kind, supplier, rng)
    scene.BACKDROPS[pick(supplier.backdrops, rng)]()
    scene.light(rng.choice(supplier.rigs), rng)
    scene.aim(shown, shot_of(kind, supplier, rng))
    if clay:
        scene.clay()
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw.png"
        scene.shoot(raw, supplier.exposure + rng.uniform(-0.12, 0.12))
        develop(Image.open(raw).convert("RGB"), supplier, rng, path)


def pick(weights: Mapping[str, float], rng: random.Random) -> str:
    """Choose a name by weight."""
    return rng.choices(list(weights), list(weights.values()))[0]


def arrange(listing: Listing, kind: Kind, supplier: Supplier, rng: random.Random) -> list[Object]:
    """Build the product and what lies beside it; return what must be in view."""
    extra = ""
    for name, chance in supplier.extras.items():
        if name in kind.extras and not extra and rng.random() < chance:
            extra = name
    pose = rng.choice(list(kind.poses))
    things: list[Object] = []
    pieces: list[Object] = []
    for number in range(2 if extra == "pair" else 1):
        made = kind.build(listing.style.shape)
        piece = scene.group(made, "piece")
        scene.settle(piece, made, pose, rng.uniform(0, 6.28))
        if number:
            beside(piece, things, made, kind.spacing, rng)
        things += made
        pieces.append(piece)
    if extra in {"ruler", "box"}:
        added = add_prop(extra, things, rng)
        pieces.append(scene.group(added, extra))
        things += added
    scene.fit(things, pieces)
    return things


def beside(piece: Object, first: list[Object], second: list[Object], spacing: float, rng: random.Random) -> None:
    """Put a second piece next to the first, a little behind, slightly turned."""
    a, b = scene.points_of(first), scene.points_of(second)
    low, high = a.min(0), a.max(0)
    long_way = (high - low)[0] > 2.2 * (high - low)[1]
    # Long things lie parallel, one behind the other; others stand side by side.
    if long_way:
        piece.location.y += float(np.ptp(b[:, 1])) * spacing
        piece.location.x += float(np.ptp(b[:, 0])) * rng.uniform(-0.12, 0.12)
    else:
        side = rng.choice((-1, 1))
        piece.location.x += side * float(np.ptp(b[:, 0])) * spacing
        piece.location.y += float(np.ptp(b[:, 1])) * rng.uniform(0.1, 0.45)


def add_prop(name: str, things: list[Object], rng: random.Random) -> list[Object]:
    """Lay a rule in front of the product, or stand its carton behind."""
    cloud = scene.points_of(things)
    low, high = cloud.min(0), cloud.max(0)
    size = high - low
    if name == "ruler":
        added = props.ruler(float(size[0]))
        corner = (float(low[0]), float(low[1]) - 0.1 * float(max(size[0], size[1])), 0.0)
        turn = 0.0
    else:
        w, d, h = (float(v) for v in (size[0] * 1.1, max(size[1] * 1.1, size[0] * 0.4), size[2] * 1.06))
        h = max(h, 0.3 * w)
        added = props.carton(w, d, h)
        side = rng.choice((-1, 1))
        corner = (side * 0.55 * w, float(high[1]) + d * 0.75, 0.0)
        turn = rng.uniform(-0.25, 0.25)
    holder = scene.group(added, "prop")
    holder.location, holder.rotation_euler = corner, (0, 0, turn)
    return [holder, *added]


def shot_of(kind: Kind, supplier: Supplier, rng: random.Random) -> scene.Shot:
    """A camera within the kind's usual views and the supplier's habits."""
    careless = supplier.careless
    return scene.Shot(
        azimuth=rng.uniform(*kind.azimuth),
        elevation=rng.uniform(*kind.elevation),
        lens=rng.uniform(*supplier.lens),
        fill=rng.uniform(*supplier.fill),
        shift=(rng.uniform(-0.03, 0.03) * (1 + 3 * careless), rng.uniform(-0.03, 0.03) * (1 + careless)),
        roll=rng.gauss(0, 0.03) * careless,
        blur=supplier.blur,
    )


# --- the darkroom ----------------------------------------------------------


def develop(image: Image.Image, supplier: Supplier, rng: random.Random, path: Path) -> None:
    """Levels, warmth, watermark, JPEG."""
    pixels = np.asarray(image, dtype=np.float32)
    if supplier.whiten:
        edge = np.concatenate([pixels[:8].reshape(-1, 3), pixels[:, :8].reshape(-1, 3), pixels[:, -8:].reshape(-1, 3)])
        white = np.percentile(edge, 30, axis=0)
        # The paper goes to white and what is as bright as it; darker tones keep their distance from it.
        lift = np.clip((pixels - 0.55 * white) / (0.4 * white), 0, 1)
        pixels = pixels * (1 + lift * (np.minimum(253.0 / white, 1.6) - 1))
    warmth = supplier.warmth + rng.uniform(-0.015, 0.015)
    pixels = pixels * np.array([1 + warmth, 1.0, 1 - warmth], dtype=np.float32)
    grain = np.random.default_rng(rng.randrange(1 << 30)).normal(0, 0.8 + 1.6 * supplier.careless, pixels.shape)
    image = Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))
    if supplier.watermark:
        image = watermark(image, supplier, rng)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=84, optimize=True)


def watermark(image: Image.Image, supplier: Supplier, rng: random.Random) -> Image.Image:
    """The supplier's name: small in a corner, or pale across the picture."""
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(layer)
    dark = np.asarray(image.convert("L")).mean() < 110
    shade = (255, 255, 255) if dark else (30, 34, 40)
    if supplier.watermark == "corner":
        font = ImageFont.load_default(12)
        pen.text((image.width - 8, image.height - 7), supplier.name, (*shade, 150), font, anchor="rs")
    elif rng.random() < 0.6:
        font = ImageFont.load_default(30)
        pen.text((image.width / 2, image.height / 2), supplier.name, (*shade, 46), font, anchor="mm")
        layer = layer.rotate(24, resample=Image.Resampling.BICUBIC)
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")
