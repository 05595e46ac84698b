"""Files of labelled pairs: with their products, as the paper's authors publish them, or of a catalogue."""

import csv
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalogue.errors import CatalogueInvalid, InvalidInput
from models.evaluation.data import EvaluationData
from models.evaluation.pairs import is_pairs_file, read_pairs
from models.evaluation.photos import Photos
from models.evaluation.tables import read_rows
from tests.models.evaluation.shops import rows, shop

KINDS = ("csv", "tsv", "jsonl", "parquet")


def write(path: Path, content: Sequence[Mapping[str, Any]]) -> Path:
    names = list(content[0])
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(content)), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in content))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, names, delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(content)
    return path


def published(shop_rows: list[dict[str, Any]], pairs: list[tuple[int, int, Any]]) -> list[dict[str, Any]]:
    """Pairs in the authors' columns."""
    found = []
    for trigger, recall, label in pairs:
        one, other = shop_rows[trigger], shop_rows[recall]
        first, second = one["category"].split(" > ")
        found.append(
            {
                "cate_lv1_name": first,
                "cate_name": second,
                "trigger_id": one["product_id"],
                "tirgger_title": one["title"],
                "recall_id": other["product_id"],
                "recall_title": other["title"],
                "trigger_img": one["images"][0],
                "recall_img": other["images"][0],
                "label": label,
            }
        )
    return found


def read_any(path: Path, photos: Photos) -> None:
    is_pairs_file(path)
    read_pairs(path, photos)


def targets(data: EvaluationData) -> dict[str, set[str]]:
    """What is right for each query, by id."""
    right = data.truth.right(np.arange(len(data.truth.own)))
    return {
        data.products[row].product_id: {data.products[at].product_id for at in np.flatnonzero(right[query])}
        for query, row in enumerate(data.truth.own.tolist())
    }


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 17), st.integers(0, 17), st.integers(0, 1)), min_size=1, max_size=12),
    st.sampled_from(KINDS),
)
def test_the_published_format_round_trips(tmp_path: Path, pairs: list[tuple[int, int, int]], kind: str) -> None:
    content = rows(tmp_path)
    path = write(tmp_path / f"pairs.{kind}", published(content, pairs))
    expected: dict[str, set[str]] = {}
    for trigger, recall, label in pairs:
        if label and trigger != recall:
            expected.setdefault(content[trigger]["product_id"], set()).add(content[recall]["product_id"])
    for trigger, recall, label in pairs:  # what is alike is so both ways, but only a trigger is asked for
        if label and trigger != recall and content[recall]["product_id"] in expected:
            expected[content[recall]["product_id"]].add(content[trigger]["product_id"])
    assert is_pairs_file(path)
    with Photos(tmp_path) as photos:
        if not expected:
            with pytest.raises(InvalidInput, match="nothing to find"):
                read_pairs(path, photos)
            return
        data = read_pairs(path, photos)
        assert targets(data) == expected
        by_id = {row["product_id"]: row for row in content}
        named = dict.fromkeys(content[at]["product_id"] for pair in pairs for at in pair[:2])
        assert [product.product_id for product in data.products] == list(named)
        for row, product in enumerate(data.products):
            own = by_id[product.product_id]
            assert product.title == own["title"]
            assert photos.load(row) == (tmp_path / own["images"][0]).read_bytes()
        first = content[pairs[0][0]]
        assert data.products[0].category == first["category"]


@pytest.mark.parametrize("kind", KINDS)
def test_mined_pairs_of_a_catalogue(tmp_path: Path, kind: str) -> None:
    """No labels: all are right. Everything in the catalogue is searched."""
    path = write(
        tmp_path / f"mined.{kind}",
        [{"trigger_id": "p0-red", "recall_id": "p0-blue"}, {"trigger_id": "p1-red", "recall_id": "gone"}],
    )
    with Photos(tmp_path) as photos:
        data = read_pairs(path, photos, shop(tmp_path))
        assert len(data.products) == 18
        assert targets(data) == {"p0-red": {"p0-blue"}}
        assert data.left_out == ["pairs that name a product that is not there: 1 of 2"]


@pytest.mark.parametrize("label", [1, "1", "1.0", 1.0, True, "true"])
def test_what_counts_as_right(tmp_path: Path, label: Any) -> None:
    path = write(tmp_path / "pairs.parquet", published(rows(tmp_path), [(0, 1, label)]))
    with Photos(tmp_path) as photos:
        assert targets(read_pairs(path, photos)) == {"p0-red": {"p0-green"}}


def test_a_pair_is_right_whichever_of_the_two_is_its_trigger(tmp_path: Path) -> None:
    """A mined pair stands once, under either: the other way round it must not count against the model."""
    pairs = [(0, 1, 1), (2, 0, 1), (0, 3, 0)]
    with Photos(tmp_path) as photos:
        data = read_pairs(write(tmp_path / "pairs.csv", published(rows(tmp_path), pairs)), photos)
    ids = [row["product_id"] for row in rows(tmp_path)]
    assert targets(data) == {ids[0]: {ids[1], ids[2]}, ids[2]: {ids[0]}}


def test_ids_stay_text(tmp_path: Path) -> None:
    content = [
        {"trigger_id": "007", "tirgger_title": "a", "recall_id": "7", "recall_title": "b", "label": "1"},
    ]
    with Photos(tmp_path) as photos:
        assert targets(read_pairs(write(tmp_path / "pairs.csv", content), photos)) == {"007": {"7"}}
    numbers = [row | {"trigger_id": 8, "recall_id": 7} for row in content]
    with Photos(tmp_path) as photos:
        assert targets(read_pairs(write(tmp_path / "pairs.parquet", numbers), photos)) == {"8": {"7"}}


def test_products_that_cannot_be_are_counted(tmp_path: Path) -> None:
    content = published(rows(tmp_path), [(0, 1, 1), (2, 3, 1)])
    content[1] |= {"recall_title": "", "recall_img": ""}
    with Photos(tmp_path) as photos:
        data = read_pairs(write(tmp_path / "pairs.csv", content), photos)
    assert data.left_out == [
        "products, because a product needs a title or a photo: 1",
        "pairs that name a product that is not there: 1 of 2",
    ]


def test_addresses_without_a_scheme_are_the_web(tmp_path: Path) -> None:
    content = published(rows(tmp_path), [(0, 1, 1)])
    content[0]["trigger_img"] = "//photos.example/1.jpg"
    with Photos(tmp_path) as photos:
        data = read_pairs(write(tmp_path / "pairs.csv", content), photos)
    assert data.products[0].images == ("https://photos.example/1.jpg",)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"label": "maybe"}, "row 2 has the label 'maybe' .1 such rows.*1 .same style. or 0"),
        ({"label": "2"}, "label '2'"),
        ({"label": ""}, "label ''"),
    ],
)
def test_other_labels_are_refused(tmp_path: Path, change: dict[str, str], says: str) -> None:
    content = published(rows(tmp_path), [(0, 1, 1), (3, 4, 1)])
    content[1] |= change
    with Photos(tmp_path) as photos, pytest.raises(InvalidInput, match=says):
        read_pairs(write(tmp_path / "pairs.csv", content), photos)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([{"trigger_id": "a", "label": 1}], "need a column recall_id"),
        ([{"trigger_id": "a", "recall_id": "b"}], "Give the catalogue they are from as --catalogue"),
        ([{"trigger_id": "a", "recall_id": "b", "recall_title": "x", "label": 0}], "None of the 1 pairs"),
        ([{"trigger_id": "a", "tirgger_title": "y", "recall_id": "b", "recall_title": "x", "label": 0}], "labelled 0"),
        ([{"trigger_id": "a", "tirgger_title": "y", "recall_id": "a", "recall_title": "y"}], "nothing to find"),
    ],
)
def test_nothing_to_ask_for_says_why(tmp_path: Path, content: list[dict[str, Any]], says: str) -> None:
    with Photos(tmp_path) as photos, pytest.raises(InvalidInput, match=says):
        read_pairs(write(tmp_path / "pairs.jsonl", content), photos)


def test_pairs_of_another_catalogue(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.csv", [{"trigger_id": "x", "recall_id": "y"}])
    with Photos(tmp_path) as photos, pytest.raises(InvalidInput, match=r"shop.jsonl.*the right catalogue"):
        read_pairs(path, photos, shop(tmp_path))


def test_a_file_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("trigger_id,recall_id,label\n")
    with Photos(tmp_path) as photos, pytest.raises(InvalidInput, match="no rows"):
        read_pairs(path, photos, shop(tmp_path))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.parquet", b"no parquet"),
        ("a.csv", b""),
        ("a.csv", b"trigger_id,recall_id\n\xff\xfe,b\n"),
        ("a.csv", b"trigger_id,recall_id\na,b,c,d\n"),
        ("a.jsonl", b"{"),
        ("a.jsonl", b"[1]\n"),
        ("a.jsonl", b'{"trigger_id": "a", "recall_id": "b"}\n{"trigger_id": 7}\n'),
        ("a.jsonl", b'{"trigger_id": "a", "recall_id": "b"}\nnot json\n'),
        ("a.jsonl", b"[" * 100_000),
        ("a.jsonl", b"\xff\xfe\0"),
        ("a.xls", b"x"),
    ],
)
def test_files_that_cannot_be_read_say_so(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with Photos(tmp_path) as photos, pytest.raises((InvalidInput, CatalogueInvalid), match=name):
        read_any(path, photos)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(KINDS), st.binary(max_size=200), st.booleans())
def test_no_bytes_are_a_fault(tmp_path: Path, kind: str, content: bytes, headed: bool) -> None:
    path = tmp_path / f"any.{kind}"
    separator = b"\t" if kind == "tsv" else b","
    head = separator.join([b"trigger_id", b"recall_id", b"recall_title"]) + b"\n" if headed else b""
    path.write_bytes(head + content)
    with Photos(tmp_path) as photos, suppress(InvalidInput, CatalogueInvalid):
        read_any(path, photos)


def test_ids_that_look_like_dates_stay_as_they_are(tmp_path: Path) -> None:
    content = b'{"trigger_id": "2024-01-02", "recall_id": "b", "label": 1}\n'
    (tmp_path / "pairs.jsonl").write_bytes(content)
    assert read_rows(tmp_path / "pairs.jsonl") == [{"trigger_id": "2024-01-02", "recall_id": "b", "label": "1"}]


def test_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("trigger_id,recall_id,label,label\na,b,1,0\n")
    with pytest.raises(InvalidInput, match="the same name"):
        read_rows(tmp_path / "pairs.csv")
