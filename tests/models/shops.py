"""Little shops to train on: coloured shapes with words for them, several listings of each style."""

import io
from collections.abc import Sequence
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

COLOURS = {"red": (200, 30, 30), "blue": (30, 60, 200), "green": (20, 150, 60), "black": (25, 25, 25)}
SHAPES = ("circle", "square", "cross", "bar", "ring", "corner", "frame", "stripe")


def write_shop(
    path: Path, *, styles: int = 16, photos: bool = True, texts: bool = True, style_ids: bool = True
) -> Sequence[str]:
    """Write a Parquet catalogue with three listings of each style, in different colours; their product ids."""
    rows = []
    for style in range(styles):
        for number in range(3):
            colour = list(COLOURS)[(style + number) % len(COLOURS)]
            shape = SHAPES[style % len(SHAPES)]
            rows.append(
                {
                    "product_id": f"p{style}-{number}",
                    "style_id": f"s{style}" if style_ids else None,
                    "title": f"{shape} number {style}" if texts else "",
                    "description": f"a plain {shape} of the kind {style}" if texts else "",
                    "category": f"Shapes > {shape}" if texts else "",
                    "colour": colour if texts else None,
                    "image_jpeg": draw(style, colour) if photos else None,
                }
            )
    pq.write_table(pa.Table.from_pylist(rows), path)
    return [str(row["product_id"]) for row in rows]


def draw(style: int, colour: str) -> bytes:
    """A JPEG of a style: its shape, and a bar code of its number."""
    image = Image.new("RGB", (48, 48), "white")
    pen = ImageDraw.Draw(image)
    fill = COLOURS[colour]
    kind = style % len(SHAPES)
    if kind in (0, 4):
        pen.ellipse((8, 8, 40, 40), fill=fill if kind == 0 else None, outline=fill, width=6)
    elif kind in (1, 6):
        pen.rectangle((8, 8, 40, 40), fill=fill if kind == 1 else None, outline=fill, width=6)
    elif kind == 2:
        pen.line((8, 8, 40, 40), fill=fill, width=8)
        pen.line((8, 40, 40, 8), fill=fill, width=8)
    else:
        pen.rectangle((8 + kind, 20, 40, 28 + kind), fill=fill)
    for bit in range(6):
        if style >> bit & 1:
            pen.rectangle((4 + 7 * bit, 42, 8 + 7 * bit, 46), fill="black")
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    return file.getvalue()


def write_pairs(path: Path, pairs: Sequence[tuple[str, str]]) -> None:
    """Write a file of pairs as `samestyle pairs mine` does."""
    columns = {"trigger_id": [a for a, _ in pairs], "recall_id": [b for _, b in pairs], "weight": [1.0] * len(pairs)}
    pq.write_table(pa.table(columns), path)


def write_config(path: Path, content: dict[str, object]) -> Path:
    """Write a run's configuration."""
    path.write_bytes(orjson.dumps(content))
    return path
