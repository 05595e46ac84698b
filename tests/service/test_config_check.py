"""`samestyle config check`: every setting, and whatever is wrong, in one look."""

import json
import os
import sys
from pathlib import Path

import pytest

from catalogue.settings import Settings
from service.config_check import Report, check
from service.keys import create_key
from tests.catalogue.test_settings import names_and_defaults
from tests.service.cli.test_main import run


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.upper().startswith("SAMESTYLE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SAMESTYLE_DATA", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "300")


def problems(report: Report) -> list[str]:
    return [f"{row.variable}: {row.problem}" for row in report.settings if row.problem] + report.problems


def test_every_setting_is_explained(tmp_path: Path) -> None:
    report = check()
    assert report.is_fine
    rows = {row.variable: row for row in report.settings}
    secrets = ("JOURNAL", "CURSOR_SECRET", "CACHE__REDIS_URL", "EVENTS__SECRET")
    assert rows.keys() == names_and_defaults(Settings).keys() - {f"SAMESTYLE_{name}_FILE" for name in secrets}
    assert all(len(row.meaning) > 10 for row in rows.values())
    assert (rows["SAMESTYLE_DATA"].value, rows["SAMESTYLE_DATA"].source) == (str(tmp_path), "environment")
    assert (rows["SAMESTYLE_PORT"].value, rows["SAMESTYLE_PORT"].source) == ("8000", "default")


def test_secrets_are_masked_wherever_they_come_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("redis://:hush@cache:6379/0")
    monkeypatch.setenv("SAMESTYLE_JOURNAL", "postgresql://shop:hush@db/shop")
    monkeypatch.setenv("SAMESTYLE_CACHE__REDIS_URL_FILE", str(tmp_path / "secret"))
    rows = {row.variable: row for row in check().settings}
    assert (rows["SAMESTYLE_JOURNAL"].value, rows["SAMESTYLE_JOURNAL"].source) == ("********", "environment")
    assert (rows["SAMESTYLE_CACHE__REDIS_URL"].value, rows["SAMESTYLE_CACHE__REDIS_URL"].source) == ("********", "file")
    code, text = run("config", "check")
    assert code == 0
    assert "hush" not in text
    monkeypatch.setenv("SAMESTYLE_PORT", "many")  # and where something is wrong
    monkeypatch.setenv("SAMESTYLE_JOURNAL_TYPO", "hush")
    code, text = run("config", "check", "--json")
    assert code == 1
    assert "hush" not in text


def test_all_that_is_wrong_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMESTYLE_PORT", "tcp://10.0.0.1:8000")
    monkeypatch.setenv("SAMESTYLE_CACHE__TTL_S", "soon")
    monkeypatch.setenv("SAMESTYLE_CORS_ORIGINS", "https://a.example shop")
    monkeypatch.setenv("SAMESTYLE_PROT", "8000")
    found = problems(check())
    assert [name.partition(":")[0] for name in found[:-1]] == [
        "SAMESTYLE_PORT",
        "SAMESTYLE_CORS_ORIGINS",
        "SAMESTYLE_CACHE__TTL_S",
    ]
    assert found[-1] == "SAMESTYLE_PROT is no setting; did you mean SAMESTYLE_PORT?"
    code, text = run("config", "check")
    assert code == 1
    assert all(problem in text for problem in found)


def test_what_is_nothing_like_a_setting_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMESTYLE_WALLPAPER", "red")
    assert check().problems == ["SAMESTYLE_WALLPAPER is no setting; `samestyle config check` lists those there are."]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SAMESTYLE_CACHE__REDIS_ULR", "SAMESTYLE_CACHE__REDIS_URL"),
        ("SAMESTYLE_REDIS_URL", "SAMESTYLE_CACHE__REDIS_URL"),
        ("SAMESTYLE_CACHE_REDIS_URL", "SAMESTYLE_CACHE__REDIS_URL"),
        ("SAMESTLYE_HOST", "SAMESTYLE_HOST"),
        ("SAME_STYLE_PORT", "SAMESTYLE_PORT"),
        ("samestyle_prot", "SAMESTYLE_PORT"),
        ("SAMESTYLE_JOURNAL__FILE", "SAMESTYLE_JOURNAL_FILE"),
    ],
)
def test_a_typo_is_found_and_what_was_meant(monkeypatch: pytest.MonkeyPatch, name: str, meant: str) -> None:
    monkeypatch.setenv(name, "x")
    assert check().problems == [f"{name} is no setting; did you mean {meant}?"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAMESTYLE_SERVICE_HOST", "10.0.0.1"),  # Kubernetes
        ("SAMESTYLE_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("SAMESTYLE_ADMIN_SERVICE_PORT_METRICS", "9100"),
        ("SAMPLE_RATE", "5"),
        ("SAMESITE_COOKIE", "lax"),
        ("SAMESTYLE_BUNDLE", ""),
        ("samestyle_port", "9000"),
        ("SAMESTYLE_CACHE", '{"ttl_s": 5}'),
    ],
)
def test_what_is_no_typo(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert check().is_fine


def test_a_group_in_json_is_told_as_what_it_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMESTYLE_CACHE", '{"ttl_s": 5}')
    row = next(row for row in check().settings if row.variable == "SAMESTYLE_CACHE__TTL_S")
    assert (row.value, row.source) == ("5", "environment")
    monkeypatch.setenv("SAMESTYLE_CACHE", "no json")
    assert "cache" in check().problems[0]
    code, text = run("snapshot", "list")
    assert (code, "cache" in text) == (1, True)


SHARED_PORT = {"REUSE_PORT": "true", "JOURNAL": "postgresql://h/d", "CURSOR_SECRET": "hush", "ADMIN_PORT": "9100"}


def test_a_port_is_shared_where_all_it_takes_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SHARED_PORT.items():
        monkeypatch.setenv(f"SAMESTYLE_{name}", value)
    assert check().is_fine


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"HOST": "0.0.0.0"}, "needs API keys"),
        ({"ADMIN_PORT": "8000"}, "SAMESTYLE_ADMIN_PORT is SAMESTYLE_PORT"),
        ({"ADMIN_HOST": "::", "ADMIN_PORT": "9100"}, "SAMESTYLE_ADMIN_HOST=:: needs API keys"),
        ({"MAX_CONNECTIONS": "100000000"}, "SAMESTYLE_MAX_CONNECTIONS=100000000 needs 100000512 open files"),
        ({"DEVICE": "cuda"}, "SAMESTYLE_DEVICE: This ONNX Runtime cannot run on cuda. Install samestyle[gpu]"),
        ({"INDEX__DEVICE": "cuda"}, "SAMESTYLE_INDEX__DEVICE: This FAISS has no GPU support. Install the extra [gpu]"),
        ({"JOURNAL": "mysql://u:hush@h/d"}, "no address of a PostgreSQL"),
        ({"CACHE__REDIS_URL": "hush:6379"}, "no address of a Redis"),
        ({"KEYS_FILE": "/nowhere/keys.json"}, "SAMESTYLE_KEYS_FILE: The keys file /nowhere/keys.json cannot be read"),
        ({"BUNDLE": "/nowhere"}, "SAMESTYLE_BUNDLE: There is no model bundle at /nowhere"),
        ({"JOURNAL_FILE": "/nowhere"}, "SAMESTYLE_JOURNAL_FILE: /nowhere cannot be read"),
        ({"DATA": __file__}, "is a file, not a folder"),
        ({**SHARED_PORT, "JOURNAL": ""}, "SAMESTYLE_REUSE_PORT=true needs a journal that gateways share"),
        ({**SHARED_PORT, "CURSOR_SECRET": ""}, "SAMESTYLE_REUSE_PORT=true needs SAMESTYLE_CURSOR_SECRET"),
        ({**SHARED_PORT, "ADMIN_PORT": ""}, "SAMESTYLE_REUSE_PORT=true needs SAMESTYLE_ADMIN_PORT"),
    ],
)
def test_what_does_not_go_together_or_is_not_there(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], says: str
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"SAMESTYLE_{name}", value)
    found = check().problems
    assert len(found) == 1
    assert says in found[0]
    assert "hush" not in found[0]


def test_values_that_cannot_be_read_hide_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PORT": "many",
        "HOST": "0.0.0.0",
        "JOURNAL": "mysql://u:hush@h/d",
        "LOG__SLOW_S": "-1",
    }.items():
        monkeypatch.setenv(f"SAMESTYLE_{name}", value)
    report = check({"data": __file__})
    found = problems(report)
    assert [problem.partition(": ")[0] for problem in found[:2]] == ["SAMESTYLE_PORT", "SAMESTYLE_LOG__SLOW_S"]
    assert [word for problem in found[2:] for word in ("API keys", "PostgreSQL", "a folder") if word in problem] == [
        "API keys",
        "a folder",
        "PostgreSQL",
    ]
    assert {row.variable: row.value for row in report.settings}["SAMESTYLE_PORT"] == "many"
    assert not any("hush" in problem for problem in found)


def test_what_depends_on_a_value_that_cannot_be_read_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMESTYLE_PORT", "many")
    monkeypatch.setenv("SAMESTYLE_ADMIN_PORT", "8000")  # which is the default of what cannot be read
    assert [problem.partition(": ")[0] for problem in problems(check())] == ["SAMESTYLE_PORT"]


def test_traces_need_their_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMESTYLE_TRACING__ENDPOINT", "http://collector:4318")
    assert check().is_fine
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    (problem,) = check().problems
    assert problem.startswith("SAMESTYLE_TRACING__ENDPOINT is set, but OpenTelemetry is not installed")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("TRACING__ENDPOINT", "collector:4318", "is no address of a collector; give one such as http://collector:4318"),
        ("CORS_ORIGINS", "https://a.example shop", "shop is no origin; give one such as https://shop.example"),
    ],
)
def test_an_address_that_is_none_is_told_by_an_example(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(f"SAMESTYLE_{name}", value)
    (problem,) = problems(check())
    assert says in problem


def test_a_gateway_behind_keys_is_fine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    create_key(tmp_path / "keys.json", "shop", ["search"])
    monkeypatch.setenv("SAMESTYLE_HOST", "0.0.0.0")
    monkeypatch.setenv("SAMESTYLE_KEYS_FILE", str(tmp_path / "keys.json"))
    assert check().is_fine


def test_options_count(tmp_path: Path) -> None:
    code, text = run("config", "check", "--json", "--data", str(tmp_path / "new"), "--bundle", "/nowhere")
    found = json.loads(text.splitlines()[0])
    assert (code, found["fine"]) == (1, False)
    values = {row["variable"]: row["value"] for row in found["settings"]}
    assert values["SAMESTYLE_DATA"] == str(tmp_path / "new")
    assert [problem.partition(":")[0] for problem in found["problems"]] == ["SAMESTYLE_BUNDLE"]
