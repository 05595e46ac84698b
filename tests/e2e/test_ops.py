"""What the night shift types, against the real process."""

import json
import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from service.keys import create_key
from tests.e2e.conftest import SAMESTYLE, Gateway, copy_of
from tests.servers.process import free_port


def command(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    wide = os.environ | {"COLUMNS": "200"} | environment
    return subprocess.run([SAMESTYLE, *words], capture_output=True, text=True, timeout=60, check=False, env=wide)


def test_healthcheck_finds_the_gateway_of_the_settings(gateway: Gateway) -> None:
    fine = command("healthcheck", SAMESTYLE_PORT=str(gateway.port), SAMESTYLE_HOST="0.0.0.0")
    assert fine.returncode == 0, fine.stderr
    assert json.loads(fine.stdout)["status"] == "ready"
    away = command("healthcheck", "--url", f"http://127.0.0.1:{free_port()}")
    assert away.returncode == 1
    assert "does not answer" in away.stderr


def test_healthcheck_gives_a_gateway_that_hangs_up(gateway: Gateway) -> None:
    gateway.pause()
    try:
        hung = command("healthcheck", "--url", gateway.url, "--timeout", "0.5")
    finally:
        gateway.resume()
    assert hung.returncode == 1
    assert "timed out" in hung.stderr


def test_status_once(gateway: Gateway) -> None:
    httpx.post(f"{gateway.url}/v1/search", json={"text": "mug"}, timeout=30).raise_for_status()
    shown = command("status", "--url", gateway.url, "--once")
    assert shown.returncode == 0, shown.stderr
    for words in ("ready", "785 products", "model v", "up to date", "lookups/s"):
        assert words in shown.stdout
    told = json.loads(command("status", "--url", gateway.url, "--once", "--json").stdout)
    assert told["status"]["aliases"][0]["snapshot"] == "demo"
    assert told["load"]["by_status"]["2xx"] > 0


def test_status_goes_on_in_a_terminal(gateway: Gateway) -> None:
    """Until it is interrupted; also while the gateway is away for a moment."""
    here, there = pty.openpty()
    # a shell makes what it runs in the background deaf to interrupts, and so what that runs
    hears = ("/usr/bin/env", "--default-signal=INT")
    words = [*hears, SAMESTYLE, "status", "--url", gateway.url, "--every", "0.2"]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    with subprocess.Popen(words, stdin=there, stdout=there, stderr=subprocess.PIPE, env=environment) as process:
        os.close(there)
        shown, until = b"", time.monotonic() + 30
        while b"last 0 s" not in shown and time.monotonic() < until:
            if select.select([here], [], [], 0.5)[0]:
                shown += os.read(here, 65_536)
        process.send_signal(signal.SIGINT)
        while select.select([here], [], [], 0.2)[0]:
            try:
                os.read(here, 65_536)
            except OSError:  # it has gone
                break
        assert process.stderr is not None
        said = process.stderr.read()
    os.close(here)
    assert b"last 0 s" in shown
    assert b"785 products" in shown
    assert process.returncode == 0
    assert said == b""


@pytest.mark.heavy
def test_status_behind_keys_and_an_admin_port(demo_data: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    (tmp_path / "engineer").write_text(create_key(keys, "engineer", ["admin"]))
    (tmp_path / "shop").write_text(create_key(keys, "shop", ["search"]))
    settings = {"KEYS_FILE": str(keys), "ADMIN_PORT": str(free_port()), "PROT": "8000"}
    with Gateway(copy_of(demo_data, tmp_path / "demo"), **settings) as gateway:
        environment = {f"SAMESTYLE_{name}": value for name, value in settings.items()}
        environment["SAMESTYLE_PORT"] = str(gateway.port)
        assert command("healthcheck", **environment).returncode == 0
        shown = command("status", "--once", "--key-file", str(tmp_path / "engineer"), **environment)
        assert shown.returncode == 0, shown.stderr
        refused = command("status", "--once", "--key-file", str(tmp_path / "shop"), **environment)
        assert refused.returncode == 1
        assert "needs a key with the role admin" in refused.stderr
        assert (
            "SAMESTYLE_PROT is no setting; did you mean SAMESTYLE_PORT?" in (gateway.folder / "server.log").read_text()
        )


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("samestyle sn", "snapshot"), ("samestyle config ", "check"), ("samestyle snapshot verify de", "demo")],
)
def test_a_shell_completes(demo_data: Path, typed: str, expected: str) -> None:
    words = typed.split(" ")
    completed = command(
        _SAMESTYLE_COMPLETE="complete_bash",
        COMP_WORDS=typed,
        COMP_CWORD=str(len(words) - 1),
        SAMESTYLE_DATA=str(demo_data),
    )
    assert expected in completed.stdout.split()
