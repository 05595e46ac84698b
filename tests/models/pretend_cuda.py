"""A CUDA device that can be made full: a real one, or ONNX Runtime on the CPU that says it is on a GPU.

On the pretended one all of the code for a GPU runs as it does there: what is asked of ONNX Runtime, where operations
were put, buffers on the device, the one thread. Memory is full for batches larger than `room`: in the words of ONNX
Runtime on CUDA; on the real one all of it is taken by somebody else meanwhile.
"""

import threading
from contextlib import AbstractContextManager, nullcontext, suppress
from types import SimpleNamespace
from typing import Any

import onnxruntime as ort
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

from tests.real_gpu import memory_taken

FULL = (
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running Conv node. "
    "Name:'/stem/Conv' Status Message: /onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:359 "
    "void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*) "
    "Failed to allocate memory for requested buffer of size 1258291200"
)
FULL_AT_LOAD = "CUDA failure 2: out of memory ; GPU=0 ; hostname=box ; expr=cudaMalloc((void**)&p, size);"
_SHRINK = "memory.enable_memory_arena_shrinkage"
_OPEN, _VALUE = ort.InferenceSession, ort.OrtValue.ortvalue_from_numpy


class Card:
    """The device, and what was done on it."""

    def __init__(self, *, real: bool) -> None:
        self.real = real
        self.exact = 2e-3 if real else 1e-5
        """How near a component is to what the CPU gives: products are made of TF32 on the real one."""
        self.room = 32
        self.loads = True
        """Whether there is memory for another session. ONNX Runtime would open it on the CPU, if it may."""
        self.left_to_the_cpu: set[str] = set()
        """Kinds of operations that the pretended device does not have."""
        self.falls_back = False
        """Whether sessions are opened on the CPU without an error; by the pretended one."""
        self.threads: set[int] = set()
        self.batches: dict[str, list[int]] = {}
        """By the name of an output."""
        self.buffers = 0
        """How many inputs were given memory on the device."""
        self.shrunk = 0
        """How many runs were to give back memory that was kept."""

    def open(self, path: str, options: ort.SessionOptions, providers: list[Any], *, enable_fallback: int = 1) -> Any:
        if providers == ["CPUExecutionProvider"]:
            return _OPEN(path, options, providers=providers)
        ((provider, settings),) = providers
        assert provider == "CUDAExecutionProvider"
        assert settings == {"arena_extend_strategy": "kSameAsRequested", "use_tf32": "0"}
        if self.real:
            with nullcontext() if self.loads else memory_taken(0):
                opened = _OPEN(path, options, providers=providers, enable_fallback=enable_fallback)
                return RealSession(opened, self)
        if not self.loads and not enable_fallback:
            raise RuntimeError(FULL_AT_LOAD)
        opened = _OPEN(path, options, providers=["CPUExecutionProvider"])
        return opened if not self.loads else PretendedSession(opened, self)

    def value(self, array: Any, device: str, number: int) -> ort.OrtValue:
        assert (device, number) == ("cuda", 0)
        self.buffers += 1
        if self.real:
            return _VALUE(array, device, number)
        return _VALUE(array.copy(), "cpu", 0)  # as on a device, which has a copy


class _Session:
    """Notes what is run."""

    def __init__(self, session: ort.InferenceSession, card: Card) -> None:
        self._session, self._card = session, card

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def io_binding(self) -> Any:
        return _Binding(self._session.io_binding())

    def run_with_iobinding(self, binding: "_Binding", options: ort.RunOptions) -> None:
        self._card.threads.add(threading.get_ident())
        (output,) = binding.outputs
        self._card.batches.setdefault(output, []).append(binding.size)
        with suppress(RuntimeError):  # there is no such entry
            self._card.shrunk += options.get_run_config_entry(_SHRINK) == "gpu:0"
        with self._room_for(binding):
            self._run(binding, options)

    def _room_for(self, binding: "_Binding") -> AbstractContextManager[None]:
        raise NotImplementedError

    def _run(self, binding: "_Binding", options: ort.RunOptions) -> None:
        raise NotImplementedError


class RealSession(_Session):
    """A session on a real device that keeps nothing between runs, so that it finds it full when it is."""

    def _room_for(self, binding: "_Binding") -> AbstractContextManager[None]:
        return memory_taken(0) if binding.size > self._card.room else nullcontext()

    def _run(self, binding: "_Binding", options: ort.RunOptions) -> None:
        options.add_run_config_entry(_SHRINK, "gpu:0")
        self._session.run_with_iobinding(binding.binding, options)


class PretendedSession(_Session):
    """A session of the CPU that says it is not."""

    def get_providers(self) -> list[str]:
        there = ["CUDAExecutionProvider", "CPUExecutionProvider"]
        return there[1:] if self._card.falls_back else there

    def get_provider_graph_assignment_info(self) -> list[Any]:
        parts = []
        for part in self._session.get_provider_graph_assignment_info():
            for node in part.get_nodes():
                left = node.op_type in self._card.left_to_the_cpu
                name = "CPUExecutionProvider" if left else "CUDAExecutionProvider"
                parts.append(SimpleNamespace(ep_name=name, get_nodes=lambda node=node: [node]))
        return parts

    def _room_for(self, binding: "_Binding") -> AbstractContextManager[None]:
        if binding.size > self._card.room:
            raise RuntimeException(FULL)
        return nullcontext()

    def _run(self, binding: "_Binding", _: ort.RunOptions) -> None:
        self._session.run_with_iobinding(binding.binding)  # without options, which speak of a GPU


class _Binding:
    """Knows the size of the batch bound to it."""

    def __init__(self, binding: Any) -> None:
        self.binding, self.size, self.outputs = binding, 0, set[str]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.binding, name)

    def bind_ortvalue_input(self, name: str, value: ort.OrtValue) -> None:
        self.size = value.shape()[0]
        self.binding.bind_ortvalue_input(name, value)

    def bind_output(self, name: str, *place: Any) -> None:
        self.outputs = {name}
        self.binding.bind_output(name, *place)


def put_in(monkeypatch: pytest.MonkeyPatch, *, real: bool = False) -> Card:
    """From now on there is a device, and what is done on it is noted."""
    card = Card(real=real)
    monkeypatch.setattr(ort, "InferenceSession", card.open)
    monkeypatch.setattr(ort.OrtValue, "ortvalue_from_numpy", staticmethod(card.value))
    if not real:
        there = ["CUDAExecutionProvider", "CPUExecutionProvider"]
        monkeypatch.setattr(ort, "get_available_providers", lambda: there)
        monkeypatch.setattr(ort, "preload_dlls", lambda: None)
    return card
