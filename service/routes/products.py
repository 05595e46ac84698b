"""`/v1/products`: browsing, one product, its photo, and its two tabs."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import AfterValidator

from catalogue.errors import InvalidInput
from catalogue.images import thumbnail
from service.answers import answer
from service.cursors import Cursors
from service.middleware import SLASH
from service.paging import SearchCursors
from service.problems import responses
from service.ranking import Start
from service.retrieval import Retrieval
from service.routes.deps import CurrentRetrieval, CurrentSearches, CurrentServing
from service.schemas import CURSOR, BrowseAnswer, BrowseQuery, ProductAnswer, SearchAnswer, facet_values
from service.searching import lease_page, next_cursor
from service.serving import Serving

router = APIRouter(prefix="/v1/products", tags=["products"])

ProductId = Annotated[str, Path(min_length=1, max_length=128), AfterValidator(lambda id_: id_.replace(SLASH, "/"))]
Limit = Annotated[int, Query(ge=1, le=1_000, description="how many at most")]
WIDTHS: Final = (160, 320, 640, 1280)
TabCursor = Annotated[
    str | None, Query(max_length=40_000, pattern=CURSOR, description="`next_cursor` of the page before")
]
_ERRORS: Final = responses(400, 404, 429, 503, 504)
_TAB_ERRORS: Final = responses(400, 404, 410, 429, 503, 504)
_IMMUTABLE: Final = "public, max-age=31536000, immutable"


@router.get("", responses=responses(400, 429, 503, 504))
async def browse(request: Request, retrieval: CurrentRetrieval, query: Annotated[BrowseQuery, Query()]) -> BrowseAnswer:
    """Page through the catalogue, filtered and sorted, with counts of what passes."""
    filters = query.filters()
    snapshot = retrieval.snapshot_name
    page_of = f"{snapshot}\n{query.sort}\n{filters}"
    cursors = Cursors(request.app.state.cursor_secret, "browse", page_of)
    start = cursors.offset(query.cursor)
    page = await retrieval.browse(filters, query.sort, start, query.limit, query.facets)
    after = start + len(page.items)
    return BrowseAnswer(
        snapshot=snapshot,
        total=page.total,
        products=[ProductAnswer.of(item) for item in page.items],
        facets=facet_values(page.facets),
        next_cursor=cursors.cursor(after) if after < page.total else None,
    )


@router.get("/{product_id}", responses=_ERRORS)
async def product(product_id: ProductId, retrieval: CurrentRetrieval) -> ProductAnswer:
    """One product."""
    return ProductAnswer.of(retrieval.product(product_id))


@router.get(
    "/{product_id}/image",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}, "description": "the photo"}, 304: {}, **_ERRORS},
)
async def image(
    product_id: ProductId,
    retrieval: CurrentRetrieval,
    w: Annotated[int, Query(ge=1, le=1280, description="width in pixels, taken up to 160, 320, 640 or 1280")] = 640,
    v: Annotated[str | None, Query(max_length=64, description="ignored; makes a new photo a new URL")] = None,
    if_none_match: Annotated[str | None, Header(max_length=1_000)] = None,
) -> Response:
    """The product's main photo as JPEG; a photo smaller than `w` is not enlarged."""
    width = next(width for width in WIDTHS if width >= w)
    etag = f'"{retrieval.photo_digest(product_id)[:32]}-{width}"'
    headers = {"ETag": etag, "Cache-Control": _IMMUTABLE if v else "public, max-age=300"}
    if if_none_match is not None and etag in {tag.strip() for tag in if_none_match.split(",")}:
        return Response(status_code=304, headers=headers)
    photo = await retrieval.photo(product_id, lambda data: thumbnail(data, width))
    return Response(photo, media_type="image/jpeg", headers=headers)


@router.get("/{product_id}/same-style", response_model=SearchAnswer, responses=_TAB_ERRORS)
async def same_style(
    product_id: ProductId,
    request: Request,
    serving: CurrentServing,
    searches: CurrentSearches,
    k: Limit = 10,
    other_suppliers: Annotated[bool, Query(description="leave out the product's own supplier")] = True,
    cursor: TabCursor = None,
) -> Response:
    """The same product, from more suppliers."""
    started = time.perf_counter()
    cursors, listing = SearchCursors(request.app.state.cursor_secret, "same-style"), f"{product_id}\n{other_suppliers}"
    with _tab(serving, cursors, cursor, listing) as (retrieval, start):
        hits = await retrieval.same_style(product_id, k, other_suppliers=other_suppliers, start=start)
        going_on = next_cursor(cursors, hits, retrieval, listing)
        refine = searches.refine_product(product_id, k, retrieval) if start is None else None
        return _json(await answer(hits.found, retrieval, started, cursor=going_on, refine=refine))


@router.get("/{product_id}/similar", response_model=SearchAnswer, responses=_TAB_ERRORS)
async def similar(
    product_id: ProductId,
    request: Request,
    serving: CurrentServing,
    searches: CurrentSearches,
    k: Limit = 10,
    cursor: TabCursor = None,
) -> Response:
    """Products that are like it, but not the same."""
    started = time.perf_counter()
    cursors = SearchCursors(request.app.state.cursor_secret, "similar")
    with _tab(serving, cursors, cursor, product_id) as (retrieval, start):
        hits = await retrieval.similar(product_id, k, start=start)
        going_on = next_cursor(cursors, hits, retrieval, product_id)
        refine = searches.refine_product(product_id, k, retrieval) if start is None else None
        return _json(await answer(hits.found, retrieval, started, cursor=going_on, refine=refine))


def _json(written: bytes) -> Response:
    return Response(written, media_type="application/json")


@contextmanager
def _tab(
    serving: Serving, cursors: SearchCursors, cursor: str | None, listing: str
) -> Iterator[tuple[Retrieval, Start | None]]:
    """What a page of a tab is read from, and where it begins; raises InvalidInput or Gone for its cursor."""
    if cursor is None:
        with serving.lease() as retrieval:
            yield retrieval, None
        return
    page = cursors.read(cursor)
    if page.listing != listing:
        raise InvalidInput("This cursor is of another product, or of other suppliers. Start again without a cursor.")
    with lease_page(serving, page) as retrieval:
        yield retrieval, page.start
