"""What the HTTP tests cannot see of retrieval."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from catalogue import Product
from catalogue.errors import DeadlineExceeded
from catalogue.settings import Settings
from index.live_styles import style_names
from models import Encoded, StandInEncoders
from models.bundle import Threshold, Thresholds
from models.embedder import Vectors
from service.build import build
from service.comparing import compare
from service.ranking import Scope
from service.retrieval import Query, Retrieval, _stored
from service.swapping import answering
from tests.service.conftest import StandIns, photo
from tests.service.gated import Gated, until

Result = TypeVar("Result")


class Slow(StandInEncoders):
    """Takes its time."""

    def fuse(self, items: Sequence[Encoded]) -> Vectors:
        time.sleep(0.5)
        return super().fuse(items)


class Counting(StandInEncoders):
    """Counts what it encodes."""

    def __init__(self) -> None:
        super().__init__()
        self.encoded = 0

    def fuse(self, items: Sequence[Encoded]) -> Vectors:
        self.encoded += len(items)
        return super().fuse(items)


class Blurred(StandInEncoders):
    """Reads titles only, so that variants look the same."""

    def product_text(self, product: Product) -> str:
        return product.title


def with_retrieval(shop: Settings, embedder: StandInEncoders, work: Callable[[Retrieval], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        async with answering(shop, StandIns(embedder)) as retrieval:
            return await work(retrieval)

    return asyncio.run(run())


def test_an_answer_that_would_come_too_late_is_an_error(shop: Settings) -> None:
    hurried = shop.model_copy(update={"deadline_s": 0.05})
    with pytest.raises(DeadlineExceeded, match=r"0\.05 s"):
        with_retrieval(hurried, Slow(), lambda retrieval: retrieval.search(Query(text="mug"), Scope()))


def test_what_is_compared_is_encoded_side_by_side(shop: Settings) -> None:
    gated = Gated()

    async def ask(retrieval: Retrieval) -> float:
        asked = asyncio.create_task(compare(retrieval, Query(text="mug"), Query(image=photo((1, 2, 3)))))
        await until(lambda: gated.count("text") == gated.count("decode") == 1)  # neither may go on
        gated.open()
        return (await asked).score

    try:
        assert -1 <= with_retrieval(shop, gated, ask) <= 1
    finally:
        gated.open()


def test_without_calibrated_thresholds_nothing_is_called_the_same(shop: Settings) -> None:
    embedder = StandInEncoders()
    embedder.thresholds = {}
    assert with_retrieval(shop, embedder, lambda retrieval: retrieval.same_style("acme-03", 10)).found == []
    assert len(with_retrieval(shop, embedder, lambda retrieval: retrieval.similar("acme-03", 36)).found) == 35


def test_a_product_id_alone_never_runs_an_encoder(shop: Settings) -> None:
    embedder = Counting()
    with_retrieval(shop, embedder, lambda retrieval: retrieval.search(Query(product_id="acme-03"), Scope()))
    assert embedder.encoded == 0


def test_a_query_asked_again_is_encoded_once(shop: Settings) -> None:
    embedder = Counting()

    async def twice(retrieval: Retrieval) -> None:
        first = await retrieval.search(Query(text="mug"), Scope())
        assert await retrieval.search(Query(text=" mug "), Scope()) == first

    with_retrieval(shop, embedder, twice)
    assert embedder.encoded == 1


def test_words_take_the_place_of_a_products_own(shop: Settings) -> None:
    embedder = StandInEncoders()

    async def ask(retrieval: Retrieval) -> None:
        item = await retrieval._as_input(retrieval.product("acme-03"), "white")
        assert item.text == "white"
        assert item.image is not None
        bare = await retrieval._as_input(retrieval.product("acme-11"), "white")
        assert bare.image is None
        assert bare.text is not None
        assert bare.text.startswith("white, lamp design11")

    with_retrieval(shop, embedder, ask)


def test_the_vector_of_a_stored_product_is_unit(shop: Settings) -> None:
    async def ask(retrieval: Retrieval) -> None:
        for row in range(36):
            assert np.linalg.norm(_stored(retrieval.view, row)) == pytest.approx(1, abs=1e-6)

    with_retrieval(shop, StandInEncoders(), ask)


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
        same = {found.item.product.product_id for found in (await retrieval.same_style("acme-m6", 10)).found}
        similar = {found.item.product.product_id for found in (await retrieval.similar("acme-m6", 10)).found}
        assert same == {"kestrel-m6", "orion-any"}
        assert similar == {"kestrel-m8"}

    with_retrieval(Settings(data=tmp_path / "data"), embedder, ask)


def test_a_listing_without_a_photo_is_judged_as_one(tmp_path: Path) -> None:
    """On the tab, when compared, and in style groups."""
    (tmp_path / "lamp.jpg").write_bytes(photo((200, 100, 50)))
    rows = [
        {"product_id": "own", "title": "lamp Nova", "supplier_id": "acme", "images": ["lamp.jpg"]},
        {"product_id": "bare", "title": "lamp Nova", "supplier_id": "orion"},
        {"product_id": "other", "title": "lamp Vega", "supplier_id": "orion"},
    ]
    catalogue = tmp_path / "lamps.jsonl"
    catalogue.write_text("".join(json.dumps(row) + "\n" for row in rows))
    embedder = Blurred()
    lower = Thresholds(same_style=Threshold(score=0.65, precision=0.95, interval=(0.9, 1.0), pairs=100))
    embedder.thresholds = {**embedder.thresholds, "t-m": lower, "m-t": lower}
    build(catalogue, tmp_path / "data", "lamps", embedder, decode_threads=1)

    async def ask(retrieval: Retrieval) -> None:
        for one, other, mode in (("own", "bare", "m-t"), ("bare", "own", "t-m")):
            (found,) = (await retrieval.same_style(one, 10)).found
            assert found.listing.product_id == other
            assert found.score == pytest.approx(0.707, abs=1e-3)
            compared = await compare(retrieval, Query(one), Query(other))
            assert (compared.verdict, compared.mode, compared.thresholds["same_style"]) == ("same-style", mode, 0.65)
        assert "bare" not in {found.listing.product_id for found in (await retrieval.similar("own", 10)).found}
        names = style_names(retrieval.view, [retrieval.view.row_of(name) for name in ("own", "bare", "other")])
        assert names[0] == names[1] != names[2]

    with_retrieval(Settings(data=tmp_path / "data"), embedder, ask)
