"""HTTP load for measurements: keep-alive connections that cost the client little, in a closed and in an open loop.

An open loop: requests are due at set times whether or not earlier ones were answered, and a request's latency counts
from when it was due, so that a server that stops is not asked less.
"""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np

HOST: Final = "127.0.0.1"
_BOUNDARY: Final = "3d6b6a416f9b5"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked; its content is made once, before it is due."""

    path: str
    method: str = "GET"
    content: bytes = b""
    content_type: str = "application/json"

    @classmethod
    def post(cls, path: str, body: Any) -> "Request":
        """With a JSON body."""
        return cls(path, "POST", json.dumps(body).encode())

    @classmethod
    def upload(cls, path: str, image: bytes, **fields: str) -> "Request":
        """With a form: a photo and other fields."""
        parts = [_part(f'name="{name}"', value.encode()) for name, value in fields.items()]
        parts.append(_part('name="image"; filename="a.jpg"\r\nContent-Type: image/jpeg', image))
        content = b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()
        return cls(path, "POST", content, f"multipart/form-data; boundary={_BOUNDARY}")

    @property
    def wire(self) -> bytes:
        """As it is sent."""
        head = f"{self.method} {self.path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(self.content)}\r\n"
        return f"{head}Content-Type: {self.content_type}\r\n\r\n".encode() + self.content


def _part(about: str, value: bytes) -> bytes:
    return f"--{_BOUNDARY}\r\nContent-Disposition: form-data; {about}\r\n\r\n".encode() + value + b"\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: when it was due and when it was sent (time.perf_counter), seconds from then until its answer came.

    Status 0: none came.
    """

    due: float
    sent: float
    seconds: float
    """From when it was due."""
    status: int

    @property
    def since_sent(self) -> float:
        """Seconds from when it was sent, without what the client itself was late."""
        return self.seconds - (self.sent - self.due)


class Connection:
    """One keep-alive connection, one request at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._wire: _Wire | None = None

    async def request(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Status and body; status 0 where the connection failed."""
        return await self.ask(Request(path, method, b"" if body is None else json.dumps(body).encode()))

    async def ask(self, request: Request) -> tuple[int, bytes]:
        """Status and body; status 0 where the connection failed."""
        again = self._wire is not None  # the server may have closed it for having been idle
        status, answer = await self._ask(request)
        return await self._ask(request) if again and status == 0 else (status, answer)

    async def _ask(self, request: Request) -> tuple[int, bytes]:
        try:
            if self._wire is None:
                loop = asyncio.get_running_loop()
                _, self._wire = await loop.create_connection(_Wire, HOST, self._port)
            status, answer, stays = await self._wire.exchange(request.wire)
        except OSError:
            status, answer, stays = 0, b"", False
        if not stays:
            self.close()
        return status, answer

    def close(self) -> None:
        """Close it; the next request opens another."""
        if self._wire is not None:
            self._wire.close()
        self._wire = None


class _Wire(asyncio.Protocol):
    """Just enough of HTTP/1.1 for answers that announce their length."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._arrived = b""
        self._wanted = 0
        self._head: list[bytes] = []
        self._answer: asyncio.Future[tuple[int, bytes, bool]] | None = None

    async def exchange(self, sent: bytes) -> tuple[int, bytes, bool]:
        """Status, body, and whether the connection stays open; raises ConnectionError."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionError
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(sent)
        return await self._answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one only by its methods

    def data_received(self, data: bytes) -> None:
        self._arrived += data
        if not self._head:
            head, found, rest = self._arrived.partition(b"\r\n\r\n")
            if not found:
                return
            self._head, self._arrived = head.lower().split(b"\r\n"), rest
            self._wanted = next((int(line[15:]) for line in self._head if line.startswith(b"content-length:")), 0)
        if len(self._arrived) >= self._wanted and self._answer is not None and not self._answer.done():
            stays = b"connection: close" not in self._head
            self._answer.set_result((int(self._head[0].split()[1]), self._arrived[: self._wanted], stays))
            self._arrived, self._head = b"", []

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError())

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def closed_loop(port: int, requests: Iterator[Request], *, clients: int, seconds: float) -> list[Answer]:
    """What so many clients get answered, each asking again at once."""
    until = time.perf_counter() + seconds
    answers: list[Answer] = []
    await asyncio.gather(*(_ask_until(Connection(port), requests, until, answers) for _ in range(clients)))
    return answers


async def _ask_until(connection: Connection, requests: Iterator[Request], until: float, answers: list[Answer]) -> None:
    while (sent := time.perf_counter()) < until:
        status, _ = await connection.ask(next(requests))
        answers.append(Answer(sent, sent, time.perf_counter() - sent, status))
    connection.close()


def rate(answers: Sequence[Answer]) -> float:
    """Requests a second that were answered 200, from the first one sent to the last answer."""
    began, ended = min(answer.due for answer in answers), max(answer.due + answer.seconds for answer in answers)
    return sum(answer.status == 200 for answer in answers) / (ended - began)


def percentiles_ms(seconds: Sequence[float], *at: float) -> list[float]:
    """Milliseconds; nan of nothing."""
    return [float(np.percentile(seconds, each)) * 1e3 if seconds else float("nan") for each in at]


async def open_loop(
    port: int, requests: Iterator[Request], *, rate: float, stop: asyncio.Event, most: int = 200
) -> list[Answer]:
    """Ask `rate` times a second until `stop`, over up to `most` connections."""
    answers: list[Answer] = []
    idle: list[Connection] = []
    asking: set[asyncio.Task[None]] = set()
    slots = asyncio.Semaphore(most)

    async def ask(due: float, request: Request) -> None:
        async with slots:
            connection = idle.pop() if idle else Connection(port)
            sent = time.perf_counter()
            status, _ = await connection.ask(request)
            answers.append(Answer(due, sent, time.perf_counter() - due, status))
            idle.append(connection)

    due = time.perf_counter()
    while not stop.is_set():
        due += 1 / rate
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        elif len(asking) % 16 == 0:
            await asyncio.sleep(0)  # it is late: let others run all the same
        task = asyncio.create_task(ask(due, next(requests)))
        asking.add(task)
        task.add_done_callback(asking.discard)
    await asyncio.gather(*asking)
    for connection in idle:
        connection.close()
    return answers


async def open_loop_for(
    port: int, requests: Iterator[Request], *, rate: float, seconds: float, most: int = 200
) -> list[Answer]:
    """`open_loop` for so long."""
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, stop.set)
    return await open_loop(port, requests, rate=rate, stop=stop, most=most)
