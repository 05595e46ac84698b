"""Photos from the web: only from hosts that are allowed and addresses that are public, within limits.

A name is resolved once. Every address it has must be public, and the connection goes to one of those very addresses,
so that nothing can change between the check and the connection. A redirect is a new address and judged anew.
"""

import asyncio
import logging
import re
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeAlias

import httpx

from catalogue.addresses import Address, AddressPolicy, HostList, as_address, ascii_host, is_name, is_public
from catalogue.containers import kind_of
from catalogue.errors import FetchFailed, FetchRefused, Overloaded, TooLarge
from catalogue.threads import DNS_THREADS

MAX_PHOTO_BYTES: Final = 20_000_000
MAX_URL: Final = 2_000
MAX_REDIRECTS: Final = 3
CONNECT_S: Final = 2.0
_TRIED_ADDRESSES: Final = 4
_MAX_LOOKUPS: Final = 64
_ENOUGH_TO_SNIFF: Final = 12
_NEVER_IN_A_URL: Final = re.compile(r"[\x00-\x20\x7f\\]")
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HEADERS: Final = {
    "User-Agent": "samestyle",
    "Accept": "image/*",
    "Accept-Encoding": "identity",  # nothing to unpack, so nothing that grows
    "Connection": "close",
}
_NO_MORE: Final[Mapping[str, str]] = {}
_REFUSED: Final = (
    "The photo cannot be fetched from there: its host is not allowed, is not known, or is not on the public internet. "
    "Send the photo's bytes in `image`."
)
"""One text whatever the reason: which names exist inside, and where they lead, is nobody's business."""

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name; raises OSError where there are none."""

for _name in ("httpx", "httpcore"):  # they would log whole URLs, and a query string may hold a secret
    logging.getLogger(_name).setLevel(logging.WARNING)


class Dns:
    """The system's resolver on threads of its own, so that one that hangs holds up nothing else.

    A lookup cannot be interrupted; at most `_MAX_LOOKUPS` are under way or waiting, those given up included.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(DNS_THREADS, thread_name_prefix="dns")
        self._room = threading.BoundedSemaphore(_MAX_LOOKUPS)

    async def __call__(self, host: str, port: int) -> list[str]:
        """The addresses of a name; raises OSError, or Overloaded when too many lookups hang."""
        if not self._room.acquire(blocking=False):
            raise Overloaded("Names of hosts are not being resolved at the moment. Try again.", retry_after=5)
        lookup = self._pool.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        lookup.add_done_callback(lambda _: self._room.release())
        return [str(entry[4][0]) for entry in await asyncio.wrap_future(lookup)]

    def close(self) -> None:
        """Start no more lookups."""
        self._pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Target:
    """A URL that may be asked for, and the addresses its host has."""

    url: httpx.URL
    host: str
    port: int
    addresses: tuple[Address, ...]

    @property
    def authority(self) -> str:
        """What stands in the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.url.scheme] else f"{host}:{self.port}"


class Fetcher:
    """Fetches photos from allowed hosts; one may be used from several event loops and threads.

    `resolve` and `allows` are seams: how names become addresses, and which addresses may be connected to.
    """

    def __init__(
        self,
        hosts: HostList,
        *,
        timeout_s: float,
        resolve: Resolve | None = None,
        allows: AddressPolicy = is_public,
    ) -> None:
        self._hosts = hosts
        self._timeout_s = timeout_s
        self._dns = Dns()  # has no threads before it is asked
        self._resolve: Resolve = resolve or self._dns
        self._allows = allows
        self._tls: ssl.SSLContext | None = None

    def close(self) -> None:
        """Look up no more names."""
        self._dns.close()

    async def fetch(self, url: str, headers: Mapping[str, str] = _NO_MORE) -> bytes:
        """The photo at an http(s) URL, in time, asked for with `headers` beside our own.

        Raises FetchRefused for what must not be fetched, FetchFailed for what cannot be, TooLarge over 20 MB, and
        Overloaded when names are not being resolved.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._follow(url, headers)
        except TimeoutError:
            raise FetchFailed(f"The photo was not there within {self._timeout_s:g} s. Send its bytes.") from None
        except (httpx.TransportError, OSError) as error:
            reason = "did not answer" if isinstance(error, httpx.ConnectError | OSError) else "broke off its answer"
            raise FetchFailed(f"The photo's host {reason}. Try again, or send the photo's bytes.") from None

    async def _follow(self, url: str, headers: Mapping[str, str]) -> bytes:
        target = await self._checked(url)
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._ask(target, headers)
            if isinstance(answer, bytes):
                return answer
            if target.url.scheme == "https" and answer.scheme == "http":
                raise FetchFailed("The photo's host redirects from https to http. Send the photo's bytes.")
            target = await self._checked(str(answer))
        raise FetchFailed(f"The photo's host redirects more than {MAX_REDIRECTS} times. Give the final URL.")

    async def _checked(self, text: str) -> _Target:
        """Where a URL leads, every address checked; raises FetchRefused."""
        url = _parsed(text)
        host, port = ascii_host(url), _DEFAULT_PORTS[url.scheme] if url.port is None else url.port
        literal = as_address(host)
        if (literal is None and not is_name(host)) or not self._hosts.allows(host, port):
            raise FetchRefused(_REFUSED)
        addresses = [literal] if literal is not None else await self._resolved(host, port)
        if not addresses or not all(self._allows(address, port) for address in addresses):
            raise FetchRefused(_REFUSED)
        return _Target(url, host, port, tuple(addresses))

    async def _resolved(self, host: str, port: int) -> list[Address]:
        try:
            found = [as_address(text) for text in await self._resolve(host, port)]
        except (OSError, UnicodeError):
            return []
        known = [address for address in dict.fromkeys(found) if address is not None]
        return known if None not in found else []  # with a scope or in a form nobody expects: not public

    async def _ask(self, target: _Target, headers: Mapping[str, str]) -> bytes | httpx.URL:
        """The photo, or where the host says it is."""
        if self._tls is None:  # made once, and off the loop: reading all trusted certificates takes a while
            self._tls = await asyncio.to_thread(httpx.create_ssl_context)
        transport = httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False)
        async with transport:  # no client: no cookies, no proxies of the environment, no redirects of its own
            response = await self._connected(transport, target, headers)
            try:
                return await _read(response, target.url)
            finally:
                await response.aclose()

    async def _connected(
        self, transport: httpx.AsyncHTTPTransport, target: _Target, headers: Mapping[str, str]
    ) -> httpx.Response:
        """The answer from the first address that can be connected to."""
        limits = httpx.Timeout(self._timeout_s, connect=min(CONNECT_S, self._timeout_s))
        failures: list[httpx.TransportError] = []
        for address in target.addresses[:_TRIED_ADDRESSES]:
            request = httpx.Request(
                "GET",
                target.url.copy_with(host=str(address), port=target.port),  # an address, so nothing is resolved again
                headers={**headers, "Host": target.authority, **_HEADERS},
                extensions={"sni_hostname": target.host, "timeout": limits.as_dict()},  # the certificate is the name's
            )
            try:
                return await transport.handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout) as failure:
                failures.append(failure)
        raise failures[-1]


def _parsed(text: str) -> httpx.URL:
    if len(text) > MAX_URL or _NEVER_IN_A_URL.search(text):
        raise FetchRefused(f"A photo's URL has at most {MAX_URL:,} characters, and no spaces, controls or backslashes.")
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        raise FetchRefused("The photo's URL cannot be read. Send one as in https://photos.example.com/1.jpg.") from None
    if url.scheme not in _DEFAULT_PORTS or not url.raw_host:
        raise FetchRefused("A photo's URL begins with http:// or https:// and a host.")
    if "@" in re.split("[/?#]", text.partition("://")[2], maxsplit=1)[0]:
        raise FetchRefused("A photo's URL holds no user name or password.")
    return url


async def _read(response: httpx.Response, url: httpx.URL) -> bytes | httpx.URL:
    """The body of an answer while it is a photo and within the limit, or the place it redirects to."""
    if response.status_code in _REDIRECTS:
        try:
            return url.join(response.headers.get("location", ""))
        except (httpx.InvalidURL, ValueError):
            raise FetchRefused("The photo's host redirects to what is no URL. Send the photo's bytes.") from None
    if response.status_code != httpx.codes.OK:
        raise FetchFailed(f"The photo's host answered {response.status_code}. Is the URL right, and open to all?")
    if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise FetchFailed("The photo's host sends it compressed once more. Send the photo's bytes.")
    announced = response.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > MAX_PHOTO_BYTES:
        raise _too_large()
    body = bytearray()
    async for part in response.aiter_raw():
        is_news = len(body) < _ENOUGH_TO_SNIFF
        body += part
        if len(body) > MAX_PHOTO_BYTES:
            raise _too_large()
        if is_news and len(body) >= _ENOUGH_TO_SNIFF:
            _check_is_photo(body)
    _check_is_photo(body)
    return bytes(body)


def _check_is_photo(head: bytes | bytearray) -> None:
    if kind_of(head) is None:
        raise FetchFailed("What is at that URL is no JPEG, PNG, WebP, GIF, BMP or TIFF photo.")


def _too_large() -> TooLarge:
    return TooLarge(f"The photo at that URL is over {MAX_PHOTO_BYTES // 1_000_000} MB. Give a smaller one.")
