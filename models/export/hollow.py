"""ONNX files of a CLIP model's size without its weights, for measuring speed where nothing can be downloaded.

    python -m models.export.hollow DIR [--tiny]

The weights are made as a file is loaded: `sin` of a long range, which ONNX Runtime works out once, is as good as random
numbers for that, and a file of 170 MB becomes one of 200 kB that travels anywhere.
"""

import argparse
import json
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from transformers import CLIPConfig, CLIPModel

from models.export.towers import export_image, export_text

_SMALLEST: Final = 4_096
_SPREAD: Final = 0.03
_STEP: Final = 12.9898


def hollow(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with all large weights replaced by what makes numbers of their shape and type."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    large = [tensor for tensor in graph.initializer if int(np.prod(tensor.dims)) >= _SMALLEST]
    nodes = [node for number, tensor in enumerate(large) for node in _filler(graph, tensor, number)]
    for tensor in large:
        graph.initializer.remove(tensor)
    own = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *own])
    onnx.checker.check_model(made)
    return made


def _filler(graph: onnx.GraphProto, tensor: onnx.TensorProto, number: int) -> list[onnx.NodeProto]:
    """Nodes that give sin(_STEP * (number + range)) * _SPREAD in the tensor's shape."""
    name, count = f"fill_{number}", int(np.prod(tensor.dims))
    if tensor.data_type not in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16):
        raise ValueError(f"{tensor.name} is not made of floating-point numbers")
    constants = {
        "start": np.array(number, np.float32),
        "end": np.array(number + count, np.float32),
        "one": np.array(1, np.float32),
        "step": np.array(_STEP, np.float32),
        "spread": np.array(_SPREAD, np.float32),
        "shape": np.array(tensor.dims, np.int64),
    }
    graph.initializer.extend(numpy_helper.from_array(value, f"{name}_{part}") for part, value in constants.items())
    return [
        helper.make_node("Range", [f"{name}_start", f"{name}_end", f"{name}_one"], [f"{name}_range"]),
        helper.make_node("Mul", [f"{name}_range", f"{name}_step"], [f"{name}_angles"]),
        helper.make_node("Sin", [f"{name}_angles"], [f"{name}_sin"]),
        helper.make_node("Mul", [f"{name}_sin", f"{name}_spread"], [f"{name}_small"]),
        helper.make_node("Reshape", [f"{name}_small", f"{name}_shape"], [f"{name}_shaped"]),
        helper.make_node("Cast", [f"{name}_shaped"], [tensor.name], to=tensor.data_type),
    ]


def write(folder: Path, *, tiny: bool) -> None:
    """CLIP ViT-B/16 in float16 (or one of two thin layers), and what a photo and a text cost to compute."""
    sizes = (
        {"num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 256, "num_attention_heads": 2} if tiny else {}
    )
    vision = {"patch_size": 16, **sizes}
    config = CLIPConfig(vision_config=vision, text_config=dict(sizes), projection_dim=64 if tiny else 512)
    model = CLIPModel(config).eval().half()
    folder.mkdir(parents=True, exist_ok=True)
    side, tokens = config.vision_config.image_size, config.text_config.max_position_embeddings
    onnx.save_model(hollow(export_image(model, side, fuse=True)), folder / "image.onnx")
    onnx.save_model(hollow(export_text(model, None, fuse=True)), folder / "text.onnx")
    patches = (side // config.vision_config.patch_size) ** 2
    cost = {
        "image": _operations(config.vision_config, patches + 1)
        + 2 * patches * 3 * 16**2 * config.vision_config.hidden_size,
        "text": _operations(config.text_config, tokens),
    }
    about = {"side": side, "tokens": tokens, "vocabulary": config.text_config.vocab_size, "operations": cost}
    (folder / "about.json").write_text(json.dumps(about, indent=2) + "\n")


def _operations(config: object, tokens: int) -> int:
    """Floating-point operations of a transformer's matrix products; a multiplication with its addition counts two."""
    width, inner, layers = (getattr(config, name) for name in ("hidden_size", "intermediate_size", "num_hidden_layers"))
    return int(layers * tokens * (2 * (4 * width**2 + 2 * width * inner) + 4 * tokens * width))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m models.export.hollow", description="A model's size without it.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tiny", action="store_true", help="two thin layers, to try what measures")
    given = parser.parse_args()
    torch.manual_seed(0)
    write(given.folder, tiny=given.tiny)


if __name__ == "__main__":
    main()
