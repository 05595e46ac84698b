"""Seconds from starting `samestyle serve` on the demo shop to its first ready answer: `python -m bench.start`."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import httpx
from rich.console import Console

DATA = Path("data/demo")
PORT = 18_431
RUNS = 5


def main() -> None:
    """Print each start and the median."""
    samestyle = str(Path(sys.executable).parent / "samestyle")
    subprocess.run([samestyle, "demo", "--once", "--data", str(DATA)], check=True, capture_output=True)
    times = [_start(samestyle) for _ in range(RUNS)]
    console = Console()
    console.print(f"ready after {', '.join(f'{seconds:.2f}' for seconds in times)} s")
    console.print(f"median {statistics.median(times):.2f} s")


def _start(samestyle: str) -> float:
    started = time.perf_counter()
    server = subprocess.Popen([samestyle, "serve", "--data", str(DATA), "--port", str(PORT)], stderr=subprocess.DEVNULL)
    try:
        while time.perf_counter() - started < 60:
            try:
                if httpx.get(f"http://127.0.0.1:{PORT}/readyz", timeout=60).status_code == 200:
                    return time.perf_counter() - started
            except httpx.TransportError:
                time.sleep(0.01)
        raise TimeoutError("not ready within a minute")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
