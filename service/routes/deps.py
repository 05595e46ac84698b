"""What routes ask for."""

from typing import Annotated

from fastapi import Depends, Request

from catalogue.errors import NotReady
from service.retrieval import Retrieval


def get_retrieval(request: Request) -> Retrieval:
    """What answers now; raises NotReady until a snapshot is loaded."""
    retrieval = request.app.state.retrieval
    if not isinstance(retrieval, Retrieval):
        raise NotReady("The service is starting or shutting down. Ask again, or ask another instance.")
    return retrieval


CurrentRetrieval = Annotated[Retrieval, Depends(get_retrieval)]
