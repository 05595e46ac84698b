"""Encoders for a GPU, whose operations are joined."""

import copy
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    import onnx

pytestmark = pytest.mark.heavy

SIZES = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "num_hidden_layers": 2}
PICTURES = {**SIZES, "image_size": 32, "patch_size": 16}
TEXTS = {**SIZES, "vocab_size": 99, "max_position_embeddings": 16}
LAST = 98


def network(family: str) -> Any:
    """A tiny one of random weights, and the length that its texts are filled up to."""
    import torch
    from transformers import CLIPConfig, CLIPModel, SiglipConfig, SiglipModel

    torch.manual_seed(0)
    if family == "clip":
        reader = TEXTS | {"eos_token_id": LAST, "bos_token_id": LAST - 1}
        return CLIPModel(CLIPConfig(text_config=reader, vision_config=PICTURES, projection_dim=32)).eval(), None
    reader = TEXTS | {"eos_token_id": 1, "bos_token_id": 0, "pad_token_id": 1}
    return SiglipModel(SiglipConfig(text_config=reader, vision_config=PICTURES)).eval(), 16


def texts(length: int) -> dict[str, "np.ndarray[Any, Any]"]:
    """Three of this length, of which the second is shorter."""
    ids = np.random.default_rng(0).integers(2, LAST, (3, length))
    mask = np.ones_like(ids)
    ids[:, -1] = LAST
    ids[1, 3], ids[1, 4:], mask[1, 4:] = LAST, 0, 0
    return {"input_ids": ids, "attention_mask": mask}


def run(model: "onnx.ModelProto", inputs: dict[str, Any]) -> "np.ndarray[Any, Any]":
    import onnxruntime as ort

    found: np.ndarray[Any, Any] = ort.InferenceSession(model.SerializeToString()).run(None, inputs)[0]
    return found


@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_joined_operations_give_the_same(family: str) -> None:
    from models.export.towers import export_image, export_text

    model, filled_to = network(family)
    photos = np.random.default_rng(1).normal(size=(3, 3, 32, 32)).astype(np.float32)
    for plain, fused, inputs in (
        (export_image(model, 32), export_image(model, 32, fuse=True), [{"pixel_values": photos}]),
        (
            export_text(model, filled_to, 1),
            export_text(model, filled_to, 1, fuse=True),
            [texts(length) for length in (7, 16)],
        ),
    ):
        kinds = Counter(node.op_type for node in fused.graph.node)
        assert kinds["Attention"] == 2  # of two layers
        assert kinds["SkipLayerNormalization"] >= 3
        assert [item.name for item in fused.graph.input] == [item.name for item in plain.graph.input]
        for given in inputs:
            np.testing.assert_allclose(run(fused, given), run(plain, given), atol=2e-5)


def test_a_text_that_is_read_forwards_needs_no_mask() -> None:
    from models.export.towers import export_text

    model, _ = network("clip")
    attentions = [node for node in export_text(model, None, fuse=True).graph.node if node.op_type == "Attention"]
    for node in attentions:
        assert {one.name: one.i for one in node.attribute}["unidirectional"] == 1
        assert list(node.input[3:]) in ([], ["", "", ""])


@pytest.mark.parametrize("kind", ["forwards", "both ways", "two tokens back", "by the text"])
def test_only_a_mask_that_hides_what_comes_later_is_left_out(kind: str) -> None:
    import torch
    from torch import nn

    from models.export.onnx_export import to_onnx

    class Masked(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(99, 64)
            self.parts = nn.ModuleList(nn.Linear(64, 64) for _ in range(4))

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            x = self.words(input_ids)
            q, k, v = (part(x).view(*x.shape[:2], 4, 16).transpose(1, 2) for part in self.parts[:3])
            at = torch.arange(input_ids.shape[1])
            seen = at[:, None] >= at[None, :]
            seen = {"both ways": seen | ~seen, "two tokens back": seen & (at[:, None] < at[None, :] + 3)}.get(
                kind, seen
            )
            seen = seen[None, None].expand(input_ids.shape[0], -1, -1, -1)
            if kind == "by the text":
                seen = seen & (attention_mask > 0)[:, None, None, :]
            hidden = torch.where(seen, 0.0, torch.finfo(torch.float32).min)
            weights = torch.softmax(q @ k.transpose(2, 3) * 0.25 + hidden, dim=-1)
            return self.parts[3]((weights @ v).transpose(1, 2).reshape(x.shape))

    torch.manual_seed(0)
    module, ones = Masked(), torch.ones((2, 6), dtype=torch.long)
    shape = ("batch", "tokens")
    plain, fused = (
        to_onnx(
            module,
            {"input_ids": ones, "attention_mask": ones.clone()},
            "y",
            {"input_ids": shape, "attention_mask": shape},
            fuse=fuse,
        )
        for fuse in (False, True)
    )
    (node,) = (node for node in fused.graph.node if node.op_type in ("Attention", "MultiHeadAttention"))
    assert any(one.name == "unidirectional" and one.i for one in node.attribute) == (kind == "forwards")
    given = texts(9)
    there = given["attention_mask"] > 0
    np.testing.assert_allclose(run(fused, given)[there], run(plain, given)[there], atol=2e-5)


def test_halves_are_rounded_behind_joined_operations() -> None:
    from models.export.half import rounding
    from models.export.towers import export_image

    model, _ = network("clip")
    photos = {"pixel_values": np.random.default_rng(1).normal(size=(3, 3, 32, 32)).astype(np.float32)}
    exact = run(export_image(model, 32), photos)
    half = export_image(copy.deepcopy(model).half(), 32, fuse=True)
    results = [node.output[0] for node in half.graph.node if node.op_type in ("Attention", "MatMul")]
    rounded = rounding(half)
    assert 0 < np.abs(run(rounded, photos) - exact).max() < 0.02
    assert {f"{name}.exact" for name in results} <= {
        node.input[0] for node in rounded.graph.node if node.op_type == "Cast"
    }
