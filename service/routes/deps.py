"""What routes ask for."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request

from service.keys import KeyRing
from service.limits import Allowance
from service.retrieval import Retrieval
from service.serving import Serving
from service.swapping import Swaps
from service.writing import Writer


async def get_serving(request: Request) -> Serving:
    """What the gateway serves."""
    serving: Serving = request.app.state.serving
    return serving


CurrentServing = Annotated[Serving, Depends(get_serving)]


async def get_retrieval(serving: CurrentServing) -> AsyncIterator[Retrieval]:
    """What is live now, kept in place until the request is answered; raises NotReady until something is."""
    with serving.lease() as retrieval:
        yield retrieval


async def get_swaps(request: Request) -> Swaps:
    """What exchanges it."""
    swaps: Swaps = request.app.state.swaps
    return swaps


async def get_writer(request: Request) -> Writer:
    """What changes it."""
    writer: Writer = request.app.state.writer
    return writer


async def get_complaints(request: Request, swaps: Annotated[Swaps, Depends(get_swaps)]) -> list[str]:
    """Why the gateway is not as it should be; empty where all is well."""
    keys: KeyRing | None = request.app.state.keys
    return [*swaps.complaints(), *(keys.complaints() if keys is not None else [])]


async def get_allowance(request: Request) -> Allowance:
    """What the caller's key may still ask; one request of it is taken already."""
    allowance: Allowance = request.state.allowance
    return allowance


CurrentAllowance = Annotated[Allowance, Depends(get_allowance)]
CurrentComplaints = Annotated[list[str], Depends(get_complaints)]
CurrentRetrieval = Annotated[Retrieval, Depends(get_retrieval)]
CurrentSwaps = Annotated[Swaps, Depends(get_swaps)]
CurrentWriter = Annotated[Writer, Depends(get_writer)]
