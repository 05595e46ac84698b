"""`/v1/search`: by product, photo, words, or words with either."""

from collections.abc import Callable
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile

from catalogue.errors import InvalidInput
from service.bodies import expect, from_fields, from_json, json_body, parsed
from service.problems import responses
from service.routes.deps import ByHand
from service.schemas import RefineRequest, SearchAnswer, SearchRequest
from service.searching import Searches

router = APIRouter(prefix="/v1", tags=["search"], route_class=ByHand)
MAX_FORM_FIELD: Final = 200_000
_PLAIN_FIELDS: Final = frozenset({"text", "target", "product_id", "alias", "group_by", "cursor", "user_key"})
SEARCH_ERRORS: Final = responses(400, 404, 408, 409, 410, 413, 415, 422, 429, 503, 504)


def _upload_body() -> dict[str, Any]:
    """The form's OpenAPI description: the fields of a search, with the photo as a file."""
    schema = SearchRequest.model_json_schema(ref_template="#/components/schemas/{model}")
    properties = {**schema["properties"], "image": {"type": "string", "format": "binary"}}
    del properties["product_id"], properties["image_url"]
    form = {"type": "object", "properties": properties, "required": ["image"]}
    return {"required": True, "content": {"multipart/form-data": {"schema": form}}}


@router.post("/search", response_model=SearchAnswer, responses=SEARCH_ERRORS, openapi_extra=json_body(SearchRequest))
async def search(request: Request) -> Response:
    """Find products by product id, photo (base64 or URL), words, or words with one of them."""
    expect(request, "application/json")
    body = await request.body()
    return await _answered(request, len(body), lambda: from_json(SearchRequest, body))


@router.post(
    "/search/upload",
    response_model=SearchAnswer,
    responses=SEARCH_ERRORS,
    openapi_extra={"requestBody": _upload_body()},
)
async def search_upload(request: Request) -> Response:
    """Find products by an uploaded photo, with or without words."""
    expect(request, "multipart/form-data")
    size, fields = await _read_form(request)
    return await _answered(request, size, lambda: from_fields(SearchRequest, fields))


@router.post(
    "/search/refine", response_model=SearchAnswer, responses=SEARCH_ERRORS, openapi_extra=json_body(RefineRequest)
)
async def search_refine(request: Request) -> Response:
    """Ask for the same as before, but different: other words, weights, filters, less like this; turn by turn.

    It goes on from the `refine_cursor` of an answer, which holds all that is needed, and answers with the next one. One
    that begins with a photo goes on as long as the same model serves; later that is a 410, and the photo is to be sent
    again.
    """
    expect(request, "application/json")
    body = await request.body()
    searches: Searches = request.app.state.searches
    change = await parsed(searches.pools, len(body), lambda: from_json(RefineRequest, body))
    return Response(await searches.refine(change), media_type="application/json")


async def _answered(request: Request, size: int, parse: Callable[[], SearchRequest]) -> Response:
    """The answer to what `parse` makes of that many bytes or characters."""
    searches: Searches = request.app.state.searches
    asked = await parsed(searches.pools, size, parse)
    return Response(await searches.answer(asked), media_type="application/json")


async def _read_form(request: Request) -> tuple[int, dict[str, Any]]:
    """The fields of a form: the photo as a file, words as they are, every other field as in JSON.

    And how many characters there are beside the photo.
    """
    fields: dict[str, Any] = {}
    size = 0
    async with request.form(max_files=1, max_fields=20, max_part_size=MAX_FORM_FIELD) as form:
        photo = form.get("image")
        if not isinstance(photo, UploadFile):
            raise InvalidInput("Send multipart/form-data with the photo as a file in the field `image`.")
        for name, value in form.items():
            if isinstance(value, str):
                size += len(value)
                fields[name] = value if name in _PLAIN_FIELDS else _json(name, value)
        fields["image"] = await photo.read()
    return size, fields


def _json(name: str, value: str) -> Any:
    try:
        return orjson.loads(value.encode("utf-8", "replace"))
    except orjson.JSONDecodeError:
        raise InvalidInput(f"The form field {name[:100]!r} must hold JSON, for instance k=10.") from None
