"""What every test may ask for: real servers, found or skipped (under CI: failed), and stopped however the run ends."""

import gc
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.real_gpu import cuda_devices
from tests.servers.browser import open_browser, require_chromium
from tests.servers.postgres import Postgres, find_postgres
from tests.servers.valkey import Valkey, find_valkey

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

settings.register_profile("any machine", deadline=None)  # a busy one takes long over an example now and then
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--gpu", action="store_true", help="tests marked gpu run on a CUDA device, not on a stand-in")


def pytest_collection_finish() -> None:
    """What is imported stays until the end: no garbage collection (a gateway has one at each swap) need look at it."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Libraries that count what is left of them when Python ends find all of it gone."""
    gc.unfreeze()


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Valkey]:
    with Valkey(find_valkey()) as server:
        yield server


@pytest.fixture
def valkey(valkey_server: Valkey) -> Valkey:
    """A running, empty Valkey; a test may pause or kill it."""
    valkey_server.reset()
    return valkey_server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with Postgres(find_postgres()) as server:
        yield server


@pytest.fixture
def postgres(postgres_server: Postgres) -> Iterator[str]:
    """The SQLAlchemy address of an empty database."""
    postgres_server.reset()
    with postgres_server.database() as url:
        yield url


@pytest.fixture(scope="session")
def chromium() -> str:
    return require_chromium()


@pytest.fixture
def browser(chromium: str) -> Iterator["Browser"]:
    with open_browser(chromium) as browser:
        yield browser


@pytest.fixture
def page(browser: "Browser") -> "Page":
    return browser.new_page()


@pytest.fixture(scope="session")
def real_gpu(request: pytest.FixtureRequest) -> bool:
    """Whether there is a CUDA device to be used, with the real libraries: asked for by `--gpu`, or else skipped."""
    if not request.config.getoption("--gpu"):
        return False
    if not cuda_devices():
        pytest.skip("no CUDA device")
    return True
