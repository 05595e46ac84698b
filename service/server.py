"""The process: a bound socket, uvicorn, logs as JSON lines."""

import gc
import ipaddress
import logging
import os
import signal
import socket
import sys
from typing import Final

import structlog
import uvicorn

from catalogue.errors import ConfigurationError
from catalogue.settings import Settings
from service.app import create_app
from service.serving import Serving
from service.swapping import open_serving

DRAIN_S: Final = 10
BACKLOG: Final = 512


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests under way.

    Raises ConfigurationError for an address that cannot or must not be bound, and what loading raises.
    """
    _configure_logs()
    # uvicorn drains first and then raises the signal again; a drained process has ended well
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    listener = bind(settings.host, settings.port)
    serving, swaps = open_serving(settings)
    gc.freeze()  # what stays for good need not be looked at again: collecting garbage stops all threads
    _say_what_serves(settings, serving)
    app = create_app(serving, swaps, cursor_secret=_cursor_secret(settings))
    config = uvicorn.Config(
        app,
        http="h11",  # it bounds the headers at 64 KB; httptools does not
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
    )
    uvicorn.Server(config).run(sockets=[listener])


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; whoever connects before all is loaded waits instead of being refused."""
    if not _is_loopback(host):
        raise ConfigurationError(
            f"This version has no API keys, so it listens on loopback only, not on {host}. "
            "Use --host 127.0.0.1 and put a proxy that checks callers before it."
        )
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}. "
            "Is another server running there? Choose another --port."
        ) from None
    listener.listen(BACKLOG)
    return listener


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


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _configure_logs() -> None:
    """Our logs and the libraries', one JSON object a line on stderr."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
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
