"""Mugs, bottles, bowls, vases, pots and jars."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

from mathutils import Euler, Vector

from .. import materials, mesh
from ..model import Kind, Material, Object, Pose, Shape, register
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


# --- bowls and vases -------------------------------------------------------


def _glaze(name: str, colour: str, rough: float, coat: float) -> tuple[materials.Nodes, object, object]:
    """A glaze under construction, the height on the piece (0 to 1) and a soft noise."""
    nodes = materials.Nodes(name, colour, rough)
    nodes.set("Coat Weight", coat)
    nodes.set("Coat Roughness", 0.1)
    split = nodes.add("SeparateXYZ")
    nodes.link(nodes.coords((1, 1, 1), "UV"), split.inputs["Vector"])
    noise = nodes.add("TexNoise", Scale=1.0, Detail=5.0, Roughness=0.6)
    nodes.link(nodes.coords((0.09,) * 3), noise.inputs["Vector"])
    nodes.vary(noise.outputs["Fac"], rough * 0.7, rough * 1.4)
    return nodes, split.outputs["Y"], noise.outputs["Fac"]


def _reactive(stops: list[tuple[float, str]], spread: float, rough: float = 0.25) -> Material:
    """A glaze that breaks into other colours by height, along a wavering line."""
    nodes, up, noise = _glaze("reactive", stops[0][1], rough, 0.5)
    waver = nodes.add("Math")
    waver.operation = "MULTIPLY_ADD"
    waver.inputs[1].default_value = spread
    nodes.link(noise, waver.inputs[0])
    nodes.link(up, waver.inputs[2])
    nodes.ramp(waver.outputs[0], [(at + spread * 0.5, colour) for at, colour in stops], "Base Color")
    return nodes.material


def _striped(ground: str, ink: str) -> Material:
    """A light glaze with two brushed bands below the rim, inside and out."""
    nodes, up, _ = _glaze("striped", ground, 0.22, 0.5)
    bands = [(0.0, ground), (0.66, ink), (0.71, ground), (0.775, ink), (0.9, ground), (0.965, ink)]
    nodes.ramp(up, bands, "Base Color")
    nodes.shader.inputs["Base Color"].links[0].from_node.color_ramp.interpolation = "CONSTANT"
    return nodes.material


def _speckled(ground: str, fleck: str, size: float, rough: float = 0.3) -> Material:
    """A glaze with iron flecks of uneven size."""
    nodes, _, _ = _glaze("speckled", ground, rough, 0.3)
    cells = nodes.add("TexVoronoi", Scale=1.0)
    nodes.link(nodes.coords((1 / size,) * 3), cells.inputs["Vector"])
    patchy = nodes.add("TexNoise", Scale=0.35, Detail=3.0)
    nodes.link(nodes.coords((1 / size,) * 3), patchy.inputs["Vector"])
    grow = nodes.add("MapRange", From_Min=0.35, From_Max=0.7, To_Min=0.25, To_Max=-0.12)
    nodes.link(patchy.outputs["Fac"], grow.inputs["Value"])
    total = nodes.add("Math")
    total.operation = "ADD"
    nodes.link(cells.outputs["Distance"], total.inputs[0])
    nodes.link(grow.outputs["Result"], total.inputs[1])
    nodes.ramp(total.outputs[0], [(0.18, fleck), (0.26, ground)], "Base Color")
    return nodes.material


GLAZES: dict[str, Callable[[], Material]] = {
    "reactive": lambda: _reactive([(0.1, "47626a"), (0.62, "5f818a"), (0.84, "8a9c96"), (0.97, "5b3a26")], 0.3),
    "bluerim": lambda: _striped("dcd8cc", "2b4a7d"),
    "speckled": lambda: _speckled("c2b8a4", "33261c", 5.5),
    "terracotta": lambda: _speckled("9a5638", "70402b", 5.0, rough=0.75),
    "drip": lambda: _reactive([(0.0, "22453a"), (0.55, "2f5d4c"), (0.75, "5c8468"), (0.96, "6d5a3a")], 0.35),
    "chalk": lambda: materials.plain("chalk", "c6beb0", rough=0.62),
}


def _curve(points: Sequence[mesh.Point], steps: int = 10) -> list[mesh.Point]:
    """A smooth line that is drawn towards the points."""
    return mesh.fillet(points, 1e4, steps)


def bowl(shape: Shape) -> list[Object]:
    """A thrown stoneware bowl on a bare foot ring."""
    r, h, wall = shape["radius"], shape["height"], shape["wall"]
    glaze = GLAZES[shape["glaze"]]()
    clay = materials.speckle("clay", "b79a78", "94785a", 6.0)
    foot = [(0.0, 3.5), (0.36 * r, 3.5), (0.38 * r, 0.0), (0.45 * r, 0.0), (0.47 * r, 5.2)]
    outside = [(0.465 * r, 5.0), (0.8 * r, 0.16 * h), (0.98 * r, 0.5 * h), (r, h - wall * 0.7)]
    inside = [(r - wall, h - wall * 0.7), (0.96 * r - wall, 0.5 * h), (0.76 * r, 0.13 * h + wall), (0.0, wall + 3)]
    rim = [(r - wall * k, h - wall * 0.7 * (2 * k - 1) ** 2) for k in (0.12, 0.3, 0.5, 0.7, 0.88)]
    profile = [*_curve(outside), *rim, *_curve(inside)]
    return [
        mesh.lathe("foot", mesh.fillet(foot, 1.5), clay, smooth=50),
        mesh.lathe("bowl", profile, glaze, segments=128, smooth=70),
    ]


# Half profiles in parts of the height, from the foot to the lip.
VASES: dict[str, list[mesh.Point]] = {
    "bulb": [(0.15, 0.0), (0.24, 0.03), (0.4, 0.2), (0.42, 0.48), (0.22, 0.66), (0.075, 0.7), (0.095, 0.9), (0.135, 1)],
    "neck": [(0.2, 0.0), (0.225, 0.01), (0.225, 0.3), (0.225, 0.6), (0.2, 0.68), (0.07, 0.7), (0.075, 0.85), (0.1, 1)],
    "fluted": [(0.15, 0.0), (0.17, 0.02), (0.2, 0.25), (0.26, 0.6), (0.25, 0.86), (0.2, 0.96), (0.215, 1.0)],
}


def vase(shape: Shape) -> list[Object]:
    """A ceramic vase; ``flutes`` grooves run up its wall."""
    h, wall = shape["height"], 3.5 + 0.006 * shape["height"]
    outer = _curve([(r * h, z * h) for r, z in VASES[shape["form"]]], 12)
    lip_r = outer[-1][0]
    lip = [(lip_r - wall * k, h + wall * 0.5 * math.sin(math.pi * k)) for k in (0.2, 0.4, 0.6, 0.8)]
    inner = [(max(r - wall, 2.0), z) for r, z in reversed(outer) if z > wall * 2]
    profile = [(0.0, 1.5), (outer[0][0] * 0.85, 1.5), *outer, *lip, *inner, (0.0, wall * 2)]
    flutes = shape.get("flutes", 0)
    segments = flutes * 10 if flutes else 128
    body = mesh.lathe("vase", profile, GLAZES[shape["glaze"]](), segments, smooth=60)
    if flutes:
        _flute(body, flutes, h, len(profile) - len(inner) - 1, len(profile))
    return [body]


def _flute(body: Object, count: int, h: float, last: int, rows: int) -> None:
    """Press rounded ribs into the outer wall, fading out towards foot and lip."""
    for number, vertex in enumerate(body.data.vertices):
        x, y, z = vertex.co
        fade = min(1.0, z / (0.06 * h), (h * 0.95 - z) / (0.05 * h))
        if number % rows < last and fade > 0:
            depth = 0.026 * h * fade * (abs(math.sin(math.atan2(y, x) * count / 2)) - 1)
            scale = 1 + depth / max(math.hypot(x, y), 1.0)
            vertex.co = (x * scale, y * scale, z)


# --- pots ------------------------------------------------------------------


def saucepan(shape: Shape) -> list[Object]:
    """A steel pot with a sandwich base; its handle is at +x."""
    r, h = shape["radius"], shape["height"]
    steel = materials.metal("steel", "cfcfcc", rough=0.2, grain=0.35)
    base = [(0.0, 0.0), (r - 9, 0.0), (r - 7, 1.5), (r - 7, 5.6), (r - 8.5, 6.4)]
    wall = [(r - 8.5, 6.4), (r - 6, 6.6), (r, 15.0), (r, h - 4)]
    lip = [(r, h - 3), (r + 3.4, h - 0.6), (r + 3.6, h), (r + 2.6, h + 0.2), (r - 1.2, h - 4)]
    floor = [(r - 1.2, h - 6), (r - 1.2, 15.0), (r - 8, 8.0), (0.0, 8.0)]
    pot = [*mesh.fillet(wall, 8), *mesh.fillet(lip, 2), *mesh.fillet(floor, 8)]
    parts = [
        mesh.lathe("base", mesh.fillet(base, 1.2), materials.metal("foot", "bdbdba", rough=0.3), segments=128),
        mesh.lathe("pot", pot, steel, segments=128, smooth=40),
    ]
    return [*parts, *HANDLES[shape["handle"]](r, h, steel), *LIDS[shape["lid"]](r, h)]


def _plate(r: float, z: float, steel: Material, width: float = 36.0) -> list[Object]:
    """A bracket riveted to the wall at +x."""
    half = width / 2 / r

    def surface(u: float, v: float) -> mesh.Vec:
        a = (2 * u - 1) * half
        return (r + 1.0) * math.cos(a), (r + 1.0) * math.sin(a), z + (v - 0.5) * 22

    parts = [mesh.sheet("plate", surface, (12, 2), 2.0, steel, edge=0.6)]
    for side in (-1, 1):
        rivet = mesh.lathe("rivet", [(3.4, 0.0), (3.0, 0.9), (1.8, 1.6), (0.0, 1.9)], steel, segments=24)
        a = side * half * 0.72
        rivet.location = ((r + 1.8) * math.cos(a), (r + 1.8) * math.sin(a), z)
        rivet.rotation_euler = (0, math.pi / 2, a)
        parts.append(rivet)
    return parts


def _rod(r: float, h: float, steel: Material) -> list[Object]:
    """A long handle bent from one steel rod, open in the middle."""
    z, length = h * 0.72, 84 + 0.8 * r
    top = mesh.bezier((r, 8, z), (r + 24, 8, z + 2), (r + 40, 6, z + 22), (r + length, 8, z + 30), 24)
    end = [
        (r + length + 9.5 * math.sin(a), 9.5 * math.cos(a) * 8 / 9.5, z + 30.4)
        for a in (math.pi * k / 10 for k in range(1, 10))
    ]
    back = [(x, -y, up) for x, y, up in reversed(top)]
    rod = mesh.tube("rod", [*top, *end, *back], 4.0, steel)
    return [rod, *_plate(r, z, steel)]


def _bakelite(r: float, h: float, steel: Material) -> list[Object]:
    """A black moulded handle on a steel neck, with an eye to hang it up."""
    black = materials.plain("bakelite", "141415", rough=0.32)
    z, length = h * 0.74, 84 + 0.8 * r
    path = mesh.bezier((r + 26, 0, z + 7), (r + 60, 0, z + 20), (r + 88, 0, z + 22), (r + length, 0, z + 20))
    taper = [0.72 + 0.34 * math.sin(math.pi * min(1.0, 0.15 + t / 40)) for t in range(33)]
    taper[-3:] = [t * s for t, s in zip(taper[-3:], (0.97, 0.86, 0.62), strict=True)]
    neck = mesh.bezier((r - 1, 0, z), (r + 12, 0, z + 1), (r + 20, 0, z + 4), (r + 30, 0, z + 9), 12)
    eye_at = (r + length + 5, 0.0, z + 20)
    eye = [(eye_at[0] + 8 * math.cos(a), 8 * math.sin(a), eye_at[2]) for a in (2 * math.pi * k / 24 for k in range(25))]
    return [
        mesh.tube("grip", path, 14.0, black, flat=0.62, taper=taper),
        mesh.tube("neck", neck, 8.5, steel, flat=0.6),
        mesh.tube("eye", eye, 1.8, steel),
        *_plate(r, z, steel),
    ]


def _loops(r: float, h: float, steel: Material) -> list[Object]:
    """Two short loop handles, one on either side."""
    parts = []
    for side in (-1, 1):
        a, b = (side * (r - 3), -30 * side, h * 0.72), (side * (r - 3), 30 * side, h * 0.72)
        c, d = (side * (r + 46), -38 * side, h * 0.78), (side * (r + 46), 38 * side, h * 0.78)
        parts.append(mesh.tube("loop", mesh.bezier(a, c, d, b), 5.4, steel, flat=0.8))
    return parts


def _no_lid(r: float, h: float) -> list[Object]:
    del r, h
    return []


def _steel_lid(r: float, h: float) -> list[Object]:
    """A domed steel lid with a black knob."""
    steel = materials.metal("lid", "cfcfcc", rough=0.16)
    black = materials.plain("knob", "141415", rough=0.32)
    dome = [(r + 1, h - 2.0), (r + 3.2, h + 0.8), (r + 2.4, h + 2.4), (r - 5, h + 2.8), (r - 9, h + 5.0)]
    dome += [(r * 0.6, h + 0.13 * r), (r * 0.2, h + 0.19 * r), (0.0, h + 0.19 * r)]
    top = h + 0.19 * r
    knob = [(5.0, top - 1), (5.0, top + 6), (13.0, top + 10), (15.0, top + 16), (12.0, top + 20), (0.0, top + 21)]
    return [mesh.lathe("lid", _curve(dome), steel, 128, 60), mesh.lathe("knob", mesh.fillet(knob, 4), black, 48, 60)]


def _glass_lid(r: float, h: float) -> list[Object]:
    """A glass dome in a steel hoop, with a steel knob and a steam hole."""
    steel = materials.metal("hoop", "d2d2cf", rough=0.16)
    glass = materials.jar_glass("glass", tint="e6ece9")
    hoop = [(r - 4, h - 1), (r + 3.4, h + 0.6), (r + 3.2, h + 4.5), (r - 4, h + 5.6), (r - 5, h + 4.0)]
    dome = [(r - 4, h + 4.6), (r * 0.75, h + 0.12 * r), (r * 0.35, h + 0.2 * r), (0.0, h + 0.2 * r)]
    top = h + 0.19 * r
    knob = [(11.0, top), (11.0, top + 2), (5.5, top + 3), (5.5, top + 10), (14.0, top + 14), (14.0, top + 19)]
    knob.append((0.0, top + 20))
    hole = mesh.lathe("eyelet", [(2.2, 0.0), (4.4, 0.0), (4.4, 1.4), (2.2, 1.4)], steel, 24)
    hole.location = (0.0, -r * 0.5, h + 0.158 * r)
    hole.rotation_euler = (0.24, 0.0, 0.0)
    return [
        mesh.lathe("hoop", mesh.fillet(hoop, 1.5), steel, 128),
        mesh.lathe("dome", _curve(dome), glass, 128, 60),
        mesh.lathe("knob", mesh.fillet(knob, 2.5), steel, 48),
        hole,
    ]


HANDLES: dict[str, Callable[[float, float, Material], list[Object]]] = {
    "rod": _rod,
    "bakelite": _bakelite,
    "loops": _loops,
}
LIDS: dict[str, Callable[[float, float], list[Object]]] = {"none": _no_lid, "steel": _steel_lid, "glass": _glass_lid}


# --- jars ------------------------------------------------------------------


def jar(shape: Shape) -> list[Object]:
    """A clear glass jar; what closes it stands on top of the glass."""
    r, h, wall = shape["radius"], shape["height"], 3.0
    neck = r * shape["neck"]
    shoulder = h - (0.0 if neck == r else 0.28 * r)
    outer = [(0.0, 0.6), (r * 0.8, 0.6), (r * 0.9, 0.0), (r, 5.0), (r, shoulder)]
    if neck < r:
        outer += [(neck + 1, h - 6)]
    inner = [(neck - wall, h)] + ([(neck - wall, h - 6)] if neck < r else [])
    inner += [(r - wall, shoulder), (r - wall, 8.0), (0.0, 6.0)]
    profile = mesh.fillet([*outer, (neck, h), *inner], 6)
    parts = [mesh.lathe("jar", profile, materials.jar_glass("glass"), smooth=60)]
    parts += CLOSURES[shape["closure"]](neck, h)
    if shape.get("beans"):
        parts += _beans(r - wall - 0.6, 8.0, h * 0.8)
    return parts


def _beans(r: float, low: float, top: float) -> list[Object]:
    """Coffee beans: two layers behind the glass and on top, round a dark core."""
    rng = random.Random(7)
    roast = materials.Nodes("beans", "5e3820", 0.42)
    roast.ramp(roast.add("NewGeometry").outputs["Random Per Island"], [(0.0, "38200f"), (1.0, "94603a")], "Base Color")
    brown = roast.material
    spots: list[mesh.Vec] = []
    rounds, levels = int(2 * math.pi * r / 6.6), int((top - low) / 5.4)
    for depth in (4.2, 8.4):
        for j in range(levels):
            for k in range(rounds):
                a = (k + 0.5 * (j % 2) + rng.uniform(-0.4, 0.4)) / rounds * 2 * math.pi
                off = r - depth - rng.uniform(0, 1.2)
                spots.append((off * math.cos(a), off * math.sin(a), low + 3 + j * 5.4 + rng.uniform(-1.6, 1.6)))
    for _ in range(int(r * r * 0.12)):
        a, off = rng.uniform(0, 2 * math.pi), (r - 5) * math.sqrt(rng.random())
        spots.append((off * math.cos(a), off * math.sin(a), top + rng.uniform(-2, 3)))
    core = mesh.lathe("core", [(0.0, low), (r - 8, low), (r - 8, top), (0.0, top)], brown, 32)
    return [core, _scatter(spots, (5.8, 4.2, 3.2), brown, rng)]


def _scatter(spots: Sequence[mesh.Vec], half: mesh.Vec, material: Material, rng: random.Random) -> Object:
    """Small ellipsoids at the spots, each turned its own way, as one mesh."""
    rings, sides = (-0.85, -0.4, 0.2, 0.7), 8
    model = [Vector((0, 0, -1))]
    for z in rings:
        flat = math.sqrt(1 - z * z)
        model += [
            Vector((flat * math.cos(a), flat * math.sin(a), z)) for a in (2 * math.pi * k / sides for k in range(sides))
        ]
    model.append(Vector((0, 0, 1)))
    last = len(model) - 1
    faces: list[Sequence[int]] = []
    for k in range(sides):
        j = (k + 1) % sides
        faces += [(0, 1 + j, 1 + k), (last, last - sides + k, last - sides + j)]
        for i in range(len(rings) - 1):
            a = 1 + i * sides
            faces.append((a + k, a + j, a + sides + j, a + sides + k))
    vertices: list[mesh.Vec] = []
    out: list[Sequence[int]] = []
    for spot in spots:
        turn = Euler([rng.uniform(0, 6.28) for _ in range(3)]).to_matrix()
        first = len(vertices)
        for p in model:
            x, y, z = turn @ Vector((p.x * half[0], p.y * half[1], p.z * half[2])) + Vector(spot)
            vertices.append((x, y, z))
        out += [[first + i for i in face] for face in faces]
    return mesh.add_mesh("beans", vertices, out, material, smooth=80)


def _bamboo_lid(r: float, h: float) -> list[Object]:
    """A bamboo disc on a clear silicone ring."""
    bamboo = materials.wood("bamboo", "d3ad78", "b98f5a", 5.0)
    silicone = materials.plain("seal", "dcdedb", rough=0.5)
    lid = [(0.0, h + 0.6), (r + 0.6, h + 0.6), (r + 0.6, h + 15), (0.0, h + 15)]
    seal = [(r - 6, h - 7), (r - 3.2, h - 6.5), (r - 3.2, h + 0.4), (r - 1.5, h + 0.7), (r - 6, h + 0.7)]
    return [mesh.lathe("lid", mesh.fillet(lid, 1.8), bamboo), mesh.lathe("seal", seal, silicone)]


def _screw_lid(r: float, h: float) -> list[Object]:
    """A black sheet-metal screw lid: stepped top, fluted skirt, rolled edge."""
    black = materials.plain("lid", "18181a", rough=0.38)
    lid = [(r + 2.2, h - 12), (r + 3.4, h - 11), (r + 3.4, h - 9), (r + 2.2, h - 8), (r + 2.2, h + 3.2)]
    lid += [(r - 2, h + 4.4), (r - 5, h + 4.4), (r - 7, h + 3.0), (0.0, h + 3.0)]
    skirt = mesh.lathe("lid", mesh.fillet(lid, 1.3), black, 192, 50)
    for vertex in skirt.data.vertices:
        x, y, z = vertex.co
        if h - 8.2 < z < h + 2:
            scale = 1 + 0.45 * math.cos(math.atan2(y, x) * 48) / math.hypot(x, y)
            vertex.co = (x * scale, y * scale, z)
    return [skirt]


def _ring(name: str, r: float, z: float, thick: float, material: Material) -> Object:
    """A wire bent to a circle about z."""
    path = [(r * math.cos(a), r * math.sin(a), z) for a in (2 * math.pi * k / 64 for k in range(65))]
    return mesh.tube(name, path, thick, material)


def _clip_lid(r: float, h: float) -> list[Object]:
    """A glass lid on a rubber ring, held by a steel wire clip: hinge at -x, lever at +x."""
    steel = materials.metal("wire", "c9c9c7", rough=0.2)
    rubber = materials.plain("rubber", "c4552a", rough=0.6)
    glass = materials.jar_glass("lid")
    seal = [(r - 5, h), (r + 3.6, h), (r + 3.6, h + 3.2), (r - 5, h + 3.2), (r - 5, h)]
    lid = [(r + 2.6, h + 3.2), (r + 3.2, h + 11.0), (r * 0.86, h + 15.0), (0.0, h + 15.0)]
    wire = 1.7
    parts = [
        mesh.lathe("seal", mesh.fillet(seal, 1), rubber),
        mesh.lathe("lid", mesh.fillet(lid, 4), glass, smooth=60),
        _ring("collar", r + 2.4, h - 7, wire, steel),
        _ring("band", r + 4.6, h + 9.5, wire, steel),
    ]
    back = [(-r - 3.5, -9.0, h - 7), (-r - 9, -9.0, h), (-r - 9, -9.0, h + 4), (-r - 5, -9.0, h + 9.5)]
    front = [(r + 4, -11.0, h + 9.5), (r + 9, -11.0, h + 4), (r + 9, -11.0, h - 14)]
    lever = [(r + 3, 15.0, h - 7), (r + 9, 15.0, h - 10), (r + 7, 13.0, h - 30), (r + 13, 12.0, h - 42)]
    for path in (back, front):
        for side in (-1, 1):
            half = _smooth([(x, side * y, z) for x, y, z in path])
            parts.append(mesh.tube("link", half, wire, steel))
    foot = [(r + 9, -11.0, h - 13), (r + 9, 11.0, h - 13)]
    grip = _smooth([*lever, *[(x, -y, z) for x, y, z in reversed(lever)]])
    return [*parts, mesh.tube("pivot", foot, wire, steel), mesh.tube("lever", grip, wire, steel)]


def _smooth(path: Sequence[mesh.Vec], steps: int = 6) -> list[mesh.Vec]:
    """Round the corners of a bent wire."""
    out = [path[0]]
    for a, b, c in zip(path, path[1:], path[2:], strict=False):
        before, here, after = Vector(a), Vector(b), Vector(c)
        start, end = here.lerp(before, 0.4), here.lerp(after, 0.4)
        for k in range(steps + 1):
            t = k / steps
            x, y, z = start.lerp(here, t).lerp(here.lerp(end, t), t)
            out.append((x, y, z))
    return [*out, path[-1]]


CLOSURES: dict[str, Callable[[float, float], list[Object]]] = {
    "bamboo": _bamboo_lid,
    "clip": _clip_lid,
    "screw": _screw_lid,
}


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


register(Kind("bowl", bowl, poses=(Pose(),), elevation=(16, 50)))


register(Kind("vase", vase, poses=(Pose(),), elevation=(4, 24), extras=("pair", "box"), spacing=1.25))


register(
    Kind(
        "saucepan",
        saucepan,
        poses=(Pose((0, 0, 20)), Pose((0, 0, -30)), Pose((0, 0, 205))),
        azimuth=(-30, 30),
        elevation=(14, 40),
        extras=("box", "ruler"),
    )
)


register(
    Kind(
        "storage jar",
        jar,
        poses=(Pose((0, 0, -70)), Pose((0, 0, -40)), Pose((0, 0, 15))),
        azimuth=(-25, 25),
        elevation=(6, 26),
        spacing=1.2,
    )
)
