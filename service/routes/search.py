"""`/v1/search`: by product, photo, words, or words with either."""

from collections.abc import Callable, Sequence
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
MAX_FORM_FIELDS: Final = 1_100
"""Each item of a list may be one."""
_PLAIN_FIELDS: Final = frozenset({"text", "target", "product_id", "alias", "group_by", "cursor", "user_key"})
_LISTS: Final = frozenset({"negatives", "exclude", "facets", "crop"})
_FORM: Final = {
    "required": True,
    "content": {"multipart/form-data": {"schema": {"$ref": "#/components/schemas/SearchUpload"}}},
}
SEARCH_ERRORS: Final = responses(400, 404, 408, 409, 410, 413, 415, 422, 429, 503, 504)


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
    openapi_extra={"requestBody": _FORM},
)
async def search_upload(request: Request) -> Response:
    """Find products by an uploaded photo, with or without words.

    Of the other fields, text is sent as it is, and the rest as in JSON; a list may be a field for each item, too.
    """
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
    """The fields of a form: the photo as a file, text as it is, every other field as in JSON.

    And how many characters there are beside the photo.
    """
    fields: dict[str, Any] = {}
    size = 0
    async with request.form(max_files=1, max_fields=MAX_FORM_FIELDS, max_part_size=MAX_FORM_FIELD) as form:
        photo = form.get("image")
        if not isinstance(photo, UploadFile):
            raise InvalidInput("Send multipart/form-data with the photo as a file in the field `image`.")
        for name in form:
            sent = [value for value in form.getlist(name) if isinstance(value, str)]
            size += sum(map(len, sent))
            if sent:
                fields[name] = _list(name, sent) if name in _LISTS else _one(name, sent)
        fields["image"] = await photo.read()
    return size, fields


def _one(name: str, sent: Sequence[str]) -> Any:
    if len(sent) > 1:
        raise InvalidInput(f"The form field {name[:100]!r} is given {len(sent)} times. Give it once.")
    return sent[0] if name in _PLAIN_FIELDS else _json(name, sent[0])


def _list(name: str, sent: Sequence[str]) -> Any:
    """A list in JSON, or of a field for each item: that is how clients made from the description send it."""
    is_numbers = name == "crop"
    if len(sent) == 1 and (is_numbers or sent[0].lstrip().startswith("[")):
        return _json(name, sent[0])
    return [_json(name, item) for item in sent] if is_numbers else sent


def _json(name: str, value: str) -> Any:
    if value in {"True", "False"}:  # as clients in Python write them
        value = value.lower()
    try:
        return orjson.loads(value.encode("utf-8", "replace"))
    except orjson.JSONDecodeError:
        raise InvalidInput(f"The form field {name[:100]!r} must hold JSON, for instance k=10.") from None
