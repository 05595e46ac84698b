"""What a GPU gives: `python -m bench.gpu` prints a table of each part; what cannot run here says so in one line.

    python -m bench.gpu [--device cpu --tiny] [--sections bundle,vit,memory,index] [--rows 1000000] [--json FILE]

Needs onnxruntime-gpu; the last section faiss-gpu-cuvs too. The ViT-B/16 of `bench/vit_b16` has made-up weights
(`python -m models.export.hollow bench/vit_b16`). With `--device cpu --tiny` all of it runs anywhere, for its tests.
"""

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from bench.machine import machine
from catalogue.device_memory import free_device_bytes, is_out_of_memory
from models import Encoders, ProductInput
from models.bound import BoundSession
from models.bundle import ENCODERS, Bundle, Device
from models.runtime import open_session, prepare_device

Inputs = Mapping[str, NDArray[Any]]

ROOT: Final = Path(__file__).parents[1]
VIT: Final = Path(__file__).parent / "vit_b16"
PEAKS: Final[Mapping[str, tuple[float, float]]] = {
    "H200": (989e12, 4.8e12),
    "H100 PCIe": (756e12, 2.0e12),
    "H100 NVL": (835e12, 3.9e12),
    "H100": (989e12, 3.35e12),
    "A100-SXM4-80GB": (312e12, 2.04e12),
    "A100": (312e12, 1.56e12),
    "L40S": (362e12, 0.86e12),
    "L4": (121e12, 0.3e12),
    "A10": (125e12, 0.6e12),
    "T4": (65e12, 0.32e12),
}
"""Dense float16 operations and bytes of memory a second, by what a card's name contains, as its maker states them."""


@dataclass(frozen=True)
class Setting:
    """What is measured, and on what."""

    device: Device
    tiny: bool
    rows: int
    peak: tuple[float, float] | None

    @property
    def seconds(self) -> float:
        """How long each figure is measured for."""
        return 0.05 if self.tiny else 0.6

    @property
    def batches(self) -> tuple[int, ...]:
        """Batch sizes of everything that is timed."""
        return (1, 2) if self.tiny else (1, 8, 32, 64, 128)


@dataclass
class Report:
    """Printed as it grows, and kept for a file."""

    lines: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def row(self, section: str, **cells: Any) -> None:
        """One line of a section's table."""
        rows = self.lines.setdefault(section, [])
        if not rows:
            print(f"\n## {section}\n")
        if not rows or rows[-1].keys() != cells.keys():
            print("| " + " | ".join(cells) + " |\n|" + " --- |" * len(cells))
        rows.append(cells)
        print("| " + " | ".join(_shown(value) for value in cells.values()) + " |", flush=True)

    def skip(self, section: str, why: str) -> None:
        """A section that cannot run here."""
        self.lines[section] = [{"skipped": why}]
        print(f"\n## {section}\n\nnot run: {why}", flush=True)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def bundle(setting: Setting, report: Report) -> None:
    """The default bundle: as it is served, and with inputs that stay on the device, against the memory's bandwidth."""
    path = ROOT / "models" / "default"
    there, here = Encoders.load(path, device=setting.device), Encoders.load(path)
    items = [
        ProductInput(photo, f"red mug number {row}") for row, photo in enumerate(_photos(4 if setting.tiny else 32))
    ]
    items += [ProductInput(items[0].image), ProductInput(text="steel bolt M8 x 40 zinc plated")]
    found, wanted = there.embed(items), here.embed(items)
    report.row(
        "default bundle: CUDA against CPU",
        vectors=len(items),
        largest_difference=float(np.abs(found - wanted).max()),
        largest_1_minus_cos=float((1 - (found * wanted).sum(axis=1)).max()),
        batch_mates_move_it=float(np.abs(there.embed(items[:1]) - found[:1]).max()),
    )
    widths = {
        side: made[0].shape
        for side, made in (
            ("image", here.image_tokens([np.zeros((224, 224, 3), np.uint8)])),
            ("text", here.text_tokens([np.arange(1000, 1032)])),
        )
    }
    for encoder in ENCODERS:
        session = open_session(path / "onnx" / f"{encoder}.onnx", device=setting.device, threads=8)
        one, two = (
            _bytes_moved(path / "onnx" / f"{encoder}.onnx", setting, _bundle_inputs(encoder, n, widths)) for n in (1, 2)
        )
        for size in setting.batches:
            inputs = _bundle_inputs(encoder, size, widths)
            bytes_moved = one + (size - 1) * (two - one)  # the weights once, the rest for each
            served = _rate(lambda: session.run([_output(session)], inputs), size, setting)  # noqa: B023
            resident = _rate(_resident(session, inputs, setting), size, setting)
            report.row(
                "default bundle: throughput",
                encoder=encoder,
                batch=size,
                served_per_s=served,
                on_device_per_s=resident,
                MB_moved_each=bytes_moved / size / 1e6,
                GB_per_s=resident * bytes_moved / size / 1e9,
                share_of_bandwidth=_share(resident * bytes_moved / size, setting, 1),
            )


def vit(setting: Setting, report: Report) -> None:
    """CLIP ViT-B/16 in float16."""
    about = json.loads((VIT / "about.json").read_text())
    for part in ("image", "text"):
        started = time.perf_counter()
        session = open_session(VIT / f"{part}.onnx", device=setting.device, threads=8)
        loaded_s = time.perf_counter() - started
        for size in (*setting.batches, *(() if setting.tiny else (256,))):
            inputs = _vit_inputs(part, size, about)
            resident = _rate(_resident(session, inputs, setting), size, setting)
            served = _rate(lambda: session.run([_output(session)], inputs), size, setting)  # noqa: B023
            report.row(
                "ViT-B/16 dual in float16",
                encoder=part,
                batch=size,
                served_per_s=served,
                on_device_per_s=resident,
                TFLOP_per_s=resident * about["operations"][part] / 1e12,
                share_of_peak=_share(resident * about["operations"][part], setting, 0),
                loaded_s=loaded_s,
            )


def memory(setting: Setting, report: Report) -> None:
    """A device with too little memory: batches are halved, the answers stay the same."""
    if setting.device != "cuda":
        report.skip("out of memory", "only a GPU has a limit that can be set")
        return
    path = ROOT / "models" / "default"
    pack = Bundle.load(path)
    items = [ProductInput(photo, f"mug {row}") for row, photo in enumerate(_photos(32))]
    wanted = Encoders.load(path, device="cuda").embed(items)
    for limit in (400, 200, 100, 60, 30):
        provider = (
            "CUDAExecutionProvider",
            {"gpu_mem_limit": limit << 20, "arena_extend_strategy": "kSameAsRequested"},
        )
        spies: dict[str, _Spy] = {}
        try:
            for encoder in ENCODERS:
                options = ort.SessionOptions()
                options.log_severity_level = 4
                options.add_session_config_entry("session.disable_quant_qdq", "1")
                opened = ort.InferenceSession(str(path / "onnx" / f"{encoder}.onnx"), options, providers=[provider])
                spies[encoder] = _Spy(BoundSession(opened, "cuda"))
            found = Encoders(pack, pack.reference, spies).embed(items)
            outcome = f"right within {float(np.abs(found - wanted).max()):.1e}"
        except Exception as error:  # noqa: BLE001  # what it is, is the result
            outcome = f"{type(error).__name__}{' (memory)' if is_out_of_memory(error) else ''}: {str(error)[:80]}"
        report.row(
            "out of memory",
            limit_MB=limit,
            image_batches=str(spies["image_encoder"].sizes if "image_encoder" in spies else []),
            outcome=outcome,
        )


def index(setting: Setting, report: Report) -> None:
    """FAISS: flat, IVF-PQ and CAGRA through the service's own shards."""
    import faiss  # noqa: PLC0415

    from index.gpu import Device as Gpu  # noqa: PLC0415
    from index.gpu import open_on_gpu  # noqa: PLC0415

    if setting.device != "cuda" or not hasattr(faiss, "StandardGpuResources"):
        report.skip("index", "this FAISS has no GPU support (faiss-gpu-cuvs)")
        return
    vectors, queries = _vectors(setting.rows)
    gpu = Gpu(deadline_s=120)
    exact: NDArray[np.int64] | None = None
    for kind in ("flat", "ivf-pq", "hnsw"):
        started = time.perf_counter()
        opened = open_on_gpu(gpu, kind, vectors, 0.95)
        built_s = time.perf_counter() - started
        shard: Any = opened.shards[0]
        shown = type(shard.index).__name__
        for size in (1, 16, 256):
            effort = shard.effort(opened.tuned, 10)
            asked = queries[:size].astype(np.float32)

            def search() -> Any:
                return gpu.call(lambda: shard.index.search(asked, 10, params=shard.parameters(effort)))  # noqa: B023

            _, rows = search()
            if kind == "flat" and size == 256:
                exact = rows
            report.row(
                "index",
                type=shown,
                rows=len(vectors),
                batch=size,
                queries_per_s=_rate(search, size, setting),
                raw_recall_at_10=_recall(rows, exact) if exact is not None and size == 256 else float("nan"),
                built_s=built_s,
            )
        shard.release()
    gpu.close()


SECTIONS: Final[Mapping[str, Callable[[Setting, Report], None]]] = {
    "bundle": bundle,
    "vit": vit,
    "memory": memory,
    "index": index,
}


class _Spy:
    """Writes down the sizes of the batches a session is given."""

    def __init__(self, session: BoundSession) -> None:
        self._session = session
        self.sizes: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run(self, outputs: list[str], inputs: Inputs) -> list[NDArray[Any]]:
        self.sizes.append(len(next(iter(inputs.values()))))
        return self._session.run(outputs, inputs)


def _rate(work: Callable[[], Any], items: int, setting: Setting) -> float:
    """Items a second."""
    for _ in range(3):
        work()
    started, done = time.perf_counter(), 0
    while (took := time.perf_counter() - started) < setting.seconds or done < 3:
        work()
        done += 1
    return items * done / took


def _resident(session: Any, inputs: Inputs, setting: Setting) -> Callable[[], None]:
    """A run whose inputs are on the device and whose output stays there."""
    inner = session._session if isinstance(session, BoundSession) else session
    binding = inner.io_binding()
    for name, value in inputs.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(value, setting.device, 0))
    binding.bind_output(_output(session), setting.device, 0)

    def run() -> None:
        inner.run_with_iobinding(binding)
        binding.synchronize_outputs()

    return run


def _bytes_moved(path: Path, setting: Setting, inputs: Inputs) -> int:
    """Bytes that the operations of a run read and write, after fusion.

    No operation can read its input and write its output without moving them, so this is the least that this graph
    moves; caches may keep some of it from the memory.
    """
    options = ort.SessionOptions()
    options.enable_profiling = True
    options.log_severity_level = 3
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        provider = "CUDAExecutionProvider" if setting.device == "cuda" else "CPUExecutionProvider"
        session = ort.InferenceSession(str(path), options, providers=[provider])
        session.run(None, dict(inputs))
        events = json.loads(Path(session.end_profiling()).read_text())
    moved = 0
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            told = event["args"]
            moved += sum(int(told.get(name, 0)) for name in ("activation_size", "parameter_size", "output_size"))
    return moved


def _bundle_inputs(encoder: str, size: int, shapes: Mapping[str, tuple[int, ...]]) -> Inputs:
    """Made up; `shapes` are those of a photo's and a text's tokens."""
    random = np.random.default_rng(0)
    if encoder == "image_encoder":
        return {"pixel_values": random.normal(size=(size, 3, 224, 224)).astype(np.float32)}
    if encoder == "text_encoder":
        return {"input_ids": random.integers(1000, 20_000, (size, 32)), "attention_mask": np.ones((size, 32), np.int64)}
    tokens = {f"{side}_tokens": random.normal(size=(size, *shape)).astype(np.float32) for side, shape in shapes.items()}
    return tokens | {f"{side}_mask": np.ones((size, shape[0]), np.int64) for side, shape in shapes.items()}


def _vit_inputs(part: str, size: int, about: Mapping[str, Any]) -> Inputs:
    random = np.random.default_rng(0)
    if part == "image":
        return {"pixel_values": random.normal(size=(size, 3, about["side"], about["side"])).astype(np.float32)}
    ids = random.integers(0, about["vocabulary"] - 1, (size, about["tokens"]))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def _vectors(rows: int) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Clustered unit rows of 256 dimensions, and 256 queries near some of them."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(max(1, rows // 100), 256)).astype(np.float32)
    made = np.empty((rows, 256), np.float16)
    for start in range(0, rows, 100_000):
        count = min(100_000, rows - start)
        block = centres[random.integers(0, len(centres), count)]
        block += random.standard_normal((count, 256), np.float32)
        made[start : start + count] = block / np.linalg.norm(block, axis=1, keepdims=True)
    near = made[:: max(1, rows // 256)][:256].astype(np.float32) + 0.02 * random.standard_normal((256, 256), np.float32)
    return made, (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float16)


def _recall(rows: NDArray[np.int64], exact: NDArray[np.int64]) -> float:
    return float(np.mean([len(np.intersect1d(a, b)) / len(b) for a, b in zip(rows, exact, strict=True)]))


def _photos(count: int) -> list[bytes]:
    files = sorted((ROOT / "catalogue" / "demo" / "photos").rglob("*.jpg"))
    return [files[row % len(files)].read_bytes() for row in range(count)]


def _output(session: Any) -> str:
    name: str = session.get_outputs()[0].name
    return name


def _share(rate: float, setting: Setting, of: int) -> float:
    """Of the card's peak: 0 operations, 1 bytes; not a number where the card is not known."""
    return rate / setting.peak[of] if setting.peak is not None else float("nan")


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
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the index")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    card = _card()
    peak = next((value for name, value in PEAKS.items() if name in card), None)
    setting = Setting(given.device, given.tiny, given.rows, peak)
    report = Report()
    about = {**machine(), "card": card, "onnxruntime": ort.__version__, "device": given.device}
    about["free_device_bytes"] = free_device_bytes()
    print("\n".join(f"{name}: {value}" for name, value in about.items()), flush=True)
    prepare_device(given.device)
    for name in given.sections.split(","):
        started = time.perf_counter()
        try:
            SECTIONS[name](setting, report)
        except Exception as error:  # noqa: BLE001  # the other sections are to run all the same
            report.skip(name, f"{type(error).__name__}: {error}")
        print(f"\n({name}: {time.perf_counter() - started:.1f} s)", flush=True)
    if given.json:
        given.json.write_text(json.dumps({"about": about, "sections": report.lines}, indent=2, default=str) + "\n")


if __name__ == "__main__":
    main()
