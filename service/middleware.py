"""Pure ASGI layers around every request: limits on the body, time per route, safe headers."""

import time
from contextlib import suppress
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import metrics
from service.problems import problem

MAX_BODY_BYTES: Final = 20_000_000
MAX_IN_FLIGHT: Final = 256
_TOO_LARGE: Final = f"The body is over {MAX_BODY_BYTES // 1_000_000} MB. Send a smaller photo."
_SECURITY: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]


class _BodyTooLarge(Exception):
    pass


class BodyLimit:
    """Answers 413 as soon as more than the limit is announced or has arrived; nothing more is read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
            await _refuse(scope, receive, send)
            return
        arrived = 0

        async def counted() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > MAX_BODY_BYTES:
                raise _BodyTooLarge
            return message

        async def unless_refused(message: Message) -> None:
            if arrived <= MAX_BODY_BYTES:  # whoever parses the body may take our exception for a broken body
                await send(message)

        with suppress(_BodyTooLarge):
            await self._app(scope, counted, unless_refused)
        if arrived > MAX_BODY_BYTES:
            await _refuse(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await problem(413, "too-large", _TOO_LARGE, headers={"Connection": "close"})(scope, receive, send)


class Admission:
    """At most `MAX_IN_FLIGHT` requests at once; one more is answered 429 before its body is read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        if self._in_flight >= MAX_IN_FLIGHT:
            detail = "Too many requests at once. Try again in a second."
            await problem(429, "overloaded", detail, headers={"Retry-After": "1"})(scope, receive, send)
            return
        self._in_flight += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_flight -= 1


class Observed:
    """Times each request by its route template, and adds the headers every answer carries."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_SECURITY]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            route = getattr(scope.get("route"), "path", "none")  # the template, never the path itself
            method = scope["method"] if scope["method"] in _METHODS else "other"
            metrics.REQUESTS.labels(route, method, f"{status // 100}xx").observe(time.perf_counter() - started)


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
