"""The ASGI application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from fastapi_offline import FastAPIOffline

from service import problems
from service.access import Access, AdminPort, Limits
from service.admission import Admission, Attention
from service.attribution import Attribution
from service.canary import Canary
from service.cutting import AutoSnapshot
from service.headers import SafeHeaders, allow_origins
from service.keys import KeyRing
from service.limits import Limiter, make_limiter
from service.middleware import BodyLimit, EncodedSlashes, Heads
from service.observing import Observed
from service.openapi import ABOUT, include_routes, openapi
from service.page_files import PageFiles
from service.paging import SearchCursors
from service.refining import RefineCursors
from service.routes import ops
from service.searching import Searches
from service.serving import Serving
from service.side_by_side import SideBySide
from service.swapping import Swaps
from service.tracing import Tracing, make_tracing
from service.writing import Writer

_NO_TELEMETRY: Final[TelemetryConfig] = {"tracing": False, "metrics": False, "logs": False}


def create_app(serving: Serving, swaps: Swaps, *, cursor_secret: bytes, tracing: Tracing | None = None) -> FastAPI:
    """The gateway around what serves already; all is closed when it ends.

    Requests are traced as the settings say, or by `tracing`. Raises KeysInvalid, or ConfigurationError.
    """
    settings = serving.settings
    keys = KeyRing(settings.keys_file) if settings.keys_file is not None else None
    limiter = make_limiter(settings.cache)
    attribution = Attribution(serving)
    tracing = make_tracing(settings.tracing) if tracing is None else tracing
    canary = Canary(serving)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        auto = AutoSnapshot(serving, swaps) if serving.settings.index.auto_snapshot else None
        swaps.start(asyncio.get_running_loop())
        canary.start()
        if auto is not None:
            auto.start()
        if keys is not None:
            keys.start()
        await asyncio.to_thread(attribution.start)
        yield
        await asyncio.to_thread(attribution.close)
        if keys is not None:
            await asyncio.to_thread(keys.close)
        await limiter.close()
        if auto is not None:
            await asyncio.to_thread(auto.close)
        await asyncio.to_thread(canary.close)
        await asyncio.to_thread(swaps.close)
        await serving.close()
        if tracing is not None:
            await asyncio.to_thread(tracing.close)

    # Its /docs loads nothing from elsewhere. FastAPI's telemetry asks its environment anew at each request.
    app = FastAPIOffline(redoc_url=None, lifespan=lifespan, telemetry=_NO_TELEMETRY, **ABOUT)
    app.state.serving = serving
    app.state.swaps = swaps
    app.state.writer = Writer(serving)
    app.state.searches = Searches(
        serving, SearchCursors(cursor_secret, "search"), RefineCursors(cursor_secret), attribution
    )
    app.state.attribution = attribution
    app.state.side_by_side = SideBySide(serving.settings.deadline_s)
    app.state.cursor_secret = cursor_secret
    app.state.keys = keys
    app.state.is_draining = False
    include_routes(app)
    app.mount("/web", PageFiles(directory=ops.WEB), name="web")
    problems.install(app)
    _add_layers(app, serving, keys, limiter, tracing)
    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to describe it otherwise
    return app


def _add_layers(
    app: FastAPI, serving: Serving, keys: KeyRing | None, limiter: Limiter, tracing: Tracing | None
) -> None:
    """What a request passes before its route, the last one first."""
    settings = serving.settings
    app.add_middleware(Heads)  # the last one a request comes to; the cheapest refusals come first
    app.add_middleware(BodyLimit)
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
    app.add_middleware(Observed, log=settings.log, tracing=tracing)
