"""Swaps: who asks for one, `aliases.json` or the admin API, and what is said of those refused.

`aliases.json` holds what is desired. A gateway that must refuse it keeps what it has and says so. How a swap is made:
`service.exchange`.
"""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog

from catalogue.errors import Conflict, JournalUnavailable, NotFound, NotReady, SamestyleError
from catalogue.fetch import Fetcher
from catalogue.settings import Settings
from index.aliases import LIVE, MAX_ALIASES, NO_ALIASES, AliasTable, activate, read_aliases, rollback, too_many
from index.journal_store import reader_of
from index.manifest import list_snapshots
from service.exchange import Exchange, Operation, keep_previous_model
from service.models import Bundles, ModelSource
from service.retrieval import Retrieval
from service.serving import Serving

log = structlog.get_logger(__name__)

_RETRY_S: Final = 60.0
_SAY_NEEDED_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is desired for an alias and not served, and why."""

    snapshot: str
    reason: str
    at: float = field(default_factory=time.monotonic)

    @property
    def is_old(self) -> bool:
        """Whether it should be tried again."""
        return time.monotonic() - self.at > _RETRY_S


class Swaps:
    """The thread that watches `aliases.json`, and what it and people have exchanged."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._data = serving.settings.data
        self.refusals: dict[str, Refusal] = {}
        self._unreadable: list[str] = []
        """Why `aliases.json` cannot be followed, where it cannot."""
        self._ignored: list[str] = []
        """That it names more than can be followed."""
        self._closing = threading.Event()
        self._exchange = Exchange(serving, closing=self._closing, ended=self._note)
        self._watcher = threading.Thread(target=self._watch, name="watch", daemon=True)
        self._say_needed_at = 0.0

    @property
    def operations(self) -> deque[Operation]:
        """The last swaps, the latest first."""
        return self._exchange.operations

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch from now on; `loop` answers the queries that warm a new generation up."""
        self._exchange.loop = loop
        self._watcher.start()

    def close(self) -> None:
        """Let a running swap end, and start no other; nothing is answered any more."""
        self._closing.set()
        self._serving.close_devices()
        if self._watcher.is_alive():
            self._watcher.join()
        self._exchange.close()

    def complaints(self) -> list[str]:
        """Why what serves is not what should, or not up to date; none where all is well."""
        refused = [f"{alias} should be {item.snapshot}: {item.reason}" for alias, item in self.refusals.copy().items()]
        return [*self._unreadable, *self._ignored, *refused, *self._serving.feed.failures, *self._serving.damage]

    def open_first(self) -> None:
        """Serve what is desired, or what was served before it, or the newest that can be.

        Raises NotReady, and JournalInvalid where others who share the journal cannot be told what of it is needed here.
        """
        try:
            table = read_aliases(self._data)
        except SamestyleError as error:
            log.error("aliases_refused", reason=str(error))  # noqa: TRY400
            table = NO_ALIASES
            self._unreadable = [str(error)]
        for alias in self._followed(table):
            self._open_alias(alias, table)
        keep_previous_model(self._serving, table)
        self._say_needed(table, {generation.name for generation in self._serving.served.values()})

    def _open_alias(self, alias: str, table: AliasTable) -> None:
        """What is desired, or what was before it, the last one first; for `live` then any other, the newest first."""
        state = table.get(alias)
        desired = state.snapshot if state else None
        manifests, refused = list_snapshots(self._data / "snapshots") if alias == LIVE else ([], [])
        named = [state.snapshot, *(before.snapshot for before in state.history)] if state else []
        reasons: dict[str, str] = {}
        for name in dict.fromkeys([*named, *(manifest.name for manifest in manifests)]):
            try:
                self._serving.flip(alias, self._serving.load(name))
            except (SamestyleError, OSError) as error:
                reasons[name] = str(error)
                log.warning("snapshot_refused", snapshot=name, reason=str(error))
                continue
            if desired is not None and name != desired:
                self.refusals[alias] = Refusal(desired, reasons[desired])
            return
        if alias == LIVE:
            why = "; ".join([*reasons.values(), *map(str, refused)]) or f"there is none in {self._data / 'snapshots'}"
            raise NotReady(
                f"No snapshot can be served: {why}. Run `samestyle build CATALOGUE --name NAME --data {self._data}`."
            )
        self.refusals[alias] = Refusal(desired or "", "; ".join(reasons.values()))

    def swap(self, alias: str, name: str) -> Operation:
        """Begin to point `alias` at a snapshot and to remember that; raises Conflict while another swap runs."""
        served = self._serving.served
        if alias not in served and len(served) >= MAX_ALIASES:
            raise too_many(sorted(served))
        before = served[alias].name if alias in served else None
        check = partial(self._serving.path_of, name)  # or else `gc` may have removed it
        return self._exchange.begin(alias, name, lambda: activate(self._data, alias, name, served=before, check=check))

    def rollback(self, alias: str) -> Operation:
        """Begin to point `alias` at what it pointed at before; raises NotFound without such, Conflict as `swap`."""
        state = read_aliases(self._data).get(alias)
        if state is None or state.previous is None:
            raise NotFound(f"Alias {alias} has pointed at nothing else before. Name a snapshot instead.")
        return self._exchange.begin(alias, state.previous, lambda: rollback(self._data, alias, to=state.previous))

    def _note(self, operation: Operation, error: Exception | None) -> None:
        """What came of an operation: what is desired and cannot be served is refused, until something is served."""
        if error is None:
            self.refusals.pop(operation.alias, None)
        elif operation.is_desired and not isinstance(error, Conflict):
            self.refusals[operation.alias] = Refusal(operation.snapshot, str(error))

    def _watch(self) -> None:
        while not self._closing.wait(self._serving.settings.index.watch_s):
            try:
                self._look()
                self._unreadable = []
            except Exception as error:  # noqa: BLE001  # the thread must outlive whatever a shared disk raises
                if [str(error)] != self._unreadable:
                    log.error("aliases_not_read", reason=str(error))  # noqa: TRY400
                self._unreadable = [str(error)]

    def _look(self) -> None:
        """Follow what `aliases.json` says now; what was refused is tried again after a minute."""
        served = self._serving.served  # first: what is put there while the file is read is not taken for left over
        table = read_aliases(self._data)
        followed = self._followed(table)
        aliases = {alias: state for alias, state in table.aliases.items() if alias in followed}
        for alias, state in aliases.items():
            refusal = self.refusals.get(alias)
            if alias in served and served[alias].name == state.snapshot:
                self.refusals.pop(alias, None)
            elif refusal is None or refusal.snapshot != state.snapshot or refusal.is_old:
                self._follow(alias, state.snapshot)
        for alias in self.refusals.keys() - aliases.keys() - {LIVE}:
            self.refusals.pop(alias, None)
        for alias in served.keys() - aliases.keys() - {LIVE}:
            if aliases and (dropped := self._serving.flip(alias, None)) is not None:
                self._exchange.retire(dropped)
        self._say_needed(table, {generation.name for generation in served.values()})

    def _say_needed(self, table: AliasTable, served: set[str]) -> None:
        """Tell whoever shares the journal, once a minute, how much of it a start or a rollback here would replay."""
        if not self._serving.settings.journal or time.monotonic() < self._say_needed_at:
            return
        self._say_needed_at = time.monotonic() + _SAY_NEEDED_S
        journal = self._serving.journal
        wanted = served | {
            name for state in table.aliases.values() for name in (state.snapshot, state.previous) if name
        }
        manifests, _ = list_snapshots(self._data / "snapshots")
        with contextlib.suppress(JournalUnavailable):  # of which the feed tells, and which nobody can trim meanwhile
            trimmed, _ = journal.bounds()
            positions = [item.position_in(journal.id) for item in manifests if item.name in wanted]
            if within_reach := [position for position in positions if position >= trimmed]:
                journal.need(reader_of(self._data), min(within_reach))

    def _followed(self, table: AliasTable) -> list[str]:
        """The aliases that are served, `live` before all others; says which are not."""
        names = table.names
        ignored = names[MAX_ALIASES:]
        self._ignored = []
        if ignored:
            self._ignored = [f"aliases.json names over {MAX_ALIASES} aliases; not followed: {', '.join(ignored)}"]
        return names[:MAX_ALIASES]

    def _follow(self, alias: str, name: str) -> None:
        with contextlib.suppress(Conflict):  # one that runs; the next look sees what came of it
            operation = self._exchange.begin(alias, name, lambda: self._still_desired(alias, name), is_desired=True)
            operation.done.exception()

    def _still_desired(self, alias: str, name: str) -> AliasTable:
        """Raise Conflict where `aliases.json` has changed its mind meanwhile."""
        table = read_aliases(self._data)
        state = table.get(alias)
        if state is None or state.snapshot != name:
            raise Conflict(f"{alias} should not be {name} any more.")
        return table


def open_serving(
    settings: Settings, source: ModelSource | None = None, fetcher: Fetcher | None = None
) -> tuple[Serving, Swaps]:
    """What the data directory's aliases desire, ready to answer, and what exchanges it.

    Models come from `source`, by default from bundles, and photos by URL from `fetcher`. Raises NotReady, with the
    reason of each snapshot refused, when nothing can be served, and what opening the journal raises.
    """
    serving = Serving(settings, source or Bundles(settings), fetcher)
    swaps = Swaps(serving)
    try:
        swaps.open_first()
    except BaseException:
        swaps.close()
        asyncio.run(serving.close())
        raise
    return serving, swaps


@asynccontextmanager
async def answering(settings: Settings, source: ModelSource | None = None) -> AsyncIterator[Retrieval]:
    """What `live` points at, without a server around it."""
    serving, swaps = await asyncio.to_thread(open_serving, settings, source)
    try:
        with serving.lease() as retrieval:
            yield retrieval
    finally:
        swaps.close()
        await serving.close()
