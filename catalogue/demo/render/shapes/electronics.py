"""Electronic parts: capacitors, resistors, chips, LEDs, bulbs, terminals."""

from __future__ import annotations

import math

from PIL import Image

from .. import materials, mesh
from ..model import Kind, Material, Object, Pose, Shape, register
from ..motifs import MOTIFS, marking

BANDS = {
    "black": "151515",
    "brown": "5f3318",
    "red": "b3221c",
    "orange": "d9661c",
    "yellow": "e2bd22",
    "green": "2f7d3c",
    "blue": "2b4fa3",
    "violet": "6b3f8f",
    "grey": "808080",
    "white": "eeeeee",
    "gold": "b38a3c",
}


def capacitor(shape: Shape) -> list[Object]:
    """A radial electrolytic capacitor: sleeved can, scored top, two leads."""
    r, h, lead = shape["radius"], shape["height"], shape["lead"]
    picture = MOTIFS["sleeve"](640, 420, shape["ground"], shape["ink"])
    wrap = materials.printed("wrap", picture, rough=0.32, coat=0.2)
    tin = materials.metal("tin", "cfcfcd", rough=0.25)
    z0 = lead
    can = [(r * 0.86, 0.0), (r, 0.35), (r, 0.9), (r * 0.965, 1.15), (r, 1.45)]
    can += [(r, h - 0.4), (r * 0.93, h), (r * 0.84, h + 0.02)]
    top = [(r * 0.86, h - 0.05), (r * 0.8, h - 0.12), (0.0, h - 0.12)]
    seal = [(0.0, 0.25), (r * 0.9, 0.25)]
    rubber = materials.plain("rubber", "202020", rough=0.7)
    parts = []
    for name, profile, skin in (("can", can, wrap), ("top", top, tin), ("seal", seal, rubber)):
        parts.append(mesh.lathe(name, [(a, z + z0) for a, z in profile], skin, smooth=50))
    for turn in (0.0, math.pi / 2):
        groove = mesh.box("score", (r * 1.45, 0.14, 0.02), (0, 0, z0 + h - 0.125), rubber, 0.005)
        groove.rotation_euler = (0, 0, turn)
        parts.append(groove)
    for side, cut in ((-1, 0.0), (1, lead * 0.16)):
        x = side * shape["spacing"] / 2
        path = [(x, 0, cut), (x, 0, z0 / 2), (x, 0, z0 + 0.4)]
        parts.append(mesh.tube("lead", path, 0.25, tin))
    return parts


def resistor(shape: Shape) -> list[Object]:
    """An axial resistor along z: dog-bone body with colour bands."""
    length: float = shape["length"]
    r: float = shape["radius"]
    paint = materials.plain("paint", shape["colour"], rough=0.35, coat=0.4)
    tin = materials.metal("tin", "d0cfcc", rough=0.25)
    lead = shape["lead"]

    def radius(t: float) -> float:
        """The body's outline: thicker ends, closed round."""
        swell = r * (0.86 + 0.14 * (math.exp(-(((t - 0.16) / 0.1) ** 2)) + math.exp(-(((t - 0.84) / 0.1) ** 2))))
        end = min(t, 1 - t) / 0.09
        return swell * math.sqrt(max(0.0, 1 - (1 - end) ** 2)) if end < 1 else swell

    def stretch(a: float, b: float, extra: float) -> list[mesh.Point]:
        ts = [a + (b - a) * k / 24 for k in range(25)]
        return [(radius(t) + extra, lead + t * length) for t in ts]

    parts = [mesh.lathe("body", stretch(0.0, 1.0, 0.0), paint, smooth=60)]
    places = (0.16, 0.34, 0.5, 0.84) if len(shape["bands"]) == 4 else (0.14, 0.3, 0.44, 0.58, 0.85)
    for at, colour in zip(places, shape["bands"], strict=True):
        ink = materials.plain(colour, BANDS[colour], rough=0.3, coat=0.4)
        parts.append(mesh.lathe("band", stretch(at - 0.042, at + 0.042, 0.015), ink, smooth=60))
    for a, b in ((0.0, lead + 0.3), (lead + length - 0.3, 2 * lead + length)):
        parts.append(mesh.tube("lead", [(0, 0, a), (0, 0, (a + b) / 2), (0, 0, b)], 0.28, tin))
    return parts


def flat(thing: Object) -> Object:
    """Shade faces flat: bevelled boxes with holes show smears otherwise."""
    thing.data.shade_flat()
    return thing


def moulded(name: str, layers: list[tuple[float, float, float]], skin: Material) -> Object:
    """A moulded block with draft angles: layers of (length, width, height)."""
    vertices: list[mesh.Vec] = []
    for length, width, z in layers:
        x, y = length / 2, width / 2
        vertices += [(-x, -y, z), (x, -y, z), (x, y, z), (-x, y, z)]
    faces: list[tuple[int, ...]] = [(3, 2, 1, 0)]
    for base in range(0, 4 * (len(layers) - 1), 4):
        for k in range(4):
            j = (k + 1) % 4
            faces.append((base + k, base + j, base + j + 4, base + k + 4))
    last = 4 * (len(layers) - 1)
    faces.append((last, last + 1, last + 2, last + 3))
    return flat(mesh.add_mesh(name, vertices, faces, skin))


def strip(name: str, path: list[mesh.Point], thick: float, width: float, skin: Material) -> Object:
    """A strip of sheet metal bent along a path of (y, z), ``width`` wide in x."""
    offset: list[mesh.Point] = []
    for i, here in enumerate(path):
        a, b = path[max(i - 1, 0)], path[min(i + 1, len(path) - 1)]
        size = math.hypot(b[0] - a[0], b[1] - a[1])
        offset.append((here[0] - (b[1] - a[1]) / size * thick, here[1] + (b[0] - a[0]) / size * thick))
    return extruded(name, [*path, *reversed(offset)], -width / 2, width / 2, skin)


def extruded(name: str, outline: list[mesh.Point], x0: float, x1: float, skin: Material) -> Object:
    """An outline of (y, z) drawn out along x."""
    n = len(outline)
    vertices: list[mesh.Vec] = [(x, y, z) for x in (x0, x1) for y, z in outline]
    faces: list[tuple[int, ...]] = [(i, (i + 1) % n, n + (i + 1) % n, n + i) for i in range(n)]
    faces += [tuple(reversed(range(n))), tuple(range(n, 2 * n))]
    thing = mesh.add_mesh(name, vertices, faces, skin, smooth=30)
    return mesh.outward(thing)


def label(size: tuple[float, float], at: mesh.Vec, picture: Image.Image, rough: float) -> Object:
    """A printed patch on top of something of the same colour."""
    skin = materials.printed("marks", picture, rough=rough)
    w, d = size

    def surface(u: float, v: float) -> mesh.Vec:
        return (at[0] + (u - 0.5) * w, at[1] + (v - 0.5) * d, at[2])

    return mesh.sheet("marks", surface, (1, 1), 0.0, skin)


# --- chips -----------------------------------------------------------------


def chip(shape: Shape) -> list[Object]:
    """A dual in-line circuit standing on its pins: black plastic, or white ceramic with a gold lid."""
    length: float = shape["length"]
    parts = plastic(length) if shape["body"] == "plastic" else ceramic(length)
    legs = materials.metal("legs", "cfcdc8" if shape["body"] == "plastic" else "e2b65c", rough=0.28)
    for k in range(shape["pins"] // 2):
        x = (k - (shape["pins"] / 2 - 1) / 2) * 2.54
        for side in (-1, 1):
            parts += leg(x, side, k in (0, shape["pins"] // 2 - 1), shape["body"] == "plastic", legs)
    return parts


def plastic(length: float) -> list[Object]:
    """The moulded body with notch, pin-1 dimple and laser marks."""
    colour = "232426"
    skin = materials.plain("epoxy", colour, rough=0.55)
    z, width = 3.7, 6.35
    layers = [(length - 0.5, width - 0.5, z), (length, width, z + 1.55), (length, width, z + 1.8)]
    body = mesh.bevel(moulded("body", [*layers, (length - 0.5, width - 0.55, z + 3.3)], skin), 0.12, 2)
    notch = mesh.prism("notch", mesh.polygon(32, 0.85), z + 1.8, z + 5, skin)
    dimple = mesh.prism("dimple", mesh.polygon(32, 0.55), z + 3.12, z + 5, skin)
    notch.location = (-length / 2 + 0.15, 0, 0)
    dimple.location = (-length / 2 + 1.35, -width / 2 + 1.35, 0)
    for tool in (notch, dimple):
        mesh.cut(body, tool)
    room = length - 3.4
    picture = marking(int(room * 60), 240, f"#{colour}", "#8d8f8e")
    return [body, notch, dimple, label((room, 4.0), (1.0, 0, z + 3.306), picture, 0.55)]


def ceramic(length: float) -> list[Object]:
    """A white alumina plate with a brazed gold lid."""
    skin = materials.plain("alumina", "dcd8cd", rough=0.6)
    gold = materials.metal("gold", "e6bb62", rough=0.3)
    z, width = 4.2, 7.4
    body = mesh.bevel(flat(mesh.prism("body", rectangle(length + 0.6, width), z, z + 2.1, skin)), 0.12, 2)
    notch = mesh.prism("notch", mesh.polygon(32, 0.75), z + 0.9, z + 5, skin)
    notch.location = (-length / 2 - 0.3, 0, 0)
    mesh.cut(body, notch)
    lid = min(length * 0.56, 9.0)
    ring = mesh.box("ring", (lid + 0.7, 5.7, 0.06), (0, 0, z + 2.1), gold, 0.01)
    cap = mesh.box("lid", (lid, 5.0, 0.25), (0, 0, z + 2.15), gold, 0.06)
    mark = mesh.box("mark", (0.7, 0.7, 0.04), (-length / 2 + 0.75, -width / 2 + 0.8, z + 2.1), gold, 0.01)
    return [body, notch, ring, cap, mark]


def rectangle(length: float, width: float) -> list[mesh.Point]:
    """The outline of a block about the origin."""
    x, y = length / 2, width / 2
    return [(-x, -y), (x, -y), (x, y), (-x, y)]


def leg(x: float, side: int, last: bool, plastic: bool, skin: Material) -> list[Object]:
    """One pin: wide at the shoulder, narrow below."""
    knee = 3.95 if plastic else 3.72
    if plastic:
        path = mesh.fillet([(3.0, 5.25), (knee - 0.05, 5.25), (knee + 0.1, 3.3)], 0.5)
    else:
        path = [(knee, 5.7), (knee + 0.02, 4.6), (knee + 0.05, 3.3)]
    broad = strip("shoulder", path, -0.25, 1.1 if last else 1.45, skin)
    taper = [
        (-0.45, 3.45),
        (0.45, 3.45),
        (0.24, 2.7),
        (0.24, 0.35),
        (0.1, 0.0),
        (-0.1, 0.0),
        (-0.24, 0.35),
        (-0.24, 2.7),
    ]
    tip = mesh.outward(mesh.prism("tip", taper, 0.0, 0.25, skin))
    tip.rotation_euler = (math.pi / 2, 0, math.pi if side > 0 else 0.0)
    broad.location = (x, 0, 0)
    tip.location = (x, side * (knee + 0.08), 0)
    if side < 0:
        broad.rotation_euler = (0, 0, math.pi)
    return [broad, tip]


# --- lights ----------------------------------------------------------------


def led(shape: Shape) -> list[Object]:
    """A round LED on two leads: epoxy lens with rim and flat, the frame inside."""
    r, high, lead = shape["radius"], shape["height"], shape["lead"]
    lens = materials.resin("lens", shape["colour"], shape["cloud"])
    tin = materials.metal("tin", "d3d2ce", rough=0.25)
    rim, shoulder = r * 1.16, lead + high - r
    profile = [(0.0, lead), (rim, lead), (rim, lead + 0.2 * high * 0.6), (r, lead + 0.14 * high), (r, shoulder)]
    dome = [(r * math.cos(a * math.pi / 32), shoulder + r * math.sin(a * math.pi / 32)) for a in range(1, 16)]
    body = mesh.lathe("lens", [*mesh.fillet(profile, 0.12), *dome, (0.0, lead + high)], lens, smooth=40)
    for vertex in body.data.vertices:  # the flat on the rim marks the cathode
        vertex.co.x = max(vertex.co.x, -r * 1.01)
    parts = [body]
    for side, cut in ((-1, lead * 0.1), (1, 0.0)):
        x = side * 1.27 * min(1.0, 0.42 + r * 0.24)
        parts.append(mesh.box("lead", (0.5, 0.5, lead + 0.5 - cut), (x, 0, cut), tin, 0.05))
        parts.append(mesh.box("stub", (0.85, 0.48, 0.9), (x, 0, lead - 3.2), tin, 0.05))
    return parts + frame(r, high, lead, tin)


def frame(r: float, high: float, lead: float, tin: Material) -> list[Object]:
    """The lead frame cast into an LED: an anvil with the cup, a post, a wire."""
    z0, z1 = lead + 0.4, lead + 0.58 * high
    anvil = [(-0.72, z0), (-0.3, z0), (-0.22, z0 + 0.1 * high), (0.22, z1), (-0.62, z1), (-0.66, z0 + 0.2 * high)]
    post = [(0.34, z0), (0.72, z0), (0.68, z1), (0.36, z1 - 0.12 * high)]
    parts = []
    for name, outline in (("anvil", anvil), ("post", post)):
        plate = mesh.outward(mesh.prism(name, [(x * r, z) for x, z in outline], -0.25, 0.25, tin))
        plate.rotation_euler = (math.pi / 2, 0, 0)
        parts.append(plate)
    cup = [(0.0, z1 - 0.02), (0.24 * r, z1), (0.32 * r, z1 + 0.28), (0.28 * r, z1 + 0.28), (0.12 * r, z1 + 0.04)]
    dish = mesh.lathe("cup", cup, tin, segments=32)
    dish.location = (-0.2 * r, 0, 0)
    wire = mesh.bezier((-0.2 * r, 0, z1 + 0.1), (0, 0, z1 + 0.7), (0.4 * r, 0, z1 + 0.7), (0.5 * r, 0, z1), 12)
    return [*parts, dish, mesh.tube("wire", wire, 0.05, tin)]


def bulb(shape: Shape) -> list[Object]:
    """A retrofit lamp standing on its contact: opal plastic, or clear glass with filaments."""
    cap = shape["cap"]  # 27 or 14: the diameter of the thread
    foot = cap * 0.95
    parts = screw_cap(cap / 2, foot)
    bottom, belly, high = cap * 0.46, shape["radius"], shape["height"]
    outline = silhouette(shape["form"], bottom, belly, foot, high)
    if shape["filaments"]:
        parts.append(mesh.lathe("glass", outline, materials.thin_glass("glass"), smooth=60))
        return parts + filaments(shape["filaments"], bottom, belly, foot, high)
    split = next(i for i, (_, z) in enumerate(outline) if z > foot + shape["collar"] * (high - foot))
    body = materials.plain("housing", "dddcd8", rough=0.42)
    opal = materials.plain("opal", "cfcabd", rough=0.28)
    r, z = outline[split]
    parts.append(mesh.lathe("housing", [*outline[: split + 1], (r - 0.5, z + 0.25)], body, smooth=60))
    dome = [(r - 0.6, z - 0.2), (r - 0.5, z + 0.35), *outline[split + 1 :]]
    parts.append(mesh.lathe("dome", dome, opal, smooth=60))
    return parts


def silhouette(form: str, bottom: float, belly: float, foot: float, high: float) -> list[mesh.Point]:
    """The outline of a bulb from its cap to its crown."""
    start, body = (bottom, 0.0, foot), high - foot
    if form == "candle":
        middle = foot + body * 0.36
        wide = (belly, 0.0, middle)
        low = mesh.bezier(start, (bottom * 1.05, 0, foot + body * 0.1), (belly, 0, middle - body * 0.18), wide)
        up = mesh.bezier(wide, (belly, 0, middle + body * 0.26), (belly * 0.34, 0, high), (0, 0, high))
    else:
        middle = high - belly
        wide = (belly, 0.0, middle)
        reach = belly * (0.62 if form == "pear" else 0.52)
        low = mesh.bezier(start, (bottom, 0, foot + body * 0.22), (belly, 0, middle - reach), wide)
        quarter = [a * math.pi / 48 for a in range(24)]
        up = [(belly * math.cos(a), 0.0, middle + belly * math.sin(a)) for a in quarter] + [(0.0, 0.0, high)]
    return [(r, z) for r, _, z in [*low, *up[1:]]]


def screw_cap(r: float, foot: float) -> list[Object]:
    """An Edison cap: a real thread of sheet metal, insulator and contact."""
    nickel = materials.metal("nickel", "c9c7c1", rough=0.24)
    glass = materials.plain("insulator", "1d1c1c", rough=0.2)
    pitch, turns, steps = r * 0.27, 64, 72
    z0, z1 = foot * 0.2, foot * 0.86
    vertices: list[mesh.Vec] = []
    for k in range(turns):
        a = 2 * math.pi * k / turns
        for i in range(steps + 1):
            t = i / steps
            z = z0 + t * (z1 - z0)
            fade = min(1.0, 8 * t, 8 * (1 - t))
            radius = r * (0.955 + 0.045 * fade * math.cos(2 * math.pi * z / pitch - a))
            vertices.append((radius * math.cos(a), radius * math.sin(a), z))
    faces = []
    for k in range(turns):
        for i in range(steps):
            a, b = k * (steps + 1) + i, (k + 1) % turns * (steps + 1) + i
            faces.append((a, b, b + 1, a + 1))
    thread = mesh.add_mesh("thread", vertices, faces, nickel, smooth=60)
    skirt = mesh.lathe("skirt", [(r * 0.955, z1), (r * 0.97, foot * 0.96), (r * 0.95, foot + 0.6)], nickel)
    taper = [(r * 0.955, z0), (r * 0.88, z0 - foot * 0.03), (r * 0.8, z0 - foot * 0.05), (r * 0.42, foot * 0.06)]
    seat = mesh.lathe("insulator", [*taper, (0.0, foot * 0.06)], glass, smooth=50)
    tip = [(r * 0.36, foot * 0.06), (r * 0.36, foot * 0.03), (r * 0.26, 0.0), (0.0, 0.0)]
    return [thread, skirt, seat, mesh.lathe("contact", tip, nickel, segments=48)]


def filaments(count: int, bottom: float, belly: float, foot: float, high: float) -> list[Object]:
    """Yellow LED strands round a glass stem, held by wires."""
    strand = materials.Nodes("strand", "e0a63a", 0.45)
    strand.set("Emission Color", (1.0, 0.62, 0.15, 1.0))
    strand.set("Emission Strength", 0.35)
    wire = materials.metal("wire", "b9b7b2", rough=0.3)
    stem = materials.plain("stem", "c9d0d0", rough=0.1)
    body = high - foot
    low, top = foot + body * 0.3, foot + body * 0.72
    inner, outer = bottom * 0.22, min(belly * 0.42, bottom * 0.95)
    profile = [
        (bottom * 0.96, foot),
        (bottom * 0.5, foot + body * 0.04),
        (bottom * 0.3, foot + body * 0.12),
        (inner * 0.8, low),
        (inner * 0.7, top),
        (0.0, top),
    ]
    parts = [mesh.lathe("stem", profile, stem, segments=32, smooth=60)]
    for k in range(count):
        a = 2 * math.pi * (k + 0.5) / count
        x, y = math.cos(a), math.sin(a)
        foot_at, head = (outer * x, outer * y, low), (outer * 0.6 * x, outer * 0.6 * y, top)
        parts.append(mesh.tube("strand", [foot_at, head], bottom * 0.085, strand.material))
        parts.append(mesh.tube("wire", [(inner * x * 0.5, inner * y * 0.5, low - body * 0.06), foot_at], 0.28, wire))
        parts.append(mesh.tube("wire", [(0, 0, top - 0.4), head], 0.28, wire))
    return parts


# --- terminals, discs ------------------------------------------------------


def terminal(shape: Shape) -> list[Object]:
    """A screw terminal for boards: stepped housing, wire entries, slotted screws, pins."""
    pitch, ways, high, deep = shape["pitch"], shape["ways"], shape["height"], shape["depth"]
    skin = materials.plain("housing", shape["colour"], rough=0.42)
    nickel = materials.metal("nickel", "d0cfca", rough=0.24)
    z, y = 3.6, deep / 2
    side = [(-y, z), (y, z), (y, z + high * 0.5), (y * 0.66, z + high * 0.62), (y * 0.66, z + high)]
    side += [(-y * 0.62, z + high), (-y * 0.78, z + high * 0.74), (-y, z + high * 0.66)]
    body = flat(extruded("housing", side, -pitch * ways / 2, pitch * ways / 2, skin))
    mesh.bevel(body, 0.16, 2)
    parts = [body]
    for k in range(ways):
        x = (k - (ways - 1) / 2) * pitch
        entry = mesh.prism("entry", rectangle(pitch * 0.62, 4.4), z + high * 0.08, z + high * 0.5, skin)
        entry.location = (x, -y, 0)
        well = mesh.prism("well", mesh.polygon(40, pitch * 0.39), z + high * 0.7, z + high + 2, skin)
        well.location = (x, 0.02 * deep, 0)
        for tool in (entry, well):
            mesh.cut(body, tool)
        parts += [entry, well, *clamp(x, pitch, z, high, deep, nickel)]
    edge, at = pitch * ways / 2, y * 0.3  # the rib that would slide into the neighbour
    rib = [(at - 0.5, z), (at + 0.5, z), (at + 0.5, z + high * 0.6), (at - 0.5, z + high * 0.6)]
    parts.append(mesh.bevel(flat(extruded("rib", rib, edge - 0.1, edge + 0.55, skin)), 0.1, 2))
    return parts


def clamp(x: float, pitch: float, z: float, high: float, deep: float, nickel: Material) -> list[Object]:
    """The metal of one way: cage behind the entry, slotted screw, pin."""
    cage = mesh.box("cage", (pitch * 0.6, 0.4, high * 0.2), (x, -deep / 2 + 2.0, z + high * 0.3), nickel, 0.05)
    floor = mesh.box("floor", (pitch * 0.6, 1.7, 0.3), (x, -deep / 2 + 1.25, z + high * 0.085), nickel, 0.05)
    top = z + high * 0.94
    head = mesh.prism("screw", mesh.polygon(40, pitch * 0.35), z + high * 0.65, top, nickel)
    head.location = (x, 0.02 * deep, 0)
    slot = mesh.box("slot", (pitch * 0.9, pitch * 0.11, 2.0), (x, 0.02 * deep, top - 0.55), nickel, 0.01)
    slot.rotation_euler = (0, 0, 0.5 + 1.3 * x)
    mesh.bevel(head, 0.15, 2)
    mesh.cut(head, slot)
    pin = mesh.box("pin", (0.9, 0.9, 4.0), (x, deep * 0.1, 0), nickel, 0.15)
    return [cage, floor, head, slot, pin]


def disc(shape: Shape) -> list[Object]:
    """A ceramic disc capacitor: dipped lens on two leads, small print on its face."""
    r, lead = shape["radius"], shape["lead"]
    half: float = shape["thickness"] / 2
    skin = materials.plain("dip", shape["colour"], rough=0.38, coat=0.25)
    tin = materials.metal("tin", "d0cfcc", rough=0.25)

    def lens(t: float) -> float:
        return half * math.sqrt(1 - t**3.2)

    front = [(r * t, lens(t)) for t in (1 - (1 - k / 24) ** 2 for k in range(25))]
    body = mesh.lathe("disc", [*((a, -b) for a, b in front), *reversed(front[:-1])], skin, smooth=60)
    body.rotation_euler = (math.pi / 2, 0, 0)
    body.location = (0, 0, lead + r)
    picture = marking(260, 150, f"#{shape['colour']}", shape["ink"], 2)

    def face(u: float, v: float) -> mesh.Vec:
        a, b = (u - 0.5) * r * 1.0, (v - 0.5) * r * 0.6
        return (a, -lens(math.hypot(a, b) / r) - 0.02, b + lead + r)

    parts = [body, mesh.sheet("marks", face, (10, 8), 0.0, materials.printed("marks", picture, 0.38, coat=0.25))]
    for side, cut in ((-1, 0.0), (1, lead * 0.06)):
        x, at = side * shape["spacing"] / 2, side * r * 0.55
        path = mesh.bezier((x, 0, lead * 0.55), (x, 0, lead * 0.8), (at, 0, lead * 0.75), (at, 0, lead + r * 0.3), 16)
        parts.append(mesh.tube("lead", [(x, 0, cut), (x, 0, lead * 0.3), *path], 0.27, tin))
        neck = [path[10], path[12], path[14], path[16]]
        parts.append(mesh.tube("neck", neck, 0.5, skin, taper=(0.62, 0.85, 1.1, 1.2)))
    return parts


register(
    Kind(
        "electrolytic capacitor",
        capacitor,
        poses=(Pose((0, 90, 0), tip=True), Pose((0, 90, 0), tip=True), Pose((180, 0, 0))),
        azimuth=(-60, 60),
        elevation=(22, 50),
        spacing=1.35,
    )
)
register(
    Kind(
        "resistor",
        resistor,
        poses=(Pose((0, 90, 0), tip=True),),
        azimuth=(-50, 50),
        elevation=(30, 65),
        spacing=1.5,
    )
)

register(
    Kind(
        "integrated circuit",
        chip,
        poses=(Pose(), Pose(), Pose((0, 0, 180))),
        azimuth=(-50, 50),
        elevation=(28, 60),
        spacing=1.3,
    )
)
register(
    Kind(
        "LED",
        led,
        poses=(Pose((0, 90, 0), tip=True), Pose((0, 90, 0), tip=True), Pose()),
        azimuth=(-55, 55),
        elevation=(20, 48),
        spacing=1.5,
    )
)
register(
    Kind(
        "light bulb",
        bulb,
        poses=(Pose(), Pose(), Pose((0, 90, 0), tip=True)),
        azimuth=(-60, 60),
        elevation=(6, 28),
        spacing=1.15,
    )
)
register(
    Kind(
        "terminal block",
        terminal,
        poses=(Pose(), Pose(), Pose((-90, 0, 180))),
        azimuth=(-45, 45),
        elevation=(22, 50),
        spacing=1.3,
    )
)
register(
    Kind(
        "ceramic capacitor",
        disc,
        poses=(Pose((-90, 0, 0)), Pose((-90, 0, 180)), Pose()),
        azimuth=(-40, 40),
        elevation=(30, 62),
        spacing=1.35,
    )
)
