"""A small shop on the stand-in encoder: the whole HTTP API in milliseconds."""

import io
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.dependencies import models as fastapi_dependencies
from fastapi.testclient import TestClient
from PIL import Image

from catalogue.errors import BundleInvalid
from catalogue.fetch import Fetcher
from catalogue.settings import IndexSettings, Settings
from models import Embedder, StandInEncoders
from service.app import create_app
from service.build import build
from service.swapping import open_serving

SUPPLIERS = ("acme", "kestrel", "orion")
KINDS = ("mug", "bolt", "chair", "lamp")
STYLES = 12


def photo(colour: tuple[int, int, int], size: tuple[int, int] = (64, 64), kind: str = "JPEG") -> bytes:
    """A plain photo of one colour."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


def style_colour(style: int) -> tuple[int, int, int]:
    """The colour every listing of a style is photographed in."""
    red, green, blue = np.random.default_rng(style).integers(0, 255, 3).tolist()
    return red, green, blue


def write_shop(folder: Path) -> Path:
    """36 listings: 12 styles by 3 suppliers; the last style has no photo, supplier orion's have no price."""
    rows = []
    for style in range(STYLES):
        kind = KINDS[style % len(KINDS)]
        for at, supplier in enumerate(SUPPLIERS):
            name = f"{style}-{supplier}.jpg"
            (folder / name).write_bytes(photo(style_colour(style), (64 + at, 64)))
            rows.append(
                {
                    "product_id": f"{supplier}-{style:02d}",
                    "title": f"{kind} design{style} from {supplier}",
                    "category": f"Shop > {kind}s",
                    "supplier_id": supplier,
                    "price": None if supplier == "orion" else style + at / 10,
                    "currency": "EUR",
                    "in_stock": at != 1,
                    "attributes": {"size": f"M{style}"},
                    "images": [] if style == STYLES - 1 else [name],
                    "style_id": f"style-{style}",
                }
            )
    catalogue = folder / "shop.jsonl"
    catalogue.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return catalogue


@pytest.fixture(scope="session")
def embedder() -> StandInEncoders:
    return StandInEncoders()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, embedder: StandInEncoders) -> Settings:
    """Settings whose data directory holds the built shop."""
    folder = tmp_path_factory.mktemp("shop")
    build(write_shop(folder), folder / "data", "shop-1", embedder, decode_threads=2)
    return Settings(data=folder / "data")


class StandIns:
    """Models by fingerprint, as bundles are found; see `ModelSource`."""

    def __init__(self, *embedders: Embedder) -> None:
        self._embedders = {embedder.fingerprint: embedder for embedder in embedders}

    def needs(self, fingerprint: str) -> int:
        self.load(fingerprint)
        return 1_000

    def load(self, fingerprint: str) -> Embedder:
        if fingerprint not in self._embedders:
            raise BundleInvalid(f"No bundle has the fingerprint {fingerprint[:12]}.")
        return self._embedders[fingerprint]


@contextmanager
def client_of(settings: Settings, *embedders: Embedder, fetcher: Fetcher | None = None) -> Iterator[TestClient]:
    """A client of a running application; a fault would be an answer 500, not an exception.

    Without `embedders` its models are bundles.
    """
    serving, swaps = open_serving(settings, StandIns(*embedders) if embedders else None, fetcher)
    app = create_app(serving, swaps, cursor_secret=b"test")
    try:
        with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
            yield client
    finally:
        _forget_routes()


@contextmanager
def shop_of_titles(folder: Path, rows: Iterable[Mapping[str, Any]]) -> Iterator[TestClient]:
    """A client on a catalogue whose vectors are of its titles alone: they are alike whatever else products declare."""
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    embedder = StandInEncoders()
    embedder.product_text = lambda product: product.title  # type: ignore[method-assign]
    build(folder / "rows.jsonl", folder / "data", "rows", embedder, decode_threads=1)
    with client_of(Settings(data=folder / "data"), embedder) as client:
        yield client


def _forget_routes() -> None:
    """FastAPI remembers what kinds of functions it met, and with them every application whose routes they are of."""
    for kept in vars(fastapi_dependencies).values():
        if hasattr(kept, "cache_clear"):
            kept.cache_clear()


@pytest.fixture(scope="session")
def api(shop: Settings, embedder: StandInEncoders, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of the running application, for tests that change nothing."""
    with client_of(copy_of(shop, tmp_path_factory.mktemp("api")), embedder) as client:
        yield client


@pytest.fixture
def own_shop(tmp_path: Path, shop: Settings) -> Settings:
    """The shop in a data directory of the test's own, to be changed."""
    return copy_of(shop, tmp_path)


def copy_of(shop: Settings, folder: Path) -> Settings:
    """The same shop in another data directory, watched closely."""
    shutil.copytree(shop.data, folder / "data", ignore=shutil.ignore_patterns("journal*"))
    return Settings(data=folder / "data", index=IndexSettings(watch_s=0.05))
