"""How a session is run on a GPU: inputs in buffers that stay, one thread for all calls, no end when it is full."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from catalogue.device_memory import is_out_of_memory
from models.bundle import Device

Result = TypeVar("Result")
Inputs: TypeAlias = Mapping[str, NDArray[Any]]

_SHAPES_KEPT: Final = 64


@cache
def owner_of(device: Device) -> ThreadPoolExecutor:
    """The one thread that makes all ONNX Runtime calls on a device.

    CUDA keeps handles and scratch memory for every thread that calls it, and calls side by side gain nothing: one of
    them fills the device. Whoever calls waits, so no more wait than there are threads.
    """
    return ThreadPoolExecutor(1, f"onnx-{device}")


def call(device: Device, work: Callable[[], Result]) -> Result:
    """Run `work` on the device's thread; what it raises is raised here."""
    return owner_of(device).submit(work).result()


class BoundSession:
    """A session whose inputs are copied into buffers on the device that are kept, for each of the few shapes.

    Runs as an `onnxruntime.InferenceSession` does; for one thread at a time.
    """

    def __init__(self, session: ort.InferenceSession, device: Device) -> None:
        self._session = session
        self._device = device
        self._bound: OrderedDict[tuple[Any, ...], tuple[Any, dict[str, ort.OrtValue]]] = OrderedDict()
        self._shrink = False

    def get_providers(self) -> list[str]:
        """See `onnxruntime.InferenceSession`."""
        providers: list[str] = self._session.get_providers()
        return providers

    def get_inputs(self) -> list[Any]:
        """See `onnxruntime.InferenceSession`."""
        inputs: list[Any] = self._session.get_inputs()
        return inputs

    def get_outputs(self) -> list[Any]:
        """See `onnxruntime.InferenceSession`."""
        outputs: list[Any] = self._session.get_outputs()
        return outputs

    def run(self, outputs: Sequence[str] | None, inputs: Inputs) -> list[NDArray[Any]]:
        """The outputs named, or all of them."""
        try:
            binding = self._binding(outputs or [node.name for node in self.get_outputs()], inputs)
            self._session.run_with_iobinding(binding, self._run_options())
            made = [value.numpy() for value in binding.get_outputs()]
        except Exception as error:  # ONNX Runtime has an exception class per status code, without a common base
            if is_out_of_memory(error):
                self.free()
            raise
        return made

    def free(self) -> None:
        """Let the buffers go, and have the next run give back what the session keeps beyond its need."""
        self._bound.clear()
        self._shrink = True

    def _binding(self, outputs: Sequence[str], inputs: Inputs) -> Any:
        shape = tuple((name, value.shape, value.dtype.str) for name, value in sorted(inputs.items()))
        if (known := self._bound.get(shape)) is not None:
            self._bound.move_to_end(shape)
            binding, held = known
            for name, value in inputs.items():
                held[name].update_inplace(np.ascontiguousarray(value))
        else:
            binding = self._session.io_binding()
            held = {
                name: ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value), self._device, 0)
                for name, value in inputs.items()
            }
            for name, value in held.items():
                binding.bind_ortvalue_input(name, value)
            self._bound[shape] = binding, held
            while len(self._bound) > _SHAPES_KEPT:
                self._bound.popitem(last=False)
        binding.clear_binding_outputs()
        for name in outputs:
            binding.bind_output(name, "cpu", 0)  # its own memory every time: what was given out before stays as it is
        return binding

    def _run_options(self) -> ort.RunOptions:
        options = ort.RunOptions()
        if self._shrink:
            place = "gpu" if self._device == "cuda" else self._device
            options.add_run_config_entry("memory.enable_memory_arena_shrinkage", f"{place}:0")
            self._shrink = False
        return options
