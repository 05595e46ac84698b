"""Slow and many clients, on real sockets."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any, cast

import pytest
import uvicorn
import uvloop
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from service import connections
from service.connections import MAX_HEAD_BYTES, BoundedProtocol, Bounds, accepting
from tests.waiting import wait_until

PATIENCE_S = 20.0
GET = b"GET /small HTTP/1.1\r\nHost: a\r\n\r\n"


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/large":
        await PlainTextResponse(b"x" * 50_000_000)(scope, receive, send)
    elif scope["path"] == "/too-large":
        await PlainTextResponse("no", 413, {"Connection": "close"})(scope, receive, send)
    elif scope["path"] == "/refused":  # without a look at the body
        await PlainTextResponse("no", 401)(scope, receive, send)
    else:
        await PlainTextResponse(await Request(scope, receive).body() or b"ok")(scope, receive, send)


@contextmanager
def serving(bounds: Bounds, count: int = 1) -> Iterator[list[int]]:
    """A server on so many ports of loopback."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    if count == 2:
        bounds.admin_port = listeners[1].getsockname()[1]
    protocol = cast("type[asyncio.Protocol]", partial(BoundedProtocol, bounds=bounds))
    server = uvicorn.Server(
        uvicorn.Config(
            answer, http=protocol, ws="none", lifespan="off", log_config=None, timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        )
    )  # fmt: skip
    thread = threading.Thread(target=server.run, kwargs={"sockets": listeners})
    thread.start()
    try:
        yield [listener.getsockname()[1] for listener in listeners]
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def connected(port: int, **options: Any) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S, **options) as connection:
        yield connection


def read_all(connection: socket.socket) -> bytes:
    """Everything up to the end; a server that goes before it has read everything may cut it short."""
    read = b""
    try:
        while part := connection.recv(65_536):
            read += part
    except ConnectionResetError:
        pass
    return read


def ask(connection: socket.socket, request: bytes = GET) -> bytes:
    """The first bytes of an answer."""
    connection.sendall(request)
    return connection.recv(65_536)


def drip(connection: socket.socket, text: bytes) -> bytes:
    """Send a byte at a time, never pausing for long, until the other side has had enough; what it said."""
    deadline = time.monotonic() + PATIENCE_S
    connection.settimeout(0.02)
    at, read = 0, b""
    while time.monotonic() < deadline:
        try:
            connection.sendall(text[at % len(text) :][:1])
            at += 1
            if not (part := connection.recv(65_536)):
                return read
            read += part
        except TimeoutError:
            continue
        except (ConnectionResetError, BrokenPipeError):
            return read
    raise AssertionError("it was never closed")


def test_headers_that_drip_in_are_answered_408() -> None:
    with serving(Bounds(0.3, 10)) as (port,), connected(port) as connection:
        began = time.monotonic()
        connection.sendall(b"GET / HTTP/1.1\r\n")
        read = drip(connection, b"X-Header: value\r\n")
        assert read.startswith(b"HTTP/1.1 408 ")
        assert b"samestyle:too-slow" in read
        assert time.monotonic() - began >= 0.25


def test_who_says_nothing_is_let_go_without_a_word() -> None:
    with serving(Bounds(0.3, 10)) as (port,), connected(port) as connection:
        assert read_all(connection) == b""


def test_a_second_request_may_not_drip_either() -> None:
    with serving(Bounds(0.3, 10)) as (port,), connected(port) as connection:
        assert ask(connection).startswith(b"HTTP/1.1 200 ")
        assert drip(connection, b"GET / HTTP/1.1\r\nX-Header: value").startswith(b"HTTP/1.1 408 ")


def test_nor_the_body_of_a_request_that_is_answered() -> None:
    with serving(Bounds(0.3, 10)) as (port,), connected(port) as connection:
        connection.sendall(b"POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
        assert drip(connection, b"x").startswith(b"HTTP/1.1 401 ")


def test_who_is_refused_while_still_sending_can_send_on_and_read_why() -> None:
    """To close at once would be a reset, which many clients report in place of the answer."""
    head = b"POST /too-large HTTP/1.1\r\nHost: a\r\nContent-Length: 40000000\r\n\r\n"
    with serving(Bounds(30, 10)) as (port,):
        for _ in range(5):
            with connected(port) as connection:
                connection.sendall(head)
                for _ in range(40):
                    connection.sendall(b"x" * 1_000_000)
                assert read_all(connection).startswith(b"HTTP/1.1 413 ")


def test_but_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LINGER_S", 0.2)
    bounds = Bounds(30, 10)
    with serving(bounds) as (port,), connected(port) as connection:
        connection.sendall(b"POST /too-large HTTP/1.1\r\nHost: a\r\nContent-Length: 40000000\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413 ")

        def is_cut_off() -> bool:
            with suppress(ConnectionError):
                connection.sendall(b"x")
            return not bounds.open[False]

        wait_until(is_cut_off)


def test_who_has_sent_all_is_let_go_at_once() -> None:
    bounds = Bounds(30, 10)
    with serving(bounds) as (port,), connected(port) as connection:
        connection.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert read_all(connection).startswith(b"HTTP/1.1 200 ")
        wait_until(lambda: not bounds.open[False], seconds=connections.LINGER_S / 2)


@pytest.mark.parametrize("part", [1_000, 50_000, 1_000_000])
@pytest.mark.parametrize(
    "head", [b"GET /small?%b HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /small HTTP/1.1\r\nHost: a\r\nX: %b\r\n\r\n"]
)
def test_how_long_a_head_may_be_does_not_depend_on_how_it_arrives(head: bytes, part: int) -> None:
    for filler, status in ((MAX_HEAD_BYTES - len(head % b""), 200), (MAX_HEAD_BYTES, 431)):
        request = head % (b"x" * filler)
        with serving(Bounds(30, 10)) as (port,), connected(port) as connection:
            with suppress(ConnectionError):  # once it is known to be too long, no more of it is taken
                for at in range(0, len(request), part):
                    connection.sendall(request[at : at + part])
                    time.sleep(0.0005)
            read = connection.recv(65_536)
        assert read.startswith(b"HTTP/1.1 %d " % status)
        assert (b"samestyle:headers-too-large" in read) == (status == 431)


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
def test_a_large_body_after_a_short_head_is_no_long_head(line_end: bytes) -> None:
    head = line_end.join([b"POST /refused HTTP/1.1", b"Host: a", b"Content-Length: 1000000", b"", b""])
    with serving(Bounds(30, 10)) as (port,), connected(port) as connection:
        connection.sendall(head + b"x" * 1_000_000)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",  # the beginning of TLS
        b"GET / HTTP/1.1\r\n\r\n",  # no host
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n",
    ],
)
def test_what_is_no_http_is_refused_with_a_problem(garbage: bytes) -> None:
    with serving(Bounds(30, 10)) as (port,), connected(port) as connection:
        connection.sendall(garbage)
        read = read_all(connection)
    assert read.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in read.lower()
    assert b"samestyle:invalid-input" in read


def test_a_body_that_breaks_off_in_the_middle_of_an_answer_ends_the_connection() -> None:
    with serving(Bounds(30, 10)) as (port,), connected(port) as connection:
        connection.sendall(b"POST /large HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert connection.recv(1_000).startswith(b"HTTP/1.1 200 ")
        connection.sendall(b"no number\r\n")
        assert b"HTTP/1.1" not in read_all(connection)


def test_a_body_that_comes_slowly_is_not_the_headers() -> None:
    """Its time is bounded elsewhere, where it is known what it is for."""
    with serving(Bounds(0.3, 10)) as (port,), connected(port) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            time.sleep(0.08)
            connection.sendall(b"x")
        assert b"xxxxxxxxxx" in connection.recv(65_536) + connection.recv(65_536)


def test_many_slow_clients_keep_nobody_out_for_long() -> None:
    with serving(Bounds(2, 50)) as (port,):
        slow = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) for _ in range(60)]
        for connection in slow:
            connection.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        refused = [connection for connection in slow if b" 429 " in read_all(connection)[:20]]
        assert len(refused) == 10
        with connected(port) as connection:
            assert ask(connection).startswith(b"HTTP/1.1 200 ")
        for connection in slow:
            connection.close()


def test_one_connection_too_many_is_answered_429() -> None:
    with serving(Bounds(30, 3)) as (port,):
        kept = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) for _ in range(3)]
        assert all(ask(connection).startswith(b"HTTP/1.1 200 ") for connection in kept)
        with connected(port) as connection:
            read = read_all(connection)
            assert read.startswith(b"HTTP/1.1 429 ")
            assert b"samestyle:too-many-connections" in read
            assert b"retry-after: 1" in read.lower()
        assert ask(kept[0]).startswith(b"HTTP/1.1 200 ")
        for connection in kept:
            connection.close()
        deadline = time.monotonic() + PATIENCE_S
        while True:  # as soon as their ends are seen, there is room again
            with connected(port) as connection:
                if ask(connection).startswith(b"HTTP/1.1 200 "):
                    break
            assert time.monotonic() < deadline


def test_the_admin_port_has_connections_of_its_own() -> None:
    with serving(Bounds(30, 2), count=2) as (port, admin_port):
        kept = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) for _ in range(2)]
        assert all(ask(connection).startswith(b"HTTP/1.1 200 ") for connection in kept)
        with connected(port) as connection:
            assert read_all(connection).startswith(b"HTTP/1.1 429 ")
        with connected(admin_port) as connection:
            assert ask(connection).startswith(b"HTTP/1.1 200 ")
        for connection in kept:
            connection.close()


def test_many_that_connect_at_once_are_taken_in_few_turns() -> None:
    """libuv takes one connection of a listener a turn, and a busy gateway's turns are long."""

    async def turns(sockets: list[socket.socket]) -> int:
        loop, taken, turn = asyncio.get_running_loop(), [0], 0

        class Counting(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                taken[0] += 1

        servers = [await loop.create_server(Counting, sock=each) for each in sockets]
        with ExitStack() as clients:
            for _ in range(64):
                clients.enter_context(connected(sockets[0].getsockname()[1]))
            while taken[0] < 64:
                turn += 1
                await asyncio.sleep(0)
        for each in servers:
            each.close()
        return turn

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        assert runner.run(turns(accepting(listener))) <= 64 / 4


def test_requests_that_come_together_are_all_answered() -> None:
    with serving(Bounds(0.3, 10)) as (port,), connected(port) as connection:
        connection.sendall(GET * 5)
        read = read_all(connection)
        assert read.count(b"HTTP/1.1 200 ") == 5
        assert b"408" not in read


def test_who_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "READING_S", 0.3)
    bounds = Bounds(30, 10)
    with serving(bounds) as (port,), connected(port) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        connection.recv(1)
        wait_until(lambda: not bounds.open[False])
        assert len(read_all(connection)) < 50_000_000


def test_who_reads_slowly_but_steadily_gets_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "READING_S", 1.0)
    with serving(Bounds(30, 10)) as (port,), connected(port) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        read, began = 0, time.monotonic()
        while read < 50_000_000:
            part = connection.recv(1_000_000)
            assert part, "it was cut off"
            read += len(part)
            if time.monotonic() - began < 2.5:  # longer than a look or two
                time.sleep(0.02)
