"""Which hosts and addresses a photo may be fetched from.

A name says nothing about where it leads, so both are judged: the name by a list of what is allowed, and every address
it resolves to by what is public.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import httpx

from catalogue.errors import ConfigurationError

Address: TypeAlias = IPv4Address | IPv6Address
AddressPolicy: TypeAlias = Callable[[Address, int], bool]
"""Whether an address may be connected to on a port."""

WEB_PORTS: Final = frozenset({80, 443})
_NOT_PUBLIC_V4: Final = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata service
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's metadata service, on a public address
        "169.254.0.0/16",  # link-local; the metadata services of AWS, Azure, Google and others
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata service
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved; broadcast
    )
)
_GLOBAL_V6: Final = ip_network("2000::/3")
"""Nothing outside it is public: not loopback, v4-mapped, v4-compatible, NAT64, unique local, link-local, multicast."""
_NOT_PUBLIC_V6: Final = tuple(
    ip_network(text)
    for text in (
        "2001::/23",  # protocol assignments; Teredo
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "3fff::/20",
    )
)
_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})
"""The middle of an IPv6 address that ends in an IPv4 one."""
_NAME: Final = re.compile(r"(?!.{254})([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
"""At least two labels, the last not a number: 127.1, 0x7f.1 and 2130706433 are addresses to a resolver."""
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
_PRIVATE_NAMES: Final = (
    "localhost", "localdomain", "local", "internal", "intranet", "lan", "home.arpa", "arpa", "onion",
    "metadata.goog", "metadata.tencentyun.com",
)  # fmt: skip


def is_public(address: Address, _port: int = 0) -> bool:
    """Whether an address is one of the public internet, and none that only stands for another."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    if address not in _GLOBAL_V6 or address.scope_id is not None:
        return False
    if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
        return False
    return not any(address in network for network in _NOT_PUBLIC_V6)


def as_address(host: str) -> Address | None:
    """The address a host is written as, in its usual form only; None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Whether a host, without the brackets of IPv6, is this very machine."""
    address = as_address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def url_from_here(host: str, port: int) -> str:
    """Where a server of this machine that listens on `host` is asked; what listens everywhere, on loopback."""
    host = _EVERYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def check_url(url: str) -> None:
    """Raise ConfigurationError unless `url` is the address of a server: http or https, a host, perhaps a port."""
    try:
        parts = urlsplit(url)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine or not url.isprintable() or " " in url:
        raise ConfigurationError(f"{url!r} is no address of a server; give one such as http://127.0.0.1:8000.")


def is_name(host: str) -> bool:
    """Whether a host, in lower case, is a name of the public internet as far as a name can tell."""
    if not _NAME.fullmatch(host):
        return False
    return not any(host == private or host.endswith(f".{private}") for private in _PRIVATE_NAMES)


def ascii_host(url: httpx.URL) -> str:
    """The host in lower-case ASCII, without the brackets of IPv6 and the dot a full name may end in."""
    return url.raw_host.decode("ascii").lower().removesuffix(".")


@dataclass(frozen=True, slots=True)
class HostList:
    """Hosts photos may be fetched from; see `parse`."""

    patterns: tuple[tuple[str, int | None], ...] = ()

    @classmethod
    def parse(cls, text: str) -> "HostList":
        """Hosts separated by commas: `photos.example.com`, `*.example.com` (all below it), `*` (any public host).

        Each is allowed on ports 80 and 443, or with `:port` on that port only. Raises ValueError.
        """
        return cls(tuple(_pattern(part.strip()) for part in text.split(",") if part.strip()))

    def allows(self, host: str, port: int) -> bool:
        """Whether one of them is `host` (as `ascii_host` gives it) on `port`."""
        return any(
            (port in WEB_PORTS if only is None else port == only) and _matches(pattern, host)
            for pattern, only in self.patterns
        )


def _pattern(text: str) -> tuple[str, int | None]:
    stars = "*" if text == "*" or text.startswith("*:") else "*." if text.startswith("*.") else ""
    try:
        url = httpx.URL(f"//{text.removeprefix(stars) if stars != '*' else 'any.example' + text[1:]}")
        host, port = ascii_host(url), url.port
    except (httpx.InvalidURL, ValueError):
        host, port, url = "", None, httpx.URL("")
    is_port = port is None or 0 < port < 65_536
    is_host = is_name(host) or (as_address(host) is not None and not stars)
    if not is_host or not is_port or url.userinfo or url.raw_path not in {b"", b"/"}:
        raise ValueError(f"{text!r} is no host: use photos.example.com, *.example.com or *, each with or without :port")
    return (stars if stars == "*" else stars + host), port


def _matches(pattern: str, host: str) -> bool:
    if pattern == "*":
        return True
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
