import hashlib
import http.server
import os
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from catalogue import photos
from catalogue.errors import InvalidInput, NotFound, StorageUnavailable, TooLarge
from catalogue.photos import MAX_PHOTO_BYTES, PhotoStore, load_photo
from tests.catalogue.pictures import plain

JPEG = plain()
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
    assert store.put(JPEG) == DIGEST
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [item for item in tmp_path.rglob("*") if item.is_file()] == [path]


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


class _Shop(http.server.BaseHTTPRequestHandler):
    """A web server that behaves as badly as its paths say."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.close_connection = True
        if self.path == "/a.jpg":
            self._answer(HTTPStatus.OK, JPEG)
        elif self.path == "/moved":
            self._answer(HTTPStatus.FOUND, b"", Location="/a.jpg")
        elif self.path == "/loop":
            self._answer(HTTPStatus.FOUND, b"", Location="/loop")
        elif self.path == "/file":
            self._answer(HTTPStatus.FOUND, b"", Location="file:///etc/passwd")
        elif self.path == "/short":
            self._answer(HTTPStatus.OK, JPEG, Content_Length=str(len(JPEG) + 1))
        elif self.path == "/not-gzip":
            self._answer(HTTPStatus.OK, JPEG, Content_Encoding="gzip")
        elif self.path == "/endless":
            self._pour(b"x" * 1_000_000, 0)
        elif self.path == "/drip":
            self._pour(b"x", 0.02)
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"no")

    def _answer(self, status: HTTPStatus, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content_Length": str(len(body)), "Connection": "close"} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _pour(self, part: bytes, pause: float) -> None:
        self.send_response(HTTPStatus.OK)
        self.end_headers()
        try:
            for _ in range(1000):
                self.wfile.write(part)
                time.sleep(pause)
        except OSError:
            pass

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Shop) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["/a.jpg", "/moved"])
def test_a_photo_from_the_web(shop: str, path: str) -> None:
    assert load_photo(shop + path, "/nowhere") == JPEG


@pytest.mark.parametrize("path", ["/none.jpg", "/loop", "/file", "/short", "/not-gzip"])
def test_a_photo_the_web_does_not_give(shop: str, path: str) -> None:
    with pytest.raises(InvalidInput, match=path):
        load_photo(shop + path, "/nowhere")


def test_a_port_nobody_listens_on() -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        load_photo("http://127.0.0.1:1/a.jpg", "/nowhere")


def test_an_endless_photo_is_cut_off(shop: str) -> None:
    with pytest.raises(TooLarge):
        load_photo(f"{shop}/endless", "/nowhere")


def test_a_photo_that_drips_is_given_up(shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "FETCH_TIMEOUT_S", 0.3)
    started = time.monotonic()
    with pytest.raises(InvalidInput, match="cannot be read"):
        load_photo(f"{shop}/drip", "/nowhere")
    assert time.monotonic() - started < 2
