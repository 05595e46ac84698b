"""What crashes are told by: a small shop, clients that know what was acknowledged to them, a disk that can be full."""

import base64
import errno
import json
import os
import random
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from catalogue import demo
from index.checksums import verify
from index.manifest import list_snapshots
from models import Encoders
from service.build import build
from service.models import DEFAULT_BUNDLE
from tests.e2e.conftest import Gateway
from tests.servers.process import missing
from tests.waiting import wait_until

PHOTO: bytes = min((demo.CATALOGUE.parent / "photos").iterdir(), key=lambda path: path.stat().st_size).read_bytes()


def write_catalogue(path: Path, rows: int) -> Path:
    """The first listings of the demo shop; every tenth keeps its photo, the others are words alone."""
    listings = [json.loads(line) for line in demo.CATALOGUE.read_text().splitlines()[:rows]]
    for number, listing in enumerate(listings):
        photo = str(demo.CATALOGUE.parent / listing["images"][0])
        listing["images"] = [] if number % 10 else [photo]
    path.write_text("".join(json.dumps(listing) + "\n" for listing in listings))
    return path


def build_shop(folder: Path) -> Path:
    """A data directory with the snapshots `one` of 40 products and `two` of 30, the newer."""
    embedder = Encoders.load(DEFAULT_BUNDLE)
    for name, rows in (("one", 40), ("two", 30)):
        build(write_catalogue(folder / f"{name}.jsonl", rows), folder / "data", name, embedder, decode_threads=1)
    return folder / "data"


def check_snapshots(data: Path) -> list[str]:
    """The names of all snapshots there are, every byte of them checked."""
    manifests, refused = list_snapshots(data / "snapshots")
    assert refused == []
    for manifest in manifests:
        verify(data / "snapshots" / manifest.name)
    return sorted(manifest.name for manifest in manifests)


class Client:
    """Writes its own products and knows of each what was acknowledged last, and what was asked for since.

    A product's title tells its version; None stands for one that is not there.
    """

    def __init__(self, url: str, name: str, seed: int) -> None:
        self._name = name
        self._chance = random.Random(seed)
        self._http = httpx.Client(base_url=url, timeout=30)
        self._versions = 0
        self.acknowledged: dict[str, str | None] = {f"{name}-{n}": None for n in range(6)}
        self.pending: dict[str, list[str | None]] = {product_id: [] for product_id in self.acknowledged}
        self.writes = 0
        self.odd: list[str] = []
        """Answers that are no acknowledgement."""

    def run(self) -> None:
        """Write until the gateway is gone."""
        try:
            while True:
                self._chance.choice([self._put, self._put, self._delete, self._bulk])()
        except httpx.TransportError:
            self._http.close()

    def _put(self) -> None:
        product_id, title = self._chance.choice(list(self.acknowledged)), self._next()
        body: dict[str, Any] = {"title": title, "supplier_id": self._name}
        if self._chance.random() < 0.1:
            body["image"] = base64.b64encode(PHOTO).decode()
        self._ask([(product_id, title)], lambda: self._http.put(f"/v1/products/{product_id}", json=body))

    def _delete(self) -> None:
        product_id = self._chance.choice(list(self.acknowledged))
        self._ask([(product_id, None)], lambda: self._http.delete(f"/v1/products/{product_id}"))

    def _bulk(self) -> None:
        """More lines than are written together, some of one product."""
        changes = [
            (self._chance.choice(list(self.acknowledged)), None if self._chance.random() < 0.3 else self._next())
            for _ in range(12)
        ]
        lines = [
            {"product_id": product_id, "delete": True}
            if title is None
            else {"product_id": product_id, "title": title, "supplier_id": self._name}
            for product_id, title in changes
        ]
        body = "".join(json.dumps(line) + "\n" for line in lines)
        headers = {"content-type": "application/x-ndjson"}
        self._ask(changes, lambda: self._http.post("/v1/products/bulk", content=body, headers=headers))

    def _ask(self, changes: list[tuple[str, str | None]], send: Callable[[], httpx.Response]) -> None:
        for product_id, title in changes:
            self.pending[product_id].append(title)
        answer = send()
        if answer.status_code not in {200, 204} or '"status":' in answer.text:
            self.odd.append(answer.text)
            return
        for product_id, title in changes:
            self.acknowledged[product_id] = title
            self.pending[product_id] = []
        self.writes += len(changes)

    def _next(self) -> str:
        self._versions += 1
        return f"{self._chance.choice(['red', 'blue'])} mug of {self._name} version {self._versions}"


def write_until_killed(gateway: Gateway, seconds: float, seed: int, threads: int = 4) -> list[Client]:
    """Let clients write side by side, and kill the gateway amid that: so long after their twentieth write."""
    clients = [Client(gateway.url, f"client{seed}x{number}", seed * 100 + number) for number in range(threads)]
    running = [threading.Thread(target=client.run) for client in clients]
    for thread in running:
        thread.start()
    wait_until(lambda: sum(client.writes for client in clients) > 20)  # however slow the machine
    threading.Event().wait(seconds)
    gateway.kill()
    for thread in running:
        thread.join()
    return clients


def check_acknowledged(gateway: Gateway, clients: list[Client]) -> int:
    """Every product is as it was acknowledged last, or as it was asked to be since; returns how many there are."""
    there = 0
    with httpx.Client(base_url=gateway.url, timeout=30) as http:
        for client in clients:
            assert client.odd == []
            for product_id, acknowledged in client.acknowledged.items():
                answer = http.get(f"/v1/products/{product_id}")
                title = answer.json()["title"] if answer.status_code == 200 else None
                assert answer.status_code in {200, 404}
                assert title in [acknowledged, *client.pending[product_id]], product_id
                there += title is not None
                if title is not None and (photo := answer.json()["image_url"]) is not None:
                    assert http.get(photo).status_code == 200, product_id
    return there


class SmallDisk(Gateway):
    """A gateway with a disk of its own at `mount`, that nobody else sees and that begins as a copy of `source`.

    It holds all data, or a part of what is in `data`.
    """

    def __init__(
        self, source: Path, mount: Path, megabytes: int, *, data: Path | None = None, **environment: str
    ) -> None:
        super().__init__(data or mount, INDEX__WATCH_S="0.1", **environment)
        self.mount = mount
        self._script = f'mount -t tmpfs -o size={megabytes}m none "$1" && cp -a "$0/." "$1" && shift && exec "$@"'
        self._source = source

    def command(self) -> list[str]:
        return [*apart(), "sh", "-c", self._script, str(self._source), str(self.mount), *super().command()]

    @property
    def data(self) -> Path:
        """What is on the disk, as the gateway sees it."""
        return Path(f"/proc/{self.pid}/root") / self.mount.relative_to("/")

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """A command beside it, that sees the same disk."""
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        enter = ["nsenter", "--target", str(self.pid), "--mount", *user]
        return subprocess.run([*enter, *command], capture_output=True, text=True, timeout=120, check=False)

    def fill(self) -> Path:
        """Take all the room there is; removing the file gives it back."""
        filler = self.data / "filler"
        with filler.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError as error:
                    assert error.errno == errno.ENOSPC  # noqa: PT017
        return filler


def apart() -> list[str]:
    """What starts a process with mounts of its own."""
    return ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]


def require_small_disks() -> None:
    """Skip where a process may not have mounts of its own; fail under CI."""
    tried = shutil.which("unshare") and shutil.which("nsenter")
    probe = [*apart(), "mount", "-t", "tmpfs", "none", "/mnt"]
    if not tried or subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        missing("a mount namespace", "allow unshare (root, or unprivileged user namespaces)")


class Appearance:
    """A file that is not there yet; `wait` returns when it is, or when nothing more goes on."""

    def __init__(self, folder: Path, pattern: str) -> None:
        self._folder = folder
        self._pattern = pattern
        self._before = set(folder.glob(pattern))

    def wait(self, going_on: Callable[[], bool]) -> bool:
        """Whether it came."""
        while going_on():
            if any(path not in self._before for path in self._folder.glob(self._pattern)):
                return True
        return False
