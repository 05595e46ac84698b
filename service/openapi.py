"""The API's description, as `/openapi.json` gives it and `docs/openapi.json` keeps it: `python -m service.openapi`."""

import json
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from typing import Any, Final

from fastapi import Depends, FastAPI
from pydantic import BaseModel

from service.access import describe_access
from service.examples import EXAMPLES, MEANINGS
from service.problems import Problem, responses
from service.routes import admin, batch, compare, events, ops, products, search, suppliers, writes
from service.routes.admin import AliasChange
from service.routes.batch import BatchRequest
from service.routes.compare import CompareRequest, EmbedRequest
from service.routes.deps import check_parameters
from service.routes.events import EventItem, EventsRequest
from service.schemas import (
    BulkLine,
    BulkOutcome,
    BulkPatch,
    BulkSums,
    ProductPatch,
    ProductWrite,
    RefineRequest,
    SearchRequest,
)

ABOUT: Final[dict[str, Any]] = {
    "title": "samestyle",
    "version": version("samestyle"),
    "summary": "The same product from other suppliers, and similar ones, by product, photo, words or both.",
    "description": (
        "Every error is a problem of RFC 9457 (`Problem`), and its `type` tells which. Where API keys are needed, send "
        "one as `Authorization: Bearer KEY` or as `X-API-Key: KEY`; `RateLimit` and `RateLimit-Policy` of an answer "
        "say what is left of a key that has limits. Every answer has an `X-Request-ID`, the caller's own where one "
        "was sent. What is asked by GET can be asked by HEAD, too."
    ),
    "license_info": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    "servers": [{"url": "/", "description": "the gateway that this is of"}],
    "openapi_tags": [
        {"name": "search", "description": "Find products, and compare what may be the same."},
        {
            "name": "products",
            "description": "Browse the catalogue, look at products, and change them.",
        },
        {"name": "suppliers", "description": "What a supplier lists more than once."},
        {"name": "events", "description": "What shoppers did with answers."},
        {"name": "admin", "description": "Exchange snapshots under load."},
        {"name": "ops", "description": "Health and metrics."},
    ],
}
BODIES: Final[tuple[type[BaseModel], ...]] = (
    SearchRequest, RefineRequest, BatchRequest, CompareRequest, EmbedRequest, ProductWrite, ProductPatch,
    BulkLine, BulkPatch, BulkOutcome, BulkSums, EventsRequest, EventItem, AliasChange,
)  # fmt: skip
"""Bodies that routes take apart or write themselves, and that FastAPI does not know of."""
_EACH: Final = (
    ("BatchRequest", "queries", "SearchRequest"),
    ("EmbedRequest", "inputs", "QueryItem"),
    ("EventsRequest", "events", "EventItem"),
)
"""Lists of what is read one by one, so that one that cannot be read leaves the others."""


ROUTERS: Final = tuple(
    module.router for module in (search, batch, compare, events, writes, products, suppliers, admin, ops)
)
"""All routes of the gateway."""


def include_routes(app: FastAPI) -> None:
    """Have an application answer them."""
    for router in ROUTERS:
        # Health and the page take no parameters, and load balancers and links may add theirs.
        checks = [] if router is ops.router else [Depends(check_parameters)]
        app.include_router(router, dependencies=checks)


@cache
def openapi() -> dict[str, Any]:
    """The OpenAPI document: FastAPI's, with our problems and bodies, and without its own 422: here that is a 400."""
    app = FastAPI(**ABOUT, generate_unique_id_function=lambda route: route.name)  # as clients call it
    include_routes(app)
    document = app.openapi()
    schemas = document["components"]["schemas"]
    models: tuple[type[BaseModel], ...] = (Problem, *BODIES)
    for model in models:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        made = {**schema.pop("$defs", {}), model.__name__: schema}
        for each in made.values():
            _leave_out_defaults(each)
        schemas |= made
    schemas["SearchUpload"] = _as_form(schemas["SearchRequest"])
    for name, example in EXAMPLES.items():
        schemas[name]["examples"] = [example]
    for name, field, item in _EACH:
        schemas[name]["properties"][field]["items"] = {"$ref": f"#/components/schemas/{item}"}
    for schema in schemas.values():
        _describe(schema.get("properties", {}).items())
    for path in document["paths"].values():
        for operation in path.values():
            _describe((parameter["name"], parameter) for parameter in operation.get("parameters", ()))
            answer = operation["responses"].get("422", {}).get("content", {})
            if "application/json" in answer:
                del operation["responses"]["422"]
            anywhere = {str(status): answer for status, answer in responses(400, 431).items()}
            operation["responses"] = dict(sorted({**anywhere, **operation["responses"]}.items()))
    describe_access(document)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return document


def _leave_out_defaults(schema: dict[str, Any]) -> None:
    """Clients made from the description would send them, some as required: what chooses an alias, or takes a photo."""
    for described in schema.get("properties", {}).values():
        described.pop("default", None)


def _as_form(search: dict[str, Any]) -> dict[str, Any]:
    """A search as a form: the photo is a file, and null is left out, as a form has no way to say it."""
    properties = {"image": {"type": "string", "format": "binary", "description": "the photo"}}
    for name, field in search["properties"].items():
        if name in {"image", "image_url", "product_id"}:
            continue
        described = dict(field)
        for choice in described.pop("anyOf", ()):
            described |= choice if choice != {"type": "null"} else {}
        properties[name] = described
    return {
        "description": "A search by a photo that is a file.",
        "type": "object",
        "properties": properties,
        "required": ["image"],
        "additionalProperties": False,
    }


def _describe(named: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Say what a name means where nothing else does."""
    for name, described in named:
        if "description" not in described and name in MEANINGS:
            described["description"] = MEANINGS[name]


def written() -> str:
    """The document as it is kept, the same to the byte for the same routes."""
    return json.dumps(openapi(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(written())
