"""ONNX models of any size: with other weights, and as files.

A message of Protocol Buffers ends at 2 GB. A model in memory may be larger, but cannot be made one string of bytes, so
its large weights are written to a second file beside the first (what ONNX calls external data).
"""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import onnx
from onnx import helper

MAX_ONE_FILE: Final = 2_000_000_000
"""Bytes of weights that one file holds; some are left for the rest of it."""
_STAY_INSIDE: Final = 1_024
"""Bytes of an initializer that may tell a shape: ONNX Runtime looks for those inside."""
_ALIGNED: Final = 4_096
"""Weights are mapped into memory by the page."""


def rebuilt(
    model: onnx.ModelProto, nodes: Iterable[onnx.NodeProto], weights: Iterable[onnx.TensorProto]
) -> onnx.ModelProto:
    """A copy of the model with these nodes and initializers; what it leaves out takes no memory in it."""
    made = onnx.ModelProto()
    _copy_fields(model, made, ("graph",))
    _copy_fields(model.graph, made.graph, ("node", "initializer"))
    made.graph.node.extend(nodes)
    made.graph.initializer.extend(weights)
    return made


def save(model: onnx.ModelProto, path: Path) -> None:
    """Write a model to `path` and, where its weights are more than MAX_ONE_FILE, those to PATH.data; check the files.

    Both in place of what was there. Raises onnx.checker.ValidationError for what is no model.
    """
    beside = path.with_name(f"{path.name}.data")
    beside.unlink(missing_ok=True)
    if sum(map(_size, model.graph.initializer)) > MAX_ONE_FILE:
        model = rebuilt(model, model.graph.node, _moved(model.graph.initializer, beside))
    path.write_bytes(model.SerializeToString())
    onnx.checker.check_model(path)


def _copy_fields(source: onnx.ModelProto | onnx.GraphProto, target: object, but: tuple[str, ...]) -> None:
    for field, value in source.ListFields():
        if field.name in but:
            continue
        if hasattr(value, "MergeFrom"):  # a message, or a list of anything
            getattr(target, field.name).MergeFrom(value)
        else:
            setattr(target, field.name, value)


def _moved(weights: Iterable[onnx.TensorProto], beside: Path) -> list[onnx.TensorProto]:
    """The initializers, of which the large ones say where in the file `beside` they were written to."""
    made = []
    with beside.open("xb") as file:
        for tensor in weights:
            if _size(tensor) < _STAY_INSIDE or not tensor.HasField("raw_data"):
                made.append(tensor)
                continue
            file.write(bytes(-file.tell() % _ALIGNED))
            where = {"location": beside.name, "offset": file.tell(), "length": file.write(tensor.raw_data)}
            moved = onnx.TensorProto(
                name=tensor.name, data_type=tensor.data_type, dims=tensor.dims, data_location=onnx.TensorProto.EXTERNAL
            )
            for key, value in where.items():
                moved.external_data.add(key=key, value=str(value))
            made.append(moved)
    return made


def _size(tensor: onnx.TensorProto) -> int:
    """Bytes of an initializer."""
    size: int = math.prod(tensor.dims) * helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return size
