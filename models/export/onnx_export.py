"""PyTorch modules to ONNX files that depend on nothing but their weights."""

import logging
import warnings
from collections.abc import Mapping, Sequence

import onnx
import torch
from torch import Tensor, nn

_OPSET = 20


def to_onnx(
    module: nn.Module, inputs: Mapping[str, Tensor], output: str, dynamic: Mapping[str, Sequence[str | None]]
) -> onnx.ModelProto:
    """Export with named inputs; `dynamic` names the free dimensions of each, None for a fixed one."""
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
    model: onnx.ModelProto = program.model_proto
    _forget_origin(model)
    _name_dimensions(model, dynamic)
    onnx.checker.check_model(model)
    return model


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
