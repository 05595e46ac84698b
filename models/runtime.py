"""ONNX Runtime, opened the one way this service uses it."""

from importlib import metadata
from pathlib import Path
from typing import Any, Final

import onnxruntime as ort

from catalogue.errors import BundleInvalid, ConfigurationError
from models.bundle import Device

_PROVIDERS: Final = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_SHADOWING: Final = (
    ("onnxruntime", "onnxruntime-gpu"),
    ("faiss-cpu", "faiss-gpu-cuvs"),
)


def open_session(path: Path, *, device: Device, threads: int) -> ort.InferenceSession:
    """Open one encoder on `device`, and nowhere else.

    Raises BundleInvalid for a file ONNX Runtime cannot load, ConfigurationError where it would run elsewhere.
    """
    provider = _PROVIDERS[device]
    if provider not in ort.get_available_providers():
        raise ConfigurationError(
            f"This ONNX Runtime cannot run on {device}. Install samestyle[{'gpu' if device == 'cuda' else 'cpu'}]."
        )
    try:
        session = ort.InferenceSession(str(path), _options(threads), providers=[_with_settings(provider)])
    except Exception as error:  # ONNX Runtime has an exception class per status code, without a common base
        raise BundleInvalid(f"{path} cannot be loaded: {error}. Fetch or export the bundle again.") from error
    if session.get_providers()[0] != provider:  # ONNX Runtime falls back to the CPU without an error
        raise ConfigurationError(
            f"ONNX Runtime fell back from {provider} to {session.get_providers()[0]}. Check the driver and CUDA."
        )
    return session


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


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    # Weights are stored as int8 and used as float32: without this they would be expanded on every call, not once.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    # Three sessions and the index take turns on the same cores; a pool that spins between turns starves the others.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _with_settings(provider: str) -> str | tuple[str, dict[str, Any]]:
    if provider == "CUDAExecutionProvider":
        # shapes come in few buckets, so memory grows to what the largest needs and no further
        return provider, {"arena_extend_strategy": "kSameAsRequested"}
    return provider


def _installed(package: str) -> bool:
    try:
        metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return False
    return True
