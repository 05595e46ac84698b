"""What routes ask for."""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any, Final

from fastapi import Depends, Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Header, Path
from fastapi.routing import APIRoute

from catalogue.errors import InvalidInput
from service.attribution import Attribution
from service.keys import KeyRing
from service.limits import Allowance
from service.retrieval import Retrieval
from service.searching import Searches
from service.serving import Serving
from service.side_by_side import SideBySide
from service.swapping import Swaps
from service.writing import Writer

_LISTS: Final = frozenset({"supplier", "facets"})


async def check_parameters(request: Request) -> None:
    """Raise InvalidInput for a query parameter that the route does not know, or that is given twice.

    What counts for nothing would be taken for an answer: all of an unknown one, all but one value of the other.
    """
    if not request.scope["query_string"]:
        return
    names = [name for name, _ in request.query_params.multi_items()]
    known = _parameters(request.scope["route"])
    for name in set(names):
        if name not in known:
            there_are = f"those there are: {', '.join(known)}" if known else "there are none"
            raise InvalidInput(f"There is no parameter {name[:100]!r} here; {there_are}.")
        if name not in _LISTS and names.count(name) > 1:
            raise InvalidInput(f"The parameter {name[:100]!r} is given {names.count(name)} times. Give it once.")


def _parameters(route: APIRoute) -> list[str]:
    """The query parameters of a route, as it is described."""
    fields = get_flat_params(route.dependant)
    return [field.alias for field in fields if not isinstance(field.field_info, Path | Header)]


class ByHand(APIRoute):
    """A route that FastAPI only describes: its endpoint takes the request itself and makes the response.

    FastAPI's way to find out what an endpoint asks for takes longer than a search by product id.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint, after what all routes look at."""

        async def handler(request: Request) -> Response:
            await check_parameters(request)
            response: Response = await self.endpoint(request)
            return response

        return handler


def _of_app(name: str) -> Any:
    """The dependency on what the application holds under a name."""

    async def get(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(get)


CurrentSearches = Annotated[Searches, _of_app("searches")]
CurrentServing = Annotated[Serving, _of_app("serving")]
CurrentSideBySide = Annotated[SideBySide, _of_app("side_by_side")]
CurrentSwaps = Annotated[Swaps, _of_app("swaps")]
CurrentWriter = Annotated[Writer, _of_app("writer")]


async def get_retrieval(serving: CurrentServing) -> AsyncIterator[Retrieval]:
    """What is live now, kept in place until the request is answered; raises NotReady until something is."""
    with serving.lease() as retrieval:
        yield retrieval


async def get_complaints(request: Request, swaps: CurrentSwaps) -> list[str]:
    """Why the gateway is not as it should be; empty where all is well."""
    state = request.app.state
    keys: KeyRing | None = state.keys
    attribution: Attribution = state.attribution
    return [*swaps.complaints(), *(keys.complaints() if keys is not None else []), *attribution.complaints()]


async def get_allowance(request: Request) -> Allowance:
    """What the caller's key may still ask; one request of it is taken already."""
    allowance: Allowance = request.state.allowance
    return allowance


CurrentAllowance = Annotated[Allowance, Depends(get_allowance)]
CurrentComplaints = Annotated[list[str], Depends(get_complaints)]
CurrentRetrieval = Annotated[Retrieval, Depends(get_retrieval)]
