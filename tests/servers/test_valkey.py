import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from tests.servers.valkey import Valkey


def client(valkey: Valkey, timeout_s: float = 30) -> redis.Redis:
    return redis.Redis.from_url(valkey.url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=None)


def test_it_stores_and_expires(valkey: Valkey) -> None:
    with client(valkey) as connection:
        connection.set("key", b"value", px=60_000)
        assert connection.get("key") == b"value"
        connection.pexpire("key", 1)
        deadline = time.monotonic() + 30
        while connection.get("key") is not None:
            assert time.monotonic() < deadline


def test_a_paused_server_is_silent_and_keeps_its_data(valkey: Valkey) -> None:
    with client(valkey) as connection, client(valkey, timeout_s=0.3) as impatient:
        connection.set("key", b"value")
        valkey.pause()
        with pytest.raises(redis.TimeoutError):
            impatient.get("key")
        valkey.resume()
        assert connection.get("key") == b"value"


def test_a_killed_server_refuses_and_comes_back_empty_at_the_same_address(valkey: Valkey) -> None:
    address = valkey.url
    with client(valkey) as connection:
        connection.set("key", b"value")
    valkey.kill()
    assert not valkey.running
    with client(valkey) as connection, pytest.raises(redis.ConnectionError):
        connection.get("key")

    valkey.start()
    assert valkey.url == address
    with client(valkey) as connection:
        assert connection.get("key") is None


def test_the_next_test_finds_it_running(valkey: Valkey) -> None:
    valkey.kill()
    valkey.reset()
    valkey.pause()
    valkey.reset()
    with client(valkey) as connection:
        assert connection.ping()


def test_two_servers_do_not_meet(valkey: Valkey, valkey_server: Valkey) -> None:
    with Valkey(valkey_server.command()[0]) as other:
        assert other.url != valkey.url
        with client(valkey) as ours, client(other) as theirs:
            ours.set("key", b"ours")
            assert theirs.get("key") is None


def test_leaving_the_block_frees_the_port_and_the_folder(valkey_server: Valkey) -> None:
    with Valkey(valkey_server.command()[0]) as server:
        folder = server.folder
    assert not server.running
    assert not folder.exists()
    with client(server) as connection, pytest.raises(redis.ConnectionError):
        connection.ping()


def test_a_killed_test_run_leaves_no_server_behind(valkey_server: Valkey) -> None:
    script = (
        "import sys, time; from tests.servers.valkey import Valkey\n"
        "with Valkey(sys.argv[1]) as server:\n"
        "    print(server.pid, server.folder, flush=True); time.sleep(300)\n"
    )
    command = [sys.executable, "-c", script, valkey_server.command()[0]]
    path = {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | path) as run:
        assert run.stdout is not None
        pid, folder = run.stdout.readline().split()
        run.send_signal(signal.SIGKILL)
    assert _gone(int(pid), Path(folder))


def _gone(pid: int, folder: Path) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            ended = "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            ended = True
        if ended and not folder.exists():
            return True
        time.sleep(0.05)
    return False
