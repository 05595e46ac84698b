"""The shipped bundle, copies of it to damage, and hand-made ONNX files."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "models" / "default"


def copy_bundle(target: Path) -> Path:
    """A copy that shares its large files until one is replaced (never written to in place)."""
    for file in SHIPPED.rglob("*"):
        if file.is_file():
            place = target / file.relative_to(SHIPPED)
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
