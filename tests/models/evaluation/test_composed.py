"""Triplets: the photo of a reference and words for what should differ."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalogue.errors import InvalidInput
from models.evaluation.composed import read_triplets
from tests.models.evaluation.shops import opened, shop
from tests.models.evaluation.test_pairs import KINDS, write

WORDS = "{target_colour} {target_pattern?}"


def triplet(reference: str, target: str, **more: str) -> dict[str, Any]:
    row = {"reference_colour": "Red", "target_colour": "Green", "reference_pattern": "Solid", "target_pattern": "Solid"}
    return {"reference_id": reference, "target_id": target} | row | more


@pytest.mark.parametrize("kind", KINDS)
def test_words_name_what_differs(tmp_path: Path, kind: str) -> None:
    content = [
        triplet("p0-red", "p0-green"),
        triplet("p0-red", "p0-blue", target_colour="Blue", target_pattern="Dots"),
        triplet("p1-red", "gone"),
        triplet("p2-red", "p2-red"),
    ]
    with opened(shop(tmp_path)) as data:
        found = read_triplets(write(tmp_path / f"t.{kind}", content), WORDS, data)
    assert found.words == ["Green", "Blue Dots"]
    assert found.references == [0, 0]
    assert np.argwhere(found.truth.right(np.arange(2))).tolist() == [[0, 1], [1, 2]]
    assert found.truth.clusters.tolist() == [0, 0]  # one style
    assert found.left_out == [
        "triplets that name a product that is not there: 1 of 4",
        "triplets without words or of one product: 1 of 4",
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("{words}", "need a column words .for the words; see --words.; there are reference_id"),
        ("{colour?}", "must begin with target_"),
        ("{target_size}", "need a column target_size"),
        ("white", "has no field"),
        ("{target_colour", "cannot be read"),
        ("{target_colour:>9}", "without a format"),
        ("{}", "has no field"),
    ],
)
def test_wrong_words_say_what_to_do(tmp_path: Path, words: str, says: str) -> None:
    path = write(tmp_path / "t.csv", [triplet("p0-red", "p0-green")])
    with opened(shop(tmp_path)) as data, pytest.raises(InvalidInput, match=says):
        read_triplets(path, words, data)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([{"reference_id": "p0-red", "words": "x"}], "need a column target_id"),
        ([{"reference_id": "x", "target_id": "y", "words": "x"}], "names two products that are there"),
        ([{"reference_id": "p0-red", "target_id": "p0-red", "words": "x"}], "two different products"),
        ([{"reference_id": "p0-red", "target_id": "p0-green", "words": " "}], "has words"),
    ],
)
def test_no_triplet_left_says_why(tmp_path: Path, content: list[dict[str, str]], says: str) -> None:
    with opened(shop(tmp_path)) as data, pytest.raises(InvalidInput, match=says):
        read_triplets(write(tmp_path / "t.csv", content), "{words}", data)
