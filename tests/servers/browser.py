"""A real browser: Debian's Chromium, or the one Playwright brought. `python -m tests.servers.browser` prints which."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.process import missing

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]


def find_chromium() -> str | None:
    """Return the path of a Chromium, or None. Nothing is ever downloaded."""
    system = shutil.which("chromium")
    if system is not None:
        return system
    from playwright.sync_api import sync_playwright  # tests on a GPU do without it

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def require_chromium() -> str:
    """Return the path of a Chromium, or skip the test (under CI: fail it)."""
    return find_chromium() or missing("Chromium", "apt-get install chromium, or playwright install chromium")


@contextmanager
def open_browser(executable: str) -> Iterator["Browser"]:
    """Run a headless browser.

    Playwright's synchronous interface keeps an event loop in its thread for as long as it is open, in which no test
    could run another, so it is opened for one test at a time.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        sandbox = os.geteuid() != 0  # Chromium's sandbox does not work for root
        browser = playwright.chromium.launch(executable_path=executable, args=_FLAGS, chromium_sandbox=sandbox)
        try:
            yield browser
        finally:
            browser.close()


if __name__ == "__main__":
    path = find_chromium()
    print(path or "no Chromium here")
    sys.exit(path is None)
