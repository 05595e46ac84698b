"""Electronic parts: capacitors and resistors."""

from __future__ import annotations

import math

from .. import materials, mesh
from ..model import Kind, Object, Pose, Shape, register
from ..motifs import MOTIFS

BANDS = {
    "black": "151515",
    "brown": "5f3318",
    "red": "b3221c",
    "orange": "d9661c",
    "yellow": "e2bd22",
    "green": "2f7d3c",
    "blue": "2b4fa3",
    "violet": "6b3f8f",
    "grey": "808080",
    "white": "eeeeee",
    "gold": "b38a3c",
}


def capacitor(shape: Shape) -> list[Object]:
    """A radial electrolytic capacitor: sleeved can, scored top, two leads."""
    r, h, lead = shape["radius"], shape["height"], shape["lead"]
    picture = MOTIFS["sleeve"](640, 420, shape["ground"], shape["ink"])
    wrap = materials.printed("wrap", picture, rough=0.32, coat=0.2)
    tin = materials.metal("tin", "cfcfcd", rough=0.25)
    z0 = lead
    can = [(r * 0.86, 0.0), (r, 0.35), (r, 0.9), (r * 0.965, 1.15), (r, 1.45)]
    can += [(r, h - 0.4), (r * 0.93, h), (r * 0.84, h + 0.02)]
    top = [(r * 0.86, h - 0.05), (r * 0.8, h - 0.12), (0.0, h - 0.12)]
    seal = [(0.0, 0.25), (r * 0.9, 0.25)]
    rubber = materials.plain("rubber", "202020", rough=0.7)
    parts = []
    for name, profile, skin in (("can", can, wrap), ("top", top, tin), ("seal", seal, rubber)):
        parts.append(mesh.lathe(name, [(a, z + z0) for a, z in profile], skin, smooth=50))
    for turn in (0.0, math.pi / 2):
        groove = mesh.box("score", (r * 1.45, 0.14, 0.02), (0, 0, z0 + h - 0.125), rubber, 0.005)
        groove.rotation_euler = (0, 0, turn)
        parts.append(groove)
    for side, cut in ((-1, 0.0), (1, lead * 0.16)):
        x = side * shape["spacing"] / 2
        path = [(x, 0, cut), (x, 0, z0 / 2), (x, 0, z0 + 0.4)]
        parts.append(mesh.tube("lead", path, 0.25, tin))
    return parts


def resistor(shape: Shape) -> list[Object]:
    """An axial resistor along z: dog-bone body with colour bands."""
    length: float = shape["length"]
    r: float = shape["radius"]
    paint = materials.plain("paint", shape["colour"], rough=0.35, coat=0.4)
    tin = materials.metal("tin", "d0cfcc", rough=0.25)
    lead = shape["lead"]

    def radius(t: float) -> float:
        """The body's outline: thicker ends, closed round."""
        swell = r * (0.86 + 0.14 * (math.exp(-(((t - 0.16) / 0.1) ** 2)) + math.exp(-(((t - 0.84) / 0.1) ** 2))))
        end = min(t, 1 - t) / 0.09
        return swell * math.sqrt(max(0.0, 1 - (1 - end) ** 2)) if end < 1 else swell

    def stretch(a: float, b: float, extra: float) -> list[mesh.Point]:
        ts = [a + (b - a) * k / 24 for k in range(25)]
        return [(radius(t) + extra, lead + t * length) for t in ts]

    parts = [mesh.lathe("body", stretch(0.0, 1.0, 0.0), paint, smooth=60)]
    for at, colour in zip((0.16, 0.34, 0.5, 0.84), shape["bands"], strict=True):
        ink = materials.plain(colour, BANDS[colour], rough=0.3, coat=0.4)
        parts.append(mesh.lathe("band", stretch(at - 0.042, at + 0.042, 0.015), ink, smooth=60))
    for a, b in ((0.0, lead + 0.3), (lead + length - 0.3, 2 * lead + length)):
        parts.append(mesh.tube("lead", [(0, 0, a), (0, 0, (a + b) / 2), (0, 0, b)], 0.28, tin))
    return parts


register(
    Kind(
        "electrolytic capacitor",
        capacitor,
        poses=(Pose((0, 90, 0), tip=True), Pose((0, 90, 0), tip=True), Pose((180, 0, 0))),
        azimuth=(-60, 60),
        elevation=(22, 50),
        spacing=1.35,
    )
)
register(
    Kind(
        "resistor",
        resistor,
        poses=(Pose((0, 90, 0), tip=True),),
        azimuth=(-50, 50),
        elevation=(30, 65),
        spacing=1.5,
    )
)
