import itertools
import socket

import pytest

from tests.servers.process import NotStartedError, Server, free_port, missing


class Shell(Server):
    """A server that is a shell script."""

    def __init__(self, script: str) -> None:
        super().__init__()
        self.script = script

    def command(self) -> list[str]:
        return ["/bin/sh", "-c", self.script]

    def answers(self) -> bool:
        return (self.folder / "ready").exists()


def test_a_server_that_ends_at_once_is_reported_with_its_log() -> None:
    server = Shell("echo out of paper; exit 3")
    with pytest.raises(NotStartedError, match="out of paper"), server:
        pass
    assert not server.folder.exists()


def test_a_taken_port_is_given_up_for_another() -> None:
    server = Shell("[ -e second ] && touch ready && exec sleep 60; touch second; echo address in use; exit 1")
    first = server.port
    with server:
        assert server.running
        assert server.port != first


def test_a_server_deaf_to_stop_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.servers.process._STOP_SECONDS", 0.2)
    with Shell("trap '' TERM; touch ready; while :; do sleep 0.1; done") as server:
        pass
    assert not server.running


@pytest.mark.parametrize("use", ["bound", "listening", "lingering"])
def test_a_port_in_use_is_not_called_free(monkeypatch: pytest.MonkeyPatch, use: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = taken.getsockname()
        if use != "bound":
            taken.listen()
        if use == "lingering":  # the side that closes first keeps the port for a minute
            with socket.create_connection(address), taken.accept()[0] as answering:
                answering.close()
            taken.close()
        ports = itertools.chain([address[1]], range(15_000, 32_000))
        monkeypatch.setattr("tests.servers.process.random.randint", lambda low, high: next(ports))
        assert free_port() != address[1]


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_a_missing_server_skips_here_and_fails_under_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="Valkey is missing: install it"):
        missing("Valkey", "install it")
