"""Writes the Grafana dashboards in dashboards/: `python docker/grafana/dashboards.py`.

A panel is a line here: what it shows, in which unit, and the expressions with their legends.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent / "dashboards"
_SOURCE: Final = {"type": "prometheus", "uid": "prometheus"}
_WIDTH: Final = 24
_PER_ROW: Final = 3
_HEIGHT: Final = 8

Query = tuple[str, str]
"""An expression and the legend of its series."""


@dataclass(frozen=True)
class Panel:
    """One panel; `kind` is a Grafana panel type."""

    title: str
    unit: str
    queries: Sequence[Query]
    about: str = ""
    kind: str = "timeseries"


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


_V1: Final = 'route=~"/v1/.*"'

_GPU_MEMORY: Final = 'samestyle_gpu_memory_used_bytes{instance=~"$instance"} / samestyle_gpu_memory_bytes or vector(0)'
_FAILED: Final = "samestyle_searches_failed_total"
_FAULTS: Final = 'status="5xx"'
_SEARCHED: Final = "samestyle_search_seconds_count"

SERVICE: Final = Dashboard(
    "service",
    "samestyle / Service",
    {
        "Objectives": (
            Panel("Ready gateways", "short", [("sum(samestyle_ready)", "ready"), ('sum(up{job="samestyle"})', "up")]),
            Panel(
                "Share of requests answered 5xx",
                "percentunit",
                [(f"samestyle:request_errors:ratio_rate{window}", window) for window in ("5m", "1h", "6h", "3d")],
                "0.1 % over 30 days may be.",
            ),
            Panel(
                "Share of searches over 0.5 s",
                "percentunit",
                [(f"samestyle:slow_searches:ratio_rate{window}", window) for window in ("5m", "1h", "6h", "3d")],
                "1 % over 30 days may be.",
            ),
            Panel(
                "Error budget left",
                "percentunit",
                [("samestyle:error_budget_left:ratio", "at the rate of the last 3 days")],
                "Below zero: at this rate more fails than may.",
                "stat",
            ),
            Panel(
                "Alerts",
                "short",
                [('sum by (alertname) (ALERTS{alertname=~"Samestyle.*"}) or vector(0)', "{{alertname}}")],
            ),
        ),
        "Rate, errors, duration": (
            Panel("Requests", "reqps", [(_rate("samestyle_request_seconds_count", "route", _V1), "{{route}}")]),
            Panel(
                "Answers by status", "reqps", [(_rate("samestyle_request_seconds_count", "status", _V1), "{{status}}")]
            ),
            Panel("Errors by reason", "reqps", [(_rate("samestyle_rejected_total", "reason"), "{{reason}}")]),
            Panel("p50 by route", "s", [(_quantile(0.5, "samestyle_request_seconds", "route", _V1), "{{route}}")]),
            Panel("p99 by route", "s", [(_quantile(0.99, "samestyle_request_seconds", "route", _V1), "{{route}}")]),
            Panel(
                "Slow and abandoned requests",
                "reqps",
                [
                    (_rate("samestyle_slow_requests_total", "instance"), "slow {{instance}}"),
                    (_rate("samestyle_abandoned_total", "instance"), "given up by the client {{instance}}"),
                ],
            ),
        ),
        "Saturation": (
            Panel("Requests in flight", "short", [(_gauge("samestyle_requests_in_flight"), "{{instance}}")]),
            Panel(
                "Fullness of queues",
                "percentunit",
                [
                    (
                        'max by (stage) (samestyle_queue_waiting{instance=~"$instance"} / samestyle_queue_capacity)',
                        "{{stage}}",
                    )
                ],
                "From three quarters on requests are turned away.",
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
            ),
            Panel(
                "CPU",
                "none",
                [(_rate("process_cpu_seconds_total", "instance", 'job="samestyle"'), "cores {{instance}}")],
            ),
            Panel(
                "Memory",
                "bytes",
                [('process_resident_memory_bytes{job="samestyle", instance=~"$instance"}', "{{instance}}")],
            ),
            Panel(
                "Open files", "short", [('process_open_fds{job="samestyle", instance=~"$instance"}', "{{instance}}")]
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
            Panel("p50 by stage", "s", [(_quantile(0.5, "samestyle_stage_seconds", "stage"), "{{stage}}")]),
            Panel("p99 by stage", "s", [(_quantile(0.99, "samestyle_stage_seconds", "stage"), "{{stage}}")]),
            Panel(
                "Seconds spent a second",
                "none",
                [(_rate("samestyle_stage_seconds_sum", "stage"), "{{stage}}")],
                "A stage of one thread is full at 1.",
            ),
            Panel("p99 in the queue", "s", [(_quantile(0.99, "samestyle_queue_seconds", "stage"), "{{stage}}")]),
            Panel("p99 by shard", "s", [(_quantile(0.99, "samestyle_shard_seconds", "shard"), "{{shard}}")]),
            Panel(
                "Searches",
                "s",
                [
                    (_quantile(0.5, "samestyle_search_seconds", "modality"), "p50 {{modality}}"),
                    (_quantile(0.99, "samestyle_search_seconds", "modality"), "p99 {{modality}}"),
                ],
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
            ),
            Panel("Waiting", "short", [(_gauge("samestyle_queue_waiting", "stage"), "{{stage}}")]),
            Panel(
                "Embeddings came from",
                "ops",
                [(_rate("samestyle_cache_lookups_total", "kind, outcome"), "{{kind}} {{outcome}}")],
            ),
            Panel("Share of hits", "percentunit", [("samestyle:cache_hits:ratio_rate5m", "{{kind}}")]),
            Panel(
                "Redis",
                "short",
                [(_gauge("samestyle_redis_state", "instance, operation", "max"), "{{instance}} {{operation}}")],
                "0 used, 1 tried, 2 left alone.",
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
            ),
        ),
        "Drift": (
            Panel(
                "Score of the first hit",
                "none",
                [
                    (_quantile(0.1, "samestyle_first_hit_score_ratio", "modality"), "p10 {{modality}}"),
                    (_quantile(0.5, "samestyle_first_hit_score_ratio", "modality"), "p50 {{modality}}"),
                ],
                "A slow fall: the catalogue or the shoppers have moved away from the model.",
            ),
            Panel("Share of empty answers", "percentunit", [("samestyle:empty_searches:ratio_rate1h", "{{modality}}")]),
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
            ),
            Panel("Age", "s", [('samestyle:snapshot_age_seconds{instance=~"$instance"}', "{{instance}}")]),
            Panel("Products", "short", [(_gauge("samestyle_index_products"), "{{instance}}")]),
            Panel("Size", "bytes", [(_gauge("samestyle_index_bytes"), "{{instance}}")]),
            Panel("Shards", "short", [(_gauge("samestyle_index_shards"), "{{instance}}")]),
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
            ),
            Panel(
                "Products that cannot be read",
                "short",
                [('increase(samestyle_snapshot_damaged_total{instance=~"$instance"}[1h])', "{{instance}}")],
            ),
        ),
        "Swaps": (
            Panel(
                "Swaps in an hour",
                "short",
                [('sum by (outcome) (increase(samestyle_swaps_total{instance=~"$instance"}[1h]))', "{{outcome}}")],
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
            ),
            Panel(
                "Refused aliases",
                "short",
                [
                    (_gauge("samestyle_aliases_refused"), "{{instance}}"),
                    (_gauge("samestyle_degraded"), "degraded {{instance}}"),
                ],
            ),
        ),
        "Journal": (
            Panel(
                "Lag",
                "short",
                [(_gauge("samestyle_journal_lag_entries"), "{{instance}}")],
                "Entries that searches do not see yet.",
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
            ),
            Panel("Failures", "ops", [(_rate("samestyle_journal_failures_total", "instance"), "{{instance}}")]),
            Panel(
                "Delta",
                "percentunit",
                [
                    (
                        'samestyle_delta_products{instance=~"$instance"} / (samestyle_delta_capacity_products > 0)',
                        "{{instance}}",
                    )
                ],
                "At 1 writes are refused until a snapshot is cut.",
            ),
            Panel("Snapshot due", "short", [(_gauge("samestyle_snapshot_due"), "{{instance}}")]),
            Panel("Position", "short", [(_gauge("samestyle_journal_position", "instance", "max"), "{{instance}}")]),
        ),
    },
)

EXPERIMENTS: Final = Dashboard(
    "experiments",
    "samestyle / Experiments",
    {
        "Arms": (
            Panel("Searches", "reqps", [(_rate("samestyle_search_seconds_count", "arm"), "{{arm}}")]),
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
            ),
        ),
        "Guard rails": (
            Panel("p50", "s", [(_quantile(0.5, "samestyle_search_seconds", "arm"), "{{arm}}")]),
            Panel("p99", "s", [(_quantile(0.99, "samestyle_search_seconds", "arm"), "{{arm}}")]),
            Panel(
                "Failed",
                "percentunit",
                [
                    (
                        _rate(_FAILED, "arm", _FAULTS) + f" / ({_rate(_SEARCHED, 'arm')} + {_rate(_FAILED, 'arm')})",
                        "{{arm}}",
                    )
                ],
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
            ),
            Panel(
                "Median score of the first hit",
                "none",
                [(_quantile(0.5, "samestyle_first_hit_score_ratio", "arm"), "{{arm}}")],
            ),
            Panel(
                "Answered by live instead",
                "reqps",
                [(_rate("samestyle_arm_fallbacks_total", "instance"), "{{instance}}")],
                "The alias of an arm is not served: the report's sample-ratio check will see it.",
            ),
        ),
        "Events": (
            Panel("Events", "cps", [(_rate("samestyle_events_total", "type, outcome"), "{{type}} {{outcome}}")]),
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
                "At a million events are refused.",
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
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "custom": {"fillOpacity": 10}}, "overrides": []},
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
        "templating": {"list": [_INSTANCE]},
        "annotations": {"list": []},
        "links": [{"type": "dashboards", "tags": ["samestyle"], "title": "samestyle", "asDropdown": False}],
        "panels": list(_panels(dashboard.rows)),
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for each in ALL:
        (FOLDER / f"{each.name}.json").write_text(written(each))
