"""A server in a child process, on a loopback port, that never outlives the test run."""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

import pytest

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0

# Waits for a line. Should its input end without one, the test run was killed: then it ends the server and tidies up.
_GUARD = """
read -r _ && exit
kill -s CONT "$2"; kill -s "$1" "$2"
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -s 0 "$2" || break; sleep 0.2; done
rm -rf -- "$3"
"""


class NotStartedError(RuntimeError):
    """The server ended, or stayed silent, before it was ready."""


def missing(what: str, remedy: str) -> NoReturn:
    """Skip the test that needs `what`; fail it under CI, where everything must be there."""
    reason = f"{what} is missing: {remedy}"
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def free_port() -> int:
    """Return a port that can be bound, below the range the kernel hands to outgoing connections."""
    while True:
        port = random.randint(15_000, 32_000)
        with socket.socket() as probe:  # no SO_REUSEADDR: a port whose last connections still linger is not free
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def as_user(name: str | None) -> dict[str, Any]:
    """Return the arguments that make subprocess run a program as this user."""
    if name is None:
        return {}
    return {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}


class Server(ABC):
    """Start, pause, kill and restart one server process; its port and its files stay the same throughout."""

    kill_signal = signal.SIGKILL
    stop_signal = signal.SIGTERM
    user: str | None = None

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="samestyle-test-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command line that runs the server in the foreground."""

    @abstractmethod
    def answers(self) -> bool:
        """Tell whether a server answers on our port, and whether it is this one."""

    def prepare(self) -> None:  # noqa: B027 (most servers have nothing to lay out)
        """Lay out the server's files, once."""

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server where it last was and wait until it answers."""
        if self.running:
            return
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **as_user(self.user),
            )
        self._guard = self._watch(self._process.pid)
        self._wait_until_ready()

    def pause(self) -> None:
        """Freeze the server: connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the server at once, as a crash would."""
        self._end(self.kill_signal)

    def stop(self) -> None:
        """End the server in good order."""
        self._end(self.stop_signal)

    def __enter__(self) -> Self:
        try:
            self._start_on_a_free_port()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"

    def _start_on_a_free_port(self, attempts: int = 5) -> None:
        """Somebody else may take the port between our look and the server's start, so try a few."""
        self.prepare()
        for attempt in range(attempts):
            try:
                self.start()
            except NotStartedError:
                if attempt == attempts - 1 or "in use" not in self._log.read_text(errors="replace"):
                    raise
                self._log.unlink()
                self.port = free_port()
            else:
                return

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if not self.running:
                break
            if self.answers():
                return
            time.sleep(0.02)
        self.kill()
        raise NotStartedError(f"{self.command()[0]} did not start:\n{self._log.read_text(errors='replace')[-4000:]}")

    def _watch(self, pid: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "guard", self.kill_signal.name.removeprefix("SIG"), str(pid), str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(number)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._guard is not None:
            self._guard.communicate(b"done\n")
        self._process = self._guard = None
