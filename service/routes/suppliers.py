"""`/v1/suppliers`: what one supplier lists more than once."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from pydantic import AfterValidator, BaseModel, Field

from index import Filters, LiveView
from index.live_styles import style_groups
from service.cursors import OFFSET, Cursors
from service.deadlines import check_deadline
from service.middleware import SLASH
from service.problems import responses
from service.routes.deps import CurrentRetrieval, CurrentServing
from service.schemas import CURSOR, ProductAnswer

router = APIRouter(prefix="/v1/suppliers", tags=["suppliers"])

MAX_LISTINGS: Final = 100
"""Of a group in a page; a supplier may list one product ten thousand times."""
SupplierId = Annotated[str, Path(min_length=1, max_length=128), AfterValidator(lambda id_: id_.replace(SLASH, "/"))]


class DuplicateListing(ProductAnswer):
    """A listing of a style."""

    score: float = Field(description="cosine similarity to the product that the group is named after")


class DuplicatesGroup(BaseModel):
    """Listings of one supplier that are one style in one variant."""

    style_group: str = Field(description="the id of the most central product of the style, maybe another supplier's")
    size: int
    listings: list[DuplicateListing] = Field(description="the best 100, the best first")


class DuplicatesAnswer(BaseModel):
    """One page of a supplier's duplicates."""

    snapshot: str
    total: int = Field(description="how many groups there are")
    groups: list[DuplicatesGroup]
    next_cursor: str | None


@router.get("/{supplier_id}/duplicates", responses=responses(400, 409, 429, 503, 504))
async def get_duplicates(
    supplier_id: SupplierId,
    request: Request,
    retrieval: CurrentRetrieval,
    serving: CurrentServing,
    limit: Annotated[int, Query(ge=1, le=100, description="how many groups at most")] = 20,
    cursor: Annotated[
        str | None, Query(max_length=500, pattern=CURSOR, description="`next_cursor` of the page before")
    ] = None,
) -> DuplicatesAnswer:
    """Groups of at least two listings of the supplier that are one style in one variant, the largest first."""
    groups_of = f"{retrieval.snapshot_name}\n{supplier_id}"
    cursors = Cursors(request.app.state.cursor_secret, "duplicates", groups_of, OFFSET)
    start = cursors.read(cursor) or 0

    def look(view: LiveView) -> DuplicatesAnswer:
        groups, total = supplier_duplicates(view, supplier_id, start, limit)
        after = start + len(groups)
        return DuplicatesAnswer(
            snapshot=view.snapshot.manifest.name,
            total=total,
            groups=groups,
            next_cursor=cursors.cursor(after) if after < total else None,
        )

    return await serving.pools.in_search(lambda: retrieval.listed(retrieval.view, look))


def supplier_duplicates(view: LiveView, supplier_id: str, start: int, limit: int) -> tuple[list[DuplicatesGroup], int]:
    """`limit` groups from the `start`-th on with at least two listings of a supplier, the largest first, then by id.

    And how many there are: none of a supplier nobody knows. Raises Conflict where the snapshot has none.
    """
    groups = style_groups(view, view.select(Filters(suppliers=(supplier_id,))), check_deadline)
    page = []
    for group in range(start, min(start + limit, len(groups))):
        members = groups.of(group)
        listings = [DuplicateListing.of(view.get(row), score=score) for row, score in members[:MAX_LISTINGS]]
        named = view.id_of(int(groups.medoids[group]))
        page.append(DuplicatesGroup(style_group=named, size=len(members), listings=listings))
    return page, len(groups)
