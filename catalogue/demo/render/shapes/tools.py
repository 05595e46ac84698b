"""Hand tools."""

from __future__ import annotations

import math

from .. import materials, mesh
from ..model import Kind, Object, Pose, Shape, register


def screwdriver(shape: Shape) -> list[Object]:
    """A screwdriver standing on its tip: two-colour handle, round blade."""
    blade, r = shape["blade"], shape["shaft"] / 2
    steel = materials.metal("chrome", "cfd0d2", rough=0.18)
    grip = materials.plain("grip", shape["colour"], rough=0.5)
    dark = materials.plain("core", shape["core"], rough=0.4, coat=0.3)
    length = shape["handle"]
    tip = _phillips(r, steel) if shape["tip"] == "phillips" else _slotted(r, shape["tip_width"], steel)
    shaft = mesh.lathe("shaft", [(0, 12), (r, 12), (r, blade), (0, blade)], steel, 48)
    return [*tip, shaft, _handle(blade, length, grip), *_ends(blade, length, dark)]


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
        poses=(Pose((0, 90, 0), tip=True),),
        azimuth=(-60, 60),
        elevation=(28, 62),
        extras=("ruler", "box"),
        spacing=1.6,
    )
)
