"""Gears, bearings, springs, pipe fittings."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .. import materials, mesh
from ..model import Kind, Material, Object, Pose, Shape, register
from .fasteners import Radius, circle, hexagon, ring

LYING = Pose((0, 90, 0), tip=True)


def gear_outline(module: float, teeth: int, flank: str) -> list[mesh.Point]:
    """The outline of a spur gear: involute flanks, or blunt trapezoids."""
    pitch = module * teeth / 2
    outer, root = pitch + module, pitch - 1.25 * module
    base = pitch * math.cos(math.radians(20))
    tooth = 2 * math.pi / teeth

    def half_angle(r: float) -> float:
        """Half the tooth's angular thickness at a radius."""
        if flank == "trapezoid":
            return tooth / 4 * (1 - 0.62 * (r - pitch) / module * 0.55)
        involute = math.tan(math.radians(20)) - math.radians(20)
        if r <= base:
            return tooth / 4 + involute
        pressure = math.acos(base / r)
        return tooth / 4 + involute - (math.tan(pressure) - pressure)

    out = []
    radii = [root + (outer - root) * t for t in (0.0, 0.12, 0.3, 0.5, 0.7, 0.85, 1.0)]
    for k in range(teeth):
        middle = k * tooth
        sides = [(r, middle - half_angle(r)) for r in radii]
        sides += [(r, middle + half_angle(r)) for r in reversed(radii)]
        out += [(r * math.cos(a), r * math.sin(a)) for r, a in sides]
    return out


def window(spokes: int, number: int, inner: float, outer: float, half: float) -> list[mesh.Point]:
    """The opening between two spokes of a half width, corners rounded."""
    start, end = 2 * math.pi * number / spokes, 2 * math.pi * (number + 1) / spokes

    def arc(r: float, way: int) -> list[mesh.Point]:
        """Points at a radius that keep off both spokes."""
        a, b = start + math.asin(half / r), end - math.asin(half / r)
        steps = [a + (b - a) * i / 10 for i in range(11)]
        return [(r * math.cos(t), r * math.sin(t)) for t in steps[::way]]

    path = [*arc(outer, 1), *arc(inner, -1)]
    closed = [*path[5:], *path[:6]]  # begins in the middle of the rim, where nothing is to be rounded
    return mesh.fillet(closed, (outer - inner) * 0.16)[:-1]


def spoke_tools(spokes: int, inner: float, outer: float, width: float, steel: Material) -> list[Object]:
    """What to take away for spokes: windows, and a recess in either face."""
    half = outer * 0.105
    tools = [
        mesh.prism("window", window(spokes, k, inner * 1.04, outer * 0.985, half), -5, width + 5, steel)
        for k in range(spokes)
    ]
    a, b = mesh.polygon(96, outer), mesh.polygon(96, inner)
    tools.append(mesh.ring_prism("recess", a, b, width * 0.74, width + 5, steel))
    tools.append(mesh.ring_prism("recess", a, b, -5, width * 0.26, steel))
    return tools


def gear(shape: Shape) -> list[Object]:
    """A spur gear lying flat: full web or lightening holes, with a hub."""
    module, teeth, width, bore = shape["module"], shape["teeth"], shape["width"], shape["bore"]
    steel = materials.metal("steel", shape["colour"], rough=0.3, grain=0.6)
    outline = gear_outline(module, teeth, shape.get("flank", "involute"))
    pitch = module * teeth / 2
    body = mesh.prism("gear", outline, 0.0, width, steel)
    drills = [mesh.prism("bore", mesh.polygon(64, bore / 2), -5, width + 5, steel)]
    rim, hub = pitch - 3.1 * module, bore * 0.95
    for k in range(shape["holes"]):
        a = 2 * math.pi * (k + 0.5) / shape["holes"]
        middle, r = (rim + hub) / 2, (rim - hub) / 2 * 0.86
        drill = mesh.prism("drill", mesh.polygon(48, r), -5, width + 5, steel)
        drill.location = (middle * math.cos(a), middle * math.sin(a), 0)
        drills.append(drill)
    if shape.get("spokes"):
        drills += spoke_tools(shape["spokes"], hub * 1.02, rim, width, steel)
    for drill in drills:
        mesh.cut(body, drill)
    mesh.bevel(body, 0.22, 2)
    body.modifiers.new("flat", "WEIGHTED_NORMAL")  # keeps the large flat faces free of smears
    top = width + shape["hub"]
    parts = [body, *drills]
    boss = [(bore / 2, width - 0.5), (hub, width - 0.5), (hub, top), (bore / 2, top), (bore / 2, 0.2)]
    parts.append(mesh.lathe("boss", mesh.fillet(boss, 0.8), steel))
    return parts


def bearing(shape: Shape) -> list[Object]:
    """A deep-groove ball bearing, sealed by rubber or metal."""
    bore, outer, width = shape["bore"] / 2, shape["outer"] / 2, shape["width"]
    steel = materials.metal("steel", "d2d3d4", rough=0.16)
    third = (outer - bore) * 0.27
    rings = (
        ("inner", bore, bore + third),
        ("outer", outer - third * 0.9, outer),
    )
    parts = []
    for name, a, b in rings:
        profile = [(a, 0.7), (a, 0.0), (b, 0.0), (b, width), (a, width), (a, 0.7)]
        parts.append(mesh.lathe(name, mesh.fillet(profile, width * 0.09), steel, 128))
    a, b = bore + third * 0.9, outer - third * 0.8
    if shape.get("shield"):
        return [*parts, *shields(a, b, width)]
    rubber = materials.Nodes("seal", shape["seal"], rough=0.7)
    rubber.set("Specular IOR Level", 0.12)  # or it shines like steel under a low lamp
    low, high = width * 0.05, width * 0.95
    groove = a + (b - a) * 0.3
    seal = [(a, low), (groove, low + 0.3), (b, low), (b, high)]
    seal += [(groove + 0.8, high), (groove + 0.4, high - 0.5), (groove, high), (a, high), (a, low)]
    parts.append(mesh.lathe("seal", seal, rubber.material, 128))
    return parts


def shields(a: float, b: float, width: float) -> list[Object]:
    """Pressed sheet in both faces, with a gap at the inner ring and a crimped rim."""
    sheet = materials.metal("shield", "a3a5a6", rough=0.34)
    dark = materials.plain("gap", "0c0c0d", rough=0.8)
    third = (b - a) / 3
    steps = [(a + 0.3, 0.7), (a + 0.3, 0.45), (a + third * 0.7, 0.45), (a + third, 0.28)]
    steps += [(b - third * 0.7, 0.28), (b - third * 0.45, 0.6), (b, 0.6)]
    top = [(r, width - z) for r, z in steps]
    low = [(r, z) for r, z in reversed(steps)]
    parts = [mesh.lathe("shield", mesh.fillet(line, 0.18), sheet, 128) for line in (top, low)]
    parts.append(mesh.lathe("core", [(a - 0.1, 0.9), (b, 0.9), (b, width - 0.9), (a - 0.1, width - 0.9)], dark, 64))
    return parts


def spring(shape: Shape) -> list[Object]:
    """A compression spring with closed ends, straight or tapering to a part of its width."""
    wire, outer, length, turns = shape["wire"], shape["outer"], shape["length"], shape["turns"]
    steel = materials.metal("wire", shape["colour"], rough=0.2)
    r = (outer - wire) / 2
    dead = 1.1  # turns at either end that touch each other
    path: list[mesh.Vec] = []
    steps = int((turns + 2 * dead) * 36)
    free = length - wire - 2 * dead * wire
    for i in range(steps + 1):
        t = i / 36
        z = min(t, dead) * wire + max(0.0, min(t - dead, turns)) * free / turns
        z += max(0.0, t - dead - turns) * wire
        here = r * (1 - (1 - shape.get("taper", 1.0)) * min(1.0, max(0.0, t - dead / 2) / (turns + dead)))
        path.append((here * math.cos(2 * math.pi * t), here * math.sin(2 * math.pi * t), z + wire / 2))
    return [mesh.tube("spring", path, wire / 2, steel)]


def hook(r: float, reach: float, sweep: float, start: float, z: float) -> list[mesh.Vec]:
    """The end of an extension spring: up from the last turn and round a loop above it."""
    at = (r * math.cos(start), r * math.sin(start), z)
    along = (-math.sin(start), math.cos(start))
    loop = r * 0.96
    centre = z + reach
    side = (loop, 0.0, centre)
    pull = r * 0.55
    ahead = (at[0] + along[0] * pull, at[1] + along[1] * pull, z + pull * 0.1)
    path = mesh.bezier(at, ahead, (loop, 0.0, centre - reach * 0.75), side, 16)
    for i in range(1, 41):
        a = math.radians(sweep) * i / 40
        path.append((loop * math.cos(a), 0.0, centre + loop * math.sin(a)))
    return path


def extension_spring(shape: Shape) -> list[Object]:
    """A close-wound spring with a loop or a long hook at both ends, standing on one."""
    wire, outer, length = shape["wire"], shape["outer"], shape["length"]
    steel = materials.metal("wire", shape["colour"], rough=0.2)
    r = (outer - wire) / 2
    reach, sweep = (r * 2.2, 215.0) if shape["ends"] == "hook" else (r * 1.12 + wire, 288.0)
    body = length - 2 * (reach + r)
    turns = round(body / (wire * 1.03))
    half = math.pi * turns - math.radians(50)
    steps = int(turns * 32)
    coil: list[mesh.Vec] = []
    for i in range(steps + 1):
        t = half * (2 * i / steps - 1) + math.pi * turns
        coil.append((r * math.cos(t), r * math.sin(t), wire * 1.03 * (t / 2 / math.pi - turns / 2)))
    start, z = half + math.pi * turns, coil[-1][2]
    end = hook(r, reach, sweep, start, z)
    other = [(x, -y, -z) for x, y, z in reversed(end)]
    return [mesh.tube("spring", [*other[:-1], *coil, *end[1:]], wire / 2, steel)]


# --- pipe fittings ----------------------------------------------------------

PITCH = 1.814  # 14 threads an inch, as on G 1/2 and G 3/4
AROUND = tuple(2 * math.pi * k / 64 for k in range(64))
Rows = list[list[mesh.Vec]]


def grooved(radius: float, z: float, depth: float) -> Radius:
    """A thread's outline at a height; a negative depth cuts outwards."""
    return lambda a: radius - depth * max(0.0, 1 - 2.1 * abs((z / PITCH - a / 2 / math.pi) % 1.0 - 0.5))


def threaded(radius: float, z0: float, z1: float, depth: float, turn: Sequence[float]) -> Rows:
    """Rows of a thread from one height to another."""
    count = max(8, int(abs(z1 - z0) / PITCH * 8))
    heights = [z0 + (z1 - z0) * i / count for i in range(count + 1)]
    return [ring(grooved(radius, z, depth), z, turn) for z in heights]


def socket(pipe: float, wall: float, z0: float, z1: float) -> Rows:
    """A female end from the neck at z0 to its mouth at z1 and back into the thread."""
    minor, body = pipe / 2 - 1.16, pipe / 2 + wall
    bead, wide = body + wall * 0.62, wall * 1.65
    out = [(body, z0), (body, z1 - wide - wall * 0.5), (body + 0.1, z1 - wide - wall * 0.3)]
    out += [(bead - 0.5, z1 - wide), (bead, z1 - wide + 0.6), (bead, z1 - 0.7), (bead - 0.25, z1 - 0.25)]
    out += [(bead - 0.7, z1), (bead - 1.0, z1), (pipe / 2 + 0.5, z1), (pipe / 2 + 0.3, z1 - 0.05)]
    rows = [ring(circle(r), z, AROUND) for r, z in out]
    deep = min(12.0, (z1 - z0) * 0.8)
    return rows + threaded(minor, z1 - 0.9, z1 - deep, -1.1, AROUND)


def finish(shape: Shape) -> Material:
    """Bright brass, or malleable iron dipped in zinc."""
    if shape["metal"] == "brass":
        return materials.metal("brass", "c2a35f", rough=0.26)
    return materials.cast("galvanised", "b9bcbe", "8b8f92", rough=0.4, size=3.0)


def swing(row: Sequence[mesh.Vec], angle: float, bend: float) -> list[mesh.Vec]:
    """Turn a level row about the axis of an elbow's bend, which lies along y at x = bend."""
    out = []
    for x, y, z in row:
        dx = x - bend
        out.append((bend + dx * math.cos(angle) + z * math.sin(angle), y, -dx * math.sin(angle) + z * math.cos(angle)))
    return out


def elbow(shape: Shape) -> list[Object]:
    """A 90 degree elbow with two female ends: one below, one to the side."""
    pipe, wall, reach = shape["pipe"], shape["wall"], shape["reach"]
    body, inner = pipe / 2 + wall, pipe / 2 - 2.2
    bend = body * 1.12
    end = socket(pipe, wall, 0.0, reach - bend)
    arc = [math.pi / 2 * i / 14 for i in range(1, 14)]
    skin = [swing(ring(circle(body), 0.0, AROUND), a, bend) for a in arc]
    hole = [swing(ring(circle(inner), 0.0, AROUND), a, bend) for a in reversed(arc)]
    far = [swing(row, math.pi / 2, bend) for row in end]
    near = [[(x, y, -z) for x, y, z in row] for row in end]
    rows = [*reversed(near), *skin, *far, *hole]
    return [mesh.loft("elbow", rows, finish(shape), closed=True)]


def tee(shape: Shape) -> list[Object]:
    """A tee lying down: a straight run along x with a branch to the front."""
    pipe, wall, reach = shape["pipe"], shape["wall"], shape["reach"]
    body, inner, metal = pipe / 2 + wall, pipe / 2 - 2.2, finish(shape)
    end = socket(pipe, wall, body * 0.5, reach)
    low = [[(x, y, -z) for x, y, z in row] for row in reversed(end)]
    run = mesh.loft("run", [[(z, y, -x) for x, y, z in row] for row in [*low, *end]], metal, closed=True)
    drill = mesh.prism("drill", mesh.polygon(48, inner), 0.0, reach, metal)
    mesh.cut(run, drill)

    def saddle(r: float, base: float, lift: float) -> list[mesh.Vec]:
        """A ring of the branch where it meets a pipe of radius ``base``."""
        return ring(circle(r), lambda a: math.sqrt(max(0.0, base**2 - (r * math.sin(a)) ** 2)) + lift, AROUND)

    foot = [saddle(body * 0.995, body, -0.6), saddle(body * 0.998, body, 0.4)]
    branch = mesh.loft("branch", [*foot, *end[1:], saddle(inner, inner, 0.0)], metal, closed=True)
    parts = [run, drill, branch]
    for part in parts:
        part.rotation_euler = (math.pi / 2, 0, 0)
    return parts


def nipple(shape: Shape) -> list[Object]:
    """A hexagon nipple: male thread, nut, male thread, standing on end."""
    pipe, length, nut = shape["pipe"], shape["length"], shape["nut"]
    across: float = shape["across"]
    r, bore = pipe / 2, pipe / 2 - 3.0
    side, half, neck = hexagon(across), nut / 2, pipe / 2 - 1.3

    def drop(a: float) -> float:
        """The chamfer of the hexagon's corners."""
        return max(0.0, side(a) - across * 0.48) * 0.55

    upper = [ring(side, lambda a: half - drop(a) - 0.3), ring(side, lambda a: half - drop(a))]
    upper += [ring(circle(across * 0.48), half), ring(circle(across * 0.465), half)]
    upper += [ring(circle(neck + 0.2), half), ring(circle(neck), half + 0.2), ring(circle(neck), half + 1.6)]
    turn = [math.atan2(y, x) for x, y, _ in upper[0]]
    upper += threaded(r, half + 2.4, length / 2 - 1.3, 1.16, turn)
    rim = ((r - 1.2, 0.15), (r - 1.4, 0.0), (bore + 0.5, 0.0), (bore + 0.1, 0.12), (bore, 0.6))
    upper += [ring(circle(x), length / 2 - z) for x, z in rim]
    lower = [[(x, y, -z) for x, y, z in row] for row in reversed(upper)]
    return [mesh.loft("nipple", [*lower, *upper], finish(shape), closed=True)]


def fitting(shape: Shape) -> list[Object]:
    """A threaded pipe fitting."""
    builders = {"elbow": elbow, "tee": tee, "nipple": nipple}
    return builders[shape["form"]](shape)


register(
    Kind(
        "spur gear",
        gear,
        azimuth=(-45, 45),
        elevation=(32, 68),
    )
)


register(
    Kind(
        "ball bearing",
        bearing,
        poses=(Pose(), Pose(), Pose((78, 0, 20))),
        azimuth=(-40, 40),
        elevation=(25, 58),
    )
)


register(
    Kind(
        "compression spring",
        spring,
        poses=(LYING, LYING, Pose()),
        azimuth=(-55, 55),
        elevation=(18, 45),
        spacing=1.5,
    )
)


register(
    Kind(
        "extension spring",
        extension_spring,
        poses=(LYING, LYING, Pose((0, 90, 35), tip=True)),
        azimuth=(-50, 50),
        elevation=(22, 52),
        spacing=1.5,
    )
)


register(
    Kind(
        "pipe fitting",
        fitting,
        poses=(Pose(), Pose((0, 0, -40)), Pose((-90, 0, -20))),
        azimuth=(-50, 50),
        elevation=(18, 45),
    )
)
