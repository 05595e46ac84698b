"""What the HTTP tests cannot see of the two tabs."""

import json
from pathlib import Path

import pytest

from catalogue import Product
from catalogue.settings import Settings
from index import Filters
from index.live_styles import style_names
from models import StandInEncoders
from models.bundle import Threshold, Thresholds
from service.build import build
from service.comparing import compare
from service.models import threshold
from service.query import Hits, Query
from service.retrieval import Retrieval
from service.same_style import same_style, similar
from tests.service.conftest import photo
from tests.service.test_retrieval import with_retrieval

WORDS = "canvas bag with a print long handles natural cotton shopper 38x42"


class Blurred(StandInEncoders):
    """Reads titles only, so that variants look the same."""

    def product_text(self, product: Product) -> str:
        return product.title


def test_without_calibrated_thresholds_nothing_is_called_the_same(shop: Settings) -> None:
    embedder = StandInEncoders()
    embedder.thresholds = {}
    assert with_retrieval(shop, embedder, lambda retrieval: same_style(retrieval, "acme-03", 10)).found == []
    assert len(with_retrieval(shop, embedder, lambda retrieval: similar(retrieval, "acme-03", 36)).found) == 35


def test_a_declared_other_variant_is_similar_and_not_the_same(tmp_path: Path) -> None:
    rows = [
        {"product_id": f"{supplier}-{size}", "title": "hex bolt zinc", "supplier_id": supplier, "attributes": declared}
        for supplier, size, declared in [
            ("acme", "m6", {"thread": "M6"}),
            ("kestrel", "m6", {"thread": "m 6"}),
            ("kestrel", "m8", {"thread": "M8"}),
            ("orion", "any", {}),
        ]
    ]
    catalogue = tmp_path / "bolts.jsonl"
    catalogue.write_text("".join(json.dumps(row) + "\n" for row in rows))
    embedder = Blurred()
    build(catalogue, tmp_path / "data", "bolts", embedder, decode_threads=1)

    async def ask(retrieval: Retrieval) -> None:
        same = {found.item.product.product_id for found in (await same_style(retrieval, "acme-m6", 10)).found}
        alike = {found.item.product.product_id for found in (await similar(retrieval, "acme-m6", 10)).found}
        assert same == {"kestrel-m6", "orion-any"}
        assert alike == {"kestrel-m8"}

    with_retrieval(Settings(data=tmp_path / "data"), embedder, ask)


def test_a_look_alike_is_similar_where_its_supplier_has_the_product_itself(tmp_path: Path) -> None:
    """By likeness alone both would be the same; without suppliers to tell, both are."""
    rows = [
        {"product_id": f"{supplier}-{number}", "title": title, "supplier_id": supplier}
        for supplier, number, title in [
            ("acme", 1, f"{WORDS} bicycle"),
            ("orion", 1, f"{WORDS} bicycle tote"),
            ("orion", 2, f"{WORDS} waves"),
        ]
    ]
    for known in (True, False):
        catalogue, data = tmp_path / f"{known}.jsonl", tmp_path / f"data-{known}"
        catalogue.write_text("".join(json.dumps(row if known else row | {"supplier_id": ""}) + "\n" for row in rows))
        embedder = Blurred()
        lower = Thresholds(same_style=Threshold(score=0.88, precision=0.95, interval=(0.9, 1.0), pairs=100))
        embedder.thresholds = {**embedder.thresholds, "m-m": lower, "t-t": lower}
        build(catalogue, data, "bags", embedder, decode_threads=1)

        async def ask(retrieval: Retrieval) -> None:
            same = [found.listing.product_id for found in (await same_style(retrieval, "acme-1", 10)).found]
            alike = [found.listing.product_id for found in (await similar(retrieval, "acme-1", 10)).found]
            assert (same, alike) == ((["orion-1"], ["orion-2"]) if known else (["orion-1", "orion-2"], []))  # noqa: B023

        with_retrieval(Settings(data=data), embedder, ask)


def test_a_listing_without_a_photo_is_judged_as_one(tmp_path: Path) -> None:
    """On both tabs, when compared, and in style groups."""
    (tmp_path / "lamp.jpg").write_bytes(photo((200, 100, 50)))
    rows = [
        {"product_id": "own", "title": "lamp Nova", "supplier_id": "acme", "images": ["lamp.jpg"]},
        {"product_id": "bare", "title": "lamp Nova", "supplier_id": "orion"},
        {"product_id": "other", "title": "lamp Vega", "supplier_id": "orion"},
    ]
    catalogue = tmp_path / "lamps.jsonl"
    catalogue.write_text("".join(json.dumps(row) + "\n" for row in rows))
    embedder = Blurred()
    lower = Thresholds(
        same_style=Threshold(score=0.65, precision=0.95, interval=(0.9, 1.0), pairs=100),
        similar=Threshold(score=0.3, precision=0.95, interval=(0.9, 1.0), pairs=100),
    )
    usual = threshold(embedder, "similar") or 0
    embedder.thresholds = {**embedder.thresholds, "t-m": lower, "m-t": lower}
    build(catalogue, tmp_path / "data", "lamps", embedder, decode_threads=1)

    async def ask(retrieval: Retrieval) -> None:
        for one, other, mode in (("own", "bare", "m-t"), ("bare", "own", "t-m")):
            (found,) = (await same_style(retrieval, one, 10)).found
            assert found.listing.product_id == other
            assert found.score == pytest.approx(0.707, abs=1e-3)
            compared = await compare(retrieval, Query(one), Query(other))
            assert (compared.verdict, compared.mode, compared.thresholds.same_style) == ("same-style", mode, 0.65)
        (found,) = (await similar(retrieval, "own", 10)).found
        assert (found.listing.product_id, found.score < usual) == ("other", True)
        names = style_names(
            retrieval.view, [retrieval.view.row_of(name) for name in ("own", "bare", "other")], lambda: None
        )
        assert names[0] == names[1] != names[2]

    with_retrieval(Settings(data=tmp_path / "data"), embedder, ask)


def test_what_is_like_a_product_is_on_one_tab_whatever_is_asked_for(tmp_path: Path) -> None:
    """By filters and pages, too, however many rivals that contradict them the listings before have."""
    listings = [
        ("own", "acme", WORDS, "13"),
        *((f"sibling-{n}", "acme", f"{WORDS} s{n} y{n}", f"{n + 20}") for n in range(40)),
        *((f"design-{n}", f"shop-{n}", f"{WORDS} black d{n} e{n}", "13") for n in range(40)),
        ("better", "orion", f"{WORDS} black green", "13"),
        ("look-alike", "orion", f"{WORDS} white waves moon sea and stars", "13"),
    ]
    catalogue = tmp_path / "cases.jsonl"
    names = ("product_id", "supplier_id", "title")
    rows = [dict(zip(names, row, strict=False)) | {"attributes": {"model": row[3]}} for row in listings]
    catalogue.write_text("".join(json.dumps(row) + "\n" for row in rows))
    embedder = Blurred()
    lower = Thresholds(same_style=Threshold(score=0.8, precision=0.95, interval=(0.9, 1.0), pairs=100))
    embedder.thresholds = {**embedder.thresholds, "m-m": lower, "t-t": lower}
    build(catalogue, tmp_path / "data", "cases", embedder, decode_threads=1)

    async def ask(retrieval: Retrieval) -> None:
        same = {found.listing.product_id for found in (await same_style(retrieval, "own", 100)).found}
        assert same == {"better", *(f"design-{n}" for n in range(40))}
        assert not (await same_style(retrieval, "own", 100, Filters(ids=("look-alike",)))).found
        alike: list[str] = []
        page = await similar(retrieval, "own", 10, diversity=0)
        while page.found:
            alike += [found.listing.product_id for found in page.found]
            page = await similar(retrieval, "own", 10, diversity=0, start=page.next) if page.next else Hits([])
        assert sorted(alike) == sorted({row[0] for row in listings} - same - {"own"})

    with_retrieval(Settings(data=tmp_path / "data"), embedder, ask)
