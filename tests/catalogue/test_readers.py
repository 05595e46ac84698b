import csv
import io
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalogue import Product, readers
from catalogue.errors import CatalogueInvalid
from catalogue.prose import without_html
from catalogue.readers import CatalogueRow, RowProblem, count_rows, read_catalogue

ROWS: list[dict[str, Any]] = [
    {
        "product_id": "1",
        "title": "Mug, \"red\"\nfor tea",
        "description": "größe 杯子 🟥",
        "category": "Home > Kitchen",
        "supplier_id": "acme",
        "price": 4.5,
        "currency": "EUR",
        "in_stock": True,
        "attributes": {"size": "300 ml", "colour": "red"},
        "images": ["a.jpg", "https://example.org/b.jpg"],
        "url": "https://example.org/1",
        "style_id": "s1",
        "material": "clay",
    },
    {"product_id": "2", "title": "Bolt", "in_stock": False, "price": 0.0, "attributes": {}, "images": []},
    {"product_id": "3", "images": ["c.jpg"], "price": None, "attributes": None, "title": None},
]  # fmt: skip
COLUMNS = list(ROWS[0])


def as_jsonl(folder: Path, rows: Sequence[Any]) -> Path:
    path = folder / "c.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def as_csv(folder: Path, rows: Sequence[dict[str, Any]]) -> Path:
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    for row in rows:
        images = "|".join(row.get("images") or [])
        attributes = json.dumps(row["attributes"]) if row.get("attributes") else ""
        writer.writerow(row | {"images": images, "attributes": attributes})
    path = folder / "c.csv"
    path.write_text(out.getvalue(), newline="")
    return path


def as_parquet(folder: Path, rows: Sequence[dict[str, Any]], kind: pa.DataType | None = None) -> Path:
    columns: dict[str, Any] = {name: [row.get(name) for row in rows] for name in COLUMNS}
    columns["attributes"] = pa.array(
        [list((item or {}).items()) if kind is None else item for item in columns["attributes"]],
        kind or pa.map_(pa.string(), pa.string()),
    )
    path = folder / "c.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def raw(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def products(path: Path) -> list[Product]:
    found = list(read_catalogue(path))
    assert all(isinstance(row, CatalogueRow) for row in found), found
    return [row.product for row in found if isinstance(row, CatalogueRow)]


def shortly(path: Path) -> list[tuple[int, str]]:
    """Every row as its line and its id, every problem as its line and its severity."""
    return [
        (row.line, row.product.product_id if isinstance(row, CatalogueRow) else row.severity)
        for row in read_catalogue(path)
    ]


def problems(path: Path) -> list[RowProblem]:
    return [row for row in read_catalogue(path) if isinstance(row, RowProblem)]


def only(path: Path) -> Product:
    (product,) = products(path)
    return product


@pytest.mark.parametrize("write", [as_jsonl, as_csv, as_parquet])
def test_every_kind_gives_the_same_products(tmp_path: Path, write: Any) -> None:
    attributes = {"size": "300 ml", "colour": "red", "material": "clay"}
    known = {name: value for name, value in ROWS[0].items() if name != "material"}
    assert products(write(tmp_path, ROWS)) == [
        Product.model_validate(known | {"attributes": attributes}),
        Product(product_id="2", title="Bolt", in_stock=False, price=0.0),
        Product(product_id="3", images=("c.jpg",)),
    ]


def test_a_parquet_struct_is_read_as_attributes(tmp_path: Path) -> None:
    kind = pa.struct([("size", pa.string()), ("colour", pa.string())])
    assert products(as_parquet(tmp_path, ROWS, kind))[0].attributes["size"] == "300 ml"


def test_lines_are_counted_from_one(tmp_path: Path) -> None:
    assert [line for line, _ in shortly(as_jsonl(tmp_path, ROWS))] == [1, 2, 3]
    assert [line for line, _ in shortly(as_parquet(tmp_path, ROWS))] == [1, 2, 3]


def test_csv_rows_have_the_line_they_begin_on(tmp_path: Path) -> None:
    text = 'product_id,title\r\n1,"two\r\nlines"\r\n\r\n2,b\r\n,"bad\r\nrow"\r\n3,c'
    assert shortly(raw(tmp_path, "c.csv", text.encode())) == [(2, "1"), (5, "2"), (6, "error"), (8, "3")]


def test_jsonl_blank_lines_are_counted_and_skipped(tmp_path: Path) -> None:
    path = raw(tmp_path, "c.jsonl", b'{"product_id":"1","title":"x"}\r\n\r\n  \n{"product_id":"2","title":"x"}')
    assert shortly(path) == [(1, "1"), (4, "2")]


def test_unknown_columns_become_attributes(tmp_path: Path) -> None:
    row = {"product_id": "1", "title": "x", "attributes": {"size": "M"}, "colour": "red", "weight": 3, "tags": ["a"]}
    assert only(as_jsonl(tmp_path, [row | {"nothing": None, "blank": "", "washable": True}])).attributes == {
        "size": "M",
        "colour": "red",
        "weight": "3",
        "tags": '["a"]',
        "washable": "true",
    }


def test_unknown_parquet_columns_read_as_they_would_in_csv(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    table = {
        "product_id": ["1"],
        "title": ["x"],
        "weight": [Decimal("1.50")],
        "since": [date(2024, 5, 1)],
        "blob": [b"\xff\xfe"],
    }
    pq.write_table(pa.table(table), path)
    assert only(path).attributes == {"weight": "1.50", "since": "2024-05-01"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price", "₹10,999"),
        ("price", "NaN"),
        ("price", -1),
        ("price", [1]),
        ("price", {"amount": 1}),
        ("in_stock", "maybe"),
        ("in_stock", 7),
        ("images", {"a": 1}),
        ("images", [1]),
        ("images", 3),
        ("attributes", "red"),
        ("attributes", '["red"]'),
        ("attributes", [1]),
        ("attributes", "[" * 100_000),
        ("image_jpeg", "text"),
        ("description", "x" * 100_001),
        ("description", ["a"]),
        ("currency", "far too long"),
        ("supplier_id", "x" * 129),
        ("supplier_id", {"id": 1}),
        ("url", "x" * 2_001),
        ("style_id", "x" * 129),
        ("attributes", {str(n): "x" for n in range(201)}),
        ("images", ["x"] * 51),
    ],
)
def test_an_optional_field_that_cannot_be_read_becomes_null_with_a_warning(
    tmp_path: Path, field: str, value: Any
) -> None:
    rows = [{"product_id": "1", "title": "x", field: value}, {"product_id": "2", "title": "y"}]
    warning, first, second = read_catalogue(as_jsonl(tmp_path, rows))
    assert isinstance(warning, RowProblem)
    assert (warning.line, warning.product_id, warning.severity) == (1, "1", "warning")
    assert warning.reason.startswith(f"{field}: ")
    assert len(warning.reason) < 500
    assert isinstance(first, CatalogueRow)
    assert first.product == Product(product_id="1", title="x")
    assert isinstance(second, CatalogueRow)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"title": "x"}, "product_id: Field required"),
        ({"product_id": "", "title": "x"}, "product_id: Field required"),
        ({"product_id": "a b", "title": "x"}, "product_id: "),
        ({"product_id": "x" * 129, "title": "x"}, "product_id: "),
        ({"product_id": ["1"], "title": "x"}, "product_id: "),
        ({"product_id": "1"}, "a product needs a title or a photo"),
        ({"product_id": "1", "title": "  "}, "a product needs a title or a photo"),
        ({"product_id": "1", "title": ["x"]}, "a product needs a title or a photo"),
        ({"product_id": "1", "images": [" "]}, "a product needs a title or a photo"),
        ([1, 2], "not a JSON object"),
        ("text", "not a JSON object"),
        (None, "not a JSON object"),
    ],
)
def test_a_bad_row_is_reported_and_does_not_stop_the_rest(tmp_path: Path, row: Any, reason: str) -> None:
    good = {"product_id": "good", "title": "x"}
    path = as_jsonl(tmp_path, [good, row, good])
    errors = [problem for problem in problems(path) if problem.severity == "error"]
    assert [problem.line for problem in errors] == [2]
    assert errors[0].reason.startswith(reason)
    assert [line for line, what in shortly(path) if what == "good"] == [1, 3]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"not json",
        b'{"product_id":"1","title":"\xff"}',
        b'{"product_id":"1","title":"a\0b"}',
        b'{"product_id":"1","title":"\\ud800"}',
        b'{"product_id":"1","title":NaN}',
        b"[" * 5000,
        b"\0" * 100,
        b'{"product_id":"1","title":"x"' + b" " * readers.MAX_LINE_BYTES + b"}",
        b"x" * (2 * readers.MAX_LINE_BYTES),
    ],
    ids=range(10),
)
def test_a_broken_line_does_not_stop_the_rest(tmp_path: Path, line: bytes) -> None:
    good = b'{"product_id":"good","title":"x"}\n'
    assert shortly(raw(tmp_path, "c.jsonl", good + line + b"\n" + good)) == [(1, "good"), (2, "error"), (3, "good")]


def test_an_over_long_last_line_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MAX_LINE_BYTES", 100)
    assert shortly(raw(tmp_path, "c.jsonl", b"x" * 250)) == [(1, "error")]
    assert shortly(raw(tmp_path, "c.jsonl", b'{"product_id":"1","title":"x"}'.ljust(99) + b"\n")) == [(1, "1")]


@pytest.mark.parametrize("depth", [500, 990, 1020])
def test_deep_nesting_costs_at_most_the_field(tmp_path: Path, depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    for name in (b"colour", b"title", b"description", b"price", b"images", b"attributes", b"in_stock"):
        line = b'{"product_id":"1","title":"x","%s":%s}\n' % (name, nested)
        found = shortly(raw(tmp_path, "c.jsonl", line + b'{"product_id":"2","title":"x"}\n'))
        assert found[-1] == (2, "2")
    found = shortly(raw(tmp_path, "c.jsonl", b'{"product_id":%s}\n{"product_id":"2","title":"x"}\n' % nested))
    assert found[-2:] == [(1, "error"), (2, "2")]


@pytest.mark.parametrize(
    "line",
    [
        b'3,"x"y,1',  # a quote inside quotes
        b"3,x,1,2",  # one cell too many
        b"a b,x,1",
        b"3,,1",
        b"3," + b"x" * (readers.MAX_LINE_BYTES + 1) + b",1",
    ],
    ids=["quote", "cells", "id", "title", "long"],
)
def test_a_broken_csv_line_does_not_stop_the_rest(tmp_path: Path, line: bytes) -> None:
    path = raw(tmp_path, "c.csv", b"product_id,title,price\ngood,x,1\n" + line + b"\ngood,x,1\n")
    assert shortly(path) == [(2, "good"), (3, "error"), (4, "good")]


def test_a_quote_that_never_closes_is_reported_with_the_line_it_opened_on(tmp_path: Path) -> None:
    path = raw(tmp_path, "c.csv", b'product_id,title\n1,x\n2,"oops\n3,y\n4,z\n')
    assert shortly(path) == [(2, "1"), (3, "error")]


def test_a_csv_with_fewer_cells_lacks_the_last_fields(tmp_path: Path) -> None:
    assert only(raw(tmp_path, "c.csv", b"product_id,title,price\n1,x\n")).price is None


def test_what_is_not_utf_8_in_csv_is_read_as_windows_writes_it(tmp_path: Path) -> None:
    path = raw(
        tmp_path, "c.csv", b"product_id,title\n1,caf\xe9 gr\xfc\xdf\n2,a\0b\n3,\xed\xa0\x80\n4,gr\xc3\xbc\xc3\x9f\n"
    )
    assert [product.title for product in products(path)] == ["café grüß", "a\0b", "í\xa0€", "grüß"]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_csv_of_any_separator_with_names_of_any_case(tmp_path: Path, separator: str) -> None:
    lines = [
        ["\ufeffPRODUCT_ID", " Title", "Supplier ID", "Price", "EAN"],
        ["1", '"a, b; c|d"', "acme", "9.99", "4006"],
    ]
    text = "\n".join(separator.join(line) for line in [*lines, [""] * 5])
    product = only(raw(tmp_path, "c.csv", text.encode()))
    assert (product.product_id, product.title, product.supplier_id, product.price) == ("1", "a, b; c|d", "acme", 9.99)
    assert product.attributes == {"EAN": "4006"}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"Handle;Title;Body (HTML)\n1;x;y\n", "Handle, title, Body"),
        ("product_id,title\n1,x\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_a_csv_without_ids_says_what_it_has(tmp_path: Path, data: bytes, told: str) -> None:
    with pytest.raises(CatalogueInvalid, match=told):
        list(read_catalogue(raw(tmp_path, "c.csv", data)))


def test_texts_have_no_html(tmp_path: Path) -> None:
    html = "<style>p{}</style><p>Sturdy <b>mug</b>,&nbsp;5 &lt; 6</p><ul><li>330 ml</li><li>blue</li></ul><!-- no -->"
    rows = [{"product_id": "1", "title": "M&amp;M <i>mug</i>", "description": html}]
    product = only(as_jsonl(tmp_path, rows))
    assert (product.title, product.description) == ("M&M mug", "Sturdy mug,\xa05 < 6\n330 ml\nblue")
    assert only(as_jsonl(tmp_path, [{"product_id": "1", "title": "a < b > c & d"}])).title == "a < b > c & d"


@pytest.mark.parametrize("part", ["<!--", "<style>", "</script", "<p ", " ", " \n", "&", "&#1"])
def test_html_of_any_length_is_read_at_once(part: str) -> None:
    began = time.process_time()
    without_html(f"<b>{part * 100_000}x")
    assert time.process_time() - began < 2


def test_what_is_hidden_and_never_ends_hides_the_rest() -> None:
    assert without_html("<p>a</p><script>b()") == without_html("<p>a</p><!-- b") == "a"


@pytest.mark.parametrize("category", ["Home > Mugs", "Home>Mugs", "Home >> Mugs", "Home » Mugs", ["Home", "Mugs"]])
def test_levels_of_a_category(tmp_path: Path, category: Any) -> None:
    assert only(as_jsonl(tmp_path, [{"product_id": "1", "title": "x", "category": category}])).category == "Home > Mugs"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_of_any_editor(tmp_path: Path, mark: str, end: str) -> None:
    text = end.join([f"{mark}product_id,title", '1,"a, ""b"""', "2,c", ""])
    assert [product.title for product in products(raw(tmp_path, "c.csv", text.encode()))] == ['a, "b"', "c"]


def test_a_byte_order_mark_before_json_lines(tmp_path: Path) -> None:
    assert only(raw(tmp_path, "c.jsonl", b'\xef\xbb\xbf{"product_id":"1","title":"x"}\n')).product_id == "1"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("c.csv", b""),
        ("c.csv", b"\n\n"),
        ("c.csv", b"id,title\n1,x\n"),
        ("c.csv", b"PAR1\0\0\xff\xfe" * 1000),
        ("c.csv", "product_id,title\n1,x\n".encode("utf-16")),
        ("c.csv", b'"' + b"x" * (readers.MAX_LINE_BYTES + 1)),
        ("c.jsonl", b"PAR1\0\0\xff\xfe" * 1000),
        ("c.jsonl", b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + bytes(range(256)) * 50),
        ("c.jsonl", '{"product_id":"1","title":"x"}\n'.encode("utf-16")),
        ("c.parquet", b""),
        ("c.parquet", b"PAR1"),
        ("c.parquet", b"product_id,title\n1,x\n"),
        ("c.parquet", b"PAR1\0\0\xff\xfe" * 1000),
        ("c.parquet", b"PAR1" + b"\xff" * 100 + b"\xff\xff\xff\x7fPAR1"),
        ("c.xlsx", b"PK"),
        ("catalogue", b"product_id,title\n"),
    ],
    ids=range(16),
)
def test_what_is_no_catalogue_is_refused(tmp_path: Path, name: str, data: bytes) -> None:
    with pytest.raises(CatalogueInvalid, match=name.replace(".", r"\.")):
        list(read_catalogue(raw(tmp_path, name, data)))


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueInvalid, match="no such file"):
        list(read_catalogue(tmp_path / "none.csv"))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(CatalogueInvalid, match="no such file"):
        list(read_catalogue(tmp_path / "folder.csv"))


def test_catalogues_without_rows(tmp_path: Path) -> None:
    assert shortly(raw(tmp_path, "c.jsonl", b"")) == []
    assert shortly(raw(tmp_path, "c.csv", b"product_id,title\n")) == []
    assert shortly(as_parquet(tmp_path, [])) == []


def test_a_parquet_without_ids_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [1]}), tmp_path / "c.parquet")
    with pytest.raises(CatalogueInvalid, match="no column product_id"):
        list(read_catalogue(tmp_path / "c.parquet"))


def test_parquet_with_the_photo_inside(tmp_path: Path) -> None:
    photos = [b"\xff\xd8", b"\xff\xd9", None, b""]
    table = {"product_id": ["1", "2", "3", "4"], "image_jpeg": photos, "title": [None, "x", "y", "z"]}
    pq.write_table(pa.table(table | {"image": [None, "a.jpg", None, None]}), tmp_path / "c.parquet")
    rows = [row for row in read_catalogue(tmp_path / "c.parquet") if isinstance(row, CatalogueRow)]
    assert [row.photo for row in rows] == [b"\xff\xd8", b"\xff\xd9", None, None]
    assert [len(row.product.images) for row in rows] == [1, 1, 0, 0]
    assert rows[1].product.images == ("a.jpg",)
    assert all(row.product.attributes == {} for row in rows)


def test_few_photos_of_a_parquet_are_unpacked_at_once(tmp_path: Path) -> None:
    table = {"product_id": list(map(str, range(256))), "image_jpeg": [bytes(1_000_000)] * 256}
    pq.write_table(pa.table(table), tmp_path / "c.parquet")
    assert (tmp_path / "c.parquet").stat().st_size < 100_000
    before = pa.total_allocated_bytes()
    for at, _ in enumerate(read_catalogue(tmp_path / "c.parquet"), 1):
        if at % 64 == 1:
            assert pa.total_allocated_bytes() - before < 50_000_000
    assert at == 256


def test_the_main_photo_may_be_bytes_in_the_column_image(tmp_path: Path) -> None:
    pq.write_table(pa.table({"product_id": ["1"], "image": [b"\xff\xd8"]}), tmp_path / "c.parquet")
    (row,) = read_catalogue(tmp_path / "c.parquet")
    assert isinstance(row, CatalogueRow)
    assert row.photo == b"\xff\xd8"


@pytest.mark.parametrize(
    ("row", "images"),
    [
        ({"image": "a.jpg"}, ("a.jpg",)),
        ({"image": "a.jpg | b.jpg"}, ("a.jpg", "b.jpg")),
        ({"images": [], "image": "a.jpg"}, ("a.jpg",)),
        ({"image": "", "images": ["a.jpg"]}, ("a.jpg",)),
        ({"images": [" a.jpg ", ""]}, ("a.jpg",)),
    ],
)
def test_photos_under_either_name(tmp_path: Path, row: dict[str, Any], images: tuple[str, ...]) -> None:
    assert only(as_jsonl(tmp_path, [{"product_id": "1", "title": "x"} | row])).images == images


def test_numbers_and_binary_text_as_ids_and_text(tmp_path: Path) -> None:
    assert only(as_jsonl(tmp_path, [{"product_id": 17, "title": 5}])) == Product(product_id="17", title="5")
    pq.write_table(pa.table({"product_id": [17], "title": [b"caf\xc3\xa9"]}), tmp_path / "c.parquet")
    assert only(tmp_path / "c.parquet") == Product(product_id="17", title="café")
    pq.write_table(pa.table({"product_id": [b"17"], "title": [b"\xff"]}), tmp_path / "c.parquet")
    assert [what for _, what in shortly(tmp_path / "c.parquet")] == ["warning", "error"]


def test_whole_numbers_that_parquet_holds_as_floats_stay_whole(tmp_path: Path) -> None:
    pq.write_table(pa.table({"product_id": [17.0, None], "title": ["x", "y"]}), tmp_path / "c.parquet")
    assert shortly(tmp_path / "c.parquet") == [(1, "17"), (2, "error")]


def test_a_parquet_cell_that_is_no_text_does_not_stop_the_rest(tmp_path: Path) -> None:
    broken = pa.Array.from_buffers(
        pa.string(), 3, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0"), pa.py_buffer(b"a\xffb")]
    )
    pq.write_table(pa.table({"product_id": ["1", "2", "3"], "title": broken}), tmp_path / "c.parquet")
    assert shortly(tmp_path / "c.parquet") == [(1, "1"), (2, "error"), (3, "3")]


def test_rows_come_before_the_file_is_read_to_its_end(tmp_path: Path) -> None:
    good = b'{"product_id":"1","title":"x"}\n'
    for path in (
        raw(tmp_path, "c.jsonl", good),
        raw(tmp_path, "c.csv", b"product_id,title\n1,x\n"),
    ):
        with path.open("ab") as file:
            file.seek(10**11, os.SEEK_CUR)  # 100 GB that take no room
            file.truncate()
        assert isinstance(next(iter(read_catalogue(path))), CatalogueRow)


def test_rows_are_counted_for_the_progress_bar(tmp_path: Path) -> None:
    assert count_rows(as_jsonl(tmp_path, ROWS)) == 3
    assert count_rows(as_parquet(tmp_path, ROWS)) == 3
    assert count_rows(raw(tmp_path, "c.csv", b"product_id\n1\n2\n")) == 2
    assert count_rows(raw(tmp_path, "c.csv", b"")) == 0
    assert count_rows(raw(tmp_path, "c.parquet", b"PAR1")) is None
    assert count_rows(tmp_path / "none.jsonl") is None


# Every example may write over the file of the one before.
shared_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
text = st.text(max_size=20)
some_products = st.builds(
    Product,
    product_id=st.from_regex(r"[!-~]{1,128}", fullmatch=True),
    title=text.map(lambda value: value + "t"),
    description=text,
    category=text,
    supplier_id=text,
    price=st.none() | st.floats(0, allow_infinity=False),
    currency=st.none() | st.sampled_from(["EUR", "INR"]),
    in_stock=st.none() | st.booleans(),
    attributes=st.dictionaries(text, st.text(min_size=1, max_size=20), max_size=3),
    images=st.lists(st.from_regex(r"[a-z0-9/._-]{1,9}", fullmatch=True), max_size=3).map(tuple),
    url=st.none() | st.text(min_size=1, max_size=20),
    style_id=st.none() | st.text(min_size=1, max_size=20),
)


@shared_folder
@given(st.lists(some_products, max_size=4))
def test_products_survive_json_lines(tmp_path: Path, written: list[Product]) -> None:
    path = raw(tmp_path, "c.jsonl", b"".join(product.model_dump_json().encode() + b"\n" for product in written))
    assert products(path) == written


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)


@shared_folder
@given(st.lists(st.dictionaries(st.sampled_from([*Product.model_fields, "image", "image_jpeg", "x"]), anything)))
def test_any_json_gives_one_row_or_one_error_a_line(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    verdicts = [line for line, what in shortly(as_jsonl(tmp_path, rows)) if what != "warning"]
    assert verdicts == list(range(1, len(rows) + 1))


@shared_folder
@given(st.sampled_from(["c.csv", "c.jsonl", "c.parquet"]), st.sampled_from([b"", b"product_id,title\n"]), st.binary())
def test_any_bytes_are_read_or_refused(tmp_path: Path, name: str, lead: bytes, data: bytes) -> None:
    with suppress(CatalogueInvalid):
        list(read_catalogue(raw(tmp_path, name, lead + data)))


@pytest.fixture(scope="module")
def sound_parquet(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return as_parquet(tmp_path_factory.mktemp("sound"), ROWS).read_bytes()


@shared_folder
@given(where=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
def test_a_damaged_parquet_is_read_or_refused(tmp_path: Path, sound_parquet: bytes, where: float, value: int) -> None:
    data = bytearray(sound_parquet)
    data[int(where * len(data))] = value
    path = raw(tmp_path, "damaged.parquet", bytes(data))
    count_rows(path)
    with suppress(CatalogueInvalid):
        list(read_catalogue(path))
