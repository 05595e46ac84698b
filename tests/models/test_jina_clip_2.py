"""Jina-CLIP v2 from a checkpoint like the real one, beside `transformers`, NumPy, and an ONNX file that comes along."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from catalogue.errors import BundleInvalid
from models import Bundle, Encoders, ProductInput
from models.export.hub import fetch
from tests.catalogue.pictures import encode
from tests.models.test_hub import COMMIT, serving_hub
from tests.models.test_zoo_export import edited, leaves, read, unit, wanted

pytestmark = pytest.mark.heavy

TEXTS = ["a red mug", "Steel Bolt, M8 x 40!", "tea " * 60, "tea <pad> oak"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jina2")


@pytest.fixture(scope="module")
def source(folder: Path) -> Path:
    from tests.models.jina_sources import save_jina_clip_2

    return save_jina_clip_2(folder / "source")


@pytest.fixture(scope="module")
def bundle(folder: Path, source: Path) -> Path:
    from models.export.zoo import export_zoo

    licence = read(source).licence
    assert licence == "cc-by-nc-4.0"
    figures = export_zoo(
        read(source), folder / "bundle", wanted(variants=("float32", "float16", "int8"), licence=licence)
    )
    assert figures.parity < 1e-5
    int8 = (figures.drift | figures.refused)["int8"]  # two dozen products are too few to say what of recall it costs
    assert int8.cosine_p999 < 1e-3
    return folder / "bundle"


def merged(source: Path, adapter: int, share: float) -> dict[str, np.ndarray]:
    """The text tower's weights with an adapter: W + share B A for layers, W + share A B for tables."""
    from safetensors.numpy import load_file

    text, between = "text_model.transformer.roberta.", ".parametrizations.weight."
    whole = {name: value.astype(np.float64) for name, value in load_file(source / "model.safetensors").items()}
    found = {name.removeprefix(text): value for name, value in whole.items() if name.startswith(text)}
    for name in [name for name in found if name.endswith(f"{between}original")]:
        module = name.removesuffix(f"{between}original")
        weight, a, b = (found.pop(f"{module}{between}{part}") for part in ("original", "0.lora_A", "0.lora_B"))
        a, b = a[adapter], b[adapter]
        found[f"{module}.weight"] = weight + share * (a @ b if "embeddings" in module else b @ a)
    return found


def reader_of_transformers(weights: dict[str, np.ndarray]) -> Any:
    """The same tower as `transformers` has it, which it calls JinaEmbeddingsV3."""
    import torch
    from transformers import JinaEmbeddingsV3Config, JinaEmbeddingsV3Model

    words, width = weights["embeddings.word_embeddings.weight"].shape
    config = JinaEmbeddingsV3Config(
        vocab_size=words, hidden_size=width, num_hidden_layers=2, num_attention_heads=width // 64,
        intermediate_size=len(weights["encoder.layers.0.mlp.fc1.bias"]),
    )  # fmt: skip
    model = JinaEmbeddingsV3Model(config, add_pooling_layer=False).eval()
    names = {
        "emb_ln.": "embeddings.LayerNorm.", "encoder.layers.": "layers.", "mixer.out_proj": "self_attn.o_proj",
        "norm1": "post_attention_layernorm", "norm2": "post_mlp_layernorm",
    }  # fmt: skip
    state: dict[str, torch.Tensor] = {}
    for name, value in weights.items():
        tensor = torch.from_numpy(value.astype(np.float32))
        for there, here in names.items():
            name = name.replace(there, here)  # noqa: PLW2901
        if "mixer.Wqkv" in name:
            parts = zip("qkv", tensor.chunk(3), strict=True)
            state |= {name.replace("mixer.Wqkv", f"self_attn.{letter}_proj"): part for letter, part in parts}
        else:
            state[name] = tensor
    model.load_state_dict(state)
    return model


def read_by_transformers(source: Path, texts: list[str]) -> np.ndarray:
    """[texts, width]: the mean over the tokens that are not filling, with the second adapter at 6 / 4."""
    import torch
    from transformers import XLMRobertaTokenizer

    model, tokenizer = reader_of_transformers(merged(source, 1, 6 / 4)), XLMRobertaTokenizer.from_pretrained(source)
    rows = []
    with torch.inference_mode():
        for text in texts:
            ids = tokenizer(text, truncation=True, max_length=512, return_tensors="pt")["input_ids"]
            mask = (ids != tokenizer.pad_token_id).long()
            hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
            rows.append((hidden * mask[..., None]).sum(dim=1) / mask.sum())
    return np.asarray(torch.cat(rows))


def test_texts_give_what_transformers_makes_of_the_tower_with_its_adapter(source: Path, bundle: Path) -> None:
    given = [*TEXTS, "oak " * 600]
    assert len(read(source).token_ids(given[-1])) == 512
    expected = unit(read_by_transformers(source, given))
    assert np.abs(expected @ expected.T - 1)[np.triu_indices(5, 1)].min() > 1e-3  # they are five different texts
    encoders = Encoders.load(bundle, threads=1)
    found = encoders.embed([ProductInput(text=text) for text in given])
    np.testing.assert_allclose(found, expected, atol=1e-5)  # short texts and one of 512 in one batch
    alone = np.concatenate([encoders.embed([ProductInput(text=text)]) for text in given])
    np.testing.assert_allclose(found, alone, atol=1e-5)


def test_the_adapter_and_its_share_are_those_that_are_told(source: Path, tmp_path: Path) -> None:
    made = read(source).model.reader.state_dict()
    for name, value in merged(source, 1, 6 / 4).items():
        np.testing.assert_allclose(made[name].numpy(), value, atol=1e-6)

    def changed(config: dict[str, Any]) -> None:
        config["text_config"]["default_lora_task"] = "retrieval.passage"
        config["text_config"]["hf_model_config_kwargs"]["lora_alpha"] = 1

    other = edited(source, tmp_path / "other", "config.json", changed)
    assert read(other).adapter == "retrieval.passage"
    made = read(other).model.reader.state_dict()
    for name, value in merged(source, 0, 1 / 4).items():
        np.testing.assert_allclose(made[name].numpy(), value, atol=1e-6)


def test_photos_are_prepared_and_seen_as_by_the_source(source: Path, bundle: Path) -> None:
    import torch

    made = read(source)
    photo = np.random.default_rng(3).integers(0, 256, (48, 48, 3)).astype(np.uint8)
    mean, std = (np.array(values, np.float32) for values in (made.preprocessor.mean, made.preprocessor.std))
    pixels = torch.from_numpy(((photo / np.float32(255) - mean) / std).transpose(2, 0, 1)[None])
    with torch.inference_mode():
        expected = made.model.get_image_features(pixel_values=pixels).pooler_output.numpy()
        pixels[..., 42:] = pixels[..., 42:, :] = 0  # what three patches of 14 pixels leave over
        unseen = made.model.get_image_features(pixel_values=pixels).pooler_output.numpy()
    np.testing.assert_array_equal(expected, unseen)
    found = Encoders.load(bundle, threads=1).embed([ProductInput(encode(Image.fromarray(photo), "PNG"))])
    np.testing.assert_allclose(found, unit(expected), atol=1e-5)


def test_its_bundle_has_a_half_precision_and_its_card_tells_adapter_and_licence(bundle: Path) -> None:
    config = Bundle.load(bundle).config
    assert [variant.name for variant in config.variants][:2] == ["float32", "float16"]
    assert all(variant.drift and variant.drift.tolerable for variant in config.variants[1:])
    assert (config.embedding_dim, config.image_size, config.max_text_tokens) == (128, 48, 512)
    assert config.licence == "cc-by-nc-4.0"
    card = (bundle / "README.md").read_text()
    assert "adapter `retrieval.query`" in card
    assert "- cc-by-nc-4.0 allows no commercial use." in card


def own_model(bundle: Path, source: Path, to: Path, change: Callable[[Any], object] | None = None) -> Path:
    """The source with one ONNX model of both towers, weights beside it, as its authors have it; of the bundle's."""
    import onnx
    from onnx import compose, helper, numpy_helper

    shutil.copytree(source, to)
    (to / "onnx").mkdir()
    parts = []
    for encoder in ("image", "text"):
        part = onnx.load(bundle / "onnx" / f"{encoder}_encoder.onnx")
        part.graph.initializer.append(numpy_helper.from_array(np.array([1]), "own_axis"))
        part.graph.node.append(
            helper.make_node("Squeeze", [part.graph.output[0].name, "own_axis"], [f"{encoder}_embeddings"])
        )
        del part.graph.output[:]
        part.graph.output.append(
            helper.make_tensor_value_info(f"{encoder}_embeddings", onnx.TensorProto.FLOAT, [None, 128])
        )
        parts.append(compose.add_prefix(part, f"{encoder}_", rename_inputs=False, rename_outputs=False))
    model = compose.merge_models(*parts, io_map=[])
    if change is not None:
        change(model)
    beside = {"save_as_external_data": True, "location": "model.onnx_data", "size_threshold": 1_024}
    onnx.save_model(model, to / "onnx" / "model.onnx", **beside)
    return to


def from_own(source: Path, bundle: Path) -> float | None:
    from models.export.zoo import _from_own

    return _from_own(read(source), Encoders.load(bundle, threads=1))


def test_it_is_held_beside_the_onnx_file_that_comes_along(source: Path, bundle: Path, tmp_path: Path) -> None:
    import onnx
    from onnx import helper, numpy_helper

    assert (from_own(own_model(bundle, source, tmp_path / "right"), bundle) or 1) < 1e-5

    def other_words(model: Any) -> None:
        for tensor in model.graph.initializer:
            if tensor.dims == [len(read(source).tokenizer.get_vocab()), 128]:
                tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[::-1].copy(), tensor.name))

    def no_texts(model: Any) -> None:
        del model.graph.output[1]

    def far_away(model: Any) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", "../../secret"), ("length", "4")):
            tensor.external_data.add(key=key, value=value)

    def another_input(model: Any) -> None:
        model.graph.input.append(helper.make_tensor_value_info("task", onnx.TensorProto.INT64, [1]))

    for name, change, reason in (
        ("words", other_words, "another network than is known here"),
        ("half", no_texts, "no vectors of 128 numbers by 'text'"),
        ("task", another_input, "'task'. Remove it"),
        ("far", far_away, "secret.* Or remove it"),
    ):
        with pytest.raises(BundleInvalid, match=reason):
            from_own(own_model(bundle, source, tmp_path / name, change), bundle)


def test_it_comes_from_the_hub_with_its_onnx_file(source: Path, bundle: Path, tmp_path: Path) -> None:
    whole = own_model(bundle, source, tmp_path / "there")
    files = {path.relative_to(whole).as_posix(): path.read_bytes() for path in whole.rglob("*") if path.is_file()}
    left = {"modeling_clip.py": b"raise SystemExit('this must never run')\n", "onnx/model_fp16.onnx": b"large"}
    with serving_hub(files | left) as hub:
        fetch(f"shop/clip@{COMMIT}", tmp_path / "here", endpoint=hub.url)
        assert set(hub.asked) == files.keys() >= {"onnx/model.onnx", "onnx/model.onnx_data"}
    difference = from_own(tmp_path / "here", bundle)
    assert difference is not None
    assert difference < 1e-5


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"default_lora_task": None}, "default_lora_task is None, which is none of the adapters"),
        ({"default_lora_task": "text-matching"}, "none of the adapters"),
        ({"default_instruction_task": "retrieval.query"}, "default_instruction_task is 'retrieval.query'"),
        ({"pooler_type": "cls_pooler"}, "pooler_type is 'cls_pooler'"),
        ({"embed_dim": 64}, "embed_dim is not what the weights"),
        ({"hf_model_config_kwargs": None}, "none of the adapters"),
        ({"hf_model_name_or_path": "jinaai/jina-bert-flash-implementation"}, "default_lora_task is 'retrieval.query'"),
    ],
)
def test_other_text_towers_are_refused(source: Path, tmp_path: Path, change: Any, reason: str) -> None:
    with pytest.raises(BundleInvalid, match=reason):
        read(edited(source, tmp_path / "odd", "config.json", lambda config: config["text_config"].update(change)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"lora_alpha": None}, "does not say how much adapters weigh"),
        ({"lora_alpha": "4"}, "does not say how much adapters weigh"),
        ({"lora_rank": True}, "does not say how much adapters weigh"),
        ({"lora_rank": 8}, "are not 2 of rank 8"),
        ({"lora_adaptations": ["retrieval.query"]}, "are not 1 of rank 4"),
        ({"lora_adaptations": "retrieval.query"}, "none of the adapters"),
        ({"rotary_emb_base": 10_000}, "changes rotary_emb_base"),
        ({"hidden_act": "gelu_new"}, "changes hidden_act"),
    ],
)
def test_other_adapters_are_refused(source: Path, tmp_path: Path, change: Any, reason: str) -> None:
    def changed(config: dict[str, Any]) -> None:
        config["text_config"]["hf_model_config_kwargs"].update(change)

    with pytest.raises(BundleInvalid, match=reason):
        read(edited(source, tmp_path / "odd", "config.json", changed))


def test_weights_that_are_missing_or_left_over_are_refused(source: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    shutil.copytree(source, tmp_path / "odd")
    file = tmp_path / "odd" / "model.safetensors"
    whole = load_file(file)
    layer = "text_model.transformer.roberta.encoder.layers.1."
    adapter = f"{layer}mlp.fc1.parametrizations.weight."
    for changes, reason in (
        ({f"{layer}mlp.fc1.weight": np.ones((256, 128), np.float16)}, r"no place for the weights .*fc1\.weight"),
        ({f"{adapter}0.lora_A": None}, "lora_A"),
        ({f"{adapter}original": np.ones((7, 128), np.float16)}, "do not fit each other"),
        ({f"{layer}mixer.Wqkv.bias": None}, r"Wqkv\.bias"),
        ({f"{layer}norm2.weight": np.ones(7, np.float16)}, "size mismatch"),
    ):
        save_file({name: value for name, value in (whole | changes).items() if value is not None}, file)
        with pytest.raises(BundleInvalid, match=reason):
            read(file.parent)


def test_other_tokenizers_are_refused(source: Path, tmp_path: Path) -> None:
    def bare(told: dict[str, Any]) -> None:
        told["post_processor"] = None

    def renamed(told: dict[str, Any]) -> None:
        for token in told["added_tokens"]:
            token["content"] = token["content"].replace("<pad>", "<filling>")
        told["model"]["vocab"][1][0] = "<filling>"

    for name, change in (("bare", bare), ("renamed", renamed)):
        with pytest.raises(BundleInvalid, match="does not begin a text with <s> and end it with </s>"):
            read(edited(source, tmp_path / name, "tokenizer.json", change))
    from tests.models.jina_sources import save_jina_clip

    shutil.copytree(source, tmp_path / "v1")
    shutil.copy(save_jina_clip(tmp_path / "other") / "tokenizer.json", tmp_path / "v1" / "tokenizer.json")
    with pytest.raises(BundleInvalid, match="begin a text with <s>"):
        read(tmp_path / "v1")


def test_any_odd_value_of_the_text_tower_is_refused_with_a_reason(source: Path, tmp_path: Path) -> None:
    import json

    shutil.copytree(source, tmp_path / "odd")
    file, refused = tmp_path / "odd" / "config.json", 0
    whole = json.loads(file.read_text())
    for at in leaves(whole["text_config"]):
        odd_ones: tuple[Any, ...] = (None, "x", {}, 1e30)
        for odd in odd_ones:
            content = json.loads(json.dumps(whole))
            place: Any = content
            for name in ("text_config", *at)[:-1]:
                place = place[name]
            place[("text_config", *at)[-1]] = odd
            file.write_text(json.dumps(content))
            try:
                read(file.parent)
            except BundleInvalid:
                refused += 1
    assert refused > 30
