"""Health, metrics and the web page."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from catalogue.errors import NotReady
from service.gauges import observe
from service.problems import responses
from service.routes.deps import CurrentComplaints, CurrentServing, CurrentSwaps

router = APIRouter(tags=["ops"])
WEB: Final = Path(__file__).parent.parent / "web"


class Health(BaseModel):
    """The state of the process."""

    status: str
    model: str | None = None
    snapshot: str | None = None
    products: int | None = None
    reasons: list[str] | None = None


@router.get("/livez", response_model_exclude_none=True)
async def livez() -> Health:
    """200 as long as the process can answer at all."""
    return Health(status="alive")


@router.get("/readyz", response_model_exclude_none=True, responses=responses(503))
async def readyz(request: Request, serving: CurrentServing, reasons: CurrentComplaints) -> Health:
    """200 when searches are answered, 503 with the reason before that.

    `degraded` says that they are not answered from what they should be: from an older snapshot, without the last
    changes, or with API keys of before.
    """
    if request.app.state.is_draining:
        raise NotReady("The gateway is shutting down. Ask another instance.")
    with serving.lease() as retrieval:
        return Health(
            status="degraded" if reasons else "ready",
            reasons=reasons or None,
            model=retrieval.embedder.name,
            snapshot=retrieval.snapshot_name,
            products=len(retrieval.view),
        )


@router.get(
    "/metrics", response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
)
async def metrics(
    request: Request, serving: CurrentServing, swaps: CurrentSwaps, complaints: CurrentComplaints
) -> Response:
    """Prometheus metrics."""
    observe(serving, swaps, complaints, is_draining=request.app.state.is_draining)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@router.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """The web page."""
    return FileResponse(WEB / "index.html", headers={"Content-Security-Policy": _CSP, "Cache-Control": "no-cache"})


_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data: https:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
