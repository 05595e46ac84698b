"""Mined in SQL is mined by hand."""

import json
import random
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.demo import CATALOGUE
from catalogue.demo.behaviour import Behaviour, read_shop, simulate, write
from catalogue.errors import InvalidInput
from models.pairs import SCHEMA, Options, mine, mining
from models.pairs.report import Report
from tests.models.pairs import brute
from tests.models.pairs.logs import OPEN, Row, event, mined, names, products, write_catalogue, write_log

WORDS = ("red", "mug", "clay", "28", "x", "bolt", "m6")
IDS = [f"p{number}" for number in range(8)]
ACTIONS = {"click": 1, "cart": 1, "purchase": 3}


def random_shop(draw: random.Random) -> list[Row]:
    categories = ["Home > Mugs", "Home > Mugs", "Home > Bolts", "Tools > Bolts", "Home", None]
    return [
        {
            "product_id": name,
            "title": " ".join(draw.choices(WORDS, k=draw.randrange(4))),
            "images": ["a.jpg"],
            "category": draw.choice(categories),
        }
        for name in IDS
    ]


def random_events(draw: random.Random) -> list[Row]:
    """A few users who come back, with and without session ids, some events in no order."""
    return [
        {
            "user": draw.choice(["u1", "u2", "u3", "u4", "u5", None]),
            "session": draw.choice([None, None, None, "s1", "s2"]),
            "query": draw.choice([None, "red mug", "mug", "clay bolt m6", "?!"]),
            "product": draw.choice([*IDS, *IDS, "unknown", None]),
            "time": draw.choice([None, *range(0, 6_000, 37), *range(0, 6_000, 600), *range(0, 6_000, 600)]),
            "action": draw.choice(["click", "click", "purchase", "impression"]),
        }
        for _ in range(draw.randrange(10, 120))
    ]


all_options = st.builds(
    Options,
    actions=st.just(ACTIONS),
    window=st.sampled_from(["session", "query"]),
    minutes=st.sampled_from([1, 5, 14, 1_000]),
    max_products=st.sampled_from([3, 5, 8]),
    category_level=st.sampled_from([None, 0, 0, 1]),
    min_title=st.sampled_from([0, 0, 0.1, 0.4]),
    min_query=st.sampled_from([0, 0, 0.3, 0.7]),
    min_weight=st.sampled_from([0, 0, 2, 3]),
    min_association=st.sampled_from([0, 0, 0.3, 0.6]),
    max_partners=st.sampled_from([0, 0, 1, 2, 3]),
    memory_bytes=st.just(500_000_000),
    threads=st.just(2),
)


@settings(max_examples=25, deadline=None)
@given(draw=st.randoms(use_true_random=True), options=all_options)
def test_the_same_as_by_hand(draw: random.Random, options: Options) -> None:
    shop, events = random_shop(draw), random_events(draw)
    expected = brute.mine(events, shop, options)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            pairs, report = mined(folder, events, shop, options)
        except InvalidInput:
            assert not expected.pairs or one_owner(events)
            assert not (folder / "pairs.parquet").exists()
            return
    assert [approximately(row) for row in pairs] == [approximately(row) for row in expected.pairs]
    assert report.candidates == expected.candidates
    assert report.windows.crowded == expected.crowded
    off = {"category": options.category_level == 0, "title": not options.min_title, "query": not options.min_query}
    assert not any(expected.removed[name] for name, is_off in off.items() if is_off)
    assert {step.name: step.removed for step in report.steps} == expected.removed
    assert {step.name: step.removed_alone for step in report.steps} == expected.alone


def one_owner(events: list[Row]) -> bool:
    """Whether all that counts is one user's, session's or query's."""
    counted = [row for row in events if row["product"] in IDS and row["action"] in ACTIONS]
    owners = {
        (row["user"], row["session"]) if row["session"] else row["user"] or (row["query"],)
        for row in counted
        if row["session"] or (row["user"] and row["time"] is not None) or (not row["user"] and row["query"])
    }
    return len(owners) < 2


def approximately(row: Row) -> Row:
    """Relevance is kept in float32."""
    rounded = {name: row[name] if row[name] is None else round(row[name], 4) for name in row if "relevance" in name}
    return row | rounded


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    """Simulated shoppers on the demo shop, and what is mined from them."""
    folder = tmp_path_factory.mktemp("demo")
    write(folder / "log.parquet", simulate(read_shop("all"), Behaviour(sessions=10_000)))
    report = mine(
        folder / "log.parquet", CATALOGUE, folder / "pairs.parquet", Options(memory_bytes=1_000_000_000, threads=3)
    )
    return folder, report


def test_on_the_demo_shop_pairs_are_far_more_often_one_style_than_what_merely_came_together(
    demo: tuple[Path, Report],
) -> None:
    _, report = demo
    before, after = report.candidates_precision, report.steps[-1].precision
    assert before is not None
    assert after is not None
    print(f"one style: {before.share:.3f} of {before.known:,}, mined {after.share:.3f} of {after.known:,}")
    assert before.share < 0.1
    assert after.share > 0.45
    assert after.interval[0] > 5 * before.interval[1]
    assert report.pairs > 400


def test_the_report_adds_up_and_lies_beside_the_pairs(demo: tuple[Path, Report]) -> None:
    folder, report = demo
    assert sorted(entry.name for entry in folder.iterdir()) == ["log.parquet", "pairs.json", "pairs.parquet"]
    assert json.loads((folder / "pairs.json").read_text()) == json.loads(json.dumps(asdict(report)))
    assert sum(report.rows.values()) == pq.read_metadata(folder / "log.parquet").num_rows
    left = report.candidates
    for step in report.steps:
        assert 0 <= step.removed <= step.removed_alone or step.name == "partners"
        left -= step.removed
        assert step.left == left
    pairs = pq.read_table(folder / "pairs.parquet")
    assert left == report.pairs == pairs.num_rows
    assert pairs.schema.equals(SCHEMA)
    assert report.products_in_pairs == len(set(pairs["trigger_id"].to_pylist()) | set(pairs["recall_id"].to_pylist()))


def test_what_the_report_says_of_styles_is_so(demo: tuple[Path, Report]) -> None:
    folder, report = demo
    style = {product.product_id: product.style_id for product in read_shop("all")}
    pairs = pq.read_table(folder / "pairs.parquet").to_pylist()
    same = sum(style[row["trigger_id"]] == style[row["recall_id"]] for row in pairs)
    last = report.steps[-1].precision
    assert last is not None
    assert (last.known, last.share) == (len(pairs), round(same / len(pairs), 4))
    assert last.interval[0] < last.share < last.interval[1]


def test_the_sample_shows_kept_pairs_and_each_constraint_s(demo: tuple[Path, Report]) -> None:
    folder, report = demo
    kept = {(row["trigger_id"], row["recall_id"]) for row in pq.read_table(folder / "pairs.parquet").to_pylist()}
    shown: dict[str | None, int] = {}
    for pair in report.sample:
        shown[pair.removed_by] = shown.get(pair.removed_by, 0) + 1
        assert ((pair.trigger_id, pair.recall_id) in kept) == (pair.removed_by is None)
        assert pair.trigger_title
    assert shown == {None: 5, "category": 5, "title": 5, "query": 5, "weight": 5, "association": 5}


def test_the_same_input_gives_the_same_bytes(demo: tuple[Path, Report], tmp_path: Path) -> None:
    """On fewer threads, with less memory, in whatever order the rows are."""
    folder, _ = demo
    table = pq.read_table(folder / "log.parquet")
    order = list(range(len(table)))
    random.Random(5).shuffle(order)
    pq.write_table(table.take(order), tmp_path / "log.parquet", row_group_size=50_000)
    options = Options(memory_bytes=500_000_000, threads=1)
    mine(tmp_path / "log.parquet", CATALOGUE, tmp_path / "pairs.parquet", options)
    for name in ("pairs.parquet", "pairs.json"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_another_seed_shows_another_sample(tmp_path: Path) -> None:
    events = [event(f"p{number}", f"u{user}") for user in range(2) for number in range(12)]
    shop = products(*(f"p{number}" for number in range(12)))
    samples = [mined(tmp_path, events, shop, seed=seed)[1].sample for seed in (0, 0, 1)]
    assert samples[0] == samples[1] != samples[2]


def test_row_groups_do_not_depend_on_how_the_rows_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mining, "_ROW_GROUP", 100)
    rows: list[Any] = [{name: str(n) for name in ("trigger_id", "recall_id")} | {"weight": n} for n in range(730)]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    for size in (7, 100, 250, 1_000):
        reader = pa.RecordBatchReader.from_batches(SCHEMA, table.to_batches(max_chunksize=size))
        groups = list(mining._row_groups(reader))
        assert [len(group) for group in groups] == [100] * 7 + [30]
        assert pa.concat_tables(groups).equals(table)


def test_either_product_is_the_trigger_about_as_often(demo: tuple[Path, Report]) -> None:
    folder, report = demo
    pairs = pq.read_table(folder / "pairs.parquet").to_pylist()
    first = sum(row["trigger_id"] < row["recall_id"] for row in pairs)
    assert 0.4 < first / report.pairs < 0.6
    assert len(names(pairs)) == report.pairs


def test_a_failed_run_leaves_the_old_pairs_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pairs.parquet").write_bytes(b"old")
    log = write_log(tmp_path, [event(name, user) for name in ("a", "b") for user in ("u1", "u2")])
    shop = write_catalogue(tmp_path, products("a", "b"))

    def full(_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(mining, "_row_groups", full)
    with pytest.raises(OSError, match="disk full"):
        mine(log, shop, tmp_path / "pairs.parquet", OPEN)
    assert (tmp_path / "pairs.parquet").read_bytes() == b"old"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["log.parquet", "pairs.parquet", "shop.jsonl"]
