"""`healthcheck`, `status` and `config check` where something is not as it should be: a line that helps, and no more."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from threading import Thread

import pytest
from rich.console import Console
from rich.table import Table
from typer.testing import CliRunner, Result

from catalogue.addresses import check_url
from catalogue.errors import ConfigurationError, NotReady
from service.cli import app, ops
from service.cli.common import PlainConsole
from service.status import Watched, read_key


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@contextmanager
def answering(status: int, body: str) -> Iterator[tuple[str, list[str]]]:
    """A server that answers everything so; its address, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


NOT_READY = json.dumps({"type": "x", "status": 503, "detail": "No snapshot can be served."})


@pytest.mark.parametrize(
    ("status", "body", "code", "said"),
    [
        (200, '{"status": "ready"}', 0, '{"status": "ready"}'),
        (503, NOT_READY, 1, "No snapshot can be served."),
        (200, "<html>Welcome to a proxy</html>", 1, "answers 200, but not as a samestyle gateway does."),
        (404, "<html>no</html>", 1, "answers 404, but not as a samestyle gateway does."),
        (200, '["ready"]', 1, "but not as a samestyle gateway does."),
    ],
)
def test_healthcheck_takes_no_other_server_for_a_gateway(status: int, body: str, code: int, said: str) -> None:
    with answering(status, body) as (url, asked):
        found = run("healthcheck", "--url", f"{url}/shop/")
    assert (found.exit_code, asked) == (code, ["/shop/readyz"])
    assert said in found.output
    assert "<html>" not in found.output


@pytest.mark.parametrize("command", ["healthcheck", "status"])
def test_the_admin_port_is_asked_where_there_is_one(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one may be full of strangers."""
    with answering(200, '{"status": "ready"}') as (url, asked):
        monkeypatch.setenv("SAMESTYLE_PORT", "1")
        monkeypatch.setenv("SAMESTYLE_ADMIN_PORT", url.rpartition(":")[2])
        run(command, *(["--once"] if command == "status" else []))
    assert asked == ["/readyz" if command == "healthcheck" else "/admin/v1/status"]


def test_healthcheck_speaks_tls_where_the_address_says_so() -> None:
    with answering(200, '{"status": "ready"}') as (url, _):
        found = run("healthcheck", "--url", url.replace("http:", "https:"))
    assert found.exit_code == 1
    assert "SSL" in found.output


WRONG = [
    "localhost:8000",
    "",
    "http://",
    "ftp://x",
    "http://[::1",
    "http://h:99999",
    "http://h:0",
    "http://a b",
    "http://h\n",
]


@pytest.mark.parametrize("command", ["healthcheck", "status"])
@pytest.mark.parametrize("url", WRONG[:2])
def test_an_address_that_is_none_is_named(command: str, url: str) -> None:
    found = run(command, "--url", url)
    assert found.exit_code == 1
    assert "is no address of a server; give one such as http://127.0.0.1:8000" in found.output


@pytest.mark.parametrize("url", WRONG)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ConfigurationError, match="is no address of a server"):
        check_url(url)
    check_url("https://[::1]:8000/shop")


@pytest.mark.parametrize(
    ("status", "key", "said"),
    [
        (401, None, "needs a key; give one with the role admin: --key-file FILE"),
        (401, "sms_a", "does not know this key; give one with the role admin"),
        (403, "sms_a", "needs a key with the role admin, which this one has not"),
        (404, "sms_a", "it is no samestyle, or answers that on its admin port (SAMESTYLE_ADMIN_PORT; --url)"),
    ],
)
def test_status_says_which_key_or_port_it_takes(status: int, key: str | None, said: str) -> None:
    with answering(status, "{}") as (url, _):
        watched = Watched(url, key)
        with pytest.raises(NotReady) as raised:
            watched.look()
        watched.close()
    assert said in str(raised.value)


@pytest.mark.parametrize("content", ["", "two words", "PASSWORD=hunter2\nTOKEN=abc", "hunter2é", "hunter2" * 50])
def test_what_a_key_file_holds_instead_is_not_shown(tmp_path: Path, content: str) -> None:
    (tmp_path / "env").write_text(content)
    with pytest.raises(ConfigurationError, match="must hold one API key and nothing else") as raised:
        read_key(tmp_path / "env")
    assert "hunter2" not in str(raised.value)


SPEAKING = """
import typer
from service.cli.common import told
try:
    with told():
        while True:
            print("x" * 10_000)
except typer.Exit as ended:
    raise SystemExit(ended.exit_code)
"""


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    with subprocess.Popen([sys.executable, "-c", SPEAKING], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 1


def test_no_title_gets_at_the_terminal() -> None:
    shown = StringIO()
    console = PlainConsole(file=shown, force_terminal=True, color_system="standard", width=80)
    table = Table("title")
    table.add_row("[bold]mug[/bold] \x1b]52;c;cm0=\x07\x9b31m, blue")
    console.print(table)
    console.print("error: \x1b[2J", markup=False, highlight=False)
    assert "\x1b[1mmug\x1b[0m ]52;c;cm0=31m, blue" in shown.getvalue()
    assert "error: [2J" in shown.getvalue()


def test_no_setting_is_cut_in_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = StringIO()
    monkeypatch.setattr(ops, "out", Console(file=shown, force_terminal=True, no_color=True, width=44))
    assert run("config", "check").exit_code == 0
    assert "…" not in shown.getvalue()
    assert "SAMESTYLE_CACHE__TOKENS_MEMORY_BYTES=" in shown.getvalue()
    assert max(map(len, re.sub(r"\x1b\[[0-9;]*m", "", shown.getvalue()).splitlines())) <= 44
