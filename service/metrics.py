"""What the service tells Prometheus: prefix `samestyle_`, base units, and labels from closed lists only."""

import time
from functools import cache
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, Info

BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)

REQUESTS: Final = Histogram(
    "samestyle_request_seconds", "Time to answer, by route template.", ["route", "method", "status"], buckets=BUCKETS
)
STAGE: Final = Histogram(
    "samestyle_stage_seconds",
    "Time in one stage of a search: fetch, work (bodies, stored photos), decode, image, text, fusion (a batch each), "
    "cache, search, catalogue.",
    ["stage"],
    buckets=BUCKETS,
)
QUEUE: Final = Histogram(
    "samestyle_queue_seconds", "Time in the queue before a stage that has one.", ["stage"], buckets=BUCKETS
)
WAITING: Final = Gauge("samestyle_queue_waiting", "Jobs in the queue before a stage that has one.", ["stage"])
BATCH: Final = Histogram(
    "samestyle_batch_size", "Queries done together in such a stage.", ["stage"], buckets=(1, 2, 4, 8, 16, 32, 64)
)
ABANDONED: Final = Counter("samestyle_abandoned_total", "Requests given up because their client has gone.")
REJECTED: Final = Counter("samestyle_rejected_total", "Requests answered with an error, by problem type.", ["reason"])
DAMAGED: Final = Counter(
    "samestyle_snapshot_damaged_total", "Times a product of a snapshot that serves could not be read."
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
ARM_SECONDS: Final = Histogram(
    "samestyle_arm_seconds", "Time of searches, by arm of the running experiment.", ["arm", "status"], buckets=BUCKETS
)
ARM_FALLBACKS: Final = Counter(
    "samestyle_arm_fallbacks_total", "Searches that `live` answered, as the alias of their arm was not served."
)
PRODUCTS: Final = Gauge("samestyle_index_products", "Products that are live.")
CHANGES: Final = Gauge("samestyle_delta_products", "Products that changed since the live snapshot was cut.")
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
DEGRADED: Final = Gauge("samestyle_degraded", "1 while what serves is not what should; /readyz says why.")
SNAPSHOT_CREATED: Final = Gauge("samestyle_snapshot_created_seconds", "When the live snapshot was cut, in Unix time.")
SNAPSHOT: Final = Info("samestyle_snapshot", "The live snapshot and its model.")


class stage:  # noqa: N801  # used as a statement
    """Observe how long a block takes, as one stage of a search."""

    def __init__(self, name: str) -> None:
        self._seconds = labelled(STAGE, name)

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._seconds.observe(time.perf_counter() - self._started)


@cache
def labelled(histogram: Histogram, *labels: str) -> Histogram:
    """The part of a histogram with some labels; as few are kept as the metrics have, whose labels are from lists."""
    return histogram.labels(*labels)
