"""The fetcher against real servers on loopback: one that may be asked, and some that nobody may come to."""

import asyncio
import logging
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue import fetch
from catalogue.addresses import HostList
from catalogue.errors import FetchFailed, FetchRefused, InvalidInput, Overloaded, TooLarge
from catalogue.fetch import Dns, Fetcher
from tests.catalogue.web import JPEG, Names, Web, fetcher_of, serving

# Where they would lead if they were asked: {port} is that of a server on every loopback address.
TO_INSIDE = [
    # loopback, written in every way a resolver takes
    "http://127.0.0.1:{port}/", "http://127.1:{port}/", "http://127.0.1:{port}/", "http://0:{port}/",
    "http://0.0.0.0:{port}/", "http://2130706433:{port}/", "http://0x7f000001:{port}/", "http://0x7F.0.0.1:{port}/",
    "http://0x7f.1:{port}/", "http://0177.0.0.1:{port}/", "http://017700000001:{port}/", "http://0000177.0.0.01:{port}/",
    "http://127.000.000.001:{port}/", "http://127.0.0.1.:{port}/", "http://127.8.8.8:{port}/", "http://4294967296:{port}/",
    "http://localhost:{port}/", "http://LocalHost:{port}/", "http://localhost.:{port}/", "http://a.localhost:{port}/",
    "http://localhost.localdomain:{port}/", "http://ip6-localhost:{port}/", "HTTP://127.0.0.1:{port}/",
    # IPv6
    "http://[::1]:{port}/", "http://[0:0:0:0:0:0:0:1]:{port}/", "http://[0000::0001]:{port}/", "http://[::]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/", "http://[::FFFF:7f00:1]:{port}/", "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/",
    "http://[::127.0.0.1]:{port}/", "http://[::ffff:0:127.0.0.1]:{port}/", "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[64:ff9b:1::7f00:1]:{port}/", "http://[2002:7f00:1::]:{port}/", "http://[2001:0:7f00:1::]:{port}/",
    "http://[fe80::1]:{port}/", "http://[fe80::1%25lo]:{port}/", "http://[::1%25lo]:{port}/", "http://[fc00::1]:{port}/",
    "http://[ff02::1]:{port}/", "http://[2001:db8::1]:{port}/", "http://[2606:4700::5efe:7f00:1]:{port}/",
    # other networks inside, and metadata services
    "http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.0.1/", "http://100.64.0.1/", "http://198.18.0.1/",
    "http://224.0.0.1/", "http://240.0.0.1/", "http://255.255.255.255/",
    "http://169.254.169.254/latest/meta-data/", "http://2852039166/", "http://0xA9FEA9FE/", "http://0251.0376.0251.0376/",
    "http://[::ffff:169.254.169.254]/", "http://[fd00:ec2::254]/", "http://169.254.170.2/v2/credentials",
    "http://100.100.100.200/latest/meta-data/", "http://192.0.0.192/", "http://168.63.129.16/",
    "http://metadata.google.internal/computeMetadata/v1/", "http://METADATA.google.internal./", "http://metadata.goog/",
    "http://metadata/", "http://metadata.tencentyun.com/", "http://instance-data/", "http://kubernetes.default.svc/",
    # names that lead inside
    "http://inside.example:{port}/", "http://mixed.example:{port}/", "http://mapped.example:{port}/",
    "http://nat64.example:{port}/", "http://scoped.example:{port}/", "http://odd.example:{port}/",
    "http://empty.example:{port}/", "http://nobody.example:{port}/", "http://printer.local:{port}/",
    # user names, and what only looks like a host
    "http://photos.example@127.0.0.1:{port}/", "http://photos.example:80@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}@photos.example/", "http://@127.0.0.1:{port}/", "http://user:secret@photos.example/",
    "http://photos.example\\@127.0.0.1:{port}/", "http://127.0.0.1:{port}\\@photos.example/",
    "http://photos.example%40127.0.0.1:{port}/", "http://127.0.0.1:{port}#@photos.example/",
    "http://127.0.0.1:{port}?@photos.example/", "http://photos.example#@127.0.0.1:{port}@/",
    # digits and dots that are none, and percent signs
    "http://１２７.0.0.1:{port}/", "http://①②⑦.⓪.⓪.①:{port}/", "http://127。0。0。1:{port}/",  # noqa: RUF001
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{port}/", "http://lоcalhost:{port}/", "http://ｌocalhost:{port}/",  # noqa: RUF001
    "http://127%2e0%2e0%2e1:{port}/", "http://%31%32%37.0.0.1:{port}/", "http://127.0.0.1%00.photos.example:{port}/",
    "http://127.0.0.1%09:{port}/", "http://loc\u00adalhost:{port}/", "http://\u202e127.0.0.1:{port}/",
    # what breaks a line of the request
    "http://photos.example/\r\nHost: 127.0.0.1:{port}", "http://photos.example\r\n:{port}/", "http://127.0.0.1:{port}\t/",
    " http://127.0.0.1:{port}/", "http://127.0.0.1:{port}/ HTTP/1.1", "http://photos.example/\x00",
    "http://photos.example%0d%0aHost:127.0.0.1/",
    # ports
    "http://photos.example:22/", "http://photos.example:6379/", "http://photos.example:0/", "http://photos.example:65536/",
    "http://photos.example:-1/", "http://photos.example:80a/", "https://photos.example:25/",
    # other schemes, and none
    "file:///etc/passwd", "FILE:///etc/passwd", "file://127.0.0.1/etc/passwd", "ftp://127.0.0.1:{port}/a.jpg",
    "gopher://127.0.0.1:{port}/_GET", "dict://127.0.0.1:{port}/", "ldap://127.0.0.1:{port}/", "tftp://127.0.0.1:{port}/",
    "ws://127.0.0.1:{port}/", "jar:http://127.0.0.1:{port}/!/", "data:image/jpeg;base64,AAAA", "javascript:alert(1)",
    "unix:/run/docker.sock", "http+unix://%2Frun%2Fdocker.sock/", "//127.0.0.1:{port}/", "127.0.0.1:{port}",
    "/a.jpg", "", "http:", "http://", "http:///a.jpg", "http:127.0.0.1:{port}", "http:/127.0.0.1:{port}/", "http://?",
    "http://[", "http://[]/", "http://[1]/", "http://[::1/", "http://:{port}/", "http://.:{port}/", "http://../", "http://\ud800/",
    # lengths
    "http://127.0.0.1:{port}/" + "a" * 3_000,
    "http://" + "a." * 200 + "example:{port}/", "http://" + "a" * 64 + ".example/",
]  # fmt: skip

INSIDE_NAMES: dict[str, list[list[str]]] = {
    "photos_example": [["127.0.0.1"]],
    "inside_example": [["127.0.0.2"]],
    "mixed_example": [["93.184.216.34", "127.0.0.2"]],
    "mapped_example": [["::ffff:127.0.0.1"]],
    "nat64_example": [["64:ff9b::7f00:1"]],
    "scoped_example": [["fe80::1%lo"]],
    "odd_example": [["localhost"]],
    "empty_example": [[]],
}


@pytest.fixture
def shop() -> Iterator[Web]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def inside() -> Iterator[Web]:
    """Listens on every address of this machine that it can."""
    with serving("::" if socket.has_dualstack_ipv6() else "0.0.0.0") as server:
        yield server


def get(fetcher: Fetcher, url: str) -> bytes:
    return asyncio.run(fetcher.fetch(url))


class TestInside:
    def test_there_is_something_to_be_reached(self, inside: Web) -> None:
        reached = 0
        for url in TO_INSIDE[:30]:
            try:
                reached += httpx.get(url.format(port=inside.server_port), timeout=2, trust_env=False).status_code == 404
            except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
                continue
        assert reached >= 8  # by a client that checks nothing

    @pytest.mark.parametrize("url", TO_INSIDE)
    def test_nobody_comes_to_a_server_inside(self, shop: Web, inside: Web, url: str) -> None:
        fetcher = fetcher_of(shop, names=Names(**INSIDE_NAMES), hosts=f"*,*:{inside.server_port}")
        before = inside.connections
        with pytest.raises(FetchRefused):
            get(fetcher, url.replace("{port}", str(inside.server_port)))
        assert (inside.connections, shop.connections) == (before, 0)

    @pytest.mark.parametrize(
        "url", [*TO_INSIDE[:60], "file:///etc/passwd", "http://[", "http://inside.example:{port}/"]
    )
    def test_nor_by_a_redirect(self, shop: Web, inside: Web, url: str) -> None:
        hosts = f"*,*:{shop.server_port},*:{inside.server_port}"
        fetcher = fetcher_of(shop, names=Names(**INSIDE_NAMES), hosts=hosts)
        before = inside.connections
        with pytest.raises(FetchRefused):
            get(fetcher, f"{shop.url}/to/{quote(url.replace('{port}', str(inside.server_port)), safe='')}")
        assert (inside.connections, shop.connections) == (before, 1)

    def test_all_refusals_of_a_host_read_the_same(self, shop: Web) -> None:
        fetcher = fetcher_of(shop, names=Names(**INSIDE_NAMES), hosts="*")
        texts = set()
        for host in ("inside.example", "mixed.example", "nobody.example", "10.0.0.1", "localhost", "photos.example:22"):
            with pytest.raises(FetchRefused) as refused:
                get(fetcher, f"http://{host}/")
            texts.add(str(refused.value))
        assert len(texts) == 1
        assert not re.search(r"\d+\.\d+|example", texts.pop())


class TestRebinding:
    def test_the_address_that_was_checked_is_the_one_connected_to(self) -> None:
        with serving("127.0.0.1") as shop, serving("127.0.0.2", shop.server_port) as inside:
            names = Names(photos_example=[["127.0.0.1"], ["127.0.0.2"]])
            assert get(fetcher_of(shop, names=names), f"{shop.url}/a.jpg") == JPEG
            assert names.asked == ["photos.example"]  # once: there is no second answer to be fooled by
            with pytest.raises(FetchRefused):
                get(fetcher_of(shop, names=names), f"{shop.url}/a.jpg")
            assert (shop.connections, inside.connections) == (1, 0)

    def test_a_redirect_to_the_same_name_is_checked_again(self) -> None:
        with serving("127.0.0.1") as shop, serving("127.0.0.2", shop.server_port) as inside:
            names = Names(photos_example=[["127.0.0.1"], ["127.0.0.2"]])
            with pytest.raises(FetchRefused):
                get(fetcher_of(shop, names=names), f"{shop.url}/moved")
            assert (shop.connections, inside.connections) == (1, 0)

    def test_the_next_address_is_tried_where_one_is_dead(self) -> None:
        with serving("127.0.0.1") as shop:
            dead = fetcher_of(shop, names=Names(photos_example=[["127.0.0.9", "127.0.0.1"]]))
            dead._allows = lambda address, port: True
            assert get(dead, f"{shop.url}/a.jpg") == JPEG

    def test_it_asks_by_name(self, shop: Web) -> None:
        get(fetcher_of(shop), f"{shop.url}/a.jpg?w=5#part")
        assert shop.asked == ["/a.jpg?w=5"]
        assert shop.headers[0] == {
            "Host": f"photos.example:{shop.server_port}",
            "User-Agent": "samestyle",
            "Accept": "image/*",
            "Accept-Encoding": "identity",
            "Connection": "close",
        }


class TestHosts:
    @pytest.mark.parametrize("hosts", ["", "other.example", "*.photos.example", "photos.example", "photos.example:1"])
    def test_only_those_listed(self, shop: Web, hosts: str) -> None:
        with pytest.raises(FetchRefused):
            get(fetcher_of(shop, hosts=hosts), f"{shop.url}/a.jpg")
        assert shop.connections == 0

    @pytest.mark.parametrize("name", ["photos.example", "PHOTOS.Example", "photos.example."])
    def test_in_any_case_and_with_a_dot_at_the_end(self, shop: Web, name: str) -> None:
        fetcher = fetcher_of(shop, hosts=f"photos.example:{shop.server_port}")
        assert get(fetcher, f"http://{name}:{shop.server_port}/a.jpg") == JPEG

    def test_proxies_of_the_environment_are_not_used(
        self, shop: Web, inside: Web, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{inside.server_port}")
        before = inside.connections
        assert get(fetcher_of(shop), f"{shop.url}/a.jpg") == JPEG
        assert inside.connections == before


class TestRedirects:
    @pytest.mark.parametrize("path", ["/moved", "/hops/1", "/hops/3"])
    def test_three_are_followed(self, shop: Web, path: str) -> None:
        assert get(fetcher_of(shop), shop.url + path) == JPEG

    @pytest.mark.parametrize("path", ["/hops/4", "/loop", "/nowhere"])
    def test_more_are_not(self, shop: Web, path: str) -> None:
        with pytest.raises(FetchFailed, match="redirects more than 3 times"):
            get(fetcher_of(shop), shop.url + path)
        assert shop.connections == 4


class TestAnswers:
    @pytest.mark.parametrize(
        ("path", "reason"),
        [
            ("/none.jpg", "answered 404"), ("/status/500", "answered 500"), ("/status/206", "answered 206"),
            ("/status/204", "answered 204"), ("/status/304", "answered 304"), ("/short", "broke off"),
            ("/garbage", "broke off"), ("/close", "broke off"), ("/headers", "broke off"),
            ("/encoded/gzip", "compressed"), ("/encoded/br", "compressed"), ("/encoded/identity, gzip", "compressed"),
            ("/html", "no JPEG"), ("/endless-html", "no JPEG"), ("/empty", "no JPEG"),
            ("/drip", "within 0.4 s"), ("/drip-headers", "within 0.4 s"), ("/continue", "within 0.4 s"),
        ],
    )  # fmt: skip
    def test_what_is_no_photo(self, shop: Web, path: str, reason: str) -> None:
        started = time.monotonic()
        with pytest.raises(FetchFailed, match=reason):
            get(fetcher_of(shop, timeout_s=0.4 if "within" in reason else 60), shop.url + quote(path))
        assert time.monotonic() - started < (10 if "within" in reason else 50)  # the drip goes on for longer

    @pytest.mark.parametrize("path", ["/endless", "/huge"])
    def test_what_is_too_large(self, shop: Web, path: str) -> None:
        with pytest.raises(TooLarge, match="over 20 MB"):
            get(fetcher_of(shop), shop.url + path)

    @pytest.mark.parametrize("path", ["/a.jpg", "/text", "/long", "/encoded/identity"])
    def test_bytes_count_and_not_headers(self, shop: Web, path: str) -> None:
        assert get(fetcher_of(shop), shop.url + path) == JPEG

    def test_nobody_listens(self, shop: Web) -> None:
        shop.server_close()
        with pytest.raises(FetchFailed, match="did not answer"):
            get(fetcher_of(shop), f"{shop.url}/a.jpg")

    def test_who_waits_no_more_lets_go(self, shop: Web) -> None:
        async def give_up() -> None:
            work = asyncio.ensure_future(fetcher_of(shop).fetch(f"{shop.url}/drip"))
            await asyncio.to_thread(shop.came.wait, 10)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work

        asyncio.run(give_up())
        assert shop.gone.wait(10)

    def test_query_strings_are_not_logged(self, shop: Web, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            get(fetcher_of(shop), f"{shop.url}/a.jpg?signature=s3cr3t")
            with pytest.raises(FetchFailed) as failed:
                get(fetcher_of(shop), f"{shop.url}/none.jpg?signature=s3cr3t")
        assert "s3cr3t" not in caplog.text + str(failed.value)


class TestNames:
    def test_a_resolver_that_hangs_is_given_up(self, shop: Web) -> None:
        async def hang(host: str, port: int) -> list[str]:
            await asyncio.sleep(60)
            return []

        fetcher = fetcher_of(shop, timeout_s=0.2)
        fetcher._resolve = hang
        with pytest.raises(FetchFailed, match=r"within 0\.2 s"):
            get(fetcher, f"{shop.url}/a.jpg")

    def test_lookups_that_hang_are_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        go_on = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: go_on.wait(30) and [])
        monkeypatch.setattr(fetch, "_MAX_LOOKUPS", 6)
        dns = Dns()

        async def look_up() -> None:
            waiting = [asyncio.ensure_future(dns("photos.example", 80)) for _ in range(6)]
            await asyncio.sleep(0)
            with pytest.raises(Overloaded):
                await dns("photos.example", 80)
            go_on.set()
            assert await asyncio.gather(*waiting) == [[]] * 6
            assert await dns("photos.example", 80) == []

        asyncio.run(look_up())
        dns.close()

    def test_the_systems_resolver(self) -> None:
        dns = Dns()
        assert "127.0.0.1" in asyncio.run(dns("localhost", 80))
        dns.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of photos.example, signed by itself; key and certificate in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    path = tmp_path_factory.mktemp("tls") / "photos.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-days", "2",
               "-subj", "/CN=photos.example", "-addext", "subjectAltName=DNS:photos.example",
               "-keyout", str(path), "-out", f"{path}.crt"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


class TestHttps:
    @pytest.fixture
    def safe(self, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        with serving(tls=context) as server:
            yield server

    def test_the_certificate_is_that_of_the_name(self, safe: Web) -> None:
        names = Names(photos_example=[["127.0.0.1"]], other_example=[["127.0.0.1"]])
        assert get(fetcher_of(safe, names=names), f"https://photos.example:{safe.server_port}/a.jpg") == JPEG
        with pytest.raises(FetchFailed, match="did not answer"):
            get(fetcher_of(safe, names=names), f"https://other.example:{safe.server_port}/a.jpg")
        assert safe.asked == ["/a.jpg"]

    def test_one_that_nobody_trusts(self, safe: Web, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(FetchFailed, match="did not answer"):
            get(fetcher_of(safe), f"https://photos.example:{safe.server_port}/a.jpg")
        assert safe.asked == []

    def test_a_redirect_may_lead_to_https_but_not_from_it(self, safe: Web, shop: Web) -> None:
        fetcher = fetcher_of(safe, shop)
        up = quote(f"https://photos.example:{safe.server_port}/a.jpg", safe="")
        assert get(fetcher, f"{shop.url}/to/{up}") == JPEG
        with pytest.raises(FetchFailed, match="from https to http"):
            get(fetcher, f"https://photos.example:{safe.server_port}/to/{quote(f'{shop.url}/a.jpg', safe='')}")


TEXTS = st.text(st.characters() | st.sampled_from(list("0123456789.:/@#?[]%\\")), max_size=40)


@given(
    st.builds(str.__add__, st.sampled_from(["", "http://", "https://", "http://photos.example", "//", "http:"]), TEXTS)
)
def test_no_text_is_more_than_refused(text: str) -> None:
    async def inside(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    with pytest.raises(FetchRefused):
        get(Fetcher(HostList.parse("*"), timeout_s=5, resolve=inside, allows=lambda address, port: False), text)


def test_every_refusal_is_bad_input() -> None:
    assert issubclass(FetchRefused, InvalidInput)
    assert issubclass(FetchFailed, InvalidInput)
