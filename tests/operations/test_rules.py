"""Alert rules: Prometheus takes them, each fires when it must and not when it must not, each has a runbook."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from service.cli import app
from tests.servers.prometheus import require_promtool

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docker/prometheus"
RULES = sorted((FOLDER / "rules").glob("*.yml"))
TESTS = sorted((FOLDER / "tests").glob("*.yml"))
SECTIONS = ["## What it means", "## How to see", "## What to do"]


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def alerts() -> dict[str, dict[str, Any]]:
    rules = [rule for path in RULES for group in loaded(path)["groups"] for rule in group["rules"]]
    return {rule["alert"]: rule for rule in rules if "alert" in rule}


def promtool(*arguments: str | Path) -> str:
    command = [require_promtool(), *map(str, arguments)]
    done = subprocess.run(command, cwd=FOLDER / "tests", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_takes_configuration_and_rules() -> None:
    said = promtool("check", "config", FOLDER / "prometheus.yml")
    assert f"{len(RULES)} rule files found" in said
    assert "duplicate" not in promtool("check", "rules", *RULES)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_must_and_only_then(path: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", path.name)


def test_every_alert_is_tested_both_ways() -> None:
    cases = [case for path in TESTS for case in loaded(path)["tests"]]
    tried = {
        (trial["alertname"], bool(trial["exp_alerts"])) for case in cases for trial in case.get("alert_rule_test", ())
    }
    assert tried == {(name, fires) for name in alerts() for fires in (True, False)}


def test_every_alert_has_a_runbook_that_names_it_and_is_linked() -> None:
    runbooks = set()
    for name, rule in alerts().items():
        assert rule["labels"]["severity"] in {"page", "ticket"}, name
        runbook = ROOT / rule["annotations"]["runbook"]
        text = runbook.read_text()
        assert f"`{name}`" in text, runbook
        assert [line for line in text.splitlines() if line.startswith("## ")] == SECTIONS, runbook
        runbooks.add(runbook)
    assert runbooks == set((ROOT / "docs/runbooks").glob("*.md"))
    monitoring = (ROOT / "docs/monitoring.md").read_text()
    for name, rule in alerts().items():
        assert f"[`{name}`]({rule['annotations']['runbook'].removeprefix('docs/')})" in monitoring


def test_all_that_is_named_in_runbooks_is_there() -> None:
    known = (ROOT / "service/metrics.py").read_text() + "process_cpu_seconds_total"
    settings = (ROOT / ".env.example").read_text()
    for path in (ROOT / "docs/runbooks").glob("*.md"):
        text = path.read_text()
        for metric in re.findall(r"\bsamestyle_[a-z_]+\b", text):
            assert re.sub("_(count|sum|bucket)$", "", metric) in known, (path.name, metric)
        for setting in re.findall(r"\bSAMESTYLE_[A-Z_]+\b", text):
            assert setting in settings, (path.name, setting)


def commands_in(text: str) -> set[str]:
    """What is to be typed: in backticks, and in blocks, where lines may hold several."""
    prose, blocks = (
        re.sub(r"```.*?```", "", text, flags=re.DOTALL),
        re.findall(r"```sh[ a-z]*\n(.*?)```", text, re.DOTALL),
    )
    quoted = [" ".join(each.split()) for each in re.findall(r"`(samestyle [^`]+)`", prose)]
    lines = [part.strip() for block in blocks for line in block.splitlines() for part in line.split("&&")]
    return {*quoted, *(line.partition(" # ")[0] for line in lines if line.startswith("samestyle "))}


def blocks_of(path: Path) -> list[tuple[bool, list[str]]]:
    """The blocks of commands of a runbook: whether it changes something, and its lines."""
    found = re.findall(r"^ *```sh( changes)?\n(.*?)^ *```$", path.read_text(), re.DOTALL | re.MULTILINE)
    return [(bool(changes), [line.strip() for line in block.splitlines()]) for changes, block in found]


def test_runbooks_show_how_to_see_and_change_nothing_there() -> None:
    for path in (ROOT / "docs/runbooks").glob("*.md"):
        see = path.read_text().partition(SECTIONS[1])[2].partition(SECTIONS[2])[0]
        assert see.startswith("\n\n```sh\n"), path.name
        assert "```sh changes" not in see, path.name
        for changes, lines in blocks_of(path):
            assert changes == any(re.search(r"samestyle (build|snapshot (activate|rollback))", line) for line in lines)


def test_what_blocks_of_runbooks_take_is_explained() -> None:
    explained = set(re.findall(r"\b([A-Z_]+)=", (ROOT / "docs/monitoring.md").read_text().partition("## Alerts")[2]))
    for path in (ROOT / "docs/runbooks").glob("*.md"):
        for _, lines in blocks_of(path):
            assert set(re.findall(r"\$([A-Z_]+)", "\n".join(lines))) <= explained, path.name


def test_every_command_of_runbooks_and_operations_is_one_with_these_options() -> None:
    texts = [path.read_text() for path in (ROOT / "docs/runbooks").glob("*.md")]
    texts += [(ROOT / f"docs/{name}.md").read_text() for name in ("operations", "backup", "reliability")]
    typed = {command for text in texts for command in commands_in(text)}
    assert len(typed) > 15
    for command in typed:
        known: Any = typer.main.get_command(app)  # of a Click that Typer brings along
        for word in shlex.split(command)[1:]:
            if hasattr(known, "commands") and not word.startswith("-"):
                assert word in known.commands, command
                known = known.commands[word]
            elif word.startswith("--"):
                assert word in {option for each in known.params for option in each.opts}, command
