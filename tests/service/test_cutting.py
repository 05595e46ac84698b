"""`build --from-live`, beside a gateway that goes on, and by a gateway itself."""

import asyncio
import os
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from catalogue.errors import InvalidInput, NotFound, SnapshotInvalid
from catalogue.files import try_lock
from catalogue.settings import IndexSettings, Settings
from index import Journal, Snapshot
from index.aliases import activate
from index.checksums import verify
from index.plan import Choice
from models import StandInEncoders
from service.cutting import AutoSnapshot, check_position, cut_from_live
from service.swapping import open_serving
from tests.index.changes import upsert
from tests.service.conftest import StandIns, client_of
from tests.service.test_api_admin import damage, live, point
from tests.service.test_api_products import get, pages
from tests.service.test_api_writes import Counting, put
from tests.waiting import wait_until

CHOICE = Choice()


def test_what_is_live_becomes_a_snapshot_and_writes_go_on(own_shop: Settings) -> None:
    embedder = Counting()
    with client_of(own_shop, embedder) as api:
        put(api, "written", title="garden gnome")
        api.delete("/v1/products/acme-03")
        before, encoded = pages(api, limit=200), embedder.encoded
        manifest = cut_from_live(own_shop, "cut", choice=CHOICE, source=StandIns(embedder))
        assert (manifest.products, manifest.journal_position) == (36, 2)
        assert embedder.encoded == encoded
        put(api, "later", title="another gnome")
        assert point(api, "cut").status_code == 200
        assert [product for product in pages(api, limit=200) if product["product_id"] != "later"] == before
        assert get(api, "/v1/products/later")["title"] == "another gnome"
        (status,) = get(api, "/admin/v1/status")["aliases"]
        assert (status["changes"], status["position"], status["products"]) == (1, 3, 37)
        for query in ("garden gnome", "another gnome"):
            found = api.post("/v1/search", json={"text": query, "k": 1}).json()["hits"]
            assert found[0]["title"] == query


def test_without_a_journal_nothing_changed(own_shop: Settings, embedder: StandInEncoders) -> None:
    manifest = cut_from_live(own_shop, "cut", choice=CHOICE, source=StandIns())  # and no model is needed
    assert (manifest.products, manifest.journal_position) == (36, 0)
    snapshot = Snapshot.open(own_shop.data / "snapshots" / "cut", fingerprint=embedder.fingerprint)
    assert {snapshot.products.id_of(row) for row in range(36)} >= {"acme-03", "orion-11"}


def test_it_is_cut_from_what_the_alias_names(own_shop: Settings) -> None:
    cut_from_live(own_shop, "second", choice=CHOICE, source=StandIns())
    activate(own_shop.data, "live", "nowhere")
    with pytest.raises(Exception, match="nowhere"):
        cut_from_live(own_shop, "third", choice=CHOICE, source=StandIns())


def test_the_index_stays_one_as_was_asked_for(own_shop: Settings) -> None:
    by_hand = Choice(0.9, "ivf-sq8", {"nlist": 4})
    cut_from_live(own_shop, "by-hand", choice=by_hand, source=StandIns())
    activate(own_shop.data, "live", "by-hand")
    manifest = cut_from_live(own_shop, "next", source=StandIns())
    assert (manifest.index_type, manifest.index_parameters, manifest.choice) == ("ivf-sq8", {"nlist": 4}, by_hand)
    assert cut_from_live(own_shop, "flat", choice=Choice(), source=StandIns()).index_type == "flat"


def test_nothing_is_cut_from_what_has_rotted(own_shop: Settings) -> None:
    verify(own_shop.data / "snapshots" / "shop-1", remembered=own_shop.data / "verified")
    vectors = own_shop.data / "snapshots" / "shop-1" / "vectors" / "fusion.npy"
    times = vectors.stat()
    damage(own_shop, "shop-1", "vectors/fusion.npy")
    os.utime(vectors, ns=(times.st_atime_ns, times.st_mtime_ns))  # a bad disk changes no time
    with pytest.raises(SnapshotInvalid, match=r"fusion\.npy is corrupt"):
        cut_from_live(own_shop, "cut", choice=CHOICE, source=StandIns())


def test_what_cannot_be_cut(own_shop: Settings, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="shop-1"):
        cut_from_live(own_shop, "shop-1", choice=CHOICE, source=StandIns())
    with pytest.raises(NotFound, match="samestyle build"):
        cut_from_live(Settings(data=tmp_path / "empty"), "x", choice=CHOICE, source=StandIns())


def test_a_catalogue_that_the_journal_no_longer_reaches_back_to_is_told_the_ways_out(own_shop: Settings) -> None:
    with Journal.open(own_shop.data / "journal.sqlite3") as journal:
        journal.append([upsert(f"p{n}") for n in range(7)])
        assert check_position(own_shop, 0) == journal.id
        journal.trim(5)
        assert check_position(own_shop, 5) == check_position(own_shop, 7) == journal.id
        with pytest.raises(InvalidInput) as refused:
            check_position(own_shop, 0)
    said = str(refused.value)
    for part in ("up to position 5", "would lose them", "--journal-position 5, or more", "build --from-live --name"):
        assert part in said
    with pytest.raises(InvalidInput, match="ends at 7"):
        check_position(own_shop, 8)


def test_an_automatic_cut_that_is_killed_leaves_nothing_but_what_is_not_its_own(
    own_shop: Settings, embedder: StandInEncoders
) -> None:
    """Of gateways that share the directory several may find a snapshot due in the same second."""
    snapshots = own_shop.data / "snapshots"

    class Killed(AutoSnapshot):
        def _cut(self, name: str, lock: int) -> bool:
            (snapshots / f".{name}.a1b2c3d4" / "vectors").mkdir(parents=True)
            return False

    serving, swaps = open_serving(own_shop, StandIns(embedder))
    cut_from_live(own_shop, "auto-1", choice=CHOICE, source=StandIns(embedder))  # by another gateway
    before = set(snapshots.iterdir())
    assert not Killed(serving, swaps)._cut_and_serve("auto-1", 0)
    assert set(snapshots.iterdir()) == before
    swaps.close()
    asyncio.run(serving.close())


def test_gateways_cut_and_serve_by_themselves_one_for_all_and_tidy_up(
    own_shop: Settings, embedder: StandInEncoders, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.live._DUE_LEAST", 1)
    index = IndexSettings(watch_s=0.05, auto_snapshot=True)
    settings = own_shop.model_copy(update={"index": index, "journal": SecretStr(postgres)})
    cuts = []

    def cut(self: object, name: str, lock: int) -> bool:  # without a process: it would look for a real model
        with try_lock(own_shop.data / ".auto-snapshot.lock") as free:
            assert free is None
        cuts.append(name)
        cut_from_live(settings, name, choice=CHOICE, source=StandIns(embedder))
        return True

    def is_due(api: TestClient) -> bool:
        return bool(get(api, "/admin/v1/status")["aliases"][0]["snapshot_due"])

    monkeypatch.setattr("service.cutting.AutoSnapshot._cut", cut)
    with client_of(settings, embedder) as api, client_of(settings, embedder) as other:
        with try_lock(own_shop.data / ".auto-snapshot.lock"):  # so that both find all of it due
            for number in range(3):
                put(api, f"new-{number}", title="garden gnome")
            wait_until(lambda: is_due(api) and is_due(other))
        wait_until(lambda: all(live(each).startswith("auto-") and not is_due(each) for each in (api, other)))
        for each in (api, other):
            assert get(each, "/v1/products")["total"] == 39
        assert len(cuts) == 1
    names = {path.name for path in (own_shop.data / "snapshots").iterdir() if not path.name.startswith(".")}
    assert names == {"shop-1", *cuts}
