"""The files of the web page, as they are and compressed."""

import os
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from service.page_files import PageFiles

_SCRIPT = "export const kept = 1; // and so on\n" * 40


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    (tmp_path / "main.js").write_text(_SCRIPT)
    (tmp_path / "icon.svg").write_text("<svg/>")
    app = Starlette()
    app.mount("/web", PageFiles(directory=tmp_path))
    return TestClient(app)


def test_each_form_of_a_file_is_known_by_its_own_tag(client: TestClient) -> None:
    forms = {coding: client.get("/web/main.js", headers={"Accept-Encoding": coding}) for coding in ("gzip", "identity")}
    assert {answer.text for answer in forms.values()} == {_SCRIPT}
    assert "content-encoding" not in forms["identity"].headers
    packed = forms["gzip"].headers
    assert (packed["content-encoding"], packed["vary"]) == ("gzip", "Accept-Encoding")
    assert int(packed["content-length"]) < 200 < int(forms["identity"].headers["content-length"])
    for coding, answer in forms.items():
        for other in forms:
            asked = {"Accept-Encoding": other, "If-None-Match": answer.headers["etag"]}
            again = client.get("/web/main.js", headers=asked)
            assert again.status_code == (304 if other == coding else 200)
            assert again.headers["vary"] == "Accept-Encoding"
            assert again.headers["etag"] == forms[other].headers["etag"]


def test_a_file_is_compressed_once_until_it_changes(client: TestClient, tmp_path: Path) -> None:
    script = tmp_path / "main.js"
    assert client.get("/web/main.js").text == _SCRIPT
    written = script.stat()
    script.write_text(_SCRIPT.upper())
    os.utime(script, ns=(written.st_atime_ns, written.st_mtime_ns))
    assert client.get("/web/main.js").text == _SCRIPT  # nobody looked into it again
    os.utime(script, ns=(written.st_atime_ns, written.st_mtime_ns + 1))
    assert client.get("/web/main.js").text == _SCRIPT.upper()


def test_what_is_small_or_asked_in_part_or_not_there(client: TestClient) -> None:
    icon = client.get("/web/icon.svg").headers
    assert "content-encoding" not in icon
    assert icon["content-type"] == "image/svg+xml"
    part = client.get("/web/main.js", headers={"Accept-Encoding": "identity", "Range": "bytes=0-5"})
    assert (part.status_code, part.text) == (206, "export")
    assert client.get("/web/main.js", headers={"Range": "bytes=0-5"}).text == _SCRIPT
    assert client.get("/web/none.js").status_code == 404
    assert client.get("/web/..%2Fapp.py").status_code == 404
