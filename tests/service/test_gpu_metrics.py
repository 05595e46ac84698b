"""Metrics of GPUs, from a library that says what it is told to, compiled on the spot, and from the real one."""

import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from service.gpu_metrics import GpuMetrics, Nvml, find_gpus

_LIBRARY = """
typedef struct { unsigned long long total, free, used; } memory;
typedef struct { unsigned int gpu, memory; } utilization;
int nvmlInit_v2(void) { return %d; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = 3; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int at, void **device) { *device = (void *)(long)(at + 1); return 0; }
int nvmlDeviceGetMemoryInfo(void *device, memory *m) {
    long at = (long)device - 1;
    m->total = 80000000000ULL; m->used = at * 1000000000ULL; m->free = m->total - m->used;
    return at == 2 ? 15 : 0;  /* the third has fallen off the bus */
}
int nvmlDeviceGetUtilizationRates(void *device, utilization *u) {
    u->gpu = 37; u->memory = 5;
    return (long)device == 2 ? 3 : 0;  /* the second does not say */
}
"""


def library(folder: Path, init: int) -> str:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here")
    source, built = folder / "nvml.c", folder / f"nvml{init}.so"
    source.write_text(_LIBRARY % init)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", built, source], check=True)
    return str(built)


def test_each_gpu_that_answers_is_told(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    registry.register(GpuMetrics(Nvml(library(tmp_path, 0))))
    told = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]
    assert told == [
        'samestyle_gpu_memory_used_bytes{gpu="0"} 0.0',
        'samestyle_gpu_memory_used_bytes{gpu="1"} 1e+09',
        'samestyle_gpu_memory_bytes{gpu="0"} 8e+10',
        'samestyle_gpu_memory_bytes{gpu="1"} 8e+10',
        'samestyle_gpu_utilization_ratio{gpu="0"} 0.37',
    ]


def test_without_a_driver_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nvml9"):
        Nvml(library(tmp_path, 9))
    with pytest.raises(OSError, match="nowhere"):
        Nvml("nowhere.so")
    gpus = find_gpus()
    assert gpus is None or list(gpus.collect())
