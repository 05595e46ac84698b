"""The steps of a swap: what an alias points at is exchanged whole, or not at all.

verify every byte (remembered) -> memory -> load model and snapshot -> replay the journal -> ask it real queries
-> write aliases.json -> flip -> drain and let go of the old
"""

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import structlog

from catalogue.errors import Conflict, SamestyleError, SwapFailed
from index.aliases import LIVE, AliasTable
from index.checksums import verify
from index.manifest import read_manifest
from service import metrics
from service.ids import uuid7
from service.serving import Generation, Serving

log = structlog.get_logger(__name__)

_OPERATIONS: Final = 20
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


class Exchange:
    """The one thread that exchanges generations, and the last operations it was given."""

    def __init__(
        self, serving: Serving, *, closing: threading.Event, ended: Callable[[Operation, Exception | None], None]
    ) -> None:
        """`ended` hears of each operation, and why it failed, before whoever waits for it; `closing` stops one."""
        self._serving = serving
        self._closing = closing
        self._ended = ended
        self.operations: deque[Operation] = deque(maxlen=_OPERATIONS)
        self.loop: asyncio.AbstractEventLoop | None = None
        """Answers the queries that warm a new generation up, once it runs."""
        self._thread = ThreadPoolExecutor(1, "swap", initializer=_give_way)
        self._running: Operation | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let a running exchange end, and start no other."""
        self._thread.shutdown(cancel_futures=True)

    def retire(self, generation: Generation) -> None:
        """Let go of a generation no alias points at, after whatever is under way."""
        self._thread.submit(self._serving.retire, generation)

    def begin(
        self, alias: str, name: str, remember: Callable[[], AliasTable], *, is_desired: bool = False
    ) -> Operation:
        """Begin to point `alias` at a snapshot; raises Conflict while another exchange runs.

        `remember` is called before the flip; what it raises stops the exchange.
        """
        operation = Operation(alias, name, is_desired)
        with self._lock:
            if self._running is not None and not self._running.done.done():
                raise Conflict(
                    f"{self._running.alias} is being pointed at {self._running.snapshot} ({self._running.stage}). "
                    "Ask again when that is over; /admin/v1/status shows it."
                )
            self._running = operation
            self.operations.appendleft(operation)
        self._thread.submit(self._run, operation, remember)
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
        self._finish(operation, "done", None)
        log.info("swap", alias=operation.alias, snapshot=operation.snapshot, stage="done")
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
            remembered=self._serving.settings.data / "verified",
            max_bytes_per_s=self._serving.settings.index.verify_bytes_per_s,
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
        keep_previous_model(self._serving, table)
        return before

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise SwapFailed("The gateway is shutting down; the next start serves what is desired.")

    def _warm_up(self, generation: Generation, alias: str) -> None:
        """Ask the new generation what the old one was asked lately: its pages are read, its caches filled."""
        served = self._serving.served.get(alias)
        if served is None or self.loop is None:
            return
        until = time.monotonic() + _WARM_UP_S
        for query, scope in list(served.retrieval.recent):
            asked = asyncio.run_coroutine_threadsafe(generation.retrieval.search(query, scope), self.loop)
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
        log.error("swap_failed", alias=operation.alias, snapshot=operation.snapshot, reason=str(error))
        self._finish(operation, "failed", error)
        operation.done.set_exception(error)

    def _finish(self, operation: Operation, stage: str, error: Exception | None) -> None:
        operation.stage = stage
        operation.finished_at = datetime.now(UTC)
        self._ended(operation, error)
        metrics.SWAPS.labels(stage).inc()


def keep_previous_model(serving: Serving, table: AliasTable) -> None:
    """Load the model of what was live before, if that is another: writes are embedded for it too."""
    state = table.get(LIVE)
    serving.kept_model = None
    if state is None or state.previous is None:
        return
    try:
        previous = read_manifest(serving.settings.data / "snapshots" / state.previous)
        serving.keep_model(previous.fingerprint, previous.fields)
    except Exception as error:  # noqa: BLE001  # the swap is done: whatever this is must not undo it
        log.warning("previous_model_not_kept", snapshot=state.previous, reason=str(error))


def _give_way() -> None:
    """Let the threads of requests go before this one."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)  # on Linux, of one thread
