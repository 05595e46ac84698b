"""Bolts."""

from __future__ import annotations

import math

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
