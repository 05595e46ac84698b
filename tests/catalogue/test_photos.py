import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalogue.errors import InvalidInput, NotFound, StorageUnavailable, TooLarge
from catalogue.fetch import MAX_PHOTO_BYTES
from catalogue.photos import PhotoStore, load_photo
from tests.catalogue.web import JPEG, Web, fetcher_of, serving

DIGEST = hashlib.sha256(JPEG).hexdigest()


def test_a_photo_is_kept_by_its_sha256(tmp_path: Path) -> None:
    store = PhotoStore(tmp_path / "photos")
    assert store.put(JPEG) == DIGEST
    assert (tmp_path / "photos" / DIGEST[:2] / DIGEST).read_bytes() == JPEG
    assert store.get(DIGEST) == JPEG
    assert PhotoStore(str(tmp_path / "photos")).get(DIGEST) == JPEG


def test_the_same_photo_is_written_once(tmp_path: Path) -> None:
    store = PhotoStore(tmp_path)
    store.put(JPEG)
    path = tmp_path / DIGEST[:2] / DIGEST
    before = path.stat()
    os.utime(path, (0, 0))
    assert store.put(JPEG) == DIGEST
    assert path.stat().st_ino == before.st_ino
    assert path.stat().st_mtime_ns >= before.st_mtime_ns  # needed now, and so no leftover
    assert [item for item in tmp_path.rglob("*") if item.is_file()] == [path]


def test_a_photo_of_somebody_else_is_kept_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = PhotoStore(tmp_path)
    store.put(JPEG)

    def refused(path: Path) -> None:
        raise PermissionError(1, "not yours", str(path))

    monkeypatch.setattr(os, "utime", refused)
    assert store.put(JPEG) == DIGEST


def test_an_interrupted_write_leaves_no_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = PhotoStore(tmp_path)

    def interrupted(handle: int) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupted)
        with pytest.raises(StorageUnavailable, match="disk full"):
            store.put(JPEG)
    assert [item for item in tmp_path.rglob("*") if item.is_file()] == []
    assert store.get(store.put(JPEG)) == JPEG


@pytest.mark.parametrize("digest", ["0" * 64, "../../etc/passwd", "", DIGEST.upper(), f"{DIGEST}\n", DIGEST[:63]])
def test_what_nobody_stored_is_not_found(tmp_path: Path, digest: str) -> None:
    store = PhotoStore(tmp_path)
    store.put(JPEG)
    with pytest.raises(NotFound):
        store.get(digest)


def test_a_store_behind_any_fsspec_url() -> None:
    store = PhotoStore("memory://samestyle-test/photos")
    assert store.get(store.put(JPEG)) == JPEG
    assert store.put(JPEG) == DIGEST
    assert PhotoStore("memory://samestyle-test/photos").get(DIGEST) == JPEG
    with pytest.raises(NotFound):
        PhotoStore("memory://samestyle-test/elsewhere").get(DIGEST)


@pytest.mark.parametrize(
    "name", ["a.jpg", "sub/a.jpg", "größe 杯.jpg", "a::b.jpg", "a*[1]?.jpg", "50%20.jpg", "~a.jpg"]
)
def test_a_path_is_taken_relative_to_the_catalogue(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(JPEG)
    assert load_photo(name, tmp_path) == JPEG
    assert load_photo(str(tmp_path / name), "/nowhere") == JPEG


def test_an_fsspec_url(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(JPEG)
    assert load_photo(f"file://{tmp_path}/a.jpg", "/nowhere") == JPEG


@pytest.mark.parametrize(
    "source",
    ["none.jpg", "", ".", "a\0b", "x" * 5000, "nope://a.jpg", "s3://bucket/a.jpg", "memory://none.jpg", "zip://a.jpg",
     "github://a.jpg", "reference://a", "://", "http://", "http://[", "http://a:99999999/", "http://\ud800/",
     "https://exa mple/", "a\ud800.jpg", "filecache://a", "simplecache::memory://none", "file://\0"],
)  # fmt: skip
def test_what_cannot_be_read_is_bad_input(tmp_path: Path, source: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        load_photo(source, tmp_path)


def test_a_photo_may_have_20_mb(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    path.touch()
    os.truncate(path, MAX_PHOTO_BYTES)
    assert len(load_photo("large.jpg", tmp_path)) == MAX_PHOTO_BYTES
    os.truncate(path, MAX_PHOTO_BYTES + 1)
    with pytest.raises(TooLarge, match=r"large\.jpg.* over 20 MB"):
        load_photo("large.jpg", tmp_path)
    os.truncate(path, 10**12)  # sparse
    with pytest.raises(TooLarge):
        load_photo("large.jpg", tmp_path)


@pytest.fixture(scope="module")
def shop() -> Iterator[Web]:
    with serving() as server:
        yield server


@pytest.mark.parametrize("path", ["/a.jpg", "/moved"])
def test_a_photo_from_the_web(shop: Web, path: str) -> None:
    assert load_photo(shop.url + path, "/nowhere", fetcher_of(shop)) == JPEG


@pytest.mark.parametrize("path", ["/none.jpg", "/loop", "/to/file%3A%2F%2F%2Fetc%2Fpasswd", "/short", "/encoded/gzip"])
def test_a_photo_the_web_does_not_give(shop: Web, path: str) -> None:
    with pytest.raises(InvalidInput, match=f"{path}.*cannot be read"):
        load_photo(shop.url + path, "/nowhere", fetcher_of(shop))


def test_an_endless_photo_is_cut_off(shop: Web) -> None:
    with pytest.raises(TooLarge):
        load_photo(f"{shop.url}/endless", "/nowhere", fetcher_of(shop))


@pytest.mark.parametrize("address", ["http://127.0.0.1", "HTTP://localhost", "http://[::1]"])
def test_no_catalogue_leads_inside(shop: Web, address: str) -> None:
    before = shop.connections
    with pytest.raises(InvalidInput, match="not on the public internet"):
        load_photo(f"{address}:{shop.server_port}/a.jpg", "/nowhere")
    assert shop.connections == before


@pytest.mark.parametrize(
    "start", ["simplecache::http", "blockcache::HTTP", "file://a::http", "webhdfs", "WebHDFS", "jupyter", "ftp", "sftp"]
)
def test_nor_through_a_file_system(shop: Web, start: str) -> None:
    before = shop.connections
    with pytest.raises(InvalidInput, match="a plain URL of http"):
        load_photo(f"{start}://127.0.0.1:{shop.server_port}/a.jpg", "/nowhere")
    assert shop.connections == before


@pytest.mark.parametrize("start", ["", "file://"])
def test_no_catalogue_has_a_pipe_waited_for(tmp_path: Path, start: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInput, match="it is no file"):
        load_photo(f"{start}{tmp_path}/pipe", "/nowhere")


def test_query_strings_are_not_told(shop: Web) -> None:
    with pytest.raises(InvalidInput) as failed:
        load_photo(f"{shop.url}/none.jpg?key=s3cr3t", "/nowhere", fetcher_of(shop))
    assert "s3cr3t" not in str(failed.value)
