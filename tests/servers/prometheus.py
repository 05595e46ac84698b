"""A real Prometheus, Debian's. `python -m tests.servers.prometheus` prints which."""

import shutil
import sys
from pathlib import Path
from typing import Any, Final

import httpx

from tests.servers.process import Server, missing

_REMEDY: Final = "`make test` fetches Debian's, or apt-get install prometheus"


def find_prometheus(name: str = "prometheus") -> str | None:
    """Return the path of prometheus or promtool: the one beside our Python, or the system's."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name)


def require_promtool() -> str:
    """Return the path of promtool, or skip the test (under CI: fail it)."""
    return find_prometheus("promtool") or missing("promtool", _REMEDY)


class Prometheus(Server):
    """One Prometheus with a configuration of its own, which may name files beside it."""

    def __init__(self, configuration: Path) -> None:
        super().__init__()
        self._binary = find_prometheus() or missing("Prometheus", _REMEDY)
        self._configuration = configuration

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        options = {
            "config.file": self._configuration,
            "storage.tsdb.path": self.folder / "data",
            "web.listen-address": f"127.0.0.1:{self.port}",
        }
        return [self._binary, *(f"--{name}={value}" for name, value in options.items())]

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query, each with `metric` and `value`."""
        answer = httpx.post(f"{self.url}/api/v1/query", data={"query": expression}, timeout=30).json()
        assert answer["status"] == "success", (expression, answer)
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Every rule, with its health and last error."""
        groups = httpx.get(f"{self.url}/api/v1/rules", timeout=30).json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


if __name__ == "__main__":
    path = find_prometheus() if find_prometheus("promtool") else None
    print(path or "no Prometheus here")
    sys.exit(path is None)
