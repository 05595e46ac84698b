"""`/v1/suppliers`: what one supplier lists more than once."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import AfterValidator

from index import LiveView
from service.cursors import OFFSET, Cursors
from service.duplicates import supplier_duplicates
from service.middleware import SLASH
from service.problems import responses
from service.routes.deps import CurrentRetrieval, CurrentServing
from service.schemas import CURSOR, DuplicatesAnswer, DuplicatesGroup

router = APIRouter(prefix="/v1/suppliers", tags=["suppliers"])

SupplierId = Annotated[str, Path(min_length=1, max_length=128), AfterValidator(lambda id_: id_.replace(SLASH, "/"))]


@router.get("/{supplier_id}/duplicates", responses=responses(400, 409, 429, 503, 504))
async def duplicates(
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
        page = supplier_duplicates(view, supplier_id, start, limit)
        after = start + len(page.groups)
        return DuplicatesAnswer(
            snapshot=view.snapshot.manifest.name,
            total=page.total,
            groups=[DuplicatesGroup.of(group) for group in page.groups],
            next_cursor=cursors.cursor(after) if after < page.total else None,
        )

    return await serving.pools.in_search(lambda: retrieval.listed(retrieval.view, look))
