"""What an ONNX file refers to outside itself, read from the file without building the model.

An ONNX file may name other files to take weights from. A bundle that came from elsewhere could so read any file of
the machine, and weights outside the hashed file would not be part of the fingerprint; so such files are refused.
ONNX is Protocol Buffers: a message is a run of (field number, wire type, value), and a value that is a message
again has its length in front, which lets whole subtrees be skipped without looking at them.
"""

import mmap
from pathlib import Path
from typing import Final, TypeAlias

from catalogue.errors import BundleInvalid

_MAX_DEPTH: Final = 64
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

_Message: TypeAlias = str

# message -> field number -> message: the ways that lead to a tensor, by the numbers of onnx.proto3
_CHILDREN: Final[dict[_Message, dict[int, _Message]]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14


def check_self_contained(path: Path) -> None:
    """Raise BundleInvalid unless the file is an ONNX model that holds all of its weights itself."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if not size:
            raise BundleInvalid(f"{path} is empty. Fetch the bundle again.")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                external = _refers_outside(data, 0, size, "Model", 0)
            except (IndexError, ValueError) as error:
                raise BundleInvalid(
                    f"{path} is not an ONNX model, or it is damaged. Fetch the bundle again."
                ) from error
    if external:
        raise BundleInvalid(
            f"{path} keeps weights in another file, which is not allowed in a bundle. "
            "Save it again as one file (onnx.save_model without save_as_external_data)."
        )


def _refers_outside(data: mmap.mmap, position: int, end: int, message: _Message, depth: int) -> bool:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    children = _CHILDREN[message]
    while position < end:
        key, position = _varint(data, position)
        field, wire_type = key >> 3, key & 7
        if message == "Tensor" and field in (_EXTERNAL_DATA, _DATA_LOCATION):
            value, _ = _varint(data, position)  # an enum (0: inside), or the length of an entry
            if value or field == _EXTERNAL_DATA:
                return True
        start, position = _value(data, position, wire_type)
        if position > end:
            raise ValueError("a value is longer than its message")
        child = children.get(field) if wire_type == _BYTES else None
        if child and _refers_outside(data, start, position, child, depth + 1):
            return True
    return False


def _value(data: mmap.mmap, position: int, wire_type: int) -> tuple[int, int]:
    """Where the value at `position` starts and ends."""
    if wire_type == _VARINT:
        return position, _varint(data, position)[1]
    if wire_type == _BYTES:
        length, start = _varint(data, position)
        return start, start + length
    if wire_type in (_FIXED64, _FIXED32):
        return position, position + (8 if wire_type == _FIXED64 else 4)
    raise ValueError(f"wire type {wire_type}")


def _varint(data: mmap.mmap, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number that does not end")
