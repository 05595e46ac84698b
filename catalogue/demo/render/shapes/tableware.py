"""Mugs and bottles."""

from __future__ import annotations

from .. import materials, mesh
from ..model import Kind, Object, Pose, Shape, register
from ..motifs import MOTIFS


def mug(shape: Shape) -> list[Object]:
    """A straight glazed mug with a printed outside and a handle at +x."""
    r, h, wall = shape["radius"], shape["height"], 3.6
    picture = MOTIFS[shape["motif"]](1024, 360, shape["ground"], shape["ink"])
    print_ = materials.printed("print", picture, rough=0.22, coat=0.6)
    glaze = materials.plain("glaze", shape["inside"], rough=0.2, coat=0.6)
    # The print stops a little below the rim, where the plain glaze takes over.
    low, top = h * 0.06, h * 0.94
    outside = mesh.lathe("outside", [(r, low), (r, top)], print_, smooth=60)
    profile = [(0.0, 0.0), (r - 6, 0.0), (r - 5.2, 1.6), (r, low + 1.2), (r, low)]
    foot = mesh.lathe("foot", mesh.fillet(profile, 4), glaze, smooth=60)
    lip = [(r, top), (r, h), (r - wall, h), (r - wall, wall * 1.6), (0.0, wall * 1.6)]
    rim = mesh.lathe("rim", mesh.fillet(lip, 9), glaze, smooth=60)
    return [outside, foot, rim, _handle(r, h, shape, glaze)]


def _handle(r: float, h: float, shape: Shape, glaze: object) -> Object:
    reach = shape.get("reach", 34.0)
    path = mesh.bezier((r - 2, 0, h * 0.8), (r + reach, 0, h * 0.92), (r + reach, 0, h * 0.1), (r - 2, 0, h * 0.22))
    return mesh.tube("handle", path, 6.4, glaze, flat=0.62)


def bottle(shape: Shape) -> list[Object]:
    """An insulated steel bottle: powder-coated body, bare neck, screw lid."""
    r, h = shape["radius"], shape["height"]
    coat = materials.plain("coat", shape["colour"], rough=0.42)
    steel = materials.metal("steel", "c9c9c6", rough=0.25, grain=1.0)
    lid = materials.plain("lid", shape["lid"], rough=0.4)
    neck, shoulder = r * 0.62, h * 0.74
    body = [(0.0, 1.0), (r * 0.93, 1.0), (r, 9.0), (r, shoulder)]
    body += [(neck + 1.5, h * 0.845), (neck + 1.5, h * 0.86), (neck - 1, h * 0.86)]
    base = [(0.0, 0.0), (r * 0.9, 0.0), (r * 0.955, 4.0), (r * 0.9, 8.0)]
    ring = [(neck - 1, h * 0.855), (neck, h * 0.86), (neck, h * 0.885), (neck - 1, h * 0.89)]
    cap = [(neck - 2, h * 0.885), (neck + 2, h * 0.885), (neck + 2, h), (0.0, h)]
    loop = mesh.bezier(
        (-neck * 0.8, 0, h * 0.985), (-neck, 0, h * 1.09), (neck, 0, h * 1.09), (neck * 0.8, 0, h * 0.985)
    )
    return [
        mesh.lathe("body", mesh.fillet(body, r * 0.45), coat, smooth=50),
        mesh.lathe("base", mesh.fillet(base, 3), steel, smooth=50),
        mesh.lathe("ring", ring, steel),
        mesh.lathe("cap", mesh.fillet(cap, 3), lid, smooth=45),
        mesh.tube("loop", loop, 4.2, lid, flat=1.5),
    ]


register(
    Kind(
        "mug",
        mug,
        poses=(Pose((0, 0, 25)), Pose((0, 0, -25)), Pose((0, 0, 155))),
        azimuth=(-30, 30),
        elevation=(12, 36),
    )
)


register(
    Kind(
        "bottle",
        bottle,
        poses=(Pose(), Pose(), Pose((0, 90, 0), tip=True)),
        elevation=(6, 26),
        extras=("pair", "box"),
        spacing=1.3,
    )
)
