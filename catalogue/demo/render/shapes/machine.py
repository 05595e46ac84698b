"""Gears, bearings, springs."""

from __future__ import annotations

import math

from .. import materials, mesh
from ..model import Kind, Object, Pose, Shape, register

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
    rubber = materials.plain("seal", shape["seal"], rough=0.5)
    a, b = bore + third * 0.9, outer - third * 0.8
    low, high = width * 0.05, width * 0.95
    groove = a + (b - a) * 0.3
    seal = [(a, low), (groove, low + 0.3), (b, low), (b, high)]
    seal += [(groove + 0.8, high), (groove + 0.4, high - 0.5), (groove, high), (a, high), (a, low)]
    parts.append(mesh.lathe("seal", seal, rubber, 128))
    return parts


def spring(shape: Shape) -> list[Object]:
    """A compression spring with closed, ground ends."""
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
        path.append((r * math.cos(2 * math.pi * t), r * math.sin(2 * math.pi * t), z + wire / 2))
    return [mesh.tube("spring", path, wire / 2, steel)]


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
