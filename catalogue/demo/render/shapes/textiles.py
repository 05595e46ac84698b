"""Bags and cushions."""

from __future__ import annotations

import math
from collections.abc import Callable

from .. import materials, mesh
from ..model import Kind, Object, Pose, Shape, register
from ..motifs import MOTIFS


def tote(shape: Shape) -> list[Object]:
    """A cotton bag standing a little open, two long handles, a print in front."""
    w, h = shape["width"], shape["height"]
    picture = MOTIFS[shape["motif"]](760, 840, shape["ground"], shape["ink"])
    print_ = materials.printed("print", picture, rough=0.93, thread=0.006)
    cloth = materials.weave("cotton", shape["ground"].lstrip("#"), 1.6)

    def face(side: int) -> Callable[[float, float], mesh.Vec]:
        def point(u: float, v: float) -> mesh.Vec:
            open_ = 16 + 34 * math.sin(math.pi * u) * (0.35 + 0.65 * v)
            fold = 3.0 * math.sin(5 * u + 3 * v + side) * math.sin(9 * v + 1.7 * u)
            fold += 1.6 * math.sin(17 * u - 6 * v)
            pinch = 1 - 0.05 * math.sin(math.pi * v * 0.9)
            squash = (1 - (1 - v) ** 6) if v < 1 else 1.0
            x = (u - 0.5) * w * pinch
            y = side * (open_ * (0.25 + 0.75 * squash) * math.sin(math.pi * u) ** 0.6 + fold * squash)
            return (x, y, v * h + 4 * math.sin(math.pi * u) * (v - 0.5) * side)

        return point

    parts = [
        mesh.sheet("front", face(-1), (72, 72), 1.4, print_),
        mesh.sheet("back", face(1), (72, 72), 1.4, cloth),
    ]
    return parts + [_strap(w, h, side, face(side), cloth) for side in (-1, 1)]


def _strap(w: float, h: float, side: int, face: Callable[[float, float], mesh.Vec], cloth: object) -> Object:
    a, b = face(0.27, 0.93), face(0.73, 0.93)
    rise = h * 0.6 if side < 0 else h * 0.53
    path = mesh.bezier(
        (a[0], a[1] + side * 2, a[2]),
        (a[0] + w * 0.02, a[1] * 0.6, a[2] + rise),
        (b[0] - w * 0.02, b[1] * 0.6, b[2] + rise),
        (b[0], b[1] + side * 2, b[2]),
        steps=48,
    )

    def point(u: float, v: float) -> mesh.Vec:
        x, y, z = path[round(u * 48)]
        slope = math.pi * (u - 0.5)  # the band lies flat, its width turns with the arch
        return (x + (v - 0.5) * 24 * math.cos(slope) * 0.9, y, z + (v - 0.5) * 24 * math.sin(slope) * 0.9)

    return mesh.sheet("strap", point, (48, 4), 2.2, cloth)


def cushion(shape: Shape) -> list[Object]:
    """A filled square cushion, standing on its lower seam; both sides show the pattern."""
    w, ground = shape["width"], shape["ground"]
    picture = MOTIFS[shape["motif"]](640, 640, ground, shape["ink"])
    cloth = materials.printed("cover", picture, rough=0.95, thread=0.01)
    seam = materials.weave("seam", shape["seam"].lstrip("#"), 2.5)
    thin = 5.0 if shape["piped"] else 1.6
    rim = [_hem(w, k / 160) for k in range(161)]
    return [
        *(mesh.sheet("side", _puff(w, side), (80, 80), 0.0, cloth) for side in (-1, 1)),
        mesh.tube("seam", rim, thin, seam),
    ]


def _plan(w: float, a: float, b: float) -> tuple[float, float]:
    """A point of the cushion's outline plan: the filling pulls the seams in between the corners."""
    below = 0.3 if b < 0 else 1.0  # it stands on the lower seam, which its weight keeps flat
    x = a * w / 2 * (1 - 0.075 * (1 - b * b))
    z = b * w / 2 * (1 - 0.075 * below * (1 - a * a))
    return x, z + w / 2


def _puff(w: float, side: int) -> Callable[[float, float], mesh.Vec]:
    """One side of the cushion: full in the middle, puckered along the seams."""

    def point(u: float, v: float) -> mesh.Vec:
        # Denser near the seams, where the cloth bends away from the viewer.
        a, b = (0.6 * math.sin(math.pi * (t - 0.5)) + 0.4 * (2 * t - 1) for t in (u, v))
        x, z = _plan(w, a, b)
        inside = max(0.0, (1 - a * a) * (1 - b * b))
        full = w * (0.2 * inside**0.45 + 0.02 * inside * (1 - b))
        near_x, near_z = math.exp(-9 * (1 - abs(a))), math.exp(-9 * (1 - abs(b)))
        pucker = near_x * math.sin(13 * b + 2 * side) * math.sin(5 * b + a)
        pucker += near_z * math.sin(12 * a + side) * math.sin(6 * a + b)
        slack = math.sin(3.1 * a + 2.3 * b + side) * math.sin(2.2 * b - 1.3 * a)
        return (x, side * (full + w * inside**0.5 * (0.04 * pucker + 0.022 * slack)), z)

    return point


def _hem(w: float, t: float) -> mesh.Vec:
    """A point of the seam, once round the outline."""
    corner, along = int(t * 4) % 4, (t * 4) % 1 * 2 - 1
    a, b = ((along, -1.0), (1.0, along), (-along, 1.0), (-1.0, -along))[corner]
    x, z = _plan(w, a, b)
    return (x, 0.0, z)


register(
    Kind(
        "tote bag",
        tote,
        azimuth=(-32, 32),
        elevation=(6, 24),
        extras=("pair",),
    )
)


register(
    Kind(
        "cushion",
        cushion,
        poses=(Pose((-12, 0, 0)), Pose((-10, 0, 10)), Pose((-14, 0, -10)), Pose((-17, 0, 4))),
        azimuth=(-34, 34),
        elevation=(8, 30),
        extras=("pair",),
    )
)
