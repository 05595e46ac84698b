"""Hand tools."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import bpy
import numpy as np

from .. import materials, mesh
from ..model import Kind, Material, Object, Pose, Shape, register, seeded

# Long things lie across the picture from corner to corner, either end first.
ACROSS = (Pose(), Pose((0, 0, 180)))


def _oval(at: mesh.Vec, half: mesh.Point, square: float = 1.0, turn: float = 0.0, count: int = 40) -> list[mesh.Vec]:
    """A section for ``_skin`` that looks along x (``turn``: turned in the plane); ``square`` < 1 gives it corners."""
    out: list[mesh.Vec] = []
    for k in range(count):
        a = 2 * math.pi * k / count
        c, s = math.cos(a), math.sin(a)
        y = math.copysign(abs(c) ** square, c) * half[0]
        z = math.copysign(abs(s) ** square, s) * half[1]
        out.append((at[0] - y * math.sin(turn), at[1] + y * math.cos(turn), at[2] + z))
    return out


def _through(knots: Sequence[Sequence[float]], steps: int = 8) -> list[tuple[float, ...]]:
    """Rows of numbers on a smooth curve through the given rows."""
    rows = np.array([knots[0], *knots, knots[-1]], dtype=float)
    out = []
    for a, b, c, d in zip(rows, rows[1:], rows[2:], rows[3:], strict=False):
        for t in np.arange(steps) / steps:
            curve = 2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
            out.append(tuple(float(x) for x in curve / 2))
    return [*out, tuple(float(x) for x in knots[-1])]


def _skin(name: str, rings: Sequence[Sequence[mesh.Vec]], material: Material, smooth: float = 40.0) -> Object:
    """Skin a row of sections that have equally many points, and close both ends."""
    n, last = len(rings[0]), (len(rings) - 1) * len(rings[0])
    faces: list[Sequence[int]] = [tuple(reversed(range(n))), tuple(range(last, last + n))]
    for i in range(len(rings) - 1):
        for k in range(n):
            a, b = i * n + k, i * n + (k + 1) % n
            faces.append((a, b, b + n, a + n))
    return mesh.outward(mesh.add_mesh(name, [p for ring in rings for p in ring], faces, material, smooth))


def _steel(name: str, colour: str, rough: float) -> Material:
    """Drop-forged and plated: the gloss changes slowly along the piece."""
    nodes = materials.Nodes(name, colour, rough, metal=1.0)
    noise = nodes.add("TexNoise", Scale=1.0, Detail=2.0)
    nodes.link(nodes.coords((0.06, 0.06, 0.06)), noise.inputs["Vector"])
    nodes.vary(noise.outputs["Fac"], rough * 0.75, rough * 1.3)
    return nodes.material


def screwdriver(shape: Shape) -> list[Object]:
    """A screwdriver standing on its tip: two-colour handle, round blade."""
    blade, r = shape["blade"], shape["shaft"] / 2
    steel = materials.metal("chrome", "cfd0d2", rough=0.18)
    grip = materials.plain("grip", shape["colour"], rough=0.5)
    dark = materials.plain("core", shape["core"], rough=0.4, coat=0.3)
    length = shape["handle"]
    tips: dict[str, Callable[[], list[Object]]] = {
        "phillips": lambda: _phillips(r, steel),
        "slotted": lambda: _slotted(r, shape["tip_width"], steel),
        "torx": lambda: _torx(r, shape["tip_width"], steel),
    }
    shaft = mesh.lathe("shaft", [(0, 12), (r, 12), (r, blade), (0, blade)], steel, 48)
    if shape.get("grip") == "clear":
        handle = _clear_handle(blade, length, shape["colour"])
    else:
        handle = [_handle(blade, length, grip), *_ends(blade, length, dark)]
    return [*tips[shape["tip"]](), shaft, *handle]


def _handle(z0: float, length: float, grip: object) -> Object:
    """The soft part: a waisted body with six flutes."""

    def point(u: float, v: float) -> mesh.Vec:
        swell = 12.6 + 3.2 * math.sin(math.pi * (0.15 + 0.8 * v)) - 3.6 * math.exp(-(((v - 0.14) / 0.1) ** 2))
        edge = min(1.0, min(v, 1 - v) / 0.03)
        a = 2 * math.pi * u
        flute = 1.5 * max(0.0, math.cos(6 * a)) ** 2 * min(1.0, max(0.0, (v - 0.25) / 0.1))
        r = (swell - flute) * (0.93 + 0.07 * math.sqrt(edge))
        return (r * math.cos(a), r * math.sin(a), z0 + length * (0.1 + 0.8 * v))

    return mesh.sheet("grip", point, (96, 64), 0.0, grip)


def _ends(z0: float, length: float, dark: object) -> list[Object]:
    collar = [(0.0, 0.0), (7.5, 0.0), (9.5, 3.0), (10.5, length * 0.12), (0, length * 0.12)]
    cap = [(0.0, length * 0.88), (13.2, length * 0.88), (12.6, length * 0.96), (9, length), (0, length)]
    parts = []
    for name, profile in (("collar", collar), ("cap", cap)):
        raised = [(r, z + z0) for r, z in mesh.fillet(profile, 3)]
        parts.append(mesh.lathe(name, raised, dark))
    return parts


def _clear_handle(z0: float, length: float, colour: str) -> list[Object]:
    """One piece of clear resin: six flats with grooves between them, a waist, a ball end."""
    knots = [(0.0, 6.0), (0.03, 8.0), (0.14, 9.2), (0.19, 9.0), (0.26, 12.0), (0.32, 14.2), (0.5, 14.8)]
    knots += [(0.7, 14.8), (0.84, 14.4), (0.93, 12.4), (0.985, 7.5), (1.0, 0.01)]
    rings = []
    for t, r in _through(knots):
        depth = 0.16 * min(1.0, max(0.0, (t - 0.26) / 0.08)) * min(1.0, max(0.0, (0.97 - t) / 0.1))
        ring = []
        for k in range(96):
            a = 2 * math.pi * k / 96
            groove = depth * max(0.0, math.cos(3 * a)) ** 10 + depth * max(0.0, -math.cos(3 * a)) ** 10
            ring.append((r * (1 - groove) * math.cos(a), r * (1 - groove) * math.sin(a), z0 + length * t))
        rings.append(ring)
    resin = materials.Nodes("resin", colour, 0.06)
    resin.set("Transmission Weight", 0.82)
    resin.set("IOR", 1.4)
    steel = _steel("ferrule", "cfd0d2", rough=0.2)
    ferrule = [(0.0, -3.0), (5.6, -3.0), (6.6, -2.0), (6.6, 1.0), (0.0, 1.0)]
    tang = [(0.0, 0.5), (3.0, 0.5), (3.0, length * 0.62), (0.0, length * 0.66)]
    parts = [_skin("handle", rings, resin.material)]
    parts.append(mesh.lathe("tang", [(r, z + z0) for r, z in tang], steel, 32))
    parts.append(mesh.lathe("ferrule", mesh.fillet([(r, z + z0) for r, z in ferrule], 0.8), steel, 48))
    return parts


def _torx(r: float, width: float, steel: Material) -> list[Object]:
    """A six-lobed tip on a tapered end."""
    outline = []
    for k in range(72):
        a = 2 * math.pi * k / 72
        reach = width / 2 * (0.86 + 0.14 * math.cos(6 * a))
        outline.append((reach * math.cos(a), reach * math.sin(a)))
    tip = mesh.bevel(mesh.prism("tip", outline, 0.0, 6.0, steel), 0.15, 2)
    cone = [(0.0, 4.5), (width * 0.48, 4.5), (r, 9.0), (r, 12.5), (0.0, 12.5)]
    return [tip, mesh.lathe("cone", cone, steel, 48)]


def _phillips(r: float, steel: object) -> list[Object]:
    """A cross tip: four notches cut from a cone."""
    cone = [(0.0, 0.0), (r * 0.3, 0.0), (r * 0.42, r * 0.5), (r, r * 2.2), (r, 12.5), (0, 12.5)]
    tip = mesh.lathe("tip", cone, steel, 48)
    parts = [tip]
    for k in range(4):
        a = math.pi / 4 + k * math.pi / 2
        notch = mesh.box("notch", (r * 1.3, r * 1.3, 9), (0, 0, 0), steel, 0.01)
        reach = r * 1.12
        notch.location = (reach * math.cos(a), reach * math.sin(a), -1.0)
        notch.rotation_euler = (0, 0, a + math.pi / 4)
        mesh.cut(tip, notch)
        parts.append(notch)
    return parts


def _slotted(r: float, width: float, steel: object) -> list[Object]:
    """A flat tip forged from the round."""

    def ring(z: float, half_w: float, half_t: float) -> list[mesh.Vec]:
        corners = []
        for k in range(32):
            a = 2 * math.pi * k / 32
            c, s = math.cos(a), math.sin(a)
            power = max(0.35, z / 12.5)
            x = math.copysign(abs(c) ** power, c) * half_w
            y = math.copysign(abs(s) ** power, s) * half_t
            corners.append((x, y, z))
        return corners

    rows = [ring(0.0, width / 2, 0.5), ring(4.0, width / 2, 0.8), ring(9.0, (width / 2 + r) / 2, r * 0.6)]
    rows.append(ring(12.5, r, r))
    faces: list[tuple[int, ...]] = [tuple(reversed(range(32)))]
    for i in range(3):
        for k in range(32):
            a, b = i * 32 + k, i * 32 + (k + 1) % 32
            faces.append((a, b, b + 32, a + 32))
    return [mesh.add_mesh("tip", [v for row in rows for v in row], faces, steel)]


register(
    Kind(
        "screwdriver",
        screwdriver,
        poses=(Pose((0, 90, 0), tip=True), Pose((0, -90, 0), tip=True)),
        azimuth=(34, 60),
        elevation=(42, 66),
        extras=("ruler",),
        spacing=1.6,
    )
)


# --- hammers -----------------------------------------------------------------


def hammer(shape: Shape) -> list[Object]:
    """A hammer on its side: handle along -x, striking face towards +y."""
    size, length = shape["size"], shape["length"]
    steel = _steel("head", shape["steel"], rough=0.34)
    head = _claw_head(size, steel) if shape["head"] == "claw" else _ball_head(size, steel)
    handle = _wooden_handle if shape["handle"] == "wood" else _rubber_handle
    return [*head, *handle(size, length)]


def _head(rows: Sequence[tuple[float, float, float, float]], size: float) -> list[list[mesh.Vec]]:
    """Sections of a hammer head along y: (y, half height, half width, squareness)."""
    rings = []
    for y, high, wide, square in rows:
        flat = _oval((0, 0, 0), (high * size, wide * size), square)
        rings.append([(-p[1], y * size, p[2]) for p in flat])
    return rings


FACE = ((52, 0.1, 0.1, 1.0), (52, 11.8, 11.8, 1.0), (50.6, 13.3, 13.3, 1.0), (42, 13.3, 13.3, 1.0))
EYE = ((17.5, 11, 11.3, 0.6), (13.5, 12.8, 13, 0.4), (-13.5, 12.8, 13, 0.4))


def _claw_head(size: float, steel: Material) -> list[Object]:
    """Face, neck and eye in one forging with a curved, split claw."""
    rows = [*FACE, (39, 10.8, 10.8, 1.0), (30, 9.4, 9.4, 0.9), (22, 9.4, 9.6, 0.8), *EYE]
    rings = _head(rows, size)
    path = mesh.bezier((1.5, -15, 0), (5, -42, 0), (-2, -66, 0), (-24, -84, 0), 24)
    for i, (x, y, _) in enumerate(path):
        t = i / 24
        nearby = path[min(i + 1, 24)], path[max(i - 1, 0)]
        turn = math.atan2(nearby[0][0] - nearby[1][0], -(nearby[0][1] - nearby[1][1]))
        high, wide = 10.8 * (1 - t) ** 0.8 + 0.9, 11.5 + 2.5 * t
        flat = _oval((0, 0, 0), (high * size, wide * size), 0.5)
        c, s = math.cos(turn), math.sin(turn)
        rings.append([(x * size - p[1] * c, y * size - p[1] * s, p[2]) for p in flat])
    body = _skin("head", rings, steel)
    slot = [[(x, y * size, z * size) for y, z in ((-36, 0.3), (-36, -0.3), (-95, -6), (-95, 6))] for x in (-60.0, 40.0)]
    wedge = _skin("slot", slot, steel)
    return [mesh.cut(body, wedge), wedge]


def _ball_head(size: float, steel: Material) -> list[Object]:
    """Face and neck, a plain eye, and a ball at the other end."""
    rows = [*FACE, (39, 11.6, 11.6, 1.0), (32, 10.2, 10.2, 1.0), (23, 10.2, 10.4, 0.8), *EYE]
    rows += [(-17.5, 11, 11.3, 0.6), (-22, 9.6, 9.8, 0.8), (-29, 9.0, 9.0, 1.0), (-33, 9.4, 9.4, 1.0)]
    for k in range(1, 17):
        a = math.radians(42 + 138 * k / 16)
        rows.append((-42 + 12.4 * math.cos(a), 12.4 * math.sin(a) + 0.02, 12.4 * math.sin(a) + 0.02, 1.0))
    return [_skin("head", _head(rows, size), steel)]


def _shaft(knots: Sequence[tuple[float, float, float]], size: float, length: float) -> list[tuple[float, ...]]:
    """Rows of (x, half height, half width); knots beyond the head go by the handle's length."""
    rows = [(x * size if x > -1 else x * length / 100 + 40 * (1 - size), a * size, b * size) for x, a, b in knots]
    return _through(rows)


def _wooden_handle(size: float, length: float) -> list[Object]:
    """Ash, swelling towards the end, wedged into the eye."""
    ash = materials.wood("ash", "d8b07c", "b07f4c", 5.0)
    knots = [(14.2, 9.5, 6.8), (0, 9.5, 6.8), (-5, 9.8, 7.0), (-12, 11, 8.6), (-30, 12, 10.3), (-52, 11.4, 10.0)]
    knots += [(-72, 13.6, 11.4), (-88, 14.6, 12.2), (-96, 16.4, 13.0), (-99.4, 14.8, 11.8), (-100, 11, 8.8)]
    rings = [_oval((x, 0, 0), (a, b), 0.85) for x, a, b in _shaft(knots, size, length)]
    iron = _steel("wedge", "8f8f8f", rough=0.4)
    wedge = mesh.box("wedge", (1.2, 11 * size, 1.6), (14.0 * size, 0, -0.8), iron, 0.2)
    return [_skin("handle", rings, ash), wedge]


def _rubber_handle(size: float, length: float) -> list[Object]:
    """A fibreglass core in a ribbed rubber grip with a hooked end."""
    core = materials.plain("core", "e0a51c", rough=0.35, coat=0.5)
    rubber = materials.plain("rubber", "222325", rough=0.6)
    knots = [(13.4, 9.5, 7.2), (-6, 9.8, 7.4), (-14, 10.2, 7.6), (-60, 10.2, 8.0), (-70, 10, 8)]
    rings = [_oval((x, 0, 0), (a, b), 0.7) for x, a, b in _shaft(knots, size, length)]
    sleeve = [(-6.0, 8.6, 5.0), (-6.4, 12.6, 9.4), (-12, 12.2, 9.2), (-14, 10.8, 8.2)]
    knots = [(-46, 10.5, 8.2), (-46.6, 13.2, 10.6), (-50, 13.6, 11.2), (-62, 13.4, 11.2), (-78, 15.6, 12.6)]
    knots += [(-90, 15.4, 12.6), (-96, 18, 13.4), (-99, 16.6, 12.2), (-100, 11, 8.5)]
    grip = []
    for x, a, b in _shaft(knots, size, length):
        grip.append((x, a, b))
    grooved = []
    for x, a, b in _through(grip, 3):
        t = -x / length
        rib = 0.07 * max(0.0, math.sin(2 * math.pi * t * 34)) ** 2 if 0.53 < t < 0.9 else 0.0
        grooved.append(_oval((x, 0, 0), (a * (1 - rib), b * (1 - rib)), 0.8))
    collar = [_oval((x, 0, 0), (a, b), 0.75) for x, a, b in _shaft(sleeve, size, length)]
    return [_skin("core", rings, core), _skin("grip", grooved, rubber), _skin("collar", collar, rubber)]


register(
    Kind(
        "hammer",
        hammer,
        poses=(*ACROSS, Pose((180, 0, 0)), Pose((180, 0, 180))),
        azimuth=(34, 60),
        elevation=(40, 66),
        extras=("pair",),
    )
)


# --- wrenches ----------------------------------------------------------------


def wrench(shape: Shape) -> list[Object]:
    """A flat wrench along x, an open jaw at its -x end."""
    size, length, design = shape["size"], shape["length"], shape["design"]
    rough, colour = {"combination": (0.18, "b4b6ba"), "open": (0.34, "b9babd"), "ratchet": (0.24, "8f9196")}[design]
    steel = _steel("steel", colour, rough=rough)
    reach = length / 2 - size * 0.85
    other = _open_jaw(size, steel) if design == "open" else _ring_end(size, design == "ratchet", steel)
    jaw = _open_jaw(size, steel)
    for part in jaw:
        part.location.x, part.rotation_euler = -reach, (0, 0, math.radians(180 + 15))
    for part in other:
        part.location.x += reach
        part.rotation_euler = (0, 0, math.radians(15))
    return [*jaw, *other, _wrench_shaft(size, reach, design, steel), *_lettering(size, design)]


def _open_jaw(s: float, steel: Material) -> list[Object]:
    """A round head with a slot that opens towards +x."""
    start = math.atan2(0.8, 0.86)
    arc = [start + (2 * math.pi - 2 * start) * k / 48 for k in range(49)]
    outline = [(1.16 * s * math.cos(a), 1.16 * s * math.sin(a)) for a in arc]
    outline += [(0.92 * s, -0.66 * s), (0.84 * s, -0.5 * s), (-0.22 * s, -0.5 * s), (-0.45 * s, -0.26 * s)]
    outline += [(-0.45 * s, 0.26 * s), (-0.22 * s, 0.5 * s), (0.84 * s, 0.5 * s), (0.92 * s, 0.66 * s)]
    head = mesh.bevel(mesh.prism("jaw", outline, -0.26 * s, 0.26 * s, steel), 0.055 * s)
    head.modifiers.new("flat", "WEIGHTED_NORMAL")
    return [head]


def _ring(name: str, outer: float, inner: Sequence[float], half: float, steel: Material) -> Object:
    """A ring whose inner radius may change on the way round."""
    n = len(inner)
    turns = [(math.cos(2 * math.pi * k / n), math.sin(2 * math.pi * k / n)) for k in range(n)]
    hole = [(r * c, r * s) for r, (c, s) in zip(inner, turns, strict=True)]
    thing = mesh.ring_prism(name, [(outer * c, outer * s) for c, s in turns], hole, -half, half, steel)
    return mesh.bevel(thing, min(0.07 * outer, 0.7))


def _ring_end(s: float, ratchet: bool, steel: Material) -> list[Object]:
    """A twelve-point ring; a ratchet's turns in a housing of its own."""
    sixth = math.pi / 3
    hexagons = [
        [s / 2 / math.cos((k * math.pi / 48 + t) % sixth - sixth / 2) for k in range(96)] for t in (0.0, sixth / 2)
    ]
    points = [max(a, b) for a, b in zip(*hexagons, strict=True)]
    if not ratchet:
        return [_ring("ring", 0.78 * s, points, 0.32 * s, steel)]
    dark = _steel("gear", "3c3d40", rough=0.35)
    bright = _steel("insert", "d9dadc", rough=0.15)
    return [
        _ring("housing", 0.98 * s, [0.8 * s] * 96, 0.31 * s, steel),
        _ring("gap", 0.81 * s, [0.7 * s] * 96, 0.25 * s, dark),
        _ring("insert", 0.75 * s, points, 0.35 * s, bright),
    ]


def _wrench_shaft(s: float, reach: float, design: str, steel: Material) -> Object:
    """A forged bar: a recessed panel on either side, a plain oval, or a flat with long edges."""
    rings = []
    count = 96
    neck = 0.62 * s if design != "ratchet" else 0.82 * s
    left, right = -reach + 0.8 * s, reach - (0.8 * s if design == "open" else neck)
    for i in range(count + 1):
        x = left + (right - left) * i / count
        # The ring is narrower than the jaw: the bar's corners must stay inside of it.
        swell = 1.0 if design == "open" else 0.55
        flare = math.exp(-(((x - left) / (0.42 * s)) ** 2)) + swell * math.exp(-(((x - right) / (0.42 * s)) ** 2))
        w, t = s * (0.36 + 0.05 * x / reach * (design != "open") + 0.2 * flare), s * (0.18 + 0.03 * flare)
        inside = min(x - left, right - x) - 1.05 * s
        deep = s * 0.055 * min(1.0, max(0.0, inside / 2.5)) if design == "combination" else 0.0
        if design == "open":
            rings.append(_oval((x, 0, 0), (w, t * 1.1), 0.8))
            continue
        half = [(-1, 0.45), (-0.96, 0.8), (-0.86, 1), (-0.68, 1), (-0.6, 1 - deep / t), (0.6, 1 - deep / t)]
        half += [(0.68, 1), (0.86, 1), (0.96, 0.8), (1, 0.45)]
        section = [*half, *((-a, -b) for a, b in half)]
        rings.append([(x, a * w, b * t) for a, b in section])
    return _skin("shaft", rings, steel, smooth=25)


def _lettering(s: float, design: str) -> list[Object]:
    """The steel's name on the shaft, as on every wrench; the size is left to the text."""
    text = {"combination": "CHROME VANADIUM", "open": "DROP FORGED STEEL", "ratchet": "72 TEETH  CR-V"}[design]
    data = bpy.data.curves.new("stamp", "FONT")
    data.body, data.size, data.extrude, data.align_x, data.align_y = text, 0.4 * s, 0.02 * s, "CENTER", "CENTER"
    data.materials.append(_steel("stamp", "55565a", rough=0.4))
    thing = bpy.data.objects.new("stamp", data)
    thing.location.z = s * {"combination": 0.125, "open": 0.19, "ratchet": 0.175}[design]
    bpy.context.scene.collection.objects.link(thing)
    return [thing]


register(
    Kind(
        "wrench",
        wrench,
        poses=ACROSS,
        azimuth=(34, 60),
        elevation=(46, 70),
        extras=("pair",),
        spacing=1.25,
    )
)


# --- brushes -----------------------------------------------------------------


def brush(shape: Shape) -> list[Object]:
    """A flat paint brush along x, bristles towards +x; the ferrule's middle is the origin."""
    w, thick, hair = shape["width"] / 2, shape["thick"] / 2, shape["hair"]
    tin = _steel("ferrule", shape["ferrule"], rough=0.26)
    band = 13.0
    knots = [
        (-band, 0.97),
        (-band + 0.6, 1),
        (-8, 1),
        (-6.6, 1.06),
        (-5.2, 1),
        (4.5, 1),
        (5.8, 1.06),
        (7.2, 1),
        (band, 1),
    ]
    rings = [_oval((x, 0, 0), (w * (0.985 + 0.015 * k), thick * k), 0.3) for x, k in _through(knots, 6)]
    parts = [_skin("ferrule", rings, tin), *_bristles(w * 0.97, thick * 0.86, band, hair, shape["bristle"])]
    for side in (-1, 1):
        parts += [_rivet((-1.0, y, side * (thick - 0.1)), side, tin) for y in (-0.62 * w, 0.62 * w)]
    return [*parts, *_brush_handle(shape, w, thick, band)]


def _rivet(at: mesh.Vec, side: int, tin: Material) -> Object:
    dome = mesh.lathe("nail", mesh.fillet([(0.0, 0.0), (1.5, 0.0), (1.3, 0.5), (0.0, 0.8)], 0.3), tin, 24)
    dome.location, dome.rotation_euler = at, (0 if side > 0 else math.pi, 0, 0)
    return dome


def _bristles(w: float, thick: float, x0: float, length: float, colours: tuple[str, str]) -> list[Object]:
    """Hairs of uneven length over a darker core; each hair has its own shade."""
    nodes = materials.Nodes("hair", colours[0], 0.55)
    shade = nodes.add("NewGeometry")
    nodes.ramp(shade.outputs["Random Per Island"], [(0.0, colours[1]), (1.0, colours[0])], "Base Color")
    rng = seeded("bristles", str(w))
    vertices: list[mesh.Vec] = []
    faces: list[Sequence[int]] = []
    count = int(44 * w)
    for _ in range(count):
        a, t = rng.uniform(-1, 1), rng.choice((-1, 1)) * rng.random() ** 0.35
        reach = length * (1 - 0.05 * a * a - 0.16 * abs(t) ** 2 - abs(rng.gauss(0, 0.025)))
        bend, lean = rng.gauss(0, 0.02) * length, rng.gauss(0, 0.008) * length
        base = len(vertices)
        for u in (0.0, 0.35, 0.7, 1.0):
            swell = 1 + 0.10 * math.sin(math.pi * min(1.0, u * 0.9))
            y, z = a * w * swell + bend * u**2, t * thick * (swell - 0.45 * u * u) + lean * u
            r = 0.42 * (1 - 0.55 * u)
            for k in range(3):
                turn = 2 * math.pi * k / 3
                vertices.append((x0 - 2 + (reach + 2) * u, y + r * math.cos(turn), z + r * math.sin(turn)))
        for i in range(3):
            for k in range(3):
                p, q = base + i * 3 + k, base + i * 3 + (k + 1) % 3
                faces.append((p, q, q + 3, p + 3))
    dark = materials.plain("core", colours[1], rough=0.8)
    core = [
        _oval((x0 - 1, 0, 0), (w * 0.96, thick * 0.9), 0.4),
        _oval((x0 + length * 0.45, 0, 0), (w * 1.03, thick * 0.85), 0.4),
    ]
    core.append(_oval((x0 + length * 0.86, 0, 0), (w * 0.97, thick * 0.3), 0.4))
    return [mesh.add_mesh("hairs", vertices, faces, nodes.material), _skin("core", core, dark)]


def _brush_handle(shape: Shape, w: float, thick: float, band: float) -> list[Object]:
    """A flat handle with a waist and a hole to hang it by."""
    length, plastic = shape["handle"], shape["grip"] == "plastic"
    # (part of the length, half width: a part of the ferrule's plus millimetres, half thickness)
    knots = [(0.0, 0.93, 0.0, 0.9), (0.1, 0.93, 0.0, 0.9), (0.2, 0.78, 0.6, 0.86), (0.34, 0.34, 4.2, 0.8)]
    knots += [
        (0.48, 0.14, 7.0, 0.78),
        (0.72, 0.12, 9.4, 0.78),
        (0.88, 0.1, 9.0, 0.7),
        (0.97, 0.06, 6.5, 0.55),
        (1, 0, 2, 0.3),
    ]
    if plastic:
        knots = [(0.0, 0.93, 0.0, 0.9), (0.06, 0.93, 0.0, 0.9), (0.1, 0.86, 0.0, 0.95), (0.2, 0.42, 3.6, 1.0)]
        knots += [
            (0.3, 0.16, 7.4, 1.0),
            (0.5, 0.14, 9.6, 1.05),
            (0.72, 0.08, 8.2, 0.85),
            (0.95, 0.1, 9.0, 0.6),
            (1, 0.04, 5, 0.4),
        ]
    rows = [(-band + 1 - t * length, k * w + extra, z * (thick * 0.5 + 2.6)) for t, k, extra, z in knots]
    if plastic:
        skin = materials.plain("plastic", shape["colour"], rough=0.38, coat=0.3)
    else:
        skin = materials.wood("beech", "dcb789", "b5834f", 4.5)
    rings = [_oval((x, 0, 0), (y, z), 0.7) for x, y, z in _through(rows)]
    handle = _skin("handle", rings, skin)
    drill = mesh.prism("hole", mesh.polygon(40, 3.2), -30, 30, skin)
    drill.location.x = -band + 1 - 0.9 * length
    parts = [mesh.cut(handle, drill), drill]
    if plastic:
        soft = materials.plain("soft", shape["accent"], rough=0.7)
        pad = [(-band + 1 - t * length, y, z * (thick * 0.5 + 2.6)) for t, y, z in PAD]
        parts.append(_skin("pad", [_oval((x, 0, 0), (y, z), 0.8) for x, y, z in _through(pad)], soft))
    return parts


PAD = ((0.27, 0.3, 0.95), (0.29, 4.2, 1.1), (0.4, 6.0, 1.17), (0.55, 6.4, 1.17), (0.68, 4.2, 1.05), (0.71, 0.3, 0.8))


register(
    Kind(
        "paint brush",
        brush,
        poses=ACROSS,
        azimuth=(34, 60),
        elevation=(42, 68),
        extras=("pair",),
    )
)


# --- pliers ------------------------------------------------------------------


def pliers(shape: Shape) -> list[Object]:
    """Combination pliers, closed, jaws towards +x, drawn for 180 mm."""
    k = shape["length"] / 180
    steel = _steel("steel", "b4b6ba", rough=0.3)
    parts: list[Object] = []
    for side in (-1, 1):
        parts += [_jaw(k, side, steel), *_leg(k, side, shape["grip"], steel)]
    joint = mesh.prism("joint", mesh.polygon(64, 12.5 * k), -5.2 * k, 5.2 * k, steel)
    bolt = [(0.0, 4.0), (6.4, 4.0), (6.4, 6.0), (5.6, 6.4), (3.4, 6.4), (3.0, 6.0), (0.0, 6.0)]
    polished = _steel("bolt", "d0d1d3", rough=0.2)
    rivet = mesh.lathe("bolt", mesh.fillet([(r * k, z * k) for r, z in bolt], 0.4), polished, 48)
    return [*parts, mesh.bevel(joint, 1.2), rivet]


def _jaw(k: float, side: int, steel: Material) -> Object:
    """Half of the head: teeth, pipe grip, cutting edge."""
    inner = [(49.0, 0.3)]
    for i in range(10):
        inner += [(48.4 - 1.4 * i, 0.25), (47.7 - 1.4 * i, 0.95)]
    inner += [(33.5 - 14 * i / 12, 0.4 + 3.4 * math.sin(math.pi * i / 12)) for i in range(13)]
    inner += [(17.0, 0.3), (9.0, 0.3), (-4.0, 0.3)]
    outer = [(-12.0, 5.0), (-8.0, 11.5), (2.0, 14.2), (14.0, 13.0), (30.0, 9.8), (44.0, 7.4), (49.0, 6.2)]
    outline = [(x * k, y * k * side) for x, y in [*inner, *mesh.fillet(outer, 5)]]
    jaw = mesh.prism("jaw", outline if side < 0 else outline[::-1], -4.9 * k, 4.9 * k, steel)
    mesh.bevel(jaw, 0.45, 2)
    jaw.modifiers.new("flat", "WEIGHTED_NORMAL")
    return jaw


def _leg(k: float, side: int, grip: str, steel: Material) -> list[Object]:
    """A steel arm in its sleeve."""
    path = mesh.bezier((-4, 7, 0), (-40, 15, 0), (-68, 29, 0), (-131, 18, 0), 48)
    path = [(x * k, y * k * side, z) for x, y, z in path]
    headings = [math.atan2(b[1] - a[1], b[0] - a[0]) for a, b in pairwise(path)]
    headings.append(headings[-1])

    def along(start: int, knots: Sequence[tuple[float, float, float]], square: float) -> list[list[mesh.Vec]]:
        """Sections on the path from a step on: (part of the way, half width, half thickness)."""
        rings = []
        for t, y, z in _through(knots):
            i = start + t * (48 - start)
            a, rest = min(int(i), 47), i - min(int(i), 47)
            here = tuple(p + (q - p) * rest for p, q in zip(path[a], path[a + 1], strict=True))
            rings.append(_oval((here[0], here[1], 0.0), (y * k, z * k), square, headings[a] + math.pi))
        return rings

    arm = _skin("arm", along(0, [(0, 5.6, 4.6), (0.2, 4.6, 4.2), (0.5, 3.5, 3.5), (0.9, 3, 3)], 0.6), steel)
    if grip == "dipped":
        red = materials.plain("dip", "b3202a", rough=0.3, coat=0.5)
        knots = [(0, 5.0, 4.6), (0.02, 5.7, 5.4), (0.06, 5.7, 5.4), (0.09, 5.2, 5.0), (0.5, 4.9, 4.9)]
        knots += [(0.9, 4.7, 4.7), (0.98, 4.2, 4.2), (1, 2, 2)]
        return [arm, _skin("grip", along(10, knots, 1.0), red)]
    black = materials.plain("soft", "1d1e20", rough=0.65)
    blue = materials.plain("shell", "1f5fa8", rough=0.4, coat=0.2)
    knots = [(0, 4.6, 4.4), (0.02, 8.2, 6.0), (0.07, 8.8, 6.6), (0.12, 6.6, 6.8), (0.3, 6.8, 7.2), (0.5, 7.4, 7.5)]
    knots += [(0.75, 6.8, 7.2), (0.92, 7.4, 7.2), (0.98, 6.4, 6.2), (1, 3, 3)]
    inlay = [(0.16, 0.5, 5), (0.19, 3.0, 7.4), (0.35, 3.6, 7.9), (0.6, 3.9, 8.0), (0.84, 3.2, 7.7), (0.88, 0.5, 5)]
    return [arm, _skin("grip", along(9, knots, 0.85), blue), _skin("inlay", along(9, inlay, 0.8), black)]


register(
    Kind(
        "pliers",
        pliers,
        poses=(Pose((0, 0.9, 0)), Pose((0, 0.9, 180))),
        azimuth=(34, 60),
        elevation=(46, 70),
        extras=("ruler", "pair"),
    )
)
