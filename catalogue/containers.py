"""What a photo's file says before a decoder is let near it.

Decoders trust files: they unpack every profile, text and thumbnail a file holds, and believe every size it names. So
each file is walked first, in bounded steps, and the decoder gets a copy that holds the first picture and nothing else.
Of the metadata only the orientation counts.
"""

import re
import struct
from dataclasses import dataclass
from typing import Final

MAX_STEPS: Final = 20_000
"""Segments, chunks or blocks of a file that are walked through; a photo of 20 MB has a few thousand."""
_MAX_SEGMENTS: Final = 1_000
_MAX_JUNK: Final = 4_096
_MAX_GIF_BLOCKS: Final = 100_000
_MAX_BMP_RUNS: Final = 1_000_000
"""Bytes of a run-length BMP: they are unpacked in Python."""
_MAX_TIFF_VALUES: Final = 100_000
_KINDS: Final = (
    ("JPEG", re.compile(rb"\xff\xd8\xff")),
    ("PNG", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("WEBP", re.compile(rb"RIFF.{4}WEBP", re.DOTALL)),
    ("GIF", re.compile(rb"GIF8[79]a")),
    ("BMP", re.compile(rb"BM")),
    ("TIFF", re.compile(rb"II\*\0|MM\0\*")),
)
_XMP_ORIENTATION: Final = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')


@dataclass(frozen=True, slots=True)
class Container:
    """A photo's kind (as Pillow names it), size in pixels and EXIF orientation, and the file of its first picture.

    `scans` is 0 for what a decoder reads in one pass, and else how often it goes over all of the picture;
    `raw_bytes` is what the picture takes in memory as the file keeps it.
    """

    kind: str
    width: int
    height: int
    data: bytes
    orientation: int = 1
    scans: int = 0
    raw_bytes: int = 0


def kind_of(head: bytes | bytearray) -> str | None:
    """The kind of photo whose file begins like this (12 bytes are enough), as Pillow names it; None for none."""
    return next((kind for kind, magic in _KINDS if magic.match(head)), None)


def read_container(data: bytes) -> Container:
    """Walk through a photo's file; raises ValueError, IndexError or struct.error for what is broken or no photo."""
    kind = kind_of(data)
    if kind is None:
        raise ValueError("no photo")
    found = _READERS[kind](data)
    if found.width < 1 or found.height < 1:
        raise ValueError("no pixels")
    return found


_MARKER: Final = re.compile(rb"\xff([\x01-\xfe])")
_BETWEEN_SCANS: Final = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})
"""Baseline, extended and progressive; the lossless, hierarchical and arithmetic ones are not photos of a shop."""
_OTHER_FRAMES: Final = frozenset({*range(0xC3, 0xD0)} - {0xC4, 0xC8, 0xCC})
_JPEG_KEPT: Final = frozenset({0xC4, 0xDB, 0xDD, 0xE0, 0xEE}) | _FRAMES
"""Tables, restarts, frame, and the two segments that say what the colours are (JFIF, Adobe)."""


def _jpeg(data: bytes) -> Container:
    kept, at, frame, exif, xmp = [b"\xff\xd8"], 2, None, b"", b""
    for _ in range(_MAX_SEGMENTS):
        marker = _MARKER.search(data, at, at + _MAX_JUNK)
        if marker is None:
            break
        code, at = marker[1][0], marker.end()
        if code == 0x01 or 0xD0 <= code <= 0xD7:
            continue
        (length,) = struct.unpack_from(">H", data, at)
        body, end = data[at + 2 : at + length], at + length
        if length < 2 or end > len(data) or code in _OTHER_FRAMES or (code in _FRAMES and frame is not None):
            break
        if code in _FRAMES:
            frame = (code, *struct.unpack_from(">xHHB", body))
        elif code == 0xE1 and body.startswith(b"Exif\0\0"):
            exif = exif or body
        elif code == 0xE1 and body.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
            xmp = body
        if code in _JPEG_KEPT:
            kept.append(b"\xff" + bytes([code]) + data[at:end])
        if code == 0xDA and frame is not None:
            process, height, width, components = frame
            scans = _count_scans(data, end) if process == 0xC2 or body[0] < components else 0
            kept.append(b"\xff\xda" + data[at:])
            return Container("JPEG", width, height, b"".join(kept), _orientation(exif, xmp), scans)
        at = end
    raise ValueError("no scan")


def _count_scans(data: bytes, at: int) -> int:
    """How many scans there are from the body of the first one on; counting ends at `MAX_STEPS`."""
    if data.count(b"\xff\xda", at) < 10:  # they may stand in what follows the picture, too
        return 1 + data.count(b"\xff\xda", at)
    scans = 1
    for _ in range(MAX_STEPS):
        marker = _BETWEEN_SCANS.search(data, at)
        if marker is None or data[marker.end() - 1] == 0xD9:
            return scans
        at = marker.end()
        scans += data[at - 1] == 0xDA
        if len(data) >= at + 2:
            at += int.from_bytes(data[at : at + 2], "big")
    return MAX_STEPS


def _png(data: bytes) -> Container:
    kept, at, size, exif, xmp, seen = [data[:8]], 8, (0, 0), b"", b"", set[bytes]()
    for _ in range(MAX_STEPS):
        if at + 8 > len(data):
            break
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if name == b"IHDR" and name not in seen:
            size = struct.unpack_from(">II", data, at + 8)
        elif name == b"eXIf":
            exif = data[at + 8 : end - 4]
        elif name == b"iTXt" and data.startswith(b"XML:com.adobe.xmp\0\0", at + 8):
            xmp = data[at + 8 : end - 4]
        if name in {b"IDAT", b"IEND"} or (name in {b"IHDR", b"PLTE", b"tRNS"} and name not in seen):
            kept.append(data[at:end])
            seen.add(name)
        if name == b"IEND":
            break
        at = end
    else:
        raise ValueError("too many chunks")
    return Container("PNG", *size, b"".join(kept), _orientation(exif, xmp))


def _webp(data: bytes) -> Container:
    kept, at, size, exif, xmp, is_complete = list[bytes](), 12, (0, 0), b"", b"", False
    for _ in range(MAX_STEPS):
        if at + 8 > len(data):
            break
        name, length = struct.unpack_from("<4sI", data, at)
        chunk = data[at : at + 8 + length + length % 2]
        if name == b"VP8X" and not kept:
            wide, high = (int.from_bytes(chunk[start : start + 3], "little") + 1 for start in (12, 15))
            size, chunk = (wide, high), chunk[:8] + bytes([chunk[8] & 0b11010011]) + chunk[9:]  # says: no metadata
        elif name == b"VP8 " and size == (0, 0):
            size = tuple(side & 0x3FFF for side in struct.unpack_from("<HH", chunk, 14))
        elif name == b"VP8L" and size == (0, 0):
            (bits,) = struct.unpack_from("<I", chunk, 9)
            size = ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        elif name == b"EXIF":
            exif = chunk[8:]
        elif name == b"XMP ":
            xmp = chunk[8:]
        if not is_complete and name in {b"VP8X", b"ANIM", b"ALPH", b"VP8 ", b"VP8L", b"ANMF"}:
            kept.append(chunk)
            is_complete = name in {b"VP8 ", b"VP8L", b"ANMF"}
        at += len(chunk)
    body = b"WEBP" + b"".join(kept)
    return Container("WEBP", *size, b"RIFF" + struct.pack("<I", len(body)) + body, _orientation(exif, xmp))


def _gif(data: bytes) -> Container:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + (3 << (flags & 7) + 1 if flags & 128 else 0)
    head, control, blocks = data[:at], b"", 0
    for _ in range(_MAX_GIF_BLOCKS):
        if data[at] == 0x2C:
            left, top, wide, high = struct.unpack_from("<HHHH", data, at + 1)
            size = max(width, left + wide), max(height, top + high)
            return Container("GIF", *size, head + control + data[at:])
        if data[at] == 0x3B:
            break
        if data[at] != 0x21:
            at += 1
            continue
        end = at + 2
        while data[end]:  # blocks of up to 255 bytes
            end += data[end] + 1
            blocks += 1
            if blocks > _MAX_GIF_BLOCKS:
                raise ValueError("too many blocks")
        control = data[at : end + 1] if data[at + 1] == 0xF9 else control
        at = end + 1
    raise ValueError("no picture")


def _bmp(data: bytes) -> Container:
    (header,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", data, 18)
    is_runs = header >= 40 and struct.unpack_from("<I", data, 30)[0] in {1, 2}
    if is_runs and len(data) > _MAX_BMP_RUNS:
        raise ValueError("too many runs")
    return Container("BMP", abs(width), abs(height), data)


_TIFF_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_TIFF_KEPT: Final = frozenset(
    {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 332, 338, 339, 347,
     529, 530, 531, 532}
)  # fmt: skip
"""What the pixels are and where: no thumbnails, profiles, layers, orientation (read here) or further pictures."""
_TIFF_COMPRESSIONS: Final = frozenset({1, 2, 3, 4, 5, 7, 8, 32773, 32946})
"""None, fax, LZW, JPEG, deflate and PackBits."""


def _tiff(data: bytes) -> Container:
    order = "<" if data[:1] == b"I" else ">"
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    kept, values, total = dict[int, bytes](), dict[int, tuple[int, ...]](), 0
    for at in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, number, offset = struct.unpack_from(f"{order}HHII", data, at)
        size = number * _TIFF_SIZES.get(kind, 0)
        if tag == 274 or (tag in _TIFF_KEPT and size):
            total += size
            if (size > 4 and offset + size > len(data)) or total > len(data) or number > _limit_of(kind):
                raise ValueError(f"values of tag {tag}")
            values[tag] = _small_values(order, data, kind, number, at + 8 if size <= 4 else offset)
        if tag in _TIFF_KEPT and size:
            kept[tag] = data[at : at + 12]
    return _described(order, data, start, kept, values)


def _limit_of(kind: int) -> int:
    """How many values of a type there may be: plain bytes are cheap, numbers become Python objects."""
    return 1 << 32 if kind in {1, 2, 6, 7} else _MAX_TIFF_VALUES


def _small_values(order: str, data: bytes, kind: int, number: int, at: int) -> tuple[int, ...]:
    """The first few values, where they are whole numbers."""
    code = {1: "B", 3: "H", 4: "I"}.get(kind)
    return struct.unpack_from(f"{order}{min(number, 16)}{code}", data, at) if code else ()


def _described(
    order: str, data: bytes, start: int, kept: dict[int, bytes], values: dict[int, tuple[int, ...]]
) -> Container:
    """A TIFF whose only directory, in the place of the first one, has the entries `kept`."""

    def one(tag: int, default: int = 0) -> int:
        found = values.get(tag) or (default,)
        return found[0]

    width, height, samples = one(256), one(257), one(277, 1)
    if one(259, 1) not in _TIFF_COMPRESSIONS or one(322) * one(323) > width * height + (1 << 20):
        raise ValueError("compression or tiles")
    pixel_bits = samples * max(values.get(258) or (1,))
    directory = struct.pack(f"{order}H", len(kept)) + b"".join(kept[tag] for tag in sorted(kept)) + bytes(4)
    rebuilt = data[:start] + directory + data[start + len(directory) :]  # it is no longer than what was there
    orientation = one(274, 1)
    return Container(
        "TIFF", width, height, rebuilt, orientation if 1 <= orientation <= 8 else 1,
        raw_bytes=width * height * pixel_bits // 8,
    )  # fmt: skip


def _orientation(exif: bytes, xmp: bytes) -> int:
    """1 to 8, from the first directory of EXIF, else from XMP; 1 where neither says."""
    tagged = _exif_orientation(exif[6:] if exif.startswith(b"Exif\0\0") else exif)
    if tagged is None and (match := _XMP_ORIENTATION.search(xmp)):
        tagged = int(match[1])
    return tagged if tagged is not None and 1 <= tagged <= 8 else 1


def _exif_orientation(exif: bytes) -> int | None:
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    found = None
    try:
        if order is not None:
            (start,) = struct.unpack_from(f"{order}I", exif, 4)
            (count,) = struct.unpack_from(f"{order}H", exif, start)
            for at in range(start + 2, start + 2 + 12 * min(count, 1_000), 12):
                tag, kind, number = struct.unpack_from(f"{order}HHI", exif, at)
                if tag == 0x0112 and number == 1:
                    found = next(iter(_small_values(order, exif, kind, 1, at + 8)), 0)
    except struct.error:  # it ends too early; what came before counts
        pass
    return found


_READERS: Final = {"JPEG": _jpeg, "PNG": _png, "WEBP": _webp, "GIF": _gif, "BMP": _bmp, "TIFF": _tiff}
