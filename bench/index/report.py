"""What `samestyle bench index` prints."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.index import speed
from bench.index.expansion import FIGURES


def show(found: Mapping[str, Any], out: Console) -> None:
    """The tables of all steps that ran."""
    about = found["about"]
    out.print(f"{about['date']} UTC, {about['machine']}, {about['rows']:,} vectors")
    loads = " to ".join(", ".join(f"{load:.1f}" for load in about[f"load_at_{when}"]) for when in ("start", "end"))
    out.print(f"load average (1, 5, 15 minutes) {loads}")
    out.print(_data(found["data"]))
    if "speed" in found:
        out.print(_speed(found["speed"]), _memory(found["speed"]), sep="\n")
        for name in found["speed"]["missing"]:
            out.print(f"{name}: not installed; the extra `bench` has it")
    for table in map(_filters, found.get("filters", {}).get("by_index", {}).items()):
        out.print(table)


def _data(data: Mapping[str, Any]) -> Table:
    title = f"{data['origin']}; {data['dim']} wide, {data['queries']:,} queries; scale {data['scale']}"
    table = Table("", "vectors", *(name.replace("_", " ") for name in FIGURES), title=title, title_justify="left")
    for name in ("source", "sample", "all"):
        row = data[name]
        table.add_row(name, f"{row['vectors']:,}", *(f"{row[figure]:.2f}" for figure in FIGURES))
    return table


def _speed(found: Mapping[str, Any]) -> Table:
    heads = [f"QPS, {threads} thread" for threads in speed.THREADS] + ["QPS, batches, 2 threads"]
    heads = ["build s", "CPU s", "load then", "effort", "recall@10", *heads]
    table = Table("library", *heads, title="Speed", title_justify="left")
    for name, answer in found["libraries"].items():
        build = answer["build"]
        cells = [f"{name} {answer['version'] or ''}", f"{build['seconds']:,.0f}", f"{build['cpu_seconds']:,.0f}"]
        cells.append(f"{build['load']:.1f}")
        if answer["effort"] is None:
            table.add_row(*cells, "does not reach the recall")
            continue
        recall = answer["rounds"]["1"][0]["recall"]
        ways = [speed.qps(answer, threads) for threads in speed.THREADS] + [speed.qps(answer, 2, "qps_batch")]
        table.add_row(*cells, str(answer["effort"]), f"{recall:.4f}", *map(_spread, ways))
    return table


def _spread(rates: Sequence[float]) -> str:
    return f"{median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})" if rates else ""


def _memory(found: Mapping[str, Any]) -> Table:
    heads = ("library", "private", "mapped", "vectors and links or codes", "ratio")
    table = Table(*heads, title="Bytes per product", title_justify="left")
    weighed = {name: answer["memory"] for name, answer in found["libraries"].items()}
    weighed[speed.ALONE] = found["libraries"][speed.OWN]["alone"]
    for name, memory in weighed.items():
        ratio = (memory["private"] + memory["mapped"]) / memory["theory"]
        table.add_row(
            name, f"{memory['private']:,.0f}", f"{memory['mapped']:,.0f}", f"{memory['theory']:,.0f}", f"{ratio:.2f}"
        )
    return table


def _filters(named: tuple[str, Any]) -> Table:
    name, rows = named
    heads = (
        "pass %",
        "predicates",
        "lie",
        "rows",
        "recall@10",
        "p50 ms",
        "p95 ms",
        "mask p50",
        "first p50",
        "p50 limit",
    )
    table = Table(*heads, title=f"Filters, {name}", title_justify="left")
    for row in rows:
        table.add_row(
            f"{100 * row['share']:g}",
            str(row["predicates"]),
            row["lie"],
            f"{row['rows']:,}",
            f"{row['recall']:.4f}",
            f"{row['p50']:.2f}",
            f"{row['p95']:.2f}",
            f"{row['mask']:.2f}",
            f"{row['first']:.2f}",
            f"{row['limit']:.2f}",
        )
    return table
