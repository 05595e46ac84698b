"""Lamps, chairs, stools, side tables."""

from __future__ import annotations

import math

from .. import materials, mesh
from ..model import Kind, Material, Object, Pose, Shape, register


def lamp(shape: Shape) -> list[Object]:
    """A table lamp: turned foot, stem, cloth shade."""
    h, r = shape["height"], shape["shade_radius"]
    k = h / 420
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
        mesh.lathe("socket", [(0, low), (13 * k, low), (13 * k, low + 40 * k), (0, low + 40 * k)], brass),
    ]
    parts.append(mesh.lathe("bulb", _ball(0, low + 70 * k, 26 * k), materials.plain("bulb", "fff6e6", 0.3)))
    foot = {"ball": _ball_foot, "rod": _rod_foot}[shape["foot"]](h)
    parts.append(mesh.lathe("foot", foot, wood if shape["foot"] == "ball" else brass, smooth=50))
    return parts


def _ball(x: float, z: float, r: float) -> list[mesh.Point]:
    steps = [math.pi * (k / 24 - 0.5) for k in range(25)]
    return [(x + r * math.cos(a), z + r * math.sin(a)) for a in steps]


def _ball_foot(h: float) -> list[mesh.Point]:
    k = h / 420
    profile = mesh.fillet([(0.0, 0.0), (58 * k, 0.0), (58 * k, 11 * k), (20 * k, 19 * k), (12 * k, 30 * k)], 4)
    for z, r in ((0.17, 44 * k), (0.345, 33 * k), (0.475, 22 * k)):
        arc = [math.pi * (step / 20 - 0.5) for step in range(2, 19)]
        profile += [(r * math.cos(a) * 0.98 + 1, z * h + r * math.sin(a)) for a in arc]
    return [*profile, (9 * k, h * 0.54), (9 * k, h * 0.6), (0, h * 0.6)]


def _rod_foot(h: float) -> list[mesh.Point]:
    k = h / 420
    base = [(0.0, 0.0), (66 * k, 0.0), (66 * k, 9 * k), (14 * k, 13 * k), (6 * k, 22 * k)]
    return mesh.fillet([*base, (6 * k, h * 0.57), (13 * k, h * 0.58), (0, h * 0.6)], 3)


def _matt(material: Material, shine: float = 0.02) -> Material:
    """Take the shine off a dark wood, which a light from behind would turn white."""
    material.node_tree.nodes["Principled BSDF"].inputs["Specular IOR Level"].default_value = shine
    return material


def chair(shape: Shape) -> list[Object]:
    """A wooden dining chair; the styles differ in the back alone."""
    light, dark = shape["wood"]
    grain = _matt(materials.wood("grain", light, dark, 22.0, axis=2), shape.get("shine", 0.5))
    seat_wood = _matt(materials.wood("seat wood", light, dark, 22.0, axis=1), shape.get("shine", 0.5))
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


def stool(shape: Shape) -> list[Object]:
    """A backless seat; the styles differ in seat and legs."""
    return {"wood": _wooden_stool, "metal": _metal_stool, "padded": _padded_stool}[shape["seat"]](shape["height"])


def _round(count: int, radius: float, z: float, start: float = 0.0) -> list[mesh.Vec]:
    """Points for legs, evenly round the middle."""
    return [(x, y, z) for x, y in mesh.polygon(count, radius, start)]


def _on(top: mesh.Vec, foot: mesh.Vec, z: float) -> mesh.Vec:
    """The point of a straight leg at a height."""
    t = (top[2] - z) / (top[2] - foot[2])
    return (top[0] + (foot[0] - top[0]) * t, top[1] + (foot[1] - top[1]) * t, z)


def _wooden_stool(h: float) -> list[Object]:
    grain = materials.wood("grain", "c99f6c", "a47b4e", 20.0, axis=2)
    top = [(0, h - 30), (140, h - 30), (166, h - 21), (168, h - 6), (160, h), (148, h - 1), (100, h - 7), (0, h - 9)]
    seat = mesh.lathe("seat", mesh.fillet(top, 9), materials.wood("seat wood", "c99f6c", "a47b4e", 20.0), smooth=50)
    legs = list(zip(_round(3, 108, h - 26, 0.5), _round(3, 150 + h * 0.045, 0, 0.5), strict=True))
    parts = [seat, *(_leg(*leg, grain) for leg in legs)]
    return parts + [_rail(legs[k], legs[(k + 1) % 3], h * (0.3, 0.36, 0.42)[k], grain) for k in range(3)]


def _rail(leg: tuple[mesh.Vec, mesh.Vec], other: tuple[mesh.Vec, mesh.Vec], z: float, wood: object) -> Object:
    """A round bar between two legs."""
    return mesh.tube("rail", [_on(*leg, z), _on(*other, z)], 9.5, wood)


def _ring(radius: float, thick: float, z: float, material: object) -> Object:
    """A bent bar, closed to a ring."""
    bar = [(radius + x, z + y) for x, y in mesh.polygon(20, thick)]
    return mesh.lathe("ring", [*bar, bar[0]], material, smooth=60)


def _metal_stool(h: float) -> list[Object]:
    black = materials.plain("powder coat", "1d1e20", rough=0.5)
    oak = materials.wood("seat wood", "a9794a", "7c5430", 18.0)
    top = [(0, h - 26), (158, h - 26), (162, h - 20), (162, h - 4), (156, h), (0, h - 3)]
    parts = [mesh.lathe("seat", mesh.fillet(top, 4), oak, smooth=50), _ring(132, 9, h - 34, black)]
    legs = list(zip(_round(4, 132, h - 34, 0.7), _round(4, 152 + h * 0.06, 6, 0.7), strict=True))
    for leg in legs:
        parts.append(mesh.tube("leg", [leg[0], _on(*leg, h / 2), leg[1]], 11, black))
        foot = mesh.lathe("foot", mesh.fillet([(0, 0), (13, 0), (13.5, 22), (11, 25)], 3), black)
        foot.location = (leg[1][0], leg[1][1], 0)
        parts.append(foot)
    step = _on(*legs[0], h * 0.34)
    parts.append(_ring(math.hypot(step[0], step[1]), 8, h * 0.34, black))
    return parts


def _padded_stool(h: float) -> list[Object]:
    grain = materials.wood("grain", "a87448", "7d5231", 20.0, axis=2)
    cloth = materials.speckle("wool", "7f9087", "66766d", 5.0, rough=0.95)
    pad = [(0, h - 74), (158, h - 74), (170, h - 66), (175, h - 38), (166, h - 14), (120, h - 3), (20, h), (0, h - 1)]
    parts = [
        mesh.lathe("pad", mesh.fillet(pad, 26, steps=8), cloth, smooth=70),
        _ring(169.5, 3.4, h - 17, cloth),
        _ring(166, 3.4, h - 70, cloth),
        mesh.lathe("frame", [(0, h - 96), (146, h - 96), (150, h - 92), (150, h - 72), (0, h - 72)], grain),
    ]
    legs = list(zip(_round(4, 118, h - 92, 0.7), _round(4, 150 + h * 0.05, 0, 0.7), strict=True))
    parts += [_leg(*leg, grain) for leg in legs]
    return parts + [_rail(legs[k], legs[(k + 1) % 4], h * (0.32, 0.27)[k % 2], grain) for k in range(4)]


def side_table(shape: Shape) -> list[Object]:
    """A small table for a lamp or a cup; the styles differ in top and stand."""
    tables = {"tripod": _tripod_table, "shelf": _shelf_table, "hairpin": _hairpin_table}
    return tables[shape["stand"]](shape["top"], shape["height"])


def _slab(size: float, corner: float, low: float, thick: float, wood: object) -> Object:
    """A square board with rounded corners."""
    arcs = [(x, y, q) for q, (x, y) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1)))]
    reach = size / 2 - corner
    outline = [
        (x * reach + corner * math.cos(a), y * reach + corner * math.sin(a))
        for x, y, q in arcs
        for a in (math.pi / 2 * (q + k / 8) for k in range(9))
    ]
    board = mesh.bevel(mesh.prism("board", outline, low, low + thick, wood), 3.0)
    board.modifiers.new("normals", "WEIGHTED_NORMAL")
    return board


def _tripod_table(size: float, h: float) -> list[Object]:
    walnut = _matt(materials.wood("walnut", "6e4930", "4a2e1e", 20.0, axis=2))
    r = size / 2
    top = [
        (0, h - 20),
        (r - 26, h - 20),
        (r - 3, h - 12),
        (r, h - 7),
        (r, h - 3),
        (r - 3, h),
        (r - 9, h - 3),
        (0, h - 3),
    ]
    column = [(0, 74), (15, 74), (27, 84), (27, 150), (20, 160), (25, 170), (17, 182), (15, h * 0.62)]
    column += [(18, h * 0.72), (24, h * 0.76), (18, h * 0.8), (18, h - 42), (62, h - 34), (62, h - 18), (0, h - 18)]
    parts = [
        mesh.lathe("top", mesh.fillet(top, 3), _matt(materials.wood("top wood", "6e4930", "4a2e1e", 20.0)), smooth=40),
        mesh.lathe("column", mesh.fillet(column, 6), walnut, smooth=50),
    ]
    for x, y in mesh.polygon(3, 1.0, -math.pi / 2):
        spread = r * 0.9
        path = mesh.bezier(
            (x * 14, y * 14, 128),
            (x * spread * 0.55, y * spread * 0.55, 150),
            (x * spread * 0.72, y * spread * 0.72, 14),
            (x * spread, y * spread, 12),
        )
        taper = [1.1 - 0.3 * k / 32 for k in range(33)]
        parts.append(mesh.tube("foot", path, 14, walnut, flat=1.35, taper=taper))
    return parts


def _shelf_table(size: float, h: float) -> list[Object]:
    oak = materials.wood("oak", "c79d6a", "a57c50", 20.0)
    paint = materials.plain("paint", "dcdad2", rough=0.45, coat=0.1)
    edge = size / 2 - 26
    parts = [_slab(size, 6, h - 22, 22, oak), _slab(size - 60, 3, h * 0.27, 16, oak)]
    corners = [(x, y, 0.0) for x in (-edge, edge) for y in (-edge, edge)]
    parts += [mesh.box("leg", (32, 32, h - 22), at, paint, 2.5) for at in corners]
    for side in (-edge, edge):
        for low, tall in ((h - 72, 50), (h * 0.27 - 30, 30)):
            parts.append(mesh.box("apron", (2 * edge - 30, 18, tall), (0, side, low), paint, 1.5))
            parts.append(mesh.box("apron", (18, 2 * edge - 30, tall), (side, 0, low), paint, 1.5))
    return parts


def _hairpin_table(size: float, h: float) -> list[Object]:
    steel = materials.plain("powder coat", "17181a", rough=0.42)
    parts = [_slab(size, 22, h - 27, 27, materials.wood("mango", "b28452", "80552f", 24.0))]
    corner, foot = size / 2 - 42, size / 2 - 14
    for x in (-1, 1):
        for y in (-1, 1):
            parts += _hairpin((x * corner, y * corner), (x * foot, y * foot), x * y, h - 28, steel)
    return parts


def _hairpin(root: mesh.Point, foot: mesh.Point, turn: int, h: float, steel: object) -> list[Object]:
    """One leg: a rod bent at the floor, its two ends welded to a plate under the top."""
    across = (math.sqrt(0.5), -turn * math.sqrt(0.5))
    bend = [
        (foot[0] + across[0] * 9 * math.cos(a), foot[1] + across[1] * 9 * math.cos(a), 14 - 9 * math.sin(a))
        for a in (math.pi * k / 10 for k in range(11))
    ]
    ends = [(root[0] + across[0] * s * 48, root[1] + across[1] * s * 48, h) for s in (1, -1)]
    path = [ends[0], _on(ends[0], bend[0], h / 2), *bend, _on(ends[1], bend[-1], h / 2), ends[1]]
    plate = mesh.box("plate", (112, 26, 4), (root[0], root[1], h - 3), steel, 1)
    plate.rotation_euler = (0, 0, math.atan2(across[1], across[0]))
    return [mesh.tube("hairpin", path, 5.2, steel), plate]


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
        "dining chair",
        chair,
        azimuth=(-55, 55),
        elevation=(8, 26),
        extras=("pair",),
        spacing=1.25,
    )
)


register(
    Kind(
        "stool",
        stool,
        poses=(Pose((0, 0, 0)), Pose((0, 0, 34)), Pose((0, 0, 75))),
        elevation=(8, 30),
        extras=("pair", "box"),
        spacing=1.25,
    )
)


register(
    Kind(
        "side table",
        side_table,
        poses=(Pose((0, 0, 10)), Pose((0, 0, 32)), Pose((0, 0, -25))),
        azimuth=(-40, 40),
        elevation=(16, 34),
        extras=("pair", "box"),
        spacing=1.25,
    )
)
