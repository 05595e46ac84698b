"""Photos made to hurt: more than 100 files that lie, swell, loop, or are something else."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

import numpy as np
from PIL import Image

from tests.catalogue import pictures
from tests.catalogue.pictures import encode, noise, plain, png_chunk, with_app1

Make: TypeAlias = Callable[[], bytes]

PNG: Final = b"\x89PNG\r\n\x1a\n"
SIDE: Final = 5_000
"""Squared, the most pixels that are decoded."""


def repeated(of: bytes, size: int) -> bytes:
    return of * (size // len(of))


def ihdr(width: int, height: int, *, bits: int = 8, colours: int = 2, interlaced: int = 0) -> bytes:
    return png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, interlaced))


def png(*chunks: bytes, body: bytes | None = None) -> bytes:
    """A PNG of chunks, its pixels `body` packed."""
    pixels = b"" if body is None else png_chunk(b"IDAT", zlib.compress(body, 9))
    return PNG + b"".join(chunks) + pixels + png_chunk(b"IEND", b"")


def tags(order: str, entries: Iterable[tuple[int, int, int, int]], *, then: int = 0) -> bytes:
    """A TIFF directory of (tag, type, count, value or offset)."""
    packed = [struct.pack(f"{order}HHII", *entry) for entry in entries]
    return struct.pack(f"{order}H", len(packed)) + b"".join(packed) + struct.pack(f"{order}I", then)


def overlapping(count: int, size: int) -> bytes:
    """EXIF whose tags all name the same bytes: read one by one, they fill the memory."""
    return b"II*\0\x08\0\0\0" + tags("<", ((0x9000 + at, 7, size, 8) for at in range(count))) + bytes(size)


def tiff(
    *, pixels: bytes = b"\0" * 3 * 16 * 16, then: int = 0, more: bytes = b"", **changed: tuple[int, int, int]
) -> bytes:
    """A TIFF of 16 x 16 RGB pixels, with tags changed: t257=(type, count, value)."""
    entries = {
        256: (4, 1, 16), 257: (4, 1, 16), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 2), 273: (4, 1, 8),
        277: (3, 1, 3), 278: (4, 1, 16), 279: (4, 1, len(pixels)),
    }  # fmt: skip
    entries |= {int(name[1:]): value for name, value in changed.items()}
    at = 8 + len(pixels) + len(more)
    directory = tags("<", ((tag, *entry) for tag, entry in sorted(entries.items()) if entry != (0, 0, 0)), then=then)
    return b"II*\0" + struct.pack("<I", at) + pixels + more + directory


def webp(*chunks: bytes, size: int | None = None) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def webp_chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def vp8x(width: int, height: int, flags: int = 0) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + sides)


def bitstream(kind: bytes = b"VP8 ") -> bytes:
    """The chunk of pixels of a small WebP."""
    data = encode(noise((16, 16)), "WEBP", lossless=kind == b"VP8L")
    return data[data.index(kind) :]


def frame(at: int = 0) -> bytes:
    sides = (at // 2).to_bytes(3, "little") * 2 + (15).to_bytes(3, "little") * 2
    return webp_chunk(b"ANMF", sides + (100).to_bytes(3, "little") + b"\0" + bitstream())


def segment(code: int, body: bytes) -> bytes:
    return b"\xff" + bytes([code]) + struct.pack(">H", len(body) + 2) + body


def with_segments(segments: bytes, photo: bytes | None = None) -> bytes:
    photo = photo or plain()
    return photo[:2] + segments + photo[2:]


def as_frame(code: int, photo: bytes | None = None) -> bytes:
    """A JPEG that says it was coded in another way."""
    data = bytearray(photo or plain())
    data[data.index(b"\xff\xc0") + 1] = code
    return bytes(data)


def with_frame(offset: int, values: bytes) -> bytes:
    """A JPEG whose frame header is changed from `offset` on: 4 precision, 5 height, 7 width, 9 components."""
    data = bytearray(plain())
    at = data.index(b"\xff\xc0") + offset
    data[at : at + len(values)] = values
    return bytes(data)


def many_scans(scans: int, size: tuple[int, int] = (512, 512), kind: str = "L") -> bytes:
    """A progressive JPEG that goes over the whole picture again and again, refining nothing."""
    data = encode(Image.new(kind, size, 128), "JPEG", progressive=True)
    first = data.index(b"\xff\xda")
    return data[:first] + _empty_scans(size, scans) + data[first:]


def _empty_scans(size: tuple[int, int], scans: int) -> bytes:
    """Scans of the coefficients 1 to 5, each a run over all blocks that holds none of them."""
    table = segment(0xC4, b"\x10" + bytes([1]) + bytes(15) + b"\xe0")  # one code, of one bit: a run of 2**14 blocks
    blocks = ((size[0] + 7) // 8) * ((size[1] + 7) // 8)
    bits = ""
    while blocks > 0:
        run = min(blocks, (1 << 15) - 1)
        if run < 1 << 14:
            break
        bits += "0" + format(run - (1 << 14), "014b")
        blocks -= run
    bits += "1" * (-len(bits) % 8)
    body = int(bits or "11111111", 2).to_bytes(len(bits or "1" * 8) // 8, "big").replace(b"\xff", b"\xff\0")
    return table + (b"\xff\xda\0\x08\x01\x01\x00\x01\x05\x00" + body) * scans


def non_interleaved(width: int, height: int) -> bytes:
    """A baseline JPEG that has a scan for each colour, so all of them must be kept till the last."""
    data = bytearray(encode(Image.new("RGB", (64, 64)), "JPEG", subsampling=0))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    scan = data.index(b"\xff\xda")
    return bytes(data[:scan]) + b"\xff\xda\0\x08\x01\x01\x00\x00\x3f\x00" + bytes(data[scan + 14 :])


def mpo(claimed: int) -> bytes:
    """A JPEG with a list of further pictures that there are not."""
    entries = bytes(16 * min(claimed, 4_000))
    listing = tags(">", [(0xB000, 7, 4, 0x30313030), (0xB001, 4, 1, claimed), (0xB002, 7, len(entries), 50)])
    return with_segments(segment(0xE2, b"MPF\0MM\0*\0\0\0\x08" + listing + entries))


def gif(*blocks: bytes, width: int = 16, height: int = 16) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + b"".join(blocks) + b";"


def gif_frame(x: int = 0, y: int = 0, width: int = 16, height: int = 16, code_size: int | None = None) -> bytes:
    pixels = encode(Image.new("P", (16, 16)), "GIF")
    data = pixels[pixels.index(b",\0\0\0\0") + 10 : -1]
    own = data[0] if code_size is None else code_size
    return b"," + struct.pack("<HHHHB", x, y, width, height, 0) + bytes([own]) + data[1:]


def bmp(
    width: int, height: int, *, compression: int = 0, bits: int = 24, body: bytes = bytes(1024), used: int = 0
) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, used, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(body), 0, 0, 54) + header + body


def moving(kind: str, count: int) -> bytes:
    """Many frames, each unlike the one before, or they would be joined."""
    frames = [Image.new("RGB", (8, 8), (at % 251, at % 241, at % 239)) for at in range(count)]
    return encode(frames[0], kind, save_all=True, append_images=frames[1:])


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.html", "<script>alert(1)</script>" * 1000)
    return out.getvalue()


def cut(data: bytes) -> Iterator[bytes]:
    """The file ended at its signature, in its header, in the middle and just before its end."""
    for share in (0.01, 0.1, 0.5, 0.97):
        yield data[: max(4, int(len(data) * share))]


_PACKED: Final = zlib.compress(bytes(50_000_000), 9)
_PAGES: Final = 2_000

PNGS: Final[dict[str, Make]] = {
    "png of 4 exapixels": lambda: pictures.png_header(2**31 - 1, 2**31 - 1),
    "png one pixel too large": lambda: pictures.png_header(1, SIDE * SIDE + 1),
    "png that unpacks to more than it says": lambda: png(ihdr(4, 4), png_chunk(b"IDAT", _PACKED)),
    "png that unpacks to less than it says": lambda: png(ihdr(4_000, 4_000), body=b"\0" * 100),
    "png with a profile that swells": lambda: pictures.png_with(png_chunk(b"iCCP", b"name\0\0" + _PACKED)),
    "png with a text that swells": lambda: pictures.png_with(png_chunk(b"zTXt", b"name\0\0" + _PACKED)),
    "png with a UTF-8 text that swells": lambda: pictures.png_with(png_chunk(b"iTXt", b"name\0\1\0\0\0" + _PACKED)),
    "png with a thousand texts that swell": lambda: pictures.png_with(
        png_chunk(b"zTXt", b"name\0\0" + zlib.compress(bytes(1_000_000), 9)) * 1_000
    ),
    "png with EXIF in text that swells": lambda: pictures.png_with(
        png_chunk(b"zTXt", b"Raw profile type exif\0\0" + _PACKED)
    ),
    "png of a million empty chunks": lambda: pictures.png_with(repeated(png_chunk(b"tEXt", b""), 12_000_000)),
    "png of a million empty pixel chunks": lambda: png(ihdr(4, 4), repeated(png_chunk(b"IDAT", b""), 12_000_000)),
    "png with EXIF tags that overlap": lambda: pictures.png_with(png_chunk(b"eXIf", overlapping(5_000, 1_000_000))),
    "png with an endless chunk": lambda: PNG + ihdr(4, 4) + struct.pack(">I", 2**31 - 1) + b"IDAT" + bytes(100),
    "png with a wrong checksum": lambda: pictures.plain("PNG")[:29] + bytes(4) + pictures.plain("PNG")[33:],
    "png with two headers": lambda: png(ihdr(4, 4), ihdr(9_000, 9_000), body=bytes(52)),
    "png without a header": lambda: png(body=bytes(100)),
    "png without width": lambda: png(ihdr(0, 4), body=bytes(100)),
    "png with a palette that is missing": lambda: png(ihdr(4, 4, colours=3), body=bytes(20)),
    "png with indices outside its palette": lambda: png(
        ihdr(4, 4, colours=3), png_chunk(b"PLTE", bytes(3)), body=b"\0\xff\xff\xff\xff" * 4
    ),
    "png of 3 bits": lambda: png(ihdr(4, 4, bits=3), body=bytes(52)),
    "png of colour type 5": lambda: png(ihdr(4, 4, colours=5), body=bytes(52)),
    "png interlaced and cut": lambda: png(ihdr(64, 64, interlaced=1), body=bytes(500)),
    "png in one column": lambda: png(ihdr(1, 1_000_000, bits=1, colours=0), body=bytes(2_000_000)),
    "png in one row": lambda: png(ihdr(1_000_000, 1, bits=1, colours=0), body=bytes(125_001)),
    "png of thousands of frames": lambda: moving("PNG", _PAGES),
    "png with frames it has not": lambda: pictures.png_with(png_chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))),
    "png with a critical chunk nobody knows": lambda: pictures.png_with(png_chunk(b"QUUX", bytes(1_000))),
    "png of an iPhone build": lambda: PNG + png_chunk(b"CgBI", bytes(4)) + plain("PNG")[8:],
    "png and zip in one": lambda: plain("PNG") + zipped(),
    "png of random pixels packed wrongly": lambda: png(ihdr(64, 64), png_chunk(b"IDAT", bytes(range(256)) * 40)),
}

JPEGS: Final[dict[str, Make]] = {
    "jpeg of 4 gigapixels": lambda: pictures.jpeg_of_size(65_535, 65_535),
    "jpeg larger than its data": lambda: pictures.jpeg_of_size(9_000, 9_000),
    "jpeg smaller than its data": lambda: with_frame(5, struct.pack(">HH", 1, 1)),
    "jpeg without height": lambda: pictures.jpeg_of_size(32, 0),
    "jpeg without width": lambda: pictures.jpeg_of_size(0, 32),
    "jpeg of a thousand scans": lambda: many_scans(1_000),
    "jpeg of 99 scans": lambda: many_scans(90),
    "jpeg of 16 MP and 60 scans": lambda: many_scans(60, (4_000, 4_000)),
    "jpeg of a hundred thousand scans": lambda: many_scans(100_000, (256, 256)),
    "jpeg with a scan for each colour, over its limit": lambda: non_interleaved(6_000, 6_000),
    "jpeg with a scan for each colour, most missing": lambda: non_interleaved(2_000, 2_000),
    "jpeg with megabytes of fill": lambda: with_segments(b"\xff" * 8_000_000),
    "jpeg with megabytes of junk": lambda: with_segments(bytes(8_000_000)),
    "jpeg of a million segments": lambda: with_segments(repeated(b"\xff\xe5\0\x02", 8_000_000)),
    "jpeg of a million restarts": lambda: with_segments(repeated(b"\xff\xd0", 8_000_000)),
    "jpeg with EXIF tags that overlap": lambda: with_app1(plain(), b"Exif\0\0" + overlapping(1_000, 50_000)),
    "jpeg with EXIF in hundreds of parts": lambda: with_segments(
        segment(0xE1, b"Exif\0\0" + overlapping(1_000, 50_000)) + segment(0xE1, b"Exif\0\0" + bytes(65_000)) * 200
    ),
    "jpeg with an EXIF thumbnail that is a bomb": lambda: with_app1(
        plain(), b"Exif\0\0II*\0\x08\0\0\0" + tags("<", []) + pictures.jpeg_of_size(65_535, 65_535)
    ),
    "jpeg with EXIF that points at itself": lambda: with_app1(
        plain(), b"Exif\0\0II*\0\x08\0\0\0" + tags("<", [(0x8769, 4, 1, 8), (0x8825, 4, 1, 8)], then=8)
    ),
    "jpeg with a profile of 16 MB": lambda: with_segments(
        b"".join(segment(0xE2, b"ICC_PROFILE\0" + bytes([at, 255]) + bytes(65_000)) for at in range(1, 256))
    ),
    "jpeg with XMP of 10 MB": lambda: with_segments(
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<x:xmpmeta" * 6_000) * 160
    ),
    "jpeg with comments of 10 MB": lambda: with_segments(segment(0xFE, b"a" * 65_000) * 160),
    "jpeg with thousands of Photoshop blocks": lambda: with_segments(
        segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\0" * 5_000) * 50
    ),
    "jpeg with a segment past its end": lambda: plain()[:2] + b"\xff\xe0\xff\xff" + plain()[4:40],
    "jpeg that claims thousands of pictures": lambda: mpo(3_000),
    "jpeg that claims billions of pictures": lambda: mpo(2**31 - 1),
    "jpeg with a list of pictures that overlaps": lambda: with_segments(
        segment(0xE2, b"MPF\0" + overlapping(2_000, 30_000))
    ),
    "jpeg of a hundred pictures": lambda: moving("MPO", 100),
    "jpeg that says lossless": lambda: as_frame(0xC3),
    "jpeg that says hierarchical": lambda: as_frame(0xC5),
    "jpeg that says arithmetic": lambda: as_frame(0xC9),
    "jpeg that says progressive": lambda: as_frame(0xC2),
    "jpeg of 12 bits": lambda: with_frame(4, b"\x0c"),
    "jpeg of 2 colours": lambda: with_frame(9, b"\x02"),
    "jpeg of 255 colours": lambda: with_frame(9, b"\xff"),
    "jpeg with odd sampling": lambda: with_frame(10, b"\x01\x44\0\x02\x11\x01\x03\x31\x01"),
    "jpeg with no sampling": lambda: with_frame(10, b"\x01\x00\0"),
    "jpeg with two frames": lambda: with_segments(segment(0xC0, b"\x08\x10\0\x10\0\x03" + b"\x01\x11\0" * 3)),
    "jpeg with broken tables": lambda: with_segments(segment(0xC4, b"\x00" + b"\xff" * 300)),
    "jpeg without tables": lambda: plain().replace(b"\xff\xdb", b"\xff\xe7"),
    "jpeg of nothing but starts": lambda: b"\xff\xd8" * 1_000_000,
    "jpeg of start and end": lambda: b"\xff\xd8\xff\xd9",
    "jpeg in one column": lambda: plain("JPEG", (1, 65_500)),
    "jpeg in one row": lambda: plain("JPEG", (65_500, 1)),
    "jpeg and zip in one": lambda: plain() + zipped(),
    "jpeg with zip in its comment": lambda: with_segments(segment(0xFE, zipped())),
    "jpeg of CMYK": lambda: encode(Image.new("CMYK", (64, 64), (9, 99, 199, 9)), "JPEG"),
    "jpeg progressive and cut": lambda: encode(noise(), "JPEG", progressive=True)[:-400],
}

GIFS: Final[dict[str, Make]] = {
    "gif of 4 gigapixels": lambda: gif(gif_frame(), width=65_535, height=65_535),
    "gif with a frame far outside": lambda: gif(gif_frame(65_535, 65_535, 65_535, 65_535)),
    "gif with a frame partly outside": lambda: gif(gif_frame(8, 8)),
    "gif with a first frame set off": lambda: gif(gif_frame(100, 50, 16, 16), width=200, height=100),
    "gif of thousands of frames": lambda: moving("GIF", _PAGES),
    "gif with megabytes of comment": lambda: gif(
        b"!\xfe" + repeated(b"\xff" + b"a" * 255, 8_000_000) + b"\0", gif_frame()
    ),
    "gif with a comment in single bytes": lambda: gif(b"!\xfe" + b"\x01a" * 4_000_000 + b"\0", gif_frame()),
    "gif of a million extensions": lambda: gif(repeated(b"!\xff\x01a\0", 5_000_000), gif_frame()),
    "gif of megabytes of nothing": lambda: gif(bytes(5_000_000), gif_frame()),
    "gif without a frame": gif,
    "gif without an end": lambda: gif(gif_frame())[:-1],
    "gif without pixels": lambda: gif(gif_frame(0, 0, 0, 0), width=0, height=0),
    "gif with codes of 0 bits": lambda: gif(gif_frame(code_size=0)),
    "gif with codes of 255 bits": lambda: gif(gif_frame(code_size=255)),
    "gif whose codes run on": lambda: gif(gif_frame()[:11] + repeated(b"\xff" + bytes(range(255)), 500_000) + b"\0"),
    "gif with transparency outside its palette": lambda: gif(b"!\xf9\x04\x01\0\0\xff\0", gif_frame()),
    "gif and script in one": lambda: b"GIF89a/*" + plain("GIF")[8:] + b"*/=1;alert(1)",
}

WEBPS: Final[dict[str, Make]] = {
    "webp of 268 MP": lambda: webp(vp8x(16_384, 16_384), bitstream()),
    "webp of 281 terapixels": lambda: webp(vp8x(1 << 24, 1 << 24), bitstream()),
    "webp lossless of 268 MP": lambda: webp(webp_chunk(b"VP8L", b"\x2f" + b"\xff\xff\xff\x0f" + bytes(20))),
    "webp lossless of 24 MP in 30 bytes": lambda: webp(
        webp_chunk(b"VP8L", b"\x2f" + struct.pack("<I", 4_899 | 4_899 << 14) + bytes(20))
    ),
    "webp whose canvas is not its picture": lambda: webp(vp8x(4_000, 4_000), bitstream()),
    "webp of thousands of frames": lambda: moving("WEBP", _PAGES),
    "webp of more thousands of frames": lambda: webp(
        vp8x(16, 16, 2), webp_chunk(b"ANIM", bytes(6)), repeated(frame(), 6_000_000)
    ),
    "webp that should move": lambda: webp(vp8x(16, 16, 2), webp_chunk(b"ANIM", bytes(6))),
    "webp with a frame outside": lambda: webp(vp8x(16, 16, 2), webp_chunk(b"ANIM", bytes(6)), frame(1_000)),
    "webp with a first frame set off": lambda: webp(vp8x(64, 48, 2), webp_chunk(b"ANIM", bytes(6)), frame(8)),
    "webp with a profile of 10 MB": lambda: webp(
        vp8x(16, 16, 0x20), webp_chunk(b"ICCP", bytes(10_000_000)), bitstream()
    ),
    "webp with EXIF tags that overlap": lambda: webp(
        vp8x(16, 16, 8), bitstream(), webp_chunk(b"EXIF", overlapping(5_000, 1_000_000))
    ),
    "webp with XMP of 10 MB": lambda: webp(vp8x(16, 16, 4), bitstream(), webp_chunk(b"XMP ", b"<" * 10_000_000)),
    "webp of a million chunks": lambda: webp(vp8x(16, 16), repeated(webp_chunk(b"QUUX", b""), 8_000_000), bitstream()),
    "webp that says it is longer": lambda: webp(bitstream(), size=2**32 - 10),
    "webp that says it is empty": lambda: webp(bitstream(), size=0),
    "webp with an endless chunk": lambda: webp(b"VP8 \xff\xff\xff\xff" + bitstream()[8:]),
    "webp of nothing": webp,
    "webp with broken alpha": lambda: webp(vp8x(16, 16, 0x10), webp_chunk(b"ALPH", b"\xff" * 50), bitstream()),
    "webp of random lossless bits": lambda: webp(webp_chunk(b"VP8L", b"\x2f\x0f\xc0\x03\0" + bytes(range(256)) * 4)),
}

TIFFS: Final[dict[str, Make]] = {
    "tiff of 4 exapixels": lambda: tiff(t256=(4, 1, 2**31 - 1), t257=(4, 1, 2**31 - 1)),
    "tiff without width": lambda: tiff(t256=(4, 1, 0)),
    "tiff without sides": lambda: tiff(t256=(0, 0, 0), t257=(0, 0, 0)),
    "tiff larger than its data": lambda: tiff(t256=(4, 1, 4_000), t257=(4, 1, 4_000)),
    "tiff with tags that overlap": lambda: (
        b"II*\0\x08\0\0\0"
        + tags("<", [(256, 4, 1, 16), (257, 4, 1, 16), *((300 + at, 7, 4_000_000, 8) for at in range(2_000))])
        + bytes(4_000_000)
    ),
    "tiff with tags the decoder needs that overlap": lambda: (
        b"II*\0\x08\0\0\0"
        + tags("<", [(256, 4, 1, 16), (257, 4, 1, 16), *((320, 7, 4_000_000, 8) for _ in range(2_000))])
        + bytes(4_000_000)
    ),
    "tiff with millions of strips": lambda: tiff(
        pixels=bytes(8_000_000), t257=(4, 1, 1_000_000), t273=(4, 1_000_000, 8), t278=(4, 1, 1), t279=(4, 1_000_000, 8)
    ),
    "tiff with a value past its end": lambda: tiff(t273=(4, 1_000, 4_000_000)),
    "tiff with more values than fit": lambda: tiff(t258=(3, 2**32 - 1, 8)),
    "tiff with huge tiles": lambda: tiff(
        t259=(3, 1, 8), t322=(4, 1, 1 << 20), t323=(4, 1, 1 << 20), t324=(4, 1, 8), t325=(4, 1, 700), t273=(0, 0, 0)
    ),
    "tiff with tiles of nothing": lambda: tiff(
        t322=(4, 1, 0), t323=(4, 1, 0), t324=(4, 1, 8), t325=(4, 1, 9), t273=(0, 0, 0)
    ),
    "tiff with a strip of all rows there are": lambda: tiff(
        pixels=zlib.compress(bytes(768)), t259=(3, 1, 8), t278=(4, 1, 2**32 - 1)
    ),
    "tiff whose strip swells": lambda: tiff(pixels=_PACKED, t259=(3, 1, 8)),
    "tiff of pages without end": lambda: tiff(then=8 + 768),
    "tiff of hundreds of pages": lambda: moving("TIFF", 200),
    "tiff with a directory inside itself": lambda: tiff(t330=(4, 1, 8 + 768), t34665=(4, 1, 8 + 768)),
    "tiff of LZMA": lambda: tiff(t259=(3, 1, 34925)),
    "tiff of Zstandard": lambda: tiff(t259=(3, 1, 50000)),
    "tiff of WebP": lambda: tiff(t259=(3, 1, 50001)),
    "tiff of JPEG 2000": lambda: tiff(t259=(3, 1, 34712)),
    "tiff of old JPEG": lambda: tiff(t259=(3, 1, 6)),
    "tiff of a JPEG of a thousand scans": lambda: tiff(
        pixels=many_scans(1_000, (16, 16)), t259=(3, 1, 7), t262=(3, 1, 1), t277=(3, 1, 1)
    ),
    "tiff of a JPEG of another size": lambda: tiff(
        pixels=plain("JPEG", (2_000, 2_000)), t259=(3, 1, 7), t262=(3, 1, 6)
    ),
    "tiff of fax": lambda: encode(Image.new("1", (4_000, 4_000)), "TIFF", compression="group4"),
    "tiff of broken fax": lambda: tiff(t259=(3, 1, 4), t258=(3, 1, 1), t262=(3, 1, 0), t277=(3, 1, 1)),
    "tiff of broken LZW": lambda: tiff(pixels=b"\xff" * 700, t259=(3, 1, 5)),
    "tiff of a thousand samples": lambda: tiff(t277=(3, 1, 1_000)),
    "tiff of 65,535 bits": lambda: tiff(t258=(3, 1, 65_535)),
    "tiff of 64-bit numbers": lambda: tiff(
        pixels=bytes(2048), t258=(3, 1, 64), t339=(3, 1, 3), t262=(3, 1, 1), t277=(3, 1, 1)
    ),
    "tiff in planes": lambda: tiff(t284=(3, 1, 2), t273=(4, 3, 8)),
    "tiff that is large": lambda: b"II+\0\x08\0\0\0" + struct.pack("<Q", 16) + bytes(64),
    "tiff with a directory past its end": lambda: b"MM\0*\xff\xff\xff\xff" + bytes(64),
    "tiff of nothing": lambda: b"II*\0\x08\0\0\0\0\0\0\0\0\0",
}

BMPS: Final[dict[str, Make]] = {
    "bmp of 4 exapixels": lambda: bmp(2**31 - 1, 2**31 - 1),
    "bmp upside down and too large": lambda: bmp(4, -(2**31)),
    "bmp of negative width": lambda: bmp(-16, 16),
    "bmp larger than its data": lambda: bmp(4_000, 4_000),
    "bmp of a few runs": lambda: bmp(5_000, 5_000, compression=1, bits=8, body=bytes(1024) + b"\xff\x01" * 1_000),
    "bmp of millions of runs": lambda: bmp(
        5_000, 5_000, compression=1, bits=8, body=bytes(1024) + b"\x01\x01" * 2_000_000, used=256
    ),
    "bmp of runs that jump": lambda: bmp(64, 64, compression=1, bits=8, body=bytes(1024) + b"\0\x02\xff\xff" * 5_000),
    "bmp of empty runs": lambda: bmp(64, 64, compression=2, bits=4, body=bytes(64) + b"\0\0" * 200_000),
    "bmp with a palette of billions": lambda: bmp(16, 16, bits=8, used=2**31 - 1),
    "bmp of masks of nothing": lambda: bmp(16, 16, compression=3, bits=32),
    "bmp of a PNG": lambda: bmp(16, 16, compression=5, body=plain("PNG")),
    "bmp of a JPEG": lambda: bmp(16, 16, compression=4, body=plain()),
    "bmp of 7 bits": lambda: bmp(16, 16, bits=7),
    "bmp with an unknown header": lambda: b"BM" + bytes(12) + struct.pack("<I", 999) + bytes(200),
}

OTHERS: Final[dict[str, Make]] = {
    "svg": lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
    "postscript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
    "pdf before a jpeg": lambda: b"%PDF-1.7\n" + plain(),
    "zip": zipped,
    "html": lambda: b"<!doctype html><img src=x onerror=alert(1)>",
    "program": lambda: b"\x7fELF" + bytes(1_000),
    "video": lambda: b"\0\0\0\x18ftypmp42" + bytes(1_000),
    "heic": lambda: b"\0\0\0\x18ftypheic" + bytes(1_000),
    "avif": lambda: encode(Image.new("RGB", (16, 16)), "AVIF"),
    "icon": lambda: encode(Image.new("RGB", (16, 16)), "ICO"),
    "jpeg 2000": lambda: encode(Image.new("RGB", (16, 16)), "JPEG2000"),
    "fli": lambda: struct.pack("<IHH", 1_000, 0xAF11, 65_535) + bytes(200),
    "one byte": lambda: b"\xff",
    "20 MB of nothing": lambda: bytes(19_900_000),
    "20 MB of a jpeg's start": lambda: b"\xff\xd8\xff" + bytes(19_900_000),
}

WHOLE: Final[dict[str, Make]] = {
    kind: lambda kind=kind: encode(noise((200, 150)), kind)  # type: ignore[misc]  # the kind of this round
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "MPO")
}

CUT: Final[dict[str, Make]] = {
    f"{kind.lower()} cut, {at}": lambda make=make, at=at: list(cut(make()))[at]  # type: ignore[misc]
    for kind, make in WHOLE.items()
    for at in range(4)
}

HOSTILE: Final = PNGS | JPEGS | GIFS | WEBPS | TIFFS | BMPS | OTHERS | CUT

LARGEST: Final[dict[str, Make]] = {
    "png, transparent": lambda: encode(Image.new("RGBA", (SIDE, SIDE), (1, 2, 3, 4)), "PNG", compress_level=1),
    "png, 16-bit grey": lambda: encode(Image.fromarray(np.zeros((SIDE, SIDE), np.uint16)), "PNG", compress_level=1),
    "png in one row": lambda: png(ihdr(SIDE * SIDE, 1, bits=16, colours=0), body=bytes(2 * SIDE * SIDE + 1)),
    "gif, transparent": lambda: encode(Image.new("P", (SIDE, SIDE)), "GIF", transparency=0),
    "webp, transparent": lambda: encode(Image.new("RGBA", (SIDE, SIDE), (1, 2, 3, 4)), "WEBP", lossless=True, method=0),
    "webp": lambda: encode(Image.new("RGB", (SIDE, SIDE), (1, 2, 3)), "WEBP", method=0),
    "tiff of 32-bit numbers": lambda: encode(
        Image.fromarray(np.zeros((SIDE, SIDE), np.float32)), "TIFF", compression="tiff_adobe_deflate"
    ),
    "tiff of fax": lambda: encode(Image.new("1", (SIDE, SIDE)), "TIFF", compression="group4"),
    "bmp of runs": lambda: bmp(
        SIDE, SIDE, compression=1, bits=8, body=bytes(1024) + (b"\xff\x01" * 19 + b"\x9b\x01\0\0") * SIDE, used=256
    ),
    "jpeg in several scans": lambda: encode(
        Image.new("CMYK", (SIDE, SIDE), (1, 2, 3, 4)), "JPEG", progressive=True, subsampling=0
    ),
    "jpeg of 20 scans": lambda: many_scans(9, (SIDE, SIDE)),
    "jpeg of 100 MP": lambda: encode(Image.new("RGB", (10_000, 10_000), (1, 2, 3)), "JPEG"),
}
"""The most of each kind that is still decoded."""
