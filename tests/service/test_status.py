"""What `samestyle status` makes of two looks at a gateway."""

import math
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from catalogue.errors import ConfigurationError, NotReady
from service.routes.admin import StatusAnswer
from service.status import Look, Watched, read_key, stand

STATUS = StatusAnswer(status="ready", reasons=[], aliases=[], journal_head=7, models=[], operations=[])


def look(metrics: str, at: float) -> Look:
    return Look(STATUS, metrics, at)


def said(requests: dict[str, int], **more: float) -> str:
    lines = ["# TYPE samestyle_request_seconds histogram"]
    for status, count in requests.items():
        labels = f'route="/v1/search",method="POST",status="{status}"'
        for bound in ("0.01", "0.1", "+Inf"):
            within = 0 if bound == "0.01" else count
            lines.append(f'samestyle_request_seconds_bucket{{{labels},le="{bound}"}} {within}')
        lines.append(f"samestyle_request_seconds_count{{{labels}}} {count}")
    lines += ["# TYPE samestyle_cache_lookups counter"]
    lines += [
        f'samestyle_cache_lookups_total{{kind="vector",outcome="{name}"}} {count}'
        for name, count in more.items()
        if name in {"memory", "miss"}
    ]
    lines += ["# TYPE process_start_time_seconds gauge", f"process_start_time_seconds {more.get('started', 900)}"]
    return "\n".join(lines) + "\n"


def test_the_first_look_counts_from_the_start() -> None:
    now = stand("u", None, look(said({"2xx": 90, "4xx": 10}), at=1000))
    assert now.over_s is None
    assert now.load.per_second == pytest.approx(1.0)
    assert now.load.by_status == {"2xx": pytest.approx(0.9), "4xx": pytest.approx(0.1)}
    assert now.process.up_s == 100
    assert now.cache.shares is None
    assert now.journal_lag == 0


def test_the_next_look_counts_from_the_last() -> None:
    before = look(said({"2xx": 90}, memory=10, miss=5), at=1000)
    now = stand("u", before, look(said({"2xx": 100, "5xx": 10}, memory=19, miss=6), at=1010))
    assert now.over_s == 10
    assert now.load.by_status == {"2xx": pytest.approx(1.0), "5xx": pytest.approx(1.0)}
    assert 10 < (now.load.p50_ms or 0) < 100
    assert (now.cache.shares or {})["memory"] == pytest.approx(0.9)


def test_a_gateway_that_was_started_again_is_counted_anew() -> None:
    before = look(said({"2xx": 90}), at=1000)
    now = stand("u", before, look(said({"2xx": 5}, started=1005), at=1010))
    assert now.over_s is None
    assert now.load.per_second == pytest.approx(1.0)


@given(st.lists(st.floats(0.0002, 4.9), min_size=1, max_size=50))
def test_latencies_lie_in_the_bucket_of_the_true_ones(seconds: list[float]) -> None:
    bounds = (0.001, 0.01, 0.1, 1, 5)
    registry = CollectorRegistry()
    histogram = Histogram("samestyle_request_seconds", "time", ["status"], buckets=bounds, registry=registry)
    for each in seconds:
        histogram.labels("2xx").observe(each)
    load = stand("u", None, look(generate_latest(registry).decode(), at=1000)).load
    for share, told_ms in ((0.5, load.p50_ms), (0.99, load.p99_ms)):
        true = sorted(seconds)[math.ceil(share * len(seconds)) - 1]
        upper = next(bound for bound in bounds if true <= bound)
        lower = max((bound for bound in (0, *bounds) if bound < upper), default=0)
        assert told_ms is not None
        assert lower <= told_ms / 1e3 <= upper * (1 + 1e-9)


def test_all_a_gateway_says_is_understood(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        assert api.post("/v1/search", json={"text": "mug"}).status_code == 200
    with monkeypatch.context() as full:
        full.setattr("service.admission.MAX_IN_FLIGHT", 0)
        assert api.post("/v1/search", json={"text": "mug"}).status_code == 429
    status = StatusAnswer.model_validate_json(api.get("/admin/v1/status").content)
    now = stand("u", None, Look(status, api.get("/metrics").text, at=4e9))
    assert now.load.by_status["2xx"] > 0
    assert now.load.by_status.keys() <= {"2xx", "3xx", "4xx", "5xx"}
    assert now.load.rejected["overloaded"] > 0
    assert {"image", "text", "fusion"} <= now.load.waiting.keys()
    assert now.cache.shares is not None
    assert sum(now.cache.shares.values()) == pytest.approx(1)
    assert (now.process.memory_mb or 0) > 10
    assert [alias.snapshot for alias in now.status.aliases] == ["shop-1"]


def test_nothing_there_is_said_so() -> None:
    watched = Watched("http://127.0.0.1:1")
    with pytest.raises(NotReady, match="Nothing answers"):
        watched.look()
    watched.close()


def test_a_key_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sms_abc\n")
    assert read_key(tmp_path / "key") == "sms_abc"
    assert read_key(None) is None
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_key(tmp_path / "nothing")
