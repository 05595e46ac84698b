from collections.abc import Callable
from pathlib import Path

import pytest

from catalogue.errors import BundleInvalid
from models.onnx_files import check_self_contained
from tests.models.bundles import SHIPPED, field

EXTERNAL_TENSOR = field(13, field(1, b"location") + field(2, b"../../etc/passwd"))
LOCATED_OUTSIDE = field(14, 1)
INSIDE = field(14, 0) + field(9, b"\0\0\0\0")


def model(graph: bytes) -> bytes:
    return field(1, 8) + field(7, graph)


def in_attribute(attribute: bytes) -> bytes:
    return model(field(1, field(5, attribute)))


def check(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(content)
    check_self_contained(file)


@pytest.mark.parametrize("file", sorted((SHIPPED / "onnx").glob("*.onnx")), ids=lambda file: file.name)
def test_accepts_the_shipped_files(file: Path) -> None:
    check_self_contained(file)


def test_accepts_a_tensor_inside(tmp_path: Path) -> None:
    check(tmp_path, model(field(5, INSIDE)))


@pytest.mark.parametrize("tensor", [EXTERNAL_TENSOR, LOCATED_OUTSIDE, INSIDE + EXTERNAL_TENSOR])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda tensor: model(field(5, tensor)),
        lambda tensor: model(field(15, field(1, tensor))),
        lambda tensor: in_attribute(field(5, tensor)),
        lambda tensor: in_attribute(field(10, tensor)),
        lambda tensor: in_attribute(field(6, field(5, tensor))),
        lambda tensor: in_attribute(field(11, field(5, tensor))),
        lambda tensor: field(25, field(7, field(5, field(5, tensor)))),
    ],
    ids=["weight", "sparse", "constant", "constants", "branch", "branches", "function"],
)
def test_refuses_weights_in_another_file(tmp_path: Path, wrap: Callable[[bytes], bytes], tensor: bytes) -> None:
    with pytest.raises(BundleInvalid, match="Save it again as one file"):
        check(tmp_path, wrap(tensor))


@pytest.mark.parametrize(
    "content",
    [b"", b"not an onnx file", b"\xff" * 40, field(7, b"abc")[:-2], b"\x3f\x00", model(field(5, b"\x6a\xff"))],
    ids=["empty", "text", "endless number", "cut", "wire type", "cut inside"],
)
def test_refuses_what_is_no_onnx_file(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BundleInvalid):
        check(tmp_path, content)


def test_refuses_nesting_without_end(tmp_path: Path) -> None:
    graph = b""
    for _ in range(200):
        graph = field(1, field(5, field(6, graph)))
    with pytest.raises(BundleInvalid):
        check(tmp_path, model(graph))
