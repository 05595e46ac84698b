"""Swaps: what an alias points at is exchanged whole, or not at all.

    verify every byte (remembered) -> memory -> load model and snapshot -> replay the journal -> ask it real queries
    -> write aliases.json -> flip -> drain and let go of the old

`aliases.json` holds what is desired. A gateway that must refuse it keeps what it has and says so.
"""

import asyncio
import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Final

import structlog

from catalogue.errors import Conflict, JournalUnavailable, NotFound, NotReady, SamestyleError, SwapFailed
from catalogue.fetch import Fetcher
from catalogue.settings import Settings
from index.aliases import LIVE, MAX_ALIASES, NO_ALIASES, AliasTable, activate, read_aliases, rollback, too_many
from index.checksums import verify
from index.journal_sqlite import reader_of
from index.snapshot import list_snapshots, read_manifest
from service import metrics
from service.ids import uuid7
from service.models import Bundles, ModelSource
from service.retrieval import Retrieval
from service.serving import Generation, Serving

log = structlog.get_logger(__name__)

_OPERATIONS: Final = 20
_RETRY_S: Final = 60.0
_SAY_NEEDED_S: Final = 60.0
_WARM_UP_S: Final = 30.0
_NICE: Final = 10


@dataclass(slots=True)
class Operation:
    """One exchange of what an alias points at; `done` when it is flipped, or has failed."""

    alias: str
    snapshot: str
    is_desired: bool = False
    """Whether `aliases.json` asks for it, and not somebody who waits."""
    id: str = field(default_factory=lambda: str(uuid7()))
    stage: str = "waiting"
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished_at: datetime | None = None
    error: str | None = None
    done: Future[None] = field(default_factory=Future)


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
    """The one thread that swaps, and the one that watches `aliases.json`."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._data = serving.settings.data
        self._settings = serving.settings.index
        self.operations: deque[Operation] = deque(maxlen=_OPERATIONS)
        self.refusals: dict[str, Refusal] = {}
        self._unreadable: list[str] = []
        """Why `aliases.json` cannot be followed, where it cannot."""
        self._ignored: list[str] = []
        """That it names more than can be followed."""
        self._swapping = ThreadPoolExecutor(1, "swap", initializer=_give_way)
        self._running: Operation | None = None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watch", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._say_needed_at = 0.0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch from now on; `loop` answers the queries that warm a new generation up."""
        self._loop = loop
        self._watcher.start()

    def close(self) -> None:
        """Let a running swap end, and start no other; nothing is answered any more."""
        self._closing.set()
        self._serving.close_devices()
        if self._watcher.is_alive():
            self._watcher.join()
        self._swapping.shutdown(cancel_futures=True)

    def complaints(self) -> list[str]:
        """Why what serves is not what should, or not up to date; none where all is well."""
        refused = [f"{alias} should be {item.snapshot}: {item.reason}" for alias, item in self.refusals.copy().items()]
        return [*self._unreadable, *self._ignored, *refused, *self._serving.feed.failures, *self._serving.damage]

    def open_first(self) -> None:
        """Serve what is desired, or what was served before it, or the newest that can be; raises NotReady."""
        try:
            table = read_aliases(self._data)
        except SamestyleError as error:
            log.error("aliases_refused", reason=str(error))  # noqa: TRY400
            table = NO_ALIASES
            self._unreadable = [str(error)]
        for alias in self._followed(table):
            self._open_alias(alias, table)
        self._keep_previous_model(table)

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
        return self._begin(alias, name, lambda: activate(self._data, alias, name, served=before, check=check))

    def rollback(self, alias: str) -> Operation:
        """Begin to point `alias` at what it pointed at before; raises NotFound without such, Conflict as `swap`."""
        state = read_aliases(self._data).get(alias)
        if state is None or state.previous is None:
            raise NotFound(f"Alias {alias} has pointed at nothing else before. Name a snapshot instead.")
        return self._begin(alias, state.previous, lambda: rollback(self._data, alias, to=state.previous))

    def _begin(
        self, alias: str, name: str, remember: Callable[[], AliasTable], *, is_desired: bool = False
    ) -> Operation:
        operation = Operation(alias, name, is_desired)
        with self._lock:
            if self._running is not None and not self._running.done.done():
                raise Conflict(
                    f"{self._running.alias} is being pointed at {self._running.snapshot} ({self._running.stage}). "
                    "Ask again when that is over; /admin/v1/status shows it."
                )
            self._running = operation
            self.operations.appendleft(operation)
        self._swapping.submit(self._run, operation, remember)
        return operation

    def _run(self, operation: Operation, remember: Callable[[], AliasTable]) -> None:
        started = time.monotonic()
        try:
            old = self._exchange(operation, remember)
        except Exception as error:  # noqa: BLE001  # whatever it is, the old one goes on, and the asker is told
            self._failed(operation, error)
            return
        finally:
            metrics.SWAP_SECONDS.observe(time.monotonic() - started)
        self._finish(operation, "done")
        operation.done.set_result(None)
        if old is not None:
            self._serving.retire(old)

    def _exchange(self, operation: Operation, remember: Callable[[], AliasTable]) -> Generation | None:
        """All steps up to the flip; returns what was served before."""
        alias, name = operation.alias, operation.snapshot

        def stage(text: str) -> None:
            operation.stage = text
            log.info("swap", alias=alias, snapshot=name, stage=text)

        served = self._serving.served.get(alias)
        if served is not None and served.name == name:
            remember()
            return None
        path = self._serving.path_of(name)
        stage("verifying")
        verify(
            path,
            remembered=self._data / "verified",
            max_bytes_per_s=self._settings.verify_bytes_per_s,
            progress=lambda _: self._check_open(),
        )
        generation = self._serving.load(name, stage=stage)
        try:
            stage("warming up")
            self._warm_up(generation, alias)
            table = remember()
        except BaseException:
            self._serving.retire(generation)
            raise
        before = self._serving.flip(alias, generation)
        self._keep_previous_model(table)
        return before

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise SwapFailed("The gateway is shutting down; the next start serves what is desired.")

    def _warm_up(self, generation: Generation, alias: str) -> None:
        """Ask the new generation what the old one was asked lately: its pages are read, its caches filled."""
        served = self._serving.served.get(alias)
        if served is None or self._loop is None:
            return
        until = time.monotonic() + _WARM_UP_S
        for query, scope in list(served.retrieval.recent):
            asked = asyncio.run_coroutine_threadsafe(generation.retrieval.search(query, scope), self._loop)
            try:
                asked.result(max(0.1, until - time.monotonic()))
            except SamestyleError:
                continue  # a product that is not there, a busy moment
            except TimeoutError:
                asked.cancel()
                return

    def _failed(self, operation: Operation, error: Exception) -> None:
        if not isinstance(error, SamestyleError):
            log.error("swap_fault", exc_info=error)
            error = SwapFailed(f"The swap failed ({error}). What was served before goes on; the log says more.")
        operation.error = str(error)
        error = error.with_traceback(None)  # its frames hold what had been loaded, and the operation is kept
        error.__cause__ = error.__context__ = None
        if operation.is_desired and not isinstance(error, Conflict):
            self.refusals[operation.alias] = Refusal(operation.snapshot, str(error))
        log.error("swap_failed", alias=operation.alias, snapshot=operation.snapshot, reason=str(error))
        self._finish(operation, "failed")
        operation.done.set_exception(error)

    def _finish(self, operation: Operation, stage: str) -> None:
        operation.stage = stage
        operation.finished_at = datetime.now(UTC)
        if stage == "done":
            self.refusals.pop(operation.alias, None)
            log.info("swap", alias=operation.alias, snapshot=operation.snapshot, stage=stage)
        metrics.SWAPS.labels(stage).inc()

    def _keep_previous_model(self, table: AliasTable) -> None:
        """Load the model of what was live before, if that is another: writes are embedded for it too."""
        state = table.get(LIVE)
        self._serving.kept_model = None
        if state is None or state.previous is None:
            return
        try:
            previous = read_manifest(self._data / "snapshots" / state.previous)
            self._serving.keep_model(previous.fingerprint, previous.fields)
        except Exception as error:  # noqa: BLE001  # the swap is done: whatever this is must not undo it
            log.warning("previous_model_not_kept", snapshot=state.previous, reason=str(error))

    def _watch(self) -> None:
        while not self._closing.wait(self._settings.watch_s):
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
                self._swapping.submit(self._serving.retire, dropped)
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
            operation = self._begin(alias, name, lambda: self._still_desired(alias, name), is_desired=True)
            operation.done.exception()

    def _still_desired(self, alias: str, name: str) -> AliasTable:
        """Raise Conflict where `aliases.json` has changed its mind meanwhile."""
        table = read_aliases(self._data)
        state = table.get(alias)
        if state is None or state.snapshot != name:
            raise Conflict(f"{alias} should not be {name} any more.")
        return table


def _give_way() -> None:
    """Let the threads of requests go before this one."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)  # on Linux, of one thread


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
