"""ONNX Runtime, opened the one way this service uses it."""

from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final, TypeAlias

import onnxruntime as ort

from catalogue.device_memory import is_out_of_memory
from catalogue.errors import BundleInvalid, ConfigurationError, NotEnoughMemory
from models.bound import BoundSession
from models.bundle import Device

_PROVIDERS: Final = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_SHADOWING: Final = (
    ("onnxruntime", "onnxruntime-gpu"),
    ("faiss-cpu", "faiss-gpu-cuvs"),
)
_HEAVY: Final = frozenset({"Attention", "Conv", "FusedConv", "FusedMatMul", "Gemm", "MatMul", "MultiHeadAttention"})
"""Operations that must run on the device; it is ONNX Runtime's own wish to work out shapes on the CPU."""

Session: TypeAlias = ort.InferenceSession | BoundSession


def open_session(path: Path, *, device: Device, threads: int) -> Session:
    """Open one encoder on `device`, and nowhere else.

    Raises BundleInvalid for a file ONNX Runtime cannot load, ConfigurationError where it would run elsewhere,
    NotEnoughMemory where the device has no room for it.
    """
    check_device(device)
    provider = _PROVIDERS[device]
    try:
        session = ort.InferenceSession(
            str(path), _options(device, threads), providers=[_with_settings(provider)],
            enable_fallback=0,  # to the CPU, for whatever CUDA says, the lack of memory, too
        )  # fmt: skip
    except Exception as error:  # ONNX Runtime has an exception class per status code, without a common base
        if is_out_of_memory(error):
            raise NotEnoughMemory(
                f"The {device} device has no room for {path}. Give it more memory, or export a smaller variant."
            ) from error
        if device != "cpu" and type(error) is RuntimeError:  # CUDA's own; what is wrong with a file has a class
            raise ConfigurationError(
                f"ONNX Runtime cannot use {device}: {error}. Check the driver and CUDA."
            ) from error
        raise BundleInvalid(f"{path} cannot be loaded: {error}. Fetch or export the bundle again.") from error
    if session.get_providers()[0] != provider:  # ONNX Runtime falls back to the CPU without an error
        raise ConfigurationError(
            f"ONNX Runtime fell back from {provider} to {session.get_providers()[0]}. Check the driver and CUDA."
        )
    if device == "cpu":
        return session
    check_placement(path, _operations(session))
    return BoundSession(session, device)


def check_device(device: Device) -> None:
    """Raise ConfigurationError where this ONNX Runtime was built without `device`."""
    if _PROVIDERS[device] not in ort.get_available_providers():
        raise ConfigurationError(
            f"This ONNX Runtime cannot run on {device}. Install samestyle[{'gpu' if device == 'cuda' else 'cpu'}]."
        )


def check_placement(path: Path, operations: Mapping[str, set[str]]) -> None:
    """Raise ConfigurationError where heavy ones of the operations (by provider) were left to the CPU, silently."""
    stayed = operations.get(_PROVIDERS["cpu"], set()) & _HEAVY
    if stayed:
        raise ConfigurationError(
            f"ONNX Runtime would run {', '.join(sorted(stayed))} of {path} on the CPU, although a GPU was asked for. "
            "Install a newer onnxruntime-gpu, or serve a variant in another precision."
        )


def prepare_device(device: Device) -> None:
    """Check the installation and load the libraries `device` needs.

    Raises ConfigurationError where packages that shadow each other are installed together.
    """
    for pair in _SHADOWING:
        if all(_installed(package) for package in pair):
            raise ConfigurationError(
                f"{pair[0]} and {pair[1]} are both installed and overwrite each other's files. Uninstall both, then "
                "install samestyle[cpu] or samestyle[gpu], not both."
            )
    if device == "cuda":
        ort.preload_dlls()  # CUDA and cuDNN come from wheels, where the loader does not look


def _operations(session: ort.InferenceSession) -> dict[str, set[str]]:
    """The kinds of operations that each provider was given."""
    found: dict[str, set[str]] = {}
    for part in session.get_provider_graph_assignment_info():
        found.setdefault(part.ep_name, set()).update(node.op_type for node in part.get_nodes())
    return found


def _options(device: Device, threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    # Weights are stored as int8 and used as float32: without this they would be expanded on every call, not once.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    # Three sessions and the index take turns on the same cores; a pool that spins between turns starves the others.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if device != "cpu":
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return options


def _with_settings(provider: str) -> str | tuple[str, dict[str, Any]]:
    if provider == "CUDAExecutionProvider":
        return provider, {
            # shapes come in few buckets, so memory grows to what the largest needs and no further
            "arena_extend_strategy": "kSameAsRequested",
            # float32 is what other precisions are measured by; TF32 would make it one of them
            "use_tf32": "0",
        }
    return provider


def _installed(package: str) -> bool:
    try:
        metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return False
    return True
