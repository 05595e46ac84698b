"""What the HTTP tests cannot see of retrieval."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import numpy as np
import pytest

from catalogue.errors import DeadlineExceeded
from catalogue.settings import Settings
from models import Encoded, StandInEncoders
from models.embedder import Vectors
from service.comparing import compare
from service.query import Query
from service.ranking import Scope
from service.retrieval import Retrieval, _stored
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
