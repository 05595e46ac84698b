"""`/admin/v1`: snapshots are exchanged while requests go on, whole or not at all."""

import asyncio
import gc
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import text

from catalogue.errors import JournalInvalid
from catalogue.settings import IndexSettings, Settings
from index import Change, Journal, LiveIndex
from index.aliases import AliasTable, activate, read_aliases
from models import StandInEncoders
from service.build import build
from service.swapping import open_serving
from tests.index.builders import edit_manifest
from tests.index.test_journal_postgres import role_without_rights
from tests.service.conftest import StandIns, client_of, write_shop
from tests.service.test_api_products import get
from tests.service.test_api_writes import Counting, put
from tests.waiting import wait_until

OTHER = StandInEncoders(name="other", dim=96)


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("catalogue"))


def add_snapshot(settings: Settings, catalogue: Path, name: str, embedder: StandInEncoders, *, rows: int = 36) -> None:
    """The first `rows` listings of the shop as one more snapshot."""
    part = catalogue.with_name(f"{name}.jsonl")
    part.write_text("".join(catalogue.read_text().splitlines(keepends=True)[:rows]))
    build(part, settings.data, name, embedder, decode_threads=1)


@pytest.fixture
def two(own_shop: Settings, catalogue: Path, embedder: StandInEncoders) -> Settings:
    """`shop-1`, which is desired, and `shop-2` with 30 of its products."""
    add_snapshot(own_shop, catalogue, "shop-2", embedder, rows=30)
    activate(own_shop.data, "live", "shop-1")
    return own_shop


@pytest.fixture
def api(two: Settings, embedder: StandInEncoders) -> Iterator[TestClient]:
    with client_of(two, embedder) as client:
        yield client


def point(api: TestClient, snapshot: str, alias: str = "live", **params: Any) -> Any:
    return api.put(f"/admin/v1/aliases/{alias}", json={"snapshot": snapshot}, params=params)


def live(api: TestClient) -> str:
    name: str = get(api, "/readyz")["snapshot"]
    return name


def damage(settings: Settings, name: str, file: str = "products.parquet") -> None:
    """One bit, in place: what a bad disk does."""
    path = settings.data / "snapshots" / name / file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


class TestSwap:
    def test_the_next_request_is_answered_from_the_other_snapshot(self, api: TestClient, two: Settings) -> None:
        assert get(api, "/v1/products")["total"] == 36
        answer = point(api, "shop-2")
        assert answer.status_code == 200
        assert (answer.json()["stage"], answer.json()["error"]) == ("done", None)
        assert get(api, "/v1/products")["total"] == 30
        assert api.post("/v1/search", json={"text": "mug"}).json()["snapshot"] == "shop-2"
        table = read_aliases(two.data).get("live")
        assert table is not None
        assert (table.snapshot, table.previous) == ("shop-2", "shop-1")

    def test_a_rollback_goes_back(self, api: TestClient) -> None:
        point(api, "shop-2")
        answer = api.post("/admin/v1/aliases/live/rollback")
        assert (answer.status_code, answer.json()["snapshot"]) == (200, "shop-1")
        assert live(api) == "shop-1"
        assert api.post("/admin/v1/aliases/live/rollback").status_code == 404

    def test_what_is_live_already_stays(self, api: TestClient) -> None:
        assert point(api, "shop-1").status_code == 200
        assert live(api) == "shop-1"

    def test_writes_outlive_it(self, api: TestClient) -> None:
        put(api, "written", title="garden gnome")
        api.delete("/v1/products/acme-03")
        point(api, "shop-2")
        assert get(api, "/v1/products/written")["title"] == "garden gnome"
        assert api.get("/v1/products/acme-03").status_code == 404
        assert get(api, "/v1/products")["total"] == 30

    @pytest.mark.parametrize("sort", ["product_id", "title", "price", "-price"])
    def test_the_catalogue_is_paged_through_amid_writes_and_swaps(self, api: TestClient, sort: str) -> None:
        put(api, "zz-cheap", title="zz", price=0.5)
        put(api, "zz-dear", title="zz", price=9_999)
        page = get(api, "/v1/products", sort=sort, limit=5)
        shown = [product["product_id"] for product in page["products"]]
        for gone in shown[:2]:
            api.delete(f"/v1/products/{gone}")
        point(api, "shop-2")
        left = [product["product_id"] for product in get(api, "/v1/products", sort=sort, limit=100)["products"]]
        expected = [*shown, *(product for product in left if product not in shown)]
        while page["next_cursor"]:
            page = get(api, "/v1/products", sort=sort, limit=7, cursor=page["next_cursor"])
            shown += [product["product_id"] for product in page["products"]]
        assert shown == expected

    def test_a_restart_serves_what_was_made_live(self, two: Settings, embedder: StandInEncoders) -> None:
        with client_of(two, embedder) as api:
            point(api, "shop-2")
        with client_of(two, embedder) as api:
            assert live(api) == "shop-2"

    def test_another_alias_answers_beside_it(self, api: TestClient) -> None:
        assert point(api, "shop-2", alias="test").status_code == 200
        body = {"text": "mug", "k": 1}
        assert api.post("/v1/search", json={**body, "alias": "test"}).json()["snapshot"] == "shop-2"
        assert api.post("/v1/search", json=body).json()["snapshot"] == "shop-1"
        put(api, "both", title="garden gnome")
        for alias in ("test", "live"):
            found = api.post("/v1/search", json={"text": "garden gnome", "k": 1, "alias": alias}).json()
            assert found["hits"][0]["product_id"] == "both"
        assert api.post("/v1/search", json={**body, "alias": "nobody"}).status_code == 404

    def test_threads_do_not_pile_up(self, api: TestClient) -> None:
        for _ in range(2):
            point(api, "shop-2"), point(api, "shop-1")
        before = threading.active_count()
        for _ in range(3):
            point(api, "shop-2"), point(api, "shop-1")
        assert threading.active_count() <= before

    @pytest.mark.parametrize(
        ("alias", "body", "status"),
        [
            ("live", {"snapshot": "nowhere"}, 404),
            ("live", {"snapshot": "../shop-1"}, 400),
            ("live", {"snapshot": ""}, 400),
            ("live", {}, 400),
            ("live", {"snapshot": "shop-1", "force": True}, 400),
            ("li ve", {"snapshot": "shop-1"}, 400),
            ("a" * 65, {"snapshot": "shop-1"}, 400),
        ],
    )
    def test_bad_input(self, api: TestClient, alias: str, body: Any, status: int) -> None:
        answer = api.put(f"/admin/v1/aliases/{alias}", json=body)
        assert answer.status_code == status, answer.text
        assert live(api) == "shop-1"

    def test_what_is_not_said_to_be_json_is_no_body(self, api: TestClient) -> None:
        answer = api.put("/admin/v1/aliases/live", content=b'{"snapshot": "shop-2"}')
        assert (answer.status_code, answer.json()["type"]) == (415, "samestyle:unsupported-media")
        assert live(api) == "shop-1"


class TestRefusal:
    @pytest.mark.parametrize("file", ["products.parquet", "vectors/fusion.npy", "canary.npz", "manifest.json"])
    def test_a_damaged_snapshot(self, api: TestClient, two: Settings, file: str) -> None:
        damage(two, "shop-2", file)
        answer = point(api, "shop-2")
        assert answer.status_code == 409
        assert "shop-2" in answer.json()["detail"]
        assert live(api) == "shop-1"
        assert get(api, "/readyz")["status"] == "ready"
        (operation, *_) = get(api, "/admin/v1/status")["operations"]
        assert operation["stage"] == "failed"
        assert operation["error"] == answer.json()["detail"]
        state = read_aliases(two.data).get("live")
        assert state is not None
        assert state.snapshot == "shop-1"

    def test_one_without_its_model(self, api: TestClient, two: Settings, catalogue: Path) -> None:
        add_snapshot(two, catalogue, "foreign", OTHER)
        answer = point(api, "foreign")
        assert (answer.status_code, answer.json()["type"]) == (409, "samestyle:bundle-invalid")
        assert live(api) == "shop-1"

    def test_no_memory_for_it(self, two: Settings, embedder: StandInEncoders) -> None:
        with client_of(two, embedder) as api:
            object.__setattr__(api.app.state.serving, "settings", two.model_copy(  # type: ignore[attr-defined]
                update={"index": IndexSettings(memory_bytes=1)}
            ))  # fmt: skip
            answer = point(api, "shop-2")
            assert (answer.status_code, answer.json()["type"]) == (409, "samestyle:not-enough-memory")
            assert live(api) == "shop-1"

    def test_a_file_that_cannot_be_written(
        self, api: TestClient, monkeypatch: pytest.MonkeyPatch, two: Settings
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("index.aliases.write_atomic", full)
        answer = point(api, "shop-2")
        assert (answer.status_code, answer.json()["type"]) == (503, "samestyle:swap-failed")
        assert "No space left" in answer.json()["detail"]
        assert live(api) == "shop-1"
        monkeypatch.undo()
        assert point(api, "shop-2").status_code == 200

    def test_failed_ones_keep_nothing_in_memory(
        self, api: TestClient, two: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("index.aliases.write_atomic", broken)
        for _ in range(3):
            assert point(api, "shop-2").status_code == 503

        def held() -> list[Path]:
            live = [held.snapshot.path for held in gc.get_objects() if isinstance(held, LiveIndex)]
            return [path for path in live if path.parent == two.data / "snapshots"]

        # The answer may be here while the swap's thread still leaves the frames that its failure passed through.
        wait_until(lambda: held() == [two.data / "snapshots" / "shop-1"])

    def test_one_at_a_time(self, api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
        going_on = threading.Event()
        monkeypatch.setattr("service.exchange.verify", lambda *_, **__: going_on.wait(10))
        try:
            first = point(api, "shop-2", wait=0)
            assert (first.status_code, first.json()["stage"]) in {(202, "waiting"), (202, "verifying")}
            assert point(api, "shop-1").status_code == 409
            assert api.post("/admin/v1/aliases/live/rollback").status_code in {404, 409}
            assert live(api) == "shop-1"
        finally:
            going_on.set()
        wait_until(lambda: live(api) == "shop-2")


class TestOtherModel:
    """A snapshot of another space: model and index change together."""

    @pytest.fixture
    def other(self, two: Settings, catalogue: Path) -> Settings:
        add_snapshot(two, catalogue, "other-1", OTHER)
        return two

    def test_what_was_written_before_is_embedded_once(self, other: Settings, embedder: StandInEncoders) -> None:
        with client_of(other, embedder, OTHER) as api:
            put(api, "written", title="garden gnome")
            assert point(api, "other-1").status_code == 200
            assert get(api, "/readyz")["model"] == "other"
            found = api.post("/v1/search", json={"text": "garden gnome", "k": 1}).json()
            assert (found["model"], found["hits"][0]["product_id"]) == ("other", "written")
        counting = Counting(name="other", dim=96)
        with client_of(other, embedder, counting) as api:
            assert get(api, "/v1/products/written")["title"] == "garden gnome"
        assert counting.encoded == 0

    def test_writes_are_embedded_for_the_model_before_too(self, other: Settings) -> None:
        first, second = Counting(), Counting(name="other", dim=96)
        with client_of(other, first, second) as api:
            point(api, "other-1")
            put(api, "written", title="garden gnome")
            assert (first.encoded, second.encoded) == (1, 1)
            assert len(get(api, "/admin/v1/status")["models"]) == 2
            api.post("/admin/v1/aliases/live/rollback")
            assert api.get("/v1/products/written").status_code == 200
            assert first.encoded == 1
            wait_until(lambda: len(get(api, "/admin/v1/status")["models"]) == 1)  # let go of after the answer


class TestWatch:
    def test_a_change_of_the_file_is_followed(self, api: TestClient, two: Settings) -> None:
        activate(two.data, "live", "shop-2")
        wait_until(lambda: live(api) == "shop-2")
        activate(two.data, "test", "shop-1")
        wait_until(lambda: "test" in {entry["alias"] for entry in get(api, "/admin/v1/status")["aliases"]})

    def test_what_must_be_refused_is_said_and_not_served(self, api: TestClient, two: Settings) -> None:
        damage(two, "shop-2")
        activate(two.data, "live", "shop-2")
        wait_until(lambda: get(api, "/readyz")["status"] == "degraded")
        assert live(api) == "shop-1"
        (status,) = get(api, "/admin/v1/status")["aliases"]
        assert (status["snapshot"], status["desired"]) == ("shop-1", "shop-2")
        assert "products.parquet" in status["refused"]
        assert "samestyle_aliases_refused 1.0" in api.get("/metrics").text
        activate(two.data, "live", "shop-1")
        wait_until(lambda: get(api, "/readyz")["status"] == "ready")

    def test_what_was_withdrawn_meanwhile_is_not_served(
        self, api: TestClient, two: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        going_on, reached = threading.Event(), threading.Event()

        def slow(*_: object, **__: object) -> None:
            reached.set()
            going_on.wait(10)

        monkeypatch.setattr("service.exchange.verify", slow)
        activate(two.data, "live", "shop-2")
        assert reached.wait(10)
        activate(two.data, "live", "shop-1")
        going_on.set()
        wait_until(lambda: get(api, "/admin/v1/status")["operations"][0]["stage"] == "failed")
        assert "any more" in get(api, "/admin/v1/status")["operations"][0]["error"]
        assert (live(api), get(api, "/readyz")["status"]) == ("shop-1", "ready")

    def test_live_is_followed_however_many_there_are(self, api: TestClient, two: Settings) -> None:
        document = json.loads((two.data / "aliases.json").read_text())
        state = {"snapshot": "shop-2", "since": "2026-11-28T00:00:00Z"}
        document["aliases"] = {f"a{number:02d}": state for number in range(17)} | {"live": state}
        (two.data / "aliases.json").write_text(json.dumps(document))
        wait_until(lambda: live(api) == "shop-2")
        wait_until(lambda: get(api, "/readyz")["status"] == "degraded")
        assert get(api, "/readyz")["reasons"] == ["aliases.json names over 16 aliases; not followed: a15, a16"]

    def test_one_that_is_made_while_the_file_is_read_stays(
        self, two: Settings, embedder: StandInEncoders, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        serving, swaps = open_serving(two, StandIns(embedder))

        def slow(data: Path) -> AliasTable:
            table = read_aliases(data)
            monkeypatch.undo()
            swaps.swap("test", "shop-1").done.result(30)
            return table

        monkeypatch.setattr("service.swapping.read_aliases", slow)
        swaps._look()
        assert set(serving.served) == {"live", "test"}
        swaps.close()
        asyncio.run(serving.close())

    def test_a_broken_file_changes_nothing(self, api: TestClient, two: Settings) -> None:
        (two.data / "aliases.json").write_text("{")
        wait_until(lambda: get(api, "/readyz")["status"] == "degraded")
        assert live(api) == "shop-1"
        assert point(api, "shop-2").status_code == 503
        assert live(api) == "shop-1"

    def test_an_alias_can_be_forgotten_but_not_live(self, api: TestClient) -> None:
        point(api, "shop-2", alias="test")
        assert api.delete("/admin/v1/aliases/test").status_code == 204
        wait_until(lambda: api.post("/v1/search", json={"text": "mug", "alias": "test"}).status_code == 404)
        assert api.delete("/admin/v1/aliases/test").status_code == 404
        assert api.delete("/admin/v1/aliases/live").status_code == 400

    def test_an_alias_that_is_taken_out_goes(self, api: TestClient, two: Settings) -> None:
        point(api, "shop-2", alias="test")
        document = json.loads((two.data / "aliases.json").read_text())
        del document["aliases"]["test"]
        (two.data / "aliases.json").write_text(json.dumps(document))
        wait_until(lambda: api.post("/v1/search", json={"text": "mug", "alias": "test"}).status_code == 404)


class TestStart:
    def test_without_a_file_the_newest_serves(self, two: Settings, embedder: StandInEncoders) -> None:
        (two.data / "aliases.json").unlink()
        with client_of(two, embedder) as api:
            assert live(api) == "shop-2"
            point(api, "shop-1")
            assert api.post("/admin/v1/aliases/live/rollback").status_code == 200
            assert live(api) == "shop-2"

    @pytest.mark.parametrize("missing", [False, True])
    def test_a_damaged_live_one_falls_back_to_the_one_before(
        self, two: Settings, embedder: StandInEncoders, catalogue: Path, *, missing: bool
    ) -> None:
        add_snapshot(two, catalogue, "shop-3", embedder, rows=10)  # newer, but never live
        activate(two.data, "live", "shop-2")
        manifest = two.data / "snapshots" / "shop-2" / "manifest.json"
        manifest.unlink() if missing else manifest.write_text("{}")
        with client_of(two, embedder) as api:
            ready = get(api, "/readyz")
            assert (ready["snapshot"], ready["status"]) == ("shop-1", "degraded")
            assert "shop-2" in ready["reasons"][0]
            assert "samestyle_aliases_refused 1.0" in api.get("/metrics").text
            assert api.post("/v1/search", json={"text": "mug"}).status_code == 200

    def test_the_list_shows_what_serves_and_what_cannot(self, two: Settings, embedder: StandInEncoders) -> None:
        (two.data / "snapshots" / "half").mkdir()
        with client_of(two, embedder) as api:
            entries = get(api, "/admin/v1/snapshots")["snapshots"]
        by_name = {entry["manifest"]["name"]: entry for entry in entries if entry["manifest"]}
        assert by_name["shop-1"]["served_by"] == by_name["shop-1"]["desired_by"] == ["live"]
        assert by_name["shop-2"]["served_by"] == []
        assert next(entry["refused"] for entry in entries if entry["refused"]).startswith("snapshot half")


def take_up(snapshot: Path, journal: str, position: int) -> None:
    """Have a snapshot go on in a journal from a position."""
    edit_manifest(snapshot, lambda manifest: manifest.update(journal=journal, journal_position=position))


def test_others_who_share_the_journal_keep_what_this_data_directory_needs(
    two: Settings, embedder: StandInEncoders, postgres: str
) -> None:
    """`shop-1` is live and `shop-2` is where a rollback goes: `shop-2`, the older, needs the most."""
    with Journal.open(postgres) as journal:
        journal.append([Change.delete(f"p{n}") for n in range(9)])
        for name, position in (("shop-1", 6), ("shop-2", 4)):
            take_up(two.data / "snapshots" / name, journal.id, position)
        for name in ("shop-2", "shop-1"):
            activate(two.data, "live", name)
        with client_of(two.model_copy(update={"journal": SecretStr(postgres)}), embedder):
            assert journal.needed() == 4


def test_a_gateway_that_may_not_say_what_it_needs_does_not_start(
    own_shop: Settings, embedder: StandInEncoders, postgres: str
) -> None:
    """As after an upgrade, where the owner of the journal's tables forgot to grant rights on the new one."""
    Journal.open(postgres).close()
    with role_without_rights(postgres) as (engine, address):
        with engine.begin() as owner:
            owner.execute(text("GRANT ALL ON journal_state, journal_entries, journal_vectors TO gateway"))
        settings = own_shop.model_copy(update={"journal": SecretStr(address)})
        with pytest.raises(JournalInvalid, match="permission denied for table journal_readers"):
            open_serving(settings, StandIns(embedder))
