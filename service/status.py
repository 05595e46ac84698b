"""How a running gateway is doing, from what it says at /admin/v1/status and /metrics.

Rates, shares and latencies are of the time between two looks; the first look counts from the gateway's start.
"""

import math
import re
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from pydantic import BaseModel, ValidationError

from catalogue.errors import ConfigurationError, NotReady
from service.routes.admin import StatusAnswer

_TIMEOUT_S: Final = 5.0
_MAX_KEY: Final = 256
_KEY: Final = re.compile(r"[!-~]{1,256}")
REDIS_STATES: Final = ("used", "being tried", "left alone")


class Load(BaseModel):
    """Requests, and what waits. Health and metrics are requests too."""

    per_second: float
    by_status: dict[str, float]
    """Per second and class: 2xx, 4xx, 5xx; `rejected` tells why."""
    p50_ms: float | None
    p99_ms: float | None
    rejected: dict[str, float]
    """Per second and reason."""
    waiting: dict[str, int]
    """Jobs in the queue before each stage, now."""


class Cache(BaseModel):
    """Where embeddings and photos' tokens came from; null where nothing was looked up."""

    lookups_per_second: float
    shares: dict[str, float] | None
    redis: dict[str, str]
    """Whether Redis is used, by operation; empty without Redis."""


class Process(BaseModel):
    """What the gateway takes of the machine."""

    version: str | None
    up_s: float | None
    memory_mb: float | None
    cores: float | None
    """CPU seconds per second."""
    files: int | None


class Standing(BaseModel):
    """All of it."""

    url: str
    over_s: float | None
    """The seconds that rates and shares are of; null: since the gateway's start."""
    status: StatusAnswer
    load: Load
    cache: Cache
    journal_lag: int
    process: Process


class Look:
    """What the gateway said at one moment."""

    def __init__(self, status: StatusAnswer, metrics: str, at: float) -> None:
        self.status = status
        self.at = at
        self._samples: dict[str, list[Sample]] = defaultdict(list)
        for family in text_string_to_metric_families(metrics):
            for sample in family.samples:
                self._samples[sample.name].append(sample)

    def by(self, name: str, label: str) -> dict[str, float]:
        """Sums by one label."""
        sums: dict[str, float] = defaultdict(float)
        for sample in self._samples.get(name, []):
            sums[sample.labels.get(label, "")] += sample.value
        return sums

    def total(self, name: str) -> float | None:
        """The sum, or None where there is no such number."""
        samples = self._samples.get(name)
        return sum(sample.value for sample in samples) if samples else None

    def label(self, name: str, label: str) -> str | None:
        """What a label says, where there is such a number."""
        return next((sample.labels[label] for sample in self._samples.get(name, []) if label in sample.labels), None)


class Watched:
    """A gateway that is looked at again and again; raises NotReady where it does not answer as one."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url = url
        self._last: Look | None = None
        self._has_key = key is not None
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=url, timeout=_TIMEOUT_S, headers=headers, trust_env=False)

    def look(self) -> Standing:
        """How it is doing, since the last look."""
        status = self._get("/admin/v1/status")
        try:
            answer = StatusAnswer.model_validate_json(status.content)
        except ValidationError:
            raise NotReady(f"What answers at {self.url} is no samestyle of this version.") from None
        now = Look(answer, self._get("/metrics").text, time.time())
        standing = stand(self.url, self._last, now)
        self._last = now
        return standing

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _get(self, path: str) -> httpx.Response:
        try:
            answer = self._http.get(path)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NotReady(f"Nothing answers at {self.url}: {error}") from None
        if answer.status_code == 401:
            wrong = "does not know this key" if self._has_key else "needs a key"
            raise NotReady(f"{self.url}{path} {wrong}; give one with the role admin: --key-file FILE.")
        if answer.status_code == 403:
            raise NotReady(
                f"{self.url}{path} needs a key with the role admin, which this one has not: --key-file FILE."
            )
        if answer.status_code == 404 and path.startswith("/admin"):
            raise NotReady(
                f"{self.url} has no {path}: it is no samestyle, or answers that on its admin port "
                "(SAMESTYLE_ADMIN_PORT; --url)."
            )
        if answer.status_code != 200:
            raise NotReady(f"{self.url}{path} answers {answer.status_code}: {_detail(answer)}")
        return answer


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase


def read_key(file: Path | None) -> str | None:
    """The key in a file; raises ConfigurationError."""
    if file is None:
        return None
    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_KEY + 1).decode(errors="replace").strip()
    except OSError as error:
        raise ConfigurationError(f"The key file {file} cannot be read: {error.strerror}.") from None
    if not _KEY.fullmatch(content):  # and what it holds instead is nobody's business: it may be another secret
        raise ConfigurationError(f"The key file {file} must hold one API key and nothing else.")
    return content


def stand(url: str, before: Look | None, now: Look) -> Standing:
    """What two looks say, one after the other."""
    started = now.total("process_start_time_seconds")
    up_s = now.at - started if started is not None else None
    if before is not None and before.total("process_start_time_seconds") != started:
        before = None  # another process since
    over_s = now.at - before.at if before is not None else None
    per = 1 / max(over_s or up_s or math.inf, 1e-3)
    lag = now.total("samestyle_journal_lag_entries")
    return Standing(
        url=url,
        over_s=over_s,
        status=now.status,
        load=_load(before, now, per),
        cache=_cache(before, now, per),
        journal_lag=int(lag or 0),
        process=_process(before, now, per, up_s),
    )


def _load(before: Look | None, now: Look, per: float) -> Load:
    statuses = _since(before, now, "samestyle_request_seconds_count", "status")
    rejected = _since(before, now, "samestyle_rejected_total", "reason")
    buckets = {
        float(bound): count for bound, count in _since(before, now, "samestyle_request_seconds_bucket", "le").items()
    }
    return Load(
        per_second=sum(statuses.values()) * per,
        by_status={status: count * per for status, count in sorted(statuses.items()) if count},
        p50_ms=_quantile_ms(buckets, 0.5),
        p99_ms=_quantile_ms(buckets, 0.99),
        rejected={reason: count * per for reason, count in sorted(rejected.items()) if count},
        waiting={stage: int(count) for stage, count in sorted(now.by("samestyle_queue_waiting", "stage").items())},
    )


def _cache(before: Look | None, now: Look, per: float) -> Cache:
    outcomes = _since(before, now, "samestyle_cache_lookups_total", "outcome")
    lookups = sum(outcomes.values())
    states = now.by("samestyle_redis_state", "operation")
    return Cache(
        lookups_per_second=lookups * per,
        shares={outcome: count / lookups for outcome, count in sorted(outcomes.items())} if lookups else None,
        redis={operation: REDIS_STATES[int(state)] for operation, state in sorted(states.items())},
    )


def _process(before: Look | None, now: Look, per: float, up_s: float | None) -> Process:
    memory = now.total("process_resident_memory_bytes")
    cpu, cpu_before = now.total("process_cpu_seconds_total"), before.total("process_cpu_seconds_total") if before else 0
    files = now.total("process_open_fds")
    return Process(
        version=now.label("samestyle_build_info", "version"),
        up_s=up_s,
        memory_mb=memory / 1e6 if memory is not None else None,
        cores=(cpu - (cpu_before or 0)) * per if cpu is not None else None,
        files=int(files) if files is not None else None,
    )


def _since(before: Look | None, now: Look, name: str, label: str) -> dict[str, float]:
    """How much counters grew, by a label."""
    earlier = before.by(name, label) if before is not None else {}
    return {value: max(0.0, count - earlier.get(value, 0.0)) for value, count in now.by(name, label).items()}


def _quantile_ms(buckets: Mapping[float, float], share: float) -> float | None:
    """Milliseconds that so many stay below, by cumulative buckets; None of nothing.

    Evenly spread within a bucket, as Prometheus has it; what is beyond the last bound is told as that.
    """
    total = max(buckets.values(), default=0.0)
    if total <= 0:
        return None
    low, below = 0.0, 0.0
    for bound, count in sorted(buckets.items()):
        if math.isinf(bound):
            break
        if count >= share * total:
            return 1e3 * (low + (bound - low) * (share * total - below) / max(count - below, 1e-9))
        low, below = bound, count
    return 1e3 * low
