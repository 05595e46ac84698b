"""Bolts, screws, nuts, washers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from mathutils import Matrix

from .. import materials, mesh
from ..model import Kind, Material, Object, Pose, Shape, register

LYING = Pose((0, 90, 0), tip=True)


def thread(radius: float, pitch: float, z0: float, z1: float, material: Material, ring: int = 40) -> Object:
    """A V thread between two heights, with a chamfer at the lower end."""
    depth = 0.6 * pitch
    rows = max(8, int((z1 - z0) / pitch * 8))
    vertices: list[mesh.Vec] = []
    for i in range(rows + 1):
        z = z0 + (z1 - z0) * i / rows
        limit = radius - max(0.0, depth - (z - z0))
        for k in range(ring):
            phase = (z / pitch - k / ring) % 1.0
            r = min(limit, radius - depth * max(0.0, 1 - 2.4 * abs(phase - 0.5)))
            a = 2 * math.pi * k / ring
            vertices.append((r * math.cos(a), r * math.sin(a), z))
    faces: list[tuple[int, ...]] = [tuple(reversed(range(ring)))]
    for i in range(rows):
        for k in range(ring):
            a, b = i * ring + k, i * ring + (k + 1) % ring
            faces.append((a, b, b + ring, a + ring))
    return mesh.add_mesh("thread", vertices, faces, material, smooth=32)


def bolt(shape: Shape) -> list[Object]:
    """A hexagon bolt threaded to the head, standing on its tip."""
    d, length = shape["d"], shape["length"]
    across, head = shape["across"], shape["head"]
    zinc = materials.metal("zinc", shape["colour"], rough=0.3)
    hexagon = mesh.prism("head", mesh.polygon(6, across / math.sqrt(3)), length, length + head, zinc)
    # The 30 degree chamfer: what is left of the prism inside a flat cone.
    cone = [(0.0, length - 1), (across, length - 1), (across, length + head * 0.55)]
    cone += [(across * 0.47, length + head), (0.0, length + head)]
    chamfer = mesh.lathe("chamfer", cone, zinc)
    modifier = hexagon.modifiers.new("chamfer", "BOOLEAN")
    modifier.operation, modifier.object = "INTERSECT", chamfer
    chamfer.hide_render, chamfer["tool"] = True, True
    mesh.bevel(hexagon, d * 0.02, 2)
    washer = [(0.0, length), (across * 0.46, length), (across * 0.46, length - d * 0.04), (0, length - d * 0.04)]
    neck = [(0.0, length), (d * 0.47, length), (d * 0.43, length - d * 0.2), (0.0, length - d * 0.2)]
    return [
        hexagon,
        chamfer,
        mesh.lathe("washer", washer, zinc),
        mesh.lathe("neck", neck, zinc),
        thread(d / 2, shape["pitch"], 0.0, length - d * 0.12, zinc),
    ]


# --- rings: outlines round z, written as a radius by angle -------------------

Radius = Callable[[float], float]
# Twelve points to a sixth of the turn, close together where a hexagon has its corner.
SIXTH = (1.2, 3.5, 9, 15, 21, 27, 33, 39, 45, 51, 56.5, 58.8)
TURN = tuple(math.radians(60 * side + degrees) for side in range(6) for degrees in SIXTH)


def circle(radius: float) -> Radius:
    """The same radius all round."""
    return lambda angle: radius


def hexagon(across: float) -> Radius:
    """A hexagon by its width across flats, with a corner at angle 0."""
    return lambda angle: across / 2 / math.cos(angle % (math.pi / 3) - math.pi / 6)


def ring(radius: Radius, z: float | Radius, turn: Sequence[float] = TURN) -> list[mesh.Vec]:
    """A row of points for a loft; the height may change with the angle too."""
    height = z if callable(z) else circle(z)
    return [(radius(a) * math.cos(a), radius(a) * math.sin(a), height(a)) for a in turn]


def bore(minor: float, pitch: float, top: float, bottom: float) -> list[list[mesh.Vec]]:
    """Rows of an internal thread, from the top down."""
    depth = 0.55 * pitch

    def groove(z: float) -> Radius:
        """The thread's radius round the bore at a height."""
        return lambda a: minor + depth * max(0.0, 1 - 2.4 * abs((z / pitch - a / 2 / math.pi) % 1.0 - 0.5))

    count = max(8, int((top - bottom) / pitch * 7))
    heights = [top + (bottom - top) * i / count for i in range(count + 1)]
    return [ring(groove(z), z) for z in heights]


# --- socket cap screws -----------------------------------------------------

KNURL = tuple(2 * math.pi * k / 144 for k in range(144))


def cap_head(d: float, head: float, tall: float, key: float, at: float, steel: Material) -> Object:
    """A cylinder head with a straight knurl and a hexagon socket."""

    def knurl(angle: float) -> float:
        """Every third point stands proud."""
        return head / 2 * (1.0 if round(angle / KNURL[1]) % 3 == 0 else 0.962)

    def row(radius: Radius, z: float) -> list[mesh.Vec]:
        return ring(radius, at + z, KNURL)

    rim = [row(circle(head / 2 * k), tall * z) for k, z in ((0.95, 0.93), (0.945, 0.955), (0.92, 0.985), (0.885, 1))]
    edge = [row(hexagon(key * k), tall * z) for k, z in ((1.1, 1.0), (1.07, 1.0), (1.0, 0.965), (1.0, 0.95))]
    rows = [row(circle(d * 0.4), 0.0), row(circle(head * 0.46), 0.0), row(circle(head * 0.475), tall * 0.05)]
    rows += [row(knurl, tall * z) for z in (0.07, 0.09, 0.89, 0.91)]
    rows += [*rim, *edge, row(hexagon(key), tall * 0.47), row(circle(key * 0.46), tall * 0.45)]
    rows.append(row(circle(0.05), tall * 0.34))
    return mesh.loft("head", rows, steel, smooth=30)


def cap_screw(shape: Shape) -> list[Object]:
    """A socket head cap screw, standing on its tip."""
    d, length = shape["d"], shape["length"]
    steel = materials.metal("steel", shape["colour"], shape["rough"])
    neck = [(0.0, length + 0.1), (d * 0.49, length + 0.1), (d * 0.43, length - d * 0.18), (0.0, length - d * 0.18)]
    return [
        cap_head(d, shape["head"], d, shape["key"], length, steel),
        mesh.lathe("neck", neck, steel),
        thread(d / 2, shape["pitch"], 0.0, length - d * 0.12, steel),
    ]


# --- a few pieces thrown together -------------------------------------------


def throw(make: Callable[[], list[Object]], reach: float, rest: float, contact: float, spin: float) -> list[Object]:
    """Three pieces: two lie flat, a third leans on the first.

    ``reach`` is a piece's radius, ``rest`` the height of the edge leant on, ``contact`` that edge's radius.
    """
    foot = contact + 1.3 * reach  # where the third touches the table
    tilt = math.atan2(rest, foot - contact)
    lean = -70.0
    flat = Matrix.Rotation(math.radians(lean + spin), 4, "Z")
    second = Matrix.Translation((reach * 2.3, reach * 0.45, 0)) @ Matrix.Rotation(math.radians(17 + spin), 4, "Z")
    third = Matrix.Rotation(math.radians(lean), 4, "Z")
    third @= Matrix.Translation((foot - reach * math.cos(tilt), 0, reach * math.sin(tilt)))
    third @= Matrix.Rotation(tilt, 4, "Y") @ Matrix.Rotation(math.radians(spin), 4, "Z")
    out = []
    for place in (flat, second, third):
        for part in make():
            part.matrix_basis = place @ part.matrix_basis
            out.append(part)
    return out


# --- nuts ------------------------------------------------------------------

Rows = list[list[mesh.Vec]]


def chamfer(across: float) -> Radius:
    """How far the 30 degree cone takes the corners of a hexagon down."""
    return lambda a: max(0.0, (hexagon(across)(a) - 0.475 * across) * math.tan(math.radians(30)))


def hex_foot(across: float) -> Rows:
    """The lower end of a nut: bearing face and chamfered corners."""
    drop, side, lift = chamfer(across), hexagon(across), across * 0.015
    rows = [ring(circle(0.455 * across), 0.0), ring(circle(0.475 * across), 0.0)]
    return [*rows, ring(side, drop), ring(side, lambda a: drop(a) + lift)]


def hex_top(across: float, z: float) -> Rows:
    """The upper end of a nut."""
    drop, side, lift = chamfer(across), hexagon(across), across * 0.015
    rows = [ring(side, lambda a: z - drop(a) - lift), ring(side, lambda a: z - drop(a))]
    return [*rows, ring(circle(0.475 * across), z), ring(circle(0.455 * across), z)]


def lock_top(across: float, height: float) -> Rows:
    """A hexagon that ends in a collar rolled over the nylon ring."""
    deck = height * 0.68
    collar = ((0.462, 0.695), (0.455, 0.72), (0.455, 0.9), (0.445, 0.95), (0.425, 0.985), (0.4, 1.0), (0.375, 0.985))
    rows = [*hex_top(across, deck)[:3]]
    rows += [ring(circle(across * r), height * z) for r, z in collar]
    return [*rows, ring(circle(across * 0.365), height * 0.95), ring(circle(across * 0.365), height * 0.7)]


def flange_foot(across: float, flange: float) -> Rows:
    """A skirt in place of a washer."""
    r, side = flange / 2, hexagon(across)
    rim = ((0.94, 0.0), (0.975, 0.01), (1.0, 0.035), (1.0, 0.1), (0.985, 0.125), (0.965, 0.14))
    rows = [ring(circle(r * k), r * z) for k, z in rim]

    def skirt(a: float) -> float:
        """The height at which the cone meets the hexagon."""
        return r * 0.14 + (r * 0.965 - side(a)) * 0.5

    rows.append(ring(lambda a: side(a) + 0.06 * r, lambda a: skirt(a) - 0.02 * r))
    rows.append(ring(lambda a: side(a) + 0.015 * r, lambda a: skirt(a) + 0.015 * r))
    return [*rows, ring(side, lambda a: skirt(a) + 0.07 * r)]


def one_nut(shape: Shape) -> list[Object]:
    """A nut lying on its bearing face."""
    d, across, height, form = shape["d"], shape["across"], shape["height"], shape["form"]
    zinc = materials.metal("zinc", shape["colour"], rough=0.26)
    rows = [ring(circle(d * 0.54), 0.0)]
    rows += flange_foot(across, shape["flange"]) if form == "flange" else hex_foot(across)
    rows += lock_top(across, height) if form == "lock" else hex_top(across, height)
    top = height * 0.66 if form == "lock" else height
    rows += [ring(circle(d * 0.54), top)] if form != "lock" else []
    rows += bore(d * 0.43, shape["pitch"], top - d * 0.08, d * 0.08)
    parts = [mesh.loft("nut", rows, zinc, closed=True)]
    if form == "lock":
        nylon = materials.plain("nylon", "2f62a8", rough=0.35)
        a, b, low, high = d * 0.455, across * 0.4, height * 0.66, height * 0.93
        profile = [(a, low), (b, low), (b, high), (a + 0.15, high), (a, high - 0.15), (a, low)]
        parts.append(mesh.lathe("nylon", mesh.fillet(profile, 0.2), nylon, 72))
    return parts


def nut(shape: Shape) -> list[Object]:
    """Three nuts as they fall out of the bag."""
    across, height = shape["across"], shape["height"]
    reach = shape["flange"] / 2 if shape["form"] == "flange" else across / 2
    contact = across * (0.43 if shape["form"] == "lock" else 0.49)
    return throw(lambda: one_nut(shape), reach, height, contact, 30.0)


# --- washers ---------------------------------------------------------------


def flat_washer(inner: float, outer: float, thick: float, steel: Material) -> list[Object]:
    """A punched disc: one edge drawn in by the tool, the other sharp."""
    a, b = inner / 2, outer / 2
    profile = [(a, thick / 2), (a, 0.0), (b, 0.0), (b, thick), (a, thick), (a, thick / 2)]
    return [mesh.lathe("washer", mesh.fillet(profile, 0.18 * thick), steel, 96)]


def spring_washer(inner: float, outer: float, thick: float, steel: Material) -> list[Object]:
    """One turn of a square wire whose ends stand apart."""
    a, b, e = inner / 2, outer / 2, thick * 0.1
    section = [
        (a, e),
        (a + e, 0.0),
        (b - e, 0.0),
        (b, e),
        (b, thick - e),
        (b - e, thick),
        (a + e, thick),
        (a, thick - e),
    ]
    rows = []
    for step in range(97):
        t = step / 96
        row = []
        for r, z in section:
            # The cut is slanted: the ends are not radial.
            angle = math.radians(4 + 352 * t + (r - a) / (b - a) * 7 + z / thick * 5 + 200)
            row.append((r * math.cos(angle), r * math.sin(angle), z + 0.85 * thick * t))
        rows.append(row)
    return [mesh.loft("spring", rows, steel)]


def tooth_washer(inner: float, outer: float, thick: float, teeth: int, steel: Material) -> list[Object]:
    """A thin ring with twisted teeth round the outside."""
    a, root, b, lift = inner / 2, inner / 2 + (outer - inner) * 0.2, outer / 2, thick * 0.75
    profile = [(a, lift), (root, lift), (root, lift + thick), (a, lift + thick), (a, lift)]
    parts = [mesh.lathe("ring", mesh.fillet(profile, 0.1 * thick), steel, 96)]
    half = math.pi / teeth * 0.74 * root
    for k in range(teeth):
        rows = []
        for t in (-0.15, 0.1, 0.3, 0.55, 0.8, 0.95, 1.0):
            r = root + (b - root) * t
            twist, wide = (
                math.radians(27) * min(1.0, max(0.0, t) * 1.4),
                half * (1 + 0.22 * t - (0.1 if t == 1.0 else 0)),
            )
            corners = ((-wide, -thick / 2), (wide, -thick / 2), (wide, thick / 2), (-wide, thick / 2))
            turned = [
                (y * math.cos(twist) - z * math.sin(twist), y * math.sin(twist) + z * math.cos(twist))
                for y, z in corners
            ]
            rows.append([(r, y, lift + thick / 2 + z) for y, z in turned])
        tooth = mesh.loft("tooth", rows, steel)
        mesh.bevel(tooth, thick * 0.08, 2)
        tooth.rotation_euler = (0, 0, 2 * math.pi * k / teeth)
        parts.append(tooth)
    return parts


def one_washer(shape: Shape) -> list[Object]:
    """A washer lying flat."""
    inner, outer, thick = shape["inner"], shape["outer"], shape["thick"]
    steel = materials.metal("stainless", "bcbdbe", rough=0.22)
    if shape["form"] == "spring":
        return spring_washer(inner, outer, thick, steel)
    if shape["form"] == "tooth":
        return tooth_washer(inner, outer, thick, shape["teeth"], steel)
    return flat_washer(inner, outer, thick, steel)


def washer(shape: Shape) -> list[Object]:
    """Three washers as they fall out of the bag."""
    rest = {"flat": 1.0, "spring": 1.5, "tooth": 1.9}[shape["form"]] * shape["thick"]
    return throw(lambda: one_washer(shape), shape["outer"] / 2, rest, shape["outer"] / 2, 0.0)


register(
    Kind(
        "hex bolt",
        bolt,
        poses=(LYING, LYING, Pose((180, 0, 0))),
        azimuth=(-60, 60),
        elevation=(22, 50),
        spacing=1.5,
    )
)


register(
    Kind(
        "socket cap screw",
        cap_screw,
        poses=(LYING, LYING, Pose((0, 90, 25), tip=True)),
        azimuth=(6, 74),
        elevation=(22, 50),
        spacing=1.5,
    )
)


HEAPS = (Pose(), Pose((0, 0, 40)), Pose((0, 0, -50)), Pose((0, 0, 150)))
for name, build in (("hex nut", nut), ("washer", washer)):
    register(
        Kind(
            name,
            build,
            poses=HEAPS,
            azimuth=(-35, 35),
            elevation=(26, 55),
            extras=("ruler",),
        )
    )
