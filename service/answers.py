"""Answers of searches as JSON: what `schemas.SearchAnswer` describes, written without making one.

To make a product of each hit, and have every field of the answer checked again, takes many times as long as the search.
"""

import time
from collections.abc import Sequence
from typing import Any, Final

import orjson

from index.aliases import LIVE
from index.facets import Facets
from service.attribution import Visit
from service.query import Found
from service.ranking import Total
from service.retrieval import Retrieval
from service.schemas import image_url
from service.trail import CURRENT

_MANY: Final = 100
"""Hits; writing fewer takes less than handing them to another thread."""


async def answer(
    found: Sequence[Found],
    retrieval: Retrieval,
    visit: Visit,
    *,
    alias: str = LIVE,
    facets: Facets | None = None,
    cursor: str | None = None,
    refine: str | None = None,
    total: Total | None = None,
) -> bytes:
    """The answer that a visit gets, which notes what it shows; raises what `Pools.off_loop` raises."""
    visit.saw(found, retrieval.snapshot_name)
    if (trail := CURRENT.get()) is not None:
        trail.answered(visit.request_id)

    def written() -> bytes:
        fields = {
            "request_id": visit.request_id,
            "model": retrieval.embedder.name,
            "snapshot": retrieval.snapshot_name,
            "alias": visit.alias(alias),
            "arm": visit.arm.name if visit.arm is not None else None,
            "took_ms": round((time.monotonic() - visit.started) * 1000, 2),
            "hits": [_hit(one) for one in found],
            "facets": _counts(facets or {}),
            "next_cursor": cursor,
            "refine_cursor": refine,
            "total": total.hits if total is not None else None,
            "total_is_exact": total.is_exact if total is not None else None,
        }
        return orjson.dumps(fields)

    return written() if len(found) <= _MANY else await retrieval.pools.off_loop(written)


def _hit(found: Found) -> dict[str, Any]:
    """A `schemas.Hit`."""
    fields, group = found.listing.fields, found.group
    return {
        "product_id": fields["product_id"],
        "score": found.score,
        "title": fields.get("title", ""),
        "category": fields.get("category", ""),
        "supplier_id": fields.get("supplier_id", ""),
        "price": fields.get("price"),
        "currency": fields.get("currency"),
        "in_stock": fields.get("in_stock"),
        "attributes": fields.get("attributes", {}),
        "image_url": image_url(fields["product_id"], fields.get("images", ()), found.listing.photo),
        "url": fields.get("url"),
        "explain": found.contributions,
        "words_said": found.words_said,
        "group": {"key": group.key, "size": group.size} if group is not None else None,
    }


def _counts(facets: Facets) -> dict[str, list[dict[str, Any]]]:
    """`schemas.FacetValue`s by name."""
    return {name: [{"value": value, "count": count} for value, count in counts] for name, counts in facets.items()}
