"""A GPU's memory: how much is free, and how libraries say that it is full."""

import ctypes
from typing import Final

_RUNTIMES: Final = ("libcudart.so.13", "libcudart.so.12", "libcudart.so")
_OUT_OF_MEMORY: Final = (
    "out of memory", "failed to allocate", "available memory", "alloc_failed", "cudaerrormemoryallocation",
    "memory allocation error", "out_of_memory", "resource allocation failed", "search without a dataset",
)  # fmt: skip
"""What ONNX Runtime, CUDA, cuBLAS, cuDNN, FAISS (with cuVS in other words than without) and RMM say.

The last is cuVS's, for a graph whose vectors had no room beside it: it is made without them, and cannot be searched.
"""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of a library means that a device's memory is full; it has no class of its own."""
    said = str(error).casefold()
    return isinstance(error, MemoryError) or any(words in said for words in _OUT_OF_MEMORY)


def free_device_bytes(device: int = 0) -> int | None:
    """The bytes a GPU has left; None where there is no CUDA that could tell."""
    for name in _RUNTIMES:
        try:
            runtime = ctypes.CDLL(name)  # the one that is loaded already, where it is
        except OSError:
            continue
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        if runtime.cudaSetDevice(device) or runtime.cudaMemGetInfo(ctypes.byref(free), ctypes.byref(total)):
            return None
        return free.value
    return None
