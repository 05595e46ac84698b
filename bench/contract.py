"""Requests made up from the API's own description, sent to the running service: `python -m bench.contract [CASES]`.

No answer may be a 500, and each must be one the description names, with a body as it says; what breaks the description
must be refused. Schemathesis makes the cases and judges the answers. Exits 1 on anything it finds, and prints that.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer

from service.keys import create_key

ROLES: Final = ("search", "write", "admin")
DATA: Final = Path("data/demo")
PORT: Final = 18_433
CASES: Final = 20_000
_EXAMPLES: Final = 100
"""Of an operation in one round, at most."""
_READY_S: Final = 60
_BIN: Final = Path(sys.executable).parent
_GENERATED: Final = re.compile(r"^\s*([\d,]+) generated", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """How many cases there were, in how many rounds, and Schemathesis' report where it found something."""

    cases: int
    rounds: int
    found: str | None = None


def check(url: str, key: str, cases: int, *, examples: int = _EXAMPLES) -> Outcome:
    """Rounds of cases against the service at `url`, each of a seed of its own, until there are enough.

    `key` has all roles; that nothing goes without it is checked too.
    """
    made = rounds = 0
    while made < cases:
        rounds += 1
        with tempfile.TemporaryDirectory() as folder:
            run = subprocess.run(
                [
                    _BIN / "schemathesis", "--config-file", Path(__file__).with_name("contract.toml").resolve(),
                    "--no-color", "run", f"{url}/openapi.json", "--max-examples", str(examples), "--seed", str(rounds),
                    "--generation-database", "none", "--continue-on-failure", "--header", f"Authorization:Bearer {key}",
                ],
                cwd=folder, capture_output=True, text=True, check=False,
            )  # fmt: skip
        count = _GENERATED.search(run.stdout)
        made += int(count.group(1).replace(",", "")) if count else 0
        if run.returncode != 0 or count is None:
            return Outcome(made, rounds, run.stdout + run.stderr)
    return Outcome(made, rounds)


def main(cases: Annotated[int, typer.Argument(min=1, help="At least so many.")] = CASES) -> None:
    """Run the cases on a copy of the demo shop and print what came of them."""
    subprocess.run([_BIN / "samestyle", "demo", "--once", "--data", DATA], check=True, capture_output=True)
    started = time.perf_counter()
    with _served() as (url, key):
        outcome = check(url, key, cases)
    print(
        f"{datetime.now(UTC):%Y-%m-%d}: {outcome.cases:,} cases made up from the API's description in {outcome.rounds} "
        f"rounds, {time.perf_counter() - started:.0f} s: {'all as described' if outcome.found is None else 'refuted'}"
    )
    if outcome.found is not None:
        print(outcome.found)
        sys.exit(1)


@contextmanager
def _served() -> Iterator[tuple[str, str]]:
    """The demo shop in a data directory that may be written to, and the key to it."""
    url = f"http://127.0.0.1:{PORT}"
    with tempfile.TemporaryDirectory() as folder:
        data = shutil.copytree(DATA, Path(folder) / "demo", ignore=shutil.ignore_patterns("journal*", "aliases*"))
        keys = Path(folder) / "keys.json"
        key = create_key(keys, "contract", ROLES)
        command: list[str | Path] = [_BIN / "samestyle", "serve", "--data", data, "--port", str(PORT)]
        environment = {**os.environ, "SAMESTYLE_KEYS_FILE": str(keys)}
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment) as server:
            try:
                _wait(url)
                yield url, key
            finally:
                server.terminate()


def _wait(url: str) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{url}/readyz", timeout=5).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"{url} is not ready after {_READY_S} s")


if __name__ == "__main__":
    typer.run(main)
