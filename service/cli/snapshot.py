"""`samestyle snapshot`: looking at snapshots, choosing the one that is served, moving and removing them."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.filesize import decimal
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Column, Table

from catalogue.errors import BundleInvalid, NotFound
from catalogue.settings import Settings
from service.cli.common import AsJson, Bundle, Data, err, out, print_table, settings_of, told

if TYPE_CHECKING:
    from index import Journal
    from index.aliases import AliasTable
    from index.maintenance import Difference, Some
    from index.manifest import Manifest

snapshot_app = typer.Typer(no_args_is_help=True, help="Index snapshots.")

_WIDE: Final = 120
"""Columns that a line about a snapshot takes, names and aliases being of the usual length."""


def _there() -> list[str]:
    """The names of the snapshots of the data directory, for a shell that completes them."""
    snapshots = Path(os.environ.get("SAMESTYLE_DATA") or "data") / "snapshots"
    return sorted(path.name for path in snapshots.glob("[!.]*")) if snapshots.is_dir() else []


Name = Annotated[str, typer.Argument(help="A snapshot's name.", autocompletion=_there)]
Url = Annotated[str, typer.Argument(help="A folder, s3://bucket/path, or whatever fsspec reads.")]
Alias = Annotated[str, typer.Option(help="Which alias; `live` is what is served.")]


@snapshot_app.command("list")
def list_(data: Data = None, as_json: AsJson = False) -> None:
    """List the snapshots, the newest first, and which alias should stand for which.

    Exits with 1 where an alias names one that cannot be served.
    """
    from index.aliases import read_aliases  # noqa: PLC0415  # importing the index takes a second, --help should not
    from index.manifest import list_snapshots  # noqa: PLC0415

    settings = settings_of(data=data)
    with told():
        aliases = read_aliases(settings.data)
    manifests, refused = list_snapshots(settings.data / "snapshots")
    if as_json:
        out.print_json(json.dumps([_as_json(manifest, aliases) for manifest in manifests]))
    elif not manifests and not refused:
        out.print("There are no snapshots yet; `samestyle build` makes one.")
    else:
        print_table(_as_table(manifests, aliases))
    for error in refused:
        err.print(f"refused: {error}", markup=False, highlight=False, soft_wrap=True)
    there = {manifest.name for manifest in manifests}
    dangling = {alias: state.snapshot for alias, state in aliases.aliases.items() if state.snapshot not in there}
    for alias, name in dangling.items():
        err.print(f"alias {alias} names {name}, which cannot be served.", highlight=False, soft_wrap=True)
    if dangling:
        raise typer.Exit(1)


@snapshot_app.command()
def verify(name: Name, data: Data = None) -> None:
    """Check every byte of a snapshot against its manifest."""
    from index.checksums import forget  # noqa: PLC0415

    settings = settings_of(data=data)
    with told():
        path = _path(settings, name)
        forget(name, settings.data / "verified")
        manifest = _verified(settings, path)
    out.print(f"{name}: {len(manifest.files)} files, {manifest.products:,} products, all as written.", highlight=False)


@snapshot_app.command()
def activate(name: Name, alias: Alias = "live", data: Data = None, bundle: Bundle = None) -> None:
    """Let an alias stand for a snapshot, once it is verified; running gateways take it up."""
    from index import aliases  # noqa: PLC0415

    settings = settings_of(data=data, bundle=bundle)
    with told():
        _check_servable(settings, name)
        known = aliases.read_aliases(settings.data).get(alias) is not None
        served = _served_now(settings, name) if alias == "live" and not known else None
        state = aliases.activate(settings.data, alias, name, served=served).aliases[alias]
    before = f" (before: {state.previous})" if state.previous else ""
    out.print(f"{alias} is now {name}{before}.", highlight=False)


@snapshot_app.command()
def rollback(alias: Alias = "live", data: Data = None, bundle: Bundle = None) -> None:
    """Let an alias stand for what it stood for before, once that is verified."""
    from index import aliases  # noqa: PLC0415

    settings = settings_of(data=data, bundle=bundle)
    with told():
        state = aliases.read_aliases(settings.data).get(alias)
        if state is None or state.previous is None:
            raise NotFound(f"Alias {alias} has no previous snapshot to go back to; activate the one you want.")
        _check_servable(settings, state.previous)
        aliases.rollback(settings.data, alias, to=state.previous)
    out.print(f"{alias} is now {state.previous} again (before: {state.snapshot}).", highlight=False)


@snapshot_app.command()
def diff(
    a: Annotated[str, typer.Argument(help="The older snapshot.")],
    b: Annotated[str, typer.Argument(help="The newer one.")],
    first: Annotated[int, typer.Option(min=0, help="How many product ids of each kind.")] = 10,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Say what changed from snapshot A to snapshot B, product by product."""
    from index import maintenance  # noqa: PLC0415

    settings = settings_of(data=data)
    with told():
        found = maintenance.diff(_path(settings, a), _path(settings, b), first=first)
    if as_json:
        out.print_json(json.dumps(asdict(found)))
    else:
        _print_difference(a, b, found)


@snapshot_app.command()
def gc(
    keep: Annotated[
        int, typer.Option(min=1, help="How many of the newest are kept, besides those of aliases and those in use.")
    ] = 3,
    photos: Annotated[
        bool, typer.Option("--photos", help="Also photos that nothing here names; not where others share them.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and let it stay.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Remove old snapshots, leftovers of killed builds, and the changes that every kept snapshot holds."""
    from index import maintenance  # noqa: PLC0415
    from index.photo_collection import collect_photos  # noqa: PLC0415

    settings = settings_of(data=data)
    with told(), _journal(settings) as journal:
        done = maintenance.gc(settings.data, journal, keep=keep, dry_run=dry_run)
        unneeded = collect_photos(settings.data, journal, dry_run=dry_run) if photos else None
    if as_json:
        of_photos = {} if unneeded is None else {"photos": unneeded.photos, "photo_bytes": unneeded.bytes}
        out.print_json(json.dumps(asdict(done) | of_photos))
        return
    gone = "Would remove" if dry_run else "Removed"
    out.print(f"Kept: {', '.join(done.kept) or 'nothing'}.", highlight=False)
    out.print(f"{gone}: {', '.join((*done.removed, *done.leftovers)) or 'nothing'}.", highlight=False)
    out.print(f"That is {decimal(done.freed_bytes)}, and {done.trimmed:,} changes of the journal.", highlight=False)
    if unneeded is not None:
        out.print(f"{gone}: {unneeded.photos:,} photos, {decimal(unneeded.bytes)}.", highlight=False)
    if done.unreadable:
        names = ", ".join(done.unreadable)
        err.print(f"Left alone, and the journal with it: {names}; see `samestyle snapshot list`.", markup=False)


@snapshot_app.command()
def push(name: Name, url: Url, data: Data = None) -> None:
    """Copy a snapshot to URL/NAME, once it is verified."""
    from index import transfer  # noqa: PLC0415
    from index.manifest import read_manifest  # noqa: PLC0415

    settings = settings_of(data=data)
    with told():
        path = _path(settings, name)
        with _bar("pushing", _size(read_manifest(path))) as progress:
            place = transfer.push(path, url, progress=progress)
    out.print(f"{name} is at {place}.", markup=False, highlight=False, soft_wrap=True)


@snapshot_app.command()
def pull(
    url: Url,
    name: Annotated[str | None, typer.Option(help="What to call it here.", show_default="its own name")] = None,
    data: Data = None,
) -> None:
    """Fetch the snapshot at URL; it is served when it is activated."""
    from index.checksums import remember  # noqa: PLC0415
    from index.transfer import pull as fetch  # noqa: PLC0415

    settings = settings_of(data=data)
    with told():
        with _bar("pulling", None) as progress:
            path = fetch(url, settings.data / "snapshots", name=name, progress=progress)
        remember(path, settings.data / "verified")
    out.print(f"{path.name} is here; `samestyle snapshot activate {path.name}` serves it.", highlight=False)


def _path(settings: Settings, name: str) -> Path:
    from index.manifest import snapshot_path  # noqa: PLC0415

    return snapshot_path(settings.data / "snapshots", name)


def _size(manifest: "Manifest") -> int:
    return sum(entry.bytes for entry in manifest.files.values())


def _verified(settings: Settings, path: Path, max_bytes_per_s: float | None = None) -> "Manifest":
    """Verify with a bar, and remember it."""
    from index import checksums  # noqa: PLC0415
    from index.manifest import read_manifest  # noqa: PLC0415

    with _bar("verifying", _size(read_manifest(path))) as progress:
        return checksums.verify(
            path, remembered=settings.data / "verified", max_bytes_per_s=max_bytes_per_s, progress=progress
        )


def _check_servable(settings: Settings, name: str) -> None:
    """Raise what speaks against serving a snapshot: no bundle of its space, or bytes that are not as written."""
    from index.manifest import read_manifest  # noqa: PLC0415
    from service.models import find_bundle  # noqa: PLC0415

    path = _path(settings, name)
    find_bundle(settings, read_manifest(path).fingerprint)
    _verified(settings, path, settings.index.verify_bytes_per_s)  # a gateway may be serving beside this


def _served_now(settings: Settings, name: str) -> str | None:
    """What gateways serve while no alias says what, as far as can be told from here: the newest but for `name`."""
    from index.manifest import list_snapshots  # noqa: PLC0415
    from service.models import find_bundle  # noqa: PLC0415

    for manifest in list_snapshots(settings.data / "snapshots")[0]:
        with suppress(BundleInvalid):
            if manifest.name != name and find_bundle(settings, manifest.fingerprint):
                return manifest.name
    return None


@contextmanager
def _journal(settings: Settings) -> Iterator["Journal | None"]:
    """The journal, beside the gateway that may have it; None where there is none yet."""
    from index import Journal  # noqa: PLC0415

    where = settings.journal_address
    if isinstance(where, Path) and not where.exists():
        yield None
        return
    with Journal.attach(where) as journal:
        yield journal


@contextmanager
def _bar(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)


def _as_json(manifest: "Manifest", aliases: "AliasTable") -> dict[str, Any]:
    of_manifest = manifest.model_dump(mode="json", exclude={"files"})
    return of_manifest | {
        "aliases": [alias for alias, state in aliases.aliases.items() if state.snapshot == manifest.name],
        "previous_of": [alias for alias, state in aliases.aliases.items() if state.previous == manifest.name],
    }


def _as_table(manifests: list["Manifest"], aliases: "AliasTable") -> Table:
    gap = "\n" if out.is_terminal and out.width < _WIDE else " "  # then a row is two lines, and still readable
    heads = ("alias", "created", "products", f"model{gap}fingerprint", f"index{gap}recall@10")
    table = Table(Column("name", overflow="fold", min_width=12), *(Column(head, no_wrap=True) for head in heads))
    for manifest in manifests:
        known = _as_json(manifest, aliases)
        table.add_row(
            manifest.name,
            ", ".join((*known["aliases"], *(f"({alias})" for alias in known["previous_of"]))),
            f"{manifest.created_at:%Y-%m-%d}{gap}{manifest.created_at:%H:%M:%S}",
            f"{manifest.products:,}",
            f"{manifest.model}{gap}{manifest.fingerprint[:12]}",
            f"{manifest.index_type}{gap}{manifest.recall_at_10:.3f}",
        )
    if any(state.previous for state in aliases.aliases.values()):
        table.caption = "(in brackets: where a rollback goes)"
    return table


def _print_difference(a: str, b: str, found: "Difference") -> None:
    for name, (before, after) in found.manifest.items():
        out.print(f"{name}: {before} -> {after}", markup=False, highlight=False)
    table = Table("products", "number", "the first of them", title=f"{a} -> {b}", title_justify="left")
    groups: dict[str, Some] = {"added": found.added, "removed": found.removed, "changed": found.changed}
    for kind, some in groups.items():
        dots = ", ..." if some.count > len(some.first) else ""
        table.add_row(kind, f"{some.count:,}", escape(", ".join(some.first)) + dots)
    table.add_row("unchanged", f"{found.unchanged:,}")
    print_table(table)
    vectors = "all vectors are of another model" if found.vectors is None else f"vectors {found.vectors:,}"
    out.print(f"Of the changed: documents {found.documents:,}, photos {found.photos:,}, {vectors}.", highlight=False)
