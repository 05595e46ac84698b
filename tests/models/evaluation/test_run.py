"""A bundle measured on a small shop, on the stand-in encoders."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalogue.errors import InvalidInput
from models import StandInEncoders
from models.evaluation import MODE_PAIRS, Scores, embed_modes, evaluate
from models.evaluation.composed import read_triplets
from models.evaluation.data import EvaluationData
from models.evaluation.pairs import read_pairs
from models.evaluation.photos import Photos
from models.evaluation.report import BundleFigures, as_json, gains
from models.evaluation.run import Measured, Options, measure
from tests.catalogue.web import fetcher_of, serving
from tests.models.evaluation.shops import COLOURS, opened, rows, shop
from tests.models.evaluation.test_pairs import published, write


def columns(data: EvaluationData) -> tuple[list[bytes | None], list[str], list[str]]:
    encoders = StandInEncoders()
    return (
        [data.photos.load(row) for row in range(len(data.products))],
        [encoders.product_text(product) for product in data.products],
        [product.style_id or "" for product in data.products],
    )


def test_nine_modes_are_those_of_the_vectors(tmp_path: Path) -> None:
    with opened(shop(tmp_path)) as data:
        found = measure(StandInEncoders(), data)
        photos, texts, styles = columns(data)
    vectors = embed_modes(StandInEncoders(), photos, texts)
    assert found.modes == evaluate(vectors, vectors, styles)
    assert set(found.modes) == set(MODE_PAIRS)
    assert found.worst == {}


def test_the_two_sides_may_be_read_differently(tmp_path: Path) -> None:
    with opened(shop(tmp_path)) as data:
        encoders = StandInEncoders(dim=2048)  # so that no two words share a number
        one = measure(encoders, data, Options(query_text="{title}, {category}", gallery_text="{title}"))
        other = measure(encoders, data, Options(query_text="{title}", gallery_text="{description}"))
    assert one.texts[0][0] == "plate0 made of clay, Bowls"
    assert one.texts[1][0] == "plate0 made of clay"
    assert one.modes["t-t"].recall[1] == 1  # a word that only the style has
    assert other.modes["t-t"].mrr < 0.5  # no word in common
    assert other.modes["i-i"] == one.modes["i-i"]


def test_attributes_may_be_asked_for_whatever_their_case(tmp_path: Path) -> None:
    with opened(shop(tmp_path)) as data:
        found = measure(StandInEncoders(), data, Options(query_text="{Colour} {title}"))
    assert found.texts[0][1] == "green plate0 made of clay"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (Options(query_text="{size}"), r"--query-text asks for \{size\}, which no product has.*colour.*title"),
        (Options(gallery_text="no field"), "--gallery-text 'no field' has no field"),
        (Options(same_photo="picture"), "--same-photo-column picture: no product has it.*photo_id"),
        (Options(same_text="words"), "--same-text-column words: no product has it"),
    ],
)
def test_what_no_product_has_is_said(tmp_path: Path, options: Options, says: str) -> None:
    with opened(shop(tmp_path)) as data, pytest.raises(InvalidInput, match=says):
        measure(StandInEncoders(), data, options)


def test_the_same_photo_gives_nothing_away(tmp_path: Path) -> None:
    """Every style shares its photo id here: nothing is left for queries with a photo."""
    with opened(shop(tmp_path)) as data:
        found = measure(StandInEncoders(), data, Options(same_photo="photo_id"))
    assert set(found.modes) == {"t-i", "t-t", "t-m"}
    assert all("photo" not in text for text in found.texts[0])
    assert found.fusion == {}


def test_the_same_text_gives_nothing_away(tmp_path: Path) -> None:
    content = rows(tmp_path)
    for row in content[::3]:
        row["title"] += " and glass"
    with opened(shop(tmp_path, content)) as data:
        found = measure(StandInEncoders(), data, Options(same_text="title"))
    assert set(found.modes) == set(MODE_PAIRS)
    assert found.modes["i-i"].queries == found.modes["t-t"].queries == 18
    # m-m is compared on its own terms: products of the same title are hidden from the photo alone too
    assert found.fusion["late fusion"].queries == 18


def test_fusion_is_compared_on_the_queries_and_products_of_m_m(tmp_path: Path) -> None:
    content = rows(tmp_path)
    content[0]["images"] = []
    for row in content[3:6]:
        row["title"], row["description"], row["category"] = "", "", ""
    for row in content[3:6]:
        row.pop("colour")
        row.pop("photo_id")
    with opened(shop(tmp_path, content)) as data:
        found = measure(StandInEncoders(), data)
    assert found.modes["i-i"].queries == 17
    assert found.modes["t-t"].queries == 15
    assert {gain.queries for gain in found.fusion.values()} == {14}
    assert found.fusion["late fusion"].mrr == 0  # the stand-in puts both side by side, which is that
    assert len(found.fusion) == 2


def test_poor_photos_are_asked_with_and_not_searched(tmp_path: Path) -> None:
    with opened(shop(tmp_path)) as data:
        found = measure(StandInEncoders(), data, Options(poor_photos=True))
    assert set(found.poor) == {"i-i", "i-t", "i-m", "m-i", "m-t", "m-m"}
    assert found.poor["i-i"].mrr != found.modes["i-i"].mrr
    assert found.modes["t-t"].recall[1] == 1


@pytest.mark.parametrize(
    ("change", "pairs"),
    [
        (lambda row: {**row, "images": []}, {"t-t"}),
        (lambda row: {name: row[name] for name in ("product_id", "style_id", "images")}, {"i-i"}),
    ],
)
def test_what_there_is_is_evaluated(tmp_path: Path, change: Any, pairs: set[str]) -> None:
    with opened(shop(tmp_path, [change(row) for row in rows(tmp_path)])) as data:
        found = measure(StandInEncoders(), data, Options(worst=3, poor_photos=True))
        assert set(found.modes) == pairs
        assert found.fusion == {}
        assert data.left_out in (["products without a photo: 18"], ["products without a title: 18"])


def test_a_photo_that_cannot_be_used_is_left_out(tmp_path: Path) -> None:
    content = rows(tmp_path)
    (tmp_path / content[4]["images"][0]).write_bytes(b"no photo")
    content[5]["images"] = ["nowhere.jpg"]
    with opened(shop(tmp_path, content)) as data:
        found = measure(StandInEncoders(), data, Options(poor_photos=True))
        again = measure(StandInEncoders(), data, Options(poor_photos=True))
        assert sorted(data.photos.problems) == [4, 5]
    assert found.modes["i-i"].queries == 15  # the third of that style has nobody left
    assert found.modes["t-t"].queries == 18
    assert again.modes == found.modes


def test_categories_share_out_the_queries(tmp_path: Path) -> None:
    with opened(shop(tmp_path)) as data:
        one, two = (measure(StandInEncoders(), data, Options(category_level=level)) for level in (1, 2))
    assert list(one.categories) == ["Home"]
    assert one.categories["Home"]["m-m"] == one.modes["m-m"]
    assert list(two.categories) == ["Home > Bowls", "Home > Plates"]
    assert sum(scores["m-m"].queries for scores in two.categories.values()) == 18


def triplets_of(folder: Path) -> Path:
    content = [
        {"reference_id": f"p{style}-{one}", "target_id": f"p{style}-{other}", "words": other}
        for style in range(6)
        for one in COLOURS
        for other in COLOURS
        if one != other
    ]
    return write(folder / "triplets.csv", content)


def test_the_composed_task(tmp_path: Path) -> None:
    """Photo and words: the colour comes from the words, and the gallery's texts name it."""
    with opened(shop(tmp_path)) as data:
        triplets = read_triplets(triplets_of(tmp_path), "{words}", data)
        found = measure(StandInEncoders(), data, Options(gallery_text="{colour}"), triplets=triplets)
        photos, _, _ = columns(data)
    texts = [product.attributes["colour"] for product in data.products]
    encoders = StandInEncoders()
    gallery = embed_modes(encoders, photos, texts)["m"]
    queries = {
        "photo and words": embed_modes(encoders, [photos[row] for row in triplets.references], triplets.words)["m"],
        "photo alone": embed_modes(encoders, [photos[row] for row in triplets.references], triplets.words)["i"],
        "words alone": embed_modes(encoders, photos[:1] * 36, triplets.words)["t"],
    }
    targets = triplets.truth.right(np.arange(36)).argmax(axis=1)
    for name, vectors in queries.items():
        scores = vectors @ gallery.T
        scores[np.arange(36), triplets.references] = -np.inf
        ranks = (scores >= scores[np.arange(36), targets][:, None] - 1e-6).sum(axis=1)
        assert found.composed[name].mrr == pytest.approx(np.mean(1 / ranks), abs=1e-6)
    both = found.composed["photo and words"].mrr
    for name in ("photo alone", "words alone"):
        assert found.composed_gain[name].mrr == pytest.approx(both - found.composed[name].mrr)
    assert both > found.composed["photo alone"].mrr


def test_pairs_are_measured_too(tmp_path: Path) -> None:
    content = rows(tmp_path)
    pairs = [(at, at + 1, 1) for at in range(0, 18, 3)] + [(0, 3, 0)]
    path = write(tmp_path / "pairs.csv", published(content, pairs))
    with Photos(tmp_path) as photos:
        data = read_pairs(path, photos)
        found = measure(StandInEncoders(), data, Options(worst=2))
    assert found.modes["t-t"].queries == 6
    assert found.modes["t-t"].recall[1] == 1
    assert set(found.modes) == set(MODE_PAIRS)


def test_photos_of_pairs_come_from_the_web(tmp_path: Path) -> None:
    with serving() as web, Photos(tmp_path, fetcher_of(web)) as photos:
        content = published(rows(tmp_path, styles=2), [(0, 1, 1), (3, 4, 1)])
        for row in content:
            row["trigger_img"] = f"{web.url}/a.jpg"
        content[1]["recall_img"] = f"{web.url}/nothing"
        found = measure(StandInEncoders(), read_pairs(write(tmp_path / "pairs.csv", content), photos))
        assert sorted(web.asked) == ["/a.jpg", "/a.jpg", "/nothing"]
        assert "answered 404" in photos.problems[3]
    assert found.modes["i-i"].queries == 1
    assert found.modes["t-t"].queries == 2


def test_worst_cases_are_the_highest_ranks_one_of_each_style(tmp_path: Path) -> None:
    with opened(shop(tmp_path)) as data:
        found = measure(StandInEncoders(), data, Options(worst=4))
    for pair, cases in found.worst.items():
        ranks = [case.rank for case in cases]
        assert ranks == sorted(ranks, reverse=True)
        assert len(cases) <= 4
        assert len({data.truth.clusters[case.query] for case in cases}) == len(cases)
        if cases:
            assert ranks[0] == found.ranks[pair].max()
        assert all(case.rank > 1 for case in cases)
    assert found.worst["t-t"] == []
    assert found.worst["i-t"]


def figures(measured: Measured, label: str = "one") -> BundleFigures:
    return BundleFigures(label, "/there", "f" * 64, "cpu", "Apache-2.0", measured)


def test_bundles_side_by_side(tmp_path: Path) -> None:
    with opened(shop(tmp_path)) as data:
        one, same, other = (measure(StandInEncoders(dim=dim), data) for dim in (128, 128, 64))
    zero = gains(data, one, same)
    assert set(zero) == set(MODE_PAIRS)
    assert all((gain.mrr, gain.mrr_interval) == (0, (0, 0)) for gain in zero.values())
    gain = gains(data, one, other)["t-t"]
    assert gain.mrr == pytest.approx(other.modes["t-t"].mrr - one.modes["t-t"].mrr)
    report = as_json(data, [], [figures(one), figures(other, "two")])
    assert report["compared_with_first"][0]["bundle"] == "two"
    assert report["compared_with_first"][0]["modes"]["t-t"]["mrr"]["value"] == round(gain.mrr, 4)
    assert report["queries"] == 18
    assert report["bundles"][0]["modes"]["m-m"]["recall@1"]["value"] == round(one.modes["m-m"].recall[1], 4)
    assert isinstance(one.modes["m-m"], Scores)
