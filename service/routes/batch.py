"""`/v1/search/batch`: many searches in one request."""

import time
from collections.abc import Sequence
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from catalogue.errors import InvalidInput
from catalogue.strict import Strict
from service.bodies import each_from_fields, expect, from_json, json_body
from service.problems import Problem, problem_of, responses
from service.routes.deps import CurrentAllowance, CurrentSearches, CurrentServing, CurrentSideBySide
from service.schemas import SearchAnswer, SearchRequest
from service.side_by_side import Failure

router = APIRouter(prefix="/v1", tags=["search"])
MAX_QUERIES: Final = 128
MAX_HITS: Final = 10_000
"""Of one batch: a second of work for whoever writes and reads the answer."""


class BatchRequest(Strict):
    """Searches, each as in `POST /v1/search`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"queries": [{"text": "white mug", "k": 3}, {"product_id": "kestrel-4265", "k": 3}]}]
        }
    )

    queries: list[Any] = Field(
        min_length=1,
        max_length=MAX_QUERIES,
        description=f"each is answered or refused by itself; their `k` add up to {MAX_HITS:,} at most",
    )


class BatchResult(BaseModel):
    """What became of one search; the other of the two is null."""

    answer: SearchAnswer | None
    error: Problem | None


class BatchAnswer(BaseModel):
    """A result for each search, in their order."""

    results: list[BatchResult]
    took_ms: float


@router.post(
    "/search/batch",
    responses={
        200: {"model": BatchAnswer, "description": "a result for each search"},
        **responses(400, 408, 413, 415, 429, 503, 504),
    },
    openapi_extra=json_body(BatchRequest),
)
async def search_batch(
    request: Request,
    serving: CurrentServing,
    searches: CurrentSearches,
    side_by_side: CurrentSideBySide,
    allowance: CurrentAllowance,
) -> Response:
    """Up to 128 searches, side by side; one that cannot be answered has its problem in place.

    Each counts as a request against the limits of an API key.
    """
    started = time.perf_counter()
    expect(request, "application/json")
    body = await request.body()
    queries = await serving.pools.off_loop(lambda: _parse(body))
    await allowance.charge(len(queries) - 1)
    outcomes = await side_by_side.run(queries, searches.answer)
    return await serving.pools.off_loop(lambda: _written(outcomes, started))


def _parse(body: bytes) -> list[SearchRequest | RequestValidationError]:
    """The searches, or why one cannot be used; raises InvalidInput for what is no batch."""
    queries = each_from_fields(SearchRequest, from_json(BatchRequest, body).queries)
    asked = sum(query.k for query in queries if isinstance(query, SearchRequest))
    if asked > MAX_HITS:
        raise InvalidInput(f"The batch asks for {asked:,} hits; at most {MAX_HITS:,} are answered. Ask for fewer each.")
    return queries


def _written(outcomes: Sequence[bytes | Failure], started: float) -> Response:
    """A `BatchAnswer` of answers that are JSON already."""
    results = [
        {"answer": orjson.Fragment(outcome), "error": None}
        if isinstance(outcome, bytes)
        else {"answer": None, "error": problem_of(outcome).model_dump()}
        for outcome in outcomes
    ]
    answer = {"results": results, "took_ms": round((time.perf_counter() - started) * 1000, 2)}
    return Response(orjson.dumps(answer), media_type="application/json")
