"""`/admin/v1`: for engineers, who exchange snapshots while requests go on."""

import asyncio
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from catalogue.strict import Strict
from index import Manifest
from index.aliases import AliasName, read_aliases, remove
from index.manifest import list_snapshots
from service.bodies import expect, from_json, json_body
from service.exchange import Operation
from service.problems import responses
from service.routes.deps import CurrentComplaints, CurrentServing, CurrentSwaps

router = APIRouter(prefix="/admin/v1", tags=["admin"])

Alias = Annotated[AliasName, Path(description="letters, digits, dashes and underscores")]
Wait = Annotated[float, Query(ge=0, le=600, description="seconds to wait for the flip before 202 is answered")]


_WHOLE: Final = ConfigDict(json_schema_serialization_defaults_required=True)
"""Answers have every field, null or not."""


class SnapshotAnswer(BaseModel):
    """A snapshot of the data directory."""

    model_config = _WHOLE

    manifest: Manifest | None = Field(description="without its files; null where it cannot be read")
    refused: str | None = Field(default=None, description="why it cannot be read")
    desired_by: list[str] = Field(default=[], description="the aliases that should point at it")
    served_by: list[str] = Field(default=[], description="the aliases that do, in this gateway")


class SnapshotsAnswer(BaseModel):
    """All of them, the newest first."""

    snapshots: list[SnapshotAnswer]


class AliasStatus(BaseModel):
    """One alias, in this gateway."""

    model_config = _WHOLE

    alias: str
    snapshot: str | None = Field(description="what serves")
    desired: str | None = Field(description="what should serve, where that is another")
    refused: str | None = Field(description="why it does not")
    model: str | None = None
    fingerprint: str | None = None
    products: int | None = None
    changes: int | None = Field(default=None, description="products that changed since the snapshot was cut")
    snapshot_due: bool | None = Field(default=None, description="whether a new one should be cut")
    position: int | None = Field(default=None, description="the last journal entry that searches see")
    created_at: datetime | None = None
    requests: int | None = Field(default=None, description="how many are being answered from it")


class OperationAnswer(BaseModel):
    """A swap."""

    id: str
    alias: str
    snapshot: str
    stage: str
    started_at: datetime
    finished_at: datetime | None
    error: str | None

    @classmethod
    def of(cls, operation: Operation) -> "OperationAnswer":
        """As it is now."""
        return cls(**{name: getattr(operation, name) for name in cls.model_fields})


class StatusAnswer(BaseModel):
    """What this gateway serves, and how it came to that."""

    status: str
    reasons: list[str]
    aliases: list[AliasStatus]
    journal_head: int
    models: list[str] = Field(description="fingerprints of the models that are loaded")
    operations: list[OperationAnswer] = Field(description="the last swaps, the latest first")


class AliasChange(Strict):
    """What an alias should point at."""

    snapshot: str = Field(max_length=64)


_SWAP: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": OperationAnswer, "description": "still under way; /admin/v1/status shows how it goes"},
    **responses(400, 404, 409, 412, 503),
}


@router.get("/snapshots", responses=responses(503))
async def get_snapshots(serving: CurrentServing) -> SnapshotsAnswer:
    """The snapshots of the data directory, and which of them serve."""
    data = serving.settings.data
    manifests, refused = await asyncio.to_thread(list_snapshots, data / "snapshots")
    desired = {alias: state.snapshot for alias, state in (await asyncio.to_thread(read_aliases, data)).aliases.items()}
    served = {alias: generation.name for alias, generation in serving.served.items()}
    answers = [
        SnapshotAnswer(
            manifest=manifest.model_copy(update={"files": {}}),
            desired_by=[alias for alias, name in desired.items() if name == manifest.name],
            served_by=[alias for alias, name in served.items() if name == manifest.name],
        )
        for manifest in manifests
    ]
    return SnapshotsAnswer(snapshots=answers + [SnapshotAnswer(manifest=None, refused=str(error)) for error in refused])


@router.get("/status", responses=responses(503))
async def get_status(serving: CurrentServing, swaps: CurrentSwaps, reasons: CurrentComplaints) -> StatusAnswer:
    """What serves, what should, and the last swaps."""
    served, refusals = serving.served, dict(swaps.refusals)
    aliases = []
    for alias in sorted(served.keys() | refusals.keys()):
        generation, refusal = served.get(alias), refusals.get(alias)
        entry = AliasStatus(
            alias=alias,
            snapshot=generation.name if generation else None,
            desired=refusal.snapshot or None if refusal else None,
            refused=refusal.reason if refusal else None,
        )
        if generation is not None:
            manifest, view = generation.live.snapshot.manifest, generation.live.view
            entry.model, entry.fingerprint, entry.created_at = manifest.model, manifest.fingerprint, manifest.created_at
            entry.products, entry.position = len(view), view.position
            entry.requests = generation.requests
            entry.changes, entry.snapshot_due = view.changes, view.is_due
        aliases.append(entry)
    return StatusAnswer(
        status="degraded" if reasons else "ready",
        reasons=reasons,
        aliases=aliases,
        journal_head=serving.feed.head,
        models=sorted(serving.models.loaded),
        operations=[OperationAnswer.of(operation) for operation in list(swaps.operations)],
    )


@router.put("/aliases/{alias}", responses={**_SWAP, **responses(408, 413, 415)}, openapi_extra=json_body(AliasChange))
async def put_alias(
    alias: Alias, request: Request, response: Response, swaps: CurrentSwaps, wait: Wait = 60
) -> OperationAnswer:
    """Point an alias at a snapshot: 200 when requests are answered from it, 202 when that takes longer than `wait`."""
    expect(request, "application/json")
    change = from_json(AliasChange, await request.body())
    return await _followed(await asyncio.to_thread(swaps.swap, alias, change.snapshot), response, wait)


@router.delete("/aliases/{alias}", status_code=204, responses=responses(400, 404, 503))
async def delete_alias(alias: Alias, serving: CurrentServing) -> Response:
    """Forget an alias; gateways let go of its snapshot within a second or two."""
    await asyncio.to_thread(remove, serving.settings.data, alias)
    return Response(status_code=204)


@router.post("/aliases/{alias}/rollback", responses=_SWAP)
async def roll_back_alias(alias: Alias, response: Response, swaps: CurrentSwaps, wait: Wait = 60) -> OperationAnswer:
    """Point an alias at what it pointed at before."""
    return await _followed(await asyncio.to_thread(swaps.rollback, alias), response, wait)


async def _followed(operation: Operation, response: Response, wait: float) -> OperationAnswer:
    """Wait for a swap; raises what it failed with."""
    try:
        async with asyncio.timeout(wait):
            await asyncio.shield(asyncio.wrap_future(operation.done))
    except TimeoutError:
        response.status_code = 202
    return OperationAnswer.of(operation)
