"""float16 as a GPU computes it, on a CPU.

ONNX Runtime has hardly any float16 on a CPU: it computes in float32 and leaves out the rounding in between, so its
vectors say nothing of a GPU's. There every operation adds up in float32 and gives float16, and so do these files.
"""

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from catalogue.threads import ThreadBudget
from models.bundle import ENCODERS, Bundle
from models.encoders import Encoders
from models.export.fused import FUSED_DOMAIN
from models.export.onnx_weights import rebuilt
from models.runtime import open_session


def load_rounding(path: Path, threads: int | None = None) -> Encoders:
    """The reference of a bundle, each of its float16 results rounded; vectors that overflow are no numbers."""
    bundle, threads = Bundle.load(path), threads or ThreadBudget.of().onnx
    sessions = {}
    for encoder in ENCODERS:
        file = bundle.file(getattr(bundle.reference, encoder))
        beside = file.with_name(f"rounding_{file.name}")  # weights in a further file are found by their place beside it
        beside.write_bytes(rounding(onnx.load(file, load_external_data=False)).SerializeToString())
        sessions[encoder] = open_session(beside, device="cpu", threads=threads)
        beside.unlink()
    return Encoders(bundle, bundle.reference, sessions)


def rounding(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in float32, in which each result that was float16 is rounded to it, and so are weights."""
    told = onnx.shape_inference.infer_shapes(_in_standard_operations(model)).graph
    halves = {value.name for value in (*told.value_info, *told.output) if _is_half(value)}
    weights, nodes = [], []
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT16:
            nodes.append(_cast(f"{tensor.name}.half", tensor.name, TensorProto.FLOAT))
            tensor.name = f"{tensor.name}.half"
        weights.append(tensor)
    for node in model.graph.node:
        made = halves.intersection(node.output)
        node.output[:] = [f"{name}.exact" if name in made else name for name in node.output]
        nodes.append(node)
        for name in sorted(made):  # two casts in a float32 model, which ONNX Runtime keeps
            nodes.append(_cast(f"{name}.exact", f"{name}.half", TensorProto.FLOAT16))
            nodes.append(_cast(f"{name}.half", name, TensorProto.FLOAT))
    found = rebuilt(model, nodes, weights)
    del found.graph.value_info[:]
    for value in found.graph.output:
        if _is_half(value):
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    return found


def _in_standard_operations(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model of the same types: what joined operations give is not known there, and is what they are given."""
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        joined = node.domain == FUSED_DOMAIN
        nodes += [_same(node.input[0], name) for name in node.output if name] if joined else [node]
    return rebuilt(model, nodes, model.graph.initializer)


def _same(given: str, made: str) -> onnx.NodeProto:
    return helper.make_node("Identity", [given], [made])


def _is_half(value: onnx.ValueInfoProto) -> bool:
    return bool(value.type.tensor_type.elem_type == TensorProto.FLOAT16)


def _cast(given: str, made: str, to: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [given], [made], to=to)
