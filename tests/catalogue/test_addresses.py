from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.addresses import HostList, is_public

INSIDE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255",
    "127.0.0.1", "127.255.255.254", "168.63.129.16", "169.254.0.23", "169.254.169.254", "169.254.170.2", "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::808:808", "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:10::1", "2001:20::1",
    "2001:db8::1", "2002:7f00:1::", "2002:808:808::", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254",
    "fe80::1", "fe80::1%1", "fec0::1", "ff02::1", "2606:4700::5efe:7f00:1", "2606:4700::200:5efe:a00:1",
    "2606:4700::1%1",
]  # fmt: skip
OUTSIDE = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "100.63.255.255", "100.128.0.1", "172.32.0.1", "168.63.129.17",
           "2606:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888"]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_what_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@given(st.integers(0, 2**32 - 1).map(IPv4Address) | st.integers(0, 2**128 - 1).map(IPv6Address))
def test_nothing_that_python_calls_private_is_public(address: IPv4Address | IPv6Address) -> None:
    if address.is_private or address.is_multicast or address.is_reserved or address.is_link_local:
        assert not is_public(address)


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_no_ipv4_address_is_public_in_disguise(address: IPv4Address) -> None:
    for prefix in (0, 0xFFFF << 32, 0x64_FF9B << 96, 0x64_FF9B_0001 << 80, 0x2001_0000 << 96):
        assert not is_public(IPv6Address(prefix | int(address)))
    assert not is_public(IPv6Address(0x2002 << 112 | int(address) << 80))


@pytest.mark.parametrize(
    ("listed", "host", "port", "is_allowed"),
    [
        ("photos.example.com", "photos.example.com", 443, True),
        ("photos.example.com", "photos.example.com", 80, True),
        ("Photos.Example.COM.", "photos.example.com", 443, True),
        ("photos.example.com", "photos.example.com", 8080, False),
        ("photos.example.com", "example.com", 443, False),
        ("photos.example.com", "a.photos.example.com", 443, False),
        ("photos.example.com", "photos.example.com.evil.test", 443, False),
        ("photos.example.com", "xphotos.example.com", 443, False),
        ("*.example.com", "a.example.com", 443, True),
        ("*.example.com", "a.b.example.com", 443, True),
        ("*.example.com", "example.com", 443, False),
        ("*.example.com", "notexample.com", 443, False),
        ("*.example.com:8443", "a.example.com", 8443, True),
        ("*.example.com:8443", "a.example.com", 443, False),
        ("a.example.com, b.example.com:81", "b.example.com", 81, True),
        ("a.example.com, b.example.com:81", "a.example.com", 443, True),
        ("*", "any.test", 443, True),
        ("*", "any.test", 22, False),
        ("*:8080", "any.test", 8080, True),
        ("8.8.8.8", "8.8.8.8", 80, True),
        ("[2606:4700::1]:8080", "2606:4700::1", 8080, True),
        ("bücher.example.com", "xn--bcher-kva.example.com", 443, True),
        ("", "photos.example.com", 443, False),
    ],
)
def test_the_list_of_hosts(listed: str, host: str, port: int, is_allowed: bool) -> None:
    assert HostList.parse(listed).allows(host, port) is is_allowed


@pytest.mark.parametrize(
    "listed",
    ["https://photos.example.com", "photos.example.com/a", "localhost", "*.localhost", "127.1", "0x7f.1", "*.8.8.8.8",
     "a b.example", "user@photos.example.com", "*example.com", "a.*.example.com", "photos.example.com:x",
     "photos.example.com:99999", "photos.example.com:0", "**",
     "inside.internal", "metadata.google.internal", "photos", "a..example.com"],
)  # fmt: skip
def test_what_is_no_host_is_refused(listed: str) -> None:
    with pytest.raises(ValueError, match="is no host"):
        HostList.parse(listed)
