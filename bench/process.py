"""Processes that are measured from outside: the gateway, and others that answer lines of JSON."""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.load import HOST

SAMESTYLE: Final = str(Path(sys.executable).parent / "samestyle")
_SCHEDULED: Final = 2
"""Linux' clock of the CPU time that a process was given; /proc has it in steps of 10 ms."""
_PATIENCE_S: Final = 600


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running `samestyle serve`; `ready_s` is how long it took to be ready."""

    pid: int
    port: int
    ready_s: float

    def cpu_s(self) -> float:
        """Seconds of CPU that all its threads took so far."""
        return time.clock_gettime(~self.pid << 3 | _SCHEDULED)

    def memory_mb(self) -> dict[str, float]:
        """Resident memory: all of it, private, mapped."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        kinds = {"resident": "VmRSS", "private": "RssAnon", "mapped": "RssFile"}
        return {kind: int(fields[name].split()[0]) / 1024 for kind, name in kinds.items()}


@contextmanager
def serving(data: Path, port: int, *, program: Sequence[str] = (SAMESTYLE,), **settings: str) -> Iterator[Gateway]:
    """A gateway on a data directory, ready, and ended afterwards; `settings` by their names behind SAMESTYLE_.

    `program` is what `samestyle` stands for.
    """
    environment = os.environ | {f"SAMESTYLE_{name}": value for name, value in settings.items()}
    started = time.perf_counter()
    command = [*program, "serve", "--data", str(data), "--port", str(port)]
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


class Answering:
    """A module of ours in a process of its own, which answers each line of JSON by one."""

    def __init__(self, module: str, *arguments: str, **environment: str) -> None:
        self._module = module
        command = [sys.executable, "-m", module, *arguments]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | environment
        )

    def ask(self, do: str, **given: Any) -> Any:
        """What it answers; raises RuntimeError when it ends instead, having said why."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **given}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._module} ended with code {self._process.wait()}")
        return json.loads(line)

    def end(self) -> None:
        """Let it leave."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@contextmanager
def answering(module: str, *arguments: str, **environment: str) -> Iterator[Answering]:
    """Such a process, ended afterwards."""
    process = Answering(module, *arguments, **environment)
    try:
        yield process
    finally:
        process.end()


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
