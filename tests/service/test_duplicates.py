"""Duplicate listings: one supplier's page, and all of them as a table, a file and a command."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from catalogue.errors import InvalidInput, NotFound, SnapshotInvalid
from catalogue.variants import Described, contradict
from index import Change, Filters, LiveIndex, LiveView, ProductTable, Snapshot
from index.aliases import activate
from index.groups import JOIN_K
from index.live_styles import style_names
from models import ProductInput, StandInEncoders
from service import duplicates
from service.build import build
from service.cli import app
from service.duplicates import KINDS, duplicate_table, find_snapshot
from service.routes import suppliers
from service.routes.suppliers import supplier_duplicates
from tests.index.builders import item
from tests.index.test_live_view import in_order

COLUMNS = ["style_group", "product_id", "supplier_id", "title", "price", "currency", "score", "group_size"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """acme lists mugs three times and bolts twice, kestrel mugs once, orion nothing twice; M8 is no M6."""
    rows: list[dict[str, Any]] = [
        {"product_id": f"mug-{n}", "title": "red mug of glazed clay", "supplier_id": "acme", "price": 5 + n}
        for n in range(3)
    ]
    rows += [
        {"product_id": "mug-k", "title": "red mug of glazed clay", "supplier_id": "kestrel", "price": 4.5},
        {"product_id": "mug-0b", "title": '=SUM(1) "lamp", on a\ntripod', "supplier_id": "orion", "currency": "EUR"},
        {"product_id": "mug-x", "title": '=SUM(1) "lamp", on a\ntripod'},
    ]
    rows += [
        {"product_id": f"bolt-{n}", "title": "hex bolt", "supplier_id": "acme", "attributes": {"thread": thread}}
        for n, thread in enumerate(["M6", "M6", "M8"])
    ]
    folder = tmp_path_factory.mktemp("duplicates")
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    build(folder / "rows.jsonl", folder / "data", "s", StandInEncoders(), decode_threads=1)
    return folder / "data"


@pytest.fixture(scope="module")
def snapshot(data: Path) -> Path:
    return find_snapshot(data, None)


@pytest.fixture(scope="module")
def products(snapshot: Path) -> ProductTable:
    return ProductTable.read(snapshot / "products.parquet")


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["duplicates", *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def view(snapshot: Path) -> LiveView:
    return LiveIndex(Snapshot.open(snapshot, fingerprint=StandInEncoders().fingerprint)).view


def members(view: LiveView, supplier: str, start: int = 0, limit: int = 10) -> list[list[str]]:
    groups, _ = supplier_duplicates(view, supplier, start, limit)
    return [[listing.product_id for listing in group.listings] for group in groups]


# One supplier's page.


def test_a_supplier_sees_what_it_lists_more_than_once(view: LiveView) -> None:
    assert members(view, "acme") == [["mug-0", "mug-1", "mug-2"], ["bolt-0", "bolt-1"]]
    (mugs, bolts), _ = supplier_duplicates(view, "acme", 0, 10)
    assert (mugs.style_group, mugs.size, bolts.style_group) == ("mug-0", 3, "bolt-0")
    assert [listing.score for listing in mugs.listings] == [1.0] * 3
    for supplier in ("kestrel", "orion", "nobody"):
        assert supplier_duplicates(view, supplier, 0, 10) == ([], 0)


def test_pages(view: LiveView) -> None:
    assert members(view, "acme", 1, 1) == [["bolt-0", "bolt-1"]]
    assert members(view, "acme", 2, 1) == []
    assert supplier_duplicates(view, "acme", 2, 1) == ([], 2)


def test_a_group_without_end_is_cut(view: LiveView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suppliers, "MAX_LISTINGS", 2)
    (mugs,), _ = supplier_duplicates(view, "acme", 0, 1)
    assert (mugs.size, len(mugs.listings)) == (3, 2)


def test_what_came_since_joins_by_its_gtin(tmp_path: Path) -> None:
    """The mugs are 0.75 like each other: too little without one number."""
    attributes = {"EAN": "4006381333931"}
    rows = [
        {"product_id": "old", "title": "red mug glazed clay", "supplier_id": "acme", "attributes": attributes},
        {"product_id": "alone", "title": "lamp on a tripod", "supplier_id": "acme"},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    embedder = StandInEncoders()
    embedder.product_text = lambda product: product.title  # type: ignore[method-assign]
    report = build(tmp_path / "rows.jsonl", tmp_path / "data", "s", embedder, decode_threads=1)
    live = LiveIndex(Snapshot.open(report.snapshot, fingerprint=embedder.fingerprint))
    came = {
        "new": ("red mug glazed stone", attributes),
        "none": ("red mug glazed sand", {}),
        "lamp-1": ("oak lamp on wheels", {"UPC": "036000291452"}),
        "lamp-2": ("oak lamp on rails", {"ean": "36000291452"}),
        "lamp-3": ("oak lamp on feet", {}),
        "sofa-1": ("grey sofa wide deep soft low long plush broad legs", {}),
        "sofa-2": ("grey sofa wide deep soft low long hard narrow feet", {"EAN": "9783161484100"}),
        "sofa-3": ("grey sofa wide deep soft low long plush broad feet", {"ISBN": "9783161484100"}),
    }
    live.apply(
        in_order(
            [
                Change(
                    product_id,
                    item(product_id, title=title, supplier_id="acme", attributes=said),
                    {embedder.fingerprint: {"fusion": embedder.embed([ProductInput(text=title)])[0]}},
                )
                for product_id, (title, said) in came.items()
            ]
        )
    )
    view = live.view
    assert members(view, "acme") == [["lamp-1", "lamp-2"], ["old", "new"], ["sofa-2", "sofa-3"]]  # 1 is more like 3


# All of them.


def test_every_listing_of_every_group(snapshot: Path) -> None:
    found = duplicate_table(snapshot, supplier=None, filters=Filters())
    assert found.column_names == COLUMNS
    assert found["product_id"].to_pylist() == [
        "mug-0",
        "mug-1",
        "mug-2",
        "mug-k",
        "bolt-0",
        "bolt-1",
        "mug-0b",
        "mug-x",
    ]
    assert found["group_size"].to_pylist() == [4] * 4 + [2] * 4
    assert found["price"].to_pylist()[:5] == [5.0, 6.0, 7.0, 4.5, None]
    assert found["supplier_id"].to_pylist()[-2:] == ["orion", ""]


def test_only_what_passes_counts(snapshot: Path) -> None:
    found = duplicate_table(snapshot, supplier="acme", filters=Filters.parse("price>=6"))
    assert found["product_id"].to_pylist() == ["mug-1", "mug-2"]
    assert found["style_group"].to_pylist() == ["mug-0", "mug-0"]
    assert len(duplicate_table(snapshot, supplier=None, filters=Filters.parse("price>=7"))) == 0
    with pytest.raises(NotFound, match="no products of supplier 'nobody'"):
        duplicate_table(snapshot, supplier="nobody", filters=Filters())


def test_files_say_what_the_table_says(snapshot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "_BATCH", 3)
    for supplier in (None, "kestrel"):  # and one without any
        found = duplicate_table(snapshot, supplier=supplier, filters=Filters())
        rows = found.to_pylist()
        assert orjson.loads(KINDS[".json"](found)) == rows
        assert pq.read_table(io.BytesIO(KINDS[".parquet"](found))).to_pylist() == rows
        lines = list(csv.DictReader(io.StringIO(KINDS[".csv"](found).decode(), newline="")))
        assert [line["title"] for line in lines] == [row["title"] for row in rows]
        assert [float(line["price"]) if line["price"] else None for line in lines] == [row["price"] for row in rows]


# Which snapshot.


def test_the_live_snapshot_or_the_newest_that_is_whole(data: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        build(data.parent / "rows.jsonl", tmp_path, name, StandInEncoders(), decode_threads=1)
    root = tmp_path / "snapshots"
    assert find_snapshot(tmp_path, None) == root / "second"
    assert find_snapshot(tmp_path, "first") == root / "first"
    activate(tmp_path, "live", "first")
    assert find_snapshot(tmp_path, None) == root / "first"
    (tmp_path / "aliases.json").unlink()
    (root / "second" / "products.parquet").write_bytes(b"")
    assert find_snapshot(tmp_path, None) == root / "first"
    with pytest.raises(SnapshotInvalid, match="0 bytes"):
        find_snapshot(tmp_path, "second")
    (root / "first" / "manifest.json").unlink()
    with pytest.raises(NotFound, match=r"There is no snapshot in .*0 bytes"):
        find_snapshot(tmp_path, None)
    with pytest.raises(NotFound, match="samestyle build"):
        find_snapshot(tmp_path / "nowhere", None)


def test_damage_of_the_same_size_is_said_to_be_damage(data: Path, tmp_path: Path) -> None:
    build(data.parent / "rows.jsonl", tmp_path, "s", StandInEncoders(), decode_threads=1)
    path = find_snapshot(tmp_path, "s")
    file = path / "products.parquet"
    file.write_bytes(bytes(file.stat().st_size))
    with pytest.raises(SnapshotInvalid, match=r"snapshot s: products\.parquet cannot be read"):
        duplicate_table(path, supplier=None, filters=Filters())


def test_a_bundle_without_a_threshold_makes_no_groups(data: Path, tmp_path: Path) -> None:
    embedder = StandInEncoders()
    embedder.thresholds = {}
    build(data.parent / "rows.jsonl", tmp_path, "s", embedder, decode_threads=1)
    with pytest.raises(InvalidInput, match="Snapshot s has no style groups"):
        find_snapshot(tmp_path, None)


# The command.


def test_the_command_prints_or_writes(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    code, text = run("--data", str(data))
    assert code == 0
    assert "mug-k" in text
    assert "3 groups, 8 listings in s" in text
    for kind in ("csv", "parquet", "JSON"):
        file = tmp_path / f"out.{kind}"
        code, text = run("--data", str(data), "--supplier", "acme", "--filter", "price<=6", "--out", str(file))
        assert (code, "1 groups, 2 listings" in text) == (0, True)
        assert b"mug-1" in file.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.JSON", "out.csv", "out.parquet"]


def test_in_a_pipe_a_listing_is_one_line(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    lines = CliRunner().invoke(app, ["duplicates", "--data", str(data)]).output.splitlines()
    (line,) = (line for line in lines if "mug-2" in line)
    for part in ("acme", "red mug of glazed clay", "7.00"):
        assert part in line


def test_a_long_list_is_cut_on_the_terminal(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.cli.duplicates.SHOWN", 3)
    code, text = run("--data", str(data))
    assert (code, "mug-k" in text, "The first 3 of 8 lines" in text) == (0, False, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--out", "x.xlsx"), "ends in .csv, .parquet, .json"),
        (("--filter", "price<"), "The filter cannot be read"),
        (("--supplier", "nobody"), "no products of supplier 'nobody'"),
        (("--snapshot", "../s"), "cannot name a snapshot"),
        (("--snapshot", "t"), "none of this name"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_1(
    data: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], says: str
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    code, text = run("--data", str(data), *words)
    assert (code, says in text, "Traceback" in text) == (1, True, False)


def test_of_many_with_its_gtin_the_nearest_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"EAN": "4006381333931"}
    rows = [
        {"product_id": f"p{n:02d}", "title": "hex bolt", "supplier_id": "acme", "attributes": {**said, "size": "M8"}}
        for n in range(2 * JOIN_K)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    embedder = StandInEncoders()
    report = build(tmp_path / "rows.jsonl", tmp_path / "data", "s", embedder, decode_threads=1)
    live = LiveIndex(Snapshot.open(report.snapshot, fingerprint=embedder.fingerprint))
    vectors = {embedder.fingerprint: {"fusion": live.view.vectors("fusion", np.array([0]))[0]}}
    new = item("new", title="hex bolt", supplier_id="acme", attributes={**said, "size": "M6"})
    live.apply(in_order([Change("new", new, vectors)]))
    compared: list[str] = []

    def counted(one: Described, other: Described) -> bool:
        compared.append(other.title)
        return contradict(one, other)

    monkeypatch.setattr("index.live_styles.contradict", counted)
    assert style_names(live.view, [live.view.row_of("new")], lambda: None) == ["new"]
    assert len(compared) == JOIN_K
