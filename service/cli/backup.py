"""`samestyle backup`: the data directory is copied beside a running gateway, and laid out anew from such a copy."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.common import AsJson, Data, err, out, settings_of, told

if TYPE_CHECKING:
    from service.backup import Backup

backup_app = typer.Typer(no_args_is_help=True, help="Backups of the data directory.")


@backup_app.command()
def create(
    to: Annotated[Path, typer.Argument(help="The directory to make.")],
    previous: Annotated[
        Path | None, typer.Option(help="An earlier backup, on the same disk: what it holds is linked, not copied.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Copy snapshots, photos, journal, aliases, bundles and events, while a gateway may be running."""
    from service import backup  # noqa: PLC0415  # importing the index takes a second, --help should not

    settings = settings_of(data=data)
    with told():
        made = backup.create(settings, to, previous=previous, say=_say)
    _print(f"Backed up to {to}", made, as_json=as_json)


@backup_app.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="FROM", help="A directory that `backup create` made.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Lay a backup out as a new data directory, every byte checked; a journal in PostgreSQL is filled, too."""
    from service import backup  # noqa: PLC0415

    settings = settings_of(data=data)
    with told():
        made = backup.restore(source, settings, say=_say)
    _print(f"Restored to {settings.data}", made, as_json=as_json)


def _say(what: str) -> None:
    err.print(what, style="dim", markup=False, highlight=False)


def _print(done: str, made: "Backup", *, as_json: bool) -> None:
    if as_json:
        typer.echo(made.model_dump_json(exclude={"files"}))
        return
    changes = f"the journal from {made.journal.trimmed:,} to {made.journal.head:,}" if made.journal else "no journal"
    snapshots = ", ".join(made.snapshots) or "none"
    text = (
        f"{done}: snapshots {snapshots}; {made.photos:,} photos; {changes}. Made {made.created_at:%Y-%m-%d %H:%M} UTC."
    )
    out.print(text, markup=False, highlight=False, soft_wrap=True)
