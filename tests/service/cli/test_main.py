"""The command line, as a stranger types it."""

import errno
import json
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from catalogue.errors import ConfigurationError
from catalogue.settings import Settings
from service.cli import app
from service.server import bind
from service.server import run as serve


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, words)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_help_names_the_commands() -> None:
    code, text = run("--help")
    assert code == 0
    for command in ("build", "serve", "demo", "snapshot"):
        assert command in text


def test_lists_and_verifies_snapshots(shop: Settings) -> None:
    code, text = run("snapshot", "list", "--data", str(shop.data), "--json")
    assert code == 0
    assert [item["name"] for item in json.loads(text)] == ["shop-1"]
    code, text = run("snapshot", "list", "--data", str(shop.data))
    assert "shop-1" in text
    code, text = run("snapshot", "verify", "shop-1", "--data", str(shop.data))
    assert (code, "36 products" in text) == (0, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("build", "nowhere.jsonl", "--name", "s"), "no such file"),
        (("build", "catalogue.xls", "--name", "s"), "unknown kind"),
        (("build", "nowhere.jsonl", "--name", "../s"), "cannot name a snapshot"),
        (("snapshot", "verify", "nothing"), "none of this name"),
        (("build", "shop.jsonl", "--name", "s", "--recall", "2"), "recall of 2 cannot be had"),
        (
            ("build", "shop.jsonl", "--name", "s", "--index-type", "annoy"),
            "There is no index type 'annoy'; there are flat",
        ),
        (("build", "shop.jsonl", "--name", "s", "--index-parameter", "m=8"), "Give --index-type"),
        (
            ("build", "shop.jsonl", "--name", "s", "--index-type", "hnsw", "--index-parameter", "m=many"),
            "'m=many' is not name=value with a whole number",
        ),
        (
            ("build", "shop.jsonl", "--name", "s", "--index-type", "hnsw", "--index-parameter", "nprobe=3"),
            "hnsw has no parameter 'nprobe'; it has m",
        ),
        (("snapshot", "verify", "../../etc"), "cannot name a snapshot"),
        (("build", "shop.jsonl", "--name", "s", "--bundle", "/nowhere"), "There is no model bundle at /nowhere"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], says: str
) -> None:
    monkeypatch.setenv("SAMESTYLE_DATA", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.jsonl").write_text('{"product_id": "a", "title": "mug"}')
    code, text = run(*words)
    assert code == 1
    assert says in " ".join(text.split())
    assert "Traceback" not in text


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMESTYLE_CACHE__TTL_S", "soon")
    code, text = run("snapshot", "list")
    assert code == 1
    assert "SAMESTYLE_CACHE__TTL_S" in text


def test_what_looks_like_markup_is_printed_as_it_is(tmp_path: Path) -> None:
    code, text = run("build", "[/red][bold].xls", "--name", "s", "--data", str(tmp_path))
    assert code == 1
    assert "[/red][bold].xls" in text


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "shop.jsonl").write_text('{"product_id": "a", "title": "mug"}')
    (tmp_path / "data").write_text("a file where the data directory should be")
    code, text = run("build", str(tmp_path / "shop.jsonl"), "--name", "s", "--data", str(tmp_path / "data"))
    assert code == 1
    assert "Traceback" not in text
    assert "directory" in text


class TestBind:
    def test_a_second_start_on_the_same_port_says_so(self) -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as taken,
            pytest.raises(ConfigurationError, match="another server"),
        ):
            bind("127.0.0.1", taken.getsockname()[1])

    @pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.org", "::"])
    def test_only_loopback_is_bound(self, host: str) -> None:
        with pytest.raises(ConfigurationError, match="loopback"):
            bind(host, 0)

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    def test_loopback(self, host: str) -> None:
        bind(host, 0).close()

    def test_a_shared_port_is_listened_on_by_who_is_ready_only(self) -> None:
        with bind("127.0.0.1", 0, shared=True) as ready:
            address = ready.getsockname()
            with bind("127.0.0.1", address[1], shared=True), socket.socket() as early:
                assert early.connect_ex(address) == errno.ECONNREFUSED
                ready.listen()
                for _ in range(20):
                    socket.create_connection(address, timeout=5).close()
                    ready.accept()[0].close()
            with pytest.raises(ConfigurationError, match=r"another server running there\? Choose"):
                bind("127.0.0.1", address[1])
        with bind("127.0.0.1", 0) as alone, pytest.raises(ConfigurationError, match="SAMESTYLE_REUSE_PORT=true"):
            bind("127.0.0.1", alone.getsockname()[1], shared=True)

    def test_a_port_that_is_to_be_shared_is_not_without_what_that_takes(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="SAMESTYLE_JOURNAL"):
            serve(Settings(data=tmp_path, reuse_port=True))
