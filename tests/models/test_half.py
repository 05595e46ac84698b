"""float16 on a CPU, rounded as a GPU does it."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    import onnx

pytestmark = pytest.mark.heavy


def model(first: float, second: float) -> "onnx.ModelProto":
    """A row of 64 numbers, times a matrix of `first` and then `second`, in float16; float32 outside."""
    from onnx import TensorProto, helper, numpy_helper

    matrices = {"a": np.full((64, 64), first, np.float16), "b": np.eye(64, dtype=np.float16) * np.float16(second)}
    nodes = [
        helper.make_node("Cast", ["x"], ["given"], to=TensorProto.FLOAT16),
        helper.make_node("MatMul", ["given", "a"], ["between"]),
        helper.make_node("MatMul", ["between", "b"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT16, [1, 64])],
        [numpy_helper.from_array(values, name) for name, values in matrices.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.mark.parametrize(
    ("first", "second", "x"),
    [(40, 0.01, 40), (0.37, 3.1, 0.2), (33.3, 1, 1)],
    ids=["too large in between", "rounded twice", "large"],
)
def test_each_result_is_rounded(first: float, second: float, x: float, tmp_path: Path) -> None:
    from models.export.half import rounding
    from models.export.onnx_weights import save
    from models.runtime import open_session

    save(rounding(model(first, second)), tmp_path / "m.onnx")
    row = np.full((1, 64), x, np.float32)
    (found,) = open_session(tmp_path / "m.onnx", device="cpu", threads=1).run(None, {"x": row})
    with np.errstate(over="ignore", invalid="ignore"):
        a, b = (np.float32(np.float16(value)) for value in (first, second))
        between = np.float32(np.float16(64 * np.float32(np.float16(x)) * a))
        wanted = np.float32(np.float16(between * b + (0 if np.isfinite(between) else np.nan)))
    np.testing.assert_array_equal(found, np.full((1, 64), wanted))
