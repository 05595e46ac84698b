"""`/v1/compare` and `/v1/embed`: what searches are made of."""

import base64
import time
from typing import Any, Final, Literal

import numpy as np
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from catalogue.errors import FingerprintMismatch
from catalogue.strict import Strict
from service.bodies import each_from_fields, expect, from_json, json_body
from service.comparing import Comparison, compare
from service.problems import Problem, problem_of, responses
from service.ranking import Vector
from service.routes.deps import CurrentAllowance, CurrentServing, CurrentSideBySide
from service.schemas import QueryItem
from service.searching import query_of

router = APIRouter(prefix="/v1", tags=["search"])
MAX_INPUTS: Final = 128
_ERRORS: Final = (400, 404, 408, 413, 415, 429, 503, 504)


class CompareRequest(Strict):
    """Two things, each as in a search."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"a": {"product_id": "kestrel-4265"}, "b": {"product_id": "bluepeak-8968"}}]}
    )

    a: QueryItem
    b: QueryItem
    alias: str = Field(default="live", max_length=64, description="whose products and model; by default `live`")


class CompareAnswer(Comparison):
    """Whether two things are the same."""

    model: str
    snapshot: str
    took_ms: float


class EmbedRequest(Strict):
    """Inputs to embed, each as the query of a search."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"inputs": [{"text": "white mug"}, {"product_id": "kestrel-4265"}]}]}
    )

    inputs: list[Any] = Field(
        min_length=1,
        max_length=MAX_INPUTS,
        description="each is embedded or refused by itself",
    )
    encoding: Literal["float", "base64"] = Field(
        default="float",
        description="how vectors are answered: as numbers, if left out, or as little-endian float32 in base64",
    )
    fingerprint: str | None = Field(
        default=None, max_length=64, description="the vector space expected; another one is a 412"
    )
    alias: str = Field(default="live", max_length=64, description="whose products and model; by default `live`")


class Embedding(BaseModel):
    """What became of one input; the other of the two is null."""

    vector: list[float] | str | None = Field(description="of length 1; text where base64 is asked for")
    error: Problem | None


class EmbedAnswer(BaseModel):
    """An embedding for each input, in their order."""

    fingerprint: str = Field(description="the name of the vector space; vectors of others cannot be compared")
    dim: int
    model: str
    embeddings: list[Embedding]
    took_ms: float


@router.post("/compare", responses=responses(*_ERRORS, 422), openapi_extra=json_body(CompareRequest))
async def compare_two(request: Request, serving: CurrentServing) -> CompareAnswer:
    """Are these two the same: score, verdict, and by what it was judged."""
    started = time.perf_counter()
    expect(request, "application/json")
    body = await request.body()
    asked = await serving.pools.off_loop(lambda: from_json(CompareRequest, body))
    with serving.lease(asked.alias) as retrieval:
        found = await compare(retrieval, query_of(asked.a), query_of(asked.b))
        return CompareAnswer(
            **dict(found),
            model=retrieval.embedder.name,
            snapshot=retrieval.snapshot_name,
            took_ms=_milliseconds(started),
        )


@router.post(
    "/embed",
    responses={200: {"model": EmbedAnswer, "description": "an embedding for each input"}, **responses(*_ERRORS, 412)},
    openapi_extra=json_body(EmbedRequest),
)
async def embed(
    request: Request, serving: CurrentServing, side_by_side: CurrentSideBySide, allowance: CurrentAllowance
) -> Response:
    """Up to 128 inputs as vectors of the model's space; one that cannot be embedded has its problem in place.

    Each counts as a request against the limits of an API key.
    """
    started = time.perf_counter()
    expect(request, "application/json")
    body = await request.body()
    asked, inputs = await serving.pools.off_loop(lambda: _parse(body))
    await allowance.charge(len(inputs) - 1)
    with serving.lease(asked.alias) as retrieval:
        embedder = retrieval.embedder
        if asked.fingerprint not in {None, embedder.fingerprint}:
            raise FingerprintMismatch(
                f"{asked.alias} is of the vector space {embedder.fingerprint}, not {asked.fingerprint}. "
                "Embed again what the vectors are to be compared with."
            )
        outcomes = await side_by_side.run(inputs, lambda item: retrieval.vector(query_of(item)))
    answer = EmbedAnswer(
        fingerprint=embedder.fingerprint,
        dim=embedder.dim,
        model=embedder.name,
        embeddings=[
            Embedding(vector=_written(outcome, asked.encoding), error=None)
            if isinstance(outcome, np.ndarray)
            else Embedding(vector=None, error=problem_of(outcome))
            for outcome in outcomes
        ],
        took_ms=_milliseconds(started),
    )
    return await serving.pools.off_loop(lambda: Response(answer.model_dump_json(), media_type="application/json"))


def _parse(body: bytes) -> tuple[EmbedRequest, list[QueryItem | RequestValidationError]]:
    """What is asked for, and each input or why it cannot be used."""
    asked = from_json(EmbedRequest, body)
    return asked, each_from_fields(QueryItem, asked.inputs)


def _written(vector: Vector, encoding: Literal["float", "base64"]) -> list[float] | str:
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return [float(value) for value in vector]


def _milliseconds(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
