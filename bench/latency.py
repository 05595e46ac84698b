"""What one product costs the encoders, without the service: `python -m bench.latency [BUNDLE] [--threads N]`.

The three ONNX files one after another at batch 1, with the sessions that serve; decoding and tokenising come before.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table

from models import Encoders
from models.embedder import Encoded

WORDS: Final = "a red stoneware mug with a frog and a lid, 350 ml, for tea and coffee"
RUNS: Final = 200
WARM: Final = 20


def main() -> None:
    """Print the median and the 10th percentile of each part and of a photo with words."""
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.add_argument("bundle", type=Path, nargs="?", default=Path("models/default"))
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    encoders = Encoders.load(arguments.bundle, threads=arguments.threads)
    side = encoders.bundle.config.image_size
    pixels = np.random.default_rng(0).integers(256, size=(side, side, 3), dtype=np.uint8)
    ids = encoders.prepare_text(WORDS)
    assert ids is not None
    photo, text = encoders.image_tokens([pixels])[0], encoders.text_tokens([ids])[0]
    parts: dict[str, Callable[[], object]] = {
        "photo encoder": lambda: encoders.image_tokens([pixels]),
        f"text encoder, {len(ids)} tokens": lambda: encoders.text_tokens([ids]),
        "fusion of a photo": lambda: encoders.fuse([Encoded(photo, None)]),
        "fusion of a text": lambda: encoders.fuse([Encoded(None, text)]),
        "fusion of both": lambda: encoders.fuse([Encoded(photo, text)]),
        "all of photo + text": lambda: encoders.fuse(
            [Encoded(encoders.image_tokens([pixels])[0], encoders.text_tokens([ids])[0])]
        ),
    }
    table = Table(f"{encoders.name}, {arguments.threads} threads", "median ms", "10 % ms")
    for name, part in parts.items():
        times = [_seconds(part) for _ in range(WARM + RUNS)][WARM:]
        table.add_row(name, *(f"{1e3 * float(np.quantile(times, share)):.1f}" for share in (0.5, 0.1)))
    Console().print(table)


def _seconds(part: Callable[[], object]) -> float:
    started = time.perf_counter()
    part()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
