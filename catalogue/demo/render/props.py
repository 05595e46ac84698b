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
    """A shipping carton of corrugated board, closed with tape, with a label and care marks."""
    edge = min(w, d, h)
    flute = max(edge * 0.02, max(w, h) * 0.012)
    board, fold = edge * 0.016, edge * 0.006
    body = materials.cardboard("board", "cdaa80", flute, "XY")
    flap = materials.cardboard("flap", "d0ae85", flute, "X")
    inside = materials.plain("inside", "6d5334", rough=0.95)
    half = d / 2 - fold
    parts = [
        mesh.box("body", (w, d, h - board * 1.5), (0, 0, 0), body, edge * 0.008),
        # What shows between the flaps and under their edges is the shade inside the box.
        mesh.box("shade", (w - 2 * fold, d - 2 * fold, board), (0, 0, h - board * 1.9), inside, fold * 0.1),
    ]
    for side in (-1, 1):
        size, at = (w * 0.996, half - fold * 0.8, board), (0, side * (half / 2 + fold * 0.9), h - board)
        parts.append(mesh.box("flap", size, at, flap, board * 0.25))
    return parts + _tape(w, edge, h) + _label_of(w, d, h) + _marks(w, d, h)


def _tape(w: float, edge: float, h: float) -> list[Object]:
    """A strip along the seam, its ends pressed down over the sides."""
    tape = materials.plain("tape", "a97f4c", rough=0.3, coat=0.4)
    thin, wide, drop = edge * 0.004, edge * 0.17, min(h * 0.28, w * 0.14)
    seam = materials.plain("seam", "7d5a33", rough=0.4, coat=0.4)
    parts = [
        mesh.box("tape", (w + thin, wide, thin), (0, 0, h), tape, thin * 0.3),
        mesh.box("seam", (w * 0.99, edge * 0.012, thin), (0, 0, h + thin * 0.2), seam, thin * 0.1),
    ]
    ends = [(side * (w + thin) / 2, 0.0, h - drop) for side in (-1, 1)]
    return parts + [mesh.box("end", (thin, wide, drop), at, tape, thin * 0.3) for at in ends]


def _label_of(w: float, d: float, h: float) -> list[Object]:
    """A white address label with a bar code and some print, left on the front."""
    thin = min(w, d, h) * 0.004
    paper = materials.plain("label", "efefec", rough=0.6)
    ink = materials.plain("ink", "222222", rough=0.6)
    wide = min(w * 0.42, h * 0.7)
    tall, left = wide * 0.6, -w * 0.44
    low = h * 0.9 - tall
    parts = [mesh.box("label", (wide, thin, tall), (left + wide / 2, -d / 2, low), paper, thin * 0.3)]
    for k in range(18):
        bar = wide * (0.02, 0.01, 0.03, 0.014)[k * 7 % 4]
        at = (left + wide * (0.1 + 0.047 * k), -d / 2 - thin, low + tall * 0.12)
        parts.append(mesh.box("bar", (bar, thin, tall * 0.34), at, ink, thin * 0.2))
    for k, length in enumerate((0.52, 0.68, 0.4)):
        at = (left + wide * (0.1 + length / 2), -d / 2 - thin, low + tall * (0.84 - 0.11 * k))
        parts.append(mesh.box("line", (wide * length, thin, tall * 0.05), at, ink, thin * 0.2))
    return parts


def _marks(w: float, d: float, h: float) -> list[Object]:
    """Two arrows over a bar: this side up, printed low on the right of the front."""
    ink = materials.plain("stamp", "4a3a2a", rough=0.9)
    thin, size = min(w, d, h) * 0.002, min(w * 0.16, h * 0.22)
    right, low = w * 0.42, h * 0.1
    parts = [mesh.box("bar", (size, thin, size * 0.07), (right - size / 2, -d / 2, low), ink, thin * 0.2)]
    for k in (0.27, 0.73):
        x = right - size * k
        head = [(-0.17, 0.62), (0.17, 0.62), (0.0, 0.95)]
        stem = [(-0.06, 0.14), (0.06, 0.14), (0.06, 0.63), (-0.06, 0.63)]
        for outline in (head, stem):
            arrow = mesh.prism("arrow", [(x + a * size, low + b * size) for a, b in outline], -thin, thin, ink)
            arrow.rotation_euler, arrow.location = (1.5707963, 0, 0), (0, -d / 2, 0)
            parts.append(arrow)
    return parts
