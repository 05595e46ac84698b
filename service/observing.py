"""The outermost layer: counts and times each request, traces it where that is on, and logs some of them.

Logged are every request that took long, with its stages, every one that failed by our fault, and a share of the rest.
Never a key, a body or a query string.
"""

import random
import re
import time
from typing import Any, Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalogue.settings import LogSettings
from service import metrics
from service.ids import uuid7
from service.templates import template_of
from service.tracing import Tracing
from service.trail import CURRENT, Trail

log = structlog.get_logger(__name__)

HEADER: Final = b"x-request-id"
_OWN_ID: Final = re.compile(rb"[A-Za-z0-9_.-]{1,64}")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_LINES_PER_S: Final = 20
"""Of requests that were slow or failed; in an overload all may be, and a disk is to survive it."""
_MAX_PATH: Final = 200


class Observed:
    """Times each request by its route template.

    A request's id is the caller's `X-Request-ID`, if it can be one, or a new one. It stands in every line of the log
    that was written for it, and the answer gives it back.
    """

    def __init__(self, app: ASGIApp, *, log: LogSettings, tracing: Tracing | None) -> None:
        self._app = app
        self._log = log
        self._tracing = tracing
        self._lines = _Allowance(_LINES_PER_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trail = Trail(_request_id(scope))
        token = CURRENT.set(trail)
        if self._tracing is not None:
            self._tracing.begin(trail, scope)
        status = 500
        header = (HEADER, trail.request_id.encode())

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        metrics.IN_FLIGHT.inc()
        try:
            await self._app(scope, receive, observed)
        finally:
            metrics.IN_FLIGHT.dec()
            self._finish(trail, scope, status)
        CURRENT.reset(token)  # but not where it failed: who answers 500 stands outside, and logs it for this request

    def _finish(self, trail: Trail, scope: Scope, status: int) -> None:
        """Nothing here knows the path as it was sent, but for a line of the log."""
        seconds = time.monotonic() - trail.started
        found = scope.get("route")  # a request that was refused at the door has met none
        route: str = found.path if found is not None else template_of(scope["method"], scope["path"])
        method = scope["method"] if scope["method"] in _METHODS else "other"
        metrics.labelled(metrics.REQUESTS, route, method, f"{status // 100}xx").observe(seconds)
        if self._tracing is not None:
            self._tracing.end(trail, method, route, status)
        if seconds >= self._log.slow_s:
            metrics.SLOW.inc()
            if self._lines.take():
                log.warning(
                    "slow_request", **_about(trail, scope, route, status, seconds), stages_ms=trail.milliseconds()
                )
        elif status >= 500:
            if self._lines.take():
                log.warning("failed_request", **_about(trail, scope, route, status, seconds))
        elif self._log.access_sample and random.random() < self._log.access_sample:  # noqa: S311  # no secret
            log.info("request", **_about(trail, scope, route, status, seconds))


class _Allowance:
    """So many a second."""

    def __init__(self, per_s: int) -> None:
        self._per_s = per_s
        self._second = 0
        self._taken = 0

    def take(self) -> bool:
        """Whether there is one left."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._taken = second, 0
        self._taken += 1
        return self._taken <= self._per_s


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == HEADER and _OWN_ID.fullmatch(value):
            given: str = value.decode()
            return given
    return str(uuid7())


def _about(trail: Trail, scope: Scope, route: str, status: int, seconds: float) -> dict[str, Any]:
    """With the reason where it is ours; that of a 4xx may repeat what was sent."""
    reason = {"reason": trail.reason} if status >= 500 and trail.reason is not None else {}
    return {
        "method": scope["method"][:16],
        "path": scope["path"][:_MAX_PATH],
        "route": route,
        "status": status,
        "ms": round(seconds * 1000, 2),
        "answers": trail.answers,
        "request_id": trail.request_id,
        **reason,
    }


def add_request(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Put the request a line was written for into it, and its trace (for structlog)."""
    trail = CURRENT.get()
    if trail is not None:
        event.setdefault("request_id", trail.request_id)
        if trail.span is not None:
            event["trace_id"] = f"{trail.span.get_span_context().trace_id:032x}"
    return event
