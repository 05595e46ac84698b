"""The process: a bound socket, uvicorn, logs as JSON lines."""

import asyncio
import gc
import logging
import os
import resource
import socket
import sys
import time
from functools import partial
from types import FrameType
from typing import Final, cast

import structlog
import uvicorn
from fastapi import FastAPI
from prometheus_client import REGISTRY

from catalogue.addresses import is_loopback
from catalogue.errors import ConfigurationError
from catalogue.settings import Settings
from service.app import create_app
from service.config_check import sharing_a_port, unknown_variables
from service.connections import MAX_HEAD_BYTES, BoundedProtocol, Bounds, accepting, emptied, files_for
from service.gpu_metrics import find_gpus
from service.keys import HOW_TO_CREATE, KeyRing
from service.memory import keep_flat
from service.observing import add_request
from service.serving import Serving
from service.signals import end_well_on_signals
from service.swapping import open_serving
from service.warming import warm_up

DRAIN_S: Final = 10
_LAST_HEADS_S: Final = 1.0
"""How long connections that are new when the gateway ends have for a request; whoever connects sends one at once."""
BACKLOG: Final = 512


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests under way.

    Raises ConfigurationError for an address that cannot or must not be bound, and what loading raises.
    """
    for problem in sharing_a_port(settings):
        raise ConfigurationError(problem)
    end_well_on_signals()
    keep_flat()
    _configure_logs()
    for problem in unknown_variables():
        structlog.get_logger(__name__).warning("unknown_setting", problem=problem)
    has_keys = settings.keys_file is not None and KeyRing(settings.keys_file) is not None
    listeners = [bind(settings.host, settings.port, has_keys=has_keys, shared=settings.reuse_port)]
    if settings.admin_port is not None:
        if settings.admin_port == settings.port:
            raise ConfigurationError("The admin port is the port of all else. Choose another SAMESTYLE_ADMIN_PORT.")
        listeners.append(bind(settings.admin_host, settings.admin_port, has_keys=has_keys))
    serving, swaps = open_serving(settings)
    if "cuda" in {settings.device, settings.index.device} and (gpus := find_gpus()) is not None:
        REGISTRY.register(gpus)
    app = create_app(serving, swaps, cursor_secret=_cursor_secret(settings))
    gc.freeze()  # what stays for good need not be looked at again: collecting garbage stops all threads
    gc.collect()  # from now on a quarter of what is left is garbage enough for a full collection, not of all there is
    _allow_files_for(settings.max_connections)
    _say_what_serves(settings, serving)
    _Server(app, serving).run(sockets=[each for listener in listeners for each in accepting(listener)])


class _Server(uvicorn.Server):
    """uvicorn with bounded connections, whose /readyz says so as soon as it is to end."""

    def __init__(self, app: FastAPI, serving: Serving) -> None:
        settings = serving.settings
        bounds = Bounds(settings.headers_timeout_s, settings.max_connections, settings.admin_port)
        super().__init__(
            uvicorn.Config(
                app,
                http=cast("type[asyncio.Protocol]", partial(BoundedProtocol, bounds=bounds)),
                ws="none",
                h11_max_incomplete_event_size=MAX_HEAD_BYTES,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=DRAIN_S,
            )
        )
        self._app = app
        self._serving = serving
        self._bounds = bounds
        self._delay_s = settings.shutdown_delay_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections once what they need has been used."""
        await warm_up(self._app, self._serving)
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note a signal; the second one cuts the delay short."""
        self._delay_s = 0 if self.should_exit else self._delay_s
        self._app.state.is_draining = True
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer on while load balancers take notice, then take no more connections and drain."""
        noticed = time.monotonic()
        while time.monotonic() < noticed + self._delay_s:  # noqa: ASYNC110  # a signal cannot set an event
            await asyncio.sleep(0.05)
        await self._take_the_last(sockets or [])
        await super().shutdown(sockets)

    async def _take_the_last(self, sockets: list[socket.socket]) -> None:
        """Take what has connected, listen no more, and let what is new send its request: else it would be reset."""
        loop = asyncio.get_running_loop()
        queues = {each.getsockname(): each for each in sockets}  # those of one address have one
        last = [each.dup() for each in queues.values()]
        for server in self.servers:
            server.close()
        for each in sockets:
            each.close()
        await asyncio.sleep(0)  # until the event loop has closed its own
        for connection in [connection for listener in last for connection in emptied(listener)]:
            await loop.connect_accepted_socket(self._protocol, connection)
        until = time.monotonic() + _LAST_HEADS_S
        while self._has_new() and time.monotonic() < until:  # noqa: ASYNC110  # connections do not say when
            await asyncio.sleep(0.01)

    def _has_new(self) -> bool:
        """Whether there are connections on which no request has come yet."""
        return any(isinstance(each, BoundedProtocol) and each.is_new for each in self.server_state.connections)

    def _protocol(self) -> asyncio.Protocol:
        """Of one more connection, as uvicorn makes them."""
        return BoundedProtocol(self.config, self.server_state, self.lifespan.state, bounds=self._bounds)


def bind(host: str, port: int, *, has_keys: bool = False, shared: bool = False) -> socket.socket:
    """A listening socket; whoever connects before all is loaded waits instead of being refused.

    One that is shared listens when it is served from: until then the others on its port take all connections.
    """
    if not has_keys and not is_loopback(host):
        raise ConfigurationError(
            f"Without API keys the gateway listens on loopback only, not on {host}. {HOW_TO_CREATE} "
            "Then start with SAMESTYLE_KEYS_FILE=KEYS.json."
        )
    is_v6 = ":" in host
    listener = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET)
    try:
        if is_v6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shared)
        listener.bind((host, port))
        if not shared:
            listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        sharing = "All that share it need SAMESTYLE_REUSE_PORT=true and the same user. " if shared else ""
        raise ConfigurationError(
            f"Cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}. "
            f"Is another server running there? {sharing}Choose another --port."
        ) from None
    return listener


def _allow_files_for(connections: int) -> None:
    """Raise this process's limit of open files, where that may be done, so that connections do not use it up."""
    wanted = files_for(connections)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def _say_what_serves(settings: Settings, serving: Serving) -> None:
    with serving.lease() as retrieval:
        structlog.get_logger(__name__).info(
            "serving",
            url=f"http://{settings.host}:{settings.port}",
            snapshot=retrieval.snapshot_name,
            products=len(retrieval.view),
            model=retrieval.embedder.name,
            licence=retrieval.embedder.licence,
        )


def _cursor_secret(settings: Settings) -> bytes:
    """What signs cursors: as set, or new for this process."""
    if settings.cursor_secret is not None:
        return settings.cursor_secret.get_secret_value().encode()
    return os.urandom(32)


def _configure_logs() -> None:
    """Our logs and the libraries', one JSON object a line on stderr."""
    shared: list[structlog.typing.Processor] = [
        add_request,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=shared,
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # a stranger's broken request is no news
