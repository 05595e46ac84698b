"""Small photos of every kind, and broken ones, made in memory."""

import io
import struct
import zlib
from contextlib import AbstractContextManager
from typing import Any

import pytest
from PIL import ExifTags, Image

from catalogue import images

RED = (220, 30, 30)
BLUE = (30, 30, 220)


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def plain(kind: str = "JPEG", size: tuple[int, int] = (32, 24), colour: tuple[int, int, int] = RED) -> bytes:
    return encode(Image.new("RGB", size, colour), kind)


def halves(size: tuple[int, int] = (40, 20)) -> Image.Image:
    """Red on the left, blue on the right: it shows which way is up."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    return image


def noise(size: tuple[int, int] = (64, 48)) -> Image.Image:
    return Image.effect_noise(size, 60).convert("RGB")


def oriented(orientation: Any, kind: str = "JPEG") -> bytes:
    """`halves` with an EXIF orientation."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return encode(halves(), kind, exif=exif.tobytes())


def with_app1(jpeg: bytes, payload: bytes) -> bytes:
    """A JPEG with an APP1 segment straight after its start marker, where EXIF stands."""
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is and then holds next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = png_chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + body


def png_with(chunk: bytes) -> bytes:
    """A sound PNG with one more chunk after its header."""
    png = plain("PNG")
    return png[:33] + chunk + png[33:]


def jpeg_of_size(width: int, height: int) -> bytes:
    """A JPEG whose frame header claims a size."""
    jpeg = bytearray(plain("JPEG"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(jpeg)


def pixels_decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pixels each photo is decoded to from now on."""
    decoded: list[int] = []
    take = images._budget.take

    def counted(pixels: int) -> AbstractContextManager[None]:
        decoded.append(pixels)
        return take(pixels)

    monkeypatch.setattr(images._budget, "take", counted)
    return decoded
