"""The CUDA devices of this machine, for tests that are run on one with `--gpu`."""

import contextlib
import ctypes
from collections.abc import Iterator

from catalogue.device_memory import free_device_bytes

_LARGEST = 8 << 30
_SMALLEST = 1 << 20


def cuda_devices() -> int:
    """How many the driver finds; none without a driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


@contextlib.contextmanager
def memory_taken(left: int) -> Iterator[None]:
    """The first device has no more than `left` bytes free, but for what its libraries have and keep for themselves."""
    runtime = ctypes.CDLL("libcudart.so.13")  # is loaded already
    taken: list[ctypes.c_void_p] = []
    size = _LARGEST
    try:
        while size >= _SMALLEST:
            free = free_device_bytes(0) or 0
            if free - left < size:
                size //= 2
                continue
            block = ctypes.c_void_p()
            if runtime.cudaMalloc(ctypes.byref(block), ctypes.c_size_t(size)):
                runtime.cudaGetLastError()  # else it would be found by whoever asks next
                size //= 2
            else:
                taken.append(block)
        yield
    finally:
        for block in taken:
            runtime.cudaFree(block)
