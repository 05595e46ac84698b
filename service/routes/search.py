"""`/v1/search`: by product, photo, words, or words with either."""

import asyncio
import time
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile

from catalogue.errors import InvalidInput
from index.aliases import LIVE
from index.facets import Facets
from service.bodies import expect, from_fields, from_json, json_body
from service.ids import uuid7
from service.problems import responses
from service.remote import unless_gone
from service.retrieval import Found, Query, Retrieval, Scope
from service.routes.deps import CurrentServing
from service.schemas import Hit, SearchAnswer, SearchRequest, facet_values, image_url
from service.serving import Serving

router = APIRouter(prefix="/v1", tags=["search"])
MAX_FORM_FIELD: Final = 200_000
_PLAIN_FIELDS: Final = frozenset({"text", "target", "product_id", "image_url", "alias"})
_ERRORS: Final = responses(400, 404, 408, 413, 415, 422, 429, 503, 504)


def _upload_body() -> dict[str, Any]:
    """The form's OpenAPI description: the fields of a search, with the photo as a file."""
    schema = SearchRequest.model_json_schema(ref_template="#/components/schemas/{model}")
    properties = {**schema["properties"], "image": {"type": "string", "format": "binary"}}
    del properties["product_id"], properties["image_url"]
    form = {"type": "object", "properties": properties, "required": ["image"]}
    return {"required": True, "content": {"multipart/form-data": {"schema": form}}}


@router.post("/search", responses=_ERRORS, openapi_extra=json_body(SearchRequest))
async def search(request: Request, serving: CurrentServing) -> SearchAnswer:
    """Find products by product id, photo (base64 or URL), words, or words with one of them."""
    expect(request, "application/json")
    body = await request.body()
    query = await serving.pools.off_loop(lambda: from_json(SearchRequest, body))
    if query.image_url is None:
        return await _search(query, serving)
    return await unless_gone(request, _search(query, serving))


@router.post("/search/upload", responses=_ERRORS, openapi_extra={"requestBody": _upload_body()})
async def search_upload(request: Request, serving: CurrentServing) -> SearchAnswer:
    """Find products by an uploaded photo, with or without words."""
    expect(request, "multipart/form-data")
    fields = await _read_form(request)
    return await _search(await serving.pools.off_loop(lambda: from_fields(SearchRequest, fields)), serving)


async def _read_form(request: Request) -> dict[str, Any]:
    """The fields of a form: the photo as a file, words as they are, every other field as in JSON."""
    fields: dict[str, Any] = {}
    async with request.form(max_files=1, max_fields=20, max_part_size=MAX_FORM_FIELD) as form:
        photo = form.get("image")
        if not isinstance(photo, UploadFile):
            raise InvalidInput("Send multipart/form-data with the photo as a file in the field `image`.")
        for name, value in form.items():
            if isinstance(value, str):
                fields[name] = value if name in _PLAIN_FIELDS else _json(name, value)
        fields["image"] = await photo.read()
    return fields


def _json(name: str, value: str) -> Any:
    try:
        return orjson.loads(value.encode("utf-8", "replace"))
    except orjson.JSONDecodeError:
        raise InvalidInput(f"The form field {name[:100]!r} must hold JSON, for instance k=10.") from None


async def _search(request: SearchRequest, serving: Serving) -> SearchAnswer:
    started = time.perf_counter()
    query = Query(
        product_id=request.product_id,
        image=request.image,
        image_url=request.image_url,
        text=request.text,
        crop=request.crop,
        weights=request.weights.model_dump(),
        negatives=request.negatives,
    )
    scope = Scope(
        k=request.k,
        target=request.target,
        filters=request.filters,
        exclude=frozenset(request.exclude),
        min_score=request.min_score,
    )
    with serving.lease(request.alias) as retrieval:
        found, facets = await asyncio.gather(
            retrieval.search(query, scope), retrieval.facets(request.filters, request.facets)
        )
        return answer(found, retrieval, started, alias=request.alias, explain=request.explain, facets=facets)


def answer(
    found: list[Found],
    retrieval: Retrieval,
    started: float,
    *,
    alias: str = LIVE,
    explain: bool = False,
    facets: Facets | None = None,
) -> SearchAnswer:
    """The answer to a search that began at `started` (time.perf_counter)."""
    return SearchAnswer(
        request_id=str(uuid7()),
        model=retrieval.embedder.name,
        snapshot=retrieval.snapshot_name,
        alias=alias,
        took_ms=round((time.perf_counter() - started) * 1000, 2),
        hits=[_hit(item, explain=explain) for item in found],
        facets=facet_values(facets or {}),
    )


def _hit(found: Found, *, explain: bool) -> Hit:
    product = found.item.product
    return Hit(
        product_id=product.product_id,
        score=found.score,
        title=product.title,
        category=product.category,
        supplier_id=product.supplier_id,
        price=product.price,
        currency=product.currency,
        in_stock=product.in_stock,
        attributes=product.attributes,
        image_url=image_url(found.item),
        url=product.url,
        explain=dict(found.contributions) if explain else None,
    )
