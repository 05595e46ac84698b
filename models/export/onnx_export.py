"""PyTorch modules to ONNX files that depend on nothing but their weights."""

import logging
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from onnxscript.rewriter.ort_fusions._core import fuse_xformers
from torch import Tensor, nn

from models.export.fused import finished
from models.export.onnx_weights import rebuilt

_OPSET = 20


def to_onnx(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    output: str,
    dynamic: Mapping[str, Sequence[str | None]],
    *,
    fuse: bool = False,
) -> onnx.ModelProto:
    """Export with named inputs; `dynamic` names the free dimensions of each, None for a fixed one.

    `fuse` joins operations as a GPU has them, see `models.export.fused`.
    """
    shapes = {
        name: {axis: torch.export.Dim.DYNAMIC for axis, label in enumerate(labels) if label}
        for name, labels in dynamic.items()
    }
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the exporter's advice is about its own internals
        program = torch.onnx.export(
            module.eval(),
            (),
            kwargs=dict(inputs),
            input_names=list(inputs),
            output_names=[output],
            dynamic_shapes=shapes,
            opset_version=_OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    if fuse:
        fuse_xformers(program.model)
    model: onnx.ModelProto = program.model_proto
    _forget_origin(model)
    _name_dimensions(model, dynamic)
    model = _turned(model)
    return finished(model) if fuse else model


def _forget_origin(model: onnx.ModelProto) -> None:
    """Drop stack traces and paths of this machine: the file should say what it computes, and be the same again."""
    del model.metadata_props[:]
    model.graph.ClearField("doc_string")
    model.graph.name = "graph"
    del model.graph.value_info[:]
    del model.graph.metadata_props[:]
    for item in (*model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output):
        item.ClearField("doc_string")
        del item.metadata_props[:]


def _name_dimensions(model: onnx.ModelProto, dynamic: Mapping[str, Sequence[str | None]]) -> None:
    for value in model.graph.input:
        for dimension, label in zip(value.type.tensor_type.shape.dim, dynamic[value.name], strict=True):
            if label:
                dimension.dim_param = label
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "batch"


def _turned(model: onnx.ModelProto) -> onnx.ModelProto:
    """With weights stored the way they are used: the exporter leaves a Transpose before each use of a shared one."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    turned: dict[str, onnx.TensorProto] = {}
    name_of: dict[str, str] = {}
    nodes = []
    for node in model.graph.node:
        if node.op_type != "Transpose" or node.input[0] not in weights:
            nodes.append(node)
            continue
        order = next(tuple(attribute.ints) for attribute in node.attribute if attribute.name == "perm")
        name = f"{node.input[0]}_{'_'.join(map(str, order))}"
        if name not in turned:
            values = numpy_helper.to_array(weights[node.input[0]]).transpose(order)
            turned[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        name_of[node.output[0]] = name
    for node in nodes:
        for at, name in enumerate(node.input):
            node.input[at] = name_of.get(name, name)
    used = {name for node in nodes for name in node.input}
    kept = (tensor for tensor in (*weights.values(), *turned.values()) if tensor.name in used)
    return rebuilt(model, nodes, kept)
