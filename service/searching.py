"""A search request becomes an answer, whichever way it came; its pages go on where a cursor says."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from catalogue.errors import Gone, InvalidInput
from service.answers import answer
from service.attribution import Attribution, Visit, issued
from service.bodies import from_fields
from service.embedding import Photo
from service.flights import together
from service.paging import Continuation, SearchCursors
from service.query import Hits, Query
from service.ranking import Scope
from service.refining import Base, RefineCursors, base_of, refined
from service.retrieval import Retrieval
from service.schemas import QueryItem, RefineRequest, SearchRequest
from service.search_metrics import Asked, observed
from service.serving import Serving

_ASKED: Final = frozenset({"target", "k", "filters", "facets", "min_score", "exclude", "group_by", "alias", "explain"})
_CARRIED: Final = _ASKED | {"product_id"}
"""What a cursor carries along; of the query it has the vectors."""
_QUERY: Final = tuple(sorted(SearchRequest.model_fields.keys() - _ASKED - {"cursor", "user_key"}))
_SAMPLE: Final = 4_096


class Searches:
    """Answers search requests."""

    def __init__(
        self, serving: Serving, cursors: SearchCursors, refine_cursors: RefineCursors, attribution: Attribution
    ) -> None:
        self.pools = serving.pools
        self._serving = serving
        self._cursors = cursors
        self._refine_cursors = refine_cursors
        self.attribution = attribution

    async def answer(self, request: SearchRequest) -> bytes:
        """The hits and facets of a request, as JSON.

        Raises what `Retrieval.search` raises, NotFound for an unknown alias, InvalidInput for a cursor that is not
        ours or of another request, Gone for one whose snapshot is served no more.
        """
        if request.cursor is None:
            chosen = "alias" in request.model_fields_set
            with (
                self.attribution.visit("search", request.user_key, chosen=chosen) as visit,
                self._serving.lease(visit.alias(request.alias)) as retrieval,
            ):
                return await self._answer(request, None, retrieval, visit)
        user_key = request.user_key
        request, page = await self.pools.off_loop(lambda: self._resumed(request))
        with (
            self.attribution.visit("page", user_key, chosen=True, before=page.arm) as visit,
            lease_page(self._serving, page) as retrieval,
        ):
            return await self._answer(request, page, retrieval, visit)

    async def refine(self, change: RefineRequest) -> bytes:
        """The hits and facets of a query that was answered before, changed.

        Raises as `answer` does, InvalidInput for a cursor that is not ours or where nothing is left of the query, Gone
        where its photo means nothing to the model that serves by now.
        """
        request, base = await self.pools.off_loop(lambda: refined(self._refine_cursors.read(change.cursor), change))
        chosen = "alias" in request.model_fields_set
        with (
            self.attribution.visit("refine", change.user_key, chosen=chosen, before=base.arm) as visit,
            self._serving.lease(visit.alias(request.alias)) as retrieval,
        ):
            base.check(retrieval.embedder.fingerprint)
            return await self._answer(request, None, retrieval, visit, base)

    def _resumed(self, request: SearchRequest) -> tuple[SearchRequest, Continuation]:
        page = self._cursors.read(request.cursor or "")
        return _as_begun(request, page), page

    async def _answer(
        self,
        request: SearchRequest,
        page: Continuation | None,
        retrieval: Retrieval,
        visit: Visit,
        base: Base | None = None,
    ) -> bytes:
        query = _query(request, base.photo if base else None)
        visit.product_id, visit.query = request.product_id, request.text
        visit.has_photo = bool(request.image or request.image_url or query.photo)
        search = retrieval.search(query, _scope(request), page.start if page else None)
        asked: Asked = "page" if page else query.modality
        search = observed(search, asked, visit.alias(request.alias), is_first=page is None)
        if request.facets:
            hits, facets = await together(search, retrieval.facets(request.filters, request.facets))
        else:
            hits, facets = await search, {}
        cursor = None
        if hits.next is not None:
            listing = page.listing if page else _digest(request, hits.photo)
            names = query.name is not None or query.barcode is not None  # it is looked for on each page
            carries = _CARRIED | {"text"} if names else _CARRIED
            said = request.model_fields_set & carries
            carried = request.model_dump(mode="json", include=said, exclude_defaults=True)
            cursor = next_cursor(self._cursors, hits, retrieval, listing, visit, carried)
        refine = self.refine_cursor(request, hits.photo, retrieval, visit) if page is None else None
        return await answer(
            hits.found, retrieval, visit, alias=request.alias, facets=facets, cursor=cursor, refine=refine
        )

    def refine_cursor(self, request: SearchRequest, photo: Photo | None, retrieval: Retrieval, visit: Visit) -> str:
        """The cursor by which a search is gone on with."""
        base = base_of(request, photo, retrieval.embedder.fingerprint, issued(visit.arm))
        return self._refine_cursors.cursor(base)


@contextmanager
def lease_page(serving: Serving, page: Continuation) -> Iterator[Retrieval]:
    """The snapshot that a listing began on, kept in place as with `Serving.lease`; raises Gone."""
    with serving.lease_snapshot(page.snapshot) as retrieval:
        if retrieval.embedder.fingerprint != page.fingerprint:
            raise Gone(f"Snapshot {page.snapshot} is another one by now. Start again without a cursor.")
        yield retrieval


def next_cursor(
    cursors: SearchCursors,
    hits: Hits,
    retrieval: Retrieval,
    listing: str,
    visit: Visit,
    asked: dict[str, Any] | None = None,
) -> str | None:
    """The cursor of the page after some hits, where there is one."""
    if hits.next is None:
        return None
    space = retrieval.embedder.fingerprint
    arm = issued(visit.arm)
    return cursors.cursor(Continuation(listing, retrieval.snapshot_name, space, hits.next, asked or {}, arm))


def query_of(item: QueryItem, **more: Any) -> Query:
    """What is looked for, all of it together, or as `more` of a `Query` says."""
    return Query(item.product_id, item.image, item.image_url, item.text, item.crop, **more)


def _query(request: SearchRequest, photo: Photo | None) -> Query:
    return query_of(request, weights=dict(request.weights), negatives=request.negatives, photo=photo)


def _scope(request: SearchRequest) -> Scope:
    return Scope(
        k=request.k,
        target=request.target,
        filters=request.filters,
        exclude=frozenset(request.exclude),
        min_score=request.min_score,
        group_by=request.group_by,
        explain=request.explain,
    )


def _as_begun(request: SearchRequest, page: Continuation) -> SearchRequest:
    """The request that the first page answered, with the `k` of this one.

    Raises InvalidInput where this one says anything else than that.
    """
    begun = from_fields(SearchRequest, {**page.asked, "cursor": request.cursor})
    for name in request.model_fields_set & _ASKED - {"k"}:
        if getattr(request, name) != getattr(begun, name):
            raise InvalidInput(
                f"The cursor is of a search with other {name}. Leave it out, or search without a cursor."
            )
    if not request.is_empty and _digest(request) != page.listing:
        raise InvalidInput("The cursor is of another query. Leave the query out, or search without a cursor.")
    return begun.model_copy(update={"k": request.k}) if "k" in request.model_fields_set else begun


def _digest(request: SearchRequest, read: Photo | None = None) -> str:
    """Tells one query from another; of a photo its length and ends, as it may be large, or its digest."""
    said = {name: getattr(request, name) for name in _QUERY}
    photo = said["image"] or b""
    said["image"] = (len(photo), photo[:_SAMPLE], photo[-_SAMPLE:])
    if read is not None and not photo and request.image_url is None:  # of a query that is gone on with
        said["image"] = (0, read.digest, b"")
    return hashlib.blake2b(repr(said).encode(), digest_size=8).hexdigest()
