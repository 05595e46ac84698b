"""Things photographed beside a product: a ruler, a carton."""

from __future__ import annotations

import bpy

from . import materials, mesh
from .model import Object


def ruler(length_mm: float) -> list[Object]:
    """A steel rule along x with true marks, numbered in cm; its edge lies at y = 0."""
    step = next((s for s in (5.0, 10.0, 20.0, 50.0, 100.0) if length_mm / s <= 7), 200.0)
    count = int(length_mm / step) + 1
    long, wide = (count + 0.8) * step, max(0.2 * length_mm, 0.9 * step)
    thick = wide * 0.035
    steel = materials.metal("rule", "b9babb", rough=0.42)
    ink = materials.plain("ink", "101010", rough=0.6)
    parts = [mesh.box("rule", (long, wide, thick), (count * step / 2, -wide / 2, 0), steel, thick * 0.3)]
    fine = 5 if step == 5 else 10
    for i in range(count * fine + 1):
        size = wide * (0.46 if i % fine == 0 else 0.34 if i % 5 == 0 else 0.22)
        width = wide * (0.022 if i % fine == 0 else 0.014)
        at = (i * step / fine, -size / 2 - wide * 0.02, thick * 0.995)
        parts.append(mesh.box("mark", (width, size, thick * 0.02), at, ink, thick * 0.001))
    for k in range(count + 1):
        at = (k * step, -wide * 0.86, thick * 1.02)
        parts.append(_label(f"{k * step / 10:g}", min(0.4 * wide, 0.6 * step), at, ink))
    return parts


def _label(text: str, size: float, at: mesh.Vec, ink: object) -> Object:
    data = bpy.data.curves.new("label", "FONT")
    data.body, data.size, data.align_x = text, size, "CENTER"
    data.materials.append(ink)
    thing = bpy.data.objects.new("label", data)
    thing.location = at
    bpy.context.scene.collection.objects.link(thing)
    return thing


def carton(w: float, d: float, h: float) -> list[Object]:
    """A kraft carton with a strip of tape and a blank label."""
    edge = min(w, d, h)
    kraft = materials.speckle("carton", "b58a5c", "a27a4f", edge * 0.3)
    tape = materials.plain("tape", "c9a878", rough=0.25, coat=0.5)
    paper = materials.plain("label", "efefec", rough=0.6)
    ink = materials.plain("ink", "222222", rough=0.6)
    thin = edge * 0.004
    parts = [
        mesh.box("carton", (w, d, h), (0, 0, 0), kraft, edge * 0.012),
        mesh.box("tape", (w * 1.002, edge * 0.16, thin), (0, 0, h), tape, thin * 0.3),
        mesh.box("flap", (thin, edge * 0.16, h * 0.3), (w / 2, 0, h * 0.7), tape, thin * 0.3),
        mesh.box("label", (w * 0.46, thin, h * 0.3), (-w * 0.18, -d / 2, h * 0.55), paper, thin * 0.3),
    ]
    for k in range(9):  # a bar code
        x = -w * 0.36 + k * w * 0.04
        bar = w * (0.018, 0.008, 0.026, 0.012)[k % 4]
        parts.append(mesh.box("bar", (bar, thin, h * 0.12), (x, -d / 2 - thin, h * 0.6), ink, thin * 0.2))
    return parts
