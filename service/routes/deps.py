"""What routes ask for."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request

from service.retrieval import Retrieval
from service.searching import Searches
from service.serving import Serving
from service.side_by_side import SideBySide
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


async def get_searches(request: Request) -> Searches:
    """What answers searches."""
    searches: Searches = request.app.state.searches
    return searches


async def get_side_by_side(request: Request) -> SideBySide:
    """What runs the parts of a request."""
    side_by_side: SideBySide = request.app.state.side_by_side
    return side_by_side


CurrentRetrieval = Annotated[Retrieval, Depends(get_retrieval)]
CurrentSearches = Annotated[Searches, Depends(get_searches)]
CurrentSideBySide = Annotated[SideBySide, Depends(get_side_by_side)]
CurrentSwaps = Annotated[Swaps, Depends(get_swaps)]
CurrentWriter = Annotated[Writer, Depends(get_writer)]
