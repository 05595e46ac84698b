"""The ASGI application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline

from service import problems
from service.access import Access, AdminPort, Limits, describe_access
from service.admission import Admission, Attention
from service.cutting import AutoSnapshot
from service.headers import SafeHeaders, allow_origins
from service.keys import KeyRing
from service.limits import make_limiter
from service.middleware import BodyLimit, EncodedSlashes, Observed
from service.problems import Problem
from service.routes import admin, ops, products, suppliers, writes
from service.routes import search as search_routes
from service.schemas import BulkLine, ProductWrite, SearchRequest
from service.serving import Serving
from service.swapping import Swaps
from service.writing import Writer


def create_app(serving: Serving, swaps: Swaps, *, cursor_secret: bytes) -> FastAPI:
    """The gateway around what serves already; both are closed when it ends. Raises KeysInvalid."""
    settings = serving.settings
    keys = KeyRing(settings.keys_file) if settings.keys_file is not None else None
    limiter = make_limiter(settings.cache)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        auto = AutoSnapshot(serving, swaps) if serving.settings.index.auto_snapshot else None
        swaps.start(asyncio.get_running_loop())
        if auto is not None:
            auto.start()
        if keys is not None:
            keys.start()
        yield
        if keys is not None:
            await asyncio.to_thread(keys.close)
        await limiter.close()
        if auto is not None:
            await asyncio.to_thread(auto.close)
        await asyncio.to_thread(swaps.close)
        await serving.close()

    app = FastAPIOffline(  # its /docs loads nothing from elsewhere
        redoc_url=None,
        title="samestyle",
        version=version("samestyle"),
        summary="The same product from other suppliers, and similar ones, by product, photo, words or both.",
        lifespan=lifespan,
    )
    app.state.serving = serving
    app.state.swaps = swaps
    app.state.writer = Writer(serving)
    app.state.cursor_secret = cursor_secret
    app.state.keys = keys
    app.state.is_draining = False
    for module in (search_routes, writes, products, suppliers, admin, ops):
        app.include_router(module.router)
    app.mount("/web", StaticFiles(directory=ops.WEB), name="web")
    problems.install(app)
    app.add_middleware(BodyLimit)  # the last one a request comes to; the cheapest refusals come first
    app.add_middleware(Limits, limiter=limiter)
    app.add_middleware(Attention)
    app.add_middleware(Admission, door=serving)
    has_admin_port = settings.admin_port is not None
    app.add_middleware(Access, keys=keys, origins=settings.cors_origins, open_metrics=has_admin_port)
    allow_origins(app, settings.cors_origins)
    if settings.admin_port is not None:
        app.add_middleware(AdminPort, port=settings.admin_port)
    app.add_middleware(EncodedSlashes)
    app.add_middleware(SafeHeaders, hsts=settings.hsts)
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
        schemas |= {**problem.pop("$defs"), "Problem": problem}
        for model in (SearchRequest, ProductWrite, BulkLine):  # parsed by hand, so unknown to FastAPI
            schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= {**schema.pop("$defs", {}), model.__name__: schema}
        for path in document["paths"].values():
            for operation in path.values():
                answer = operation["responses"].get("422", {}).get("content", {})
                if "application/json" in answer:
                    del operation["responses"]["422"]
        describe_access(document)
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it
