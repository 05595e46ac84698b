"""Pure ASGI layers around every request: limits on the body, slashes in ids, HEAD."""

import asyncio
import time
from contextlib import suppress
from typing import Final
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.problems import problem
from service.trail import CURRENT

MAX_BODY_BYTES: Final = 20_000_000
MAX_BULK_BYTES: Final = 1_000_000_000
BULK: Final = "/v1/products/bulk"
SLASH: Final = "\ue000"
"""Stands for an encoded slash inside a path; of the private use area, so no id has it."""
BODY_TIMEOUT_S: Final = 20.0
_REFUSALS: Final = {
    "too-large": (413, "The body is over {} MB. Send a smaller photo, or a bulk in parts."),
    "too-slow": (408, f"The body did not come within {BODY_TIMEOUT_S:g} s. Send a smaller photo, or faster."),
}


class _BodyRefused(Exception):
    pass


class BodyLimit:
    """Bounds what a request may send and how long it may take over it; nothing more is read then.

    Answers 413 as soon as more than the limit is announced or has arrived, 408 when the body is not complete in time.
    A bulk is read as it is written: it may be large, and only its pauses are bounded.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_bulk = scope["method"] == "POST" and scope["path"] == BULK  # a product may have that id, too
        limit = MAX_BULK_BYTES if is_bulk else MAX_BODY_BYTES
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > limit:
            await _refuse("too-large", limit, scope, receive, send)
            return
        arrived, complete, refused = 0, False, ""
        deadline = asyncio.get_running_loop().time() + BODY_TIMEOUT_S
        arriving = _noting_waits(receive)

        async def bounded() -> Message:
            nonlocal arrived, complete, refused, deadline
            if is_bulk:
                deadline = asyncio.get_running_loop().time() + BODY_TIMEOUT_S
            try:
                async with asyncio.timeout_at(None if complete else deadline):
                    message = await arriving()
            except TimeoutError:
                refused = "too-slow"
                raise _BodyRefused from None
            arrived += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if arrived > limit:
                refused = "too-large"
                raise _BodyRefused
            return message

        async def unless_refused(message: Message) -> None:
            if not refused:  # whoever parses the body may take our exception for a broken body
                await send(message)

        with suppress(_BodyRefused):
            await self._app(scope, bounded, unless_refused)
        if refused:
            await _refuse(refused, limit, scope, receive, send)


def _noting_waits(receive: Receive) -> Receive:
    """As `receive`; how long a client keeps its request waiting for the body is noted."""
    trail, complete = CURRENT.get(), False

    async def noting() -> Message:
        nonlocal complete
        began, is_body = time.monotonic(), not complete
        message = await receive()
        if is_body and trail is not None:
            trail.body_s += time.monotonic() - began
        complete = not message.get("more_body", False)
        return message

    return noting


async def _refuse(slug: str, limit: int, scope: Scope, receive: Receive, send: Send) -> None:
    status, detail = _REFUSALS[slug]
    detail = detail.format(limit // 1_000_000)
    await problem(status, slug, detail, headers={"Connection": "close"})(scope, receive, send)


class EncodedSlashes:
    """Keeps `%2F` in a path apart from `/`, so that any product id can stand in a URL.

    Servers decode a path before it is routed; here an encoded slash becomes `SLASH`, which routes turn back.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        raw = scope.get("raw_path") or b""
        if scope["type"] == "http" and b"%2f" in raw.lower():
            path = raw.partition(b"?")[0].replace(b"%2f", b"%2F").split(b"%2F")
            scope["path"] = SLASH.join(unquote(part.decode("latin-1")) for part in path)
        await self._app(scope, receive, send)


class Heads:
    """Answers HEAD as GET would be, without the body: load balancers and CDNs ask so."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        as_get = {**scope, "method": "GET"}  # of its own: the server has to know that no body comes
        try:
            await self._app(as_get, receive, without_body)
        finally:
            if "route" in as_get:
                scope["route"] = as_get["route"]
