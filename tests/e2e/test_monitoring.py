"""Prometheus scrapes the running service under load, and everything that panels and rules ask has an answer."""

import base64
import itertools
import math
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from catalogue import demo
from catalogue.readers import CatalogueRow, read_catalogue
from tests.e2e.conftest import Gateway
from tests.operations.test_dashboards import expressions
from tests.servers.prometheus import Prometheus
from tests.servers.valkey import Valkey
from tests.waiting import wait_until

RULES = Path(__file__).parents[2] / "docker/prometheus"
PRODUCTS = [row.product for row in read_catalogue(demo.CATALOGUE) if isinstance(row, CatalogueRow)]
SELECTOR = re.compile(r"\b(?:samestyle[a-zA-Z0-9_:]*|up)(?:\{[^}]*\})?")


def configuration(folder: Path, port: int, rules: Iterable[Path], interval: str = "1s") -> Path:
    """The one that is shipped, in a hurry, with the gateway of this test and these rules."""
    content = yaml.safe_load((RULES / "prometheus.yml").read_text())
    content["global"] = {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval}
    content["rule_files"] = [str(path) for path in rules]
    (job,) = (job for job in content["scrape_configs"] if job["job_name"] == "samestyle")
    job["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    content["scrape_configs"] = [job]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(content))
    return path


@contextmanager
def load(url: str, key: str | None = None) -> Iterator[list[int]]:
    """A little of everything, over and over; the statuses of the answers."""
    headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
    statuses: list[int] = []
    done = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=60, headers=headers) as client:
            for round_ in itertools.count():
                for request in _requests(client, round_):
                    if done.is_set():
                        return
                    statuses.append(request().status_code)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield statuses
    finally:
        done.set()
        thread.join()


def _requests(client: httpx.Client, round_: int) -> Iterator[Callable[[], httpx.Response]]:
    product = PRODUCTS[round_ % len(PRODUCTS)]
    photo = (demo.CATALOGUE.parent / product.images[0]).read_bytes()
    id_, words, encoded = product.product_id, f"{product.title} {round_}", base64.b64encode(photo).decode()
    bodies: list[dict[str, Any]] = [
        {"product_id": id_},
        {"product_id": id_, "text": words},
        {"text": words},
        {"image": encoded},
        {"image": encoded, "text": words},
        {"text": words, "filters": {"suppliers": ["nobody"]}},
        {"text": words, "target": "image"},
        {"product_id": f"nobody-{round_}"},
    ]
    for body in bodies:
        yield partial(client.post, "/v1/search", json=body)
    yield lambda: client.get(f"/v1/products/{id_}/same-style")
    seen = client.get(f"/v1/products/{id_}/similar").json()["request_id"]
    event = {"event_id": seen, "type": "impression", "request_id": seen, "product_id": id_}
    yield lambda: client.post("/v1/events", json={"events": [event, {**event, "event_id": ""}]})
    yield lambda: client.put(f"/v1/products/new-{round_}", json={"title": words})
    yield lambda: client.delete(f"/v1/products/new-{round_ - 1}")
    yield lambda: client.put("/admin/v1/aliases/live", json={"snapshot": "demo"})


@pytest.mark.heavy
def test_every_expression_of_every_panel_and_rule_returns_data(own_demo: Path, tmp_path: Path, valkey: Valkey) -> None:
    with (
        Gateway(own_demo, CACHE__REDIS_URL=valkey.url, LOG__SLOW_S="0.001") as gateway,
        Prometheus(configuration(tmp_path, gateway.port, (RULES / "rules").glob("*.yml"))) as prometheus,
    ):
        with load(gateway.url) as statuses:
            _all_are_answered(prometheus)
        assert {status // 100 for status in statuses} == {2, 4}
        rules_now = prometheus.rules()
        assert {rule["name"]: rule["lastError"] for rule in rules_now if rule["health"] != "ok"} == {}
        assert len(rules_now) == len(rules())
        # Searches may be slow here; all else is well.
        names = {series["metric"]["alertname"] for series in prometheus.query('ALERTS{alertstate="firing"}')}
        assert names <= {"SamestyleLatencyBudgetBurn"}
        gateway.kill()
        wait_until(lambda: bool(prometheus.query('ALERTS{alertname="SamestyleNotReady"}')), seconds=30)


def _all_are_answered(prometheus: Prometheus) -> None:
    asked = {*expressions(), *recorded(), *asked_by_alerts()}
    unanswered: list[str] = []

    def has_data(expression: str) -> bool:
        return any(math.isfinite(float(series["value"][1])) for series in prometheus.query(expression))

    def is_answered() -> bool:
        unanswered[:] = [expression for expression in asked if not has_data(expression)]
        return not unanswered

    try:
        wait_until(is_answered, seconds=90)
    except AssertionError:
        pytest.fail(f"no data for {unanswered}")


def rules() -> list[dict[str, Any]]:
    files = [yaml.safe_load(path.read_text()) for path in (RULES / "rules").glob("*.yml")]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def recorded() -> set[str]:
    return {name for rule in rules() if "record" in rule for name in (rule["record"], rule["expr"])}


def asked_by_alerts() -> set[str]:
    """What alerts compare: of a whole expression nothing comes back while all is well."""
    return {selector for rule in rules() if "alert" in rule for selector in SELECTOR.findall(rule["expr"])}
