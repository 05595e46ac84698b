"""The two tabs: the same variant first, nothing twice, similar ones that differ; in the same order on every page."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.errors import DeadlineExceeded
from catalogue.settings import Settings
from catalogue.variants import Described, contradict
from index import LiveIndex, LiveView
from models import StandInEncoders
from service import arranging, ranking
from service.build import build
from service.deadlines import Deadline, under
from service.ranking import Ranked, Scope, Term, rank
from tests.index.builders import item, reopen, unit, unit_rows
from tests.service.conftest import client_of, shop_of_titles
from tests.service.test_api_products import get
from tests.service.test_api_search import ids, search
from tests.service.test_ranking import written

COUNT = 150
EAN = "4006381333931"


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> LiveView:
    """Some thirty places in space, with a few near-identical products at each."""
    random = np.random.default_rng(1)
    places = unit_rows(30, seed=3)
    rows = places[random.integers(0, 30, COUNT)] + random.normal(0, 0.01, (COUNT, places.shape[1]))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    products = [item(f"p{number:03d}", supplier_id=f"s{number % 4}") for number in range(COUNT)]
    return LiveIndex(reopen(written(tmp_path_factory.mktemp("arranging"), products, rows))).view


TERMS = (Term("query", 1.0, unit_rows(1, seed=6)[0]),)


def shown(view: LiveView, k: int, diversity: float) -> list[Ranked]:
    scope = Scope(k=k, arrange=arranging.similar(diversity), arranged=arranging.DIVERSE)
    return rank(view, TERMS, scope, frozenset(), None)[0]


def likeness(view: LiveView, hits: list[Ranked]) -> float:
    """Of each to the nearest before it, on average."""
    vectors = view.vectors("fusion", np.array([hit.row for hit in hits]))
    alike = vectors @ vectors.T
    return float(np.mean([alike[at, :at].max() for at in range(1, len(hits))]))


class TestDiversity:
    def test_the_more_of_it_the_less_alike_and_the_less_fitting(self, view: LiveView) -> None:
        by_degree = [shown(view, 12, diversity) for diversity in (0.0, 0.3, 0.7)]
        alike = [likeness(view, hits) for hits in by_degree]
        fitting = [float(np.mean([hit.score for hit in hits])) for hits in by_degree]
        assert alike[0] > 0.85
        assert alike[0] > alike[1] + 0.1 > alike[2]
        assert fitting[0] >= fitting[1] >= fitting[2]
        assert [hit.row for hit in by_degree[1]][:1] == [hit.row for hit in by_degree[0]][:1]

    @settings(max_examples=25, deadline=None)
    @given(k=st.integers(1, COUNT), diversity=st.floats(0, 1))
    def test_what_comes_first_does_not_depend_on_how_many(self, view: LiveView, k: int, diversity: float) -> None:
        everything = shown(view, 1_000, diversity)
        assert sorted(hit.row for hit in everything) == list(range(COUNT))
        assert shown(view, k, diversity) == everything[:k]

    def test_as_by_hand(self, view: LiveView) -> None:
        hits = rank(view, TERMS, Scope(k=arranging.DIVERSE), frozenset(), None)[0]
        vectors = {hit.row: view.vectors("fusion", np.array([hit.row]))[0] for hit in hits}
        left, order = list(hits), [hits[0]]
        left.remove(hits[0])
        while len(order) < 20:
            worth = [
                0.6 * hit.score - 0.4 * max(float(vectors[hit.row] @ vectors[before.row]) for before in order)
                for hit in left
            ]
            order.append(left.pop(int(np.argmax(worth))))
        assert [hit.row for hit in shown(view, 20, 0.4)] == [hit.row for hit in order]


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> LiveView:
    """Few suppliers' listings around few places, some of which declare a size."""
    random = np.random.default_rng(2)
    rows = unit_rows(4, seed=3)[random.integers(0, 4, 60)] + random.normal(0, 0.07, (60, 8))
    products = [
        item(f"p{n:02d}", supplier_id=f"s{n % 3}" if n % 3 else "", attributes={"size": size} if size else {})
        for n, size in enumerate(random.choice(["", "M6", "M8"], 60).tolist())
    ]
    return LiveIndex(reopen(written(tmp_path_factory.mktemp("crowd"), products, unit(rows)))).view


def collapsed_by_hand(view: LiveView, hits: list[Ranked]) -> list[tuple[int, int]]:
    """Row and size of each listing that stands for itself and others."""
    groups: list[list[int]] = []
    for hit in hits:
        own, vector = view.listing(hit.row), view.vectors("fusion", np.array([hit.row]))
        for group in groups:
            alike = np.einsum("ij,ij->i", view.vectors("fusion", np.array(group[:1])), vector)[0]
            same = own.supplier_id and view.listing(group[0]).supplier_id == own.supplier_id
            if same and alike >= 0.95 and not any(contradict(view.listing(row), own) for row in group):
                group.append(hit.row)
                break
        else:
            groups.append([hit.row])
    return [(group[0], len(group)) for group in groups]


class TestCollapsing:
    @settings(max_examples=40, deadline=None)
    @given(rows=st.lists(st.integers(0, 59), unique=True))
    def test_as_by_hand(self, crowd: LiveView, rows: list[int]) -> None:
        hits = [Ranked(row, 0.9) for row in rows]
        arranged = arranging.same_style(item("own").product, (), collapse=True)(crowd, hits, 0)
        found = [(hit.row, hit.group.size if hit.group else 1) for hit in arranged]
        assert found == collapsed_by_hand(crowd, hits)

    def test_of_very_many_the_last_stand_by_themselves(self, crowd: LiveView, monkeypatch: pytest.MonkeyPatch) -> None:
        compared: list[str] = []

        def counted(one: Described, other: Described) -> bool:
            compared.append(other.title)
            return contradict(one, other)

        monkeypatch.setattr(arranging, "contradict", counted)
        hits = [Ranked(row, 0.9) for row in range(60)]
        arrange = arranging.same_style(item("own").product, (), collapse=True)
        usual, needed = arrange(crowd, hits, 0), len(compared)
        compared.clear()
        monkeypatch.setattr(arranging, "_MOST_COMPARED", needed // 2)
        some = arrange(crowd, hits, 0)
        assert len(compared) <= needed // 2
        assert len(usual) < len(some) < 60
        assert sum(hit.group.size if hit.group else 1 for hit in some) == 60
        with under(Deadline(0.0)), pytest.raises(DeadlineExceeded):
            arrange(crowd, hits, 0)


@pytest.fixture
def bolts(tmp_path: Path) -> Iterator[TestClient]:
    rows: list[dict[str, Any]] = [{"product_id": "own", "supplier_id": "acme", "attributes": {"size": "M6"}}]
    rows += [{"product_id": f"kestrel-{n}", "supplier_id": "kestrel", "attributes": {}} for n in range(3)]
    rows += [{"product_id": "kestrel-m6", "supplier_id": "kestrel", "attributes": {"Size": "m6"}}]
    rows += [{"product_id": "kestrel-m8", "supplier_id": "kestrel", "attributes": {"size": "M8"}}]
    rows += [{"product_id": f"orion-{n}", "supplier_id": "orion", "attributes": {}} for n in range(2)]
    rows += [{"product_id": f"nobody-{n}", "supplier_id": "", "attributes": {}} for n in range(2)]
    rows += [{"product_id": "aaa-none", "supplier_id": "pennyworth", "attributes": {}}]
    rows += [{"product_id": "zzz-m6", "supplier_id": "pennyworth", "attributes": {"size": "6 mm", "colour": "red"}}]
    with shop_of_titles(tmp_path, [{**row, "title": "hex bolt zinc plated grade eight"} for row in rows]) as client:
        yield client


@contextmanager
def pasted(tmp_path: Path, count: int, *, alike: int = 0) -> Iterator[TestClient]:
    """Products that are 0.75 like each other, all with one EAN; and some without that are just like the first."""
    titles = [
        "hex bolt zinc plated",
        *(f"hex bolt zinc word{n}" for n in range(1, count)),
        *["hex bolt zinc plated"] * alike,
    ]
    rows = [
        {"product_id": f"p{n:02d}", "title": title, "supplier_id": f"s{n}", "EAN": EAN if n < count else ""}
        for n, title in enumerate(titles)
    ]
    with shop_of_titles(tmp_path, rows) as api:
        yield api


class TestBarcode:
    def test_as_words_alone_it_finds_what_has_it_first(self, tmp_path: Path) -> None:
        with pasted(tmp_path, 3, alike=4) as api:
            having = ["p00", "p01", "p02"]
            for text in (EAN, "4 006381-333931", f" {EAN} "):
                answer = search(api, text=text, k=5, min_score=0.9)
                assert sorted(ids(answer)) == having
            plain = search(api, text="hex bolt", k=7, facets=["supplier"])
            everything = search(api, text=EAN, k=7, explain=True)
            assert sorted(ids(everything)[:3]) == having
            assert sorted(ids(everything)) == sorted(ids(plain))
            for k in (1, 2, 4):
                pages = [search(api, text=EAN, k=k)]
                while cursor := pages[-1]["next_cursor"]:
                    pages.append(search(api, cursor=cursor))
                assert [one for page in pages for one in ids(page)] == ids(everything)
            assert ids(search(api, text=EAN, k=2, filters={"suppliers": ["s1", "s4"]})) == ["p01", "p04"]
            assert "p00" not in ids(search(api, text=EAN, k=7, exclude=["p00"]))
            assert sorted(ids(search(api, text=EAN, k=3, group_by="supplier"))) == having

    @pytest.mark.parametrize("more", [{"text": "4006381333932"}, {"text": f"{EAN} bolt"}])
    def test_what_is_none_is_words(self, tmp_path: Path, more: dict[str, Any]) -> None:
        with pasted(tmp_path, 2, alike=2) as api:
            scores = [hit["score"] for hit in search(api, **{"text": EAN, **more})["hits"]]
            assert scores == sorted(scores, reverse=True)


class TestSameStyle:
    def test_the_declared_variant_comes_first_and_others_stay_out(self, bolts: TestClient) -> None:
        found = ids(get(bolts, "/v1/products/own/same-style", k=50, collapse=False))
        assert found[0] == "kestrel-m6"
        assert not {"own", "kestrel-m8", "zzz-m6"} & set(found)
        assert found[1:] == sorted(found[1:])  # equal scores, so by id
        assert len(found) == 9

    def test_near_identical_listings_of_one_supplier_stand_once(self, bolts: TestClient) -> None:
        answer = get(bolts, "/v1/products/own/same-style", k=50)
        groups = {hit["product_id"]: hit["group"] for hit in answer["hits"]}
        assert groups == {
            "kestrel-m6": {"key": "kestrel", "size": 4},
            "aaa-none": None,
            "nobody-0": None,
            "nobody-1": None,  # of no supplier, so not of one
            "orion-0": {"key": "orion", "size": 2},
        }
        pages = [get(bolts, "/v1/products/own/same-style", k=2)]
        while cursor := pages[-1]["next_cursor"]:
            pages.append(get(bolts, "/v1/products/own/same-style", k=2, cursor=cursor))
        assert [hit for page in pages for hit in page["hits"]] == answer["hits"]

    def test_the_cheapest_come_first_and_all_are_counted(self, tmp_path: Path) -> None:
        prices = {"a": 4.0, "b": None, "c": 2.5, "d": 4.0, "e": 0.0}
        rows: list[dict[str, Any]] = [{"product_id": "own", "supplier_id": "acme"}]
        rows += [{"product_id": name, "supplier_id": f"shop-{name}", "price": price} for name, price in prices.items()]
        rows += [{"product_id": f"c{n}", "supplier_id": "shop-c", "price": 2.5 - n} for n in (0, 1)]
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps({**row, "title": "hex bolt"}) + "\n" for row in rows))
        build(tmp_path / "rows.jsonl", tmp_path / "data", "rows", embedder := StandInEncoders(), decode_threads=1)
        with client_of(Settings(data=tmp_path / "data"), embedder) as api:
            path = "/v1/products/own/same-style"
            cheapest = get(api, path, sort="price")
            assert ids(cheapest) == ["e", "c1", "a", "d", "b"]  # of a supplier's twins the cheapest
            assert cheapest["hits"][1]["group"] == {"key": "shop-c", "size": 3}
            assert ids(get(api, path, sort="-price")) == ["a", "d", "c", "e", "b"]
            assert ids(get(api, path, sort="-price", collapse=False)) == ["a", "d", "c", "c0", "c1", "e", "b"]
            page = get(api, path, sort="price", k=3)
            assert (page["total"], page["total_is_exact"]) == (5, True)
            rest = get(api, path, sort="price", k=3, cursor=page["next_cursor"])
            assert (ids(rest), rest["total"]) == (["d", "b"], 5)
            other = api.get(path, params={"sort": "-price", "cursor": page["next_cursor"]})
            assert other.status_code == 400
            assert get(api, path, filter="price<=2.5", sort="price")["total"] == 2
            assert get(api, path, collapse=False)["total"] == 7
            assert get(api, "/v1/products/own/similar")["total"] is None

    def test_what_contradicts_each_other_is_not_collapsed(self, bolts: TestClient) -> None:
        found = ids(get(bolts, "/v1/products/orion-0/same-style", k=50))
        assert found == ["aaa-none", "kestrel-0", "kestrel-m8", "nobody-0", "nobody-1", "own"]

    def test_similar_has_none_of_them(self, bolts: TestClient) -> None:
        same = set(ids(get(bolts, "/v1/products/own/same-style", k=50, collapse=False)))
        similar = set(ids(get(bolts, "/v1/products/own/similar", k=50)))
        assert not same & similar
        assert "kestrel-m8" in similar

    def test_one_gtin_needs_less_likeness(self, tmp_path: Path) -> None:
        rows: list[dict[str, Any]] = [
            {"product_id": "own", "supplier_id": "acme", "attributes": {"EAN": EAN}},
            {"product_id": "twin", "supplier_id": "kestrel", "attributes": {"gtin": f"0{EAN}"}},
            {"product_id": "far", "supplier_id": "kestrel", "attributes": {"EAN": EAN}, "title": "hex nut"},
            {"product_id": "m8", "supplier_id": "kestrel", "attributes": {"EAN": EAN, "size": "M8"}},
            {"product_id": "ours", "supplier_id": "acme", "attributes": {"EAN": EAN}},
            {"product_id": "like", "supplier_id": "kestrel", "title": "hex bolt zinc plated", "attributes": {}},
            {"product_id": "other", "supplier_id": "orion", "attributes": {}},
        ]
        rows[0] |= {"title": "hex bolt zinc plated", "attributes": {"EAN": EAN, "size": "M6"}}
        text = "".join(json.dumps({"title": "hex bolt steel plated", **row}) + "\n" for row in rows)
        (tmp_path / "bolts.jsonl").write_text(text)
        embedder = StandInEncoders()
        embedder.product_text = lambda product: product.title  # type: ignore[method-assign]
        report = build(tmp_path / "bolts.jsonl", tmp_path / "data", "bolts", embedder, decode_threads=1)
        table = pq.read_table(report.snapshot / "products.parquet")
        groups = dict(zip(table["product_id"].to_pylist(), table["style_group"].to_pylist(), strict=True))
        with client_of(Settings(data=tmp_path / "data"), embedder) as api:
            assert ids(get(api, "/v1/products/own/same-style")) == ["twin", "like"]  # 0.75 and 1.0 like it
            of_twin = ids(get(api, "/v1/products/twin/same-style", other_suppliers=False))
            assert of_twin == ["m8", "ours", "own", "other"]
            everything = get(api, "/v1/products/own/same-style", other_suppliers=False)["hits"]
            assert [hit["product_id"] for hit in everything] == ["ours", "twin", "like"]
            pages = [get(api, "/v1/products/own/same-style", other_suppliers=False, k=1)]
            while cursor := pages[-1]["next_cursor"]:
                pages.append(get(api, "/v1/products/own/same-style", other_suppliers=False, k=1, cursor=cursor))
            assert [hit for page in pages for hit in page["hits"]] == everything
            similar = ids(get(api, "/v1/products/own/similar"))
            assert sorted(similar) == ["m8", "other"]
            assert groups["own"] == groups["twin"]
            found = get(api, "/v1/products", filter=f"gtin=0{EAN}")
            assert sorted(ids({"hits": found["products"]})) == ["far", "m8", "ours", "own", "twin"]
            late = {"title": "hex bolt steel grade", "supplier_id": "late", "attributes": {"barcode": EAN}}
            assert api.put("/v1/products/late", json=late).status_code == 200
            assert "late" in ids(get(api, "/v1/products/twin/same-style"))
            for filter_ in ("supplier!=late", "id!=late", "currency=EUR"):  # holds for what is found by its GTIN, too
                assert "late" not in ids(get(api, "/v1/products/twin/same-style", filter=filter_))
            assert ids(get(api, "/v1/products/twin/same-style", filter="supplier=acme,late id!=own")) == [
                hit for hit in ids(get(api, "/v1/products/twin/same-style")) if hit in {"ours", "late"}
            ]

    def test_a_gtin_pasted_into_a_column_says_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with pasted(tmp_path, 12) as api:
            assert len(ids(get(api, "/v1/products/p00/same-style", k=50))) == 11
            assert ids(get(api, "/v1/products/p00/similar", k=50)) == []
            monkeypatch.setattr("index.live.MOST_OF_ONE_GTIN", 11)
            assert ids(get(api, "/v1/products/p00/same-style", k=50)) == []
            assert len(ids(get(api, "/v1/products/p00/similar", k=50))) == 11
            answer = api.post("/v1/compare", json={"a": {"product_id": "p00"}, "b": {"product_id": "p01"}}).json()
            assert (answer["verdict"], answer["same_gtin"]) == ("similar", False)

    def test_many_that_are_more_alike_do_not_crowd_it_out(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ranking, "WINDOW", 5)
        with pasted(tmp_path, 3, alike=9) as api:
            found = ids(get(api, "/v1/products/p00/same-style", k=50))
            assert found[:2] == ["p01", "p02"]
            assert len(found) == 5

    @pytest.mark.parametrize("bad", [{"diversity": 2}, {"diversity": "nan"}, {"diversity": "x"}])
    def test_bad_diversity(self, bolts: TestClient, bad: dict[str, Any]) -> None:
        assert bolts.get("/v1/products/own/similar", params=bad).status_code == 400
