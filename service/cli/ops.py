"""`samestyle status`, `healthcheck` and `config check`: what the night shift looks at."""

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

import typer
from rich.console import RenderableType
from rich.live import Live
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from catalogue.addresses import check_url, url_from_here
from catalogue.errors import NotReady
from service.cli.common import AsJson, Bundle, Data, err, out, print_table, settings_of, told

if TYPE_CHECKING:
    from service.config_check import Report
    from service.status import Process, Standing, Watched

config_app = typer.Typer(no_args_is_help=True, help="The settings.")

KeyFile = Annotated[Path | None, typer.Option("--key-file", help="A file with an API key that has the role admin.")]
_OPERATIONS: Final = 3
_MAX_BODY: Final = 65_536
_WIDE: Final = 120
"""Columns that the table of settings takes."""


def healthcheck(
    url: Annotated[str | None, typer.Option(help="Which gateway.", show_default="that of the settings")] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Longest wait, in seconds.")] = 4.0,
) -> None:
    """Exit with 0 when a gateway answers searches, else with 1 and the reason."""
    url = _gateway_of_settings() if url is None else url
    with told():
        check_url(url)
    try:
        code, body = _readiness(url, timeout)
    except (OSError, http.client.HTTPException, ValueError) as error:
        err.print(f"{url} does not answer: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    is_ours = _is_ours(body)
    said = body if is_ours else f"{url} answers {code}, but not as a samestyle gateway does."
    is_healthy = is_ours and code == 200
    (out if is_healthy else err).print(said, markup=False, highlight=False, soft_wrap=True)
    if not is_healthy:
        raise typer.Exit(1)


def _gateway_of_settings() -> str:
    """On its admin port, where it has one: strangers cannot take all connections of that."""
    settings = settings_of()
    if settings.admin_port is not None:
        return url_from_here(settings.admin_host, settings.admin_port)
    return url_from_here(settings.host, settings.port)


def _readiness(url: str, timeout: float) -> tuple[int, str]:
    """Status and body of /readyz; not by httpx, which takes longer to import than the gateway to answer."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.request("GET", f"{parts.path.rstrip('/')}/readyz")
        answer = connection.getresponse()
        return answer.status, answer.read(_MAX_BODY).decode(errors="replace")
    finally:
        connection.close()


def _is_ours(body: str) -> bool:
    try:
        said = json.loads(body)
    except ValueError:
        return False
    return isinstance(said, dict) and "status" in said


def status(
    url: Annotated[
        str | None, typer.Option(help="Where it answers /admin and /metrics.", show_default="that of the settings")
    ] = None,
    key_file: KeyFile = None,
    once: Annotated[bool, typer.Option("--once", help="Look once, and leave.")] = False,
    every: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 2.0,
    as_json: AsJson = False,
) -> None:
    """Show how a running gateway is doing: versions, snapshots, load, cache, lag; with `--json` a line per look."""
    from service.status import Watched, read_key  # noqa: PLC0415  # importing the service takes a second

    url = _gateway_of_settings() if url is None else url
    with told():
        check_url(url)
        watched = Watched(url, read_key(key_file))
        try:
            if as_json:
                _print_lines(watched, every, once=once)
            elif once or not out.is_terminal:
                print_table(_as_table(watched.look()))
            else:
                _show_live(watched, every)
        except KeyboardInterrupt:
            pass
        finally:
            watched.close()


def _print_lines(watched: "Watched", every: float, *, once: bool) -> None:
    while True:
        typer.echo(watched.look().model_dump_json())
        if once:
            return
        time.sleep(every)


def _show_live(watched: "Watched", every: float) -> None:
    """Look until interrupted; a gateway that is away for a while is waited for."""
    with Live(_as_table(watched.look()), console=out, auto_refresh=False, screen=True) as live:
        while True:
            time.sleep(every)
            try:
                shown: RenderableType = _as_table(watched.look())
            except NotReady as error:
                shown = Text(f"{datetime.now(UTC):%H:%M:%S} UTC: {error}", style="red")
            live.update(shown, refresh=True)


def _as_table(standing: "Standing") -> Table:
    """A line for each thing to look at."""
    status, load, cache, process = standing.status, standing.load, standing.cache, standing.process
    over = f"last {standing.over_s:.0f} s" if standing.over_s is not None else "since its start"
    title = f"{standing.url}, {datetime.now(UTC):%H:%M:%S} UTC; rates: {over}"
    table = Table(title=escape(title), title_justify="left", show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()

    def line(name: str, *values: str, style: str = "") -> None:
        table.add_row(name, escape("\n".join(value for value in values if value)), style=style)

    bad = status.status != "ready"
    line("status", status.status, *status.reasons, style="red" if bad else "green")
    for alias in status.aliases:
        due = "a new snapshot is due" if alias.snapshot_due else ""
        age = f"cut {_age(alias.created_at)} ago" if alias.created_at else ""
        count = f"{alias.products:,} products" if alias.products is not None else ""
        changes = f"{alias.changes:,} changed since" if alias.changes else ""
        facts = ", ".join(fact for fact in (count, age, changes, due) if fact)
        model = f"model {alias.model} ({(alias.fingerprint or '')[:12]})" if alias.model else ""
        refused = f"should be {alias.desired}: {alias.refused}" if alias.refused else ""
        line(alias.alias, alias.snapshot or "nothing", facts, model, refused, style="yellow" if refused or due else "")
    line("requests", f"{load.per_second:,.1f}/s   {_rates(load.by_status)}", _latencies(load.p50_ms, load.p99_ms))
    line("refused", _rates(load.rejected) or "none")
    line("waiting", ", ".join(f"{stage} {count}" for stage, count in load.waiting.items()) or "nothing")
    shares = ", ".join(f"{outcome} {share:.0%}" for outcome, share in (cache.shares or {}).items())
    redis = ", ".join(f"{operation}: {state}" for operation, state in cache.redis.items())
    line("cache", f"{cache.lookups_per_second:,.1f} lookups/s   {shares}", f"Redis {redis}" if redis else "")
    behind = f"{standing.journal_lag:,} entries behind" if standing.journal_lag else "up to date"
    line("journal", f"at {status.journal_head:,}, {behind}", style="yellow" if standing.journal_lag else "")
    for operation in status.operations[:_OPERATIONS]:
        ended = f"{operation.alias} to {operation.snapshot}: {operation.stage}"
        line(
            "swap",
            f"{operation.started_at:%H:%M:%S} {ended}",
            operation.error or "",
            style="red" if operation.error else "",
        )
    line("process", _process(process))
    return table


def _process(process: "Process") -> str:
    facts = [
        f"samestyle {process.version}" if process.version else "",
        f"up {_duration(process.up_s)}" if process.up_s is not None else "",
        f"{process.memory_mb:,.0f} MB" if process.memory_mb is not None else "",
        f"{process.cores:.2f} cores" if process.cores is not None else "",
        f"{process.files} files" if process.files is not None else "",
    ]
    return ", ".join(fact for fact in facts if fact)


def _rates(rates: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {rate:,.2g}/s" if rate < 10 else f"{name} {rate:,.0f}/s" for name, rate in rates.items())


def _latencies(p50_ms: float | None, p99_ms: float | None) -> str:
    return f"p50 {p50_ms:,.1f} ms, p99 {p99_ms:,.1f} ms" if p50_ms is not None and p99_ms is not None else ""


def _age(since: datetime) -> str:
    return _duration((datetime.now(UTC) - since).total_seconds())


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:,.0f} s"


@config_app.callback()
def config() -> None:
    """Settings are environment variables; .env.example explains them."""


@config_app.command("check")
def check(data: Data = None, bundle: Bundle = None, as_json: AsJson = False) -> None:
    """Show every setting, its value, where that comes from and what it means; exit with 1 when something is wrong."""
    from service.config_check import check as look  # noqa: PLC0415

    given = {name: value for name, value in (("data", data), ("bundle", bundle)) if value is not None}
    report = look(given)
    if as_json:
        typer.echo(json.dumps({"fine": report.is_fine} | asdict(report)))
    else:
        _print_settings(report)
    wrong = [f"{row.variable}: {row.problem}" for row in report.settings if row.problem] + report.problems
    for problem in wrong:
        err.print("wrong:", style="red", end=" ")
        err.print(problem, markup=False, highlight=False, soft_wrap=True)
    if wrong:
        raise typer.Exit(1)
    if not as_json:
        out.print("Nothing is wrong with these settings.")


def _print_settings(report: "Report") -> None:
    """A line each; where the terminal is narrow, one below the other, so that no name is cut."""
    is_narrow = out.is_terminal and out.width < _WIDE
    table = Table("setting", "value", "from", "meaning")
    for row in report.settings:
        style = "red" if row.problem else "bold" if row.source != "default" else ""
        meaning = f"{row.problem} ({row.meaning})" if row.problem else row.meaning
        if is_narrow:
            out.print(f"{row.variable}={row.value}", style=style, markup=False, highlight=False)
            out.print(Padding(Text(f"{row.source}: {meaning}", style=style), (0, 0, 0, 2)))
        else:
            table.add_row(row.variable, escape(row.value), row.source, escape(meaning), style=style)
    if not is_narrow:
        print_table(table)
