"""The contact sheet of the worst cases, in a real browser."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page

from models import StandInEncoders
from models.evaluation import sheet
from models.evaluation.run import Options, measure
from models.evaluation.sheet import contact_sheet
from tests.models.evaluation.shops import opened, rows, shop

HOSTILE = '<script>document.title = "taken"</script><img src=x onerror=alert(1)>&amp; "plate"'


@pytest.fixture
def made(tmp_path: Path) -> str:
    content = rows(tmp_path)
    for row in content:
        row["colour"] += HOSTILE  # of titles and descriptions HTML is left out
    (tmp_path / content[7]["images"][0]).write_bytes(b"no photo")
    with opened(shop(tmp_path, content)) as data:
        return contact_sheet(HOSTILE, data, measure(StandInEncoders(), data, Options(worst=3)))


def test_it_is_one_file_that_runs_nothing(made: str) -> None:
    assert "<script" not in made
    assert "onerror=alert(1)&gt;" in made  # as text
    assert set(re.findall(r'(?:src|href)="([^"]{0,22})', made)) == {"data:image/jpeg;base64"}
    assert "default-src 'none'" in made


def test_a_browser_shows_it(made: str, page: Page, tmp_path: Path) -> None:
    complaints: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    (tmp_path / "worst.html").write_text(made)
    page.goto((tmp_path / "worst.html").as_uri())
    assert page.title() == HOSTILE
    assert page.locator("h2").count() == 9
    assert page.locator("figure.query").count() > 9
    assert page.locator("figure.right").count() >= page.locator("figure.query").count()
    assert page.locator("figure img").count() > 20
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("bdi", has_text="<script>").count() > 0
    assert complaints == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_its_photos_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "MAX_BYTES", 10_000)
    with opened(shop(tmp_path)) as data:
        made = contact_sheet("x", data, measure(StandInEncoders(), data, Options(worst=3)))
    assert sum(map(len, re.findall(r"<img[^>]*>", made))) <= 10_000
    assert "no room" in made


def test_a_tall_photo_makes_a_small_thumbnail(tmp_path: Path) -> None:
    from tests.catalogue.pictures import plain

    content = rows(tmp_path)
    (tmp_path / content[0]["images"][0]).write_bytes(plain(size=(20, 6000)))
    with opened(shop(tmp_path, content)) as data:
        made = contact_sheet("x", data, measure(StandInEncoders(), data, Options(worst=3)))
    assert max(map(len, re.findall(r"<img[^>]*>", made))) < 12_000


def test_nothing_wrong_is_said(tmp_path: Path) -> None:
    with opened(shop(tmp_path)) as data:
        made = contact_sheet("x", data, measure(StandInEncoders(), data, Options(worst=3)))
    assert "Every query found a right one first." in made
