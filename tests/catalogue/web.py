"""A web server on loopback that behaves as badly as its paths say, and counts who comes."""

import http.server
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from catalogue.addresses import Address, HostList, is_public
from catalogue.fetch import Fetcher
from tests.catalogue.pictures import plain

JPEG = plain()
NAME = "photos.example"
"""Resolves to where the server is."""


class Web(http.server.ThreadingHTTPServer):
    """The server; `connections` came, and `asked` are the paths."""

    daemon_threads = True

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.connections = 0
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.came, self.gone = threading.Event(), threading.Event()
        """Somebody asked; somebody went away in the middle of an answer."""
        super().__init__((address, port), _Handler)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def get_request(self) -> tuple[Any, Any]:
        self.connections += 1
        return super().get_request()

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass

    @property
    def url(self) -> str:
        return f"http://{NAME}:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Web

    def do_GET(self) -> None:
        self.close_connection = True
        self.server.asked.append(self.path)
        self.server.headers.append(dict(self.headers.items()))
        self.server.came.set()
        kind, _, rest = self.path[1:].partition("/")
        try:
            getattr(self, f"_{kind.partition('?')[0].replace('-', '_').replace('.', '_')}", self._none)(rest)
        except OSError:
            self.server.gone.set()

    def _none(self, _: str) -> None:
        self._answer(HTTPStatus.NOT_FOUND, b"no")

    def _a_jpg(self, _: str) -> None:
        self._answer(HTTPStatus.OK, JPEG)

    def _moved(self, _: str) -> None:
        self._answer(HTTPStatus.FOUND, b"", Location="/a.jpg")

    def _loop(self, _: str) -> None:
        self._answer(HTTPStatus.FOUND, b"", Location="/loop")

    def _hops(self, left: str) -> None:
        self._answer(
            HTTPStatus.TEMPORARY_REDIRECT, b"", Location=f"/hops/{int(left) - 1}" if int(left) > 1 else "/a.jpg"
        )

    def _to(self, location: str) -> None:
        self._answer(HTTPStatus.MOVED_PERMANENTLY, b"", Location=unquote(location))

    def _nowhere(self, _: str) -> None:
        self._answer(HTTPStatus.FOUND, b"")

    def _status(self, code: str) -> None:
        self._answer(HTTPStatus(int(code)), JPEG)

    def _short(self, _: str) -> None:
        self._answer(HTTPStatus.OK, JPEG, Content_Length=str(len(JPEG) + 1))

    def _long(self, _: str) -> None:
        self._answer(HTTPStatus.OK, JPEG + b"x" * 100_000, Content_Length=str(len(JPEG)))

    def _cut(self, _: str) -> None:
        self._answer(HTTPStatus.OK, JPEG[:300])

    def _huge(self, _: str) -> None:
        self._answer(HTTPStatus.OK, JPEG, Content_Length="20000001")

    def _encoded(self, name: str) -> None:
        self._answer(HTTPStatus.OK, JPEG, Content_Encoding=name)

    def _html(self, _: str) -> None:
        self._answer(HTTPStatus.OK, b"<!doctype html>" * 100, Content_Type="image/jpeg")

    def _text(self, _: str) -> None:
        self._answer(HTTPStatus.OK, JPEG, Content_Type="text/html")

    def _empty(self, _: str) -> None:
        self._answer(HTTPStatus.OK, b"")

    def _endless(self, _: str) -> None:
        self._pour(JPEG + b"x" * 1_000_000, 0)

    def _endless_html(self, _: str) -> None:
        self._pour(b"<html>" * 100_000, 0)

    def _drip(self, _: str) -> None:
        self._pour(b"x", 0.02, JPEG)

    def _drip_headers(self, _: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(1000):
            self.wfile.write(f"X-{number}: 1\r\n".encode())
            time.sleep(0.02)

    def _continue(self, _: str) -> None:
        for _number in range(1000):
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            time.sleep(0.02)

    def _headers(self, _: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Large: " + b"a" * 2_000_000 + b"\r\n\r\n")

    def _garbage(self, _: str) -> None:
        self.wfile.write(b"\0\xffSSH-2.0-OpenSSH_9.0\r\n\r\n" * 10)

    def _close(self, _: str) -> None:
        pass

    def _answer(self, status: HTTPStatus, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content_Length": str(len(body)), "Connection": "close"} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _pour(self, part: bytes, pause: float, first: bytes = b"") -> None:
        self.send_response(HTTPStatus.OK)
        self.end_headers()
        self.wfile.write(first)
        for _ in range(1000):
            self.wfile.write(part)
            time.sleep(pause)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serving(address: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Web]:
    with Web(address, port) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Names:
    """A resolver of a few names; a list of lists is answered one after the other, the last for good."""

    def __init__(self, **names: Sequence[Sequence[str]]) -> None:
        self._names = {name.replace("_", "."): list(answers) for name, answers in names.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        answers = self._names.get(host)
        if answers is None:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return answers.pop(0) if len(answers) > 1 else answers[0]


def fetcher_of(
    *servers: Web,
    names: Names | None = None,
    hosts: str | None = None,
    timeout_s: float = 10,
    address: str = "127.0.0.1",
) -> Fetcher:
    """One to which the servers, at `address`, are as public as what is."""
    ports = {server.server_port for server in servers}

    def allows(candidate: Address, port: int) -> bool:
        return is_public(candidate) or (str(candidate) == address and port in ports)

    allowed = ",".join(["*", *(f"*:{port}" for port in ports)]) if hosts is None else hosts
    known = names or Names(photos_example=[[address]])
    return Fetcher(HostList.parse(allowed), timeout_s=timeout_s, resolve=known, allows=allows)
