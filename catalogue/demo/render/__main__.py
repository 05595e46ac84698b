"""Command line: render the photos that are missing and write the product list."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from PIL import Image

from .model import Listing
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
    parser.add_argument("--texts", action="store_true", help="write products.jsonl only, render nothing")
    parser.add_argument("--contact-sheet", type=Path, metavar="PATH", help="also lay the photos out on one picture")
    parser.add_argument("--columns", type=int, default=10, help="photos in a row of the contact sheet")
    args = parser.parse_args()
    listings = listings_of(STYLES)
    wanted = tuple(args.only) or ("",)
    chosen = [x for x in listings if x.style.style_id.startswith(wanted) or x.product_id.startswith(wanted)]
    folder = args.out / ("grey" if args.grey else "photos")
    if not args.texts:
        render(chosen, folder, args)
    if not args.grey:
        write(listings, args.out / "products.jsonl")
    if args.contact_sheet:
        contact_sheet([folder / f"{x.product_id}.jpg" for x in chosen], args.contact_sheet, args.columns)


def render(listings: list[Listing], folder: Path, args: argparse.Namespace) -> None:
    """Render what is missing, one photo after the other."""
    for number, listing in enumerate(listings, 1):
        path = folder / f"{listing.product_id}.jpg"
        if path.exists() and not args.force:
            continue
        from .photo import take  # noqa: PLC0415 - loads Blender, only if there is something to render

        start = time.monotonic()
        take(listing, path, args.grey, args.size, args.samples)
        seconds = time.monotonic() - start
        print(f"{number}/{len(listings)} {listing.style.style_id} {path.name} {seconds:.1f} s", flush=True)  # noqa: T201 - a command's progress


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
