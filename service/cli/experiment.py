"""`samestyle experiment`: aliases against each other, and what came of it."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table

from catalogue.errors import InvalidInput
from service.cli.common import AsJson, Data, err, out, print_table, settings_of, told

if TYPE_CHECKING:
    from service.experiments.arms import Experiment
    from service.experiments.report import Report

experiment_app = typer.Typer(no_args_is_help=True, help="Aliases against each other.")


@experiment_app.command()
def start(
    name: Annotated[str, typer.Argument(help="What it is called.")],
    arm: Annotated[
        list[str],
        typer.Option(help="An alias and its weight, such as next=1; twice or more. The first is the control."),
    ],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Begin to show each user one of several aliases; running gateways follow within a second or so."""
    from index.aliases import LIVE, read_aliases  # noqa: PLC0415  # --help should not wait for it
    from service.experiments import arms  # noqa: PLC0415

    settings = settings_of(data=data)
    with told():
        given = [_arm(each) for each in arm]
        weights = dict(given)
        if len(weights) < len(given):
            raise InvalidInput("An alias is given twice. Give each --arm once.")
        known = {LIVE, *read_aliases(settings.data).aliases}
        if unknown := sorted(weights.keys() - known):
            raise InvalidInput(
                f"There is no alias {unknown[0]}. There are: {', '.join(sorted(known))}. "
                "`samestyle snapshot activate NAME --alias ALIAS` makes one."
            )
        begun = arms.start(settings.data, name, weights)
    _show([begun], as_json=as_json)


@experiment_app.command()
def stop(data: Data = None, as_json: AsJson = False) -> None:
    """End the experiment that runs: everybody sees `live` again."""
    from service.experiments import arms  # noqa: PLC0415

    settings = settings_of(data=data)
    with told():
        ended = arms.stop(settings.data)
    _show([ended], as_json=as_json)


@experiment_app.command()
def show(data: Data = None, as_json: AsJson = False) -> None:
    """Show the experiments there are, with their weights."""
    from service.experiments import arms  # noqa: PLC0415

    settings = settings_of(data=data)
    with told():
        table = arms.read_experiments(settings.data)
    _show(list(table.experiments), as_json=as_json)


@experiment_app.command()
def report(
    name: Annotated[str | None, typer.Argument(help="Which one.", show_default="the last one")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with plots there, too.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Say what came of an experiment: rates, uplifts with intervals, and whether it can be trusted.

    What gateways of this machine have taken in so far is in it.
    """
    from catalogue.files import write_atomic  # noqa: PLC0415
    from service.events.erasing import file_all  # noqa: PLC0415
    from service.experiments import arms, page  # noqa: PLC0415
    from service.experiments import report as reports  # noqa: PLC0415

    settings = settings_of(data=data)
    with told():
        experiment = arms.read_experiments(settings.data).get(name)
        file_all(settings.data / "events")
        made = reports.report(settings.data, experiment)
        if html is not None:
            write_atomic(html, page.page(made).encode())
    if as_json:
        out.print_json(json.dumps(reports.as_json(made)))
    else:
        _print(made)


def _arm(given: str) -> tuple[str, float]:
    match = re.fullmatch(r"([A-Za-z0-9_-]{1,64})(?:=([0-9]{1,4}(?:\.[0-9]{1,6})?))?", given)
    if match is None:
        raise InvalidInput(f"--arm {given[:100]!r} is neither an alias nor alias=weight, such as next=0.5.")
    return match[1], float(match[2] or 1)


def _show(experiments: "list[Experiment]", *, as_json: bool) -> None:
    if as_json:
        out.print_json(json.dumps([each.model_dump(mode="json", exclude={"salt"}) for each in experiments]))
        return
    if not experiments:
        out.print("There is no experiment.")
        return
    table = Table("experiment", "arms", "started", "stopped")
    for each in experiments:
        arms = ", ".join(f"{name} {share:.1%}" for name, share in each.shares.items())
        stopped = f"{each.stopped_at:%Y-%m-%d %H:%M} UTC" if each.stopped_at is not None else "runs"
        table.add_row(each.name, arms, f"{each.started_at:%Y-%m-%d %H:%M} UTC", stopped)
    print_table(table)


def _values(made: "Report") -> Table:
    """What purchases brought, by currency and arm."""
    from service.experiments import page  # noqa: PLC0415

    names = ("in all", "for each user", "uplift", "95 % interval", "p", "found in 4 of 5 from")
    table = Table("currency", "arm", *(Column(name, justify="right") for name in names))
    for currency in made.arms[0].values:
        for arm in made.arms:
            own = arm.values[currency]
            row = [currency, arm.arm, page.money(own.total), page.money(own.rate.value)]
            if (against := own.compared) is not None:
                row += [page.uplift(against.uplift), page.interval(against.interval), page.p_value(against.p)]
                row.append(page.percent(against.detectable, 1))
            table.add_row(*row)
    return table


def _print(made: "Report") -> None:
    from service.experiments import page  # noqa: PLC0415
    from service.experiments.report import METRICS  # noqa: PLC0415

    def right(name: str) -> Column:
        return Column(name, justify="right")

    counts = Table("arm", *map(right, ("share", "users", "answers", "clicked", "purchases", "95 % in", "failures")))
    for arm in made.arms:
        numbers = [f"{count:,}" for count in (arm.users, arm.answers, arm.clicks, arm.purchases)]
        last = [f"{arm.p95_ms:.1f} ms", page.percent(arm.failures.value)]
        counts.add_row(arm.arm, page.percent(arm.share, 0), *numbers, *last)
    print_table(counts)
    rates = Table("metric", "arm", *map(right, ("rate", "uplift", "95 % interval", "p", "found in 4 of 5 from")))
    for metric in METRICS:
        for arm in made.arms:
            against: Any = arm.compared.get(metric)
            row = [metric, arm.arm, page.rate(arm.rates[metric], metric)]
            if against is not None:
                row += [page.uplift(against.uplift), page.interval(against.interval), page.p_value(against.p)]
                row.append(page.percent(against.detectable, 1))
            rates.add_row(*row)
    print_table(rates)
    if made.arms[0].values:
        print_table(_values(made))
    out.print(
        f"Sample ratio: p = {made.sample_ratio_p:.3g}. Left out: {made.mixed_users:,} users of several arms, "
        f"{made.nobodys_answers:,} answers without a user.",
        highlight=False,
        soft_wrap=True,
    )
    for warning in made.warnings:
        err.print("warning:", style="yellow", end=" ")
        err.print(warning, markup=False, highlight=False, soft_wrap=True)
