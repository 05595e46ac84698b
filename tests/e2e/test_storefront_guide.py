"""docs/storefront.md: its snippets are run as they stand there, in their order, against the real service."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import SAMESTYLE, Gateway

GUIDE = Path(__file__).parents[2] / "docs" / "storefront.md"
SNIPPETS = re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
NOT_RUN = "console"


def test_there_are_snippets_in_each_language() -> None:
    assert {language for language, _ in SNIPPETS} == {"sh", "js", "python", NOT_RUN}


@pytest.mark.heavy
def test_every_snippet_runs(own_demo: Path, tmp_path: Path, page: Page) -> None:
    with Gateway(own_demo) as gateway:

        def here(code: str) -> str:
            return code.replace("http://localhost:8000", gateway.url).replace("data/demo", str(own_demo))

        said = [run(language, here(code), tmp_path, page) for language, code in SNIPPETS if language != NOT_RUN]
    tabs, prices, clicked, _, erased, experiment, filed = said
    assert tabs.count("title") >= 4
    assert prices in GUIDE.read_text()
    assert int(clicked) >= 1
    assert re.match(r"\d+ events and \d+ searches are gone", erased)
    assert not erased.startswith("0 events")
    assert re.search(r'\d+ "arm":"live"\s+\d+ "arm":"next"', experiment)
    assert "Sample ratio: p =" in experiment
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    assert "rows became files" in filed


def run(language: str, code: str, folder: Path, page: Page) -> str:
    """What a snippet says, or the value of one in JavaScript."""
    if language == "js":
        shop = re.search(r'"(http://[^"]+)"', code)
        assert shop is not None
        page.set_default_timeout(30_000)
        page.add_init_script("addEventListener('click', (event) => event.preventDefault())")  # the link leads elsewhere
        page.goto(shop[1])  # any page of that host, whose rules allow asking it
        with page.expect_response("**/v1/events") as told:
            found = page.evaluate(f"async () => {{ {code} }}")
        assert told.value.status == 200
        return str(found)
    if language == "python":
        command = [sys.executable, "-c", code]
    else:
        command = ["bash", "-euo", "pipefail", "-c", re.sub(r"^samestyle", SAMESTYLE, code, flags=re.MULTILINE)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
    return done.stdout
