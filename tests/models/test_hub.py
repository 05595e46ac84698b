"""Fetching from a hub that runs here."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalogue.errors import BundleInvalid, InvalidInput
from models.export.hub import fetch, split_name
from tests.models.test_source_files import safetensors

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = safetensors(a=np.ones((30, 40), np.float32))
FILES: dict[str, bytes] = {
    "config.json": b'{"model_type": "clip"}',
    "preprocessor_config.json": b"{}",
    "tokenizer.json": b"{}",
    "model.safetensors": WEIGHTS,
    "pytorch_model.bin": b"pickle",
    "modeling.py": b"raise SystemExit",
    "README.md": b"---\nlicense: mit\n---\n",
}


class Hub(http.server.ThreadingHTTPServer):
    """The few routes of a hub that a fetch goes through; `sent` is what comes of a file, `asked` who was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = dict(FILES)
        self.sent: dict[str, bytes] = {}
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def about(self) -> dict[str, Any]:
        siblings = []
        for name, content in self.files.items():
            digest = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            one: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": digest}
            if name.endswith((".safetensors", ".bin", ".onnx")):
                one["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 100}
            siblings.append(one)
        return {"id": "shop/clip", "modelId": "shop/clip", "sha": COMMIT, "siblings": siblings, "tags": []}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        name = path.rpartition(f"/resolve/{COMMIT}/")[2]
        headers = {"X-Repo-Commit": COMMIT}
        if path.startswith("/api/models/shop/clip"):
            content, status = json.dumps(self.server.about()).encode(), 200
            headers["Content-Type"] = "application/json"
        elif name in self.server.files:
            if body:
                self.server.asked.append(name)
            content, status = self.server.sent.get(name, self.server.files[name]), 200
            headers["ETag"] = f'"{hashlib.sha256(content).hexdigest()}"'
        else:
            content, status = b"{}", 404
        self.send_response(status)
        for header, value in headers.items():
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving_hub(FILES) as server:
        yield server


@contextmanager
def serving_hub(files: Mapping[str, bytes]) -> Iterator[Hub]:
    with Hub() as server:
        server.files = dict(files)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def get(hub: Hub, folder: Path, revision: str = COMMIT) -> str:
    return fetch(f"shop/clip@{revision}", folder, endpoint=hub.url)


def test_only_what_is_needed_comes_and_it_comes_whole(hub: Hub, tmp_path: Path) -> None:
    assert get(hub, tmp_path) == COMMIT
    assert set(hub.asked) == FILES.keys() - {"pytorch_model.bin", "modeling.py"}
    for name in hub.asked:
        assert (tmp_path / name).read_bytes() == FILES[name]


@pytest.mark.parametrize("revision", ["main", "v1", COMMIT[:12]])
def test_a_revision_that_may_move_is_refused_and_told(hub: Hub, tmp_path: Path, revision: str) -> None:
    with pytest.raises(InvalidInput, match=COMMIT):
        get(hub, tmp_path, revision)
    with pytest.raises(InvalidInput, match=COMMIT):
        fetch("shop/clip", tmp_path, endpoint=hub.url)
    assert not hub.asked


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_other_bytes_than_the_commit_names_are_refused(hub: Hub, tmp_path: Path, name: str) -> None:
    hub.sent[name] = FILES[name][:-1] + b"!"
    with pytest.raises(BundleInvalid, match=f"{name} came with"):
        get(hub, tmp_path)


def test_a_truncated_file_is_refused(hub: Hub, tmp_path: Path) -> None:
    hub.sent["model.safetensors"] = WEIGHTS[:-100]
    with pytest.raises(BundleInvalid, match=r"model\.safetensors"):
        get(hub, tmp_path)


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        (("model.safetensors",), "runs code"),
        (("model.safetensors", "pytorch_model.bin"), "none at all"),
        (("config.json",), "no config.json"),
    ],
)
def test_a_repository_that_is_no_model_is_refused(
    hub: Hub, tmp_path: Path, missing: tuple[str, ...], reason: str
) -> None:
    for name in missing:
        del hub.files[name]
    with pytest.raises(BundleInvalid, match=reason):
        get(hub, tmp_path)
    assert "pytorch_model.bin" not in hub.asked


def test_what_cannot_be_used_is_refused_before_its_weights_are_fetched(hub: Hub, tmp_path: Path) -> None:
    def refuse(folder: Path) -> None:
        assert (folder / "config.json").read_bytes() == FILES["config.json"]
        raise BundleInvalid("not this one")

    with pytest.raises(BundleInvalid, match="not this one"):
        fetch(f"shop/clip@{COMMIT}", tmp_path, endpoint=hub.url, check=refuse)
    assert "config.json" in hub.asked
    assert "model.safetensors" not in hub.asked


def test_onnx_files_come_of_a_jina_clip_alone(hub: Hub, tmp_path: Path) -> None:
    towers = {"onnx/text_model.onnx": b"text", "onnx/vision_model.onnx": b"vision"}
    both = {"onnx/model.onnx": b"both", "onnx/model.onnx_data": b"weights"}
    own = towers | both | {"onnx/text_model_fp16.onnx": b"half", "onnx/model_fp16.onnx": b"half"}
    hub.files |= own
    get(hub, tmp_path / "clip")
    assert not own.keys() & set(hub.asked)
    hub.files["config.json"] = b'{"model_type": "jina_clip"}'
    get(hub, tmp_path / "jina")
    assert own.keys() & set(hub.asked) == towers.keys() | both.keys()
    assert (tmp_path / "jina" / "onnx" / "text_model.onnx").read_bytes() == b"text"


def test_of_two_formats_the_one_with_safe_weights_comes(hub: Hub, tmp_path: Path) -> None:
    hub.files |= {"open_clip_config.json": b"{}", "open_clip_pytorch_model.bin": b"pickle"}
    get(hub, tmp_path / "clip")
    assert "model.safetensors" in hub.asked
    hub.files["model.safetensors.index.json"] = json.dumps({"weight_map": {"a": "one.safetensors"}}).encode()
    hub.files["one.safetensors"] = hub.files.pop("model.safetensors")
    get(hub, tmp_path / "parts")
    assert "one.safetensors" in hub.asked
    hub.asked.clear()
    hub.files["config.json"] = b'{"model_type": "marqo"}'  # so those are OpenCLIP's, which are never in parts
    with pytest.raises(BundleInvalid, match="in one file"):
        get(hub, tmp_path / "other")
    assert "one.safetensors" not in hub.asked
    hub.files["open_clip_model.safetensors"] = WEIGHTS
    get(hub, tmp_path / "both")
    assert "open_clip_model.safetensors" in hub.asked
    assert "one.safetensors" not in hub.asked


def test_weights_in_parts_come_by_their_index(hub: Hub, tmp_path: Path) -> None:
    del hub.files["model.safetensors"]
    hub.files["one.safetensors"] = WEIGHTS
    hub.files["model.safetensors.index.json"] = json.dumps({"weight_map": {"a": "one.safetensors"}}).encode()
    get(hub, tmp_path)
    assert "one.safetensors" in hub.asked
    hub.files["model.safetensors.index.json"] = json.dumps({"weight_map": {"a": "../../x.safetensors"}}).encode()
    with pytest.raises(BundleInvalid, match="does not have"):
        get(hub, tmp_path / "again")


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        (b"{", "not valid JSON"), (b"[]", "a JSON object"), (b"{}", "does not name the weights"),
        (b'{"weight_map": ["one.safetensors"]}', "does not name the weights"),
        (b'{"weight_map": {"a": 7}}', "does not have"),
    ],
)  # fmt: skip
def test_an_index_that_is_none_is_refused(hub: Hub, tmp_path: Path, index: bytes, reason: str) -> None:
    del hub.files["model.safetensors"]
    hub.files["model.safetensors.index.json"] = index
    with pytest.raises(BundleInvalid, match=reason):
        get(hub, tmp_path)


def test_a_repository_that_is_not_there(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(BundleInvalid, match="nothing to give"):
        fetch(f"shop/other@{COMMIT}", tmp_path, endpoint=hub.url)


@pytest.mark.parametrize("name", ["", "@main", "a/b/c@main", "../x@main", "shop/clip@a b", "shop/clip@"])
def test_names_that_are_none(name: str) -> None:
    if name == "shop/clip@":
        assert split_name(name) == ("shop/clip", "")
        return
    with pytest.raises(InvalidInput, match="REPO@REVISION"):
        split_name(name)
