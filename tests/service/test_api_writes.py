"""`PUT`, `DELETE` and bulk: what is acknowledged is found, on every route."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr

from catalogue.errors import ProductChanged
from catalogue.photos import PhotoStore
from catalogue.settings import Settings
from index import Journal, LiveIndex
from models import StandInEncoders
from service.build import build
from service.cutting import cut_from_live
from service.deadlines import current
from service.encoding import EncoderQueues
from service.pools import Pools
from service.replay import step
from service.schemas import BulkOutcome, BulkSums
from tests.service.conftest import StandIns, client_of, photo, style_colour
from tests.service.test_api_products import get, pages
from tests.waiting import wait_until

LAMP = {
    "title": "lamp design3 from nobody",
    "category": "Shop > lamps",
    "supplier_id": "nobody",
    "price": 3.5,
    "attributes": {"size": "M3"},
}
PHOTO = base64.b64encode(photo(style_colour(3))).decode()


@pytest.fixture
def shop_api(own_shop: Settings, embedder: StandInEncoders) -> Iterator[TestClient]:
    with client_of(own_shop, embedder) as client:
        yield client


def put(api: TestClient, product_id: str, **fields: Any) -> dict[str, Any]:
    answer = api.put(f"/v1/products/{product_id}", json=fields)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def patch(
    api: TestClient, product_id: str, status: int = 200, media: str = "application/merge-patch+json", **fields: Any
) -> dict[str, Any]:
    answer = api.patch(f"/v1/products/{product_id}", content=json.dumps(fields), headers={"content-type": media})
    assert answer.status_code == status, answer.text
    result: dict[str, Any] = answer.json()
    return result


def found(api: TestClient, **query: Any) -> list[str]:
    answer = api.post("/v1/search", json=query)
    assert answer.status_code == 200, answer.text
    return [hit["product_id"] for hit in answer.json()["hits"]]


def bulk(api: TestClient, *lines: Any) -> list[dict[str, Any]]:
    body = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    answer = api.post("/v1/products/bulk", content=body, headers={"content-type": "application/x-ndjson"})
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


class TestPut:
    def test_a_new_product_is_found_at_once_on_every_route(self, shop_api: TestClient) -> None:
        assert put(shop_api, "new", **LAMP, image=PHOTO) == {"product_id": "new", "position": 1}
        assert get(shop_api, "/v1/products/new")["title"] == LAMP["title"]
        assert "new" in found(shop_api, text=LAMP["title"], k=5)
        assert "new" in found(shop_api, product_id="acme-03", k=5)
        assert "new" in {hit["product_id"] for hit in get(shop_api, "/v1/products/acme-03/same-style")["hits"]}
        listed = get(shop_api, "/v1/products", filter="supplier=nobody")
        assert [product["product_id"] for product in listed["products"]] == ["new"]
        assert get(shop_api, "/v1/products")["total"] == 37
        assert {"value": "nobody", "count": 1} in get(shop_api, "/v1/products")["facets"]["supplier"]
        assert shop_api.get(get(shop_api, "/v1/products/new")["image_url"]).headers["content-type"] == "image/jpeg"
        assert get(shop_api, "/readyz")["products"] == 37

    def test_an_update_hides_what_was_there(self, shop_api: TestClient) -> None:
        before = get(shop_api, "/v1/products/acme-03")
        put(shop_api, "acme-03", title="garden gnome", supplier_id="acme", image=None)
        assert get(shop_api, "/v1/products/acme-03")["title"] == "garden gnome"
        assert shop_api.get(before["image_url"]).status_code == 404
        assert "acme-03" not in found(shop_api, text=before["title"], k=10)
        assert found(shop_api, text="garden gnome", k=1) == ["acme-03"]
        assert get(shop_api, "/v1/products")["total"] == 36
        assert len(pages(shop_api, limit=10)) == 36
        assert found(shop_api, text="garden gnome", k=50).count("acme-03") == 1

    def test_the_photo_stays_where_none_is_sent(self, shop_api: TestClient) -> None:
        before = get(shop_api, "/v1/products/acme-03")
        put(shop_api, "acme-03", title=before["title"], price=99)
        after = get(shop_api, "/v1/products/acme-03")
        assert (after["price"], after["image_url"]) == (99, before["image_url"])
        assert after["category"] == ""

    def test_a_photo_that_is_lost_is_asked_for(self, shop_api: TestClient, own_shop: Settings) -> None:
        product = get(shop_api, "/v1/products/acme-03")
        for stored in (own_shop.data / "photos").glob("*/*"):
            stored.unlink()
        answer = shop_api.put("/v1/products/acme-03", json={"title": "another title"})
        assert answer.status_code == 409
        assert "Send it again" in answer.json()["detail"]
        put(shop_api, "acme-03", title=product["title"], category=product["category"], attributes=product["attributes"])

    def test_a_new_price_runs_no_encoder(self, own_shop: Settings) -> None:
        embedder = Counting()
        with client_of(own_shop, embedder) as api:
            product = get(api, "/v1/products/acme-03")
            for name in ("product_id", "image_url"):
                del product[name]
            scores = api.post("/v1/search", json={"product_id": "kestrel-03", "k": 40}).json()["hits"]
            put(api, "acme-03", **{**product, "price": 1.25, "in_stock": False})
            assert get(api, "/v1/products/acme-03")["price"] == 1.25
            again = api.post("/v1/search", json={"product_id": "kestrel-03", "k": 40}).json()["hits"]
            assert {hit["product_id"]: hit["score"] for hit in again} == {
                hit["product_id"]: hit["score"] for hit in scores
            }
            assert embedder.encoded == 0
            put(api, "acme-03", **{**product, "title": "something else"})
            assert embedder.encoded == 1

    def test_the_last_of_two_wins(self, shop_api: TestClient) -> None:
        first, second = put(shop_api, "p", title="one"), put(shop_api, "p", title="two")
        assert first["position"] < second["position"]
        assert get(shop_api, "/v1/products/p")["title"] == "two"
        assert get(shop_api, "/v1/products")["total"] == 37

    @pytest.mark.parametrize(
        ("product_id", "body", "status"),
        [
            ("p", {}, 400),
            ("p", {"title": "  "}, 400),
            ("p", {"title": "x", "price": -1}, 400),
            ("p", {"title": "x", "price": "NaN"}, 400),
            ("p", {"title": "x", "price": True}, 400),
            ("p", {"title": "x", "price": "4.5"}, 400),
            ("p", {"title": "x", "in_stock": "yes"}, 400),
            ("p", {"title": "x", "colour": "red"}, 400),
            ("p", {"title": "x" * 2_001}, 400),
            ("p", {"title": "x", "image": "not base64!"}, 400),
            ("p", {"title": "x", "image": base64.b64encode(b"no photo").decode()}, 422),
            ("p", {"title": "x", "images": ["http://127.0.0.1/"]}, 400),
            ("%20", {"title": "x"}, 400),
            ("p" * 129, {"title": "x"}, 400),
            ("p", [1], 400),
        ],
    )
    def test_bad_input_is_refused_and_changes_nothing(
        self, shop_api: TestClient, product_id: str, body: Any, status: int
    ) -> None:
        answer = shop_api.put(f"/v1/products/{product_id}", json=body)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert get(shop_api, "/admin/v1/status")["journal_head"] == 0
        assert shop_api.get("/v1/products/p").status_code == 404

    def test_other_media_types_are_refused(self, shop_api: TestClient) -> None:
        assert shop_api.put("/v1/products/p", content=b"title=x").status_code == 415

    def test_an_id_with_a_slash(self, shop_api: TestClient) -> None:
        assert put(shop_api, "a%2Fb", title="mug")["product_id"] == "a/b"
        assert get(shop_api, "/v1/products/a%2Fb")["product_id"] == "a/b"


class TestPatch:
    def test_only_what_it_says_changes_and_no_encoder_runs(self, own_shop: Settings) -> None:
        embedder = Counting()
        with client_of(own_shop, embedder) as api:
            before = get(api, "/v1/products/acme-03")
            for media in ("application/merge-patch+json", "application/json"):
                answer = patch(api, "acme-03", media=media, price=1.25, in_stock=False, attributes={"colour": "red"})
            assert answer == {"product_id": "acme-03", "position": 1}  # the second time it changes nothing
            expected = {**before, "price": 1.25, "in_stock": False, "attributes": {"size": "M3", "colour": "red"}}
            assert get(api, "/v1/products/acme-03") == expected
            assert embedder.encoded == 1  # attributes are words to the model
            patch(api, "acme-03", price=None, currency=None, attributes={"size": None, "none": None})
            expected |= {"price": None, "currency": None, "attributes": {"colour": "red"}}
            assert get(api, "/v1/products/acme-03") == expected
            patch(api, "acme-03", attributes=None, category=None)
            assert get(api, "/v1/products/acme-03") == {**expected, "attributes": {}, "category": ""}
            encoded = embedder.encoded
            assert patch(api, "acme-03", price=7)["position"] == 4
            assert embedder.encoded == encoded

    def test_what_changes_nothing_is_not_written(self, shop_api: TestClient) -> None:
        put(shop_api, "new", **LAMP)
        before = get(shop_api, "/v1/products/new")
        same = {**LAMP, "attributes": {"size": "M3", "none": None}}
        for nothing in ({}, {"price": 3.5}, same, {"image": None}):
            assert patch(shop_api, "new", **nothing) == {"product_id": "new", "position": 1}
        line = {"product_id": "new", "patch": True}
        first, second, sums = bulk(shop_api, {**line, **same}, {**line, "price": 4})
        assert (first["position"], second["position"], sums["written"]) == (1, 2, 2)
        assert get(shop_api, "/v1/products/new") == before | {"price": 4}
        patch(shop_api, "new", image=PHOTO)
        assert patch(shop_api, "new", image=None)["position"] == 4
        patch(shop_api, "nobody", 404)

    def test_the_photo_is_a_field_like_others(self, shop_api: TestClient) -> None:
        before = get(shop_api, "/v1/products/acme-03")
        patch(shop_api, "acme-03", image=base64.b64encode(photo((1, 2, 3))).decode())
        after = get(shop_api, "/v1/products/acme-03")
        assert after["image_url"] != before["image_url"]
        assert after | {"image_url": None} == before | {"image_url": None}
        patch(shop_api, "acme-03", image=None)
        patch(shop_api, "acme-04", image_url=None)
        assert get(shop_api, "/v1/products/acme-04")["image_url"] is None
        assert get(shop_api, "/v1/products/acme-03") == before | {"image_url": None}
        patch(shop_api, "acme-03", 400, title=None)

    def test_where_a_photo_is_that_could_not_be_had_stays(self, tmp_path: Path, embedder: StandInEncoders) -> None:
        url = "https://127.0.0.1/mug.jpg"
        (tmp_path / "mugs.jsonl").write_text(json.dumps({"product_id": "mug", "title": "mug", "images": [url]}))
        build(tmp_path / "mugs.jsonl", tmp_path / "data", "mugs", embedder, decode_threads=1)
        with client_of(Settings(data=tmp_path / "data"), embedder) as api:
            patch(api, "mug", price=3)
            assert get(api, "/v1/products/mug")["image_url"] == url
            patch(api, "mug", image_url=None)
            assert get(api, "/v1/products/mug")["image_url"] is None

    @pytest.mark.parametrize(
        ("product_id", "body", "status"),
        [
            ("nobody", {"price": 1}, 404),
            ("acme-03", {"price": -1}, 400),
            ("acme-03", {"price": "1"}, 400),
            ("acme-03", {"colour": "red"}, 400),
            ("acme-03", {"product_id": "other"}, 400),
            ("acme-03", {"attributes": {"size": 3}}, 400),
            ("acme-03", {"attributes": {f"a{n}": "x" for n in range(200)}}, 400),
            ("acme-03", [1], 400),
        ],
    )
    def test_bad_input_is_refused_and_changes_nothing(
        self, shop_api: TestClient, product_id: str, body: Any, status: int
    ) -> None:
        answer = shop_api.patch(f"/v1/products/{product_id}", json=body)
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert get(shop_api, "/admin/v1/status")["journal_head"] == 0
        assert shop_api.patch("/v1/products/acme-03", content="price=1").status_code == 415

    def test_of_many_at_once_none_is_lost(self, shop_api: TestClient) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: patch(shop_api, "acme-03", attributes={f"a{n}": "x"}), range(24)))
        assert get(shop_api, "/v1/products/acme-03")["attributes"] == {"size": "M3"} | {f"a{n}": "x" for n in range(24)}

    def test_in_a_bulk(self, shop_api: TestClient) -> None:
        *lines, sums = bulk(
            shop_api,
            {"product_id": "acme-03", "patch": True, "price": 1.5},
            {"product_id": "acme-03", "patch": True, "in_stock": False},
            {"product_id": "nobody", "patch": True, "price": 1.5},
            {"product_id": "acme-04", "patch": False, "price": 1.5},
            {"product_id": "acme-04", "patch": True, "attributes": {f"a{n}": "x" for n in range(200)}},
        )
        assert [line.get("status", 200) for line in lines] == [200, 200, 404, 400, 400]
        assert (sums["written"], sums["refused"]) == (2, 3)
        product = get(shop_api, "/v1/products/acme-03")
        assert (product["price"], product["in_stock"], product["attributes"]) == (1.5, False, {"size": "M3"})


class TestDelete:
    def test_a_product_is_gone_from_every_route(self, shop_api: TestClient) -> None:
        assert shop_api.delete("/v1/products/acme-03").status_code == 204
        for path in ("", "/image", "/same-style", "/similar"):
            assert shop_api.get(f"/v1/products/acme-03{path}").status_code == 404
        assert shop_api.post("/v1/search", json={"product_id": "acme-03"}).status_code == 404
        assert "acme-03" not in found(shop_api, text="design3", k=40)
        assert "acme-03" not in found(shop_api, text="design3", k=40, filters={"suppliers": ["acme"]})
        assert "acme-03" not in {product["product_id"] for product in pages(shop_api, limit=200)}
        assert get(shop_api, "/v1/products")["total"] == 35

    def test_again_or_an_unknown_one_changes_nothing(self, shop_api: TestClient) -> None:
        for product_id in ("acme-03", "acme-03", "nobody"):
            assert shop_api.delete(f"/v1/products/{product_id}").status_code == 204
        assert get(shop_api, "/v1/products")["total"] == 35

    def test_what_was_deleted_may_come_back(self, shop_api: TestClient) -> None:
        shop_api.delete("/v1/products/acme-03")
        put(shop_api, "acme-03", title="back again")
        assert get(shop_api, "/v1/products/acme-03")["image_url"] is None
        assert get(shop_api, "/v1/products")["total"] == 36


class TestBulk:
    def test_each_line_has_its_report(self, shop_api: TestClient) -> None:
        *lines, sums = bulk(
            shop_api,
            {"product_id": "b1", **LAMP, "image": PHOTO},
            "",
            "{broken",
            {"product_id": "b2"},
            {"product_id": "b3", "title": "x", "price": -1},
            {"product_id": "acme-03", "delete": True},
            {"product_id": "b4", "title": "x", "image": base64.b64encode(b"no photo").decode()},
            {"product_id": "b5", "title": "mug"},
        )
        assert sums == {"lines": 7, "written": 3, "refused": 4} == BulkSums(**sums).model_dump(exclude_none=True)
        assert lines == [BulkOutcome(**line).model_dump(exclude_none=True) for line in lines]
        assert [line["line"] for line in lines] == [1, 3, 4, 5, 6, 7, 8]
        assert [line.get("status", 200) for line in lines] == [200, 400, 400, 400, 200, 422, 200]
        assert [line["position"] for line in lines if "position" in line] == [1, 2, 3]
        assert all(line["detail"] and line["type"].startswith("samestyle:") for line in lines if "status" in line)
        assert get(shop_api, "/v1/products")["total"] == 37
        assert "b1" in found(shop_api, text=LAMP["title"], k=5)

    def test_the_last_line_about_a_product_wins(self, shop_api: TestClient) -> None:
        names = [f"title {n}" for n in range(30)]
        bulk(shop_api, *[{"product_id": f"p{n % 3}", "title": name} for n, name in enumerate(names)])
        assert [get(shop_api, f"/v1/products/p{n}")["title"] for n in range(3)] == names[-3:]

    def test_any_number_of_lines_cut_anywhere(self, shop_api: TestClient) -> None:
        body = "".join(json.dumps({"product_id": f"p{n}", "title": f"thing {n}"}) + "\r\n" for n in range(100)).encode()
        parts = iter([body[at : at + 37] for at in range(0, len(body), 37)])
        answer = shop_api.post("/v1/products/bulk", content=parts, headers={"content-type": "application/x-ndjson"})
        assert json.loads(answer.text.splitlines()[-1]) == {"lines": 100, "written": 100, "refused": 0}
        assert get(shop_api, "/v1/products")["total"] == 136

    def test_nothing_at_all(self, shop_api: TestClient) -> None:
        assert bulk(shop_api) == [{"lines": 0, "written": 0, "refused": 0}]

    def test_a_line_without_end_ends_it_with_the_reason(
        self, shop_api: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("service.routes.writes._MAX_LINE", 1_000)
        lines = [{"product_id": f"p{n}", "title": "mug"} for n in range(9)]
        *report, sums = bulk(shop_api, *lines, "x" * 2_000)
        assert [line["position"] for line in report] == list(range(1, 10))
        assert (sums["lines"], sums["written"], sums["status"]) == (9, 9, 413)
        assert "Line 10" in sums["detail"]


class Counting(StandInEncoders):
    """Counts what it encodes."""

    encoded = 0

    def fuse(self, items: Any) -> Any:
        self.encoded += len(items)
        return super().fuse(items)


class Meanwhile(StandInEncoders):
    """While it encodes for the first time, something else happens."""

    def __init__(self, happens: Callable[[], object]) -> None:
        super().__init__()
        self._happens: Callable[[], object] | None = happens

    def fuse(self, items: Any) -> Any:
        happens, self._happens = self._happens, None
        if happens is not None:
            happens()
        return super().fuse(items)


@pytest.mark.parametrize("product_id", ["acme-03", "new"])
def test_a_photo_that_another_gateway_puts_meanwhile_is_kept(
    own_shop: Settings, embedder: StandInEncoders, postgres: str, product_id: str
) -> None:
    """Looked up before, it would be the one from before."""
    settings = own_shop.model_copy(update={"journal": SecretStr(postgres)})
    sent = photo(style_colour(77))
    with client_of(settings, embedder) as theirs:
        image = base64.b64encode(sent).decode()
        racing = Meanwhile(lambda: put(theirs, product_id, title="theirs", image=image))
        with client_of(settings, racing) as ours:
            written = put(ours, product_id, title="ours", price=7)
            assert written["position"] == 2
            after = get(ours, f"/v1/products/{product_id}")
            assert (after["title"], after["price"]) == ("ours", 7)
            assert hashlib.sha256(sent).hexdigest()[:12] in after["image_url"]
            assert ours.get(after["image_url"]).status_code == 200


@pytest.mark.parametrize("deleted", [False, True])
def test_what_another_gateway_writes_meanwhile_is_not_undone_by_a_patch(
    own_shop: Settings, embedder: StandInEncoders, postgres: str, deleted: bool
) -> None:
    settings = own_shop.model_copy(update={"journal": SecretStr(postgres)})
    path = "/v1/products/acme-03"
    with client_of(settings, embedder) as theirs:

        def meanwhile() -> None:
            if deleted:
                assert theirs.delete(path).status_code == 204
            else:
                put(theirs, "acme-03", title="theirs", price=8)

        with client_of(settings, Meanwhile(meanwhile)) as ours:
            patch(ours, "acme-03", 404 if deleted else 200, description="ours", attributes={"colour": "red"})
            assert ours.get(path).status_code == (404 if deleted else 200)
            if not deleted:
                after = get(ours, path)
                assert (after["title"], after["price"], after["description"]) == ("theirs", 8, "ours")
                assert after["attributes"] == {"colour": "red"}
                put(theirs, "acme-03", title="theirs", price=9)
                patch(ours, "acme-03", price=8)  # changes something, though ours may still show 8
                assert get(ours, path)["price"] == 8


def test_what_lags_behind_does_not_say_that_a_patch_changes_nothing(
    own_shop: Settings, embedder: StandInEncoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index of another alias shows the change before it, and that of live cannot."""
    cut_from_live(own_shop, "newer", source=StandIns(embedder))
    with client_of(own_shop, embedder) as api:
        put(api, "new", title="gnome", price=3.5)
        assert api.put("/admin/v1/aliases/next", json={"snapshot": "shop-1"}).status_code == 200
        lagging = cast("FastAPI", api.app).state.serving.served["live"].retrieval.live

        def only_others(journal: Journal, photos: PhotoStore, live: LiveIndex, encoder: EncoderQueues) -> bool:
            if live is lagging:
                raise OSError("no memory")
            return step(journal, photos, live, encoder)

        monkeypatch.setattr("service.feed.step", only_others)
        wait_until(lambda: get(api, "/readyz")["status"] == "degraded")
        put(api, "new", title="gnome", price=8)
        patch(api, "new", 409, price=3.5)


def test_a_write_that_always_comes_too_late_is_a_conflict(
    own_shop: Settings, embedder: StandInEncoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(*_: object) -> None:
        raise ProductChanged("Somebody else changed the product.")

    monkeypatch.setattr("index.journal_sqlite.check_unchanged", changed)
    with client_of(own_shop, embedder) as api:
        answer = api.put("/v1/products/acme-03", json={"title": "late"})
        assert (answer.status_code, answer.json()["type"]) == (409, "samestyle:conflict")
        assert get(api, "/admin/v1/status")["journal_head"] == 0


def test_a_bulk_comes_again_with_lines_that_met_another_gateways_writes(
    own_shop: Settings, embedder: StandInEncoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which need only be one of those that are committed together."""
    met = iter(range(7))

    def changed(*_: object) -> None:
        if next(met, None) is not None:
            raise ProductChanged("Somebody else changed the product.")

    monkeypatch.setattr("index.journal_sqlite.check_unchanged", changed)
    with client_of(own_shop, embedder) as api:
        *_, sums = bulk(api, *({"product_id": f"acme-0{n}", "patch": True, "price": 2} for n in (3, 4)))
        assert (sums["written"], sums["refused"]) == (2, 0)


def test_a_put_has_one_deadline_however_many_things_it_waits_for(
    shop_api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadlines: list[float] = []
    in_time = Pools.in_time

    async def noted(self: Pools, work: Awaitable[Any]) -> Any:
        deadlines.append(current().at)
        return await in_time(self, work)

    monkeypatch.setattr(Pools, "in_time", noted)
    for number, fields in enumerate([{"title": "lamp"}, {"title": "lamp", "image": PHOTO}, {"title": "a lamp"}]):
        put(shop_api, "lamp", **fields)
        assert len(deadlines) > 3
        assert len(set(deadlines)) == 1
        assert 0 < deadlines[0] - time.monotonic() <= shop_api.app.state.serving.settings.deadline_s  # type: ignore[attr-defined]
        deadlines.clear()
        assert get(shop_api, "/v1/products/lamp")["title"] == fields["title"], number
        deadlines.clear()


def test_a_database_that_hangs_keeps_nothing_but_writes_waiting(
    own_shop: Settings, embedder: StandInEncoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended = threading.Event(), threading.Event()

    def head() -> int:
        begun.set()
        assert ended.wait(30)
        return 0

    settings = own_shop.model_copy(update={"cores": 1, "deadline_s": 2.0})
    with client_of(settings, embedder) as api, ThreadPoolExecutor(4) as pool:
        cursor = api.post("/v1/search", json={"text": "lamp", "k": 2}).json()["next_cursor"]
        monkeypatch.setattr(api.app.state.serving.journal, "head", head)  # type: ignore[attr-defined]
        try:
            writes = [pool.submit(api.put, f"/v1/products/acme-0{n}", json={"title": "late"}) for n in range(4)]
            assert begun.wait(10)
            assert api.post("/v1/search", json={"cursor": cursor}).status_code == 200
            assert found(api, image=PHOTO)
            assert {write.result().status_code for write in writes} == {504}
        finally:
            ended.set()


def test_a_restart_loses_nothing(own_shop: Settings, embedder: StandInEncoders) -> None:
    with client_of(own_shop, embedder) as api:
        put(api, "kept", **LAMP, image=PHOTO)
        api.delete("/v1/products/acme-03")
    counting = Counting()
    with client_of(own_shop, counting) as api:
        assert get(api, "/v1/products/kept")["title"] == LAMP["title"]
        assert api.get("/v1/products/acme-03").status_code == 404
        assert get(api, "/v1/products")["total"] == 36
    assert counting.encoded == 0


def test_too_many_changes_are_refused_until_a_snapshot_is_cut(
    own_shop: Settings, embedder: StandInEncoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.delta.MAX_ROWS", 3)
    monkeypatch.setattr("index.live._DUE_LEAST", 1)
    with client_of(own_shop, embedder) as api:
        put(api, "p0", title="mug")
        status = get(api, "/admin/v1/status")["aliases"][0]
        assert (status["changes"], status["snapshot_due"]) == (1, False)
        for number in range(1, 3):
            put(api, f"p{number}", title="mug")
        assert get(api, "/admin/v1/status")["aliases"][0]["snapshot_due"] is True
        assert "samestyle_snapshot_due 1.0" in api.get("/metrics").text
        answer = api.put("/v1/products/p3", json={"title": "mug"})
        assert answer.status_code == 503
        assert "--from-live" in answer.json()["detail"]
        assert found(api, text="mug", k=3)
