"""Cursors and groups over HTTP: in searches, uploads and the two tabs, beside writes and swaps."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.settings import Settings
from models import StandInEncoders
from service.build import build
from tests.service.conftest import STYLES, SUPPLIERS, client_of, photo, style_colour
from tests.service.test_api_products import get
from tests.service.test_api_search import encoded, ids, refused, search
from tests.service.test_api_writes import put


def pages(api: TestClient, *, repeat: bool = False, **body: Any) -> list[dict[str, Any]]:
    """All answers of a search; the later ones by the cursor alone, or with all that was said at first."""
    answers = [search(api, **body)]
    while cursor := answers[-1]["next_cursor"]:
        answers.append(search(api, cursor=cursor, **(body if repeat else {})))
    return answers


def all_hits(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [hit for answer in answers for hit in answer["hits"]]


QUERIES = st.fixed_dictionaries(
    {"k": st.integers(1, 40)},
    optional={
        "text": st.sampled_from(["mug", "chair design6", "lamp from orion"]),
        "filters": st.fixed_dictionaries({}, optional={"suppliers": st.lists(st.sampled_from(SUPPLIERS), max_size=2)}),
        "exclude": st.lists(st.sampled_from(["acme-03", "orion-11", "nobody"]), max_size=3),
        "min_score": st.floats(-0.2, 0.6),
        "negatives": st.lists(st.sampled_from(["lamp", "acme-01"]), max_size=2),
        "facets": st.just(["supplier"]),
        "explain": st.booleans(),
        "group_by": st.sampled_from(["supplier", "style"]),
    },
)


class TestSearch:
    @settings(max_examples=60, deadline=None)
    @given(query=QUERIES, by_photo=st.booleans(), repeat=st.booleans())
    def test_all_pages_are_the_one_long_answer(
        self, api: TestClient, query: dict[str, Any], by_photo: bool, repeat: bool
    ) -> None:
        if by_photo:
            query = query | {"image": encoded(photo(style_colour(4)))}
        elif "text" not in query:
            query = query | {"product_id": "acme-03"}
        answers = pages(api, **query, repeat=repeat)
        whole = search(api, **query | {"k": 1_000})
        assert whole["next_cursor"] is None
        assert all_hits(answers) == whole["hits"]
        assert all(len(answer["hits"]) == query["k"] for answer in answers[:-1])
        assert all(answer["facets"] == whole["facets"] for answer in answers)
        if "product_id" in query:
            assert "acme-03" not in ids(whole)

    def test_another_page_may_have_another_size(self, api: TestClient) -> None:
        first = search(api, text="mug", k=5)
        second = search(api, cursor=first["next_cursor"], k=7)
        third = search(api, cursor=second["next_cursor"])
        assert [len(answer["hits"]) for answer in (first, second, third)] == [5, 7, 7]
        assert ids(first) + ids(second) + ids(third) == ids(search(api, text="mug", k=19))

    def test_an_upload_goes_on_in_either_form(self, api: TestClient) -> None:
        image, form = photo(style_colour(4)), {"text": "chair", "k": "5", "group_by": "style"}
        first = api.post("/v1/search/upload", files={"image": image}, data=form).json()
        again = form | {"cursor": first["next_cursor"]}
        second = api.post("/v1/search/upload", files={"image": image}, data=again)
        assert second.status_code == 200, second.text
        assert second.json()["hits"] == search(api, cursor=first["next_cursor"])["hits"]
        other = api.post("/v1/search/upload", files={"image": photo((1, 2, 3), (300, 200))}, data=again)
        assert (other.status_code, "another query" in other.text) == (400, True)

    def test_a_small_query_has_a_small_cursor(self, api: TestClient) -> None:
        assert len(search(api, text="mug")["next_cursor"]) < 1_500

    @pytest.mark.parametrize(
        ("changed", "says"),
        [
            ({"text": "lamp"}, "another query"),
            ({"product_id": "acme-03"}, "another query"),
            ({"text": "mug", "weights": {"fused": 0.5}}, "another query"),
            ({"filters": {"suppliers": ["orion"]}}, "other filters"),
            ({"filters": {}}, "other filters"),
            ({"exclude": []}, "other exclude"),
            ({"target": "image"}, "other target"),
            ({"explain": True}, "other explain"),
            ({"group_by": "style"}, "other group_by"),
            ({"alias": "next"}, "other alias"),
        ],
    )
    def test_a_cursor_of_another_search_is_refused(self, api: TestClient, changed: dict[str, Any], says: str) -> None:
        first = search(api, text="mug", k=2, filters={"suppliers": ["acme"]}, exclude=["acme-01"])
        assert says in refused(api, 400, {"cursor": first["next_cursor"], **changed})

    def test_a_cursor_that_is_none(self, api: TestClient) -> None:
        cursor = search(api, text="mug", k=2)["next_cursor"]
        browsing = get(api, "/v1/products", limit=2)["next_cursor"]
        tab = get(api, "/v1/products/acme-03/same-style", k=1)["next_cursor"]
        assert tab
        for bad in ("", "x", cursor[:-1], "A" + cursor[1:], browsing, tab, "\u00e9", "a.b.c"):
            assert "cursor" in refused(api, 400, {"cursor": bad})
        assert "cursor" in refused(api, 400, {"cursor": "x" * 3_000_000})
        assert "cursor" in refused(api, 400, {"cursor": 5})


class TestGroups:
    def test_the_best_of_each_supplier(self, api: TestClient) -> None:
        answer = search(api, text="chair design6", k=5, group_by="supplier")
        assert sorted(hit["group"]["key"] for hit in answer["hits"]) == sorted(SUPPLIERS)
        assert all(hit["group"]["key"] == hit["supplier_id"] for hit in answer["hits"])
        assert {hit["group"]["size"] for hit in answer["hits"]} == {STYLES}
        assert {hit["product_id"][-2:] for hit in answer["hits"]} == {"06"}
        assert answer["next_cursor"] is None

    def test_groups_go_with_the_rest(self, api: TestClient) -> None:
        answer = search(
            api,
            product_id="acme-06",
            group_by="style",
            k=4,
            explain=True,
            negatives=["lamp"],
            exclude=["kestrel-06"],
            filters={"suppliers": ["kestrel", "orion"]},
            facets=["supplier"],
        )
        first = answer["hits"][0]
        assert first["product_id"] == "orion-06"
        assert first["group"]["size"] == 1
        assert sum(first["explain"].values()) == pytest.approx(first["score"], abs=1e-5)
        assert answer["facets"]["supplier"] == [{"value": "kestrel", "count": 12}, {"value": "orion", "count": 12}]

    def test_a_snapshot_without_styles(self, tmp_path: Path) -> None:
        embedder = StandInEncoders()
        embedder.thresholds = {}
        (tmp_path / "rows.jsonl").write_text(json.dumps({"product_id": "p", "title": "mug"}))
        build(tmp_path / "rows.jsonl", tmp_path / "data", "s", embedder, decode_threads=1)
        with client_of(Settings(data=tmp_path / "data"), embedder) as api:
            assert "no style groups" in refused(api, 409, {"text": "mug", "group_by": "style"})
            assert search(api, text="mug", group_by="supplier")["hits"][0]["group"] == {"key": None, "size": 1}


@pytest.fixture
def bolts(tmp_path: Path, embedder: StandInEncoders) -> Iterator[TestClient]:
    """Thirty listings of one bolt, by three suppliers, and thirty other bolts."""
    rows: list[dict[str, Any]] = [
        {"product_id": f"bolt-{n:02d}", "title": "hex bolt zinc M6", "supplier_id": SUPPLIERS[n % 3]} for n in range(30)
    ]
    rows += [
        {"product_id": f"other-{n:02d}", "title": f"hex bolt zinc M8 grade {n}", "supplier_id": "acme"}
        for n in range(30)
    ]
    (tmp_path / "bolts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    build(tmp_path / "bolts.jsonl", tmp_path / "data", "bolts", embedder, decode_threads=1)
    with client_of(Settings(data=tmp_path / "data"), embedder) as client:
        yield client


class TestTabs:
    @pytest.mark.parametrize("tab", ["same-style", "similar"])
    @pytest.mark.parametrize("k", [1, 7, 20])
    def test_all_pages_are_the_one_long_answer(self, bolts: TestClient, tab: str, k: int) -> None:
        path = f"/v1/products/bolt-00/{tab}"
        how = {"collapse": False} if tab == "same-style" else {"diversity": 0.5}
        answers = [get(bolts, path, k=k, **how)]
        while cursor := answers[-1]["next_cursor"]:
            answers.append(get(bolts, path, k=k, cursor=cursor, **how))
        whole = get(bolts, path, k=1_000, **how)
        assert all_hits(answers) == whole["hits"]
        assert len(whole["hits"]) >= 20
        assert "bolt-00" not in ids(whole)

    def test_a_cursor_of_another_tab_is_refused(self, bolts: TestClient) -> None:
        path = "/v1/products/bolt-00/same-style"
        cursor = get(bolts, path, k=1)["next_cursor"]
        others: list[tuple[str, dict[str, Any]]] = [
            ("/v1/products/bolt-01/same-style", {}),
            ("/v1/products/bolt-00/similar", {}),
            (path, {"other_suppliers": False}),
            (path, {"collapse": False}),
        ]
        for other, params in others:
            assert bolts.get(other, params={"cursor": cursor, **params}).status_code == 400
        for bad in ("", "x", cursor + "x", "x" * 50_000, "\x00"):
            assert bolts.get(path, params={"cursor": bad}).status_code == 400

    def test_of_a_product_that_went(self, bolts: TestClient) -> None:
        cursor = get(bolts, "/v1/products/bolt-00/same-style", k=1)["next_cursor"]
        bolts.delete("/v1/products/bolt-00")
        answer = bolts.get("/v1/products/bolt-00/same-style", params={"cursor": cursor})
        assert answer.status_code == 404


class TestWhileThingsChange:
    def test_what_came_since_joins_its_style_a_few_at_a_time(self, bolts: TestClient) -> None:
        def sizes() -> dict[str, int]:
            hits = search(bolts, text="hex bolt zinc M6", group_by="style", k=100)["hits"]
            return {hit["group"]["key"]: hit["group"]["size"] for hit in hits}

        name, size = max(sizes().items(), key=lambda group: group[1])
        assert size == 30
        for number in range(40):
            put(bolts, f"late-{number:02d}", title="hex bolt zinc M6", supplier_id="acme")
        assert sizes()[name] == 30 + 32
        assert sizes()[name] == 70
        bolts.delete("/v1/products/late-00")
        assert sizes()[name] == 69

    def test_writes_between_pages_repeat_nothing(self, bolts: TestClient) -> None:
        """What was shown and now fits worse, what is new and fits best: neither is on a later page."""
        first = search(bolts, text="hex bolt zinc M6", k=10)
        put(bolts, ids(first)[0], title="hex bolt of steel M8", supplier_id="acme")
        put(bolts, "newcomer", title="hex bolt zinc M6", supplier_id="acme")
        bolts.delete(f"/v1/products/{ids(first)[1]}")
        shown = ids(first)
        cursor = first["next_cursor"]
        while cursor:
            page = search(bolts, cursor=cursor)
            shown += ids(page)
            cursor = page["next_cursor"]
        assert len(set(shown)) == len(shown) == 61  # the newcomer's id comes after the others of its score

    def test_on_a_snapshot_that_is_served_under_another_name_pages_go_on(
        self, own_shop: Settings, embedder: StandInEncoders
    ) -> None:
        with client_of(own_shop, embedder) as api:
            first = search(api, text="mug", k=5)
            assert api.put("/admin/v1/aliases/kept", json={"snapshot": "shop-1"}).status_code == 200
            build(own_shop.data.parent / "more.jsonl", own_shop.data, "shop-2", embedder, decode_threads=1)
            assert api.put("/admin/v1/aliases/live", json={"snapshot": "shop-2"}).status_code == 200
            assert search(api, text="mug", k=5)["snapshot"] == "shop-2"
            second = search(api, cursor=first["next_cursor"])
            assert (second["snapshot"], second["alias"]) == ("shop-1", "live")
            assert len(set(ids(first) + ids(second))) == 10
            kept = get(api, "/v1/products/acme-03/similar", k=2, alias="kept")  # which live does not have any more
            assert (kept["snapshot"], kept["alias"]) == ("shop-1", "kept")
            second = get(api, "/v1/products/acme-03/similar", k=2, alias="kept", cursor=kept["next_cursor"])
            assert (second["alias"], len(set(ids(kept) + ids(second)))) == ("kept", 4)
            turn = api.post("/v1/search/refine", json={"cursor": kept["refine_cursor"], "text": "mug"}).json()
            assert (turn["snapshot"], turn["alias"]) == ("shop-1", "kept")
            assert api.get("/v1/products/acme-03/similar").status_code == 404
            assert api.get("/v1/products/p-0/similar", params={"alias": "nobody"}).status_code == 404
            tab = get(api, "/v1/products/p-0/same-style", k=1)["next_cursor"]
            assert tab
            assert api.delete("/admin/v1/aliases/kept").status_code == 204
            assert api.put("/admin/v1/aliases/live", json={"snapshot": "shop-1"}).status_code == 200
            gone = api.get("/v1/products/p-0/same-style", params={"cursor": tab})
            assert (gone.status_code, gone.json()["type"]) == (410, "samestyle:gone")
            assert "shop-2" in gone.json()["detail"]

    @pytest.fixture(autouse=True)
    def _another_catalogue(self, own_shop: Settings) -> None:
        rows = [{"product_id": f"p-{n}", "title": "mug", "supplier_id": f"s{n}"} for n in range(9)]
        (own_shop.data.parent / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def test_of_a_snapshot_that_is_gone(self, own_shop: Settings, embedder: StandInEncoders) -> None:
        with client_of(own_shop, embedder) as api:
            cursor = search(api, text="mug", k=5)["next_cursor"]
            build(own_shop.data.parent / "more.jsonl", own_shop.data, "shop-2", embedder, decode_threads=1)
            assert api.put("/admin/v1/aliases/live", json={"snapshot": "shop-2"}).status_code == 200
            assert "shop-1" in refused(api, 410, {"cursor": cursor})
