"""One browser for all tests of the page; each has a visit of its own, and none may complain or ask anyone else."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request

from tests.e2e.page.shop import Gateway, Shop
from tests.servers.browser import open_browser


@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    """There are no asynchronous tests in this package, so the browser may stay open between them."""
    with open_browser(chromium) as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context() as context:
        yield context


@pytest.fixture
def page(visit: BrowserContext) -> Page:
    return visit.new_page()


@pytest.fixture
def events(page: Page) -> list[dict[str, Any]]:
    """The events that the page sends, which the service takes."""
    sent: list[dict[str, Any]] = []

    def note(request: Request) -> None:
        if request.url.endswith("/v1/events"):
            sent.extend((request.post_data_json or {})["events"])

    page.on("request", note)
    return sent


@pytest.fixture
def troubled(page: Page, gateway: Gateway, events: list[dict[str, Any]]) -> Iterator[Shop]:
    """The shop where something goes wrong: the browser may say so, but no script fails."""
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    yield Shop(page, gateway.url)
    assert failures == []


@pytest.fixture
def shop(troubled: Shop) -> Iterator[Shop]:
    """The shop where all goes well: nothing complains, and nobody but the service is asked."""
    complaints: list[str] = []
    asked: list[str] = []
    page = troubled.page
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: asked.append(request.url))
    yield troubled
    assert complaints == []
    own = (f"{troubled.url}/", f"blob:{troubled.url}/")
    assert [url for url in asked if not url.startswith(own)] == []
