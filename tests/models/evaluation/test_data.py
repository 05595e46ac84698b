"""What is read of a catalogue for an evaluation, and what is said of the rest."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalogue.demo import is_held_out
from catalogue.errors import CatalogueInvalid, InvalidInput
from models.evaluation.data import read_catalogue_data
from models.evaluation.photos import Photos
from tests.catalogue.pictures import plain
from tests.catalogue.web import fetcher_of, serving
from tests.models.evaluation.shops import opened, rows, shop, write_jsonl


def test_every_product_with_another_of_its_style_is_asked_for(tmp_path: Path) -> None:
    content = rows(tmp_path)
    content.append({"product_id": "alone", "title": "one of a kind", "style_id": "x"})
    content.append({"product_id": "unknown", "title": "of no style"})
    with opened(shop(tmp_path, content)) as data:
        assert len(data.products) == 20
        assert data.truth.own.tolist() == list(range(18))
        assert data.left_out == [
            "products without a style_id, searched but never asked for: 1",
            "products without a photo: 2",
        ]


def test_gtins_stand_for_styles_where_no_product_has_one(tmp_path: Path) -> None:
    codes = {"s0": "4006381333931", "s1": "9783161484100"}
    content = [row | {"EAN": codes.get(row["style_id"], "none")} for row in rows(tmp_path)]
    for row in content:
        del row["style_id"]
    content[0]["EAN"] = "04006381333931"
    with opened(shop(tmp_path, content)) as data:
        assert data.truth.own.tolist() == list(range(6))
        assert data.styles == ["4006381333931"] * 3 + ["9783161484100"] * 3 + [""] * 12
        assert data.left_out == ["products without a GTIN, searched but never asked for: 12"]
    styled = [{"product_id": name, "title": name, "style_id": "x"} for name in "yz"]
    with opened(shop(tmp_path, content + styled)) as data:
        assert data.truth.own.tolist() == [18, 19]


def test_held_out_styles_are_asked_for_among_all(tmp_path: Path) -> None:
    with opened(shop(tmp_path, rows(tmp_path, styles=12)), held_out=True) as data:
        assert len(data.products) == 36
        asked = {data.products[row].style_id for row in data.truth.own.tolist()}
        assert asked == {f"s{style}" for style in range(12) if is_held_out(f"s{style}")}
        assert 0 < len(asked) < 12


def test_bad_rows_and_repeated_ids_are_counted(tmp_path: Path) -> None:
    content = rows(tmp_path)
    content += [content[0], {"product_id": "", "title": "x"}, {"product_id": "no-title"}]
    with opened(shop(tmp_path, content)) as data:
        assert len(data.products) == 18
        assert data.left_out == [
            "rows that repeat a product_id; the first one is kept: 1",
            "rows that cannot be used: 2",
        ]


def without(*names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda row: {name: value for name, value in row.items() if name not in names}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without("style_id"), "no product has a style_id or a GTIN.*--catalogue"),
        (lambda row: row | {"style_id": row["product_id"]}, "no two products share a style_id"),
        (without("product_id"), "no product that can be used"),
        (without("title", "images"), "no product that can be used"),
    ],
)
def test_nothing_to_ask_for_says_why(
    tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any]], says: str
) -> None:
    catalogue = shop(tmp_path, [change(row) for row in rows(tmp_path)])
    with pytest.raises(InvalidInput, match=says), opened(catalogue):
        pass


def test_no_held_out_style(tmp_path: Path) -> None:
    content = [row for row in rows(tmp_path) if not is_held_out(row["style_id"])]
    with pytest.raises(InvalidInput, match="Leave --held-out out"), opened(shop(tmp_path, content), held_out=True):
        pass


def test_a_missing_catalogue(tmp_path: Path) -> None:
    with pytest.raises(CatalogueInvalid, match="no such file"), opened(tmp_path / "none.jsonl"):
        pass


def test_photos_come_from_bytes_files_and_the_web(tmp_path: Path) -> None:
    brought, filed = plain(), plain(size=(40, 40))
    (tmp_path / "b.jpg").write_bytes(filed)
    with serving() as web, Photos(tmp_path, fetcher_of(web)) as photos:
        photos.add(0, brought)
        photos.add(1, "b.jpg")
        photos.add(2, f"{web.url}/a.jpg")
        assert [photos.load(row) for row in (0, 1, 3)] == [brought, filed, None]
        assert photos.load(2) == photos.load(2) == plain()
        assert web.asked == ["/a.jpg"]  # once
        assert [row in photos for row in range(4)] == [True, True, True, False]


def test_a_photo_that_is_refused_is_gone(tmp_path: Path) -> None:
    with Photos(tmp_path) as photos:
        photos.add(0, "nowhere.jpg")
        with pytest.raises(InvalidInput, match=re.escape("nowhere.jpg")) as raised:
            photos.load(0)
        photos.refuse(0, raised.value)
        assert 0 not in photos
        assert photos.load(0) is None
        assert "nowhere.jpg" in photos.problems[0]


def test_photos_in_parquet(tmp_path: Path) -> None:
    content = [
        {"product_id": f"p{row}", "style_id": "s", "title": "x", "image_jpeg": plain(size=(16 + row, 16))}
        for row in range(3)
    ]
    pq.write_table(pa.Table.from_pylist(content), tmp_path / "shop.parquet")
    with Photos(tmp_path) as photos:
        read_catalogue_data(tmp_path / "shop.parquet", photos)
        assert [photos.load(row) for row in range(3)] == [row["image_jpeg"] for row in content]


def test_an_empty_catalogue(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no product"), opened(write_jsonl(tmp_path / "a.jsonl", [])):
        pass
