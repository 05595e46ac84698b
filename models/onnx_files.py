"""What an ONNX file refers to outside itself, read from the file without building the model.

An ONNX file may take weights from other files. A bundle that came from elsewhere could so read any file of the
machine, and weights that are not hashed would not be part of the fingerprint. So an initializer may lie in a plain
file beside the ONNX file, which a model of over 2 GB cannot do without, and anything else is refused.
ONNX is Protocol Buffers: a message is a run of (field number, wire type, value), and a value that is a message
again has its length in front, which lets whole subtrees be skipped without looking at them.
"""

import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias

from catalogue.errors import BundleInvalid

_MAX_DEPTH: Final = 64
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_KEY: Final = 1 << 32
"""Of larger ones some readers see only the lower half, and so another field."""

_Message: TypeAlias = str
_Ends: TypeAlias = dict[str, int]
"""How far each file beside is read, in bytes."""

# message -> field number -> message: the ways that lead to a tensor, by the numbers of onnx.proto3
_CHILDREN: Final[dict[_Message, dict[int, _Message]]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Initializer", 15: "SparseTensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Initializer": {},
    "Tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_SAYS_WHERE: Final = {_EXTERNAL_DATA: _BYTES, _DATA_LOCATION: _VARINT}
_KEY, _TEXT = 1, 2
"""Of an entry of external data."""

_NAME: Final = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")
"""Of a file beside: no folder, no way up, nothing hidden, which a backup would leave out."""
_NUMBER: Final = re.compile(rb"[0-9]{1,19}")
_NEEDED: Final = frozenset({b"location", b"length"})
_CURE: Final = "Save it with its initializers inside, or in one file beside it; samestyle model export does."


class _Refused(Exception):
    """What it refers to is not allowed; says what is wrong."""


def data_files(path: Path) -> tuple[str, ...]:
    """The names of the files beside an ONNX file that it takes initializers from; none for one that is whole itself.

    Raises BundleInvalid unless the file is an ONNX model, and each of those a regular file that reaches as far as it is
    read. Whether one is a link is the caller's to look at.
    """
    ends: _Ends = {}
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if not size:
            raise BundleInvalid(f"{path} is empty. Fetch the bundle again.")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                _walk(data, 0, size, "Model", 0, ends)
            except _Refused as error:
                raise BundleInvalid(f"{path} {error}, which is not allowed in a bundle. {_CURE}") from None
            except (IndexError, ValueError) as error:
                raise BundleInvalid(
                    f"{path} is not an ONNX model, or it is damaged. Fetch the bundle again."
                ) from error
    for name, end in ends.items():
        beside = path.with_name(name)
        if not beside.is_file():
            raise BundleInvalid(
                f"{beside} is missing, or is no regular file, and {path.name} takes weights from it. "
                "Fetch the complete bundle again."
            )
        if beside.stat().st_size < end:
            raise BundleInvalid(
                f"{beside} has {beside.stat().st_size:,} bytes, and {path.name} takes weights up to byte {end:,}. "
                "Fetch the complete bundle again."
            )
    return tuple(sorted(ends))


def _walk(data: mmap.mmap, position: int, end: int, message: _Message, depth: int, ends: _Ends) -> None:
    """Note all that a message refers to; raises _Refused, or ValueError or IndexError for one that is damaged."""
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    children = _CHILDREN[message]
    is_tensor = message in ("Initializer", "Tensor")
    entries, elsewhere = list[tuple[bytes, bytes]](), False
    for field, wire_type, start, after in _fields(data, position, end):
        if wire_type == _BYTES and field in children:
            _walk(data, start, after, children[field], depth + 1, ends)
        elif is_tensor and field in _SAYS_WHERE:
            if wire_type != _SAYS_WHERE[field]:
                raise ValueError(f"wire type {wire_type}")
            if field == _EXTERNAL_DATA:
                entries.append(_entry(data, start, after))
            elsewhere = elsewhere or field == _EXTERNAL_DATA or _varint(data, start)[0] != 0  # an enum, 0: inside
    if elsewhere:
        if message != "Initializer":
            raise _Refused("keeps numbers that are no initializers in another file")
        name, reach = _reference(entries)
        ends[name] = max(reach, ends.get(name, 0))


def _entry(data: mmap.mmap, position: int, end: int) -> tuple[bytes, bytes]:
    parts = {field: data[start:after] for field, _, start, after in _fields(data, position, end)}
    return parts.get(_KEY, b""), parts.get(_TEXT, b"")


def _reference(entries: list[tuple[bytes, bytes]]) -> tuple[str, int]:
    """Which file beside an initializer lies in, and where it ends there; raises _Refused."""
    told = dict(entries)
    if len(told) < len(entries) or not _NEEDED <= told.keys() <= _NEEDED | {b"offset"}:
        raise _Refused("keeps an initializer in another file, and not by location, length and offset alone, each once")
    location, offset, length = told[b"location"], told.get(b"offset", b"0"), told[b"length"]
    if not _NAME.fullmatch(location):
        raise _Refused(f"takes weights from {_shown(location)}: not the plain name of a file beside it")
    if not _NUMBER.fullmatch(offset) or not _NUMBER.fullmatch(length):
        raise _Refused(f"takes weights from offset {_shown(offset)}, length {_shown(length)}: not numbers of bytes")
    return location.decode(), int(offset) + int(length)


def _shown(value: bytes) -> str:
    return repr(value[:100].decode(errors="replace"))


def _fields(data: mmap.mmap, position: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """(number, wire type, start of the value, its end) of a message's fields."""
    while position < end:
        key, position = _varint(data, position)
        if key >= _MAX_KEY:
            raise ValueError("a field's number is too large")
        start, position = _value(data, position, key & 7)
        if position > end:
            raise ValueError("a value is longer than its message")
        yield key >> 3, key & 7, start, position


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
