"""What could make encoders faster on a GPU, side by side with what is served. Nothing of it is in the service.

Each takes arrays of the machine's memory and gives one, as a session of the service does.

- pinned: what is copied to the device and back lies in page-locked memory, which CUDA copies from without a copy of
  its own. One more copy on the machine is part of it: arrays are made elsewhere.
- CUDA graph: what a run asks of CUDA is noted once for each shape and repeated in one call. Inputs and outputs stay
  where they are. ONNX Runtime takes only models without control flow and without copies between operations; how large
  something is may depend on the shapes alone, as that too is noted once: so each is tried with other inputs. Where
  others use the device while it is noted (FAISS does), that fails, so a service would do it before it serves.
- TensorRT: where its libraries are installed.

On a CPU pinned memory is any, and a graph is an ordinary run: their wrappers are tried, no more.
"""

import ctypes
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from bench.gpu.inputs import Inputs, about_vit, bundle_inputs, output_of, token_shapes, vit_file, vit_inputs
from bench.gpu.report import ROOT, Report, Setting
from catalogue.device_memory import free_device_bytes
from models import Encoders
from models.bound import BoundSession
from models.bundle import ENCODERS, Device
from models.encoders import BATCH_SIZES
from models.runtime import open_session

Array = NDArray[Any]
Run = Callable[[Inputs], Array]

_SECTION: Final = "options"
_ROUNDS: Final = 3


class Option(Protocol):
    """An encoder, opened one way."""

    def prepare(self, inputs: Inputs, made: Array) -> Run:
        """What runs it for inputs of these shapes; `made` is what comes of them."""
        ...


class Served:
    """As the service does it."""

    def __init__(self, path: Path, device: Device) -> None:
        self._session = open_session(path, device=device, threads=8)
        self._output = output_of(self._session)

    def prepare(self, inputs: Inputs, made: Array) -> Run:
        """See `Option`."""
        return self.run

    def run(self, inputs: Inputs) -> Array:
        """What comes of inputs of any shapes."""
        made: Array = self._session.run([self._output], dict(inputs))[0]
        return made


class Pinned:
    """Through page-locked memory."""

    def __init__(self, path: Path, device: Device) -> None:
        session = open_session(path, device=device, threads=8)
        self._session = session._session if isinstance(session, BoundSession) else session
        self._device = device
        self._output = output_of(session)

    def prepare(self, inputs: Inputs, made: Array) -> Run:
        """See `Option`."""
        here = {name: self._array(value.shape, value.dtype) for name, value in inputs.items()}
        there = {name: _there(value, self._device) for name, value in inputs.items()}
        out = self._array(made.shape, made.dtype)
        binding = self._session.io_binding()
        for name, value in there.items():
            binding.bind_ortvalue_input(name, value)
        binding.bind_output(self._output, "cpu", 0, made.dtype, made.shape, out.ctypes.data)

        def run(inputs: Inputs) -> Array:
            for name, value in inputs.items():
                np.copyto(here[name], value)
                there[name].update_inplace(here[name])
            self._session.run_with_iobinding(binding)
            return out.copy()

        return run

    def _array(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Kept until the process ends, as all that is measured here."""
        if self._device == "cpu":
            return np.empty(shape, dtype)
        size, place = int(np.prod(shape)) * dtype.itemsize, ctypes.c_void_p()
        if failed := ctypes.CDLL("libcudart.so.13").cudaHostAlloc(ctypes.byref(place), ctypes.c_size_t(size), 0):
            raise RuntimeError(f"cudaHostAlloc of {size:,} bytes failed with error {failed}")
        return np.ctypeslib.as_array((ctypes.c_byte * size).from_address(place.value or 0)).view(dtype).reshape(shape)


class CudaGraph:
    """Repeating what was noted; a session of its own, as it cannot do both."""

    def __init__(self, path: Path, device: Device) -> None:
        if device == "cuda" and b"NonZero" in path.read_bytes():  # it ended in an illegal access, and CUDA with it
            raise RuntimeError("how large its results are depends on what it is given, which no graph repeats")
        settings = {"arena_extend_strategy": "kSameAsRequested", "enable_cuda_graph": "1", "use_tf32": "0"}
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.enable_mem_pattern = False  # it takes memory in the second run, when all is being noted
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        self._session = _opened(path, options, [("CUDAExecutionProvider", settings)] if device == "cuda" else [])
        self._device = device
        self._shapes = 0

    def prepare(self, inputs: Inputs, made: Array) -> Run:
        """See `Option`."""
        self._shapes += 1  # ONNX Runtime does not see that a graph belongs to another shape
        options = ort.RunOptions()
        options.add_run_config_entry("gpu_graph_id", str(self._shapes))
        there = {name: _there(value, self._device) for name, value in inputs.items()}
        out = ort.OrtValue.ortvalue_from_shape_and_type(made.shape, made.dtype, self._device, 0)
        binding = self._session.io_binding()
        for name, value in there.items():
            binding.bind_ortvalue_input(name, value)
        binding.bind_ortvalue_output(output_of(self._session), out)

        def run(inputs: Inputs) -> Array:
            for name, value in inputs.items():
                there[name].update_inplace(value)
            self._session.run_with_iobinding(binding, options)
            found: Array = out.numpy()
            return found.copy() if self._device == "cpu" else found

        return run


class TensorRt(Served):
    """With CUDA for what it does not take."""

    def __init__(self, path: Path, device: Device) -> None:
        try:
            ctypes.CDLL("libnvinfer.so.10")
        except OSError:
            raise RuntimeError("TensorRT's libraries are not installed") from None
        options = ort.SessionOptions()
        options.log_severity_level = 3
        session = _opened(path, options, ["TensorrtExecutionProvider", "CUDAExecutionProvider"])
        self._session = BoundSession(session, device)
        self._output = output_of(session)


OPTIONS: Final[Mapping[str, Callable[[Path, Device], Option]]] = {
    "as served": Served,
    "pinned": Pinned,
    "CUDA graph": CudaGraph,
    "TensorRT": TensorRt,
}


def options(setting: Setting, report: Report) -> None:
    """Every encoder of the default bundle and of the ViT-B/16, in each way."""
    for name, path, make in _encoders():
        try:
            compare(name, path, make, setting, report)
        except Exception as error:  # noqa: BLE001  # the other encoders are to run all the same
            report.skip(f"{_SECTION}: {name}", f"{type(error).__name__}: {error}")


@dataclass
class _Trial:
    """One option for one encoder, and what was found for the batch at hand."""

    name: str
    option: Option
    device_bytes: int
    run: Run | None = None
    first_s: float = 0.0
    """What the first run of this batch size took; convolutions are chosen by trial then, graphs noted."""
    off: float = 0.0
    seconds: list[float] = field(default_factory=list)


def compare(name: str, path: Path, make: Callable[[int, int], Inputs], setting: Setting, report: Report) -> None:
    """One encoder; `make` makes inputs for a batch, from a seed. What fails is left out from there on."""
    trials: list[_Trial] = []
    for option, way in OPTIONS.items():
        with _said(report, option, name), _device_bytes() as taken:
            trials.append(_Trial(option, way(path, setting.device), 0))
            trials[-1].device_bytes = taken()
    served = next(trial.option for trial in trials if isinstance(trial.option, Served))
    for size in BATCH_SIZES[:2] if setting.tiny else BATCH_SIZES:
        inputs, others = make(size, 0), make(size, 1)
        (right, first_s), (other, _) = (_once(served.run, one) for one in (inputs, others))
        for trial in trials:
            with _said(report, trial.name, name), _device_bytes() as taken:
                trial.run, trial.seconds = None, []
                run = trial.option.prepare(inputs, right)
                found, trial.first_s = _once(run, inputs)
                if trial.option is served:
                    trial.first_s = first_s
                for _ in range(3):  # memory may be found for it until the third
                    run(inputs)
                pairs = ((found, right), (run(others), other), (run(inputs), right))
                trial.off = max(float(np.abs(made - wanted).max()) for made, wanted in pairs)
                trial.device_bytes += taken()
                trial.run = run
        for _ in range(1 if setting.tiny else _ROUNDS):
            for trial in trials:
                if (works := trial.run) is not None:
                    with _said(report, trial.name, name):
                        trial.run = None
                        trial.seconds += _timed(works, inputs, setting.seconds / 4)
                        trial.run = works
        trials = [trial for trial in trials if trial.run is not None]
        for trial in trials:
            report.row(
                _SECTION,
                encoder=name,
                batch=size,
                option=trial.name,
                items_per_s=size * len(trial.seconds) / sum(trial.seconds),
                p50_ms=1e3 * float(np.median(trial.seconds)),
                first_ms=1e3 * trial.first_s,
                device_MB=trial.device_bytes / 1e6 if setting.device == "cuda" else float("nan"),
                largest_difference=trial.off,
            )


@contextmanager
def _said(report: Report, option: str, name: str) -> Iterator[None]:
    """Why something cannot be had is a result, too."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # the others are to run all the same
        report.skip(f"{_SECTION}: {option}, {name}", f"{type(error).__name__}: {error}")


@contextmanager
def _device_bytes() -> Iterator[Callable[[], int]]:
    """How many bytes of the device were taken since."""
    before = free_device_bytes() or 0
    yield lambda: before - (free_device_bytes() or 0)


def _once(run: Run, inputs: Inputs) -> tuple[Array, float]:
    """What comes of it, and the seconds it took."""
    started = time.perf_counter()
    made = run(inputs)
    return made, time.perf_counter() - started


def _timed(run: Run, inputs: Inputs, seconds: float) -> list[float]:
    """How long each took, for so long and three times at least."""
    found: list[float] = []
    while len(found) < 3 or sum(found) < seconds:
        found.append(_once(run, inputs)[1])
    return found


def _there(value: Array, device: Device) -> ort.OrtValue:
    """A buffer on the device with these numbers; on a CPU it would be the array itself, but for the copy."""
    return ort.OrtValue.ortvalue_from_numpy(np.array(value, order="C"), device, 0)


def _opened(path: Path, options: ort.SessionOptions, providers: list[Any]) -> ort.InferenceSession:
    """A session on the first of the providers, or an error."""
    session = ort.InferenceSession(
        str(path), options, providers=providers or ["CPUExecutionProvider"], enable_fallback=0
    )  # fmt: skip
    wanted = providers[0] if providers else "CPUExecutionProvider"
    if session.get_providers()[0] != (wanted if isinstance(wanted, str) else wanted[0]):
        raise RuntimeError(f"ONNX Runtime fell back to {session.get_providers()[0]}")
    return session


def _encoders() -> Iterator[tuple[str, Path, Callable[[int, int], Inputs]]]:
    bundle = ROOT / "models" / "default"
    shapes = token_shapes(Encoders.load(bundle))
    for encoder in ENCODERS:
        yield f"default {encoder}", bundle / "onnx" / f"{encoder}.onnx", partial(bundle_inputs, encoder, shapes)
    about = about_vit()
    for part in ("image", "text"):
        yield f"ViT-B/16 {part}", vit_file(part), partial(vit_inputs, part, about)
