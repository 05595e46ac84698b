"""Many photos at a time, each in a process with one thread."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from .model import Listing


def render(missing: Sequence[tuple[Listing, Path]], jobs: int, clay: bool, size: int, samples: int) -> None:
    """Take the photos and print how far along it is."""
    start = time.monotonic()
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as workers:
        tasks = {workers.submit(take, listing, path, clay, size, samples): listing for listing, path in missing}
        for number, task in enumerate(as_completed(tasks), 1):
            task.result()
            listing, seconds = tasks[task], time.monotonic() - start
            line = f"{number}/{len(missing)} {listing.style.style_id} {listing.product_id} after {seconds:.0f} s"
            print(line, flush=True)  # noqa: T201 - a command's progress


def take(listing: Listing, path: Path, clay: bool, size: int, samples: int) -> None:
    """Take one photo; runs in a worker."""
    # The parent must not load Blender: it would hand its workers an import path on which bpy cannot be found.
    from . import photo  # noqa: PLC0415

    photo.take(listing, path, clay, size, samples)
