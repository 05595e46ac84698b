"""Encoders whose operations are joined as ONNX Runtime's CUDA kernels have them.

Attention without its matrix of weights in memory, one product for query, key and value, and a sum with the
normalisation after it: most of a small transformer's time on a GPU goes into moving numbers between operations.
What is joined is found by `onnxscript`; masks that hide just what comes later and weights side by side, here.
"""

import copy
from collections.abc import Iterable
from typing import Final

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from models.export.onnx_weights import rebuilt

FUSED_DOMAIN: Final = "com.microsoft"
"""Of the operations that ONNX Runtime has beside the standard's."""
_MASK: Final = 5
"""Which input of an attention is added to its weights."""
_HIDDEN: Final = -1e4
"""What is added to hide a token, or less."""
_SIZES: Final = (1, 2, 7)


def finished(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model of joined operations, with what they need not be given left out."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = [copy.deepcopy(node) for node in model.graph.node]
    causal = {name for name in {_mask(node) for node in nodes} if name and _hides_later(model, name)}
    for node in nodes:
        if _mask(node) in causal:
            node.input[_MASK] = ""
            node.attribute.append(helper.make_attribute("unidirectional", 1))
    return _without_unread(model, _side_by_side(nodes, weights), weights)


def _mask(node: onnx.NodeProto) -> str:
    return node.input[_MASK] if node.domain == FUSED_DOMAIN and len(node.input) > _MASK else ""


def _hides_later(model: onnx.ModelProto, name: str) -> bool:
    """Whether a mask hides from each token just those after it, whatever the texts are."""
    probe = copy.deepcopy(model)
    del probe.graph.output[:]
    probe.graph.output.append(helper.make_empty_tensor_value_info(name))
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(probe.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return all(_is_lower_triangle(session.run([name], texts)[0]) for size in _SIZES for texts in _texts(session, size))


def _is_lower_triangle(mask: NDArray[np.floating]) -> bool:
    size = mask.shape[-1]
    seen = np.tril(np.ones((size, size), bool))
    return mask.shape[-2] == size and bool(np.all(np.where(seen, mask == 0, mask <= _HIDDEN)))


def _texts(session: ort.InferenceSession, size: int) -> Iterable[dict[str, NDArray[np.int64]]]:
    """Two texts of so many tokens: whole, and one of them cut."""
    for cut in (0, size // 2):
        whole = np.ones((2, size), np.int64)
        whole[1, size - cut :] = 0
        yield {item.name: whole for item in session.get_inputs()}


def _side_by_side(nodes: list[onnx.NodeProto], weights: dict[str, onnx.TensorProto]) -> list[onnx.NodeProto]:
    """Without the nodes that lay weights side by side; `weights` has these as one."""
    left = []
    for node in nodes:
        if node.op_type == "Concat" and weights.keys() >= set(node.input):
            parts = [numpy_helper.to_array(weights[name]) for name in node.input]
            name = node.output[0]
            weights[name] = numpy_helper.from_array(np.concatenate(parts, axis=node.attribute[0].i), name)
        else:
            left.append(node)
    return left


def _without_unread(
    model: onnx.ModelProto, nodes: list[onnx.NodeProto], weights: dict[str, onnx.TensorProto]
) -> onnx.ModelProto:
    """A copy with these nodes and weights, but those that nobody reads."""
    read, kept = {value.name for value in model.graph.output}, []
    for node in reversed(nodes):
        if read.isdisjoint(node.output):
            continue
        node.output[:] = [name if name in read else "" for name in node.output]
        while not node.output[-1]:
            del node.output[-1]
        read.update(node.input)
        kept.append(node)
    return rebuilt(model, reversed(kept), (tensor for name, tensor in weights.items() if name in read))
