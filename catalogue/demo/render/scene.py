"""The studio: render settings, backdrops, lights, and a camera that frames."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Euler, Vector

from . import materials
from .model import Material, Object, Pose

Points = Any  # numpy array of shape (n, 3)
STUDIO = 2.0  # everything in a picture is scaled so that it is this large


def reset(size: int, samples: int, seed: int) -> None:
    """Start an empty scene with the render settings all photos share."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.resolution_percentage = 100
    scene.cycles.device = "CPU"
    scene.cycles.samples = samples
    scene.cycles.seed = seed
    scene.cycles.use_adaptive_sampling = True
    scene.cycles.adaptive_threshold, scene.cycles.adaptive_min_samples = 0.03, 8
    scene.cycles.use_denoising = True
    scene.cycles.denoiser = "OPENIMAGEDENOISE"
    scene.cycles.denoising_prefilter, scene.cycles.denoising_quality = "FAST", "BALANCED"
    # Several photos are taken side by side; and one thread does everything in the same order each time.
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.cycles.max_bounces = 5
    scene.cycles.caustics_reflective = scene.cycles.caustics_refractive = False
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Medium High Contrast"


def points_of(things: list[Object]) -> Points:
    """All vertices of some objects in world space, after their modifiers."""
    bpy.context.view_layer.update()
    graph = bpy.context.evaluated_depsgraph_get()
    clouds = []
    for thing in things:
        if thing.type not in {"MESH", "FONT"} or thing.get("tool"):
            continue
        solid = thing.evaluated_get(graph)
        mesh = solid.to_mesh()
        cloud = np.empty(len(mesh.vertices) * 3, dtype=np.float32)
        mesh.vertices.foreach_get("co", cloud)
        matrix = np.array(solid.matrix_world)
        clouds.append(cloud.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3])
        solid.to_mesh_clear()
    return np.concatenate(clouds)


def group(things: list[Object], name: str) -> Object:
    """Hang objects on an empty so that they move as one piece."""
    empty = bpy.data.objects.new(name, None)
    bpy.context.scene.collection.objects.link(empty)
    for thing in things:
        if thing.parent is None:
            thing.parent = empty
    return empty


def support_slope(cloud: Points) -> float:
    """Slope of the edge a side view (x, z) would rest on under its middle."""
    flat = cloud[np.lexsort((cloud[:, 2], cloud[:, 0]))][:, [0, 2]]
    hull: list[Any] = []
    for p in flat:
        while len(hull) > 1:
            a, b = hull[-2], hull[-1]
            if (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]) > 1e-6:
                break
            hull.pop()
        hull.append(p)
    middle = (flat[0][0] + flat[-1][0]) / 2
    for a, b in pairwise(hull):
        if a[0] <= middle <= b[0] and b[0] - a[0] > 1e-6:
            return float((b[1] - a[1]) / (b[0] - a[0]))
    return 0.0


def settle(piece: Object, things: list[Object], pose: Pose, roll: float) -> None:
    """Turn a piece into its pose and let it down onto the table."""
    turn = Euler([math.radians(a) for a in pose.turn]).to_matrix()
    spin = Euler((0, 0, roll)).to_matrix() if pose.tip else Euler((0, 0, 0)).to_matrix()
    piece.rotation_euler = (turn @ spin).to_euler()
    if pose.tip:
        angle = math.atan(support_slope(points_of(things)))
        tipped = Euler((0, angle, 0)).to_matrix() @ turn @ spin
        piece.rotation_euler = tipped.to_euler()
    cloud = points_of(things)
    low, high = cloud.min(0), cloud.max(0)
    middle = (low + high) / 2
    piece.location -= Vector((float(middle[0]), float(middle[1]), float(low[2])))


def fit(things: list[Object], pieces: list[Object]) -> None:
    """Scale all pieces from millimetres to the studio, about the origin."""
    cloud = points_of(things)
    root = group(pieces, "studio")
    factor = STUDIO / float((cloud.max(0) - cloud.min(0)).max())
    root.scale = (factor,) * 3


# --- backdrops -------------------------------------------------------------


SPANS = ((-22.0, 22.0), (-90.0, -22.0), (22.0, 90.0))  # the backdrop itself, then its wings


def backdrop(name: str, profile: list[tuple[float, float]], material: Material) -> None:
    """Draw a profile of (y, z) out to both sides.

    Only the camera sees the wings: they fill the corners of oblique views without darkening the room.
    """
    n = len(profile)
    for left, right in SPANS:
        mesh = bpy.data.meshes.new(name)
        vertices = [(x, y, z) for x in (left, right) for y, z in profile]
        mesh.from_pydata(vertices, [], [(i, n + i, n + i + 1, i + 1) for i in range(n - 1)])
        mesh.shade_smooth()
        mesh.materials.append(material)
        thing = bpy.data.objects.new(name, mesh)
        if (left, right) != SPANS[0]:
            thing.visible_diffuse = thing.visible_glossy = thing.visible_shadow = False
        bpy.context.scene.collection.objects.link(thing)


def sweep(material: Material) -> None:
    """A paper roll: floor, wide bend, wall."""
    bend = [(-14.0, 0.0), (7.0, 0.0)]
    bend += [(7 + 4 * math.sin(a), 4 - 4 * math.cos(a)) for a in np.linspace(0, math.pi / 2, 24)]
    backdrop("sweep", [*bend, (11.0, 16.0)], material)


def floor_and_wall(floor: Material, wall: Material) -> None:
    """A table or room: a floor and a wall some way behind."""
    backdrop("floor", [(-14.0, 0.0), (14.0, 0.0)], floor)
    backdrop("wall", [(6.5, -14.0), (6.5, 14.0)], wall)


BACKDROPS: dict[str, Callable[[], None]] = {
    "white": lambda: _paper("f4f4f2", glow=0.3),
    "grey": lambda: _paper("a9adb0"),
    "slate": lambda: _paper("3b4046"),
    "blue": lambda: _paper("6f9fc4"),
    "pink": lambda: _paper("dda9a4"),
    "mint": lambda: _paper("9cc4ae"),
    "yellow": lambda: _paper("e0bd62"),
    "sand": lambda: _paper("d9cbb4"),
    "oak": lambda: floor_and_wall(materials.planks("oak", "b98d60", "8f6539", 1.3), _paint("d8d4cc")),
    "walnut": lambda: floor_and_wall(materials.planks("walnut", "6b4a36", "432b20", 1.5), _paint("9a968e")),
    "linen": lambda: floor_and_wall(materials.weave("linen", "cfc3ae", 0.035), _paint("c9c0b2")),
    "kraft": lambda: sweep(materials.speckle("kraft", "bf9a70", "a9845c", 0.5)),
    "concrete": lambda: floor_and_wall(materials.speckle("concrete", "8d8c88", "6c6b68", 1.3), _paint("7d7c79")),
    "bench": lambda: floor_and_wall(materials.speckle("bench", "5f7468", "4b5f55", 1.6, rough=0.5), _paint("8a8377")),
}


def _paper(colour: str, glow: float = 0.0) -> None:
    """A coloured roll; ``glow`` lights it from behind, as studios do with white."""
    nodes = materials.Nodes("paper", colour, 0.85)
    nodes.set("Emission Color", (1.0, 1.0, 1.0, 1.0))
    nodes.set("Emission Strength", glow)
    sweep(nodes.material)


def _paint(colour: str) -> Material:
    return materials.plain("paint", colour, rough=0.8)


# --- light -----------------------------------------------------------------


@dataclass(frozen=True)
class Lamp:
    """One area light: where (azimuth, elevation), how far, how wide, how strong."""

    azimuth: float
    elevation: float
    distance: float
    width: float
    watts: float
    colour: str = "ffffff"


RIGS: dict[str, tuple[float, str, tuple[Lamp, ...]]] = {
    # name: (strength of the surroundings, their colour, lamps)
    "softbox": (
        0.55,
        "eef2f6",
        (Lamp(-50, 42, 6, 4.5, 520), Lamp(65, 30, 7, 4, 170), Lamp(170, 60, 6, 3, 260)),
    ),
    "tent": (0.6, "ffffff", (Lamp(-20, 80, 6, 6, 330), Lamp(-70, 25, 6, 3, 200))),
    "window": (0.30, "cfdcee", (Lamp(-80, 28, 6, 5, 820, "fff1dc"),)),
    "flash": (0.28, "f0e6d8", (Lamp(8, 32, 5.5, 0.5, 520, "fffaf0"),)),
    "low": (0.16, "c8d4e4", (Lamp(-62, 35, 5.5, 2.5, 520, "fff0e0"), Lamp(140, 30, 5, 2, 330))),
    "workshop": (0.40, "e6ecd8", (Lamp(20, 75, 6, 1.6, 560, "f3ffe6"), Lamp(-100, 40, 7, 3, 160))),
}


def light(rig: str, rng: random.Random) -> None:
    """Set up a light rig, each lamp moved a little."""
    strength, tint, lamps = RIGS[rig]
    surround(strength, tint)
    mirror = rng.choice((-1, 1)) if rig in {"window", "low"} else 1
    for lamp in lamps:
        data = bpy.data.lights.new("lamp", "AREA")
        data.energy = lamp.watts * rng.uniform(0.85, 1.15)
        data.color = materials.rgb(lamp.colour)
        data.shape, data.size = "SQUARE", lamp.width
        thing = bpy.data.objects.new("lamp", data)
        thing.visible_camera = False
        a = math.radians(mirror * (lamp.azimuth + rng.uniform(-14, 14)))
        e = math.radians(lamp.elevation + rng.uniform(-6, 6))
        where = Vector((math.sin(a) * math.cos(e), -math.cos(a) * math.cos(e), math.sin(e)))
        thing.location = where * lamp.distance + Vector((0, 0, 0.5))
        thing.rotation_euler = where.to_track_quat("Z", "Y").to_euler()
        bpy.context.scene.collection.objects.link(thing)


def surround(strength: float, tint: str) -> None:
    """A room to mirror: bright ceiling, dark horizon, so that metal has contrast."""
    world = bpy.data.worlds.new("room")
    bpy.context.scene.world = world
    world.use_nodes = True
    tree = world.node_tree
    where = tree.nodes.new("ShaderNodeTexCoord")
    split = tree.nodes.new("ShaderNodeSeparateXYZ")
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    for _ in range(2):
        ramp.color_ramp.elements.new(0.5)
    r, g, b = materials.rgb(tint)
    stops = ((0.0, 0.35), (0.08, 0.18), (0.35, 0.7), (0.8, 1.6))
    for element, (position, value) in zip(ramp.color_ramp.elements, stops, strict=True):
        element.position, element.color = position, (r * value, g * value, b * value, 1)
    background = tree.nodes["Background"]
    background.inputs["Strength"].default_value = strength
    tree.links.new(where.outputs["Generated"], split.inputs["Vector"])
    tree.links.new(split.outputs["Z"], ramp.inputs["Fac"])
    tree.links.new(ramp.outputs["Color"], background.inputs["Color"])


# --- camera ----------------------------------------------------------------


@dataclass(frozen=True)
class Shot:
    """A camera position in words of photographers."""

    azimuth: float
    elevation: float
    lens: float
    fill: float  # the part of the frame that the subject takes
    shift: tuple[float, float] = (0.0, 0.0)
    roll: float = 0.0
    blur: float = 0.0  # width of the aperture in studio units


def aim(things: list[Object], shot: Shot) -> None:
    """Place the camera so that the subject fills its part of the frame, uncut."""
    cloud = points_of(things)
    a, e = math.radians(shot.azimuth), math.radians(shot.elevation)
    back = Vector((math.sin(a) * math.cos(e), -math.cos(a) * math.cos(e), math.sin(e)))
    turn = back.to_track_quat("Z", "Y").to_matrix() @ Euler((0, 0, shot.roll)).to_matrix()
    right, up, out = (np.array(turn.col[i]) for i in range(3))
    target, distance = (cloud.min(0) + cloud.max(0)) / 2, 8.0
    half = 18.0 / shot.lens
    for _ in range(20):
        rel = cloud - (target + out * distance)
        depth = -(rel @ out)
        x, y = rel @ right / depth / half, rel @ up / depth / half
        shift_x = (x.min() + x.max()) / 2 - shot.shift[0]
        shift_y = (y.min() + y.max()) / 2 - shot.shift[1]
        target = target + (right * shift_x + up * shift_y) * half * distance
        distance *= float(max(np.ptp(x), np.ptp(y))) / 2 / shot.fill
    data = bpy.data.cameras.new("camera")
    data.lens, data.clip_start, data.clip_end = shot.lens, 0.05, 200
    thing = bpy.data.objects.new("camera", data)
    thing.location = Vector([float(v) for v in target + out * distance])
    thing.rotation_euler = turn.to_euler()
    bpy.context.scene.collection.objects.link(thing)
    bpy.context.scene.camera = thing
    if shot.blur:
        data.dof.use_dof = True
        data.dof.focus_distance = distance - 0.25
        data.dof.aperture_fstop = shot.lens / 1000 / shot.blur


def shoot(path: Path, exposure: float) -> None:
    """Render the scene to a PNG."""
    scene = bpy.context.scene
    scene.view_settings.exposure = exposure
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


def clay() -> None:
    """Paint everything grey, to judge shapes alone."""
    grey = materials.plain("clay", "b8b8b8", rough=0.7)
    for mesh in bpy.data.meshes:
        mesh.materials.clear()
        mesh.materials.append(grey)
