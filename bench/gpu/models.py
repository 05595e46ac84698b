"""Encoders on a GPU: the default bundle, a ViT-B/16 in float16, and a device that is full."""

import json
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from bench.gpu.inputs import Inputs, about_vit, bundle_inputs, output_of, photos, token_shapes, vit_file, vit_inputs
from bench.gpu.report import ROOT, Report, Setting, rate, share
from catalogue.device_memory import is_out_of_memory
from models import Encoders, ProductInput
from models.bound import BoundSession
from models.bundle import ENCODERS, Bundle
from models.runtime import open_session

_CPU_LIMIT_MB: Final = 100


def bundle(setting: Setting, report: Report) -> None:
    """The default bundle: as it is served, and with inputs that stay on the device, against the memory's bandwidth."""
    path = ROOT / "models" / "default"
    there, here = Encoders.load(path, device=setting.device), Encoders.load(path)
    items = [
        ProductInput(photo, f"red mug number {row}") for row, photo in enumerate(photos(4 if setting.tiny else 32))
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
    widths = token_shapes(here)
    for encoder in ENCODERS:
        session = open_session(path / "onnx" / f"{encoder}.onnx", device=setting.device, threads=8)
        one, two = (
            _bytes_moved(path / "onnx" / f"{encoder}.onnx", setting, bundle_inputs(encoder, widths, n)) for n in (1, 2)
        )
        for size in setting.batches:
            inputs = bundle_inputs(encoder, widths, size)
            bytes_moved = one + (size - 1) * (two - one)  # the weights once, the rest for each
            served = rate(lambda: session.run([output_of(session)], inputs), size, setting)  # noqa: B023
            resident = rate(_resident(session, inputs, setting), size, setting)
            report.row(
                "default bundle: throughput",
                encoder=encoder,
                batch=size,
                served_per_s=served,
                on_device_per_s=resident,
                MB_moved_each=bytes_moved / size / 1e6,
                GB_per_s=resident * bytes_moved / size / 1e9,
                share_of_bandwidth=share(resident * bytes_moved / size, setting, 1),
            )


def vit(setting: Setting, report: Report) -> None:
    """CLIP ViT-B/16 in float16."""
    about = about_vit()
    for part in ("image", "text"):
        started = time.perf_counter()
        session = open_session(vit_file(part), device=setting.device, threads=8)
        loaded_s = time.perf_counter() - started
        for size in (*setting.batches, *(() if setting.tiny else (256,))):
            inputs = vit_inputs(part, about, size)
            resident = rate(_resident(session, inputs, setting), size, setting)
            served = rate(lambda: session.run([output_of(session)], inputs), size, setting)  # noqa: B023
            report.row(
                "ViT-B/16 dual in float16",
                encoder=part,
                batch=size,
                served_per_s=served,
                on_device_per_s=resident,
                TFLOP_per_s=resident * about["operations"][part] / 1e12,
                share_of_peak=share(resident * about["operations"][part], setting, 0),
                loaded_s=loaded_s,
            )


def memory(setting: Setting, report: Report) -> None:
    """A device with too little memory: batches are halved, the answers stay the same, the process goes on."""
    path = ROOT / "models" / "default"
    pack = Bundle.load(path)
    items = [ProductInput(photo, f"mug {row}") for row, photo in enumerate(photos(32))]
    wanted = Encoders.load(path, device=setting.device).embed(items)
    for limit in (400, 200, 100, 60, 30) if setting.device == "cuda" else (_CPU_LIMIT_MB,):
        spies: dict[str, _Spy] = {}
        try:
            for encoder in ENCODERS:
                opened = _limited(path / "onnx" / f"{encoder}.onnx", limit, setting)
                spies[encoder] = _Spy(BoundSession(opened, setting.device))
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


class _Spy:
    """Writes down the sizes of the batches a session is given, and has them made as for a GPU."""

    def __init__(self, session: BoundSession) -> None:
        self._session = session
        self.sizes: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def get_providers(self) -> list[str]:
        return ["CUDAExecutionProvider"]

    def run(self, outputs: list[str], inputs: Inputs) -> list[NDArray[Any]]:
        self.sizes.append(len(next(iter(inputs.values()))))
        return self._session.run(outputs, inputs)


def _limited(path: Path, megabytes: int, setting: Setting) -> ort.InferenceSession:
    """A session that may take so much of the device's memory; on a CPU all sessions may together."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    if setting.device == "cuda":
        settings = {"gpu_mem_limit": megabytes << 20, "arena_extend_strategy": "kSameAsRequested", "use_tf32": "0"}
        return ort.InferenceSession(
            str(path), options, providers=[("CUDAExecutionProvider", settings)], enable_fallback=0
        )  # fmt: skip
    _limit_cpu(megabytes)
    options.add_session_config_entry("session.use_env_allocators", "1")
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


@cache
def _limit_cpu(megabytes: int) -> None:
    """For sessions that ask for it; once in a process."""
    place = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    same_as_requested = {"arena_extend_strategy": 1}
    ort.create_and_register_allocator(place, ort.OrtArenaCfg({"max_mem": megabytes << 20, **same_as_requested}))


def _resident(session: Any, inputs: Inputs, setting: Setting) -> Callable[[], None]:
    """A run whose inputs are on the device and whose output stays there."""
    inner = session._session if isinstance(session, BoundSession) else session
    binding = inner.io_binding()
    for name, value in inputs.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(value, setting.device, 0))
    binding.bind_output(output_of(session), setting.device, 0)

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
