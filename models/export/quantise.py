"""Weights stored as int8, computed with as float32.

Only weights are rounded, one scale per output channel or table row, so a vector cannot depend on what else is in
its batch. ONNX Runtime expands convolution and matrix weights once when it loads; table rows as they are looked up.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from models.export.onnx_weights import rebuilt

_SMALLEST = 50_000  # numbers; the many small convolutions cost most of the accuracy and little of the size
_LAST_AXIS = "quantise_last_axis"
_WEIGHT_INPUT = {"Conv": 1, "Gemm": 1, "MatMul": 1, "Gather": 0}


def quantise_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with all large weights in int8, its inputs and outputs unchanged."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    small: list[onnx.TensorProto] = []
    done: set[str] = set()
    for node in model.graph.node:
        position = _WEIGHT_INPUT.get(node.op_type)
        weight = weights.get(node.input[position]) if position is not None else None
        if weight is None or not _worth_it(weight):
            nodes.append(node)
            continue
        axis = _channel_axis(node, len(weight.dims))
        if weight.name not in done:
            done.add(weight.name)
            small.extend(_as_int8(weight, axis))
            if node.op_type != "Gather":
                nodes.append(_expand(weight.name, axis))
        nodes.extend(_look_up(node, weight.name) if node.op_type == "Gather" else [_reading(node, weight.name)])
    if any(_LAST_AXIS in node.input for node in nodes):
        small.append(numpy_helper.from_array(np.array([-1], dtype=np.int64), _LAST_AXIS))
    return rebuilt(model, nodes, [*(tensor for name, tensor in weights.items() if name not in done), *small])


def _worth_it(weight: onnx.TensorProto) -> bool:
    is_matrix = len(weight.dims) >= 2 and weight.data_type == onnx.TensorProto.FLOAT
    return is_matrix and int(np.prod(weight.dims)) >= _SMALLEST


def _channel_axis(node: onnx.NodeProto, dimensions: int) -> int:
    """The axis of the weight that becomes the output's channels (a table's rows for a look-up)."""
    if node.op_type == "MatMul":
        return dimensions - 1
    if node.op_type == "Gemm":
        transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        return 0 if transposed else 1
    return 0


def _as_int8(weight: onnx.TensorProto, axis: int) -> tuple[onnx.TensorProto, onnx.TensorProto]:
    values: NDArray[np.float32] = numpy_helper.to_array(weight)
    others = tuple(a for a in range(values.ndim) if a != axis)
    scale = np.maximum(np.abs(values).max(axis=others, keepdims=True) / np.float32(127), np.float32(1e-12))
    rounded = values / scale
    np.clip(np.rint(rounded, out=rounded), -127, 127, out=rounded)  # in place: a table may be a gigabyte
    return (
        numpy_helper.from_array(rounded.astype(np.int8), f"{weight.name}_int8"),
        numpy_helper.from_array(scale.astype(np.float32).ravel(), f"{weight.name}_scale"),
    )


def _expand(name: str, axis: int) -> onnx.NodeProto:
    return helper.make_node(
        "DequantizeLinear", [f"{name}_int8", f"{name}_scale"], [f"{name}_expanded"], f"{name}_expand", axis=axis
    )


def _reading(node: onnx.NodeProto, name: str) -> onnx.NodeProto:
    reading = onnx.NodeProto()
    reading.CopyFrom(node)
    reading.input[_WEIGHT_INPUT[node.op_type]] = f"{name}_expanded"
    return reading


def _look_up(node: onnx.NodeProto, table: str) -> list[onnx.NodeProto]:
    """Gather int8 rows and their scales, then multiply: the table itself is never expanded."""
    out = node.output[0]
    return [
        helper.make_node("Gather", [f"{table}_int8", node.input[1]], [f"{out}_int8"], axis=0),
        helper.make_node("Gather", [f"{table}_scale", node.input[1]], [f"{out}_scale"], axis=0),
        helper.make_node("Cast", [f"{out}_int8"], [f"{out}_cast"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Unsqueeze", [f"{out}_scale", _LAST_AXIS], [f"{out}_scales"]),
        helper.make_node("Mul", [f"{out}_cast", f"{out}_scales"], [out]),
    ]
