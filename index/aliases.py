"""Aliases: which snapshot each name should stand for, and what it stood for before.

`<data>/aliases.json` is desired state. Gateways follow it, and one that must refuse what is desired keeps what it has.
Changes are read-modify-write under a lock beside the file, so that programs on one host lose none of each other's;
where hosts share the data directory on storage without locks, the last one wins.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from catalogue.errors import AliasesInvalid, InvalidInput, NotFound, SnapshotInvalid
from catalogue.files import lock_file, write_atomic
from catalogue.versioned import parse
from index.manifest import SnapshotName, check_files, list_snapshots, snapshot_path

SCHEMA_VERSION: Final = 1
MAX_HISTORY: Final = 20
MAX_ALIASES: Final = 16
"""`live` among them; of a file that names more, a gateway follows these many."""
FILE: Final = "aliases.json"
LIVE: Final = "live"
"""The alias that answers where none is named."""

_ALIAS: Final = "[A-Za-z0-9_-]{1,64}"
AliasName = Annotated[str, StringConstraints(pattern=f"^{_ALIAS}$")]


class Placement(BaseModel):
    """A snapshot, and since when an alias stood for it."""

    model_config = ConfigDict(frozen=True)

    snapshot: SnapshotName
    since: AwareDatetime


class AliasState(Placement):
    """What an alias stands for now, and what it stood for before, the newest first."""

    history: tuple[Placement, ...] = ()

    @property
    def previous(self) -> str | None:
        """What a rollback would go to."""
        return self.history[0].snapshot if self.history else None


class AliasTable(BaseModel):
    """`aliases.json`."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = Field(ge=1)
    aliases: dict[AliasName, AliasState] = Field(default_factory=dict)

    def get(self, alias: str) -> AliasState | None:
        """What is known of an alias."""
        return self.aliases.get(alias)

    @property
    def names(self) -> list[str]:
        """All aliases there should be, `live` first."""
        return list(dict.fromkeys([LIVE, *self.aliases]))


NO_ALIASES: Final = AliasTable(schema_version=SCHEMA_VERSION)


def read_aliases(data: Path) -> AliasTable:
    """The aliases of a data directory, none where there is no file; raises AliasesInvalid."""
    path = data / FILE
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return NO_ALIASES
    except OSError as error:
        raise AliasesInvalid(f"{path} cannot be read: {error.strerror}.") from error
    remedy = "Correct it, or remove it and activate a snapshot again."
    return parse(AliasTable, text, SCHEMA_VERSION, path, AliasesInvalid, remedy)


def activate(
    data: Path, alias: str, snapshot: str, *, served: str | None = None, check: Callable[[], object] = lambda: None
) -> AliasTable:
    """Let `alias` stand for `snapshot`; what it stood for goes onto its history.

    `served` is what answers for an alias that the file does not know yet, and becomes its history. What is active
    already stays as it is. Whether there is such a snapshot is for `check` to say: it is called where nobody on this
    host can change that. Raises InvalidInput for what cannot be a name and for more than `MAX_ALIASES`, AliasesInvalid,
    and what `check` raises.
    """
    _check_alias(alias)
    for name in (snapshot, served or snapshot):
        snapshot_path(data, name)
    with locked_aliases(data) as table:
        check()
        state, now = table.get(alias), datetime.now(UTC)
        if alias not in table.names and len(table.names) >= MAX_ALIASES:
            raise too_many(table.names)
        if state is None:
            before = [] if served in {None, snapshot} else [Placement(snapshot=served, since=now)]
        elif state.snapshot == snapshot:
            return table
        else:
            before = [Placement(snapshot=state.snapshot, since=state.since), *state.history][:MAX_HISTORY]
        return _write(data, table, alias, AliasState(snapshot=snapshot, since=now, history=tuple(before)))


def too_many(names: Sequence[str]) -> InvalidInput:
    """Why there can be no other alias beside some."""
    return InvalidInput(
        f"There are {len(names)} aliases already ({', '.join(names)}); {MAX_ALIASES} is the most there can be. Forget "
        "one first: DELETE /admin/v1/aliases/{alias}."
    )


def rollback(data: Path, alias: str, *, to: str | None = None) -> AliasTable:
    """Let `alias` stand for what it stood for before, which leaves its history.

    With `to`, only if that is what it goes back to: who has verified a snapshot must not land on another. Raises
    NotFound where there is nothing to go back to, InvalidInput where `to` is not it, AliasesInvalid.
    """
    _check_alias(alias)
    with locked_aliases(data) as table:
        state = table.get(alias)
        if state is None or not state.history:
            raise NotFound(f"Alias {alias} has no previous snapshot to go back to; activate the one you want.")
        target, *rest = state.history
        if to not in {None, target.snapshot}:
            raise InvalidInput(
                f"Alias {alias} would now go back to {target.snapshot}, not to {to}. Look and try again."
            )
        back = AliasState(snapshot=target.snapshot, since=datetime.now(UTC), history=tuple(rest))
        return _write(data, table, alias, back)


def remove(data: Path, alias: str) -> AliasTable:
    """Forget an alias; raises NotFound, InvalidInput for `live`, AliasesInvalid."""
    _check_alias(alias)
    if alias == LIVE:
        raise InvalidInput("The alias live cannot be removed; point it at another snapshot.")
    with locked_aliases(data) as table:
        if table.get(alias) is None:
            raise NotFound(f"There is no alias {alias}.")
        left = {name: state for name, state in table.aliases.items() if name != alias}
        changed = table.model_copy(update={"aliases": left})
        write_atomic(data / FILE, changed.model_dump_json(indent=2).encode() + b"\n")
        return changed


def live_name(data: Path) -> str:
    """The snapshot that `live` should stand for, or without aliases the newest that is whole; raises NotFound."""
    state = read_aliases(data).get(LIVE)
    if state is not None:
        return state.snapshot
    manifests, refused = list_snapshots(data / "snapshots")
    for manifest in manifests:
        try:
            check_files(data / "snapshots" / manifest.name, manifest)
        except SnapshotInvalid as error:
            refused.append(error)
        else:
            return manifest.name
    reasons = "; ".join(map(str, refused)) or "`samestyle build` makes one"
    raise NotFound(f"There is no snapshot in {data / 'snapshots'}: {reasons}.")


@contextmanager
def locked_aliases(data: Path) -> Iterator[AliasTable]:
    """The aliases, which nobody on this host changes meanwhile; raises AliasesInvalid."""
    with lock_file(data / f"{FILE}.lock"):  # held for the time of a small write
        yield read_aliases(data)


def _check_alias(alias: str) -> None:
    if not re.fullmatch(_ALIAS, alias):
        raise InvalidInput(f"{alias[:100]!r} cannot name an alias: use up to 64 letters, digits, dashes, underscores.")


def _write(data: Path, table: AliasTable, alias: str, state: AliasState) -> AliasTable:
    changed = table.model_copy(update={"aliases": {**table.aliases, alias: state}})
    write_atomic(data / FILE, changed.model_dump_json(indent=2).encode() + b"\n")
    return changed
