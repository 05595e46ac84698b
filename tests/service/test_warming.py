"""What a gateway does before it takes connections."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from catalogue.errors import NotReady
from catalogue.settings import Settings
from models import Encoded, StandInEncoders
from models.embedder import TokenIds, Tokens, Vectors
from service.app import create_app
from service.keys import create_key
from service.swapping import open_serving
from service.warming import _ask, warm_up
from tests.service.conftest import StandIns


class Watched(StandInEncoders):
    """Notes what is encoded, or cannot."""

    def __init__(self, *, broken: bool = False) -> None:
        super().__init__()
        self.encoded: list[tuple[bool, bool]] = []
        self.texts: list[list[int]] = []
        self._broken = broken

    def text_tokens(self, texts: Sequence[TokenIds]) -> list[Tokens]:
        self.texts.append([len(token_ids) for token_ids in texts])
        return super().text_tokens(texts)

    def fuse(self, items: Sequence[Encoded]) -> Vectors:
        if self._broken:
            raise NotReady("out of order")
        self.encoded += [(item.image is not None, item.text is not None) for item in items]
        return super().fuse(items)


def warmed(settings: Settings, embedder: StandInEncoders) -> dict[str, list[int]]:
    """The routes that were asked, and the statuses of their answers."""
    serving, swaps = open_serving(settings, StandIns(embedder))
    app = create_app(serving, swaps, cursor_secret=b"x")
    answers: dict[str, list[int]] = {}

    async def noted(scope: dict[str, object], receive: object, send: object) -> None:
        async def note(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                answers.setdefault(str(scope["path"]), []).append(int(str(message["status"])))
            await send(message)  # type: ignore[operator]

        await app(scope, receive, note)  # type: ignore[arg-type]

    async def run() -> None:
        async with app.router.lifespan_context(app):
            await warm_up(noted, serving)  # type: ignore[arg-type]

    asyncio.run(run())
    return answers


@pytest.mark.parametrize("with_keys", [False, True])
def test_every_modality_and_the_routes_of_a_page_are_used(own_shop: Settings, tmp_path: Path, with_keys: bool) -> None:
    settings = own_shop
    if with_keys:
        create_key(tmp_path / "keys.json", "shop", ["search"])
        settings = own_shop.model_copy(update={"keys_file": tmp_path / "keys.json"})
    embedder = Watched()
    answers = warmed(settings, embedder)
    assert {(True, False), (False, True), (True, True)} <= set(embedder.encoded)
    longest = embedder.prepare_text("word " * 10_000)
    assert longest is not None
    assert embedder.batch_limit("text") in {texts.count(len(longest)) for texts in embedder.texts}
    assert {"/readyz", "/v1/products", "/v1/search", "/v1/products/acme-00/image"} <= answers.keys()
    assert {status for statuses in answers.values() for status in statuses} == {200}


def test_what_cannot_be_warmed_up_starts_all_the_same(own_shop: Settings) -> None:
    warmed(own_shop, Watched(broken=True))


def test_who_asks_stays_to_hear_the_answer() -> None:
    """Asked again and again, as by what looks whether a client has gone, it must not answer at once each time.

    It did: a gateway whose first search took longer than 50 ms never came to answer it.
    """

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["body"] == b"{}"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await receive()
        await send({"type": "http.response.body", "body": b"there"})

    assert asyncio.run(_ask(app, "POST", "/v1/search", b"{}")) == b"there"
