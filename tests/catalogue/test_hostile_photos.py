"""Photos made to hurt: each is decoded or refused, soon, and within the memory that is promised."""

import io
import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from catalogue import images
from catalogue.containers import read_container
from catalogue.errors import InvalidInput, TooLarge, UndecodableImage
from catalogue.images import BYTES_PER_PIXEL, MAX_PIXELS, _PixelBudget, decode_image, thumbnail
from tests.catalogue import pictures
from tests.catalogue.hostile import HOSTILE, LARGEST, Make, many_scans, non_interleaved, overlapping, tiff
from tests.catalogue.pictures import encode, noise, plain

SLACK = 40_000_000
"""The file itself, the copy that the decoder gets of it, and what Pillow loads of its own."""
SOON_S = 5.0
"""On a slow machine. Without the limits some took a minute, or megabytes of memory for each kilobyte."""
QUICK = ("webp, transparent", "jpeg in several scans")
SLOW = tuple(name for name in LARGEST if name not in QUICK)

# Decodes photos in processes of their own, forked from one that has loaded everything, and says what each took.
MEASURE = """
import json, os, resource, sys
from pathlib import Path
from catalogue.errors import InvalidInput
from catalogue.images import decode_image
from tests.catalogue.pictures import encode, noise
for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"):
    decode_image(encode(noise(), kind), min_side=9)
for path in sorted(Path(sys.argv[1]).iterdir()):
    if os.fork() == 0:
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        data = path.read_bytes()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            outcome = decode_image(data, min_side=448).size
        except InvalidInput as error:
            outcome = type(error).__name__
        print(json.dumps([resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, outcome]), flush=True)
        os._exit(0)
    os.wait()
"""


def measured(photos: Mapping[str, Make], folder: Path) -> dict[str, tuple[int, Any]]:
    """Bytes of memory that decoding each photo took, and what became of it."""
    for at, make in enumerate(photos.values()):
        (folder / f"{at:04d}").write_bytes(make())
    command = [sys.executable, "-c", MEASURE, str(folder)]
    lines = subprocess.run(command, capture_output=True, check=True, timeout=280, text=True).stdout.splitlines()
    return {
        name: (kilobytes * 1024, outcome)
        for name, (kilobytes, outcome) in zip(photos, map(json.loads, lines), strict=True)
    }


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_decoded_or_refused_soon(name: str) -> None:
    data = HOSTILE[name]()
    started = time.process_time()
    with suppress(InvalidInput):
        assert decode_image(data, min_side=448).mode == "RGB"
    with suppress(InvalidInput):
        assert thumbnail(data, 100).startswith(b"\xff\xd8\xff")
    assert time.process_time() - started < SOON_S


def test_there_are_enough() -> None:
    assert len(HOSTILE) >= 200


def test_what_is_small_or_broken_takes_little_memory(tmp_path: Path) -> None:
    took = measured(HOSTILE, tmp_path)
    assert {name: took for name, (took, _) in took.items() if took > 100_000_000 + SLACK} == {}


@pytest.mark.parametrize("names", [QUICK, pytest.param(SLOW, marks=pytest.mark.heavy)])
def test_the_largest_photos_take_no_more_than_promised(names: tuple[str, ...], tmp_path: Path) -> None:
    took = measured({name: LARGEST[name] for name in names}, tmp_path)
    assert [name for name, (_, outcome) in took.items() if not isinstance(outcome, list)] == []
    limit = BYTES_PER_PIXEL * MAX_PIXELS + SLACK
    assert {name: took for name, (took, _) in took.items() if took > limit} == {}


class TestLimits:
    def test_a_jpeg_in_several_scans_is_kept_whole_and_so_has_the_lower_limit(self) -> None:
        with pytest.raises(TooLarge, match="36 megapixels; the limit for JPEG in several scans is 25"):
            decode_image(non_interleaved(6_000, 6_000), min_side=100)
        photo = encode(noise((64, 64)), "JPEG", progressive=True)
        at = photo.index(b"\xff\xc2")
        large = photo[: at + 5] + b"\x17\x71\x17\x71" + photo[at + 9 :]  # 6,001 x 6,001
        with pytest.raises(TooLarge, match="several scans"):
            decode_image(large, min_side=100)

    def test_scans_are_counted(self) -> None:
        assert read_container(plain()).scans == 0
        assert read_container(encode(noise(), "JPEG", progressive=True)).scans in range(5, 15)
        assert read_container(many_scans(90)).scans in range(95, 101)
        with pytest.raises(TooLarge, match=r"in \d+ scans. Send it as a plain JPEG"):
            decode_image(many_scans(100))

    def test_markers_after_the_picture_are_no_scans(self) -> None:
        photo = encode(noise(), "JPEG", progressive=True)
        assert read_container(photo + b"\xff\xda\0\x08" * 5_000).scans == read_container(photo).scans
        assert decode_image(photo + b"\xff\xda\0\x08" * 5_000).size == (64, 48)

    def test_a_huge_jpeg_is_never_decoded_at_its_full_size(self) -> None:
        whole = pictures.jpeg_of_size(10_000, 10_000)
        assert decode_image(whole).size == (5_000, 5_000)
        assert decode_image(whole, min_side=1 << 20).size == (5_000, 5_000)

    def test_a_tiff_is_judged_by_its_bytes(self) -> None:
        with pytest.raises(TooLarge, match="160 MB of samples; the limit is 100"):
            decode_image(tiff(t256=(4, 1, 5_000), t257=(4, 1, 4_000), t258=(3, 1, 64), t277=(3, 1, 1)))

    def test_the_pixels_decoded_at_once_are_bounded(self) -> None:
        budget, at_once, most = _PixelBudget(100), 0, 0
        lock = threading.Lock()

        def work(pixels: int) -> None:
            nonlocal at_once, most
            with budget.take(pixels):
                with lock:
                    at_once += pixels
                    most = max(most, at_once)
                time.sleep(0.001)
                with lock:
                    at_once -= pixels

        threads = [threading.Thread(target=work, args=(pixels,)) for pixels in (100, 60, 50, 50, 1, 99, 30, 30, 30) * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert most <= 100
        assert at_once == 0


class TestOnlyThePicture:
    SECRET = b"metadata nobody asked for"

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
    def test_metadata_does_not_reach_the_decoder(self, kind: str) -> None:
        exif = Image.Exif()
        exif[0x010E] = self.SECRET.decode()
        data = encode(noise(), kind, exif=exif.tobytes(), icc_profile=self.SECRET * 100, xmp=self.SECRET)
        assert self.SECRET in data
        container = read_container(data)
        if kind == "TIFF":  # its directory names where things are, so they stay where they are
            assert "icc_profile" not in Image.open(io.BytesIO(container.data)).info
        else:
            assert self.SECRET not in container.data

    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "TIFF", "MPO"])
    def test_nor_do_further_frames(self, kind: str) -> None:
        frames = [noise((64, 48)) for _ in range(20)]
        data = encode(frames[0], kind, save_all=True, append_images=frames[1:])
        with Image.open(io.BytesIO(data)) as whole, Image.open(io.BytesIO(read_container(data).data)) as first:
            assert getattr(whole, "n_frames", 1) == 20
            if kind != "GIF":  # whose frames follow one another without a list of them
                assert getattr(first, "n_frames", 1) == 1

    @pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
    def test_an_orientation_in_xmp_counts_where_there_is_none_in_exif(self, kind: str) -> None:
        xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
        if kind == "PNG":
            chunk = pictures.png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
            data = pictures.png_with(chunk)
        else:
            data = encode(Image.new("RGB", (32, 24)), kind, xmp=xmp)
        assert decode_image(data).size == (24, 32)

    def test_a_last_orientation_wins_however_many_there_are(self) -> None:
        entry = b"\x12\x01\x03\0\x01\0\0\0"
        exif = b"Exif\0\0II*\0\x08\0\0\0\x02\0" + entry + b"\x03\0\0\0" + entry + b"\x06\0\0\0" + bytes(4)
        assert read_container(pictures.with_app1(plain(), exif)).orientation == 6
        assert read_container(pictures.with_app1(plain(), b"Exif\0\0" + overlapping(50, 100))).orientation == 1

    def test_the_first_header_of_a_png_counts(self) -> None:
        assert read_container(HOSTILE["png with two headers"]()).width == 4

    @pytest.mark.parametrize("kind", ["lossless", "hierarchical", "arithmetic"])
    def test_rare_jpegs_are_refused_before_they_are_decoded(self, kind: str) -> None:
        with pytest.raises(UndecodableImage):
            decode_image(HOSTILE[f"jpeg that says {kind}"]())


def _by_pillow(data: bytes) -> Image.Image:
    """What Pillow alone makes of a photo, in one piece and with all its metadata."""
    image: Image.Image = Image.open(io.BytesIO(data))
    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, (255,) * 4), rgba).convert("RGB")
    return image.convert("RGB")


MODES = {
    "JPEG": ("L", "RGB", "CMYK"), "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"), "GIF": ("L", "P"),
    "WEBP": ("RGB", "RGBA"), "BMP": ("1", "L", "P", "RGB"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16"),
}  # fmt: skip
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "JPEG": [
        {},
        {"progressive": True},
        {"quality": 30, "subsampling": 0},
        {"optimize": True, "restart_marker_rows": 1},
    ],
    "PNG": [{}, {"icc_profile": b"x" * 500}],
    "WEBP": [{"lossless": True}, {}],
    "TIFF": [{}, {"compression": "tiff_lzw"}, {"compression": "tiff_adobe_deflate"}, {"compression": "packbits"}],
}


@pytest.mark.parametrize(
    ("kind", "mode", "options", "orientation"),
    [
        (kind, mode, options, orientation)
        for kind, modes in MODES.items()
        for mode in modes
        for options in OPTIONS.get(kind, [{}])
        for orientation in ((1, 3, 6) if kind in {"JPEG", "PNG", "WEBP", "TIFF"} else (1,))
    ],
)
def test_nothing_else_changes(
    kind: str, mode: str, options: dict[str, Any], orientation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vectors were made of what Pillow decodes; not a pixel may differ."""
    monkeypatch.setattr(images, "_STRIP", 50)  # in many parts, as if it were large
    rgba = noise((67, 41)).convert("RGBA")
    rgba.putalpha(Image.linear_gradient("L").resize(rgba.size))
    image = Image.fromarray(np.asarray(rgba)[..., 0].astype(np.uint16) * 257) if mode == "I;16" else rgba.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(image, kind, **options, **({"exif": exif.tobytes()} if orientation != 1 else {}))
    ours, reference = decode_image(data), _by_pillow(data)
    assert ours.size == reference.size
    assert np.array_equal(np.asarray(ours), np.asarray(reference))
