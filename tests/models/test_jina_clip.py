"""Jina-CLIP v1 from a checkpoint like the real one, beside NumPy, timm, and ONNX files that come along."""

import json
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
from tests.models import jina_clip_reference
from tests.models.test_hub import COMMIT, serving_hub
from tests.models.test_zoo_export import edited, leaves, read, unit, wanted

pytestmark = pytest.mark.heavy

TEXTS = ["a red mug", "Steel Bolt, M8 x 40!", "tea " * 60, "tea [PAD] oak"]
NAMES = ("vision_model.onnx", "text_model.onnx")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jina")


@pytest.fixture(scope="module")
def source(folder: Path) -> Path:
    from tests.models.jina_sources import save_jina_clip

    return save_jina_clip(folder / "source")


@pytest.fixture(scope="module")
def bundle(folder: Path, source: Path) -> Path:
    from models.export.zoo import export_zoo

    figures = export_zoo(read(source), folder / "bundle", wanted(variants=("float32", "float16", "int8")))
    assert figures.parity < 1e-5
    int8 = (figures.drift | figures.refused)["int8"]  # two dozen products are too few to say what of recall it costs
    assert int8.cosine_p999 < 1e-3
    assert figures.from_own is None
    return folder / "bundle"


def test_texts_give_what_numpy_makes_of_the_description(source: Path, bundle: Path) -> None:
    from safetensors.numpy import load_file

    weights, tokens = load_file(source / "model.safetensors"), read(source).token_ids
    given = [*TEXTS, "oak " * 600]
    assert len(tokens(given[-1])) == 512
    expected = np.stack([jina_clip_reference.read(weights, tokens(text), heads=3, layers=2) for text in TEXTS])
    encoders = Encoders.load(bundle, threads=1)
    found = encoders.embed([ProductInput(text=text) for text in given])
    np.testing.assert_allclose(found[:4], unit(expected), atol=1e-5)  # a short text and one of 512 in one batch
    alone = np.concatenate([encoders.embed([ProductInput(text=text)]) for text in given])
    np.testing.assert_allclose(found, alone, atol=1e-5)


def test_photos_are_prepared_and_seen_as_by_the_source(source: Path, bundle: Path) -> None:
    import torch

    made = read(source)
    photo = np.random.default_rng(3).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    mean, std = (np.array(values, np.float32) for values in (made.preprocessor.mean, made.preprocessor.std))
    pixels = torch.from_numpy(((photo / np.float32(255) - mean) / std).transpose(2, 0, 1)[None])
    with torch.inference_mode():
        expected = made.model.get_image_features(pixel_values=pixels).pooler_output.numpy()
    found = Encoders.load(bundle, threads=1).embed([ProductInput(encode(Image.fromarray(photo), "PNG"))])
    np.testing.assert_allclose(found, unit(expected), atol=1e-5)


def test_its_bundle_has_a_half_precision_and_says_where_it_is_from(bundle: Path) -> None:
    config = Bundle.load(bundle).config
    assert [variant.name for variant in config.variants][:2] == ["float32", "float16"]
    assert all(variant.drift and variant.drift.tolerable for variant in config.variants[1:])
    assert (config.embedding_dim, config.image_size, config.max_text_tokens) == (192, 32, 512)
    card = (bundle / "README.md").read_text()
    assert "family jina_clip" in card
    assert "ONNX files that came with" not in card


def test_its_tower_for_photos_gives_what_timm_gave() -> None:
    """With timm's weights under the names they have in such a checkpoint; timm's head comes after it."""
    import torch

    from models.export.jina_clip import _name_here, _tower
    from models.export.open_clip_weights import Weights
    from tests.models import open_clip_reference as there

    said, trunk = there.reference("eva"), "visual.trunk."
    made = {name: torch.from_numpy(there.weight(name, tuple(shape))) for name, shape in said["shapes"].items()}
    of = Weights({f"vision_model.{_name_here(name.removeprefix(trunk))}": value for name, value in made.items()})
    told = {
        "width": 32, "embed_dim": 32, "layers": 2, "patch_size": 16, "image_size": 48, "head_width": 16,
        "mlp_ratio": 2.6667,
    }  # fmt: skip
    tower = _tower(Path("config.json"), told, of).eval()
    assert {name for name in of.keys() - of._read if name.startswith("vision_model.blocks")} == set()
    with torch.inference_mode():
        seen = tower(torch.from_numpy(there.photos(48)))
        found = seen @ made[f"{trunk}head.weight"].T + made[f"{trunk}head.bias"]
    np.testing.assert_allclose(unit(found.numpy()), unit(np.array(said["photos"])), atol=1e-5)


def own_files(bundle: Path, source: Path, to: Path, change: Callable[[Any], object] | None = None) -> Path:
    """The source with ONNX files as Transformers.js has them: the bundle's, which give [n, dim] by these names."""
    import onnx
    from onnx import helper, numpy_helper

    shutil.copytree(source, to)
    (to / "onnx").mkdir()
    for name, encoder, output in zip(NAMES, ("image", "text"), ("image_embeds", "text_embeds"), strict=True):
        model = onnx.load(bundle / "onnx" / f"{encoder}_encoder.onnx")
        model.graph.initializer.append(numpy_helper.from_array(np.array([1]), "own_axis"))
        model.graph.node.append(helper.make_node("Squeeze", [model.graph.output[0].name, "own_axis"], [output]))
        del model.graph.output[:]
        model.graph.output.append(helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, [None, 192]))
        if change is not None:
            change(model)
        (to / "onnx" / name).write_bytes(model.SerializeToString())
    return to


def from_own(source: Path, bundle: Path) -> float | None:
    from models.export.zoo import _from_own

    return _from_own(read(source), Encoders.load(bundle, threads=1))


def test_it_is_held_beside_the_onnx_files_that_come_along(
    source: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx
    from onnx import numpy_helper

    from models.export.zoo import export_zoo

    encoders = {name: onnx.load(bundle / "onnx" / f"{name}.onnx") for name in ("image_encoder", "text_encoder")}
    monkeypatch.setattr("models.export.zoo._exported", lambda _: encoders)
    right = own_files(bundle, source, tmp_path / "right")
    assert (export_zoo(read(right), tmp_path / "bundle", wanted()).from_own or 1) < 1e-5
    assert "from the ONNX files that came with the source" in (tmp_path / "bundle" / "README.md").read_text()
    (right / "onnx" / NAMES[0]).unlink()
    assert from_own(right, bundle) is None

    def other(model: Any) -> None:
        """Both halves of a gated network change places, as if the checkpoint had them the other way round."""
        for tensor in model.graph.initializer:
            if tensor.dims == [192, 768]:
                values = numpy_helper.to_array(tensor)
                tensor.CopyFrom(numpy_helper.from_array(np.roll(values, 384, axis=1), tensor.name))

    wrong = own_files(bundle, source, tmp_path / "wrong", other)
    with pytest.raises(BundleInvalid, match="another network than is known here"):
        export_zoo(read(wrong), tmp_path / "none", wanted())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "right", "wrong"]


def test_it_comes_from_the_hub_with_its_onnx_files(source: Path, bundle: Path, tmp_path: Path) -> None:
    whole = own_files(bundle, source, tmp_path / "there")
    files = {path.relative_to(whole).as_posix(): path.read_bytes() for path in whole.rglob("*") if path.is_file()}
    code = {"modeling_clip.py": b"raise SystemExit('this must never run')\n"}
    with serving_hub(files | code) as hub:
        fetch(f"shop/clip@{COMMIT}", tmp_path / "here", endpoint=hub.url)
        assert set(hub.asked) == files.keys()
    difference = from_own(tmp_path / "here", bundle)
    assert difference is not None
    assert difference < 1e-5


def test_onnx_files_that_are_of_no_use_are_refused(source: Path, bundle: Path, tmp_path: Path) -> None:
    import onnx
    from onnx import helper

    def outside(model: Any) -> None:
        tensor = model.graph.initializer[0]
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="../../secret")

    def another_input(model: Any) -> None:
        model.graph.input.append(helper.make_tensor_value_info("task", onnx.TensorProto.INT64, [1]))

    def no_vectors(model: Any) -> None:
        model.graph.output[0].CopyFrom(model.graph.input[0])

    changes = {
        "another file": outside,
        "'task'. Remove it": another_input,
        "no vectors of 192": no_vectors,
    }
    for number, (reason, change) in enumerate(changes.items()):
        path = own_files(bundle, source, tmp_path / str(number), change)
        with pytest.raises(BundleInvalid, match=reason):
            from_own(path, bundle)
    for garbage in (b"", b"nonsense"):
        (path / "onnx" / NAMES[0]).write_bytes(garbage)
        with pytest.raises(BundleInvalid, match=r"vision_model\.onnx"):
            from_own(path, bundle)


@pytest.mark.parametrize(
    ("part", "change", "reason"),
    [
        (None, {"add_projections": True}, "add_projections is True"),
        (None, {"truncate_dim": 64}, "truncate_dim is 64"),
        (None, {"vision_config": None}, "lacks vision_config"),
        ("text_config", {"hf_model_name_or_path": "jinaai/jina-bert-v2"}, "jina-bert-v2"),
        ("text_config", {"hf_model_name_or_path": ["jinaai/jina-embeddings-v3"]}, "hf_model_name_or_path is"),
        ("text_config", {"hf_model_name_or_path": "jinaai/jina-embeddings-v3"}, "none of the adapters"),
        ("text_config", {"pooler_type": "cls_pooler"}, "pooler_type is 'cls_pooler'"),
        ("text_config", {"pooler_type": None}, "'mean_pooler' can be exported"),
        ("text_config", {"proj_type": "mlp"}, "proj_type is 'mlp'"),
        ("text_config", {"default_lora_task": "retrieval.query"}, "default_lora_task"),
        ("text_config", {"hf_model_config_kwargs": {"num_attention_heads": 4}}, "num_attention_heads"),
        ("text_config", {"embed_dim": 96}, "embed_dim is not what the weights"),
        ("vision_config", {"naive_swiglu": False}, "naive_swiglu is False"),
        ("vision_config", {"subln": False}, "subln is False"),
        ("vision_config", {"ls_init_value": 1e-5}, "ls_init_value"),
        ("vision_config", {"pt_hw_seq_len": 14}, "pt_hw_seq_len is 14"),
        ("vision_config", {"layers": 1}, "layers is not what the weights"),
        ("vision_config", {"image_size": 64}, "image_size is not what the weights"),
        ("vision_config", {"mlp_ratio": 4.0}, "mlp_ratio is not what the weights"),
        ("vision_config", {"head_width": 50}, "head_width is not what the weights"),
        ("vision_config", {"head_width": "64"}, "do not fit each other"),
    ],
)
def test_other_networks_are_refused(source: Path, tmp_path: Path, part: str | None, change: Any, reason: str) -> None:
    def changed(config: dict[str, Any]) -> None:
        (config if part is None else config[part]).update(change)

    with pytest.raises(BundleInvalid, match=reason):
        read(edited(source, tmp_path / "odd", "config.json", changed))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"resize_mode": "longest"}, "resize_mode 'longest'"),
        ({"interpolation": "random"}, "method 'random'"),
        ({"size": 48}, "photos of 48 pixels"),
        ({"size": [32, 48]}, "squares of 32"),
        ({"image_processor_type": "CLIPImageProcessor"}, "by 'CLIPImageProcessor'"),
        ({"mean": [0.5]}, "mean"),
    ],
)
def test_other_ways_to_prepare_photos_are_refused(source: Path, tmp_path: Path, change: Any, reason: str) -> None:
    with pytest.raises(BundleInvalid, match=reason):
        read(edited(source, tmp_path / "odd", "preprocessor_config.json", lambda told: told.update(change)))


def test_weights_that_are_missing_left_over_or_other_tables_are_refused(source: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    shutil.copytree(source, tmp_path / "odd")
    file = tmp_path / "odd" / "model.safetensors"
    whole = load_file(file)
    norm, places = "text_model.transformer.encoder.layers.1.", np.zeros((16, 64), np.float32)
    for changes, reason in (
        ({f"{norm}mixer.layer_norm_q.weight": np.ones(192, np.float32)}, "no place for the weights .*layer_norm_q"),
        ({f"{norm}norm2.weight": None}, "norm2"),
        ({f"{norm}mlp.wo.bias": np.ones(7, np.float32)}, "size mismatch"),
        ({"vision_model.rope.freqs_cos": places}, "another table"),
        ({f"{norm}mixer.inner_attn.alibi_slopes": np.ones(3, np.float32)}, "another table"),
    ):
        save_file({name: value for name, value in (whole | changes).items() if value is not None}, file)
        with pytest.raises(BundleInvalid, match=reason):
            read(file.parent)
    tower = read(source).model.tower
    tables = {
        f"vision_model.{at}rope.freqs_{name}": np.repeat(table.numpy(), 2, axis=1)
        for at in ("", "blocks.1.attn.")
        for name, table in (("cos", tower.cosines), ("sin", tower.sines))
    }
    save_file(whole | tables, file)  # as older code of the model's authors saved it
    assert read(file.parent).dim == 192


def test_other_tokenizers_are_refused(source: Path, tmp_path: Path) -> None:
    def without(kind: str) -> Callable[[dict[str, Any]], None]:
        return lambda told: told.update({kind: None})

    with pytest.raises(BundleInvalid, match=r"does not begin a text with \[CLS\]"):
        read(edited(source, tmp_path / "bare", "tokenizer.json", without("post_processor")))
    empty = edited(source, tmp_path / "no", "tokenizer.json", lambda told: told["model"]["vocab"].clear())
    with pytest.raises(BundleInvalid, match=r"tokenizer\.json"):
        read(empty)
    fewer = edited(source, tmp_path / "few", "tokenizer.json", lambda told: told["model"]["vocab"].pop("oak"))
    assert read(fewer).dim == 192  # one word of a hundred, as the real one lacks six
    (tmp_path / "few" / "tokenizer.json").unlink()
    with pytest.raises(BundleInvalid, match=r"tokenizer\.json"):
        read(tmp_path / "few")


def test_any_odd_value_is_refused_with_a_reason(source: Path, tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "odd")
    refused = 0
    for file in (tmp_path / "odd" / "config.json", tmp_path / "odd" / "preprocessor_config.json"):
        whole = file.read_text()
        for at in leaves(json.loads(whole)):
            odd_ones: tuple[Any, ...] = (None, -1, "x", {}, 1e30)
            for odd in odd_ones:
                content = {"": json.loads(whole)}
                place: Any = content
                for name in ("", *at)[:-1]:
                    place = place[name]
                place[("", *at)[-1]] = odd
                file.write_text(json.dumps(content[""]))
                try:
                    read(file.parent)
                except BundleInvalid:
                    refused += 1
        file.write_text(whole)
    assert refused > 60
