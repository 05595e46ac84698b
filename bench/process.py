"""The gateway as a process that is measured from outside."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.load import HOST

SAMESTYLE: Final = str(Path(sys.executable).parent / "samestyle")
_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_PATIENCE_S: Final = 600


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running `samestyle serve`; `ready_s` is how long it took to be ready."""

    pid: int
    port: int
    ready_s: float

    def cpu_s(self) -> float:
        """Seconds of CPU that all its threads took so far, in steps of 10 ms."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK_S

    def memory_mb(self) -> dict[str, float]:
        """Resident memory: all of it, private, mapped."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        kinds = {"resident": "VmRSS", "private": "RssAnon", "mapped": "RssFile"}
        return {kind: int(fields[name].split()[0]) / 1024 for kind, name in kinds.items()}


@contextmanager
def serving(data: Path, port: int, **settings: str) -> Iterator[Gateway]:
    """A gateway on a data directory, ready, and ended afterwards; `settings` by their names behind SAMESTYLE_."""
    environment = os.environ | {f"SAMESTYLE_{name}": value for name, value in settings.items()}
    started = time.perf_counter()
    command = [SAMESTYLE, "serve", "--data", str(data), "--port", str(port)]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)
    try:
        while not _is_ready(port):
            if server.poll() is not None or time.perf_counter() - started > _PATIENCE_S:
                raise RuntimeError(f"`{' '.join(command)}` did not become ready; run it to see why")
            time.sleep(0.01)
        yield Gateway(server.pid, port, time.perf_counter() - started)
    finally:
        server.terminate()
        server.wait()


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
