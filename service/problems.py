"""Errors as `application/problem+json` (RFC 9457): the one place that knows the HTTP status of each."""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from catalogue.errors import (
    AliasesInvalid,
    BundleInvalid,
    ConfigurationError,
    Conflict,
    DeadlineExceeded,
    DeltaFull,
    DeviceMemoryFull,
    EventsUnavailable,
    ExperimentsInvalid,
    FetchFailed,
    FetchRefused,
    FingerprintMismatch,
    Gone,
    InvalidInput,
    JournalInvalid,
    JournalUnavailable,
    NotEnoughMemory,
    NotFound,
    NotReady,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    SamestyleError,
    SnapshotDamaged,
    SnapshotInvalid,
    StorageUnavailable,
    SwapFailed,
    TooLarge,
    UndecodableImage,
    UnsupportedMedia,
)
from service import metrics
from service.examples import PROBLEMS
from service.headers import ALWAYS
from service.trail import CURRENT

log = structlog.get_logger(__name__)

_STATUS: Final[Mapping[type[SamestyleError], tuple[int, str]]] = {
    InvalidInput: (400, "invalid-input"),
    FetchRefused: (400, "fetch-refused"),
    NotFound: (404, "not-found"),
    Gone: (410, "gone"),
    Conflict: (409, "conflict"),
    NotEnoughMemory: (409, "not-enough-memory"),
    SnapshotInvalid: (409, "snapshot-invalid"),
    BundleInvalid: (409, "bundle-invalid"),
    FingerprintMismatch: (412, "fingerprint-mismatch"),
    TooLarge: (413, "too-large"),
    UnsupportedMedia: (415, "unsupported-media"),
    UndecodableImage: (422, "undecodable-image"),
    FetchFailed: (422, "fetch-failed"),
    Overloaded: (429, "overloaded"),
    RateLimited: (429, "rate-limited"),
    QuotaExceeded: (429, "quota-exceeded"),
    NotReady: (503, "not-ready"),
    JournalUnavailable: (503, "journal-unavailable"),
    StorageUnavailable: (503, "storage-unavailable"),
    EventsUnavailable: (503, "events-unavailable"),
    ExperimentsInvalid: (503, "experiments-invalid"),
    SnapshotDamaged: (503, "snapshot-damaged"),
    DeltaFull: (503, "delta-full"),
    DeviceMemoryFull: (503, "device-memory-full"),
    SwapFailed: (503, "swap-failed"),
    JournalInvalid: (503, "journal-invalid"),
    AliasesInvalid: (503, "aliases-invalid"),
    ConfigurationError: (503, "not-ready"),
    DeadlineExceeded: (504, "deadline-exceeded"),
}
_TITLES: Final = {
    "invalid-input": "The request cannot be used as it is",
    "unauthorized": "An API key is needed",
    "forbidden": "Not allowed",
    "not-found": "Not found",
    "gone": "No longer there",
    "conflict": "Not now",
    "not-enough-memory": "Not enough memory",
    "snapshot-invalid": "The snapshot must not be served",
    "bundle-invalid": "The model must not be served",
    "fingerprint-mismatch": "Vectors of another model",
    "too-slow": "The request came too slowly",
    "too-large": "Too large",
    "headers-too-large": "The URL or the headers are too long",
    "unsupported-media": "Unsupported media type",
    "undecodable-image": "The image cannot be decoded",
    "fetch-refused": "Photos are not fetched from there",
    "fetch-failed": "The photo could not be fetched",
    "overloaded": "Overloaded",
    "rate-limited": "Too many requests at once",
    "quota-exceeded": "No requests left today",
    "too-many-connections": "Too many connections",
    "not-ready": "Not ready",
    "journal-unavailable": "Changes cannot be stored",
    "snapshot-damaged": "A product cannot be read",
    "storage-unavailable": "Photos cannot be stored or read",
    "events-unavailable": "Events cannot be kept",
    "experiments-invalid": "The experiments cannot be used",
    "device-memory-full": "The GPU's memory is full",
    "delta-full": "Too many changes since the last snapshot",
    "swap-failed": "The swap failed",
    "aliases-invalid": "The aliases cannot be used",
    "journal-invalid": "The journal cannot be used",
    "deadline-exceeded": "Deadline exceeded",
    "internal": "Internal error",
}
_MAX_DETAIL: Final = 500

for _slug in _TITLES:
    metrics.REJECTED.labels(_slug)  # at 0 from the start: a rate sees the first one, too


class FieldError(BaseModel):
    """One field of the request that cannot be used."""

    field: str
    reason: str


class Problem(BaseModel):
    """The body of every error answer."""

    type: str = Field(description="stable; `samestyle:` and a slug", examples=["samestyle:invalid-input"])
    title: str
    status: int
    detail: str = Field(description="what is wrong and what to do")
    errors: list[FieldError] | None = None
    retry_after: int | None = Field(default=None, description="seconds until a retry has a chance, of a 429")


def problem(
    status: int,
    slug: str,
    detail: str,
    *,
    errors: list[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem answer; counted by its slug."""
    return _answer(_problem(status, slug, detail, errors), headers)


def _answer(body: Problem, headers: Mapping[str, str] | None) -> Response:
    if (trail := CURRENT.get()) is not None:
        trail.reason = body.detail
    content = orjson.dumps(body.model_dump(exclude_none=True))
    return Response(content, body.status, headers=headers, media_type="application/problem+json")


def refusal(error: SamestyleError | RequestValidationError) -> Response:
    """The answer to a request that failed so."""
    body = problem_of(error)
    headers = {"Retry-After": str(body.retry_after)} if body.retry_after is not None else None
    return _answer(body, headers)


def problem_of(error: SamestyleError | RequestValidationError) -> Problem:
    """An error of a request or of one part of it, as it stands in an answer; counted by its slug."""
    if isinstance(error, RequestValidationError):
        errors = _field_errors(error)
        return _problem(400, "invalid-input", _summary(errors), errors)
    if isinstance(error, SnapshotDamaged):
        note_damage(error)
    status, slug = describe(error)
    body = _problem(status, slug, str(error))
    if isinstance(error, Overloaded):
        body.retry_after = max(1, math.ceil(error.retry_after))
    return body


def note_damage(error: SnapshotDamaged) -> None:
    """Say and count that a product cannot be read."""
    metrics.DAMAGED.inc()
    log.error("snapshot_damaged", reason=str(error))


def _problem(status: int, slug: str, detail: str, errors: list[FieldError] | None = None) -> Problem:
    metrics.REJECTED.labels(slug).inc()
    return Problem(
        type=f"samestyle:{slug}",
        title=_TITLES.get(slug) or HTTPStatus(status).phrase,
        status=status,
        detail=detail[:_MAX_DETAIL],
        errors=errors,
    )


def describe(error: SamestyleError) -> tuple[int, str]:
    """The HTTP status and slug of an error: those of its nearest class that has them."""
    for kind in type(error).__mro__:
        if kind in _STATUS:
            return _STATUS[kind]
    return 500, "internal"


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, for its OpenAPI description."""
    return {status: _described(status) for status in sorted(statuses)}


def _described(status: int) -> dict[str, Any]:
    slug, detail = PROBLEMS[status]
    example = Problem(type=f"samestyle:{slug}", title=_TITLES[slug], status=status, detail=detail)
    schema = {"$ref": "#/components/schemas/Problem"}
    content = {"application/problem+json": {"schema": schema, "example": example.model_dump(exclude_none=True)}}
    described: dict[str, Any] = {"description": _TITLES[slug], "content": content}
    if status == 401:
        how = {"description": "how to send a key", "schema": {"type": "string"}}
        described["headers"] = {"WWW-Authenticate": how}
    if status == 429:
        seconds = {"description": "seconds until a retry has a chance", "schema": {"type": "integer"}}
        described["headers"] = {"Retry-After": seconds}
    return described


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem."""
    app.add_exception_handler(SamestyleError, _on_ours)
    app.add_exception_handler(RequestValidationError, _on_ours)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)
    app.add_exception_handler(Exception, _on_unexpected)


async def _on_ours(_: Request, error: Exception) -> Response:
    assert isinstance(error, SamestyleError | RequestValidationError)  # noqa: S101  # registered for these classes
    return refusal(error)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for this class
    slug = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    headers = dict(error.headers or {})
    detail = str(error.detail)
    if error.status_code == 404:
        detail = "There is no such route; see /docs."
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_methods(request))
        detail = f"This route does not take that method; use {headers['Allow']}."
    if error.status_code == 400:  # Starlette's own: a multipart body it could not parse
        slug, detail = (
            "invalid-input",
            f"{detail.rstrip('.')}. Is it whole, and UTF-8? See /docs for what this route takes.",
        )
    return problem(error.status_code, slug, detail, headers=headers)


def _methods(request: Request) -> list[str]:
    """What a path can be asked with; Starlette names only those of the first route that has the path."""

    def is_taken(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] == Match.FULL for route in request.app.routes)

    return [method for method in ("DELETE", "GET", "PATCH", "POST", "PUT") if is_taken(method)]


async def _on_disconnect(_: Request, __: Exception) -> Response:
    return problem(400, "invalid-input", "The connection ended before the body was complete.")  # nobody reads it


async def _on_unexpected(_: Request, error: Exception) -> Response:
    log.error("unexpected_error", exc_info=error)
    detail = "This is a fault of the service; it has been logged. Please try again."
    return problem(500, "internal", detail, headers=ALWAYS)  # Starlette answers this outside of all layers


def _field_errors(error: RequestValidationError) -> list[FieldError]:
    return [_field_error(item) for item in error.errors()[:20]]


def _summary(errors: list[FieldError]) -> str:
    reasons = "; ".join(f"{item.field}: {item.reason}" for item in errors[:3])
    return f"{reasons}. See /docs for what this route takes."


def _field_error(item: Mapping[str, Any]) -> FieldError:
    where = ".".join(str(part) for part in item["loc"] if part not in {"body", "query", "path"}) or "body"
    if item["type"] == "json_invalid":
        return FieldError(field="body", reason="not valid JSON in UTF-8")
    if where == "body" and item["type"] == "model_type":
        return FieldError(field="body", reason="must be a JSON object")
    if item["type"] == "extra_forbidden":
        return FieldError(field=where[:100], reason="there is no such field")
    return FieldError(field=where[:100], reason=str(item["msg"]).removeprefix("Value error, ")[:200])
