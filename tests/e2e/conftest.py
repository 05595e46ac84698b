"""The real process, started as a person would start it, on the demo shop with the default model."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from catalogue import demo
from tests.servers.process import Server

SAMESTYLE = str(Path(sys.executable).parent / "samestyle")


class Gateway(Server):
    """`samestyle serve` on a data directory."""

    def __init__(self, data: Path, **environment: str) -> None:
        super().__init__()
        self._data = data
        self._environment = [f"SAMESTYLE_{name}={value}" for name, value in environment.items()]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        serve = [SAMESTYLE, "serve", "--data", str(self._data), "--port", str(self.port)]
        return ["/usr/bin/env", *self._environment, *serve]

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=30).status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture(scope="session")
def demo_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the demo shop, built by the command."""
    data = tmp_path_factory.mktemp("demo")
    command = [SAMESTYLE, "build", str(demo.CATALOGUE), "--data", str(data), "--name", "demo"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return data


@pytest.fixture
def own_demo(demo_data: Path, tmp_path: Path) -> Path:
    """The demo shop in a data directory of the test's own: a journal belongs to one gateway."""
    return copy_of(demo_data, tmp_path / "demo")


def copy_of(data: Path, to: Path) -> Path:
    """A data directory with the same snapshots and photos; they never change, so their files are linked."""
    ignored = shutil.ignore_patterns("journal*", "aliases*", "events")
    return Path(shutil.copytree(data, to, ignore=ignored, copy_function=os.link))


@pytest.fixture(scope="session")
def gateway(demo_data: Path) -> Iterator[Gateway]:
    with Gateway(demo_data) as server:
        yield server
