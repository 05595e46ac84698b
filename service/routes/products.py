"""`/v1/products`: browsing, one product, its photo, and its two tabs."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import AfterValidator, BaseModel, Field

from catalogue.errors import InvalidInput
from catalogue.strict import Strict
from index import Filters
from index.aliases import LIVE
from index.filters import Price, Value
from index.products import Sort
from service import same_style as tabs
from service.answers import answer
from service.arranging import DIVERSITY, PriceSort
from service.cursors import PLACE, Cursors
from service.middleware import SLASH
from service.paging import SearchCursors
from service.problems import responses
from service.query import Hits
from service.ranking import Start
from service.retrieval import Retrieval
from service.routes.deps import CurrentRetrieval, CurrentSearches, CurrentServing
from service.schemas import (
    CURSOR,
    FacetNames,
    FacetValue,
    ProductAnswer,
    SearchAnswer,
    SearchRequest,
    UserKey,
)
from service.search_metrics import observed
from service.searching import Searches, lease_page, next_cursor
from service.serving import Serving

router = APIRouter(prefix="/v1/products", tags=["products"])

ProductId = Annotated[str, Path(min_length=1, max_length=128), AfterValidator(lambda id_: id_.replace(SLASH, "/"))]
Limit = Annotated[int, Query(ge=1, le=1_000, description="how many at most")]
MAX_FILTER: Final = 10_000
WIDTHS: Final = (160, 320, 640, 1280)
TabKind = Literal["same-style", "similar"]
TabFilter = Annotated[
    str | None,
    Field(
        max_length=MAX_FILTER,
        description="any conditions, in one line, as in `GET /v1/products`",
        examples=["in_stock=true currency=EUR price<=20"],
    ),
]
TabAlias = Annotated[
    str | None, Field(max_length=64, description="which index answers; by default `live`, or as experiments say")
]
TabCursor = Annotated[
    str | None, Field(max_length=40_000, pattern=CURSOR, description="`next_cursor` of the page before")
]
_ERRORS: Final = responses(400, 404, 429, 503, 504)
_TAB_ERRORS: Final = responses(400, 404, 410, 429, 503, 504)
_PHOTO: Final[dict[str, Any]] = {
    "description": "the photo",
    "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
    "headers": {
        "ETag": {"description": "for `If-None-Match`", "schema": {"type": "string"}},
        "Cache-Control": {"description": "for good where `v` is given, or 300 s", "schema": {"type": "string"}},
    },
}
_IMMUTABLE: Final = "public, max-age=31536000, immutable"


class BrowseQuery(Strict):
    """Which part of the catalogue, in which order."""

    filter: str | None = Field(
        default=None,
        max_length=MAX_FILTER,
        description="any conditions, in one line; those below are the same in parameters of their own",
        examples=['category="Home > Mugs" supplier!=kestrel price<=20 currency=EUR in_stock=true colour=red,blue'],
    )
    category: Value | None = Field(default=None, description="this category and all below it")
    supplier: tuple[Value, ...] | None = Field(default=None, max_length=100, description="only these suppliers")
    min_price: Price | None = None
    max_price: Price | None = None
    in_stock: bool | None = None
    facets: FacetNames = ("category", "supplier")
    sort: Sort = "product_id"
    limit: int = Field(default=48, ge=1, le=200, description="how many at most")
    cursor: str | None = Field(
        default=None, max_length=20_000, pattern=CURSOR, description="`next_cursor` of the page before"
    )

    def filters(self) -> Filters:
        """All conditions together; raises InvalidInput for a filter that cannot be read, or repeats a parameter."""
        apart = {
            "category": self.category,
            "suppliers": self.supplier,
            "min_price": self.min_price,
            "max_price": self.max_price,
            "in_stock": self.in_stock,
        }
        given = {name: value for name, value in apart.items() if value is not None}
        filters = Filters.parse(self.filter or "")
        if twice := sorted(given.keys() & filters.model_fields_set):
            raise InvalidInput(f"{twice[0]} is in filter and a parameter of its own. Give it once.")
        return filters.model_copy(update=given)


class BrowseAnswer(BaseModel):
    """One page of the catalogue."""

    snapshot: str
    total: int
    products: list[ProductAnswer]
    facets: dict[str, list[FacetValue]]
    next_cursor: str | None


@router.get("", responses=responses(400, 429, 503, 504))
async def browse_products(
    request: Request, retrieval: CurrentRetrieval, query: Annotated[BrowseQuery, Query()]
) -> BrowseAnswer:
    """Page through the catalogue, filtered and sorted, with counts of what passes."""
    filters = query.filters()
    cursors = Cursors(request.app.state.cursor_secret, "browse", f"{query.sort}\n{filters}", PLACE)
    after = cursors.read(query.cursor)
    page = await retrieval.browse(filters, query.sort, after, query.limit, query.facets)
    return BrowseAnswer(
        snapshot=retrieval.snapshot_name,
        total=page.total,
        products=[ProductAnswer.of(item) for item in page.items],
        facets={
            name: [FacetValue(value=value, count=count) for value, count in counts]
            for name, counts in page.facets.items()
        },
        next_cursor=None if page.next is None else cursors.cursor(page.next),
    )


@router.get("/{product_id}", responses=_ERRORS)
async def get_product(product_id: ProductId, retrieval: CurrentRetrieval) -> ProductAnswer:
    """One product."""
    return ProductAnswer.of(retrieval.product(product_id))


@router.get(
    "/{product_id}/image",
    response_class=Response,
    responses={200: _PHOTO, 304: {"description": "the copy of that ETag is still right"}, **_ERRORS},
)
async def get_product_image(
    product_id: ProductId,
    retrieval: CurrentRetrieval,
    serving: CurrentServing,
    w: Annotated[int, Query(ge=1, le=1280, description="width in pixels, taken up to 160, 320, 640 or 1280")] = 640,
    v: Annotated[str | None, Query(max_length=64, description="ignored; makes a new photo a new URL")] = None,
    if_none_match: Annotated[str | None, Header(max_length=1_000)] = None,
) -> Response:
    """The product's main photo as JPEG; a photo smaller than `w` is not enlarged."""
    width = next(width for width in WIDTHS if width >= w)
    digest = retrieval.photo_digest(product_id)
    etag = f'"{digest[:32]}-{width}"'
    headers = {"ETag": etag, "Cache-Control": _IMMUTABLE if v else "public, max-age=300"}
    if if_none_match is not None and etag in {tag.strip() for tag in if_none_match.split(",")}:
        return Response(status_code=304, headers=headers)
    photo = await serving.thumbnails.get(digest, width)
    return Response(photo, media_type="image/jpeg", headers=headers)


@dataclass(frozen=True, slots=True)
class _Tab:
    """One page of a tab: what both take."""

    serving: Serving
    searches: Searches
    cursor_secret: bytes
    product_id: str
    k: int
    filters: Filters
    alias: str | None
    cursor: str | None
    user_key: str | None

    async def answer(
        self, kind: TabKind, how: object, find: Callable[[Retrieval, Start | None], Awaitable[Hits]]
    ) -> Response:
        """The answer to what `find` finds, asked in some way (`how`).

        Raises what it raises, NotFound for an unknown alias, InvalidInput for a cursor of something else, and Gone for
        a snapshot that went.
        """
        cursors = SearchCursors(self.cursor_secret, kind)
        listing = _digest(self.product_id, how, self.filters, self.alias)
        page = cursors.read(self.cursor) if self.cursor is not None else None
        if page is not None and page.listing != listing:
            raise InvalidInput(
                "This cursor is of another product, or of another way to ask. Start again without a cursor."
            )
        before = page.arm if page is not None else None
        chosen = page is not None or self.alias is not None
        asked = self.alias or LIVE
        with self.searches.attribution.visit(kind, self.user_key, chosen=chosen, before=before) as visit:
            visit.product_id = self.product_id
            alias = visit.alias(asked)
            with lease_page(self.serving, page) if page else self.serving.lease(alias) as retrieval:
                hits = await observed(find(retrieval, page.start if page else None), "product", alias, is_first=False)
                going_on = next_cursor(cursors, hits, retrieval, listing, visit)
                refine = None
                if page is None:
                    refine = self.searches.refine_cursor(self._as_search(), None, retrieval, visit)
                written = await answer(
                    hits.found, retrieval, visit, alias=asked, cursor=going_on, refine=refine, total=hits.total
                )
                return Response(written, media_type="application/json")

    def _as_search(self) -> SearchRequest:
        """The search by which the shopper goes on from the tab."""
        chosen = {"alias": self.alias} if self.alias is not None else {}
        return SearchRequest(product_id=self.product_id, k=self.k, filters=self.filters, **chosen)


async def _tab(
    request: Request,
    serving: CurrentServing,
    searches: CurrentSearches,
    product_id: ProductId,
    k: Limit = 10,
    filter: Annotated[TabFilter, Query()] = None,  # noqa: A002  # as the parameter is called
    alias: Annotated[TabAlias, Query()] = None,
    cursor: Annotated[TabCursor, Query()] = None,
    user_key: Annotated[UserKey | None, Query()] = None,
) -> _Tab:
    """Raises InvalidInput for a filter that cannot be read."""
    secret: bytes = request.app.state.cursor_secret
    return _Tab(serving, searches, secret, product_id, k, Filters.parse(filter or ""), alias, cursor, user_key)


CurrentTab = Annotated[_Tab, Depends(_tab)]


@router.get("/{product_id}/same-style", response_model=SearchAnswer, responses=_TAB_ERRORS)
async def get_same_style(
    tab: CurrentTab,
    other_suppliers: Annotated[bool, Query(description="leave out the product's own supplier")] = True,
    collapse: Annotated[
        bool, Query(description="let near-identical listings of one supplier stand once, with a group that counts them")
    ] = True,
    sort: Annotated[
        PriceSort | None,
        Query(
            description="the cheapest first, or the dearest, those without a price last; as bare numbers, so filter "
            "by a currency where there are several"
        ),
    ] = None,
) -> Response:
    """The same product, from more suppliers: first those that declare the same variant, then by score; or by price.

    Where a supplier has several that are like it, those that fit best count. `total` says how many there are.
    """
    return await tab.answer(
        "same-style",
        (other_suppliers, collapse, sort),
        lambda retrieval, start: tabs.same_style(
            retrieval,
            tab.product_id,
            tab.k,
            tab.filters,
            other_suppliers=other_suppliers,
            collapse=collapse,
            sort=sort,
            start=start,
        ),
    )


@router.get("/{product_id}/similar", response_model=SearchAnswer, responses=_TAB_ERRORS)
async def get_similar(
    tab: CurrentTab,
    diversity: Annotated[
        float, Query(ge=0, le=1, description="how much they differ from one another; 0 orders by score alone")
    ] = DIVERSITY,
) -> Response:
    """Products that are like it, but not the same; those that differ from one another come first."""
    return await tab.answer(
        "similar",
        diversity,
        lambda retrieval, start: tabs.similar(
            retrieval, tab.product_id, tab.k, tab.filters, diversity=diversity, start=start
        ),
    )


def _digest(*how: object) -> str:
    """Tells one listing from another: a filter may be long, and a cursor is part of a URL."""
    return hashlib.blake2b("\n".join(map(str, how)).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
