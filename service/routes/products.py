"""`/v1/products`: browsing, one product, its photo, and its two tabs."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import AfterValidator

from catalogue.errors import InvalidInput
from catalogue.images import thumbnail
from index.aliases import LIVE
from service.answers import answer
from service.arranging import DIVERSITY
from service.attribution import Kind
from service.cursors import Cursors
from service.middleware import SLASH
from service.paging import SearchCursors
from service.problems import responses
from service.ranking import Start
from service.retrieval import Hits, Retrieval
from service.routes.deps import CurrentRetrieval, CurrentSearches, CurrentServing
from service.schemas import CURSOR, BrowseAnswer, BrowseQuery, ProductAnswer, SearchAnswer, UserKey, facet_values
from service.search_metrics import observed
from service.searching import Searches, lease_page, next_cursor
from service.serving import Serving

router = APIRouter(prefix="/v1/products", tags=["products"])

ProductId = Annotated[str, Path(min_length=1, max_length=128), AfterValidator(lambda id_: id_.replace(SLASH, "/"))]
Limit = Annotated[int, Query(ge=1, le=1_000, description="how many at most")]
WIDTHS: Final = (160, 320, 640, 1280)
TabCursor = Annotated[
    str | None, Query(max_length=40_000, pattern=CURSOR, description="`next_cursor` of the page before")
]
TabUser = Annotated[UserKey | None, Query()]
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
    collapse: Annotated[
        bool, Query(description="let near-identical listings of one supplier stand once, with a group that counts them")
    ] = True,
    cursor: TabCursor = None,
    user_key: TabUser = None,
) -> Response:
    """The same product, from more suppliers: first those that declare the same variant, then by score."""
    cursors, listing = (
        SearchCursors(request.app.state.cursor_secret, "same-style"),
        f"{product_id}\n{other_suppliers}\n{collapse}",
    )
    tab = _Tab(serving, searches, cursors, product_id, listing, cursor, user_key)
    return await tab.answer(
        "same-style",
        k,
        lambda retrieval, start: retrieval.same_style(
            product_id, k, other_suppliers=other_suppliers, collapse=collapse, start=start
        ),
    )


@router.get("/{product_id}/similar", response_model=SearchAnswer, responses=_TAB_ERRORS)
async def similar(
    product_id: ProductId,
    request: Request,
    serving: CurrentServing,
    searches: CurrentSearches,
    k: Limit = 10,
    diversity: Annotated[
        float, Query(ge=0, le=1, description="how much they differ from one another; 0 orders by score alone")
    ] = DIVERSITY,
    cursor: TabCursor = None,
    user_key: TabUser = None,
) -> Response:
    """Products that are like it, but not the same; those that differ from one another come first."""
    cursors = SearchCursors(request.app.state.cursor_secret, "similar")
    tab = _Tab(serving, searches, cursors, product_id, f"{product_id}\n{diversity}", cursor, user_key)
    return await tab.answer(
        "similar", k, lambda retrieval, start: retrieval.similar(product_id, k, diversity=diversity, start=start)
    )


class _Tab:
    """One page of a tab."""

    def __init__(
        self,
        serving: Serving,
        searches: Searches,
        cursors: SearchCursors,
        product_id: str,
        listing: str,
        cursor: str | None,
        user_key: str | None,
    ) -> None:
        """Raises InvalidInput for a cursor of something else."""
        self._serving, self._searches, self._cursors = serving, searches, cursors
        self._product_id, self._listing, self._user_key = product_id, listing, user_key
        self._page = cursors.read(cursor) if cursor is not None else None
        if self._page is not None and self._page.listing != listing:
            raise InvalidInput(
                "This cursor is of another product, or of another way to ask. Start again without a cursor."
            )

    async def answer(self, kind: Kind, k: int, find: Callable[[Retrieval, Start | None], Awaitable[Hits]]) -> Response:
        """The answer to what `find` finds; raises what it raises, and Gone for a snapshot that went."""
        page = self._page
        before = page.arm if page is not None else None
        visits = self._searches.attribution.visit(kind, self._user_key, chosen=page is not None, before=before)
        with visits as visit:
            visit.product_id = self._product_id
            lease = lease_page(self._serving, page) if page else self._serving.lease(visit.alias(LIVE))
            with lease as retrieval:
                search = find(retrieval, page.start if page else None)
                hits = await observed(search, "product", visit.alias(LIVE), is_first=False)
                going_on = next_cursor(self._cursors, hits, retrieval, self._listing, visit)
                refine = None
                if page is None:
                    refine = self._searches.refine_product(self._product_id, k, retrieval, visit)
                written = await answer(hits.found, retrieval, visit, cursor=going_on, refine=refine)
                return Response(written, media_type="application/json")
