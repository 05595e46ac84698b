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

from service import metrics  # noqa: F401  # registers them

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
