"""`samestyle keys`: API keys are made, listed and revoked; running gateways take the file up within a second or two."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from catalogue.errors import KeysInvalid
from catalogue.settings import Settings
from service.cli.common import AsJson, err, out, print_table, settings_of, told

keys_app = typer.Typer(no_args_is_help=True, help="API keys.")

Name = Annotated[str, typer.Argument(help="What the key is called: letters, digits, dots, dashes, underscores.")]
File = Annotated[Path | None, typer.Option("--file", help="The keys file.", show_default="SAMESTYLE_KEYS_FILE")]
Roles = Annotated[
    list[str],
    typer.Option("--role", help="search, write (which may search too) or admin; may be given more than once."),
]


@keys_app.command()
def create(
    name: Name,
    role: Roles,
    file: File = None,
    expires_days: Annotated[float | None, typer.Option(min=0, help="Days until it expires.")] = None,
    rate: Annotated[float | None, typer.Option(help="Most requests per second.")] = None,
    burst: Annotated[int | None, typer.Option(help="Most at once.", show_default="those of a second")] = None,
    quota: Annotated[int | None, typer.Option(help="Most requests per day.")] = None,
) -> None:
    """Make a key and print it, this once: the file holds only its digest."""
    from service.keys import create_key  # noqa: PLC0415  # --help should not wait for it

    expires_at = datetime.now(UTC) + timedelta(days=expires_days) if expires_days is not None else None
    limits = {"rate": rate, "burst": burst, "quota": quota}
    with told():
        path = _path(file)
        secret = create_key(path, name, role, limits=limits, expires_at=expires_at)
    typer.echo(secret)
    err.print(f"Keep it: it is not in {path}, which holds its digest.", markup=False, highlight=False, soft_wrap=True)


@keys_app.command("list")
def list_(file: File = None, as_json: AsJson = False) -> None:
    """List the keys of a file."""
    from service.keys import read_keys  # noqa: PLC0415

    with told():
        keys = read_keys(_path(file)).keys
    if as_json:
        entries = [key.model_dump(mode="json", exclude={"sha256"}) | {"expired": key.expired} for key in keys]
        out.print_json(json.dumps(entries))
        return
    table = Table("name", "roles", "created", "expires", "per second", "at once", "per day")
    for key in keys:
        expires = _day(key.expires_at) + (" (expired)" if key.expired else "")
        most = [_number(key.rate), _number(key.capacity if key.rate else None), _number(key.quota)]
        table.add_row(key.name, ", ".join(key.roles), _day(key.created_at), expires, *most)
    print_table(table)


@keys_app.command()
def revoke(name: Name, file: File = None) -> None:
    """Take a key out of a file; gateways refuse it from then on."""
    from service.keys import revoke_key  # noqa: PLC0415

    with told():
        path = _path(file)
        revoke_key(path, name)
    out.print(f"{name} is revoked in {path}.", markup=False, highlight=False, soft_wrap=True)


def _path(file: Path | None) -> Path:
    settings: Settings = settings_of(keys_file=file)
    if settings.keys_file is None:
        raise KeysInvalid("Which file? Give --file KEYS.json, or set SAMESTYLE_KEYS_FILE.")
    return settings.keys_file


def _day(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC") if at is not None else ""


def _number(value: Any) -> str:
    return f"{value:,g}" if isinstance(value, float) else "" if value is None else f"{value:,}"
