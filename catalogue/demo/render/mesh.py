"""Mesh builders. Everything is in millimetres, z up, standing on z = 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import bmesh
import bpy
import numpy as np
from mathutils import Vector

from .model import Material, Object

Point = tuple[float, float]
Vec = tuple[float, float, float]


def add_mesh(
    name: str,
    vertices: Sequence[Vec],
    faces: Sequence[Sequence[int]],
    material: Material,
    smooth: float = 35.0,
) -> Object:
    """Make an object; edges blunter than ``smooth`` degrees are shaded smooth."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices, [], faces)
    mesh.validate()
    mesh.update()
    mesh.shade_smooth()
    mesh.set_sharp_from_angle(angle=math.radians(smooth))
    mesh.materials.append(material)
    thing = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def outward(thing: Object) -> Object:
    """Turn all faces outwards, whichever way the outline ran."""
    work = bmesh.new()
    work.from_mesh(thing.data)
    bmesh.ops.recalc_face_normals(work, faces=work.faces)
    work.to_mesh(thing.data)
    work.free()
    return thing


def bevel(thing: Object, width: float, segments: int = 3) -> Object:
    """Round the hard edges: real things have no perfectly sharp ones."""
    modifier = thing.modifiers.new("bevel", "BEVEL")
    modifier.width, modifier.segments = width, segments
    modifier.limit_method, modifier.angle_limit = "ANGLE", math.radians(35)
    modifier.harden_normals = False
    return thing


def fillet(points: Sequence[Point], radius: float, steps: int = 5) -> list[Point]:
    """Round the inner corners of an open polyline by (at most) ``radius``."""
    out = [points[0]]
    for a, b, c in zip(points, points[1:], points[2:], strict=False):
        before, here, after = (np.array(p, dtype=float) for p in (a, b, c))
        left, right = before - here, after - here
        reach = min(radius, 0.45 * float(np.hypot(*left)), 0.45 * float(np.hypot(*right)))
        start = here + left / max(float(np.hypot(*left)), 1e-9) * reach
        end = here + right / max(float(np.hypot(*right)), 1e-9) * reach
        for step in range(steps + 1):
            t = step / steps
            p = (1 - t) ** 2 * start + 2 * t * (1 - t) * here + t * t * end
            out.append((float(p[0]), float(p[1])))
    out.append(points[-1])
    return out


def lathe(
    name: str,
    profile: Sequence[Point],
    material: Material,
    segments: int = 96,
    smooth: float = 35.0,
) -> Object:
    """Turn a profile of (radius, height) about z; u runs round, v runs up."""
    rows = len(profile)
    vertices: list[Vec] = []
    for k in range(segments):
        angle = 2 * math.pi * k / segments
        vertices += [(r * math.cos(angle), r * math.sin(angle), z) for r, z in profile]
    faces, uvs = [], []
    low = min(z for _, z in profile)
    span = max(max(z for _, z in profile) - low, 1e-9)
    for k in range(segments):
        for i in range(rows - 1):
            here, there = k * rows + i, (k + 1) % segments * rows + i
            faces.append((here, there, there + 1, here + 1))
            v0, v1 = (profile[i][1] - low) / span, (profile[i + 1][1] - low) / span
            u0, u1 = k / segments, (k + 1) / segments
            uvs += [(u0, v0), (u1, v0), (u1, v1), (u0, v1)]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices, [], faces)
    layer = mesh.uv_layers.new(name="UVMap")
    layer.data.foreach_set("uv", [x for uv in uvs for x in uv])
    mesh.shade_smooth()
    mesh.set_sharp_from_angle(angle=math.radians(smooth))
    mesh.materials.append(material)
    thing = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def ring_prism(
    name: str,
    outer: Sequence[Point],
    inner: Sequence[Point],
    z0: float,
    z1: float,
    material: Material,
) -> Object:
    """Extrude the area between two outlines that have equally many points."""
    n = len(outer)
    vertices: list[Vec] = [(x, y, z) for z in (z0, z1) for ring in (outer, inner) for x, y in ring]
    faces = []
    for i in range(n):
        j = (i + 1) % n
        faces += [
            (i, n + i, n + j, j),
            (2 * n + i, 2 * n + j, 3 * n + j, 3 * n + i),
            (i, j, 2 * n + j, 2 * n + i),
            (n + j, n + i, 3 * n + i, 3 * n + j),
        ]
    return add_mesh(name, vertices, faces, material, smooth=30)


def prism(name: str, outline: Sequence[Point], z0: float, z1: float, material: Material) -> Object:
    """Extrude a filled outline between two heights."""
    n = len(outline)
    vertices: list[Vec] = [(x, y, z) for z in (z0, z1) for x, y in outline]
    sides = [(i, (i + 1) % n, n + (i + 1) % n, n + i) for i in range(n)]
    caps = [tuple(reversed(range(n))), tuple(range(n, 2 * n))]
    return add_mesh(name, vertices, [*sides, *caps], material, smooth=30)


def polygon(sides: int, radius: float, turn: float = 0.0) -> list[Point]:
    """A regular outline, corners at ``radius``."""
    angles = [turn + 2 * math.pi * k / sides for k in range(sides)]
    return [(radius * math.cos(a), radius * math.sin(a)) for a in angles]


def box(name: str, size: Vec, at: Vec, material: Material, edge: float = 1.0) -> Object:
    """A box with rounded edges; ``at`` is the middle of its floor."""
    x, y = size[0] / 2, size[1] / 2
    corners = [(-x, -y), (x, -y), (x, y), (-x, y)]
    thing = prism(name, corners, 0, size[2], material)
    thing.location = at
    return bevel(thing, edge)


def tube(
    name: str,
    path: Sequence[Vec],
    radius: float,
    material: Material,
    flat: float = 1.0,
    taper: Sequence[float] | None = None,
) -> Object:
    """Sweep a circle (``flat`` < 1: an ellipse) along a smooth path."""
    points = [Vector(p) for p in path]
    ring = 24
    vertices: list[Vec] = []
    side = Vector((0, 0, 1))
    for i, here in enumerate(points):
        along = (points[min(i + 1, len(points) - 1)] - points[max(i - 1, 0)]).normalized()
        # Carrying the frame along the path keeps the section from twisting.
        side = side - along * side.dot(along)
        side = side.normalized() if side.length > 1e-4 else along.orthogonal().normalized()
        other = along.cross(side)
        scale = taper[i] if taper else 1.0
        for k in range(ring):
            a = 2 * math.pi * k / ring
            off = side * (math.cos(a) * radius * flat) + other * (math.sin(a) * radius)
            vertices.append(tuple(here + off * scale))
    faces: list[Sequence[int]] = []
    for i in range(len(points) - 1):
        for k in range(ring):
            a, b = i * ring + k, i * ring + (k + 1) % ring
            faces.append((a, b, b + ring, a + ring))
    last = (len(points) - 1) * ring
    faces += [tuple(reversed(range(ring))), tuple(range(last, last + ring))]
    return add_mesh(name, vertices, faces, material, smooth=50)


def bezier(a: Vec, b: Vec, c: Vec, d: Vec, steps: int = 32) -> list[Vec]:
    """Points of a cubic curve."""
    out: list[Vec] = []
    for i in range(steps + 1):
        t = i / steps
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
        x, y, z = (sum(w * p[axis] for w, p in zip(weights, (a, b, c, d), strict=True)) for axis in range(3))
        out.append((x, y, z))
    return out


def sheet(
    name: str,
    surface: Callable[[float, float], Vec],
    steps: tuple[int, int],
    thickness: float,
    material: Material,
    edge: float = 0.0,
) -> Object:
    """A thin curved sheet: ``surface`` maps u, v in 0..1 to a point."""
    nu, nv = steps
    vertices = [surface(i / nu, j / nv) for i in range(nu + 1) for j in range(nv + 1)]
    faces, uvs = [], []
    for i in range(nu):
        for j in range(nv):
            a = i * (nv + 1) + j
            faces.append((a, a + nv + 1, a + nv + 2, a + 1))
            for du, dv in ((0, 0), (1, 0), (1, 1), (0, 1)):
                uvs += [(i + du) / nu, (j + dv) / nv]
    thing = add_mesh(name, vertices, faces, material)
    layer = thing.data.uv_layers.new(name="UVMap")
    layer.data.foreach_set("uv", uvs)
    if thickness:
        solid = thing.modifiers.new("solid", "SOLIDIFY")
        solid.thickness, solid.offset = thickness, 0.0
    return bevel(thing, edge) if edge else thing


def cut(thing: Object, tool: Object) -> Object:
    """Subtract ``tool`` from ``thing``; the tool itself is never rendered."""
    modifier = thing.modifiers.new("cut", "BOOLEAN")
    modifier.operation, modifier.object, modifier.solver = "DIFFERENCE", tool, "EXACT"
    tool.hide_render = True
    tool["tool"] = True
    return thing


def loft(
    name: str,
    rows: Sequence[Sequence[Vec]],
    material: Material,
    closed: bool = False,
    smooth: float = 35.0,
) -> Object:
    """Skin rings of equally many points; the last joins the first (``closed``) or both are capped."""
    ring, count = len(rows[0]), len(rows)
    faces: list[Sequence[int]] = []
    for i in range(count if closed else count - 1):
        below, above = i * ring, (i + 1) % count * ring
        for k in range(ring):
            j = (k + 1) % ring
            faces.append((below + k, below + j, above + j, above + k))
    if not closed:
        faces += [tuple(reversed(range(ring))), tuple(range((count - 1) * ring, count * ring))]
    return add_mesh(name, [p for row in rows for p in row], faces, material, smooth)
