"""Connections: how many may be open, how long a request's head is, how slowly a client may send it or read the answer.

uvicorn bounds neither the wait for a head nor the connections on which none has come yet, and refuses what is no HTTP
in plain text.
"""

import asyncio
import re
import resource
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from catalogue.errors import ConfigurationError
from service.problems import problem

ACCEPTED_AT_ONCE: Final = 16
"""Connections taken in one turn of the event loop. libuv takes one of a listener, and under load, when turns are long,
whoever connects anew would wait for hundreds of them."""
MAX_ADMIN_CONNECTIONS: Final = 64
FILES_BESIDE: Final = 512
"""Open files for all but connections: mapped indexes, the journal, Redis, photos."""
MAX_HEAD_BYTES: Final = 131_072
"""Of a request's line and headers; the longest lists of suppliers that a filter may name fit."""
_END_OF_HEAD: Final = re.compile(rb"\n\r?\n")
READING_S: Final = 20.0
READING_BYTES: Final = 200_000
"""What a client must take of an answer in `READING_S`, unless that is all of it."""
LINGER_S: Final = 5.0
"""How long one that is refused may go on sending."""


@dataclass(slots=True)
class Bounds:
    """What the connections of a server may do, and how many are open on the admin port and on the other one.

    The admin port has connections of its own: who fills the other one does not keep out engineers and health checks.
    """

    headers_timeout_s: float
    max_connections: int
    admin_port: int | None = None
    open: Counter[bool] = field(default_factory=Counter)

    def has_room(self, *, admin: bool) -> bool:
        """Whether one more may be opened."""
        return self.open[admin] < (MAX_ADMIN_CONNECTIONS if admin else self.max_connections)


def files_for(connections: int) -> int:
    """The open files that so many connections, and all else, need; raises ConfigurationError for more than allowed."""
    wanted, (_, hard) = connections + FILES_BESIDE, resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and wanted > hard:
        raise ConfigurationError(
            f"SAMESTYLE_MAX_CONNECTIONS={connections} needs {wanted} open files, and this process may have {hard}. "
            "Raise `ulimit -n`, or allow fewer connections."
        )
    return wanted


def accepting(listener: socket.socket) -> list[socket.socket]:
    """A listener as often as the event loop is to take a connection from it in one turn."""
    return [listener, *(listener.dup() for _ in range(ACCEPTED_AT_ONCE - 1))]


def emptied(listener: socket.socket) -> Iterator[socket.socket]:
    """The connections that wait at a listener, which is then closed."""
    with listener:
        listener.setblocking(False)
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # none is left, or no file for it
                return
            connection.setblocking(False)
            yield connection


class _LingeringTransport(asyncio.Transport):
    """A transport that, closed while the client is sending, stays until it has sent all, or for `LINGER_S`.

    To close on data that nobody has read makes TCP reset the connection, and many clients then report that instead of
    the answer that says why. What comes is to be read and thrown away.
    """

    def __init__(self, transport: asyncio.Transport, is_sending: Callable[[], bool]) -> None:
        super().__init__()
        self._transport = transport
        self._is_sending = is_sending
        self._end: asyncio.TimerHandle | None = None
        for name in ("write", "abort", "get_extra_info", "pause_reading", "resume_reading", "get_write_buffer_size"):
            setattr(self, name, getattr(transport, name))

    def is_closing(self) -> bool:
        """Whether nothing more is to be written."""
        return self._end is not None or self._transport.is_closing()

    def close(self) -> None:
        """Write what is to be written and end the connection, once the client can take that."""
        if self.is_closing():
            return
        if not self._is_sending():
            self._transport.close()
            return
        self._end = asyncio.get_running_loop().call_later(LINGER_S, self._transport.close)
        self._transport.resume_reading()
        self._transport.write_eof()

    def gone(self) -> None:
        """The connection is over."""
        if self._end is not None:
            self._end.cancel()


class BoundedProtocol(H11Protocol):
    """A connection that is closed when its client is too slow, and at once when there are too many."""

    def __init__(self, *args: Any, bounds: Bounds, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bounds = bounds
        self._counted_as: bool | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._reading: asyncio.TimerHandle | None = None
        self._lingering: _LingeringTransport | None = None
        self._is_broken = False
        self._arrived = 0
        """Bytes since the last head was complete, while one is awaited."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it and wait for headers, or refuse it."""
        self._lingering = _LingeringTransport(transport, self._is_sending)
        super().connection_made(self._lingering)
        admin = self.server is not None and self.server[1] == self._bounds.admin_port
        if not self._bounds.has_room(admin=admin):
            self._refuse(429, "too-many-connections", "Too many connections are open. Try again in a second.")
            return
        self._bounds.open[admin] += 1
        self._counted_as = admin
        self._expect_headers()

    @property
    def is_new(self) -> bool:
        """Whether no request has come yet."""
        return self.cycle is None and not self.transport.is_closing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no more."""
        if self._counted_as is not None:
            self._bounds.open[self._counted_as] -= 1
        self._stop(self._patience, self._reading)
        if self._lingering is not None:
            self._lingering.gone()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless it is being closed or a request's head is too long, in however many parts it comes."""
        if self.transport.is_closing():
            return
        if self.conn.their_state is h11.IDLE:
            self._arrived += len(data)
            if self._arrived > MAX_HEAD_BYTES and _is_too_long(self.conn.trailing_data[0], data):
                self._is_broken = True
                detail = f"The URL and headers are over {MAX_HEAD_BYTES:,} bytes. Send less."
                self._refuse(431, "headers-too-large", detail)
                return
        super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP with a problem; uvicorn's own is plain text."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self._refuse(400, "invalid-input", f"{msg} Send HTTP/1.1 as RFC 9112 has it.")
        else:
            self.transport.close()  # in the middle of an answer

    def handle_events(self) -> None:
        """Wait no longer for headers once they have come."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._arrived = len(self.conn.trailing_data[0])  # of the next request, where that has come already
            if not self.cycle.response_complete:
                self._stop(self._patience)

    def on_response_complete(self) -> None:
        """Wait for the next request; what is left of this one's body must come in the same time."""
        self._expect_headers()
        super().on_response_complete()  # begins the next request where that has come already

    def pause_writing(self) -> None:
        """Look from now on whether the client takes the answer."""
        super().pause_writing()
        self._watch_reading()

    def resume_writing(self) -> None:
        """It has taken it."""
        super().resume_writing()
        self._stop(self._reading)

    def _is_sending(self) -> bool:
        """Whether more may come from the client, of a body that is not complete or of what is no request."""
        return self._is_broken or self.conn.their_state in {h11.SEND_BODY, h11.ERROR}

    def _expect_headers(self) -> None:
        self._stop(self._patience)
        self._patience = self.loop.call_later(self._bounds.headers_timeout_s, self._headers_did_not_come)

    def _headers_did_not_come(self) -> None:
        if self.conn.our_state is h11.IDLE and self.conn.trailing_data[0]:
            limit = f"{self._bounds.headers_timeout_s:g} s"
            self._refuse(408, "too-slow", f"The headers of the request did not come within {limit}. Send them faster.")
        else:
            self.transport.close()

    def _refuse(self, status: int, slug: str, detail: str) -> None:
        retry = {"Retry-After": "1"} if status in {408, 429} else {}
        answer = problem(status, slug, detail, headers={"Connection": "close", **retry})
        head = h11.Response(status_code=status, headers=answer.raw_headers)
        for event in (head, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _watch_reading(self) -> None:
        self._stop(self._reading)
        self._reading = self.loop.call_later(READING_S, self._check, self.transport.get_write_buffer_size())

    def _check(self, before: int) -> None:
        if before - self.transport.get_write_buffer_size() < min(before, READING_BYTES):
            self.transport.abort()  # the rest of an answer is of no use to who does not read it
        else:
            self._watch_reading()

    @staticmethod
    def _stop(*timers: asyncio.TimerHandle | None) -> None:
        for timer in timers:
            if timer is not None:
                timer.cancel()


def _is_too_long(held: bytes, data: bytes) -> bool:
    """Whether a head that begins with what is held and goes on with `data` is longer than may be."""
    if len(held) + len(data) <= MAX_HEAD_BYTES:
        return False
    return _END_OF_HEAD.search((held + data)[:MAX_HEAD_BYTES]) is None
