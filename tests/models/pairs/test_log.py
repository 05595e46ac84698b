"""Logs of all kinds, and those that cannot be used: each says what to do."""

import gzip
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from catalogue.errors import CatalogueInvalid, ConfigurationError, InvalidInput, NotEnoughMemory
from models.pairs import Report, mine
from models.pairs.options import Options
from tests.models.pairs.logs import OPEN, event, mined, names, products, write_catalogue, write_log

EVENTS = [
    event(product, user, time)
    for user, visits in {"u1": ["ab", "c"], "u2": ["ab"], "u3": ["bc"]}.items()
    for number, visit in enumerate(visits)
    for time, product in enumerate(visit, start=1_700_000_000 + 10_000 * number)
]
"""u1 came back hours later, so a and c never came together."""
SHOP = products("a", "b", "c")
WANT = {"a-b": 2, "b-c": 1}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write_catalogue(tmp_path, SHOP)


def run(log: Path, shop: Path, options: Options = OPEN) -> tuple[dict[str, int], Report]:
    report = mine(log, shop, shop.parent / "pairs.parquet", options)
    pairs = pq.read_table(shop.parent / "pairs.parquet").to_pylist()
    return {names([row]).pop(): row["weight"] for row in pairs}, report


def with_(**changes: Any) -> Options:
    return replace(OPEN, **changes)


def as_csv(path: Path, table: pa.Table, delimiter: str = ",") -> None:
    with gzip.open(path, "wb") if path.suffix == ".gz" else path.open("wb") as file:
        pyarrow.csv.write_csv(table, file, pyarrow.csv.WriteOptions(delimiter=delimiter))


@pytest.fixture
def table(tmp_path: Path) -> pa.Table:
    return pq.read_table(write_log(tmp_path, EVENTS))


def test_the_same_log_in_every_form(tmp_path: Path, shop: Path, table: pa.Table) -> None:
    for name, delimiter in (("l.csv", ","), ("l.tsv", "\t"), ("m.csv", ";"), ("l.csv.gz", ","), ("l.tsv.gz", "\t")):
        as_csv(tmp_path / name, table, delimiter)
        assert run(tmp_path / name, shop)[0] == WANT, name
    parts = tmp_path / "parts"
    for number in range(3):
        (parts / f"day={number}").mkdir(parents=True)
        part = table.slice(number * 2, 2 if number < 2 else None)
        pq.write_table(part.select(part.column_names[::-1]), parts / f"day={number}" / "0.parquet")
    (parts / "_SUCCESS").touch()
    (parts / ".0.parquet.crc").write_bytes(b"crc")
    (parts / "day=0" / "notes.txt").write_text("not a log")
    assert run(parts, shop)[0] == WANT


def test_a_column_that_only_folders_name(tmp_path: Path, shop: Path, table: pa.Table) -> None:
    for action in ("click", "impression"):
        folder = tmp_path / "parts" / f"action={action}"
        folder.mkdir(parents=True)
        pq.write_table(table.drop(["action"]), folder / "0.parquet")
    weights, report = run(tmp_path / "parts", shop)
    assert weights == WANT
    assert report.rows["other_action"] == report.rows["kept"] == len(EVENTS)


@pytest.mark.parametrize("name", ["it's *a* [log]?.parquet", 'q"uo;te --.parquet', "ünï%20 码.parquet"])
def test_no_name_of_a_file_means_anything(tmp_path: Path, shop: Path, table: pa.Table, name: str) -> None:
    pq.write_table(table, tmp_path / name)
    pq.write_table(table, tmp_path / "it's xax l.parquet")
    assert run(tmp_path / name, shop)[0] == WANT


@pytest.mark.parametrize("name", ['x"; DROP TABLE products; --', "select", "a.b", "Größe 码", "'", '"'])
def test_no_name_of_a_column_means_anything(tmp_path: Path, shop: Path, table: pa.Table, name: str) -> None:
    renamed = table.rename_columns([name if column == "product_id" else column for column in table.column_names])
    pq.write_table(renamed, tmp_path / "l.parquet")
    assert run(tmp_path / "l.parquet", shop, with_(columns={"product": name}))[0] == WANT


@pytest.mark.parametrize(
    "renamed",
    [
        {"user_id": "customer_id", "product_id": "article_id", "time": "t_dat", "action": "type"},
        {"user_id": "VisitorId", "product_id": "ItemId", "time": "Timestamp", "action": "Event"},
    ],
)
def test_usual_names_are_found(tmp_path: Path, shop: Path, table: pa.Table, renamed: dict[str, str]) -> None:
    pq.write_table(table.rename_columns([renamed.get(c, c) for c in table.column_names]), tmp_path / "l.parquet")
    weights, report = run(tmp_path / "l.parquet", shop)
    assert weights == WANT
    assert report.columns["user"] == renamed["user_id"]


def at(seconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "written",
    [
        lambda s: s,
        lambda s: s * 1_000,
        lambda s: s * 1_000_000,
        lambda s: s * 1_000_000_000,
        lambda s: float(s) + 0.25,
        str,
        lambda s: str(s * 1_000),
        lambda s: at(s).isoformat(),
        lambda s: at(s).strftime("%Y-%m-%d %H:%M:%S"),
        lambda s: at(s).strftime("%Y-%m-%dT%H:%M:%SZ"),
        lambda s: (at(s) + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S+02:00"),
        at,
        lambda s: at(s).replace(tzinfo=None),
    ],
)
def test_times_as_logs_have_them(tmp_path: Path, shop: Path, table: pa.Table, written: Callable[[int], Any]) -> None:
    times = pa.array([written(s) for s in table["time"].to_pylist()])
    column = table.column_names.index("time")
    pq.write_table(table.set_column(column, "time", times), tmp_path / "l.parquet")
    weights, report = run(tmp_path / "l.parquet", shop)
    assert weights == WANT
    assert report.rows["no_time"] == 0


@pytest.mark.parametrize(
    "written", [lambda day: day, lambda day: int(day.strftime("%Y%m%d")), lambda day: day.strftime("%Y%m%d"), str]
)
def test_days_as_logs_have_them(tmp_path: Path, shop: Path, written: Callable[[date], Any]) -> None:
    """What a user did on one day is one session, and on the next one another."""
    rows = [("u1", "a", 1), ("u1", "b", 1), ("u1", "c", 2), ("u2", "a", 31), ("u2", "b", 31)]
    days = [date(2026, 1, day) for _, _, day in rows]
    log = pa.table(
        {"user": [r[0] for r in rows], "product": [r[1] for r in rows], "date": pa.array(map(written, days))}
    )
    pq.write_table(log, tmp_path / "l.parquet")
    assert run(tmp_path / "l.parquet", shop)[0] == {"a-b": 2}


def test_a_format_of_one_s_own(tmp_path: Path, shop: Path, table: pa.Table) -> None:
    times = pa.array([at(s).strftime("%d/%m/%Y %H.%M.%S") for s in table["time"].to_pylist()])
    log = table.set_column(table.column_names.index("time"), "time", times)
    pq.write_table(log, tmp_path / "l.parquet")
    assert run(tmp_path / "l.parquet", shop, with_(time_format="%d/%m/%Y %H.%M.%S"))[0] == WANT
    with pytest.raises(InvalidInput, match=r"no time that can be read in column 'time', such as \d.*--time-format"):
        run(tmp_path / "l.parquet", shop)
    with pytest.raises(InvalidInput, match="--time-format"):
        run(tmp_path / "l.parquet", shop, with_(time_format="%Q and more"))


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.binary(), pa.dictionary(pa.int32(), pa.string())])
def test_ids_of_every_type(tmp_path: Path, kind: pa.DataType) -> None:
    shop = write_catalogue(tmp_path, products("1", "2"))
    is_number = not (pa.types.is_binary(kind) or pa.types.is_dictionary(kind))
    ids = pa.array([1, 2, 1, 2, None] if is_number else ["1", "2", "1", "2", None]).cast(kind)
    log = pa.table({"user": pa.array([1.0, 1.0, 2.0, 2.0, 2.0]), "item_id": ids, "ts": pa.array([1, 2, 3, 4, 5])})
    pq.write_table(log, tmp_path / "l.parquet")
    weights, report = run(tmp_path / "l.parquet", shop)
    assert weights == {"1-2": 2}
    assert report.rows["no_product"] == 1


def test_what_becomes_of_each_row_is_counted(tmp_path: Path) -> None:
    events = [
        *EVENTS,
        event("a", action="impression"),
        event(None),
        event("  "),
        event("gone"),
        event("a", user=None),
        event("a", time=None),
        event("a", user="u9", session="s9", time=None),
        event("b", user="u9", session="s9", time=None, action=" CLICK "),
    ]
    pairs, report = mined(tmp_path, events, SHOP)
    assert report.rows == {
        "kept": len(EVENTS) + 2, "other_action": 1, "no_product": 2, "unknown_product": 1, "nobody": 1, "no_time": 1,
        "unreadable": 0,
    }  # fmt: skip
    assert {names([row]).pop(): row["weight"] for row in pairs} == {"a-b": 3, "b-c": 1}


def test_lines_that_are_no_rows_are_counted_and_left_out(tmp_path: Path, shop: Path) -> None:
    lines = ["user_id,product_id,time,action", *(f"{e['user']},{e['product']},{e['time']},click" for e in EVENTS)]
    lines[3:3] = ["u1", "u1,b,5,click,more"]
    (tmp_path / "l.csv").write_bytes("\n".join([*lines, ""]).encode() + b"u\xff,a,5,click\n")
    weights, report = run(tmp_path / "l.csv", shop)
    assert weights == WANT
    assert (report.rows["kept"], report.rows["unreadable"]) == (len(EVENTS), 3)


def test_a_log_without_actions_counts_every_row(tmp_path: Path, shop: Path, table: pa.Table) -> None:
    pq.write_table(table.drop(["action"]), tmp_path / "l.parquet")
    assert run(tmp_path / "l.parquet", shop)[0] == WANT


def test_queries_alone_are_windows(tmp_path: Path, shop: Path) -> None:
    rows = [("Red  Mug", "a"), ("red mug", "b"), ("bolt", "b"), ("bolt", "c"), ("bolt", "c"), (None, "a")]
    log = pa.table({"query": [row[0] for row in rows], "product_id": [row[1] for row in rows]})
    pq.write_table(log, tmp_path / "l.parquet")
    weights, report = run(tmp_path / "l.parquet", shop)
    assert weights == {"a-b": 1, "b-c": 1}
    assert report.rows["nobody"] == 1


Rows = dict[str, list[Any]]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ({"user": ["u"], "title": ["x"]}, "no column for the product. It has user, title. Name one with --product"),
        ({"product": ["a"], "when": [1]}, "no column for user, session or query.* It has product, when. Name one"),
        ({"product": ["a"], "user": ["u"]}, "no column for the time.* Name one with --time, or sessions"),
        ({"product": ["a"], "user": [None], "time": [1]}, "user is empty. Name another column with --user"),
        ({"product": [None, ""], "user": ["u", "v"], "time": [1, 2]}, "names no product in column 'product'"),
        (
            {"product": ["y", "x"], "user": ["u", "v"], "time": [1, 2]},
            "none of its products is in the catalogue. It has products such as x, y, the catalogue a, b, c",
        ),
        (
            {"product": ["a"], "user": ["u"], "time": [1], "event": ["view"]},
            "none of the actions click, cart, purchase. It has view. Say which count with --action",
        ),
        (
            {"product": ["a", "b"], "user": ["u", "u"], "time": ["noon", "26.11.2026"]},
            "no time that can be read in column 'time', such as 26.11.2026, noon.*--time-format",
        ),
        ({"product": ["a", "b"], "user": ["u", "u"], "time": [1, 2]}, "all 2 actions .* are of one user.* several"),
        ({"product": ["a", "b"], "user": ["u", "v"], "time": [1, 2]}, "no two known products came together in any"),
    ],
)
def test_a_log_that_cannot_be_used_says_why(tmp_path: Path, shop: Path, rows: Rows, says: str) -> None:
    pq.write_table(pa.table(rows), tmp_path / "l.parquet")
    with pytest.raises(InvalidInput, match=says) as told:
        run(tmp_path / "l.parquet", shop)
    assert str(tmp_path / "l.parquet") in str(told.value)
    assert not (tmp_path / "pairs.parquet").exists()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("l.parquet", b"", "cannot be read"),
        ("l.parquet", b"PAR1 and then nothing of the kind PAR1", "cannot be read"),
        ("l.csv", b"", "no column for the product"),
        ("l.csv", b"\0\1\2\3" * 1_000, "no column for the product|cannot be read"),
        ("l.csv", b"user,product,time\n", "holds no rows"),
        ("l.csv", b"user,product,time\nu1\nu2\n", "holds no rows, only 2 lines that do not fit its header"),
        ("l.csv", b"a log without header,x,y\nu1,a,1\n", "no column for the product. It has a log without header"),
        ("l.csv.gz", b"not compressed", "cannot be read"),
        ("l.json", b"{}", "unknown kind of log; use .parquet, .csv"),
    ],
)
def test_a_file_that_is_no_log_says_so(tmp_path: Path, shop: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=says):
        run(tmp_path / name, shop)


def test_folders_that_are_no_log_say_so(tmp_path: Path, shop: Path, table: pa.Table) -> None:
    folder = tmp_path / "logs"
    with pytest.raises(InvalidInput, match="no such file or folder"):
        run(folder, shop)
    folder.mkdir()
    with pytest.raises(InvalidInput, match=r"holds no \.parquet"):
        run(folder, shop)
    pq.write_table(table, folder / "a.parquet")
    as_csv(folder / "b.csv", table)
    with pytest.raises(InvalidInput, match="of one kind"):
        run(folder, shop)
    (folder / "b.csv").unlink()
    (folder / "b.parquet").write_bytes(b"broken")
    with pytest.raises(InvalidInput, match=r"cannot be read.*b\.parquet"):
        run(folder, shop)


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path, shop: Path) -> None:
    (tmp_path / "l.parquet").symlink_to("/proc/self/mem")  # which gives nobody, not even root, its first byte
    with pytest.raises(InvalidInput, match="cannot be read"):
        run(tmp_path / "l.parquet", shop)


def test_a_column_that_is_not_there_is_named(tmp_path: Path, shop: Path) -> None:
    log = write_log(tmp_path, EVENTS)
    with pytest.raises(InvalidInput, match=r"no column 'sku' for the product\. It has user_id, session_id"):
        run(log, shop, with_(columns={"product": "sku"}))
    pq.write_table(pq.read_table(log).drop(["query"]), log)
    with pytest.raises(InvalidInput, match="--window query"):
        run(log, shop, with_(window="query"))


def test_what_is_left_of_nothing_says_which_constraint_took_it(tmp_path: Path, shop: Path) -> None:
    with pytest.raises(InvalidInput, match=r"no pair is left of 2. Removed by weight 2 \(at least 9\). Loosen"):
        run(write_log(tmp_path, EVENTS), shop, with_(min_weight=9))
    crowd = write_log(tmp_path, [event(product, user) for user in ("u1", "u2") for product in "abc"])
    with pytest.raises(InvalidInput, match=r"but for 2 of more than 2 products\. Allow more with --max-products"):
        run(crowd, shop, with_(max_products=2))


def test_a_catalogue_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    log = write_log(tmp_path, EVENTS)
    (tmp_path / "shop.jsonl").write_text("{}\n")
    with pytest.raises(CatalogueInvalid, match="holds no product"):
        mine(log, tmp_path / "shop.jsonl", tmp_path / "pairs.parquet", OPEN)
    with pytest.raises(CatalogueInvalid, match="no such file"):
        mine(log, tmp_path / "none.jsonl", tmp_path / "pairs.parquet", OPEN)
    with pytest.raises(InvalidInput, match=r"ends in \.parquet"):
        mine(log, tmp_path / "shop.jsonl", tmp_path / "pairs.csv", OPEN)


def test_rows_of_the_catalogue_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    shop = [*SHOP, {"product_id": "a", "title": "again"}, {"title": "no id"}, {"product_id": "d"}]
    _, report = mined(tmp_path, EVENTS, shop)
    assert (report.products, report.products_left_out) == (3, 3)


def test_without_duckdb_it_says_how_to_install_it(tmp_path: Path, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'samestyle\[train\]'"):
        run(write_log(tmp_path, EVENTS), shop)


def test_too_little_memory_says_so_and_leaves_nothing(tmp_path: Path, shop: Path) -> None:
    log = write_log(tmp_path, [event(product, f"u{user}") for user in range(20_000) for product in "abc"])
    with pytest.raises(NotEnoughMemory, match="more memory"):
        run(log, shop, with_(memory_bytes=2_000_000))
    with pytest.raises(NotEnoughMemory, match="No memory is left"):
        run(log, shop, with_(memory_bytes=-5_000_000))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["log.parquet", "shop.jsonl"]
