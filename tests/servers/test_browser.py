import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Page, expect

PAGE = b"""<!doctype html><title>A page</title><button onclick="this.textContent = 'clicked'">press</button>"""
PNG = b"\x89PNG\r\n\x1a\n"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_it_opens_a_page_clicks_and_takes_a_picture(page: Page, address: str) -> None:
    page.goto(address)
    expect(page).to_have_title("A page")
    page.get_by_role("button", name="press").click()
    expect(page.get_by_role("button")).to_have_text("clicked")
    assert page.screenshot().startswith(PNG)


def test_each_test_starts_with_a_fresh_profile(page: Page, address: str) -> None:
    page.goto(address)
    assert page.evaluate("localStorage.length") == 0
    page.evaluate("localStorage.setItem('seen', 'yes')")


def test_event_loops_work_again_once_the_browser_is_closed(chromium: str) -> None:
    from tests.servers.browser import open_browser

    with open_browser(chromium) as browser:
        assert browser.is_connected()
    asyncio.run(asyncio.sleep(0))
