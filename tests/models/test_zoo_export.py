"""From tiny models in the formats of the real ones to bundles, and what comes out against the models themselves."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from catalogue.errors import BundleInvalid, Conflict, InvalidInput
from models import Bundle, Encoders, ProductInput
from tests.catalogue.pictures import encode

if TYPE_CHECKING:
    from models.export.source import Source
    from models.export.zoo import Wanted

pytestmark = pytest.mark.heavy

TEXTS = ["a red mug", "Steel Bolt, M8 x 40!", "tea " * 60, "hot_oak mug"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zoo")


@pytest.fixture(scope="module")
def clip(folder: Path) -> Path:
    from tests.models.zoo_sources import save_clip

    return save_clip(folder / "clip")


@pytest.fixture(scope="module")
def siglip(folder: Path) -> Path:
    from tests.models.zoo_sources import save_siglip

    return save_siglip(folder / "siglip")


def sample(count: int = 24) -> tuple[list[bytes | None], list[str]]:
    random = np.random.default_rng(0)
    blocks = random.integers(0, 256, (count, 6, 6, 3)).astype(np.uint8)
    photos = [encode(Image.fromarray(one).resize((48, 40)), "PNG") for one in blocks]
    words = ["red", "mug", "steel", "bolt", "tea", "hot", "oak"]
    return list(photos), [f"{words[row % 7]} {words[row * 3 % 5]} {row}" for row in range(count)]


def wanted(**changes: Any) -> "Wanted":
    from models.export.zoo import Wanted

    given = {"licence": "mit", "variants": ("float32",), "sample": sample()} | changes
    return Wanted(name="tiny", origin="tests", **given)


def exported(source: "Source", out: Path, **changes: Any) -> Encoders:
    from models.export.zoo import export_zoo

    export_zoo(source, out, wanted(**changes))
    return Encoders.load(out, threads=1)


def read(path: Path) -> "Source":
    from models.export.source import read_source

    return read_source(path)


def close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-4)


def test_clip_with_all_variants_gives_what_transformers_gives(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights of more bytes than so many lie beside their ONNX file."""
    import torch
    from transformers import AutoTokenizer, CLIPImageProcessorPil, CLIPModel

    monkeypatch.setattr("models.export.onnx_weights.MAX_ONE_FILE", 60_000)
    encoders = exported(read(clip), tmp_path / "bundle", variants=("float32", "float16", "int8"))
    model, tokenizer = CLIPModel.from_pretrained(clip).eval(), AutoTokenizer.from_pretrained(clip)
    with torch.inference_mode():
        given = tokenizer(TEXTS, padding=True, truncation=True, max_length=24, return_tensors="pt")
        texts = model.get_text_features(**given).pooler_output.numpy()
        photo = np.full((32, 32, 3), 90, np.uint8)
        pixels = CLIPImageProcessorPil.from_pretrained(clip)(photo, return_tensors="pt")["pixel_values"]
        photos = model.get_image_features(pixel_values=pixels).pooler_output.numpy()
    close(encoders.embed([ProductInput(text=text) for text in TEXTS]), texts)
    close(encoders.embed([ProductInput(encode(Image.fromarray(photo), "PNG"))]), photos)
    both = photos[:1] / np.linalg.norm(photos[0]) + texts[:1] / np.linalg.norm(texts[0])
    close(encoders.embed([ProductInput(encode(Image.fromarray(photo), "PNG"), TEXTS[0])]), both)
    config = Bundle.load(tmp_path / "bundle").config
    assert [variant.name for variant in config.variants] == ["float32", "float16", "int8"]
    assert Bundle.load(tmp_path / "bundle").variant_for("cuda").name == "float16"
    assert all(variant.drift and variant.drift.tolerable for variant in config.variants[1:])
    card = (tmp_path / "bundle" / "README.md").read_text()
    assert "| model.safetensors |" in card
    assert "| float16 |" in card
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle"]
    beside = {path.name for path in (tmp_path / "bundle").rglob("*.data")}
    towers = {
        f"{tower}_encoder{ending}.onnx.data" for tower in ("image", "text") for ending in ("", "_float16", "_int8")
    }
    assert beside == towers - {"image_encoder_float16.onnx.data"}  # which is small enough


def test_float16_is_judged_as_a_gpu_computes_it(clip: Path, tmp_path: Path) -> None:
    """Numbers that float16 does not reach, between two layers, of which ONNX Runtime on a CPU makes nothing."""
    import torch

    from models.export.zoo import export_zoo

    source = read(clip)
    with torch.no_grad():
        source.model.text_model.encoder.layers[0].mlp.fc1.weight *= 3e4
        source.model.text_model.encoder.layers[0].mlp.fc2.weight /= 3e4
    figures = export_zoo(source, tmp_path / "bundle", wanted(variants=("float32", "float16")))
    assert figures.refused.keys() == {"float16"}
    assert [variant.name for variant in Bundle.load(tmp_path / "bundle").config.variants] == ["float32"]


def test_siglip_is_filled_up_as_in_training_and_narrowed(
    siglip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers import AutoTokenizer, SiglipModel

    from models.export.narrow import Narrow
    from models.export.zoo import export_zoo

    monkeypatch.setattr("models.export.onnx_weights.MAX_ONE_FILE", 60_000)
    photos, texts = sample(60)
    figures = export_zoo(
        read(siglip),
        tmp_path / "bundle",
        wanted(narrow=Narrow(12, photos, texts, [str(row // 2) for row in range(60)])),
    )
    assert figures.parity < 1e-4
    assert figures.kept_of_width.keys() >= {"photo: of the 10 nearest, lost", "m-m: recall@10 lost"}
    encoders = Encoders.load(tmp_path / "bundle", threads=1)
    assert encoders.dim == 12
    assert all(encoders.bundle.data[f"onnx/{side}_encoder.onnx"] for side in ("image", "text"))
    model, tokenizer = SiglipModel.from_pretrained(siglip).eval(), AutoTokenizer.from_pretrained(siglip)
    with torch.inference_mode():
        given = tokenizer(TEXTS, padding="max_length", truncation=True, max_length=24, return_tensors="pt")
        wide = model.get_text_features(input_ids=given["input_ids"]).pooler_output.numpy()
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    thin = encoders.embed([ProductInput(text=text) for text in TEXTS])
    assert np.abs(thin @ thin.T - wide @ wide.T).max() < 0.5  # fewer dimensions, much the same neighbours
    together = encoders.embed([ProductInput(text=text) for text in TEXTS])
    alone = np.concatenate([encoders.embed([ProductInput(text=text)]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_siglip_2_reads_texts_by_the_tokenizer_of_gemma(tmp_path: Path) -> None:
    import torch
    from transformers import AutoTokenizer, SiglipModel

    from tests.models.zoo_sources import save_siglip2

    path = save_siglip2(tmp_path / "source")
    source = read(path)
    assert (source.family, source.fill_to, source.filling) == ("siglip", 24, 0)
    assert source.token_ids("red mug")[-1] == 1
    encoders = exported(source, tmp_path / "bundle")
    model, tokenizer = SiglipModel.from_pretrained(path).eval(), AutoTokenizer.from_pretrained(path)
    texts = ["a red mug", "steel bolt m8 x 40", "tea " * 60, "crème"]
    with torch.inference_mode():
        given = tokenizer(texts, padding="max_length", truncation=True, max_length=24, return_tensors="pt")
        expected = model.get_text_features(input_ids=given["input_ids"]).pooler_output.numpy()
    close(encoders.embed([ProductInput(text=text) for text in texts]), expected)
    with pytest.raises(BundleInvalid, match="filled up in front"):
        read(save_siglip2(tmp_path / "left", padding_side="left"))


@pytest.fixture
def small_towers(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.models.zoo_sources import TINY_EVA, TINY_TIMM

    monkeypatch.setattr("models.export.open_clip._TIMM", TINY_TIMM)
    monkeypatch.setattr("models.export.open_clip_eva.SIZES", TINY_EVA)


@pytest.mark.usefixtures("small_towers")
@pytest.mark.parametrize(
    ("kind", "variants"),
    [
        ("vit", ("float32",)),
        ("siglip", ("float32",)),
        ("siglip2", ("float32",)),
        ("eva", ("float32", "float16", "int8")),
    ],
)
def test_open_clip_gives_what_open_clip_itself_gave(kind: str, variants: tuple[str, ...], tmp_path: Path) -> None:
    """`siglip` in the way of the Marqo e-commerce models: wrapped, and with code that nobody needs."""
    from tests.models import open_clip_reference as there
    from tests.models.zoo_sources import save_open_clip

    source = read(save_open_clip(tmp_path / "source", kind, wrapped=kind == "siglip"))
    assert source.family == {"vit": "clip", "eva": "eva-clip"}.get(kind, "siglip")
    if kind == "siglip":
        assert source.token_ids("Hot_Oak, mug!") == source.token_ids("hot oak mug")
    encoders = exported(source, tmp_path / "bundle", variants=variants, sample=sample(100))
    said, config = there.reference(kind), there.MODELS[kind]
    image, text = (encoders._sessions[f"{side}_encoder"] for side in ("image", "text"))
    (found,) = image.run(None, {"pixel_values": there.photos(config["vision_cfg"]["image_size"])})
    np.testing.assert_allclose(unit(found[:, 0]), unit(said["photos"]), atol=1e-4)
    for ids, expected in zip(there.texts(config), said["texts"], strict=True):
        padded = np.array([ids + [0] * 8])  # as a bucket does
        mask = np.array([[1] * len(ids) + [0] * 8])
        (found,) = text.run(None, {"input_ids": padded[:, :24], "attention_mask": mask[:, :24]})
        np.testing.assert_allclose(unit(found[:, 0]), unit([expected]), atol=1e-4)
    made = Bundle.load(tmp_path / "bundle").config
    assert tuple(variant.name for variant in made.variants) == variants
    assert all(variant.drift and variant.drift.tolerable for variant in made.variants[1:])


def unit(rows: Any) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True))


def test_old_clips_end_where_the_highest_number_is(tmp_path: Path) -> None:
    from tests.models.zoo_sources import save_clip

    source = read(save_clip(tmp_path / "old", legacy_end=True))
    assert source.model.config.text_config.eos_token_id == 2


def edited(source: Path, to: Path, name: str, change: Any) -> Path:
    shutil.copytree(source, to)
    content = json.loads((to / name).read_text())
    change(content)
    (to / name).write_text(json.dumps(content))
    return to


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("bert", "not an architecture"),
        ("siglip2", "NaFlex"),
        (None, "not an architecture"),
    ],
)
def test_other_architectures_are_refused(clip: Path, tmp_path: Path, kind: str | None, reason: str) -> None:
    path = edited(clip, tmp_path / "x", "config.json", lambda config: config.update(model_type=kind))
    with pytest.raises(BundleInvalid, match=reason):
        read(path)


def test_code_that_comes_along_is_refused_or_not_run(clip: Path, tmp_path: Path) -> None:
    def mapped(config: dict[str, Any]) -> None:
        config.update(model_type="own", auto_map={"AutoModel": "code.Model"})

    with pytest.raises(BundleInvalid, match="never run"):
        read(edited(clip, tmp_path / "own", "config.json", mapped))
    known = edited(
        clip, tmp_path / "known", "config.json", lambda config: config.update(auto_map={"AutoModel": "code.M"})
    )
    (known / "code.py").write_text("raise SystemExit('this must never run')\n")
    assert read(known).family == "clip"


def test_wrong_tokenizers_and_weights_are_refused(clip: Path, siglip: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(clip, other)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(siglip / name, other / name)
    with pytest.raises(BundleInvalid, match="not this model's tokenizer"):
        read(other)
    shutil.copytree(clip, tmp_path / "none")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "none" / name).unlink()
    with pytest.raises(BundleInvalid, match=r"no tokenizer\.json"):
        read(tmp_path / "none")
    deeper = edited(clip, tmp_path / "deep", "config.json", lambda c: c["vision_config"].update(num_hidden_layers=3))
    with pytest.raises(BundleInvalid, match="weights lack"):
        read(deeper)
    wider = edited(clip, tmp_path / "wide", "config.json", lambda c: c["vision_config"].update(image_size=64))
    with pytest.raises(BundleInvalid):
        read(wider)


def test_weights_without_a_place_are_refused(clip: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    from tests.models.zoo_sources import save_open_clip

    shutil.copytree(clip, tmp_path / "clip")
    path = save_open_clip(tmp_path / "open")
    for file in (tmp_path / "clip" / "model.safetensors", path / "open_clip_model.safetensors"):
        weights = load_file(file)
        save_file(weights | {"adapter.weight": weights["logit_scale"].clone()}, file, {"format": "pt"})
        with pytest.raises(BundleInvalid, match=r"no place for the weights adapter\.weight"):
            read(file.parent)


def test_of_two_formats_the_one_with_safe_weights_is_read(clip: Path, tmp_path: Path) -> None:
    from tests.models.zoo_sources import save_open_clip

    both = tmp_path / "both"
    shutil.copytree(clip, both)
    open_clip = save_open_clip(tmp_path / "open")
    shutil.copy(open_clip / "open_clip_config.json", both)
    (both / "open_clip_pytorch_model.bin").write_bytes(b"pickle")
    assert read(both).hashes.keys() == {"model.safetensors"}
    shutil.copy(open_clip / "open_clip_model.safetensors", both)
    assert read(both).hashes.keys() == {"open_clip_model.safetensors"}


def test_odd_open_clips_are_refused(tmp_path: Path) -> None:
    from tests.models.zoo_sources import save_open_clip

    path = save_open_clip(tmp_path / "source")
    changes: dict[str, Any] = {
        "not a plain ViT": lambda c: c["model_cfg"]["vision_cfg"].update(layers=[3, 4, 6, 3]),
        "not a tower": lambda c: c["model_cfg"]["vision_cfg"].update(timm_model_name="eva_giant_patch14_224"),
        "hf_model_name": lambda c: c["model_cfg"]["text_cfg"].update(hf_model_name="roberta-base"),
        "no_causal_mask is not an option": lambda c: c["model_cfg"]["text_cfg"].update(no_causal_mask=True),
        "ls_init_value is not an option": lambda c: c["model_cfg"]["vision_cfg"].update(ls_init_value=1e-5),
        "do not fit each other": lambda c: c["model_cfg"]["text_cfg"].update(layers=3),
        "resize_mode": lambda c: c["preprocess_cfg"].update(resize_mode="longest"),
        "lacks model_cfg": lambda c: c.pop("model_cfg"),
    }
    for number, (reason, change) in enumerate(changes.items()):
        with pytest.raises(BundleInvalid, match=reason):
            read(edited(path, tmp_path / str(number), "open_clip_config.json", change))


@pytest.mark.usefixtures("small_towers")
@pytest.mark.parametrize(
    ("kind", "part", "change", "reason"),
    [
        ("siglip", "vision_cfg", {"timm_pool": "avg"}, "is not a SigLIP"),
        ("siglip", "text_cfg", {"norm_kwargs": {"elementwise_affine": False}}, "is not a SigLIP"),
        ("siglip", "text_cfg", {"layers": 1}, "no place for the weights"),
        ("eva", "vision_cfg", {"timm_pool": "avg"}, "does not end in its first token"),
        ("eva", "vision_cfg", {"image_size": 32}, "do not fit each other"),
        ("eva", "text_cfg", {"layers": 1}, "no place for the weights"),
    ],
)
def test_odd_towers_are_refused(kind: str, part: str, change: Any, reason: str, tmp_path: Path) -> None:
    from tests.models.zoo_sources import save_open_clip

    path = save_open_clip(tmp_path / "source", kind)
    with pytest.raises(BundleInvalid, match=reason):
        read(edited(path, tmp_path / "odd", "open_clip_config.json", lambda c: c["model_cfg"][part].update(change)))


@pytest.mark.usefixtures("small_towers")
def test_an_open_clip_that_fills_texts_up_in_front_is_refused(tmp_path: Path) -> None:
    from tests.models.zoo_sources import save_open_clip

    path = save_open_clip(tmp_path / "source", "siglip")
    with pytest.raises(BundleInvalid, match="filled up in front"):
        read(edited(path, tmp_path / "left", "tokenizer_config.json", lambda c: c.update(padding_side="left")))
    clip = save_open_clip(tmp_path / "clip", "vit")  # it is filled up by nobody
    read(edited(clip, tmp_path / "same", "tokenizer_config.json", lambda c: c.update(padding_side="left")))


def leaves(value: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The ways to every value of a JSON object, and to every object in it."""
    yield at
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*at, name))


@pytest.mark.usefixtures("small_towers")
@pytest.mark.parametrize("kind", ["vit", "siglip", "eva"])
def test_any_odd_value_is_refused_with_a_reason(kind: str, tmp_path: Path) -> None:
    from tests.models.zoo_sources import save_open_clip

    file = save_open_clip(tmp_path / "source", kind) / "open_clip_config.json"
    whole, refused = file.read_text(), 0
    for at in leaves(json.loads(whole)):
        odd_ones: tuple[Any, ...] = (None, -1, "x", [], {}, 1.5)
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
    assert refused > 60


def test_nothing_is_left_of_an_export_that_fails(siglip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from models.export.narrow import Narrow
    from models.export.zoo import export_zoo

    source = read(siglip)
    (tmp_path / "there").mkdir()
    with pytest.raises(Conflict, match="there already"):
        export_zoo(source, tmp_path / "there", wanted())
    with pytest.raises(InvalidInput, match="float32 is always"):
        export_zoo(source, tmp_path / "bundle", wanted(variants=("int8",)))
    monkeypatch.setattr("models.export.zoo.parity", lambda *_: float("nan"))
    with pytest.raises(BundleInvalid, match="differs from its source"):
        export_zoo(source, tmp_path / "bundle", wanted())
    with pytest.raises(InvalidInput, match="narrowed to"):
        export_zoo(source, tmp_path / "bundle", wanted(narrow=Narrow(32, *sample(), [""] * 24)))
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
