"""Bodies of requests, as what a route takes."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from catalogue.errors import InvalidInput, UnsupportedMedia
from service.pools import Pools

NDJSON: Final = "application/x-ndjson"
MAX_JSON_VALUES: Final = 200_000
SMALL: Final = 4_096
"""Bytes or characters; taking fewer apart takes less than handing them to another thread."""

Result = TypeVar("Result")
Model = TypeVar("Model", bound=BaseModel)


def expect(request: Request, *media_types: str) -> None:
    """Raise UnsupportedMedia unless the body is declared to be of one of some types."""
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent not in media_types:
        taken = " or ".join(media_types)
        raise UnsupportedMedia(f"This route takes {taken}, not {sent[:100] or 'a body of no declared type'}.")


async def parsed(pools: Pools, size: int, parse: Callable[[], Result]) -> Result:
    """What `parse` makes of a body of that size, off the event loop unless it is small; raises what it raises."""
    return parse() if size <= SMALL else await pools.off_loop(parse)


def from_json(model: type[Model], body: bytes) -> Model:
    """A model from JSON; a body of a million small values takes seconds to take apart, so it is refused first."""
    if body.count(b",") + body.count(b"[") + body.count(b"{") > MAX_JSON_VALUES:
        raise InvalidInput(f"The body holds over {MAX_JSON_VALUES:,} values; a few thousand are taken at most.")
    return _validated(model.model_validate_json, body)


def from_fields(model: type[Model], fields: Any) -> Model:
    """A model from what was taken apart already: the fields of a form, one of many in a body."""
    return _validated(model.model_validate, fields)


def each_from_fields(model: type[Model], items: Sequence[Any]) -> list[Model | RequestValidationError]:
    """A model from each of the many in a body, or why there is none."""
    made: list[Model | RequestValidationError] = []
    for item in items:
        try:
            made.append(from_fields(model, item))
        except RequestValidationError as error:
            made.append(error.with_traceback(None))  # whose frames hold this list
    return made


def lines_of(*models: type[BaseModel]) -> dict[str, Any]:
    """The OpenAPI description of NDJSON: a file, as clients take no line of it apart, and what its lines are."""
    lines = {"type": "array", "items": {"anyOf": [{"$ref": f"#/components/schemas/{one.__name__}"} for one in models]}}
    file = {"type": "string", "format": "binary", "contentMediaType": NDJSON, "contentSchema": lines}
    return {NDJSON: {"schema": file}}


def json_body(model: type[BaseModel], media_type: str = "application/json") -> dict[str, Any]:
    """The OpenAPI description of a body that is parsed by hand, on a thread.

    Of one media type: of a body with two `openapi-python-client` makes code that cannot be imported.
    """
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {media_type: {"schema": schema}}}}


def _validated(validate: Callable[[Any], Model], sent: Any) -> Model:
    """What `validate` makes of it; raises RequestValidationError.

    That one must not know pydantic's error, not even as what was handled when it was raised: through our validators'
    errors and their frames pydantic's leads to all that was at work, bodies and outcomes among it, and Python's garbage
    collection does not see through it. In a circle with it they would stay for ever.
    """
    try:
        return validate(sent)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False, include_context=False)
    raise RequestValidationError(errors)
