"""The shipped bundle, copies of it to damage, and hand-made ONNX files."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "models" / "default"


def copy_bundle(target: Path, source: Path = SHIPPED) -> Path:
    """A copy that shares its large files until one is replaced (never written to in place)."""
    for file in source.rglob("*"):
        if file.is_file():
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(file, place)
            except OSError:  # another file system
                place.write_bytes(file.read_bytes())
    return target


def replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def edit_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    replace(path, json.dumps(content).encode())


def field(number: int, payload: bytes | int) -> bytes:
    """One field of a Protocol Buffers message: bytes with their length, or a number."""
    if isinstance(payload, int):
        return _varint(number << 3) + _varint(payload)
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """The other way: the fields of a message that has only such ones, and how they were put."""
    position = 0

    def number() -> int:
        nonlocal position
        value = shift = 0
        while True:
            byte, position = message[position], position + 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while position < len(message):
        key = number()
        if key & 7:
            length = number()
            yield key >> 3, message[position : position + length]
            position += length
        else:
            yield key >> 3, number()


def part_weights(file: Path, smallest: int = 1024) -> Path:
    """Move the initializers of an ONNX file, but for the small ones, to another beside it; where that is."""
    beside, moved = file.with_name(f"{file.name}.data"), bytearray()

    def parted(tensor: bytes) -> bytes:
        told = list(fields(tensor))
        raw = next((value for number, value in told if number == 9 and isinstance(value, bytes)), b"")
        if len(raw) < smallest:
            return tensor
        moved.extend(bytes(-len(moved) % 4096))
        where = {"location": beside.name, "offset": len(moved), "length": len(raw)}
        moved.extend(raw)
        kept = b"".join(field(number, value) for number, value in told if number != 9)
        entries = (field(13, field(1, key.encode()) + field(2, str(value).encode())) for key, value in where.items())
        return kept + b"".join(entries) + field(14, 1)

    def graph(content: bytes) -> bytes:
        return b"".join(
            field(number, parted(value) if number == 5 and isinstance(value, bytes) else value)
            for number, value in fields(content)
        )

    model = b"".join(
        field(number, graph(value) if number == 7 and isinstance(value, bytes) else value)
        for number, value in fields(file.read_bytes())
    )
    replace(file, model)
    beside.write_bytes(moved)
    return beside
