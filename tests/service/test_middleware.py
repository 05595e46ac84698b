"""Bounds on what comes in, on tiny applications."""

import asyncio
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from service import middleware
from service.middleware import BODY_TIMEOUT_S, BodyLimit
from tests.clocks import run_at_once


async def read_all(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(str(len(body)))(scope, receive, send)


def scope_of(path: str = "/v1/search", method: str = "POST", **headers: str) -> Scope:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": method, "path": path, "headers": named}


async def call(app: Any, scope: Scope, receive: Receive) -> int:
    """The status of the answer."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    status: int = sent[0]["status"]
    return status


async def never() -> Message:
    await asyncio.sleep(100 * BODY_TIMEOUT_S)
    raise AssertionError("nobody should have waited so long")


def test_a_body_that_never_comes_is_answered_408() -> None:
    assert run_at_once(call(BodyLimit(read_all), scope_of(content_length="100"), never)) == 408


def test_waiting_for_the_client_to_leave_has_no_deadline() -> None:
    messages: list[Message] = [{"type": "http.request", "body": b"abc", "more_body": False}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await asyncio.sleep(100 * BODY_TIMEOUT_S)
        return {"type": "http.disconnect"}

    async def linger(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["body"] == b"abc"
        assert (await receive())["type"] == "http.disconnect"
        await PlainTextResponse("ok")(scope, receive, send)

    assert run_at_once(call(BodyLimit(linger), scope_of(), receive)) == 200


def in_parts(count: int, size: int, pause_s: float) -> Receive:
    """A body of so many parts, one after another."""
    left = iter(range(count, 0, -1))

    async def receive() -> Message:
        await asyncio.sleep(pause_s)
        return {"type": "http.request", "body": b"x" * size, "more_body": next(left) > 1}

    return receive


def test_a_bulk_may_take_long_but_not_pause_long() -> None:
    for path, parts, pause, status in (
        (middleware.BULK, 6, 0.9, 200), ("/v1/search", 6, 0.9, 408), ("/v1/search", 6, 0.15, 200),
        (middleware.BULK, 2, 1.1, 408),
    ):  # fmt: skip
        body = in_parts(parts, 10, pause * BODY_TIMEOUT_S)
        assert run_at_once(call(BodyLimit(read_all), scope_of(path), body)) == status


def test_a_bulk_may_be_larger_than_other_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "MAX_BODY_BYTES", 1_000)
    monkeypatch.setattr(middleware, "MAX_BULK_BYTES", 5_000)
    for path, parts, status in (("/v1/search", 2, 413), (middleware.BULK, 2, 200), (middleware.BULK, 6, 413)):
        assert asyncio.run(call(BodyLimit(read_all), scope_of(path), in_parts(parts, 900, 0))) == status
    for path, announced, status in ((middleware.BULK, "4000", 200), (middleware.BULK, "6000", 413)):
        scope = scope_of(path, content_length=announced)
        assert asyncio.run(call(BodyLimit(read_all), scope, in_parts(1, 10, 0))) == status
    assert asyncio.run(call(BodyLimit(read_all), scope_of(middleware.BULK, "PUT"), in_parts(2, 900, 0))) == 413
