"""The way from PyTorch to a bundle; needs the `train` extra and the packages with the pretrained weights."""

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.heavy


def test_a_bundle_without_training_can_be_built(tmp_path: Path) -> None:
    from rich.console import Console

    from models import Bundle, Encoders, ProductInput
    from models.export.v0 import build
    from tests.models.bundles import ROOT

    build(tmp_path / "v0", ROOT / "catalogue/demo/products.jsonl", tmp_path / "float32", Console(quiet=True))
    texts = [ProductInput(text=text) for text in ("red mug", "a mug, crimson", "hex bolt M8 x 40, zinc plated")]
    small, exact = (Encoders.load(tmp_path / name, threads=1).embed(texts) for name in ("v0", "float32"))
    assert (1 - (small * exact).sum(axis=1)).max() < 0.005
    assert small[0] @ small[1] > small[0] @ small[2] + 0.2
    assert Bundle.load(tmp_path / "float32").reference.precision == "float32"


def test_a_quantised_model_computes_nearly_the_same() -> None:
    import onnx
    import onnxruntime as ort
    from onnx import helper, numpy_helper

    from models.export.quantise import quantise_weights

    random = np.random.default_rng(0)
    table, matrix = (random.normal(size=size).astype(np.float32) for size in ((500, 300), (300, 200)))
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "ids"], ["rows"]), helper.make_node("MatMul", ["rows", "w"], ["out"])],
        "graph",
        [helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, ["n"])],
        [helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, ["n", 200])],
        [numpy_helper.from_array(table, "table"), numpy_helper.from_array(matrix, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    small = quantise_weights(model)
    assert len(small.SerializeToString()) < 0.3 * len(model.SerializeToString())
    ids = {"ids": np.arange(50)}
    exact, found = (ort.InferenceSession(m.SerializeToString()).run(None, ids)[0] for m in (model, small))
    assert np.abs(found - exact).max() < 0.02 * np.abs(exact).max()


def test_directions_are_those_of_most_variance() -> None:
    from models.export.projection import fit_directions

    samples = np.random.default_rng(0).normal(size=(4000, 3)) * [1, 4, 2] + 7
    directions = fit_directions(samples, 2, power=0)
    assert np.abs(directions[1, 0]) > 0.99
    assert np.abs(directions[2, 1]) > 0.99
    whitened = (samples @ fit_directions(samples, 2, power=0.5)).std(axis=0)
    assert whitened[0] == pytest.approx(whitened[1], rel=0.01)
