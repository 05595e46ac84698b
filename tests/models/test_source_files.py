"""What is told of a source from its files alone."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from catalogue.errors import BundleInvalid
from models.export.source_files import INDEX, check_inside, check_weights, licence_of, read_json
from models.export.source_images import pictures_of

CLIP = {
    "do_resize": True, "size": {"shortest_edge": 256}, "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224}, "resample": 3, "rescale_factor": 1 / 255,
    "image_mean": [0.48, 0.45, 0.4], "image_std": [0.26, 0.26, 0.27],
}  # fmt: skip
SIGLIP = {"size": {"height": 224, "width": 224}, "resample": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}


def told(path: Path, content: Any, name: str = "preprocessor_config.json") -> Path:
    (path / name).write_text(json.dumps(content))
    return path


def test_photos_are_prepared_as_the_source_says(tmp_path: Path) -> None:
    clip = pictures_of(told(tmp_path, CLIP), 224)
    assert (clip.fit, clip.resize, clip.crop, clip.resample) == ("crop-whole", 256, 224, "bicubic")
    assert clip.mean == (0.48, 0.45, 0.4)
    siglip = pictures_of(told(tmp_path, SIGLIP), 224)
    assert (siglip.fit, siglip.crop, siglip.resample) == ("stretch", 224, "bilinear")
    old = pictures_of(told(tmp_path, CLIP | {"size": 224, "crop_size": 224, "do_normalize": False}), 224)
    assert (old.fit, old.resize, old.mean, old.std) == ("crop-whole", 224, (0, 0, 0), (1, 1, 1))


def test_a_processor_of_both_holds_the_one_of_photos(tmp_path: Path) -> None:
    told(tmp_path, {"image_processor": SIGLIP, "processor_class": "X"}, "processor_config.json")
    assert pictures_of(tmp_path, 224).fit == "stretch"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"resample": 1}, "resizes by method 1"),
        ({"crop_size": {"height": 224, "width": 200}}, "no fixed"),
        ({"crop_size": 336}, "336 pixels, and the network takes squares of 224"),
        ({"do_center_crop": False}, "no fixed"),
        ({"do_resize": False}, "does not resize"),
        ({"rescale_factor": 0.5}, "rescale_factor"),
        ({"rescale_factor": None}, "rescale_factor None"),
        ({"image_std": [0, 1, 1]}, "std must be positive"),
        ({"image_mean": None}, "mean"),
    ],
)
def test_steps_that_a_bundle_does_not_have_are_refused(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    with pytest.raises(BundleInvalid, match=reason):
        pictures_of(told(tmp_path, CLIP | change), 224)


def test_a_source_that_does_not_say_how_photos_are_prepared(tmp_path: Path) -> None:
    with pytest.raises(BundleInvalid, match=r"preprocessor_config\.json is missing"):
        pictures_of(tmp_path, 224)


def safetensors(**tensors: NDArray[Any]) -> bytes:
    """A file in that format: the length of a header, the header, the numbers."""
    header, content = dict[str, Any](), b""
    for name, tensor in tensors.items():
        start, content = len(content), content + tensor.tobytes()
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [start, len(content)]}
    told_first = json.dumps(header).encode()
    return len(told_first).to_bytes(8, "little") + told_first + content


def weights(path: Path) -> Path:
    path.write_bytes(safetensors(a=np.ones((3, 4), np.float32), b=np.zeros(5, np.float32)))
    return path


def test_whole_weights_pass(tmp_path: Path) -> None:
    weights(tmp_path / "model.safetensors")
    check_weights(tmp_path)
    parts = tmp_path / "parts"
    parts.mkdir()
    weights(parts / "model-00001-of-00001.safetensors")
    told(parts, {"weight_map": {"a": "model-00001-of-00001.safetensors"}}, INDEX)
    check_weights(parts)


@pytest.mark.parametrize("keep", [0, 5, 20, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, keep: int) -> None:
    file = weights(tmp_path / "model.safetensors")
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(BundleInvalid, match="Fetch it again"):
        check_weights(tmp_path)


@pytest.mark.parametrize("garbage", [b"\xff" * 100, b"\x08" + b"\0" * 7 + b'{"a":1} ', b"\x02" + b"\0" * 7 + b"[]"])
def test_garbage_is_refused(tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(garbage)
    with pytest.raises(BundleInvalid, match="no safetensors file"):
        check_weights(tmp_path)


def test_pickled_weights_are_never_read(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"anything")
    with pytest.raises(BundleInvalid, match="runs code"):
        check_weights(tmp_path)
    (tmp_path / "pytorch_model.bin").unlink()
    with pytest.raises(BundleInvalid, match="none at all"):
        check_weights(tmp_path)


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/passwd", 7, "gone.safetensors"])
def test_parts_elsewhere_are_refused(tmp_path: Path, name: Any) -> None:
    told(tmp_path, {"weight_map": {"a": name}}, INDEX)
    with pytest.raises(BundleInvalid):
        check_weights(tmp_path)


def test_links_that_lead_out_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (tmp_path / "secret").write_text("x")
    (source / "model.safetensors").symlink_to(tmp_path / "secret")
    with pytest.raises(BundleInvalid, match="leads out"):
        check_inside(source)


@pytest.mark.parametrize(
    ("head", "licence"),
    [
        ("---\nlicense: mit\n---\n", "mit"),
        ('---\ntags:\n- x\nlicense: "apache-2.0"\n---\n', "apache-2.0"),
        ("---\nlicense: other\n---\n", None),
        ("license: mit\n", None),
        ("", None),
    ],
)
def test_the_licence_is_what_the_card_says(tmp_path: Path, head: str, licence: str | None) -> None:
    (tmp_path / "README.md").write_text(f"{head}# Model\n")
    assert licence_of(tmp_path) == licence


@pytest.mark.parametrize("content", ["{", "[1]", "[" * 100_000])
def test_json_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(BundleInvalid, match="JSON"):
        read_json(tmp_path / "config.json")
