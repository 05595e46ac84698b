"""Who may ask what: pure ASGI layers that refuse a request before anything of its body is read."""

from collections.abc import Collection
from functools import lru_cache
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalogue.addresses import is_loopback
from catalogue.errors import Overloaded
from service.keys import MAX_KEY_LENGTH, KeyRing, Role
from service.limits import Allowance, Limiter
from service.problems import problem, refusal, responses

_OPEN: Final = frozenset({"/livez", "/readyz", "/docs", "/openapi.json"})
_OPEN_BELOW: Final = "/static-offline-docs/"
_ADMIN: Final = ("/admin", "/metrics")
_HEALTH: Final = frozenset({"/livez", "/readyz"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_ASKING: Final = ("/v1/search", "/v1/compare", "/v1/embed", "/v1/events")
"""What is asked by POST and changes no product: who may search may say what became of it."""
INTERNAL: Final = "samestyle.internal"
"""Stands in the scope of what the gateway asks itself. The server makes scopes, so nobody else can put it there."""
_KEY: Final = "samestyle.key"

_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "an API key, made by `samestyle keys create`"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "the same in another header"},
}

_OTHER_NAME: Final = (
    "Without API keys only requests to this machine by its own name, localhost or 127.0.0.1, are answered. Make keys "
    "(`samestyle keys create`), or have a proxy send that name as Host."
)
_Refusal = tuple[int, str, str]
"""Status, slug and detail of an answer."""


def role_for(method: str, path: str) -> Role | None:
    """The role that a request needs where there are keys; None where it needs none. What is unknown needs `admin`."""
    if path in _OPEN or path.startswith(_OPEN_BELOW):
        return None
    if not _is_below(path, "/v1"):
        return "admin"
    reads = method in _SAFE or (method == "POST" and any(_is_below(path, asking) for asking in _ASKING))
    return "search" if reads else "write"


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


def describe_access(document: dict[str, Any]) -> None:
    """Say in an OpenAPI document which role each operation needs where there are keys, and what it answers without."""
    document["components"]["securitySchemes"] = _SCHEMES
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            role = role_for(method.upper(), path)
            operation["security"] = [{name: [role]} for name in _SCHEMES] if role is not None else []
            if role is not None:
                needed = f"Where API keys are needed: one with the role `{role}`."
                operation["description"] = f"{operation.get('description', '')}\n\n{needed}".strip()
                refusals = {str(status): answer for status, answer in responses(401, 403, 429).items()}
                operation["responses"] = dict(sorted({**refusals, **operation["responses"]}.items()))


class AdminPort:
    """With an admin port, /admin and /metrics answer there only, and there answers nothing else but health."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "http":
            path = scope["path"]
            is_admin = any(_is_below(path, folder) for folder in _ADMIN)
            on_admin_port = bool(scope["server"]) and scope["server"][1] == self._port
            if is_admin != on_admin_port and path not in _HEALTH:
                detail = (
                    f"There is no such route on this port; {'ask the other one' if on_admin_port else 'see /docs'}."
                )
                await problem(404, "not-found", detail)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class Access:
    """Lets in who has a key with the role that a request needs; the key is kept in the scope for `Limits`.

    Without a key ring everybody is let in, as the gateway then listens on loopback only; all that is refused is what
    another web page than one of `origins` has a browser on this machine send. That page may have given its own name
    this machine's address, so that a browser takes the gateway for the page's server: only names of this machine are
    answered, and those of `origins`. `open_metrics` says that /metrics has a port of its own.
    """

    def __init__(self, app: ASGIApp, keys: KeyRing | None, *, origins: Collection[str], open_metrics: bool) -> None:
        self._app = app
        self._keys = keys
        self._origins = origins
        self._hosts = frozenset(origin.partition("://")[2] for origin in origins)
        self._open_metrics = open_metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or INTERNAL in scope:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if self._keys is None:
            refusal = self._refusal_of_pages(scope, headers)
        else:
            refusal = self._refusal(scope, headers, self._keys)
        if refusal is None:
            await self._app(scope, receive, send)
            return
        status, slug, detail = refusal
        challenge = {"WWW-Authenticate": 'Bearer realm="samestyle"'} if status == 401 else None
        await problem(status, slug, detail, headers=challenge)(scope, receive, send)

    def _refusal_of_pages(self, scope: Scope, headers: Headers) -> _Refusal | None:
        """A browser says whose page has it ask; a stranger's may look, which it cannot read, but change nothing."""
        host = headers.get("host")
        if host is not None and not _names_this_machine(host) and host not in self._hosts:
            return 403, "forbidden", _OTHER_NAME
        own = headers.get("sec-fetch-site", "none") in {"none", "same-origin"}
        if own or scope["method"] in _SAFE or headers.get("origin") in self._origins:
            return None
        return 403, "forbidden", "A web page from elsewhere may not ask this. SAMESTYLE_CORS_ORIGINS lets pages ask."

    def _refusal(self, scope: Scope, headers: Headers, keys: KeyRing) -> _Refusal | None:
        """What to answer who may not ask this; puts the key into the scope where nothing is refused."""
        method, path = scope["method"], scope["path"]
        if path == "/" or _is_below(path, "/web"):
            return 404, "not-found", "The web page is there only where no API keys are; see /docs for the API."
        role = role_for(method, path)
        if role is None or (path == "/metrics" and self._open_metrics):
            return None
        secret = _secret(headers)
        if secret is None:
            return 401, "unauthorized", "Send an API key, as `Authorization: Bearer KEY` or `X-API-Key: KEY`."
        key = keys.find(secret)
        if key is None:
            return 401, "unauthorized", "This API key is not valid here: it is unknown, revoked or expired."
        if not key.grants(role):
            own = " and ".join(key.roles)
            return 403, "forbidden", f"This takes a key with the role {role}; this one has {own}. Ask for another key."
        scope[_KEY] = key
        return None


class Limits:
    """Counts a request against the limits of its key, which `Access` found, and says what is left."""

    def __init__(self, app: ASGIApp, limiter: Limiter) -> None:
        self._app = app
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection; `state.allowance` is there for routes that do the work of several requests."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        allowance = Allowance(self._limiter, scope.get(_KEY))
        scope.setdefault("state", {})["allowance"] = allowance

        async def with_what_is_left(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *allowance.headers()]
            await send(message)

        try:
            await allowance.charge(1)
        except Overloaded as error:
            await refusal(error)(scope, receive, with_what_is_left)
            return
        await self._app(scope, receive, with_what_is_left)


@lru_cache(maxsize=64)
def _names_this_machine(host: str) -> bool:
    """Whether a Host header names loopback, on whichever port."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return is_loopback(name)


def _secret(headers: Headers) -> str | None:
    """What was sent as a key; of two different ones neither."""
    sent = {value for value in headers.getlist("x-api-key") if value}
    for value in headers.getlist("authorization"):
        scheme, _, token = value.partition(" ")
        sent.add(token.strip() if scheme.lower() == "bearer" else "")
    if not sent:
        return None
    secret = sent.pop()
    return secret if not sent and len(secret) <= MAX_KEY_LENGTH else ""
