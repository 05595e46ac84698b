"""What the service tells Prometheus: prefix `samestyle_`, base units, and labels from closed lists only."""

import platform
import time
from functools import cache
from importlib.metadata import version
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, Info, disable_created_metrics

from index import timing
from service.trail import CURRENT

VERSION: Final = version("samestyle")
BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)

REQUESTS: Final = Histogram(
    "samestyle_request_seconds", "Time to answer, by route template.", ["route", "method", "status"], buckets=BUCKETS
)
STAGE: Final = Histogram(
    "samestyle_stage_seconds",
    "Time in one stage of a search: fetch, work (bodies, stored photos), decode, tokenise, image, text, fusion (a "
    "batch each), cache, search, rescore (within search), catalogue; and thumbnail.",
    ["stage"],
    buckets=BUCKETS,
)
IN_FLIGHT: Final = Gauge("samestyle_requests_in_flight", "Requests that are being answered.")
QUEUE: Final = Histogram(
    "samestyle_queue_seconds", "Time in the queue before a stage that has one.", ["stage"], buckets=BUCKETS
)
WAITING: Final = Gauge("samestyle_queue_waiting", "Jobs in the queue before a stage that has one.", ["stage"])
CAPACITY: Final = Gauge("samestyle_queue_capacity", "Jobs that the queue before a stage has room for.", ["stage"])
BATCH: Final = Histogram(
    "samestyle_batch_size", "Queries done together in such a stage.", ["stage"], buckets=(1, 2, 4, 8, 16, 32, 64)
)
SHARD: Final = Histogram(
    "samestyle_shard_seconds",
    "Time to search one shard of the index, by its number; `exact` is a scan of the vectors, `delta` of the changes.",
    ["shard"],
    buckets=BUCKETS,
)
SEARCHES: Final = Histogram(
    "samestyle_search_seconds",
    "Time to answer a search, from its whole body on, by what it gave (a later page: page) and the arm.",
    ["modality", "arm"],
    buckets=BUCKETS,
)
EMPTY: Final = Counter("samestyle_searches_empty_total", "Searches without a single hit.", ["modality", "arm"])
FAILED: Final = Counter("samestyle_searches_failed_total", "Searches answered with an error.", ["arm", "status"])
FIRST_SCORE: Final = Histogram(
    "samestyle_first_hit_score_ratio",
    "Score of the nearest hit shown first, a cosine.",
    ["modality", "arm"],
    buckets=(0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99, 1),
)
QUERY_DRIFT: Final = Gauge(
    "samestyle_query_drift_ratio",
    "1 - cosine between the mean of the last few hundred queries and the mean of the live snapshot's vectors.",
    ["modality"],
)
ABANDONED: Final = Counter("samestyle_abandoned_total", "Requests given up because their client has gone.")
REJECTED: Final = Counter("samestyle_rejected_total", "Requests answered with an error, by problem type.", ["reason"])
DAMAGED: Final = Counter(
    "samestyle_snapshot_damaged_total",
    "Products of a snapshot that serves that lists found to be unreadable, and requests for such products.",
)
CACHE: Final = Counter(
    "samestyle_cache_lookups_total",
    "Lookups of vectors and of photos' tokens: in memory, in redis, shared with a request that was at it, or a miss.",
    ["kind", "outcome"],
)
FETCHES: Final = Counter("samestyle_fetches_total", "Photos asked for by URL, by outcome.", ["outcome"])
REDIS_ERRORS: Final = Counter(
    "samestyle_redis_errors_total", "Redis calls that failed or took too long.", ["operation"]
)
REDIS_BYPASSED: Final = Counter(
    "samestyle_redis_bypassed_total", "Reads, writes and counts of limits that did without Redis.", ["operation"]
)
REDIS_STATE: Final = Gauge(
    "samestyle_redis_state",
    "0 when Redis is used, 1 when it is being tried, 2 when it is left alone.",
    ["operation"],
)
LIMITS_FALLBACK: Final = Counter(
    "samestyle_limits_fallback_total", "Requests counted against a key's limits without Redis, as it was away."
)
EVENTS: Final = Counter(
    "samestyle_events_total", "Events that were sent: accepted, known already, or refused.", ["type", "outcome"]
)
EVENTS_FAILURES: Final = Counter("samestyle_events_failures_total", "Times searches or events could not be kept.")
SEARCHES_DROPPED: Final = Counter(
    "samestyle_search_log_dropped_total", "Searches that were not kept, as too many waited to be written."
)
EVENTS_WAITING: Final = Gauge("samestyle_events_waiting", "Events and searches kept that are not files yet.")
EVENTS_FILED: Final = Gauge("samestyle_events_filed_seconds", "When they last became files, in Unix time.")
ARM_FALLBACKS: Final = Counter(
    "samestyle_arm_fallbacks_total", "Searches that `live` answered, as the alias of their arm was not served."
)
PRODUCTS: Final = Gauge("samestyle_index_products", "Products that are live.")
INDEX_BYTES: Final = Gauge("samestyle_index_bytes", "Bytes of the live snapshot's files.")
SHARDS: Final = Gauge("samestyle_index_shards", "Shards of the live snapshot.")
RECALL: Final = Gauge(
    "samestyle_snapshot_recall_ratio",
    "Recall@10 of the live snapshot against exact search, measured when it was built.",
)
CANARY: Final = Gauge(
    "samestyle_canary_recall_ratio", "What the live index finds now of the stored answers to its stored queries."
)
CANARY_BUILT: Final = Gauge(
    "samestyle_canary_built_recall_ratio", "What it found of them when it was built, by which the other is judged."
)
CHANGES: Final = Gauge("samestyle_delta_products", "Products that changed since the live snapshot was cut.")
CHANGES_MOST: Final = Gauge("samestyle_delta_capacity_products", "Changes from which on writes are refused.")
SNAPSHOT_DUE: Final = Gauge(
    "samestyle_snapshot_due", "1 when over 2 % of the products, or 50,000, changed since the live snapshot was cut."
)
JOURNAL_POSITION: Final = Gauge("samestyle_journal_position", "The last journal entry that searches see.")
JOURNAL_LAG: Final = Gauge("samestyle_journal_lag_entries", "Journal entries that searches do not see yet.")
FEED_FAILURES: Final = Counter("samestyle_journal_failures_total", "Times the journal could not be read or applied.")
WRITES: Final = Counter(
    "samestyle_writes_total", "Changes of products, by operation and outcome.", ["operation", "outcome"]
)
SWAPS: Final = Counter("samestyle_swaps_total", "Swaps of a snapshot, by outcome.", ["outcome"])
SWAP_SECONDS: Final = Histogram(
    "samestyle_swap_seconds", "Time of a swap up to the flip.", buckets=(0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300)
)
REFUSED: Final = Gauge("samestyle_aliases_refused", "Aliases whose desired snapshot is not the one that serves.")
READY: Final = Gauge("samestyle_ready", "1 while searches are answered, as /readyz says.")
DEGRADED: Final = Gauge("samestyle_degraded", "1 while what serves is not what should; /readyz says why.")
SNAPSHOT_CREATED: Final = Gauge("samestyle_snapshot_created_seconds", "When the live snapshot was cut, in Unix time.")
SNAPSHOT: Final = Info("samestyle_snapshot", "The live snapshot and its model.")
MODEL: Final = Info("samestyle_model", "The model of the live snapshot, and where it runs.")
BUILD: Final = Info("samestyle_build", "The version of the service.")
SLOW: Final = Counter("samestyle_slow_requests_total", "Requests that took longer than SAMESTYLE_LOG__SLOW_S.")

disable_created_metrics()  # type: ignore[no-untyped-call]  # nobody asks when a counter was made: an eighth of all lines
BUILD.info({"version": VERSION, "python": platform.python_version()})
for _outcome in ("done", "failed"):
    SWAPS.labels(_outcome)

_MOST_ARMS: Final = 32
_MOST_SHARDS: Final = 32
_OTHER: Final = "other"
_arms: set[str] = set()


def arm_label(name: str) -> str:
    """A name as it stands in `arm`: names come and go with experiments, and of more than 32 the rest are `other`."""
    if name not in _arms:
        if len(_arms) >= _MOST_ARMS:
            return _OTHER
        _arms.add(name)
        for status in ("4xx", "5xx"):
            FAILED.labels(name, status)
    return name


class stage:  # noqa: N801  # used as a statement
    """Observe how long a block takes, as one stage of a search; made on the event loop, it may run on a thread."""

    __slots__ = ("_name", "_seconds", "_started", "_trail")

    def __init__(self, name: str) -> None:
        self._name = name
        self._seconds = labelled(STAGE, name)
        self._trail = CURRENT.get()

    def __enter__(self) -> None:
        self._started = time.monotonic()

    def __exit__(self, *_: object) -> None:
        ended = time.monotonic()
        self._seconds.observe(ended - self._started)
        if self._trail is not None:
            self._trail.add(self._name, self._started, ended)


@cache
def labelled(histogram: Histogram, *labels: str) -> Histogram:
    """The part of a histogram with some labels; as few are kept as the metrics have, whose labels are from lists."""
    return histogram.labels(*labels)


def _part_of_index(part: str, began: float, ended: float) -> None:
    if part == timing.RESCORE:
        labelled(STAGE, part).observe(ended - began)
        if (trail := CURRENT.get()) is not None:
            trail.add(part, began, ended)
        return
    if part.isdecimal() and int(part) >= _MOST_SHARDS:
        part = _OTHER
    labelled(SHARD, part).observe(ended - began)


timing.listen(_part_of_index)
