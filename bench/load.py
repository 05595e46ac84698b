"""HTTP load for measurements: keep-alive connections that cost the client little, at a steady rate.

An open loop: requests are due at set times whether or not earlier ones were answered, and a request's latency counts
from when it was due, so that a server that stops is not asked less.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: when it was due (time.perf_counter), seconds until its answer, and the status (0: none came)."""

    due: float
    seconds: float
    status: int


class Connection:
    """One keep-alive connection, one request at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Status and body; status 0 where the connection failed."""
        again = self._streams is not None  # the server may have closed it for having been idle
        status, answer = await self._request(method, path, body)
        return await self._request(method, path, body) if again and status == 0 else (status, answer)

    async def _request(self, method: str, path: str, body: Any) -> tuple[int, bytes]:
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(content)}\r\n"
        head += "Content-Type: application/json\r\n\r\n"
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection(HOST, self._port)
            reader, writer = self._streams
            writer.write(head.encode() + content)
            lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
            length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
            answer = await reader.readexactly(length)
            if b"connection: close" in lines:
                self.close()
            return int(lines[0].split()[1]), answer
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            return 0, b""

    def close(self) -> None:
        """Close it; the next request opens another."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


async def closed_loop(port: int, paths: Iterator[str], *, clients: int, seconds: float) -> float:
    """Requests a second that so many clients get answered, each asking again at once."""
    until = time.perf_counter() + seconds
    counts = await asyncio.gather(*(_ask_until(Connection(port), paths, until) for _ in range(clients)))
    return sum(counts) / seconds


async def _ask_until(connection: Connection, paths: Iterator[str], until: float) -> int:
    count = 0
    while time.perf_counter() < until:
        status, _ = await connection.request("GET", next(paths))
        count += status == 200
    connection.close()
    return count


async def open_loop(
    port: int, paths: Iterator[str], *, rate: float, stop: asyncio.Event, most: int = 200
) -> list[Answer]:
    """Ask `rate` times a second until `stop`, over up to `most` connections."""
    answers: list[Answer] = []
    idle: list[Connection] = []
    asking: set[asyncio.Task[None]] = set()
    slots = asyncio.Semaphore(most)

    async def ask(due: float, path: str) -> None:
        async with slots:
            connection = idle.pop() if idle else Connection(port)
            status, _ = await connection.request("GET", path)
            answers.append(Answer(due, time.perf_counter() - due, status))
            idle.append(connection)

    due = time.perf_counter()
    while not stop.is_set():
        due += 1 / rate
        await asyncio.sleep(max(0, due - time.perf_counter()))
        task = asyncio.create_task(ask(due, next(paths)))
        asking.add(task)
        task.add_done_callback(asking.discard)
    await asyncio.gather(*asking)
    for connection in idle:
        connection.close()
    return answers
