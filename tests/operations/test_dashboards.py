"""Dashboards are what their module writes, and show only what there is."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from service import metrics

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "docker/grafana"
RECORDED = re.compile(r"record: (\S+)")
OTHERS = {"up", "ALERTS"}  # Prometheus' own


def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dashboards", GRAFANA / "dashboards.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def dashboards() -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text()) for path in sorted((GRAFANA / "dashboards").glob("*.json"))}


def expressions() -> list[str]:
    """All that any panel asks, for all gateways, with the interval that Grafana would put in."""
    asked = [
        target["expr"]
        for dashboard in dashboards().values()
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    ]
    return [expression.replace("$instance", ".*").replace("$__rate_interval", "1m") for expression in asked]


def names_in(expression: str) -> set[str]:
    """The metrics of an expression: words that are no function, label or keyword."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(by|ignoring|group_left)\s*(\([^)]*\))?", " ", expression)
    return set(re.findall(r"\b(?:samestyle[a-zA-Z0-9_:]*|process_\w+|up|ALERTS)\b", bare))


def test_dashboards_are_as_their_module_writes_them() -> None:
    written = {each.name: json.loads(module().written(each)) for each in module().ALL}
    assert written == dashboards(), "run `python docker/grafana/dashboards.py`"
    assert written.keys() == {"service", "retrieval", "index", "experiments"}


def test_panels_have_places_of_their_own_and_ids() -> None:
    for dashboard in dashboards().values():
        panels = dashboard["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        cells = [
            (x, y)
            for panel in panels
            for place in [panel["gridPos"]]
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        assert len(cells) == len(set(cells))
        assert all(x < 24 for x, _ in cells)


def test_every_panel_says_what_it_shows() -> None:
    for dashboard in dashboards().values():
        panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
        assert panels
        for panel in panels:
            assert panel["description"].endswith(".")
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert all(target["legendFormat"] for target in panel["targets"])


def panels() -> list[tuple[str, Any]]:
    return [
        (f"{name}: {panel['title']}", panel)
        for name, dashboard in dashboards().items()
        for panel in dashboard["panels"]
        if panel["type"] != "row"
    ]


A_SECOND = {"reqps", "ops", "wps", "cps"}
UNITS: list[tuple[str, set[str]]] = [
    (r"^histogram_quantile\(.*_ratio_bucket", {"none"}),
    (r"^histogram_quantile\(.*_seconds_bucket", {"s"}),
    (r":ratio(_rate\w+)?$", {"percentunit"}),
    (r"_sum\{.*/.*_count\{", {"short"}),  # a mean
    (r" / ", {"percentunit"}),
    (r"^time\(\) -|_age_seconds", {"s"}),
    (r"rate\((\w+_seconds_sum|process_cpu_seconds_total)", {"none"}),  # seconds a second
    (r"^increase\(|\(increase\(", {"short"}),
    (r"rate\(", A_SECOND),
    (r"_bytes\{", {"bytes"}),
    (r"_drift_ratio", {"none"}),
    (r"_ratio\{", {"percentunit"}),
    (r"", {"short"}),
]
"""The first that an expression matches says in which unit it may be shown."""


def test_units_are_those_of_what_is_asked() -> None:
    for name, panel in panels():
        for target in panel["targets"]:
            fitting = next(units for pattern, units in UNITS if re.search(pattern, target["expr"]))
            assert panel["fieldConfig"]["defaults"]["unit"] in fitting, (name, target["expr"])


LINES: list[tuple[str, str, str]] = [
    ("service: Share of requests answered 5xx", "samestyle:error_budget_left:ratio", "/ {:g}"),
    ("service: Share of searches over 0.5 s", "SamestyleLatencyBudgetBurn", "* {:g}"),
    ("service: Fullness of queues", "SamestyleQueueSaturated", "> {:g}"),
    ("retrieval: Searches", "samestyle:slow_searches:ratio_rate5m", 'le="{:g}"'),
    ("experiments: p99", "samestyle:slow_searches:ratio_rate5m", 'le="{:g}"'),
    ("index: Lag", "SamestyleJournalLag", "> {:g}"),
    ("index: Delta", "SamestyleWritesNearlyRefused", "> {:g}"),
]
"""A panel, the rule that judges the same, and how its limit stands there."""


@pytest.mark.parametrize(("panel", "rule", "written"), LINES)
def test_a_panel_has_its_line_where_the_rule_has_its_limit(panel: str, rule: str, written: str) -> None:
    files = [yaml.safe_load(path.read_text()) for path in (ROOT / "docker/prometheus/rules").glob("*.yml")]
    rules = {
        each.get("alert", each.get("record")): each
        for file in files
        for group in file["groups"]
        for each in group["rules"]
    }
    ok, bad = dict(panels())[panel]["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert (ok["value"], ok["color"], bad["color"]) == (None, "green", "red")
    assert written.format(bad["value"]) in rules[rule]["expr"]


def test_what_is_left_of_the_budget_is_red_below_zero() -> None:
    defaults = dict(panels())["service: Error budget left"]["fieldConfig"]["defaults"]
    assert [(step["color"], step["value"]) for step in defaults["thresholds"]["steps"]] == [("red", None), ("green", 0)]


def test_states_are_said_in_words() -> None:
    defaults = dict(panels())["retrieval: Redis"]["fieldConfig"]["defaults"]
    (mapping,) = defaults["mappings"]
    assert [each["text"] for each in mapping["options"].values()] == ["used", "tried", "left alone"]


def labels_of(sample: str) -> set[str]:
    """The labels of a metric of ours, and what Prometheus adds; the names of metrics are those of their samples."""
    ours = {each._name: each._labelnames for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)}
    known = ours.get(re.sub(r"_(bucket|count|sum|total)$", "", sample), ours.get(sample, ()))
    return {*known, "instance", *(["alertname"] if sample == "ALERTS" else [])}


def test_legends_tell_series_apart_by_labels_they_have() -> None:
    infos = {"samestyle_snapshot_info", "samestyle_model_info", "samestyle_build_info"}
    for name, panel in panels():
        legends = [target["legendFormat"] for target in panel["targets"]]
        assert len(set(legends)) == len(legends), name
        for target in panel["targets"]:
            expression, legend = target["expr"], set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            grouped = [set(re.findall(r"\w+", found)) - {"le"} for found in re.findall(r"by \(([^)]*)\)", expression)]
            if grouped:
                assert legend == max(grouped, key=len), (name, expression)
                for metric in names_in(expression):
                    assert legend <= labels_of(metric), (name, metric)
            elif "samestyle:" not in expression and not names_in(expression) & infos:
                assert legend - {"gpu"} == ({"instance"} if "sum(" not in expression else set()), (name, expression)


def test_all_is_asked_of_the_chosen_prometheus_and_gateways() -> None:
    (path,) = (GRAFANA / "provisioning/datasources").glob("*.yml")
    (source,) = yaml.safe_load(path.read_text())["datasources"]
    for dashboard in dashboards().values():
        variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
        assert list(variables) == ["datasource", "instance"]  # the second is asked of the first
        assert variables["datasource"]["type"] == "datasource"
        assert variables["datasource"]["query"] == source["type"]
        assert variables["datasource"]["current"] == {"text": source["name"], "value": source["uid"]}
        assert variables["instance"]["datasource"]["uid"] == "${datasource}"
        assert dashboard["refresh"]
        assert dashboard["time"] == {"from": "now-6h", "to": "now"}
    for name, panel in panels():
        for asked in (panel, *panel["targets"]):
            assert asked["datasource"] == {"type": source["type"], "uid": "${datasource}"}, name
        for target in panel["targets"]:
            for metric, chosen in re.findall(r"\b((?:samestyle|process)_\w+)(\{[^}]*\})?", target["expr"]):
                assert 'instance=~"$instance"' in chosen, (name, metric)


def test_every_metric_that_is_asked_for_is_there() -> None:
    there = {sample for metric in REGISTRY.collect() for sample in _samples(metric.name, metric.type)}
    there |= {"samestyle_gpu_utilization_ratio", "samestyle_gpu_memory_used_bytes", "samestyle_gpu_memory_bytes"}
    rules = [path.read_text() for path in (ROOT / "docker/prometheus/rules").glob("*.yml")]
    recorded = {name for text in rules for name in RECORDED.findall(text)}
    asked = {name for expression in expressions() for name in names_in(expression)}
    for text in rules:
        asked |= {
            name
            for group in yaml.safe_load(text)["groups"]
            for rule in group["rules"]
            for name in names_in(rule["expr"])
        }
    assert len(asked) > 50
    assert asked - there - recorded - OTHERS == set()


def test_every_metric_that_is_there_is_shown_or_judged() -> None:
    rules = [yaml.safe_load(path.read_text()) for path in (ROOT / "docker/prometheus/rules").glob("*.yml")]
    judged = [rule["expr"] for file in rules for group in file["groups"] for rule in group["rules"]]
    asked = {name for expression in [*expressions(), *judged] for name in names_in(expression)}
    there = [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]
    assert len(there) > 40
    for metric in there:
        [family] = metric.collect()
        assert asked & _samples(family.name, family.type), family.name


def _samples(name: str, kind: str) -> set[str]:
    if kind == "histogram":
        return {f"{name}_{part}" for part in ("bucket", "count", "sum")}
    return {{"counter": f"{name}_total", "info": f"{name}_info"}.get(kind, name)}


@pytest.mark.parametrize("folder", ["datasources", "dashboards"])
def test_grafana_is_told_where_they_are(folder: str) -> None:
    (path,) = (GRAFANA / "provisioning" / folder).glob("*.yml")
    content = yaml.safe_load(path.read_text())
    if folder == "datasources":
        assert content["datasources"][0]["uid"] == "prometheus"
    else:
        assert content["providers"][0]["options"]["path"] == "/etc/grafana/dashboards"
