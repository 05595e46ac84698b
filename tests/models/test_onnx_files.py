import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.errors import BundleInvalid
from models.onnx_files import data_files
from tests.models.bundles import SHIPPED, field

LOCATED_OUTSIDE = field(14, 1)
INSIDE = field(14, 0) + field(9, b"\0\0\0\0")


def model(graph: bytes) -> bytes:
    return field(1, 8) + field(7, graph)


def in_attribute(attribute: bytes) -> bytes:
    return model(field(1, field(5, attribute)))


def beside(**told: object) -> bytes:
    """A tensor whose numbers are elsewhere, and what it says about where."""
    return entries(*told.items()) + LOCATED_OUTSIDE


def entries(*told: tuple[str, object]) -> bytes:
    pairs = ((key.encode(), value if isinstance(value, bytes) else str(value).encode()) for key, value in told)
    return b"".join(field(13, field(1, key) + field(2, value)) for key, value in pairs)


EXTERNAL_TENSOR = beside(location="weights.data", offset=4, length=8)


def check(tmp_path: Path, content: bytes) -> tuple[str, ...]:
    (tmp_path / "weights.data").write_bytes(bytes(12))
    file = tmp_path / "model.onnx"
    file.write_bytes(content)
    return data_files(file)


@pytest.mark.parametrize("file", sorted((SHIPPED / "onnx").glob("*.onnx")), ids=lambda file: file.name)
def test_accepts_the_shipped_files(file: Path) -> None:
    assert data_files(file) == ()


def test_accepts_a_tensor_inside(tmp_path: Path) -> None:
    assert check(tmp_path, model(field(5, INSIDE))) == ()


def test_finds_the_files_beside_that_hold_initializers(tmp_path: Path) -> None:
    (tmp_path / "b_2.bin").write_bytes(bytes(5))
    tensors = [
        EXTERNAL_TENSOR,
        beside(location="b_2.bin", length=5),
        beside(location="weights.data", offset=12, length=0),
        entries(("location", "weights.data"), ("length", 12)),  # without a word that it lies there
        INSIDE,
    ]
    branch = field(1, field(5, field(6, field(5, EXTERNAL_TENSOR))))
    assert check(tmp_path, model(b"".join(field(5, tensor) for tensor in tensors))) == ("b_2.bin", "weights.data")
    assert check(tmp_path, model(branch)) == ("weights.data",)
    assert check(tmp_path, field(20, field(2, field(5, EXTERNAL_TENSOR)))) == ("weights.data",)


def refused(tmp_path: Path, tensor: bytes, reason: str) -> None:
    with pytest.raises(BundleInvalid, match=reason):
        check(tmp_path, model(field(5, INSIDE) + field(5, tensor)))


LOCATIONS = [
    *("../x", "/etc/passwd", "a/../../x", "a/x", "./x", ".", "..", "", "/", "x/", "a\\x", "C:x", "..\\x"),
    *(
        "*/_ORT_MEM_ADDR_/*",
        "//host/x",
        "~/x",
        ".hidden",
        "-x",
        "x y",
        "weights.data\n",
        "weights.data\0",
        "é",
        "x" * 256,
    ),
    *(b"\xff\xfe", b"weights.data\0/../x", "file:///etc/passwd", "$HOME", "%00"),
]


@pytest.mark.parametrize("location", LOCATIONS, ids=repr)
def test_refuses_weights_anywhere_but_beside(tmp_path: Path, location: str | bytes) -> None:
    refused(tmp_path, beside(location=location, length=4), "not the plain name of a file beside it")


@pytest.mark.parametrize(
    "number", [-1, "1e3", "0x10", "", " 4", "4 ", "+4", "4.0", "٤", "1_0", 10**19, "9" * 5000, b"\xff"]
)
@pytest.mark.parametrize("name", ["offset", "length"])
def test_refuses_places_that_are_no_numbers(tmp_path: Path, name: str, number: object) -> None:
    refused(tmp_path, beside(**({"location": "weights.data", "length": 4} | {name: number})), "not numbers of bytes")


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 13), (12, 1), (13, 0), (2**63 - 1, 2**63 - 1), (2**63, 0), (0, 10**19 - 1)]
)
def test_refuses_what_reaches_beyond_the_end(tmp_path: Path, offset: int, length: int) -> None:
    tensor = beside(location="weights.data", offset=offset, length=length)
    refused(tmp_path, tensor, r"weights.data has 12 bytes, and model.onnx takes weights up to byte [\d,]+\. Fetch")


@pytest.mark.parametrize(
    "tensor",
    [
        LOCATED_OUTSIDE,
        beside(location="weights.data"),
        beside(length=4),
        beside(location="weights.data", length=4, basepath="/etc"),
        beside(location="weights.data", length=4, prepacked_0="weights.data"),
        entries(("location", "weights.data"), ("length", 4), ("location", "../x")) + LOCATED_OUTSIDE,
        entries(("location", "weights.data"), ("length", 4), ("length", 400)) + LOCATED_OUTSIDE,
        field(13, b"") + LOCATED_OUTSIDE,
        INSIDE + LOCATED_OUTSIDE,
    ],
)
def test_refuses_what_does_not_say_where(tmp_path: Path, tensor: bytes) -> None:
    refused(tmp_path, tensor, "in another file, and not by location")


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_refuses_what_is_no_file(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "other.data")
    refused(tmp_path, beside(location="other.data", length=0), "other.data is missing, or is no regular file")


@given(
    st.dictionaries(st.sampled_from(["location", "offset", "length", "other"]), st.text() | st.integers() | st.binary())
)
def test_what_is_accepted_lies_beside(told: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = check(Path(folder), model(field(5, beside(**told))))
        except BundleInvalid:
            return
        assert found == ("weights.data",) or (found == ("model.onnx",))
        assert {"location", "length"} <= told.keys()


@pytest.mark.parametrize("tensor", [EXTERNAL_TENSOR, LOCATED_OUTSIDE, INSIDE + EXTERNAL_TENSOR])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda tensor: model(field(15, field(1, tensor))),
        lambda tensor: in_attribute(field(5, tensor)),
        lambda tensor: in_attribute(field(10, tensor)),
        lambda tensor: in_attribute(field(6, field(15, field(2, tensor)))),
        lambda tensor: in_attribute(field(11, field(1, field(5, field(5, tensor))))),
        lambda tensor: field(25, field(7, field(5, field(5, tensor)))),
    ],
    ids=["sparse", "constant", "constants", "in branch", "in branches", "function"],
)
def test_refuses_other_numbers_in_another_file(tmp_path: Path, wrap: Callable[[bytes], bytes], tensor: bytes) -> None:
    with pytest.raises(BundleInvalid, match=r"no initializers in another file, which is not allowed .* Save it with"):
        check(tmp_path, wrap(tensor))


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"not an onnx file", b"\xff" * 40, field(7, b"abc")[:-2], b"\x3f\x00", model(field(5, b"\x6a\xff"))),
        *(model(field(5, field(13, 4))), model(field(5, field(14, b"\x01")))),
        field(1 << 29 | 7, b""),  # read as 7 by those who keep 32 bits of it
    ],
    ids=["empty", "text", "endless number", "cut", "wire type", "cut inside", "where", "whether", "large number"],
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
