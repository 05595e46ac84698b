"""From the first start to the last request: who may listen where, secrets, signals, and second starts."""

import re
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from service.breaker import FAILURES
from service.keys import create_key
from tests.e2e.conftest import SAMESTYLE, Gateway
from tests.servers.process import free_port
from tests.waiting import wait_until

PATIENCE_S = 30.0


def run_to_the_end(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    named = [f"SAMESTYLE_{name}={value}" for name, value in environment.items()]
    command = ["/usr/bin/env", *named, SAMESTYLE, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def one_line(said: str) -> str:
    """What a person is told, which must be all."""
    assert said.count("\n") == 1, said
    assert said.startswith("error: ")
    return said


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def status(url: str, secret: str | None = None) -> int:
    return httpx.get(url, headers=bearer(secret) if secret else {}, timeout=PATIENCE_S).status_code


def test_without_keys_it_listens_on_loopback_only_and_says_how_to_make_some(tmp_path: Path) -> None:
    for setting in ({"HOST": "0.0.0.0"}, {"ADMIN_HOST": "0.0.0.0", "ADMIN_PORT": str(free_port())}):
        refused = run_to_the_end("serve", "--data", str(tmp_path), "--port", str(free_port()), **setting)
        assert refused.returncode == 1
        assert "samestyle keys create" in one_line(refused.stderr)
    keys = tmp_path / "nowhere.json"
    refused = run_to_the_end("serve", "--data", str(tmp_path), "--host", "0.0.0.0", KEYS_FILE=str(keys))
    assert refused.returncode == 1
    assert "nowhere.json" in one_line(refused.stderr)


def test_behind_keys_on_all_addresses_with_an_admin_port(own_demo: Path, tmp_path: Path) -> None:
    keys, admin_port = tmp_path / "keys.json", free_port()
    shop = create_key(keys, "shop", ["search"])
    engineer = create_key(keys, "engineer", ["admin"])
    settings = {"HOST": "0.0.0.0", "KEYS_FILE": str(keys), "ADMIN_PORT": str(admin_port)}
    with Gateway(own_demo, **settings) as server:
        admin = f"http://127.0.0.1:{admin_port}"
        assert status(f"{server.url}/v1/products") == 401
        assert status(f"{server.url}/v1/products", engineer) == 403
        assert status(f"{server.url}/v1/products", shop) == 200
        with httpx.Client(base_url=server.url) as balancer:  # what HEAD answers leaves the connection in order
            assert [balancer.head(path).status_code for path in ("/livez", "/v1/products", "/readyz")] == [
                200,
                401,
                200,
            ]
            assert balancer.get("/readyz").json()["status"] == "ready"
        assert status(f"{server.url}/admin/v1/status", engineer) == 404
        assert status(f"{server.url}/metrics", engineer) == 404
        assert status(f"{admin}/admin/v1/status") == 401
        assert status(f"{admin}/admin/v1/status", engineer) == 200
        assert status(f"{admin}/metrics") == status(f"{admin}/readyz") == status(f"{server.url}/readyz") == 200
        revoked = run_to_the_end("keys", "revoke", "shop", "--file", str(keys))
        assert revoked.returncode == 0
        wait_until(lambda: status(f"{server.url}/v1/products", shop) == 401)


def test_secrets_are_in_no_log_answer_or_metric(own_demo: Path, tmp_path: Path) -> None:
    keys, secret_file = tmp_path / "keys.json", tmp_path / "cursor"
    admin, shop = create_key(keys, "admin", ["admin"]), create_key(keys, "shop", ["search"], limits={"rate": 1000})
    secret_file.write_text("hush-cursor-of-this-gateway")
    settings = {
        "KEYS_FILE": str(keys),
        "CURSOR_SECRET_FILE": str(secret_file),
        "CACHE__REDIS_URL": f"redis://user:hush-redis@127.0.0.1:{free_port()}/0",  # nobody is there
    }
    with Gateway(own_demo, **settings) as server:
        heard = []
        paths = ("/v1/products?limit=1", "/v1/products/nobody", "/admin/v1/status", "/metrics", "/nowhere")
        for secret in (admin, shop, "sms_hush-of-a-stranger"):
            for path in paths:
                answer = httpx.get(server.url + path, headers=bearer(secret), timeout=PATIENCE_S)
                heard.append(answer.text)
            for body in ({"text": "mug"}, {"k": 0}):
                sent = {"X-API-Key": secret}
                answer = httpx.post(f"{server.url}/v1/search", json=body, headers=sent, timeout=PATIENCE_S)
                heard.append(answer.text)
        for _ in range(FAILURES):
            assert status(f"{server.url}/v1/products?limit=1", shop) == 200
        broken = f"GET /v1/products HTTP/1.1\r\nAuthorization: Bearer {shop}\r\nBroken\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as connection:
            connection.sendall(broken.encode())
            assert connection.recv(1_000).startswith(b"HTTP/1.1 400 ")
        keys.write_text("{")  # so that something is said about the file
        wait_until(lambda: "file_not_read" in server._log.read_text())
        server.stop()
        log = server._log.read_text()
    assert "redis_is_left_alone" in log
    secrets = (admin, shop, "hush-of-a-stranger", "hush-cursor", "hush-redis")
    assert [secret for secret in secrets if secret in log or any(secret in text for text in heard)] == []
    for digest in re.findall(r"\b[0-9a-f]{64}\b", log):
        assert digest not in keys.read_text()


def begin_search(server: Gateway) -> socket.socket:
    """A search whose body is not complete."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)
    head = "POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n"
    connection.sendall(head.encode() + b'{"text": "m')
    return connection


def in_flight(server: Gateway) -> bool:
    """Whether the gateway is busy with it: it asks for the rest of the body before it answers."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return connection.recv(1_000).startswith(b"HTTP/1.1 200 ")


def test_a_term_lets_requests_end_and_takes_no_more(own_demo: Path) -> None:
    with Gateway(own_demo) as server:
        with begin_search(server) as connection:
            assert in_flight(server)  # what came after it is answered, so it has come
            process = server._process
            assert process is not None
            with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as new:
                process.terminate()
                wait_until(lambda: not accepts(server.port))
                new.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert new.recv(1_000).startswith(b"HTTP/1.1 200 ")
            assert process.poll() is None
            connection.sendall(b'ug"}')
            answered = b""
            while part := connection.recv(65_536):
                answered += part
            assert answered.startswith(b"HTTP/1.1 200 ")
            assert b'"hits":[{' in answered
        assert process.wait(PATIENCE_S) == 0


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_load_balancers_get_time_to_notice(own_demo: Path) -> None:
    with Gateway(own_demo, SHUTDOWN_DELAY_S="60") as server:
        process = server._process
        assert process is not None
        process.terminate()
        wait_until(lambda: status(f"{server.url}/readyz") == 503)
        assert status(f"{server.url}/livez") == 200
        assert status(f"{server.url}/v1/products") == 200
        process.terminate()  # whoever does not want to wait says it twice
        assert process.wait(PATIENCE_S) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_term_amid_the_start_ends_it_in_good_order(own_demo: Path, number: signal.Signals) -> None:
    port = free_port()
    command = [SAMESTYLE, "serve", "--data", str(own_demo), "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: accepts(port))  # it binds first and then loads
    process.send_signal(number)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert "Traceback" not in said
    assert "Exception ignored" not in said


def test_a_second_start_on_the_same_data_or_port_says_who_has_it(gateway: Gateway, demo_data: Path) -> None:
    refused = run_to_the_end("serve", "--data", str(demo_data), "--port", str(free_port()))
    assert refused.returncode == 1
    assert f"journal.sqlite3 is in use by process {gateway.pid}" in one_line(refused.stderr)
    refused = run_to_the_end("serve", "--data", str(demo_data), "--port", str(gateway.port))
    assert refused.returncode == 1
    assert "another server" in one_line(refused.stderr)
    found = httpx.post(f"{gateway.url}/v1/search", json={"text": "mug"}, timeout=PATIENCE_S)
    assert found.json()["hits"]
