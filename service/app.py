"""The ASGI application."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline

from service import problems
from service.middleware import Admission, BodyLimit, EncodedSlashes, Observed
from service.problems import Problem
from service.retrieval import Retrieval
from service.routes import ops, products
from service.routes import search as search_routes
from service.schemas import SearchRequest


def create_app(load: Callable[[], Retrieval], *, cursor_secret: bytes) -> FastAPI:
    """The gateway around what `load` returns; it is called once, at start, and closed at the end."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.retrieval = load()
        yield
        retrieval, app.state.retrieval = app.state.retrieval, None
        await retrieval.close()

    app = FastAPIOffline(  # its /docs loads nothing from elsewhere
        redoc_url=None,
        title="samestyle",
        version=version("samestyle"),
        summary="The same product from other suppliers, and similar ones, by product, photo, words or both.",
        lifespan=lifespan,
    )
    app.state.retrieval = None
    app.state.cursor_secret = cursor_secret
    for module in (search_routes, products, ops):
        app.include_router(module.router)
    app.mount("/web", StaticFiles(directory=ops.WEB), name="web")
    problems.install(app)
    app.add_middleware(EncodedSlashes)
    app.add_middleware(BodyLimit)
    app.add_middleware(Admission)
    app.add_middleware(Observed)
    _describe_problems(app)
    return app


def _describe_problems(app: FastAPI) -> None:
    """Put the problem schema into the OpenAPI document, and take FastAPI's own 422 out: here that is a 400."""
    original = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        document = original()
        schemas = document["components"]["schemas"]
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        search = SearchRequest.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= {**problem.pop("$defs"), "Problem": problem, **search.pop("$defs"), "SearchRequest": search}
        for path in document["paths"].values():
            for operation in path.values():
                answer = operation["responses"].get("422", {}).get("content", {})
                if "application/json" in answer:
                    del operation["responses"]["422"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it
