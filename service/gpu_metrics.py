"""Memory and utilisation of NVIDIA GPUs, as the driver's own library (NVML) says when the metrics are asked for."""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_LIBRARY: Final = "libnvidia-ml.so.1"
_MOST_GPUS: Final = 16
_OK: Final = 0


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class _Utilization(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


@dataclass(frozen=True, slots=True)
class GpuState:
    """One GPU now: bytes of its memory, and how busy it was in the last moment, 0 to 1; None where it does not say."""

    used: int
    total: int
    busy: float | None


class Nvml:
    """The few calls of NVML that are needed; raises OSError where there is no driver."""

    def __init__(self, library: str = _LIBRARY) -> None:
        self._library: Any = ctypes.CDLL(library)
        if self._library.nvmlInit_v2() != _OK:
            raise OSError(f"{library} cannot be used")

    def states(self) -> list[GpuState]:
        """Every GPU that answers, in the driver's order."""
        count = ctypes.c_uint()
        if self._library.nvmlDeviceGetCount_v2(ctypes.byref(count)) != _OK:
            return []
        states = (self._state(number) for number in range(min(count.value, _MOST_GPUS)))
        return [state for state in states if state is not None]

    def _state(self, number: int) -> GpuState | None:
        device, memory, utilization = ctypes.c_void_p(), _Memory(), _Utilization()
        if self._library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(number), ctypes.byref(device)) != _OK:
            return None
        if self._library.nvmlDeviceGetMemoryInfo(device, ctypes.byref(memory)) != _OK:
            return None
        answers = self._library.nvmlDeviceGetUtilizationRates(device, ctypes.byref(utilization)) == _OK
        return GpuState(memory.used, memory.total, utilization.gpu / 100 if answers else None)


class GpuMetrics(Collector):
    """What `Nvml` says, as gauges by the number of the GPU."""

    def __init__(self, nvml: Nvml) -> None:
        self._nvml = nvml

    def collect(self) -> Iterator[Metric]:
        """Ask now."""
        used = GaugeMetricFamily("samestyle_gpu_memory_used_bytes", "Memory of the GPU in use.", labels=["gpu"])
        total = GaugeMetricFamily("samestyle_gpu_memory_bytes", "Memory of the GPU.", labels=["gpu"])
        busy = GaugeMetricFamily("samestyle_gpu_utilization_ratio", "Share of the time it was busy.", labels=["gpu"])
        for number, state in enumerate(self._nvml.states()):
            used.add_metric([str(number)], state.used)
            total.add_metric([str(number)], state.total)
            if state.busy is not None:
                busy.add_metric([str(number)], state.busy)
        yield from (used, total, busy)


def find_gpus() -> GpuMetrics | None:
    """The metrics of this machine's GPUs; None where there is no driver."""
    try:
        return GpuMetrics(Nvml())
    except (OSError, AttributeError):
        return None
