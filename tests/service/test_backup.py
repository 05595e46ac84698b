"""A backup that is restored gives the same answers; one that is damaged is refused."""

import base64
import json
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from catalogue.errors import BackupInvalid, Conflict, JournalInvalid, NotFound, SnapshotInvalid
from catalogue.settings import Settings
from index import Journal
from index.plan import Choice
from index.work_directories import work_directory
from models import StandInEncoders
from service.backup import create, read, restore
from service.cutting import cut_from_live
from tests.index.builders import edit_manifest
from tests.service.cli.test_main import run
from tests.service.conftest import StandIns, client_of, photo

NEW_PHOTO = photo((1, 200, 3), (50, 40))
QUERIES: list[dict[str, Any]] = [
    {"text": "mug design4"},
    {"text": "a frog that came later"},
    {"product_id": "acme-01"},
    {"image": base64.b64encode(NEW_PHOTO).decode(), "text": "lamp"},
]


def answers(client: TestClient) -> list[Any]:
    """All that there is to see, but for what differs from request to request."""
    found = []
    for query in QUERIES:
        body = client.post("/v1/search", json=query | {"k": 20}).raise_for_status().json()
        found.append([(hit["product_id"], hit["score"], hit["title"], hit["image_url"]) for hit in body["hits"]])
    browsed = client.get("/v1/products", params={"limit": 100}).raise_for_status().json()
    photos = [client.get(hit["image_url"]).content for hit in browsed["products"] if hit["image_url"]]
    return [found, browsed["total"], [hit["product_id"] for hit in browsed["products"]], photos]


def change(client: TestClient) -> None:
    encoded = base64.b64encode(NEW_PHOTO).decode()
    client.put("/v1/products/frog", json={"title": "a frog that came later", "image": encoded}).raise_for_status()
    client.put("/v1/products/acme-01", json={"title": "a bolt under a new name"}).raise_for_status()
    client.delete("/v1/products/kestrel-02").raise_for_status()


@pytest.fixture
def changed(own_shop: Settings, embedder: StandInEncoders) -> Iterator[tuple[Settings, TestClient]]:
    """A gateway that runs, with three changes; its data directory also holds keys, a bundle and events."""
    (own_shop.data / "bundles" / "other").mkdir(parents=True)
    (own_shop.data / "bundles" / "other" / "config.json").write_text("{}")
    (own_shop.data / "events").mkdir(exist_ok=True)
    (own_shop.data / "events" / "2026-11-27.jsonl").write_text('{"click": 1}\n')
    (own_shop.data / "keys.json").write_text("{}")
    with client_of(own_shop, embedder) as client:
        change(client)
        yield own_shop, client


def elsewhere(settings: Settings, data: Path, **given: Any) -> Settings:
    return settings.model_copy(update={"data": data, **given})


def test_restored_into_an_empty_directory_it_gives_the_same_answers(
    changed: tuple[Settings, TestClient], embedder: StandInEncoders, tmp_path: Path
) -> None:
    settings, client = changed
    before = answers(client)
    made = create(settings, tmp_path / "backup")
    assert made.snapshots == ("shop-1",)
    assert made.journal is not None
    assert (made.journal.trimmed, made.journal.head) == (0, 3)
    restored = elsewhere(settings, tmp_path / "restored")
    restored.data.mkdir()
    (restored.data / "lost+found").mkdir()  # as on a disk of its own
    assert restore(tmp_path / "backup", restored) == made
    for inner in ("bundles/other/config.json", "events/2026-11-27.jsonl", "keys.json"):
        assert (restored.data / inner).read_bytes() == (settings.data / inner).read_bytes()
    assert [path.name for path in restored.data.iterdir() if path.name.startswith(".")] == []
    with client_of(restored, embedder) as again:
        assert answers(again) == before
        answer = again.put("/v1/products/late", json={"title": "written after"})
        assert answer.json()["position"] == 4


def test_what_was_acknowledged_before_is_in_a_backup_made_amid_writes(
    changed: tuple[Settings, TestClient], embedder: StandInEncoders, tmp_path: Path
) -> None:
    settings, client = changed
    written: list[str] = []
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            name = f"mug-{len(written)}"
            image = base64.b64encode(photo((len(written) % 250, 7, 7))).decode()
            client.put(f"/v1/products/{name}", json={"title": name, "image": image}).raise_for_status()
            written.append(name)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        while len(written) < 5:
            thread.join(0.01)
        acknowledged = list(written)
        create(settings, tmp_path / "backup")
    finally:
        ended.set()
        thread.join()
    restored = elsewhere(settings, tmp_path / "restored")
    restore(tmp_path / "backup", restored)
    with client_of(restored, embedder) as again:
        for name in acknowledged:
            product = again.get(f"/v1/products/{name}").raise_for_status().json()
            assert again.get(product["image_url"]).status_code == 200
        total = again.get("/v1/products").json()["total"]
        bounds = read(tmp_path / "backup").journal
        assert bounds is not None
        assert total == 36 + bounds.head - 3  # of the first three one was a change, one a removal


def test_after_a_cut_and_a_trim_only_snapshots_that_the_journal_leads_on_from(
    changed: tuple[Settings, TestClient], embedder: StandInEncoders, tmp_path: Path
) -> None:
    settings, client = changed
    cut_from_live(settings, "cut", choice=Choice(), source=StandIns(embedder))
    assert client.put("/admin/v1/aliases/live", json={"snapshot": "cut"}).status_code == 200
    with Journal.attach(settings.journal_address) as journal:
        journal.trim(2)
    client.put("/v1/products/late", json={"title": "a lamp that came late"}).raise_for_status()
    before = answers(client)
    made = create(settings, tmp_path / "backup")
    assert made.snapshots == ("cut",)
    assert made.journal is not None
    assert (made.journal.trimmed, made.journal.head) == (2, 4)
    restored = elsewhere(settings, tmp_path / "restored")
    restore(tmp_path / "backup", restored)
    with client_of(restored, embedder) as again:
        assert answers(again) == before


def test_a_snapshot_that_is_removed_meanwhile_is_left_out(own_shop: Settings, tmp_path: Path) -> None:
    spare = shutil.copytree(own_shop.data / "snapshots" / "shop-1", own_shop.data / "snapshots" / "spare")
    edit_manifest(spare, lambda manifest: manifest.update(name="spare"))

    def say(what: str) -> None:
        if what == "snapshot shop-1":
            shutil.rmtree(spare, ignore_errors=True)

    assert create(own_shop, tmp_path / "backup", say=say).snapshots == ("shop-1",)


def test_without_a_journal_and_aliases(own_shop: Settings, embedder: StandInEncoders, tmp_path: Path) -> None:
    made = create(own_shop, tmp_path / "backup")
    assert (made.journal, made.snapshots) == (None, ("shop-1",))
    restored = elsewhere(own_shop, tmp_path / "restored")
    restore(tmp_path / "backup", restored)
    with client_of(restored, embedder) as client:
        assert client.get("/readyz").json()["products"] == 36


def test_the_next_backup_links_what_the_last_one_holds(
    changed: tuple[Settings, TestClient], embedder: StandInEncoders, tmp_path: Path
) -> None:
    settings, client = changed
    create(settings, tmp_path / "first")
    change(client)
    before = answers(client)
    made = create(settings, tmp_path / "second", previous=tmp_path / "first")
    links = {
        path: path.stat().st_nlink
        for path in (tmp_path / "second").rglob("*")
        if path.is_file() and path.relative_to(tmp_path / "second").parts[0] in {"snapshots", "photos"}
    }
    assert len(links) > 30
    assert set(links.values()) == {2}
    shutil.rmtree(tmp_path / "first")
    restored = elsewhere(settings, tmp_path / "restored")
    assert restore(tmp_path / "second", restored) == made
    with client_of(restored, embedder) as again:
        assert answers(again) == before


def test_a_journal_moves_between_sqlite_and_postgresql(
    changed: tuple[Settings, TestClient], embedder: StandInEncoders, tmp_path: Path, postgres: str
) -> None:
    settings, client = changed
    before = answers(client)
    create(settings, tmp_path / "backup")
    shared = elsewhere(settings, tmp_path / "shared", journal=SecretStr(postgres))
    restore(tmp_path / "backup", shared)
    assert not (shared.data / "journal.sqlite3").exists()
    with client_of(shared, embedder) as again:
        assert answers(again) == before
        again.put("/v1/products/late", json={"title": "a lamp that came late"}).raise_for_status()
        before = answers(again)
        create(shared, tmp_path / "of-postgresql")
    with pytest.raises(Conflict, match="holds changes already"):
        restore(tmp_path / "backup", elsewhere(shared, tmp_path / "another"))
    single = elsewhere(settings, tmp_path / "single")
    restore(tmp_path / "of-postgresql", single)
    with client_of(single, embedder) as again:
        assert answers(again) == before


def test_a_restore_that_was_killed_is_begun_anew_where_it_was(own_shop: Settings, tmp_path: Path) -> None:
    create(own_shop, tmp_path / "backup")
    settings = elsewhere(own_shop, tmp_path / "restored")
    with work_directory(settings.data, "restore") as going_on:
        with pytest.raises(Conflict, match="is not empty"):
            restore(tmp_path / "backup", settings)
        left = Path(shutil.copytree(going_on, settings.data / ".restore.12345678"))
    restore(tmp_path / "backup", settings)
    assert (settings.data / "snapshots").exists()
    assert not left.exists()


def test_where_something_is_nothing_is_overwritten(own_shop: Settings, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(Conflict, match="There is something at"):
        create(own_shop, tmp_path / "there")
    create(own_shop, tmp_path / "backup")
    with pytest.raises(Conflict, match="is not empty"):
        restore(tmp_path / "backup", own_shop)
    with pytest.raises(NotFound, match="There is no data directory"):
        create(elsewhere(own_shop, tmp_path / "nowhere"), tmp_path / "other")
    with pytest.raises(BackupInvalid, match="no complete backup"):
        create(own_shop, tmp_path / "other", previous=own_shop.data)
    assert not (tmp_path / "other").exists()


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_what_was_damaged_is_not_restored(changed: tuple[Settings, TestClient], tmp_path: Path) -> None:
    settings, _ = changed
    create(settings, tmp_path / "backup")
    restored = elsewhere(settings, tmp_path / "restored")
    for name, error in (
        ("journal.sqlite3", BackupInvalid),
        ("events/2026-11-27.jsonl", BackupInvalid),
        ("snapshots/shop-1/products.parquet", SnapshotInvalid),
        ("snapshots/shop-1/manifest.json", SnapshotInvalid),
    ):
        damage(tmp_path / "backup" / name)
        with pytest.raises(error):
            restore(tmp_path / "backup", restored)
        assert list(restored.data.iterdir()) == []
        damage(tmp_path / "backup" / name)  # that mends it
    (tmp_path / "backup" / "journal.sqlite3").unlink()
    with pytest.raises(BackupInvalid, match="lacks"):
        restore(tmp_path / "backup", restored)


def test_nothing_but_the_backup_is_restored(changed: tuple[Settings, TestClient], tmp_path: Path) -> None:
    settings, _ = changed
    create(settings, tmp_path / "backup")
    restored = elsewhere(settings, tmp_path / "restored")
    more = tmp_path / "backup" / "snapshots" / "shop-1" / "more"
    links: list[Callable[[Path], None]] = [lambda to: to.symlink_to("/dev/zero"), lambda to: to.symlink_to("/etc")]
    for lay in (*links, os.mkfifo):
        lay(more)
        with pytest.raises(BackupInvalid, match="neither a file nor a folder"):
            restore(tmp_path / "backup", restored)
        more.unlink()
    more.write_bytes(b"of no manifest")
    restore(tmp_path / "backup", restored)
    assert not (restored.data / "snapshots" / "shop-1" / "more").exists()


def test_one_rotten_photo_costs_that_photo_only(changed: tuple[Settings, TestClient], tmp_path: Path) -> None:
    settings, _ = changed
    made = create(settings, tmp_path / "backup")
    said: list[str] = []
    rotten = next((tmp_path / "backup" / "photos").glob("*/*"))
    damage(rotten)
    restored = elsewhere(settings, tmp_path / "restored")
    assert restore(tmp_path / "backup", restored, say=said.append).photos == made.photos - 1
    assert any(line.startswith("left out: ") and rotten.name in line for line in said)
    damage(next((settings.data / "photos").glob("*/*")))
    assert create(settings, tmp_path / "second").photos == made.photos - 1


def test_a_newer_version_is_told_by_each_part(changed: tuple[Settings, TestClient], tmp_path: Path) -> None:
    """An older samestyle that meets what a newer one wrote says so, and leaves it as it is."""
    settings, _ = changed
    create(settings, tmp_path / "backup")
    description = json.loads((tmp_path / "backup" / "backup.json").read_text())
    for schema, says in ((2, "reads up to 1; upgrade samestyle"), ("x", "cannot be read"), (0, "cannot be read")):
        (tmp_path / "backup" / "backup.json").write_text(json.dumps(description | {"schema_version": schema}))
        with pytest.raises(BackupInvalid, match=says):
            restore(tmp_path / "backup", elsewhere(settings, tmp_path / "restored"))
    with sqlite3.connect(tmp_path / "backup" / "journal.sqlite3") as connection:
        connection.execute("UPDATE journal_state SET schema_version = 99")
    connection.close()
    with pytest.raises(JournalInvalid, match="schema 99, this version reads up to 1; upgrade samestyle"):
        Journal.open(tmp_path / "backup" / "journal.sqlite3")


def test_the_commands(own_shop: Settings, tmp_path: Path) -> None:
    code, text = run("backup", "create", str(tmp_path / "backup"), "--data", str(own_shop.data))
    assert code == 0
    assert "snapshots shop-1; 33 photos; no journal." in " ".join(text.split())
    code, text = run("backup", "restore", str(tmp_path / "backup"), "--data", str(tmp_path / "new"), "--json")
    assert code == 0
    assert json.loads(text.splitlines()[-1])["snapshots"] == ["shop-1"]
    code, text = run("snapshot", "verify", "shop-1", "--data", str(tmp_path / "new"))
    assert code == 0
    code, text = run("backup", "restore", str(tmp_path / "backup"), "--data", str(tmp_path / "new"))
    assert (code, "is not empty" in " ".join(text.split())) == (1, True)
