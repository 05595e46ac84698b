"""The locks: hashed, in agreement with each other, and without the packages that must stay out."""

import importlib
import re
from importlib.metadata import version
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "requirements"
LOCKS = ["cpu", "gpu", "test", "train"]

Pins = dict[tuple[str, str], str]


def pins(lock: str) -> Pins:
    """Return each pinned version by package and environment marker."""
    text = (FOLDER / f"{lock}.txt").read_text()
    found = re.findall(r"^([a-z0-9-]+)==(\S+)(?: ; (.*?))?(?: \\)?$", text, re.MULTILINE)
    return {(name, marker): pin for name, pin, marker in found}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_and_hashed(lock: str) -> None:
    entries = re.split(r"\n(?=\S)", (FOLDER / f"{lock}.txt").read_text().strip())
    assert len(entries) == len(pins(lock))
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("lock", ["gpu", "test", "train"])
def test_locks_agree(lock: str) -> None:
    base = {name: {pin for (other, _), pin in pins("cpu").items() if other == name} for name, _ in pins("cpu")}
    others = {(name, pin) for (name, _), pin in pins(lock).items() if name in base}
    assert [(name, pin) for name, pin in others if pin not in base[name]] == []


def test_no_lock_names_torch_and_only_the_gpu_lock_names_cuda() -> None:
    for lock in LOCKS:
        names = {name for name, _ in pins(lock)}
        assert not names & {"torch", "torchvision", "triton"}
        if lock != "gpu":
            assert not [name for name in names if name.startswith(("nvidia-", "cuda-", "triton"))]


@pytest.mark.heavy
def test_the_training_environment_holds_together() -> None:
    assert version("torch").partition("+")[0] == "2.13.0"
    for (name, marker), pin in pins("train").items():
        if not marker:
            assert version(name) == pin, name
    for module in ("accelerate", "duckdb", "matplotlib", "onnx", "onnxscript", "tensorboard", "torch", "transformers"):
        importlib.import_module(module)
