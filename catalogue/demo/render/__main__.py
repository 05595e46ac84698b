"""Command line: render the photos that are missing and write the product list."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from PIL import Image

from .batch import render
from .styles import STYLES
from .suppliers import listings_of
from .texts import write


def main() -> None:
    """Parse the arguments and do the work."""
    parser = argparse.ArgumentParser(prog="python -m catalogue.demo.render", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for products.jsonl and photos/")
    parser.add_argument(
        "--only", action="append", default=[], metavar="STYLE", help="a style or product id, or its beginning"
    )
    parser.add_argument("--force", action="store_true", help="render photos again that are already there")
    parser.add_argument("--grey", action="store_true", help="draft without materials, into grey/")
    parser.add_argument("--size", type=int, default=320, help="pixels of a photo's side")
    parser.add_argument("--samples", type=int, default=12, help="samples a pixel, before denoising")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="photos taken side by side")
    parser.add_argument("--texts", action="store_true", help="write products.jsonl only, render nothing")
    parser.add_argument(
        "--contact-sheet",
        type=Path,
        metavar="PATH",
        help="also lay the photos out on one picture: all that --only chooses, else one a style",
    )
    parser.add_argument("--columns", type=int, default=10, help="photos in a row of the contact sheet")
    args = parser.parse_args()
    listings = listings_of(STYLES)
    wanted = tuple(args.only) or ("",)
    chosen = [x for x in listings if x.style.style_id.startswith(wanted) or x.product_id.startswith(wanted)]
    folder = args.out / ("grey" if args.grey else "photos")
    if not args.texts:
        paths = {x.product_id: folder / f"{x.product_id}.jpg" for x in chosen}
        missing = [(x, paths[x.product_id]) for x in chosen if args.force or not paths[x.product_id].exists()]
        render(missing, args.jobs, args.grey, args.size, args.samples)
    if not args.grey:
        write(listings, args.out / "products.jsonl")
    if args.contact_sheet:
        shown = chosen if args.only else list({x.style.style_id: x for x in chosen}.values())
        contact_sheet([folder / f"{x.product_id}.jpg" for x in shown], args.contact_sheet, args.columns)


def contact_sheet(paths: list[Path], out: Path, columns: int, cell: int = 124) -> None:
    """Lay photos out in rows."""
    rows = -(-len(paths) // columns)
    sheet = Image.new("RGB", (columns * (cell + 4) + 4, rows * (cell + 4) + 4), "white")
    for i, path in enumerate(paths):
        if path.exists():
            photo = Image.open(path).resize((cell, cell), Image.Resampling.LANCZOS)
            sheet.paste(photo, (4 + i % columns * (cell + 4), 4 + i // columns * (cell + 4)))
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out, quality=82, optimize=True)  # the quality is for JPEG; PNG ignores it


if __name__ == "__main__":
    main()
