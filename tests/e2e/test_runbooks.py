"""Every command in docs/runbooks/, as it is written there, against a gateway, its Prometheus and its Redis."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from service.keys import create_key
from tests.e2e.conftest import SAMESTYLE, Gateway, copy_of
from tests.e2e.test_monitoring import RULES, configuration, load
from tests.operations.test_rules import ROOT, blocks_of
from tests.servers.process import free_port
from tests.servers.prometheus import Prometheus, require_promtool
from tests.servers.valkey import Valkey
from tests.waiting import wait_until

pytestmark = pytest.mark.heavy

RUNBOOKS = sorted((ROOT / "docs/runbooks").glob("*.md"))
REDIS_CLI = """#!{python}
import sys, redis
_, _, url, *command = sys.argv
answer = redis.Redis.from_url(url).execute_command(*command)
print(*answer.items() if isinstance(answer, dict) else [answer], sep="\\n")
"""
"""What the blocks need of it: -u URL COMMAND... There is none beside the Valkey that tests bring."""


@pytest.fixture(scope="module")
def night(
    demo_data: Path, tmp_path_factory: pytest.TempPathFactory, valkey_server: Valkey
) -> Iterator[Mapping[str, str]]:
    """What docs/monitoring.md says a block takes, of a gateway behind keys that has something to do."""
    folder = tmp_path_factory.mktemp("night")
    keys, admin, data = folder / "keys.json", free_port(), copy_of(demo_data, folder / "data")
    key = create_key(keys, "engineer", ["search", "write", "admin"])
    (folder / "engineer.key").write_text(key)
    cli = folder / "redis-cli"
    cli.write_text(REDIS_CLI.format(python=sys.executable))
    cli.chmod(cli.stat().st_mode | stat.S_IXUSR)
    settings = {"KEYS_FILE": str(keys), "ADMIN_PORT": str(admin), "CACHE__REDIS_URL": valkey_server.url}
    places = [str(Path(SAMESTYLE).parent), str(Path(require_promtool()).parent), str(folder), os.environ["PATH"]]
    with (
        Gateway(data, **settings, LOG__SLOW_S="0.001") as gateway,
        Prometheus(configuration(folder, admin, (RULES / "rules").glob("*.yml"))) as prometheus,
        load(gateway.url, key),
    ):
        wait_until(lambda: bool(prometheus.query("samestyle:snapshot_age_seconds")), seconds=60)
        wait_until(lambda: bool(prometheus.query("samestyle:cache_hits:ratio_rate5m")), seconds=60)
        yield os.environ | {
            "PATH": os.pathsep.join(places),
            "COLUMNS": "200",
            "GATEWAY": gateway.url,
            "ADMIN": f"http://127.0.0.1:{admin}",
            "KEY_FILE": str(folder / "engineer.key"),
            "PROMETHEUS": prometheus.url,
            "REDIS_URL": valkey_server.url,
            "DATA": str(data),
            "LOG": str(gateway.folder / "server.log"),
            "SNAPSHOT": "demo",
        }


def typed(lines: str, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    # what grep looks for may not be in the log
    assert done.returncode == 0 or lines.startswith("grep "), (lines, done.stdout, done.stderr)
    assert not done.stderr.strip() or done.returncode == 0, (lines, done.stderr)
    return done.stdout


def test_what_is_looked_at_is_there(night: Mapping[str, str]) -> None:
    looks = {line for path in RUNBOOKS for changes, lines in blocks_of(path) if not changes for line in lines}
    assert len(looks) > 30
    for line in sorted(looks):
        shown = typed(line, night)
        assert shown.strip() or line.startswith("grep "), f"{line} shows nothing"


def test_the_log_is_where_it_is_looked_for(night: Mapping[str, str]) -> None:
    (line,) = (
        line for _, lines in blocks_of(ROOT / "docs/runbooks/queue-saturated.md") for line in lines if "grep" in line
    )
    assert "stages_ms" in typed(line, night)


def test_what_is_to_be_done_is_done(night: Mapping[str, str]) -> None:
    """One after the other: a new snapshot, and back from it."""
    blocks = {path.stem: "\n".join(lines) for path in RUNBOOKS for changes, lines in blocks_of(path) if changes}
    cut = blocks.pop("snapshot-stale")
    for number, back in enumerate(blocks.values()):
        typed(f"date() {{ echo cut-{number}; }}\n{cut}", night)
        until_served(f"cut-{number}", night)
        typed(back, night)
        until_served("demo", night)


def until_served(snapshot: str, night: Mapping[str, str]) -> None:
    def is_it() -> bool:
        return bool(httpx.get(f"{night['GATEWAY']}/readyz", timeout=30).json()["snapshot"] == snapshot)

    wait_until(is_it, seconds=60)
