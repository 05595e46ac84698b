"""Lamps, chairs, bags."""

from __future__ import annotations

import math
from collections.abc import Callable

from .. import materials, mesh
from ..model import Kind, Object, Shape, register
from ..motifs import MOTIFS


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


def chair(shape: Shape) -> list[Object]:
    """A wooden dining chair; the styles differ in the back alone."""
    light, dark = shape["wood"]
    grain = materials.wood("grain", light, dark, 22.0, axis=2)
    seat_wood = materials.wood("seat wood", light, dark, 22.0, axis=1)
    seat_h, w, d = 450.0, 430.0, 420.0
    parts = [_seat(w, d, seat_h, seat_wood)]
    for sx in (-1, 1):
        parts.append(_leg((sx * 165, -150, seat_h - 24), (sx * 200, -195, 0), grain))
        parts.append(_leg((sx * 150, 150, seat_h - 24), (sx * 185, 215, 0), grain))
        low, high = (sx * 183, -172, 190), (sx * 167, 182, 190)
        parts.append(mesh.tube("rail", [low, high], 10, grain))
    parts.append(mesh.tube("rail", [(-175, 5, 190), (175, 5, 190)], 10, grain))
    backs = {"slats": _slat_back, "spindles": _spindle_back, "panel": _panel_back}
    return parts + backs[shape["back"]](seat_h, grain, seat_wood)


def _seat(w: float, d: float, top: float, wood: object) -> Object:
    def point(u: float, v: float) -> mesh.Vec:
        a, b = 2 * u - 1, 2 * v - 1
        # A square pushed towards a circle gives the rounded plan of a seat.
        x = a * math.sqrt(1 - 0.32 * b * b) * w / 2 * (1 - 0.05 * b)
        y = b * math.sqrt(1 - 0.32 * a * a) * d / 2
        dish = 13 * max(0.0, 1 - (a * a + b * b)) ** 0.8
        return (x * 1.06, y * 1.06, top - dish)

    return mesh.sheet("seat", point, (40, 40), 30, wood, edge=7)


def _leg(top: mesh.Vec, foot: mesh.Vec, wood: object) -> Object:
    path = [
        (
            top[0] + (foot[0] - top[0]) * t,
            top[1] + (foot[1] - top[1]) * t,
            top[2] + (foot[2] - top[2]) * t,
        )
        for t in (0.0, 0.3, 0.7, 1.0)
    ]
    return mesh.tube("leg", path, 19, wood, taper=[0.9, 1.0, 0.85, 0.62])


def _bow(x: float, z: float) -> mesh.Vec:
    """A point of the back: it leans with height and curves round the sitter."""
    lean = 175 + (z - 450) * 0.2
    return (x, lean + 42 * (1 - (x / 200) ** 2), z)


def _posts(seat_h: float, height: float, wood: object) -> list[Object]:
    return [
        mesh.tube(
            "post",
            [
                (sx * (168 + 10 * t), _bow(178, seat_h + t * height)[1], seat_h - 20 + t * height)
                for t in (0.0, 0.35, 0.7, 1.0)
            ],
            14,
            wood,
            taper=[1.1, 1.0, 0.95, 0.8],
        )
        for sx in (-1, 1)
    ]


def _band(low: float, high: float, half: float, thick: float, wood: object) -> Object:
    def point(u: float, v: float) -> mesh.Vec:
        return _bow((2 * u - 1) * half, low + v * (high - low))

    return mesh.sheet("band", point, (24, 8), thick, wood, edge=4)


def _slat_back(seat_h: float, wood: object, across: object) -> list[Object]:
    parts = _posts(seat_h, 390, wood)
    for z in (560, 660, 760):
        parts.append(_band(z, z + 58, 178, 13, across))
    return parts


def _spindle_back(seat_h: float, wood: object, across: object) -> list[Object]:
    parts = _posts(seat_h, 375, wood)
    parts.append(_band(770, 838, 196, 20, across))
    for k in range(-3, 4):
        foot = _bow(k * 42.0, seat_h - 12)
        head = _bow(k * 48.0, 790.0)
        middle = ((foot[0] + head[0]) / 2, (foot[1] + head[1]) / 2, (foot[2] + head[2]) / 2)
        parts.append(mesh.tube("spindle", [foot, middle, head], 7.5, wood, taper=[0.8, 1.15, 0.8]))
    return parts


def _panel_back(seat_h: float, wood: object, across: object) -> list[Object]:
    return [*_posts(seat_h, 370, wood), _band(600, 835, 190, 12, across)]


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


register(
    Kind(
        "dining chair",
        chair,
        azimuth=(-55, 55),
        elevation=(8, 26),
        extras=("pair",),
        spacing=1.25,
    )
)
