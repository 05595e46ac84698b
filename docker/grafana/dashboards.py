"""Writes the Grafana dashboards in dashboards/: `python docker/grafana/dashboards.py`.

A panel is a line here: what it shows, in which unit, and the expressions with their legends.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent / "dashboards"
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_PROVISIONED: Final = {"text": "Prometheus", "value": "prometheus"}
"""What provisioning/datasources calls it; in another Grafana its own Prometheus is chosen at the top."""
_WIDTH: Final = 24
_PER_ROW: Final = 3
_HEIGHT: Final = 8
_SIGNED: Final = {"none"}
"""Units of what may be below zero, or never comes near it."""

Query = tuple[str, str]
"""An expression and the legend of its series."""


@dataclass(frozen=True)
class Panel:
    """One panel; `kind` is a Grafana panel type."""

    title: str
    unit: str
    queries: Sequence[Query]
    about: str
    kind: str = "timeseries"
    bad: float | None = None
    """From where on somebody should look, drawn as a line; of a `stat`, which says what is left, below where."""
    said: dict[int, str] = field(default_factory=dict)
    """What numbers stand for."""


@dataclass(frozen=True)
class Dashboard:
    """Rows of panels by the titles of the rows."""

    name: str
    title: str
    rows: dict[str, Sequence[Panel]]


def _rate(metric: str, by: str, where: str = "") -> str:
    chosen = ", ".join(part for part in ('instance=~"$instance"', where) if part)
    return f"sum by ({by}) (rate({metric}{{{chosen}}}[$__rate_interval]))"


def _quantile(share: float, metric: str, by: str = "", where: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, {_rate(metric + '_bucket', labels, where)})"


def _share(part: str, whole: str, by: str) -> str:
    return f"{_rate(part, by)} / {_rate(whole, by)}"


def _gauge(metric: str, by: str = "instance", how: str = "sum") -> str:
    return f'{how} by ({by}) ({metric}{{instance=~"$instance"}})'


_CHOSEN: Final = '{instance=~"$instance"}'
_V1: Final = 'route=~"/v1/.*"'

_GPU_MEMORY: Final = (
    'samestyle_gpu_memory_used_bytes{instance=~"$instance"} / samestyle_gpu_memory_bytes{instance=~"$instance"}'
    " or vector(0)"
)
_FAILED: Final = "samestyle_searches_failed_total"
_FAULTS: Final = 'status="5xx"'
_SEARCHED: Final = "samestyle_search_seconds_count"

SERVICE: Final = Dashboard(
    "service",
    "samestyle / Service",
    {
        "Objectives": (
            Panel(
                "Ready gateways",
                "short",
                [
                    ('sum(samestyle_ready{instance=~"$instance"})', "ready"),
                    ('sum(up{job="samestyle", instance=~"$instance"})', "up"),
                ],
                about="Those that answer searches, and those reached. A gap: one starts, or cannot serve.",
            ),
            Panel(
                "Share of requests answered 5xx",
                "percentunit",
                [(f"samestyle:request_errors:ratio_rate{window}", window) for window in ("5m", "1h", "6h", "3d")],
                "0.1 % over 30 days may be: the line.",
                bad=0.001,
            ),
            Panel(
                "Share of searches over 0.5 s",
                "percentunit",
                [(f"samestyle:slow_searches:ratio_rate{window}", window) for window in ("5m", "1h", "6h", "3d")],
                "1 % over 30 days may be: the line.",
                bad=0.01,
            ),
            Panel(
                "Error budget left",
                "percentunit",
                [("samestyle:error_budget_left:ratio", "at the rate of the last 3 days")],
                "Below zero: at this rate more fails than may.",
                "stat",
                bad=0,
            ),
            Panel(
                "Alerts",
                "short",
                [('sum by (alertname) (ALERTS{alertname=~"Samestyle.*"}) or vector(0)', "{{alertname}}")],
                about="Alerts that wait or fire; each has a runbook.",
                bad=1,
            ),
            Panel(
                "Versions",
                "short",
                [('samestyle_build_info{instance=~"$instance"}', "{{instance}}: {{version}}, Python {{python}}")],
                about="What each gateway runs; they differ only during a rollout.",
            ),
        ),
        "Rate, errors, duration": (
            Panel(
                "Requests",
                "reqps",
                [(_rate("samestyle_request_seconds_count", "route", _V1), "{{route}}")],
                about="Requests to the API a second, by route.",
            ),
            Panel(
                "Answers by status",
                "reqps",
                [(_rate("samestyle_request_seconds_count", "status", _V1), "{{status}}")],
                about="4xx are the caller's doing, 5xx ours.",
            ),
            Panel(
                "Errors by reason",
                "reqps",
                [(_rate("samestyle_rejected_total", "reason"), "{{reason}}")],
                about="Why requests were refused; overloaded and rate-limited say that there is more load than room.",
            ),
            Panel(
                "p50 by route",
                "s",
                [(_quantile(0.5, "samestyle_request_seconds", "route", _V1), "{{route}}")],
                about="Half of the answers took no longer.",
            ),
            Panel(
                "p99 by route",
                "s",
                [(_quantile(0.99, "samestyle_request_seconds", "route", _V1), "{{route}}")],
                about="One answer in a hundred took longer.",
            ),
            Panel(
                "Slow and abandoned requests",
                "reqps",
                [
                    (_rate("samestyle_slow_requests_total", "instance"), "slow {{instance}}"),
                    (_rate("samestyle_abandoned_total", "instance"), "given up by the client {{instance}}"),
                ],
                about="Slow ones are in the log with their stages; the given up ended before their answer.",
            ),
        ),
        "Saturation": (
            Panel(
                "Requests in flight",
                "short",
                [(_gauge("samestyle_requests_in_flight"), "{{instance}}")],
                about="Requests being worked on or waiting now.",
            ),
            Panel(
                "Fullness of queues",
                "percentunit",
                [
                    (
                        f"max by (stage) (samestyle_queue_waiting{_CHOSEN} / samestyle_queue_capacity{_CHOSEN})",
                        "{{stage}}",
                    )
                ],
                "From half on somebody is woken up, from three quarters on requests are turned away.",
                bad=0.5,
            ),
            Panel(
                "Turned away",
                "reqps",
                [
                    (
                        _rate(
                            "samestyle_rejected_total",
                            "reason",
                            'reason=~"overloaded|rate-limited|quota-exceeded|too-many-connections"',
                        ),
                        "{{reason}}",
                    )
                ],
                about="Requests refused to keep the others fast.",
            ),
            Panel(
                "CPU",
                "none",
                [(_rate("process_cpu_seconds_total", "instance", 'job="samestyle"'), "cores {{instance}}")],
                about="Cores in use; near the limit of the container everything gets slow.",
            ),
            Panel(
                "Memory",
                "bytes",
                [('process_resident_memory_bytes{job="samestyle", instance=~"$instance"}', "{{instance}}")],
                about="With what is mapped of snapshots; two of them while it swaps.",
            ),
            Panel(
                "Open files",
                "short",
                [('process_open_fds{job="samestyle", instance=~"$instance"}', "{{instance}}")],
                about="Connections, snapshots and the log of searches.",
            ),
            Panel(
                "GPU",
                "percentunit",
                [
                    (
                        'samestyle_gpu_utilization_ratio{instance=~"$instance"} or vector(0)',
                        "busy {{instance}} {{gpu}}",
                    ),
                    (
                        _GPU_MEMORY,
                        "memory {{instance}} {{gpu}}",
                    ),
                ],
                "0 where there is none.",
            ),
        ),
    },
)

RETRIEVAL: Final = Dashboard(
    "retrieval",
    "samestyle / Retrieval",
    {
        "Stages": (
            Panel(
                "p50 by stage",
                "s",
                [(_quantile(0.5, "samestyle_stage_seconds", "stage"), "{{stage}}")],
                about="Where the time of half of the searches goes.",
            ),
            Panel(
                "p99 by stage",
                "s",
                [(_quantile(0.99, "samestyle_stage_seconds", "stage"), "{{stage}}")],
                about="Where the time of the slowest hundredth goes.",
            ),
            Panel(
                "Seconds spent a second",
                "none",
                [(_rate("samestyle_stage_seconds_sum", "stage"), "{{stage}}")],
                "A stage of one thread is full at 1.",
            ),
            Panel(
                "p99 in the queue",
                "s",
                [(_quantile(0.99, "samestyle_queue_seconds", "stage"), "{{stage}}")],
                about="Waiting before an encoder or the index; it grows before requests are turned away.",
            ),
            Panel(
                "p99 by shard",
                "s",
                [(_quantile(0.99, "samestyle_shard_seconds", "shard"), "{{shard}}")],
                about="One shard slower than the others is a disk or a core in trouble.",
            ),
            Panel(
                "Searches",
                "s",
                [
                    (_quantile(0.5, "samestyle_search_seconds", "modality"), "p50 {{modality}}"),
                    (_quantile(0.99, "samestyle_search_seconds", "modality"), "p99 {{modality}}"),
                ],
                about="Time of a search without HTTP, by what was asked with; beyond the line it is too slow.",
                bad=0.5,
            ),
        ),
        "Batches and cache": (
            Panel(
                "Mean batch",
                "short",
                [
                    (
                        _share("samestyle_batch_size_sum", "samestyle_batch_size_count", "stage"),
                        "{{stage}}",
                    )
                ],
                about="Inputs encoded together; it grows with load.",
            ),
            Panel(
                "Waiting",
                "short",
                [(_gauge("samestyle_queue_waiting", "stage"), "{{stage}}")],
                about="Inputs in the queues now.",
            ),
            Panel(
                "Embeddings came from",
                "ops",
                [(_rate("samestyle_cache_lookups_total", "kind, outcome"), "{{kind}} {{outcome}}")],
                about="Where embeddings were found, or that they had to be made.",
            ),
            Panel(
                "Share of hits",
                "percentunit",
                [("samestyle:cache_hits:ratio_rate5m", "{{kind}}")],
                about="Embeddings that did not have to be made.",
            ),
            Panel(
                "Redis",
                "short",
                [(_gauge("samestyle_redis_state", "instance, operation", "max"), "{{instance}} {{operation}}")],
                "Left alone, its calls are made without it, and it is tried once a second.",
                bad=1,
                said={0: "used", 1: "tried", 2: "left alone"},
            ),
            Panel(
                "Redis errors",
                "ops",
                [
                    (_rate("samestyle_redis_errors_total", "operation") + " or vector(0)", "failed {{operation}}"),
                    (
                        _rate("samestyle_redis_bypassed_total", "operation") + " or vector(0)",
                        "done without {{operation}}",
                    ),
                ],
                about="Calls that failed, and those not made while Redis is left alone.",
            ),
            Panel(
                "Limits counted without Redis",
                "reqps",
                [(_rate("samestyle_limits_fallback_total", "instance"), "{{instance}}")],
                about="Requests that each gateway counted by itself: a key may then ask that often of each of them.",
            ),
            Panel(
                "Photos by URL",
                "ops",
                [(_rate("samestyle_fetches_total", "outcome") + " or vector(0)", "{{outcome}}")],
                about="Photos fetched from other hosts, by what came of it.",
            ),
        ),
        "Drift": (
            Panel(
                "Score of the nearest hit",
                "none",
                [
                    (_quantile(0.1, "samestyle_first_hit_score_ratio", "modality"), "p10 {{modality}}"),
                    (_quantile(0.5, "samestyle_first_hit_score_ratio", "modality"), "p50 {{modality}}"),
                ],
                "A slow fall: the catalogue or the shoppers have moved away from the model.",
            ),
            Panel(
                "Share of empty answers",
                "percentunit",
                [("samestyle:empty_searches:ratio_rate1h", "{{modality}}")],
                about="Searches that found nothing: filters too narrow, or a query the catalogue has nothing for.",
            ),
            Panel(
                "Queries against the catalogue",
                "none",
                [(_gauge("samestyle_query_drift_ratio", "modality", "avg"), "{{modality}}")],
                "1 - cosine of the means. What counts is that a line stays where it is.",
            ),
        ),
    },
)

INDEX: Final = Dashboard(
    "index",
    "samestyle / Index",
    {
        "Snapshot": (
            Panel(
                "Live snapshot",
                "short",
                [('samestyle_snapshot_info{instance=~"$instance"}', "{{instance}}: {{name}}, {{index}}, {{model}}")],
                about="Which snapshot, index and model each gateway serves; they differ only during a swap.",
            ),
            Panel(
                "Age",
                "s",
                [('samestyle:snapshot_age_seconds{instance=~"$instance"}', "{{instance}}")],
                about="Since the live snapshot was built.",
            ),
            Panel(
                "Products",
                "short",
                [(_gauge("samestyle_index_products"), "{{instance}}")],
                about="Products that can be found.",
            ),
            Panel(
                "Size",
                "bytes",
                [(_gauge("samestyle_index_bytes"), "{{instance}}")],
                about="Files of the live snapshot.",
            ),
            Panel(
                "Shards",
                "short",
                [(_gauge("samestyle_index_shards"), "{{instance}}")],
                about="Parts the index is searched in.",
            ),
            Panel(
                "Recall",
                "percentunit",
                [
                    (_gauge("samestyle_snapshot_recall_ratio", "instance", "min"), "when built {{instance}}"),
                    (_gauge("samestyle_canary_recall_ratio", "instance", "min"), "canary {{instance}}"),
                    (
                        _gauge("samestyle_canary_built_recall_ratio", "instance", "min"),
                        "canary when built {{instance}}",
                    ),
                ],
                about="Against exact search: when built, and by the canary queries now.",
            ),
            Panel(
                "Products that cannot be read",
                "short",
                [('increase(samestyle_snapshot_damaged_total{instance=~"$instance"}[1h])', "{{instance}}")],
                about="Damaged rows met in the last hour; `samestyle snapshot verify` says which files.",
                bad=1,
            ),
        ),
        "Swaps": (
            Panel(
                "Swaps in an hour",
                "short",
                [('sum by (outcome) (increase(samestyle_swaps_total{instance=~"$instance"}[1h]))', "{{outcome}}")],
                about="Changes of the live snapshot by how they ended.",
            ),
            Panel(
                "Duration, p90 of a day",
                "s",
                [
                    (
                        _quantile(0.9, "samestyle_swap_seconds").replace("$__rate_interval", "1d"),
                        "p90",
                    )
                ],
                about="Loading, checking and warming up a snapshot; searches go on meanwhile.",
            ),
            Panel(
                "Refused aliases",
                "short",
                [
                    (_gauge("samestyle_aliases_refused"), "{{instance}}"),
                    (_gauge("samestyle_degraded"), "degraded {{instance}}"),
                ],
                about="Aliases whose wanted snapshot could not be served, so the former one still is.",
                bad=1,
            ),
        ),
        "Journal": (
            Panel(
                "Lag",
                "short",
                [(_gauge("samestyle_journal_lag_entries"), "{{instance}}")],
                "Entries that searches do not see yet; a page from the line on.",
                bad=1000,
            ),
            Panel(
                "Changes",
                "wps",
                [
                    (
                        _rate("samestyle_writes_total", "operation, outcome") + " or vector(0)",
                        "{{operation}} {{outcome}}",
                    )
                ],
                about="Products written or deleted a second.",
            ),
            Panel(
                "Failures",
                "ops",
                [(_rate("samestyle_journal_failures_total", "instance"), "{{instance}}")],
                about="Reads and writes of the journal that failed; they are tried again.",
            ),
            Panel(
                "Delta",
                "percentunit",
                [
                    (
                        f"samestyle_delta_products{_CHOSEN} / (samestyle_delta_capacity_products{_CHOSEN} > 0)",
                        "{{instance}}",
                    )
                ],
                "From the line on somebody is woken up; at 100 % writes are refused until a snapshot is cut.",
                bad=0.8,
            ),
            Panel(
                "Snapshot due",
                "short",
                [(_gauge("samestyle_snapshot_due"), "{{instance}}")],
                about="Whether the changes beside the snapshot are so many that a new one should be cut.",
                bad=1,
                said={0: "no", 1: "yes"},
            ),
            Panel(
                "Position",
                "short",
                [(_gauge("samestyle_journal_position", "instance", "max"), "{{instance}}")],
                about="The last change a gateway has taken up; the highest is the journal's end.",
            ),
        ),
    },
)

EXPERIMENTS: Final = Dashboard(
    "experiments",
    "samestyle / Experiments",
    {
        "Arms": (
            Panel(
                "Searches",
                "reqps",
                [(_rate("samestyle_search_seconds_count", "arm"), "{{arm}}")],
                about="Searches answered a second, by arm.",
            ),
            Panel(
                "Share",
                "percentunit",
                [
                    (
                        f"{_rate(_SEARCHED, 'arm')} / ignoring(arm) group_left {_rate(_SEARCHED, '')}",
                        "{{arm}}",
                    )
                ],
                "Against what the weights say: a mismatch makes a report worthless.",
            ),
            Panel(
                "Model",
                "short",
                [('samestyle_model_info{instance=~"$instance"}', "{{instance}}: {{name}} {{variant}}")],
                about="Which model each gateway runs.",
            ),
        ),
        "Guard rails": (
            Panel(
                "p50",
                "s",
                [(_quantile(0.5, "samestyle_search_seconds", "arm"), "{{arm}}")],
                about="Half of the arm's searches took no longer.",
            ),
            Panel(
                "p99",
                "s",
                [(_quantile(0.99, "samestyle_search_seconds", "arm"), "{{arm}}")],
                about="One search of the arm in a hundred took longer; beyond the line it is too slow.",
                bad=0.5,
            ),
            Panel(
                "Failed",
                "percentunit",
                [
                    (
                        _rate(_FAILED, "arm", _FAULTS) + f" / ({_rate(_SEARCHED, 'arm')} + {_rate(_FAILED, 'arm')})",
                        "{{arm}}",
                    )
                ],
                about="Searches of the arm that ended in a fault of ours.",
            ),
            Panel(
                "Empty",
                "percentunit",
                [
                    (
                        _share("samestyle_searches_empty_total", _SEARCHED, "arm"),
                        "{{arm}}",
                    )
                ],
                about="Searches of the arm that found nothing.",
            ),
            Panel(
                "Median score of the nearest hit",
                "none",
                [(_quantile(0.5, "samestyle_first_hit_score_ratio", "arm"), "{{arm}}")],
                about="Arms with different models are not comparable by it.",
            ),
            Panel(
                "Answered by live instead",
                "reqps",
                [(_rate("samestyle_arm_fallbacks_total", "instance"), "{{instance}}")],
                "The alias of an arm is not served: the report's sample-ratio check will see it.",
            ),
        ),
        "Events": (
            Panel(
                "Events",
                "cps",
                [(_rate("samestyle_events_total", "type, outcome"), "{{type}} {{outcome}}")],
                about="What shoppers did, as the storefront tells it: taken, told before, or refused.",
            ),
            Panel(
                "Lost or late",
                "cps",
                [
                    (_rate("samestyle_events_failures_total", "instance"), "could not be kept {{instance}}"),
                    (_rate("samestyle_search_log_dropped_total", "instance"), "searches not kept {{instance}}"),
                ],
                "Above zero: the disk is full or too slow, and reports lack these.",
            ),
            Panel(
                "Not files yet",
                "short",
                [(_gauge("samestyle_events_waiting"), "{{instance}}")],
                "At a million, the line, events are refused.",
                bad=1_000_000,
            ),
            Panel(
                "Since the last files",
                "s",
                [('time() - (samestyle_events_filed_seconds{instance=~"$instance"} > 0)', "{{instance}}")],
                "SAMESTYLE_EVENTS__FILE_S at most while all is well.",
            ),
        ),
    },
)

ALL: Final = (SERVICE, RETRIEVAL, INDEX, EXPERIMENTS)
_DATASOURCE: Final = {
    "name": "datasource",
    "label": "Prometheus",
    "type": "datasource",
    "query": "prometheus",
    "includeAll": False,
    "multi": False,
    "refresh": 1,
    "current": _PROVISIONED,
}
_INSTANCE: Final = {
    "name": "instance",
    "label": "Gateway",
    "type": "query",
    "datasource": _SOURCE,
    "query": {"query": 'label_values(up{job="samestyle"}, instance)', "refId": "instances"},
    "includeAll": True,
    "allValue": ".*",
    "multi": True,
    "refresh": 2,
    "current": {"text": "All", "value": "$__all"},
}


def _panels(rows: dict[str, Sequence[Panel]]) -> Iterator[dict[str, Any]]:
    width, top = _WIDTH // _PER_ROW, 0
    number = 0
    for title, panels in rows.items():
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "panels": [],
            "gridPos": _place(0, top, _WIDTH, 1),
        }
        top += 1
        for at, panel in enumerate(panels):
            number += 1
            place = _place(at % _PER_ROW * width, top + at // _PER_ROW * _HEIGHT, width, _HEIGHT)
            yield _panel(panel, number, place)
        top += -(-len(panels) // _PER_ROW) * _HEIGHT


def _place(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + at), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
        for at, (expression, legend) in enumerate(panel.queries)
    ]
    defaults: dict[str, Any] = {"unit": panel.unit, "custom": {"fillOpacity": 10}}
    if panel.unit not in _SIGNED and panel.kind != "stat":
        defaults["min"] = 0  # or a ripple looks like a flood
    if panel.bad is not None:
        below, above = ("red", "green") if panel.kind == "stat" else ("green", "red")
        steps = [{"color": below, "value": None}, {"color": above, "value": panel.bad}]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
        defaults["custom"]["thresholdsStyle"] = {"mode": "dashed"}
    if panel.said:
        options = {str(value): {"text": text, "index": at} for at, (value, text) in enumerate(panel.said.items())}
        defaults["mappings"] = [{"type": "value", "options": options}]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": targets,
    }


def written(dashboard: Dashboard) -> str:
    """A dashboard as Grafana reads it."""
    content = {
        "uid": f"samestyle-{dashboard.name}",
        "title": dashboard.title,
        "tags": ["samestyle"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_DATASOURCE, _INSTANCE]},
        "annotations": {"list": []},
        "links": [{"type": "dashboards", "tags": ["samestyle"], "title": "samestyle", "asDropdown": False}],
        "panels": list(_panels(dashboard.rows)),
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for each in ALL:
        (FOLDER / f"{each.name}.json").write_text(written(each))
