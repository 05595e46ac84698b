"""`samestyle bench index` as it is run, small and without the other libraries."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.index import speed
from service.cli import app
from tests.bench.test_index_data import fill


@pytest.fixture(autouse=True)
def without_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "package_version", lambda name: None)


def bench(work: Path, *options: str) -> str:
    ran = CliRunner().invoke(app, ["bench", "index", "--rows", "2000", "--work", str(work), "--rounds", "1", *options])
    assert ran.exit_code == 0, ran.output
    return ran.stdout


@pytest.mark.heavy
def test_everything_is_measured_and_what_is_missing_is_named(tmp_path: Path) -> None:
    fill(tmp_path)
    found = json.loads(bench(tmp_path, "--json"))
    own = found["speed"]["libraries"]["samestyle"]
    assert found["speed"]["missing"] == ["hnswlib", "usearch", "voyager", "scann"]
    assert own["rounds"]["1"][0]["recall"] >= 0.99
    assert own["rounds"]["2"][0]["qps"] > 0
    assert own["memory"]["theory"] > 64
    cases = found["filters"]["by_index"]["samestyle"]
    assert {(case["share"], case["lie"], case["predicates"]) for case in cases} == {
        (share, lie, predicates)
        for share in (0.0001, 0.001, 0.01, 0.1, 0.5)
        for lie in ("random", "correlated", "anti-correlated")
        for predicates in (1, 2, 3)
    }
    assert min(case["recall"] for case in cases) == 1  # so few are scanned
    assert all(case["mask"] <= case["p50"] <= case["p95"] for case in cases)
    assert min(case["first"] for case in cases) > 0
    printed = bench(tmp_path)
    for heading in ("Speed", "Bytes per product", "Filters, samestyle", "hnswlib: not installed"):
        assert heading in printed


def test_one_step_alone(tmp_path: Path) -> None:
    fill(tmp_path)
    found = json.loads(bench(tmp_path, "--json", "--only", "speed"))
    assert "filters" not in found


@pytest.mark.parametrize(
    ("options", "says"), [(("--only", "speeed"), "no step 'speeed'"), (("--peer", "annoy"), "no library 'annoy'")]
)
def test_what_there_is_not_is_refused(tmp_path: Path, options: tuple[str, str], says: str) -> None:
    ran = CliRunner().invoke(app, ["bench", "index", "--work", str(tmp_path), *options])
    assert ran.exit_code == 1
    assert says in ran.output
    assert not list(tmp_path.iterdir())
