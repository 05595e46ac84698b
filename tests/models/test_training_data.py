"""What is trained on, as far as it needs no PyTorch."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalogue.errors import CatalogueInvalid, InvalidInput
from catalogue.gtin import check_digit
from models.evaluation.data import read_catalogue_data
from models.evaluation.photos import Photos
from models.training.config import DataConfig, Source
from models.training.data import Corpus, kept_products, read_corpus
from models.training.pairs import pair_rows, read_pairs
from tests.models.shops import draw, write_shop

NUMBERS = {name: number for number, name in enumerate("abcdef")}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        separator = "\t" if path.suffix == ".tsv" else ","
        lines = [separator.join(rows[0]), *(separator.join(map(str, row.values())) for row in rows)]
        path.write_text("\n".join(lines) + "\n")
    return path


def test_ids_in_csv_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("trigger_id,recall_id,weight\n007,2024-01-02,3\n1e3,b,0\n")
    assert list(pair_rows(tmp_path / "pairs.csv")) == [("007", "2024-01-02", None, 3.0)]


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_triplets_are_pairs_and_what_is_not_like_them(tmp_path: Path, kind: str) -> None:
    rows = [("a", "b", "c"), ("a", "b", "d"), ("b", "a", "x"), ("e", "f", "e"), ("c", "d", "a")]
    names = ("anchor_id", "positive_id", "negative_id")
    path = write(tmp_path / f"triplets.{kind}", [dict(zip(names, row, strict=True)) for row in rows])
    pairs = read_pairs(path, NUMBERS)
    assert pairs.items.tolist() == [[0, 1], [0, 1], [1, 0], [4, 5], [2, 3]]
    assert pairs.negatives == {0: [2, 3], 2: [0]}
    assert pairs.unknown == 1


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_what_is_labelled_0_is_not_alike(tmp_path: Path, kind: str) -> None:
    rows = [("a", "b", 1), ("a", "c", 0), ("b", "d", 0), ("d", "b", 1), ("x", "y", 0)]
    path = write(
        tmp_path / f"pairs.{kind}", [{"trigger_id": a, "recall_id": b, "label": label} for a, b, label in rows]
    )
    pairs = read_pairs(path, NUMBERS)
    assert pairs.items.tolist() == [[0, 1], [3, 1]]
    assert pairs.negatives == {0: [2]}  # b and d are said to be alike elsewhere
    assert pairs.unknown == 1


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"trigger": "a", "recall": "b"}], "needs the columns trigger_id and recall_id"),
        ([{"anchor": "a", "positive": "b"}], "there are anchor, positive"),
        ([{"trigger_id": "x", "recall_id": "y"}], "none of its 1 pairs has both products"),
        ([{"trigger_id": "a", "recall_id": "b", "weight": 0}], "no row that weighs anything"),
        ([{"trigger_id": "a", "recall_id": "b", "weight": "much"}], "weight a number"),
        ([{"trigger_id": "a", "recall_id": "b", "label": "maybe"}], "row 1 has the label 'maybe'"),
        ([{"trigger_id": "a", "recall_id": "b", "label": 0}], "no row says which two"),
        ([{"trigger_id": "a", "recall_id": "a"}], "no row says which two"),
    ],
)
def test_says_what_is_wrong_with_pairs(tmp_path: Path, rows: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(CatalogueInvalid, match=says):
        read_pairs(write(tmp_path / "pairs.csv", rows), NUMBERS)


def corpus(tmp_path: Path, pairs: Path | None = None, **changes: Any) -> Corpus:
    path = changes.pop("path", tmp_path / "shop.parquet")
    if not path.exists():
        write_shop(path, **changes)
    return read_corpus(DataConfig(catalogues=(Source(path=path),), pairs=pairs, cache_side=16), tmp_path / "work")


def test_pairs_of_styles_that_are_kept_or_the_same_teach_nothing(tmp_path: Path) -> None:
    names = [f"p{style}-{number}" for style in range(16) for number in range(3)]
    rows = [
        {"anchor": a, "positive": b, "negative": c}
        for a, b, c in zip(names, names[1:] + names[:1], names[2:] + names[:2], strict=True)
    ]
    made = corpus(tmp_path, write(tmp_path / "triplets.csv", rows))
    trained = {item for members in made.styles.values() for item in members}
    assert made.dev
    assert set(made.pairs.items.ravel().tolist()) <= trained
    assert made.pairs.negatives
    assert 0 < made.pairs.left_out == len(rows) - len(made.pairs.items)
    assert f"{made.pairs.left_out} pairs touch products that are kept apart." in made.summary
    for item, others in made.pairs.negatives.items():
        assert {item, *others} <= trained
        assert all(made.items[item].style != made.items[other].style for other in others)


def ean(number: int) -> str:
    digits = f"40063813{number:04}"
    return f"{digits}{check_digit(digits + '0')}"


@pytest.mark.parametrize("by", ["style_id", "EAN"])
def test_what_evaluation_holds_out_is_neither_trained_on_nor_chosen_by(tmp_path: Path, by: str) -> None:
    write_shop(tmp_path / "whole.parquet", styles=16)
    whole = pq.read_table(tmp_path / "whole.parquet").to_pylist()
    if by == "EAN":
        whole = [row | {"style_id": None, "EAN": ean(int(row["style_id"][1:]))} for row in whole]
    path = write(tmp_path / "shop.parquet", whole)
    pairs = [{"trigger_id": one["product_id"], "recall_id": other["product_id"]} for one, other in pairwise(whole)]
    config = DataConfig(
        catalogues=(Source(path=path),),
        pairs=write(tmp_path / "pairs.csv", pairs),
        dev_share=0.3,
        cache_side=16,
        held_out=True,
    )
    made = read_corpus(config, tmp_path / "work")
    with Photos(tmp_path) as photos:
        data = read_catalogue_data(path, photos, held_out=True)
    asked = {data.products[row].product_id for row in data.truth.own.tolist()}
    used = {item for members in made.styles.values() for item in members} | {item for item, _ in made.dev}
    assert made.dev
    assert asked
    assert len(asked) + len(used) == len(whole)
    assert not asked & {made.items[item].product.product_id for item in used | set(made.pairs.items.ravel().tolist())}
    assert not asked & {kept.product.product_id for kept in kept_products(config)}


def test_nothing_can_be_held_out_of_pairs_alone(tmp_path: Path) -> None:
    rows = [{"product_id": name, "title": f"thing {name}"} for name in "abcd"]
    config = DataConfig(
        catalogues=(Source(path=write(tmp_path / "shop.csv", rows)),),
        pairs=write(tmp_path / "pairs.csv", [{"trigger_id": "a", "recall_id": "b"}]),
        held_out=True,
    )
    with pytest.raises(CatalogueInvalid, match="no styles can be held out"):
        read_corpus(config, tmp_path / "work")


def test_a_file_of_pairs_with_their_products_is_a_catalogue_too(tmp_path: Path) -> None:
    names = ("cate_lv1_name", "cate_name", "trigger_id", "tirgger_title", "recall_id", "recall_title", "trigger_img",
             "recall_img", "label")  # fmt: skip
    for style in range(4):
        (tmp_path / f"{style}.jpg").write_bytes(draw(style, "red"))
    rows = [
        ("Shapes", "round", f"t{style}", f"thing {style}", f"r{other}", f"another {other}", f"{style}.jpg", "gone.jpg",
         int(style == other))
        for style in range(4) for other in range(4)
    ]  # fmt: skip
    path = write(tmp_path / "published.csv", [dict(zip(names, row, strict=True)) for row in rows])
    made = corpus(tmp_path, path, path=path)
    assert len(made.items) == 8
    assert made.items[0].product.category == "Shapes > round"
    assert sum(item.photo >= 0 for item in made.items) == 4  # the others' photos are not there
    assert len(made.pairs.items) + len(made.dev) // 2 == 4
    assert all(len(others) == 3 for others in made.pairs.negatives.values())


def test_a_photo_that_cannot_be_used_is_none(tmp_path: Path) -> None:
    write_shop(tmp_path / "whole.parquet", styles=4)
    rows = pq.read_table(tmp_path / "whole.parquet").to_pylist()
    path = write(tmp_path / "shop.parquet", [row | {"image_jpeg": b"no photo"} for row in rows[:6]] + rows[6:])
    made = corpus(tmp_path, path=path)
    assert [item.photo >= 0 for item in made.items] == [False] * 6 + [True] * 6
    every = DataConfig(catalogues=(Source(path=path),), dev_share=1, cache_side=16)
    assert [item.photo is not None for item in kept_products(every)] == [False] * 6 + [True] * 6


def test_gtins_are_styles_and_what_belongs_to_the_listing_is_not_told(tmp_path: Path) -> None:
    write_shop(tmp_path / "whole.parquet", styles=4)
    rows = pq.read_table(tmp_path / "whole.parquet").to_pylist()
    codes = {"s0": "4006381333931", "s1": "9783161484100", "s2": "0036000291452"}
    listed = [row | {"EAN": codes.get(row["style_id"], "none"), "SKU": str(at)} for at, row in enumerate(rows)]
    named, numbered = (
        read_corpus(DataConfig(catalogues=(Source(path=path),), cache_side=16, dev_share=0), tmp_path / path.stem)
        for path in (
            write(tmp_path / "named.parquet", listed),
            write(tmp_path / "numbered.parquet", [row | {"style_id": None} for row in listed]),
        )
    )
    assert [len(members) for members in named.styles.values()] == [3] * 4
    assert [len(members) for members in numbered.styles.values()] == [3] * 3 + [1] * 3
    assert not {"EAN", "SKU"} & {name for item in named.items for name in item.product.attributes}


def test_says_which_catalogue_is_not_there(tmp_path: Path) -> None:
    with pytest.raises((CatalogueInvalid, InvalidInput), match="no such file"):
        read_corpus(DataConfig(catalogues=(Source(path=tmp_path / "gone.parquet"),)), tmp_path / "work")
    assert not (tmp_path / "work").exists()
