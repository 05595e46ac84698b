"""Seconds from starting `samestyle serve` on the demo shop to its first ready answer: `python -m bench.start`."""

import statistics
import subprocess
from pathlib import Path

from rich.console import Console

from bench.process import SAMESTYLE, serving

DATA = Path("data/demo")
PORT = 18_431
RUNS = 5


def main() -> None:
    """Print each start and the median."""
    subprocess.run([SAMESTYLE, "demo", "--once", "--data", str(DATA)], check=True, capture_output=True)
    times = [_start() for _ in range(RUNS)]
    console = Console()
    console.print(f"ready after {', '.join(f'{seconds:.2f}' for seconds in times)} s")
    console.print(f"median {statistics.median(times):.2f} s")


def _start() -> float:
    with serving(DATA, PORT) as gateway:
        return gateway.ready_s


if __name__ == "__main__":
    main()
