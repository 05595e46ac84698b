"""Procedural materials: shader nodes only, plus one that wraps a drawn motif."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from PIL import Image

from .model import Material

Colour = tuple[float, float, float]


def rgb(hexcode: str) -> Colour:
    """Turn ``c04030`` (sRGB) into the linear colour shaders want."""
    parts = [int(hexcode[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return r, g, b


class Nodes:
    """A material under construction: a principled shader and what feeds it."""

    def __init__(self, name: str, colour: str, rough: float, metal: float = 0.0) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.shader = self.tree.nodes["Principled BSDF"]
        self.set("Base Color", (*rgb(colour), 1.0))
        self.set("Roughness", rough)
        self.set("Metallic", metal)

    def set(self, socket: str, value: Any) -> None:
        """Set an input of the principled shader."""
        self.shader.inputs[socket].default_value = value

    def add(self, kind: str, **inputs: Any) -> Any:
        """Add a node of ``ShaderNode<kind>`` with input values by socket name."""
        node = self.tree.nodes.new("ShaderNode" + kind)
        for key, value in inputs.items():
            node.inputs[key.replace("_", " ")].default_value = value
        return node

    def link(self, source: Any, target: Any) -> None:
        """Connect an output to an input."""
        self.tree.links.new(source, target)

    def coords(self, scale: tuple[float, float, float], space: str = "Object") -> Any:
        """Texture coordinates, scaled per axis."""
        where = self.add("TexCoord")
        mapping = self.add("Mapping", Scale=scale)
        self.link(where.outputs[space], mapping.inputs["Vector"])
        return mapping.outputs["Vector"]

    def ramp(self, factor: Any, stops: list[tuple[float, str]], socket: str) -> None:
        """Colour an input of the shader by a factor."""
        node = self.tree.nodes.new("ShaderNodeValToRGB")
        elements = node.color_ramp.elements
        while len(elements) < len(stops):
            elements.new(0.5)
        for element, (position, colour) in zip(elements, stops, strict=True):
            element.position, element.color = position, (*rgb(colour), 1.0)
        self.link(factor, node.inputs["Fac"])
        self.link(node.outputs["Color"], self.shader.inputs[socket])

    def bump(self, height: Any, strength: float, distance: float) -> None:
        """Dent the surface without moving it."""
        node = self.add("Bump", Strength=strength, Distance=distance)
        self.link(height, node.inputs["Height"])
        self.link(node.outputs["Normal"], self.shader.inputs["Normal"])

    def vary(self, factor: Any, low: float, high: float, socket: str = "Roughness") -> None:
        """Drive a value of the shader between two bounds."""
        node = self.add("MapRange", To_Min=low, To_Max=high)
        self.link(factor, node.inputs["Value"])
        self.link(node.outputs["Result"], self.shader.inputs[socket])


def plain(name: str, colour: str, rough: float = 0.45, coat: float = 0.0) -> Material:
    """Plastic, paint or glaze: ``coat`` adds a clear shiny layer."""
    nodes = Nodes(name, colour, rough)
    nodes.set("Coat Weight", coat)
    nodes.set("Coat Roughness", 0.08)
    return nodes.material


def metal(name: str, colour: str, rough: float = 0.28, grain: float = 0.0) -> Material:
    """Metal with uneven polish; ``grain`` (per mm) adds brushing round the axis."""
    nodes = Nodes(name, colour, rough, metal=1.0)
    scale = (0.3, 0.3, 0.3) if not grain else (0.05 * grain, 0.05 * grain, 4 * grain)
    noise = nodes.add("TexNoise", Scale=1.0, Detail=4.0)
    nodes.link(nodes.coords(scale), noise.inputs["Vector"])
    nodes.vary(noise.outputs["Fac"], rough * 0.6, rough * 1.5)
    if grain:
        nodes.bump(noise.outputs["Fac"], 0.12, 0.1)
    return nodes.material


def wood(name: str, light: str, dark: str, size: float, axis: int = 0) -> Material:
    """Long-grained wood; ``size`` is the distance of the rings in object units."""
    nodes = Nodes(name, light, 0.5)
    scale = [1 / size] * 3
    scale[axis] = 0.06 / size
    add_grain(nodes, nodes.coords((scale[0], scale[1], scale[2])), light, dark, size)
    return nodes.material


def add_grain(nodes: Nodes, vector: Any, light: str, dark: str, size: float) -> None:
    """Fibres over faint rings, in colour, gloss and relief."""
    rings = nodes.add("TexNoise", Scale=0.8, Detail=2.0, Distortion=1.2)
    fibres = nodes.add("TexNoise", Scale=7.0, Detail=6.0, Roughness=0.7)
    mix = nodes.add("Mix")
    mix.inputs[0].default_value = 0.55
    for source, socket in ((rings, 2), (fibres, 3)):
        nodes.link(vector, source.inputs["Vector"])
        nodes.link(source.outputs["Fac"], mix.inputs[socket])
    nodes.ramp(mix.outputs[0], [(0.36, dark), (0.62, light)], "Base Color")
    nodes.vary(fibres.outputs["Fac"], 0.35, 0.65)
    nodes.bump(fibres.outputs["Fac"], 0.12, 0.04 * size)


def planks(name: str, light: str, dark: str, board: float) -> Material:
    """A table top or floor of boards along x, each cut from another part of the tree."""
    nodes = Nodes(name, light, 0.5)
    size = board * 0.22
    boards = nodes.add("TexBrick", Color1=(0, 0, 0, 1), Color2=(1, 1, 1, 1), Mortar=(0.5, 0.5, 0.5, 1), Scale=1.0)
    for key, value in (("Mortar Size", board * 0.008), ("Brick Width", board * 8), ("Row Height", board)):
        boards.inputs[key].default_value = value
    nodes.link(nodes.coords((1, 1, 1)), boards.inputs["Vector"])
    jump = nodes.tree.nodes.new("ShaderNodeVectorMath")
    jump.operation = "MULTIPLY_ADD"
    jump.inputs[1].default_value = (7.0, 19.0, 31.0)
    nodes.link(boards.outputs["Color"], jump.inputs[0])
    nodes.link(nodes.coords((0.06 / size, 1 / size, 1 / size)), jump.inputs[2])
    add_grain(nodes, jump.outputs["Vector"], light, dark, size)
    tone = nodes.add("Mix")
    tone.data_type, tone.blend_type = "RGBA", "MULTIPLY"
    seam = nodes.add("MapRange", To_Min=1.0, To_Max=0.25)
    nodes.link(boards.outputs["Fac"], seam.inputs["Value"])
    socket = nodes.shader.inputs["Base Color"]
    nodes.link(socket.links[0].from_socket, tone.inputs[6])
    nodes.link(seam.outputs["Result"], tone.inputs[7])
    tone.inputs[0].default_value = 1.0
    nodes.link(tone.outputs[2], socket)
    return nodes.material


def speckle(name: str, light: str, dark: str, size: float, rough: float = 0.8) -> Material:
    """Concrete, stone, kraft paper: soft blotches and a fine grain."""
    nodes = Nodes(name, light, rough)
    vector = nodes.coords((1 / size,) * 3)
    blotch = nodes.add("TexNoise", Scale=1.0, Detail=8.0, Roughness=0.65)
    nodes.link(vector, blotch.inputs["Vector"])
    nodes.ramp(blotch.outputs["Fac"], [(0.3, dark), (0.7, light)], "Base Color")
    nodes.bump(blotch.outputs["Fac"], 0.25, 0.04 * size)
    return nodes.material


def weave(name: str, colour: str, thread: float, space: str = "Object") -> Material:
    """Woven cloth: two crossed sets of threads, uneven like linen."""
    nodes = Nodes(name, colour, 0.92)
    nodes.set("Sheen Weight", 0.25)
    add_weave(nodes, thread, space)
    return nodes.material


def add_weave(nodes: Nodes, thread: float, space: str) -> None:
    """Give a material the relief of crossed threads."""
    vector = nodes.coords((1 / thread,) * 3, space)
    heights = []
    for direction in ("X", "Z" if space == "Object" else "Y"):
        wave = nodes.add("TexWave", Scale=0.32, Distortion=1.5, Detail=2.0)
        wave.bands_direction = direction
        nodes.link(vector, wave.inputs["Vector"])
        heights.append(wave.outputs["Fac"])
    total = nodes.add("Math")
    total.operation = "MULTIPLY"
    nodes.link(heights[0], total.inputs[0])
    nodes.link(heights[1], total.inputs[1])
    nodes.bump(total.outputs[0], 0.5, 0.3 * thread if space == "Object" else 0.4)


def printed(name: str, motif: Image.Image, rough: float, coat: float = 0.0, thread: float = 0.0) -> Material:
    """Wrap a drawn picture round an object by its UVs; ``thread`` makes it cloth."""
    picture = motif.convert("RGBA").transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    image = bpy.data.images.new(name, picture.width, picture.height)
    pixels = np.asarray(picture, dtype=np.float32) / 255
    image.pixels.foreach_set(pixels.ravel())
    image.pack()
    nodes = Nodes(name, "ffffff", rough)
    nodes.set("Coat Weight", coat)
    nodes.set("Coat Roughness", 0.08)
    texture = nodes.tree.nodes.new("ShaderNodeTexImage")
    texture.image = image
    uv = nodes.add("TexCoord")
    nodes.link(uv.outputs["UV"], texture.inputs["Vector"])
    nodes.link(texture.outputs["Color"], nodes.shader.inputs["Base Color"])
    if thread:
        add_weave(nodes, thread, "UV")
    return nodes.material


def lampshade(name: str, colour: str, glow: float) -> Material:
    """Cloth that lets light through; ``glow`` is the lamp inside, 0 when off."""
    nodes = Nodes(name, colour, 0.9)
    nodes.set("Emission Color", (1.0, 0.72, 0.42, 1.0))
    nodes.set("Emission Strength", glow)
    add_weave(nodes, 1.6, "Object")
    return nodes.material


def cast(name: str, light: str, dark: str, rough: float, size: float) -> Material:
    """Cast or hot-dipped metal: cloudy colour and a skin with pores; ``size`` in object units."""
    nodes = Nodes(name, light, rough, metal=1.0)
    clouds = nodes.add("TexNoise", Scale=1.0, Detail=5.0, Roughness=0.6)
    pores = nodes.add("TexNoise", Scale=2.5, Detail=2.0)
    vector = nodes.coords((1 / size,) * 3)
    nodes.link(vector, clouds.inputs["Vector"])
    nodes.link(vector, pores.inputs["Vector"])
    nodes.ramp(clouds.outputs["Fac"], [(0.35, dark), (0.65, light)], "Base Color")
    nodes.vary(clouds.outputs["Fac"], rough * 1.3, rough * 0.7)
    nodes.bump(pores.outputs["Fac"], 0.12, 0.04 * size)
    return nodes.material


def jar_glass(name: str, tint: str = "f8fbfa", edge: str = "a3b3ac") -> Material:
    """Glass too thin to bend light: a tinted see-through film that mirrors at grazing angles; cheap to render."""
    nodes = Nodes(name, "ffffff", 0.02, metal=1.0)
    facing = nodes.add("LayerWeight", Blend=0.5)
    clear = nodes.add("BsdfTransparent")
    blend = nodes.add("MixShader")
    ramp = nodes.tree.nodes.new("ShaderNodeValToRGB")
    for element, position, colour in zip(ramp.color_ramp.elements, (0.45, 1.0), (tint, edge), strict=True):
        element.position, element.color = position, (*rgb(colour), 1.0)
    power = nodes.add("Math")
    power.operation = "POWER"
    power.inputs[1].default_value = 3.5
    mirror = nodes.add("MapRange", To_Min=0.03, To_Max=0.75)
    front = nodes.add("Math")  # mirrors inside the wall are left out: they cost samples and add little
    front.operation = "MULTIPLY_ADD"
    front.inputs[1].default_value, front.inputs[2].default_value = -1.0, 1.0
    only = nodes.add("Math")
    only.operation = "MULTIPLY"
    nodes.link(facing.outputs["Facing"], ramp.inputs["Fac"])
    nodes.link(facing.outputs["Facing"], power.inputs[0])
    nodes.link(power.outputs[0], mirror.inputs["Value"])
    nodes.link(nodes.add("NewGeometry").outputs["Backfacing"], front.inputs[0])
    nodes.link(mirror.outputs["Result"], only.inputs[0])
    nodes.link(front.outputs[0], only.inputs[1])
    nodes.link(ramp.outputs["Color"], clear.inputs["Color"])
    for source, socket in ((only.outputs[0], 0), (clear.outputs[0], 1), (nodes.shader.outputs[0], 2)):
        nodes.link(source, blend.inputs[socket])
    nodes.link(blend.outputs[0], nodes.tree.nodes["Material Output"].inputs["Surface"])
    return nodes.material


def resin(name: str, colour: str, cloud: float) -> Material:
    """Tinted epoxy seen through from outside; ``cloud`` 0 is water-clear, 1 is opaque."""
    nodes = Nodes(name, colour, 0.06 + 0.3 * cloud)
    nodes.set("Transmission Weight", 1 - cloud)
    nodes.set("IOR", 1.45)
    nodes.set("Coat Weight", 0.5)
    # Light falls straight through, so that what is cast in is not left in the dark.
    mix_through(nodes, nodes.add("LightPath").outputs["Is Shadow Ray"], colour)
    return nodes.material


def thin_glass(name: str) -> Material:
    """A blown bulb or jar, one wall thick: mirrors at its edges, bends nothing."""
    nodes = Nodes(name, "000000", 0.07)
    facing = nodes.add("LayerWeight", Blend=0.25)
    through = nodes.add("MapRange", To_Min=0.95, To_Max=0.35)
    nodes.link(facing.outputs["Facing"], through.inputs["Value"])
    mix_through(nodes, through.outputs["Result"], "ffffff")
    return nodes.material


def mix_through(nodes: Nodes, factor: Any, colour: str) -> None:
    """Let a part of the light pass unbent in a colour."""
    clear = nodes.add("BsdfTransparent", Color=(*rgb(colour), 1.0))
    mix = nodes.add("MixShader")
    nodes.link(factor, mix.inputs[0])
    nodes.link(nodes.shader.outputs[0], mix.inputs[1])
    nodes.link(clear.outputs[0], mix.inputs[2])
    nodes.link(mix.outputs[0], nodes.tree.nodes["Material Output"].inputs["Surface"])


def cardboard(name: str, colour: str, flute: float, directions: str) -> Material:
    """Corrugated board: flat brown paper under which the flutes just show, side by side along ``directions``."""
    nodes = Nodes(name, colour, 0.88)
    nodes.set("Specular IOR Level", 0.2)
    total = None
    for direction in directions:
        wave = nodes.add("TexWave", Scale=0.32)
        wave.bands_direction = direction
        nodes.link(nodes.coords((1 / flute,) * 3), wave.inputs["Vector"])
        if total is None:
            total = wave.outputs["Fac"]
            continue
        both = nodes.add("Math")
        nodes.link(total, both.inputs[0])
        nodes.link(wave.outputs["Fac"], both.inputs[1])
        total = both.outputs[0]
    nodes.bump(total, 0.12, 0.12 * flute)
    return nodes.material
