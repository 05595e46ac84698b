"""What is written of a model, and what of it is read again."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.onnx_files import data_files

if TYPE_CHECKING:
    import onnx

pytestmark = pytest.mark.heavy

WEIGHTS: dict[str, np.ndarray] = {
    "matrix": np.arange(6_000, dtype=np.float32).reshape(60, 100),
    "half": np.arange(3_000, dtype=np.float16),
    "small": np.arange(4, dtype=np.int64),
    "rounded": (np.arange(5_001) % 127).astype(np.int8),
    "nothing": np.zeros((0, 100), np.float32),
    "number": np.array(3, np.int64),
}


def model() -> "onnx.ModelProto":
    from onnx import TensorProto, helper, numpy_helper

    tensors = [numpy_helper.from_array(values, name) for name, values in WEIGHTS.items()]
    tensors.append(helper.make_tensor("listed", TensorProto.FLOAT, [500], list(range(500))))  # not as raw bytes
    nodes = [helper.make_node("MatMul", ["x", "matrix"], ["y"])]
    value = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, side]) for name, side in (("x", 60), ("y", 100))
    ]
    graph = helper.make_graph(nodes, "graph", value[:1], value[1:], tensors, doc_string="about")
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], producer_name="tests", ir_version=10)
    helper.set_model_props(made, {"key": "value"})
    return made


def test_weights_of_more_bytes_than_a_file_holds_lie_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnx

    from models.export import onnx_weights

    made, path = model(), tmp_path / "m.onnx"
    size = sum(values.nbytes for values in WEIGHTS.values()) + 2_000
    monkeypatch.setattr(onnx_weights, "MAX_ONE_FILE", size - 1)
    onnx_weights.save(made, path)
    assert made == model(), "it is as it was"
    assert data_files(path) == ("m.onnx.data",)
    light = onnx.load(path, load_external_data=False)
    places = {one.name: {entry.key: entry.value for entry in one.external_data} for one in light.graph.initializer}
    assert [name for name, where in places.items() if where] == ["matrix", "half", "rounded"]
    assert all(int(where["offset"]) % 4096 == 0 for where in places.values() if where)
    assert path.stat().st_size < 4_000
    again = onnx.load(path)
    for tensor in again.graph.initializer:
        tensor.ClearField("data_location")  # that they are inside now is said in so many words
    assert again == made
    monkeypatch.setattr(onnx_weights, "MAX_ONE_FILE", size)
    onnx_weights.save(made, path)
    assert [file.name for file in tmp_path.iterdir()] == ["m.onnx"]
    assert onnx.load(path) == made


def test_what_is_no_model_is_not_taken_for_one(tmp_path: Path) -> None:
    import onnx

    from models.export.onnx_weights import save

    made = model()
    made.graph.node[0].op_type = "MatSum"
    with pytest.raises(onnx.checker.ValidationError, match="MatSum"):
        save(made, tmp_path / "m.onnx")


def test_a_model_with_other_weights_is_else_the_same() -> None:
    from models.export.onnx_weights import rebuilt

    made = model()
    assert rebuilt(made, made.graph.node, made.graph.initializer) == made
    fewer = rebuilt(made, [], made.graph.initializer[:1])
    assert ([one.name for one in fewer.graph.initializer], len(fewer.graph.node)) == (["matrix"], 0)
    assert (fewer.graph.doc_string, fewer.producer_name, fewer.metadata_props[0].key) == ("about", "tests", "key")
