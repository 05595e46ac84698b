"""The headers that every answer carries, and which web pages may call from a browser."""

from collections.abc import Sequence
from typing import Final

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ALWAYS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
NO_CONTENT_FROM_ANYWHERE: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
OF_DOCS: Final = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI is started by a script in the page; the page holds nothing that a caller sent."""
HSTS: Final = "max-age=31536000"

_CSP: Final = b"content-security-policy"
_CACHE: Final = b"cache-control"
_STATIC: Final = ("/web/", "/static-offline-docs/")


class SafeHeaders:
    """Adds what keeps browsers from doing more with an answer than it is for; what a route sets itself stays."""

    def __init__(self, app: ASGIApp, *, hsts: bool) -> None:
        self._app = app
        always = ALWAYS | ({"strict-transport-security": HSTS} if hsts else {})
        self._always = [(name.encode(), value.encode()) for name, value in always.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = message.get("headers", ())
                message["headers"] = [*own, *self._always, *_defaults(scope["path"], dict(own))]
            await send(message)

        await self._app(scope, receive, with_headers)


def _defaults(path: str, own: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """What depends on the answer: photos may be shown by any page, nothing but photos and files may be kept."""
    is_photo = own.get(b"content-type", b"").startswith(b"image/")
    defaults = [(b"cross-origin-resource-policy", b"cross-origin" if is_photo else b"same-origin")]
    if _CSP not in own:
        defaults.append((_CSP, (OF_DOCS if path == "/docs" else NO_CONTENT_FROM_ANYWHERE).encode()))
    if _CACHE not in own:
        defaults.append((_CACHE, b"no-cache" if path.startswith(_STATIC) else b"no-store"))
    return defaults


def allow_origins(app: FastAPI, origins: Sequence[str]) -> None:
    """Let these pages call; never with cookies or a browser's own credentials, of which the API knows none."""
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key"],
            expose_headers=["RateLimit", "RateLimit-Policy", "Retry-After"],
            max_age=600,
        )
