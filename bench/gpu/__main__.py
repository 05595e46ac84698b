"""What a GPU gives: `python -m bench.gpu` prints a table of each part; what cannot run here says so in one line.

    python -m bench.gpu [--device cpu --tiny] [--sections bundle,vit,options,memory,index,service]
                        [--rows N] [--gpus N] [--json FILE]

Needs onnxruntime-gpu; the last two sections faiss-gpu-cuvs too. The ViT-B/16 of `bench/vit_b16` has made-up weights
(`python -m models.export.hollow bench/vit_b16`). With `--device cpu --tiny` all of it runs anywhere, for its tests.
"""

import argparse
import json
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import onnxruntime as ort

from bench.gpu.index import index
from bench.gpu.models import bundle, memory, vit
from bench.gpu.options import options
from bench.gpu.report import Report, Setting, peak_of
from bench.gpu.service import service
from bench.machine import machine
from catalogue.device_memory import free_device_bytes
from models.runtime import prepare_device

SECTIONS: Final[Mapping[str, Callable[[Setting, Report], None]]] = {
    "bundle": bundle,
    "vit": vit,
    "options": options,
    "memory": memory,
    "index": index,
    "service": service,
}


def _card() -> str:
    asked = "name,memory.total,memory.free,driver_version,clocks.max.sm,power.limit"
    try:
        told = subprocess.run(
            ["nvidia-smi", f"--query-gpu={asked}", "--format=csv,noheader"],
            capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "no GPU"
    return told.stdout.strip()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description="What a GPU gives.")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small batches and short times, to try the script")
    parser.add_argument("--sections", default=",".join(SECTIONS))
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the index and the catalogue")
    parser.add_argument("--gpus", type=int, default=1, help="that the index is spread over")
    parser.add_argument("--work", type=Path, default=Path("/tmp/samestyle-bench"), help="where catalogues are kept")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    card = _card()
    setting = Setting(given.device, given.tiny, given.rows, given.gpus, peak_of(card), given.work)
    about = {**machine(), "card": card, "onnxruntime": ort.__version__, "device": given.device}
    about["free_device_bytes"] = free_device_bytes()
    print("\n".join(f"{name}: {value}" for name, value in about.items()), flush=True)

    def keep() -> None:
        if given.json:
            found = {"about": about, "sections": report.lines}
            given.json.write_text(json.dumps(found, indent=2, default=str) + "\n")

    report = Report(keep=keep)
    prepare_device(given.device)
    for name in given.sections.split(","):
        started = time.perf_counter()
        try:
            SECTIONS[name](setting, report)
        except Exception as error:  # noqa: BLE001  # the other sections are to run all the same
            report.skip(name, f"{type(error).__name__}: {error}")
        print(f"\n({name}: {time.perf_counter() - started:.1f} s)", flush=True)


if __name__ == "__main__":
    main()
