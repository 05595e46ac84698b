"""Mugs, bottles, table lamps and bags."""

from __future__ import annotations

import math
from collections.abc import Callable

from . import materials, mesh
from .model import Kind, Object, Pose, Shape, register
from .motifs import MOTIFS


def mug(shape: Shape) -> list[Object]:
    """A straight glazed mug with a printed outside and a handle at +x."""
    r, h, wall = shape["radius"], shape["height"], 3.6
    picture = MOTIFS[shape["motif"]](1024, 360, shape["ground"], shape["ink"])
    print_ = materials.printed("print", picture, rough=0.22, coat=0.6)
    glaze = materials.plain("glaze", shape["inside"], rough=0.2, coat=0.6)
    # The print stops a little below the rim, where the plain glaze takes over.
    low, top = h * 0.06, h * 0.94
    outside = mesh.lathe("outside", [(r, low), (r, top)], print_, smooth=60)
    profile = [(0.0, 0.0), (r - 6, 0.0), (r - 5.2, 1.6), (r, low + 1.2), (r, low)]
    foot = mesh.lathe("foot", mesh.fillet(profile, 4), glaze, smooth=60)
    lip = [(r, top), (r, h), (r - wall, h), (r - wall, wall * 1.6), (0.0, wall * 1.6)]
    rim = mesh.lathe("rim", mesh.fillet(lip, 9), glaze, smooth=60)
    return [outside, foot, rim, _handle(r, h, shape, glaze)]


def _handle(r: float, h: float, shape: Shape, glaze: object) -> Object:
    reach = shape.get("reach", 34.0)
    path = mesh.bezier((r - 2, 0, h * 0.8), (r + reach, 0, h * 0.92), (r + reach, 0, h * 0.1), (r - 2, 0, h * 0.22))
    return mesh.tube("handle", path, 6.4, glaze, flat=0.62)


def bottle(shape: Shape) -> list[Object]:
    """An insulated steel bottle: powder-coated body, bare neck, screw lid."""
    r, h = shape["radius"], shape["height"]
    coat = materials.plain("coat", shape["colour"], rough=0.42)
    steel = materials.metal("steel", "c9c9c6", rough=0.25, grain=1.0)
    lid = materials.plain("lid", shape["lid"], rough=0.4)
    neck, shoulder = r * 0.62, h * 0.74
    body = [(0.0, 1.0), (r * 0.93, 1.0), (r, 9.0), (r, shoulder)]
    body += [(neck + 1.5, h * 0.845), (neck + 1.5, h * 0.86), (neck - 1, h * 0.86)]
    base = [(0.0, 0.0), (r * 0.9, 0.0), (r * 0.955, 4.0), (r * 0.9, 8.0)]
    ring = [(neck - 1, h * 0.855), (neck, h * 0.86), (neck, h * 0.885), (neck - 1, h * 0.89)]
    cap = [(neck - 2, h * 0.885), (neck + 2, h * 0.885), (neck + 2, h), (0.0, h)]
    loop = mesh.bezier(
        (-neck * 0.8, 0, h * 0.985), (-neck, 0, h * 1.09), (neck, 0, h * 1.09), (neck * 0.8, 0, h * 0.985)
    )
    return [
        mesh.lathe("body", mesh.fillet(body, r * 0.45), coat, smooth=50),
        mesh.lathe("base", mesh.fillet(base, 3), steel, smooth=50),
        mesh.lathe("ring", ring, steel),
        mesh.lathe("cap", mesh.fillet(cap, 3), lid, smooth=45),
        mesh.tube("loop", loop, 4.2, lid, flat=1.5),
    ]


def lamp(shape: Shape) -> list[Object]:
    """A table lamp: turned foot, stem, cloth shade."""
    h, r = shape["height"], shape["shade_radius"]
    wood = materials.wood("beech", "c49a6c", "a0764c", 9.0, axis=2)
    brass = materials.metal("brass", "c8a35a", rough=0.22)
    cloth = materials.lampshade("cloth", shape["colour"], shape.get("glow", 0.0))
    low, top = h * 0.56, h * 0.97
    upper = r * shape["taper"]
    shade = [(r, low), (upper, top), (upper - 1.2, top), (r - 1.2, low)]
    edge = [(r + 0.6, low - 1), (r + 0.6, low + 3), (r - 1.5, low + 3), (r - 1.5, low - 1)]
    crown = [(upper + 0.6, top - 3), (upper + 0.6, top + 1), (upper - 1.5, top + 1)]
    parts = [
        mesh.lathe("shade", shade, cloth, smooth=60),
        mesh.lathe("hem", edge, materials.weave("hem", shape["colour"], 1.2)),
        mesh.lathe("crown", crown, materials.weave("crown", shape["colour"], 1.2)),
        mesh.lathe("socket", [(0, low), (13, low), (13, low + 40), (0, low + 40)], brass),
    ]
    parts.append(mesh.lathe("bulb", _ball(0, low + 70, 26), materials.plain("bulb", "fff6e6", 0.3)))
    foot = {"ball": _ball_foot, "rod": _rod_foot}[shape["foot"]](h)
    parts.append(mesh.lathe("foot", foot, wood if shape["foot"] == "ball" else brass, smooth=50))
    return parts


def _ball(x: float, z: float, r: float) -> list[mesh.Point]:
    steps = [math.pi * (k / 24 - 0.5) for k in range(25)]
    return [(x + r * math.cos(a), z + r * math.sin(a)) for a in steps]


def _ball_foot(h: float) -> list[mesh.Point]:
    profile = mesh.fillet([(0.0, 0.0), (58, 0.0), (58, 11), (20, 19), (12, 30)], 4)
    for z, r in ((0.17, 44), (0.345, 33), (0.475, 22)):
        arc = [math.pi * (k / 20 - 0.5) for k in range(2, 19)]
        profile += [(r * math.cos(a) * 0.98 + 1, z * h + r * math.sin(a)) for a in arc]
    return [*profile, (9, h * 0.54), (9, h * 0.6), (0, h * 0.6)]


def _rod_foot(h: float) -> list[mesh.Point]:
    return mesh.fillet(
        [(0.0, 0.0), (66, 0.0), (66, 9), (14, 13), (6, 22), (6, h * 0.57), (13, h * 0.58), (0, h * 0.6)], 3
    )


def tote(shape: Shape) -> list[Object]:
    """A cotton bag standing a little open, two long handles, a print in front."""
    w, h = shape["width"], shape["height"]
    picture = MOTIFS[shape["motif"]](760, 840, shape["ground"], shape["ink"])
    print_ = materials.printed("print", picture, rough=0.93, thread=0.006)
    cloth = materials.weave("cotton", shape["ground"].lstrip("#"), 1.6)

    def face(side: int) -> Callable[[float, float], mesh.Vec]:
        def point(u: float, v: float) -> mesh.Vec:
            open_ = 16 + 34 * math.sin(math.pi * u) * (0.35 + 0.65 * v)
            fold = 3.0 * math.sin(5 * u + 3 * v + side) * math.sin(9 * v + 1.7 * u)
            fold += 1.6 * math.sin(17 * u - 6 * v)
            pinch = 1 - 0.05 * math.sin(math.pi * v * 0.9)
            squash = (1 - (1 - v) ** 6) if v < 1 else 1.0
            x = (u - 0.5) * w * pinch
            y = side * (open_ * (0.25 + 0.75 * squash) * math.sin(math.pi * u) ** 0.6 + fold * squash)
            return (x, y, v * h + 4 * math.sin(math.pi * u) * (v - 0.5) * side)

        return point

    parts = [
        mesh.sheet("front", face(-1), (72, 72), 1.4, print_),
        mesh.sheet("back", face(1), (72, 72), 1.4, cloth),
    ]
    return parts + [_strap(w, h, side, face(side), cloth) for side in (-1, 1)]


def _strap(w: float, h: float, side: int, face: Callable[[float, float], mesh.Vec], cloth: object) -> Object:
    a, b = face(0.27, 0.93), face(0.73, 0.93)
    rise = h * 0.6 if side < 0 else h * 0.53
    path = mesh.bezier(
        (a[0], a[1] + side * 2, a[2]),
        (a[0] + w * 0.02, a[1] * 0.6, a[2] + rise),
        (b[0] - w * 0.02, b[1] * 0.6, b[2] + rise),
        (b[0], b[1] + side * 2, b[2]),
        steps=48,
    )

    def point(u: float, v: float) -> mesh.Vec:
        x, y, z = path[round(u * 48)]
        slope = math.pi * (u - 0.5)  # the band lies flat, its width turns with the arch
        return (x + (v - 0.5) * 24 * math.cos(slope) * 0.9, y, z + (v - 0.5) * 24 * math.sin(slope) * 0.9)

    return mesh.sheet("strap", point, (48, 4), 2.2, cloth)


register(
    Kind(
        "mug",
        mug,
        poses=(Pose((0, 0, 25)), Pose((0, 0, -25)), Pose((0, 0, 155))),
        azimuth=(-30, 30),
        elevation=(12, 36),
    )
)
register(
    Kind(
        "bottle",
        bottle,
        poses=(Pose(), Pose(), Pose((0, 90, 0), tip=True)),
        elevation=(6, 26),
        extras=("pair", "box"),
        spacing=1.3,
    )
)
register(
    Kind(
        "table lamp",
        lamp,
        elevation=(4, 20),
        extras=("pair", "box"),
        spacing=1.15,
    )
)
register(
    Kind(
        "tote bag",
        tote,
        azimuth=(-32, 32),
        elevation=(6, 24),
        extras=("pair",),
    )
)
