"""Chairs."""

from __future__ import annotations

import math

from . import materials, mesh
from .model import Kind, Object, Shape, register


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
        "dining chair",
        chair,
        azimuth=(-55, 55),
        elevation=(8, 26),
        extras=("pair",),
        spacing=1.25,
    )
)
