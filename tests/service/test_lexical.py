"""What a query's words find in what products say."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from catalogue.words import words_of
from index import Change, Filters, LiveIndex, LiveView
from index.words import numbers_of
from service import lexical
from service.lexical import ALONE, BESIDE, MOST, READ, looked_for, order, shares
from service.query import Query
from service.ranking import Ranked, Scope, Term, Words, rank
from tests.index.builders import FINGERPRINT, build, item, reopen, unit_rows
from tests.index.test_live_view import in_order
from tests.service.conftest import shop_of_titles
from tests.service.test_api_search import search


def numbers(words: str) -> tuple[int, ...]:
    return tuple(numbers_of(words.split()).tolist())


def ordered(likeness: list[float], *texts: str, words: str = "owl mug", alone: bool = True) -> list[int]:
    """The order of some hits that say some texts, in brackets what they say in passing."""
    asked = list(words_of(words))
    anywhere = np.array([[word in words_of(text) for text in texts] for word in asked], np.bool_)
    first = np.array([[word in words_of(text.split("(")[0]) for text in texts] for word in asked], np.bool_)
    return order(np.array(likeness, np.float32), (ALONE if alone else BESIDE) * shares(anywhere, first), alone=alone)


class TestOrder:
    def test_the_word_that_few_say_counts_most(self) -> None:
        assert ordered([0.9, 0.8, 0.75, 0.7, 0.1], "fox mug", "mug", "owl cup", "owl mug", "bolt") == [3, 2, 0, 1, 4]

    def test_likeness_counts_where_words_tell_nothing(self) -> None:
        assert ordered([0.9, 0.8, 0.7], *["owl mug"] * 3) == [0, 1, 2]
        assert ordered([0.9, 0.8, 0.7], *["fox"] * 3) == [0, 1, 2]
        assert ordered([0.9, 0.9, 0.9], "fox", "owl", "fox") == [1, 0, 2]

    def test_a_word_that_none_says_weighs_nothing(self) -> None:
        for words in ("owl mug", "zebra yak gnu owl mug"):
            assert ordered([0.9, 0.5, 0.1], "mug", "owl", "fox", words=words) == [0, 1, 2]
            assert ordered([0.9, 0.7, 0.1], "cup", "owl", "fox", words=words) == [1, 0, 2]

    def test_beside_a_photo_what_is_like_it_comes_first_that_says_them(self) -> None:
        said = ("fox mug", "fox mug", "owl mug", "owl mug", "bolt")
        assert ordered([0.9, 0.8, 0.7, 0.3, 0.1], *said) == [2, 3, 0, 1, 4]
        assert ordered([0.9, 0.8, 0.7, 0.3, 0.1], *said, alone=False) == [2, 0, 1, 3, 4]

    def test_in_passing_it_counts_less_unless_nobody_says_it_foremost(self) -> None:
        assert ordered([0.9, 0.8, 0.7], "washer (owl mug)", "owl mug", "bolt") == [1, 0, 2]
        assert ordered([0.9, 0.8, 0.7], "bolt", "washer (owl mug)", "bolt") == [1, 0, 2]

    def test_who_says_all_comes_before_who_is_nearest_and_says_nothing(self) -> None:
        assert ordered([0.9, 0.8, 0.1], "bolt", "bolt", "bolt (mug)", words="mug") == [2, 0, 1]

    def test_of_nothing_and_of_one(self) -> None:
        assert ordered([]) == []
        assert ordered([0.5], "owl") == [0]

    @given(st.lists(st.tuples(st.floats(-1, 1, width=32), st.sampled_from(["owl", "mug", "owl mug", ""])), max_size=30))
    def test_each_once_and_who_says_more_never_behind_who_is_no_nearer(self, hits: list[tuple[float, str]]) -> None:
        hits.sort(key=lambda hit: -hit[0])
        places = ordered([score for score, _ in hits], *(said for _, said in hits))
        assert sorted(places) == list(range(len(hits)))
        for one, two in pairwise(places):
            assert one < two or set(hits[one][1].split()) - set(hits[two][1].split())


@pytest.fixture(scope="module")
def titled(tmp_path_factory: pytest.TempPathFactory) -> LiveView:
    titles = ["owl mug", "owl cup", "striped cushion", "cushion cover", "light bulb", "sauce pan", "hex bolt m6"]
    products = [item(f"p{number}", title=title) for number, title in enumerate(titles)]
    return LiveIndex(reopen(build(tmp_path_factory.mktemp("said"), products=products))).view


class TestLookedFor:
    @pytest.mark.parametrize(
        ("query", "words", "alone", "weight"),
        [
            (Query(text="owl mugs"), "owl mug", True, ALONE),
            (Query(image=b"x", text="owl"), "owl", False, BESIDE),
            (Query(product_id="p", text="owl"), "owl", False, BESIDE),
            (Query(image=b"x", text="owl", weights={"image": 0.9, "text": 0.1}), "owl", False, 0.2 * BESIDE),
            (Query(image=b"x", text="owl", weights={"image": 0.3, "text": 0.7}), "owl", False, BESIDE),
            (Query(image=b"x", text="owl", weights={"image": 0.5, "fused": 0.5}), "owl", False, BESIDE),
            (Query(image=b"x", text="owl", weights={"text": 1.0, "image": 0.0}), "owl", True, ALONE),
            (Query(image=b"x", text="owl", weights={"image": 1.0}), None, False, 0.0),
            (Query(image=b"x", text="owl", weights={"image": 1.0, "text": -0.5}), None, False, 0.0),
            (Query(text="the ..."), None, False, 0.0),
            (Query(product_id="p"), None, False, 0.0),
            (Query(text="mug without owls"), "mug", True, ALONE),
            (Query(text="Mug without any owls, ohne striped"), "mug", True, ALONE),
            (Query(text="striped-without mug"), "striped without mug", True, ALONE),
            (Query(text="non owl"), "non owl", True, ALONE),
            (Query(text="without owl"), None, False, 0.0),
            (Query(text="striped cushoin"), "striped cushion", True, ALONE),
            (Query(text="cusion lightbulb"), "cushion light bulb", True, ALONE),
            (Query(text="cushio strpied cushyon ucshion"), "cushion striped", True, ALONE),
            (Query(text="saucepans"), "sauce pan", True, ALONE),
            (Query(text="xowl mgu m7 unicorn pauce"), "xowl mgu m 7 unicorn pauce m7", True, ALONE),
            (Query(text=f"{'l' * 25} {'strip' * 9}"), f"{'l' * 25} {'strip' * 9}", True, ALONE),
        ],
    )
    def test_which_words(self, titled: LiveView, query: Query, words: str | None, alone: bool, weight: float) -> None:
        found = looked_for(query, titled)
        if words is None:
            assert found is None
        else:
            assert found is not None
            assert (found.said, found.alone) == (numbers(words), alone)
            assert found.weight == pytest.approx(weight)

    def test_those_not_wanted(self, titled: LiveView) -> None:
        asked = Query(text="owl mug", negatives=["stripde mug", "p1", "p77"])
        assert looked_for(asked, titled) == Words(numbers("owl mug"), True, ALONE, numbers("striped p 77 p77"))
        asked = Query(text="owl mug", negatives=["owl"])
        assert looked_for(asked, titled) == Words(numbers("mug"), True, ALONE, numbers("owl"))
        assert looked_for(Query(text="owl mug", negatives=["mug owl"]), titled) is None

    def test_what_is_said_no_more_is_mistyped(self, tmp_path: Path) -> None:
        products = [item(name, title=title) for name, title in (("one", "cushion"), ("two", "cushoin"))]
        index = LiveIndex(reopen(build(tmp_path, products=products)))
        assert looked_for(Query(text="cushoin"), index.view) == Words(numbers("cushoin"), True, ALONE)
        index.apply(in_order([Change.delete("two")]))
        assert looked_for(Query(text="cushoin"), index.view) == Words(numbers("cushion"), True, ALONE)
        vector = {FINGERPRINT: {"fusion": unit_rows(1)[0]}}
        index.apply(in_order([Change.upsert(item("three", title="cushoin"), vector)], 2))
        assert looked_for(Query(text="cushoin"), index.view) == Words(numbers("cushoin"), True, ALONE)

    def test_no_more_than_so_many(self, titled: LiveView) -> None:
        found = looked_for(Query(text=" ".join(f"{'w' * number}" for number in range(1, 100))), titled)
        assert found is not None
        assert len(found.said) == MOST

    def test_of_a_snapshot_without_words(self, tmp_path: Path) -> None:
        snapshot = reopen(build(tmp_path))
        snapshot.products.words = None
        assert looked_for(Query(text="cushion"), LiveIndex(snapshot).view) is None


BOLTS = 360
SAY = range(7, BOLTS, 25)
"""Bolts whose description says zinc, which no vector knows; the last ones are not among the nearest."""


@contextmanager
def made(folder: Path) -> Iterator[TestClient]:
    """Their vectors are of their titles alone, which are less and less like "hex bolt"."""
    rows = [
        {
            "product_id": f"b{number:03d}",
            "supplier_id": f"s{number % 5}",
            "title": "hex bolt" + " thing" * (number // 13),
            "description": "Zinc plated." if number in SAY else "",
        }
        for number in range(BOLTS)
    ]
    with shop_of_titles(folder, rows) as api:
        yield api


@pytest.fixture(scope="module")
def bolts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with made(tmp_path_factory.mktemp("bolts")) as api:
        yield api


class TestSearches:
    def test_what_says_the_words_comes_first(self, bolts: TestClient) -> None:
        found = search(bolts, text="hex bolt zinc", k=30)["hits"]
        saying = [hit for hit in found if int(hit["product_id"][1:]) in SAY]
        assert {int(hit["product_id"][1:]) for hit in saying} == set(SAY)
        assert found[:12] == saying[:12]
        assert all(hit["words_said"] == 1 for hit in saying)
        assert all(0 <= hit["words_said"] < 1 for hit in found if hit not in saying)
        scores = [hit["score"] for hit in saying]
        assert scores == sorted(scores, reverse=True)
        assert search(bolts, text="hex bolt", k=BOLTS)["hits"][READ]["score"] > scores[-1]

    def test_filters_and_the_least_score_hold_for_what_says_them(self, bolts: TestClient) -> None:
        assert search(bolts, text="zinc", k=5, filters={"suppliers": ["s2"]})["hits"] != []
        for hit in search(bolts, text="hex bolt zinc", k=BOLTS, filters={"suppliers": ["s2"]}, min_score=0.3)["hits"]:
            assert int(hit["product_id"][1:]) % 5 == 2
            assert hit["score"] >= 0.3

    def test_what_has_it_for_an_id_is_first(self, bolts: TestClient) -> None:
        for text in ("b359", " b359 "):
            whole = [hit["product_id"] for hit in search(bolts, text=text, k=9)["hits"]]
            pages = [search(bolts, text=text, k=3)]
            for _ in range(2):
                pages.append(search(bolts, cursor=pages[-1]["next_cursor"]))
            assert whole[0] == "b359"
            assert [hit["product_id"] for page in pages for hit in page["hits"]] == whole
        assert search(bolts, text="b359 bolt", k=1)["hits"][0]["product_id"] != "b359"
        for asked in ({"text": "b359"}, {"product_id": "b359"}):
            assert search(bolts, k=1, **asked)["hits"][0]["words_said"] is None
        assert search(bolts, text="b359", k=1, exclude=["b359"])["hits"][0]["product_id"] != "b359"

    def test_an_id_that_is_a_word_leaves_the_rest_as_it_was(self, tmp_path: Path) -> None:
        with made(tmp_path) as api:
            before = [hit["product_id"] for hit in search(api, text="zinc", k=BOLTS)["hits"]]
            first = search(api, text="zinc", k=5)
            assert api.put("/v1/products/zinc", json={"title": "curtain"}).status_code == 200
            whole = search(api, text="zinc", k=BOLTS + 1)["hits"]
            assert [hit["product_id"] for hit in whole] == ["zinc", *before]
            assert whole[0]["words_said"] is None
            assert whole[1]["words_said"] == 1
            later = search(api, cursor=first["next_cursor"])["hits"]
            assert [hit["product_id"] for hit in later] == ["zinc", *before[5:9]]
            named = search(api, text="zinc", k=1)
            assert api.delete("/v1/products/zinc").status_code == 204
            assert [hit["product_id"] for hit in search(api, cursor=named["next_cursor"], k=9)["hits"]] == before[:9]

    def test_what_says_what_is_not_wanted_comes_later(self, bolts: TestClient) -> None:
        wanted, rest = ([hit["product_id"] for hit in search(bolts, text="hex bolt", k=BOLTS, **more)["hits"]]
                        for more in ({}, {"negatives": ["zinc"]}))  # fmt: skip
        saying = {f"b{number:03d}" for number in SAY}
        assert len(saying & {*wanted[:60]}) > 1
        assert not saying & {*rest[:60]}
        pages = [search(bolts, text="hex bolt", k=150, negatives=["zinc"])]
        while cursor := pages[-1]["next_cursor"]:
            pages.append(search(bolts, cursor=cursor))
        assert [hit["product_id"] for page in pages for hit in page["hits"]] == rest

    def test_what_is_left_out_is_not_found_by_words_either(self, bolts: TestClient) -> None:
        first, second = (hit["product_id"] for hit in search(bolts, text="hex bolt zinc", k=2)["hits"])
        assert search(bolts, text="hex bolt zinc", k=1, exclude=[first])["hits"][0]["product_id"] == second

    @pytest.mark.parametrize("more", [{}, {"group_by": "supplier"}, {"min_score": 0.4}, {"explain": True}])
    @pytest.mark.parametrize("k", [1, 7, 150])
    def test_pages_are_the_one_long_answer(self, bolts: TestClient, more: dict[str, Any], k: int) -> None:
        whole = search(bolts, text="hex bolt zinc", k=BOLTS, **more)["hits"]
        pages = [search(bolts, text="hex bolt zinc", k=k, **more)]
        while (cursor := pages[-1]["next_cursor"]) and len(pages) < 40:
            pages.append(search(bolts, cursor=cursor))
        assert [hit for page in pages for hit in page["hits"]][:40] == whole[:40]

    def test_the_first_of_each_supplier_is_one_that_says_them(self, bolts: TestClient) -> None:
        found = search(bolts, text="hex bolt zinc", k=5, group_by="supplier")["hits"]
        assert int(found[0]["product_id"][1:]) in SAY
        assert sum(hit["group"]["size"] for hit in found) == BOLTS

    @pytest.mark.parametrize("text", ["hex bolt", "hex bolt gnu"])
    def test_what_all_or_none_say_changes_nothing(self, bolts: TestClient, text: str) -> None:
        found = search(bolts, text=text, k=50)["hits"]
        scores = [hit["score"] for hit in found]
        assert scores == sorted(scores, reverse=True)


def test_a_changed_product_says_what_it_says_now(tmp_path: Path) -> None:
    with made(tmp_path) as api:
        first = search(api, text="hex bolt zinc", k=30)["hits"][0]["product_id"]
        page = search(api, text="hex bolt zinc", k=3)
        for name, says in (("b000", "Zinc plated."), (first, "")):
            row = {"title": "hex bolt", "supplier_id": "s0", "description": says}
            assert api.put(f"/v1/products/{name}", json=row).status_code in (200, 201)
        found = [hit["product_id"] for hit in search(api, text="hex bolt zinc", k=BOLTS)["hits"]]
        assert found[0] == "b000"
        assert found.index(first) > 5
        pages = [page]
        while cursor := pages[-1]["next_cursor"]:  # what is written meanwhile repeats nothing
            pages.append(search(api, cursor=cursor))
        shown = [hit["product_id"] for page in pages for hit in page["hits"]]
        assert len(set(shown)) == len(shown)
        assert set(shown) >= {f"b{number:03d}" for number in range(1, BOLTS)}


def test_a_list_by_a_name_goes_on_when_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.products.Postings.packed", {})
    with made(tmp_path) as api:
        assert api.put("/v1/products/bolt", json={"title": "curtain"}).status_code == 200
        page = search(api, text="bolt", k=1)
        assert page["hits"][0]["product_id"] == "bolt"
        assert api.delete("/v1/products/bolt").status_code == 204
        assert len(search(api, cursor=page["next_cursor"], k=50)["hits"]) == 50


def test_a_snapshot_without_words_is_searched_by_vectors_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.products.Postings.packed", {})
    with capture_logs() as logs, made(tmp_path) as api:
        assert [line["snapshot"] for line in logs if line["event"] == "words_not_looked_for"] == ["rows"]
        row = {"title": "hex bolt thing thing", "supplier_id": "s0", "description": "zinc zinc"}
        assert api.put("/v1/products/new", json=row).status_code in (200, 201)
        scores = [hit["score"] for hit in search(api, text="hex bolt zinc", k=BOLTS)["hits"]]
        assert scores == sorted(scores, reverse=True)


class TestFound:
    """Forty products, less and less like the query, of which the far ones say owl, and two of these fox as well."""

    QUERY: ClassVar = (Term("query", 1.0, np.array([1, 0, 0, 0], np.float32)),)
    SAID: ClassVar = Words(numbers("owl fox"), True, ALONE)

    @pytest.fixture
    def view(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LiveView:
        monkeypatch.setattr(lexical, "READ", 3)
        monkeypatch.setattr(lexical, "SAYING", 5)
        titles = ["x"] * 28 + ["owl"] * 12
        titles[30] = titles[38] = "owl fox"
        products = [item(f"p{number}", title=title) for number, title in enumerate(titles)]
        angles = np.linspace(0, np.pi / 2, len(products))
        vectors = np.stack([np.cos(angles), np.sin(angles), 0 * angles, 0 * angles], axis=1).astype(np.float32)
        told = vectors * (np.arange(len(products)) % 4 > 0)[:, None]
        path = build(tmp_path, products=products, vectors={"fusion": vectors, "text": told}, fields=("fusion", "text"))
        return LiveIndex(reopen(path)).view

    def found(self, view: LiveView, *excluded: str, **more: Any) -> set[str]:
        """What is put in order."""
        scope = lexical.with_words(Scope(k=40, **more), self.SAID)
        shown: list[str] = []

        def note(view: LiveView, hits: Sequence[Ranked], _: int) -> list[Ranked]:
            shown.extend(view.id_of(hit.row) for hit in hits)
            return [*hits]

        rank(view, self.QUERY, replace(scope, arrange=note), frozenset(excluded), None)
        assert len(set(shown)) == len(shown)
        return set(shown)

    def test_who_says_most_and_the_nearest_of_those_who_say_as_much(self, view: LiveView) -> None:
        assert self.found(view) == {"p0", "p1", "p2", "p30", "p38", "p28", "p29", "p31"}

    def test_those_left_out_take_no_places(self, view: LiveView) -> None:
        assert self.found(view, "p30", "p29", "p1") == {"p0", "p2", "p3", "p38", "p28", "p31", "p32", "p33"}
        only = Filters(ids=("p4", "p35", "p38", "p39"))
        assert self.found(view, filters=only) == {"p4", "p35", "p38", "p39"}

    def test_what_has_no_vector_of_the_target_is_not_found(self, view: LiveView) -> None:
        assert self.found(view, target="text") == {"p1", "p2", "p3", "p30", "p38", "p29", "p31", "p33"}
        assert "p28" not in self.found(view, target="text", filters=Filters(ids=("p28", "p29")))

    def test_no_score_is_below_the_least(self, view: LiveView) -> None:
        scores = [hit.score for hit in rank(view, self.QUERY, Scope(k=40), frozenset(), None)[0]]
        for score in scores[20:]:
            least = float(np.nextafter(score, 1))  # the same float32
            scope = lexical.with_words(Scope(k=40, min_score=least), self.SAID)
            assert all(hit.score >= least for hit in rank(view, self.QUERY, scope, frozenset(), None)[0])
