"""`samestyle pairs`, as a stranger types it."""

import inspect
import json
import sys
from dataclasses import fields
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from models.pairs import Options
from service.cli import app
from service.cli.pairs import mine

LOG = """user_id,product_id,timestamp,event
u1,mug-1,2026-01-05 10:00:00,click
u1,mug-2,2026-01-05 10:01:00,click
u1,bolt,2026-01-05 10:02:00,click
u2,mug-1,2026-01-05 11:00:00,click
u2,mug-2,2026-01-05 11:00:10,purchase
u2,bolt,2026-01-05 11:00:20,impression
"""
SHOP = """product_id,title,category,style_id
mug-1,Red mug 300 ml,Home > Mugs,s1
mug-2,RED MUG 300ML,Home > Mugs,s1
bolt,"Bolt [/red] M6",Tools > Bolts,s2
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "log.csv").write_text(LOG)
    (tmp_path / "shop.csv").write_text(SHOP)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["pairs", "mine", *words], env={"COLUMNS": "300"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, " ".join(result.stderr.split())


def test_pairs_and_their_report(folder: Path) -> None:
    code, said, _ = run("log.csv", "shop.csv", "--threads", "1", "--memory-gb", "0.5")
    assert code == 0
    assert pq.read_table("pairs.parquet").to_pylist() == [
        {
            "trigger_id": "mug-2",
            "recall_id": "mug-1",
            "weight": 2,
            "title_relevance": 1.0,
            "query_relevance": None,
            "category": "Home > Mugs",
        }
    ]
    for text in ("category: the whole path", "Bolt [/red] M6", "1 pairs of 2 products (of 3), in pairs.parquet"):
        assert text in said
    assert "user user_id, product product_id, time timestamp, action event" in said
    assert sorted(entry.name for entry in folder.iterdir()) == ["log.csv", "pairs.json", "pairs.parquet", "shop.csv"]


def test_json_is_the_report_beside_the_pairs(folder: Path) -> None:
    code, said, _ = run("log.csv", "shop.csv", "--out", "made/here.parquet", "--json")
    assert code == 0
    report = json.loads(said)
    assert report == json.loads((folder / "made" / "here.json").read_text())
    assert (report["candidates"], report["pairs"]) == (3, 1)
    assert report["steps"][0]["precision"]["share"] == 1.0


def test_options_reach_the_miner(folder: Path) -> None:
    (folder / "odd.csv").write_text(
        LOG.replace("user_id,product_id,timestamp,event", "a,b,c,d").replace("2026-01-05 ", "")
    )
    words = ("--user", "a", "--product", "b", "--time", "c", "--action-column", "d", "--time-format", "%H:%M:%S")
    off = (
        "--category-level",
        "0",
        "--min-title",
        "0",
        "--min-association",
        "0",
        "--min-weight",
        "1",
        "--max-partners",
        "0",
    )
    more = ("--action", "click", "--action", "Impression", "--action", "purchase=3", "--minutes", "5", "--sample", "0")
    code, said, _ = run("odd.csv", "shop.csv", *words, *off, *more)
    assert code == 0
    assert "mug" not in said
    weights = {
        frozenset((p["trigger_id"], p["recall_id"])): p["weight"] for p in pq.read_table("pairs.parquet").to_pylist()
    }
    assert weights == {frozenset(pair): 2 for pair in (("mug-1", "mug-2"), ("mug-1", "bolt"), ("mug-2", "bolt"))}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("none.csv", "shop.csv"), "none.csv: no such file or folder"),
        (("shop.csv", "log.csv"), "has no column for user, session or query"),
        (("log.csv", "shop.xls"), "unknown kind of catalogue"),
        (("log.csv", "shop.csv", "--out", "pairs.csv"), "give a name that ends in .parquet"),
        (("log.csv", "shop.csv", "--window", "week"), "--window 'week' is neither session nor query"),
        (("log.csv", "shop.csv", "--action", "=3"), "neither an action nor action=weight"),
        (("log.csv", "shop.csv", "--action", "click=lots"), "neither an action nor action=weight"),
        (("log.csv", "shop.csv", "--action", "click=0"), "neither an action nor action=weight"),
        (("log.csv", "shop.csv", "--action", f"click={'9' * 5_000}"), "neither an action nor action=weight"),
        (("log.csv", "shop.csv", "--action", "view"), "It has click, impression, purchase. Say which count"),
        (("log.csv", "shop.csv", "--time-format", "%Q"), "--time-format: cannot be read"),
        (("log.csv", "shop.csv", "--min-weight", "3"), "no pair is left of 3. Removed by category 2"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_1(folder: Path, words: tuple[str, ...], says: str) -> None:
    code, said, told = run(*words)
    assert (code, said) == (1, "")
    assert told.startswith("error: ")
    assert says in told
    assert sorted(entry.name for entry in folder.iterdir()) == ["log.csv", "shop.csv"]


@pytest.mark.usefixtures("folder")
def test_without_the_extra_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    code, _, told = run("log.csv", "shop.csv")
    assert code == 1
    assert "pip install 'samestyle[train]'" in told


def test_the_defaults_are_the_miner_s() -> None:
    given = inspect.signature(mine).parameters
    for field in fields(Options):
        if field.name in given and given[field.name].default is not None:
            assert given[field.name].default == getattr(Options(), field.name), field.name


def test_options_of_wrong_kinds_are_refused(folder: Path) -> None:
    for option, value in (("--minutes", "0"), ("--min-title", "2"), ("--max-products", "1"), ("--threads", "0")):
        code, _, told = run("log.csv", "shop.csv", option, value)
        assert (code, option in told) == (2, True)
    assert not (folder / "pairs.parquet").exists()
