"""Whether there is memory for one more snapshot, before it is too late."""

import ctypes
import gc
from pathlib import Path
from typing import Final

import pyarrow as pa

from catalogue.device_memory import free_device_bytes
from catalogue.errors import NotEnoughMemory
from index import Manifest

_CGROUP: Final = Path("/sys/fs/cgroup")
_KEPT_FREE: Final = 0.05
_FIXED_BYTES: Final = 32_000_000
"""Pools and buffers of any snapshot."""
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_LARGE_BLOCK: Final = 1_048_576
"""From this size on, asking the system for a block and giving it back takes little beside decoding what is in it."""
_PRODUCT_BYTES: Final = 192
"""Of an index, 64; and where texts begin: 28, and 8 for each of a dozen attributes whose value no other product has."""


def snapshot_bytes(manifest: Manifest) -> int:
    """What a snapshot keeps in memory of its own, roughly and at most; what else is mapped needs none."""
    return _FIXED_BYTES + manifest.products * _PRODUCT_BYTES


def check_memory(needed: int, *, limit: int | None) -> None:
    """Raise NotEnoughMemory unless `needed` bytes can be had; `limit` is the most this process may use in all."""
    free = available_bytes() if limit is None else min(available_bytes(), limit - resident_bytes())
    if needed > free:
        raise NotEnoughMemory(
            f"It needs about {needed / 1e6:,.0f} MB more, and {max(free, 0) / 1e6:,.0f} MB can be had. "
            "What is served now goes on. Give the gateway more memory, or build a smaller index."
        )


def check_device_memory(needed: int, device: int = 0) -> None:
    """Raise NotEnoughMemory unless `needed` bytes of a GPU can be had, where that can be told."""
    free = free_device_bytes(device)
    if free is not None and needed > free:
        raise NotEnoughMemory(
            f"It needs about {needed / 1e6:,.0f} MB of GPU {device}, and {free / 1e6:,.0f} MB are free. What is served "
            "now goes on. Take a larger GPU, a smaller index, or serve the index from the CPU."
        )


def resident_bytes() -> int:
    """The memory this process has of its own; pages of mapped files are not counted."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    return int(fields["RssAnon"].split()[0]) * 1024


def available_bytes() -> int:
    """What the machine and the container still have, less a little."""
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024
    total = int(fields["MemTotal"].split()[0]) * 1024
    limit = _cgroup_number("memory.max")
    if limit is not None:
        used = (_cgroup_number("memory.current") or 0) - _cgroup_file_cache()
        free, total = min(free, limit - used), min(total, limit)
    return int(free - _KEPT_FREE * total)


def keep_flat() -> None:
    """Have blocks the size of a decoded photo given back to the system as soon as they are free.

    By itself glibc learns from the first of them to take such blocks from a heap that each thread has of its own, and
    there they stay.
    """
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)
    libc.mallopt(_M_TRIM_THRESHOLD, 2 * _LARGE_BLOCK)


def give_back() -> None:
    """Return memory that nothing uses any more to the system."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    ctypes.CDLL(None).malloc_trim(0)


def _cgroup_number(name: str) -> int | None:
    """A number of this process's control group (version 2); None where there is none, or no limit."""
    try:
        text = (_CGROUP / name).read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _cgroup_file_cache() -> int:
    """Pages of files, which the system takes back when memory is short."""
    try:
        lines = (_CGROUP / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("active_file ", "inactive_file ")))
