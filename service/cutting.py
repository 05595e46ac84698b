"""`samestyle build --from-live`: a snapshot of what is live, beside the gateway that serves it."""

import shutil
import sys
import tempfile
import threading
from contextlib import suppress
from datetime import UTC, datetime
from subprocess import Popen
from typing import Final

import structlog

from catalogue.errors import Conflict, InvalidInput
from catalogue.files import try_lock
from catalogue.photos import PhotoStore
from catalogue.settings import Settings
from index import Journal, LiveIndex, Manifest, Snapshot
from index.aliases import LIVE, live_name, read_aliases
from index.checksums import remember, verify
from index.cut import cut
from index.maintenance import gc
from index.manifest import read_manifest, snapshot_path
from index.plan import Choice
from index.work_directories import remove_leftovers
from service.encoding import WorkPool
from service.models import Bundles, LoadedModels, ModelSource
from service.replay import replay
from service.serving import Serving
from service.swapping import Swaps

log = structlog.get_logger(__name__)

AUTOMATIC: Final = "auto-"
"""How the names of snapshots begin that a gateway cut by itself; it removes them when no alias needs them."""
_LOCK: Final = ".auto-snapshot.lock"
_AFTER_FAILURE_S: Final = 600.0
_POLL_S: Final = 0.2
_SAID_BYTES: Final = 100_000
_LOW_PRIORITY: Final = ("nice", "-n", "10")


def cut_from_live(
    settings: Settings, name: str, *, choice: Choice | None = None, source: ModelSource | None = None
) -> Manifest:
    """Cut a snapshot from what `live` points at and all the journal holds beyond it.

    Its index is one as was asked for there, unless there is a `choice`.
    No encoder runs but for changes nobody embedded yet. Raises NotFound where nothing is live, InvalidInput where the
    name is taken, and what reading the snapshot and the journal raises. Every byte of what is live is read first,
    whatever is remembered: bits that rotted since would get checksums of their own.
    """
    base = snapshot_path(settings.data / "snapshots", live_name(settings.data))
    verify(base, max_bytes_per_s=settings.index.verify_bytes_per_s)
    snapshot = Snapshot.open(base, fingerprint=read_manifest(base).fingerprint)
    if _has_journal(settings):
        live = _caught_up(settings, snapshot, source or Bundles(settings))
    else:
        live = LiveIndex(snapshot, snapshot.manifest.journal)
    path = cut(
        live.view, settings.data / "snapshots", name, choice=choice or snapshot.manifest.choice, journal=live.journal
    )
    remember(path, settings.data / "verified")
    return read_manifest(path)


def check_position(settings: Settings, position: int) -> str | None:
    """The id of the journal, if there is one; raises InvalidInput unless it can be replayed from a position on."""
    journal_id, trimmed, head = None, 0, 0
    if _has_journal(settings):
        with Journal.attach(settings.journal_address) as journal:
            journal_id, (trimmed, head) = journal.id, journal.bounds()
    if position > head:
        raise InvalidInput(f"The journal ends at {head}; --journal-position {position} is not in it.")
    if position < trimmed:
        raise InvalidInput(
            f"The journal's changes up to position {trimmed} are in snapshots only (`snapshot gc` removed them here); "
            "a build from this catalogue would lose them. If the catalogue holds them already, say up to which "
            f"position: --journal-position {trimmed}, or more. If it does not, cut the snapshot from what is live: "
            "`samestyle build --from-live --name NAME`."
        )
    return journal_id


def _has_journal(settings: Settings) -> bool:
    where = settings.journal_address
    return isinstance(where, str) or where.exists()


def _caught_up(settings: Settings, snapshot: Snapshot, source: ModelSource) -> LiveIndex:
    """A snapshot with all that the journal holds beyond it."""
    with Journal.attach(settings.journal_address) as journal:
        live = LiveIndex(snapshot, journal.id)
        pool = WorkPool("decode", settings.threads.decode, max_waiting=settings.encoder.max_queue)
        models = LoadedModels(source, settings.encoder, pool)
        try:
            encoder = models.get(snapshot.manifest.fingerprint)
            replay(journal, PhotoStore(settings.data / "photos"), live, encoder)
        finally:
            models.keep(())
            pool.close()
    return live


class AutoSnapshot:
    """Cuts a snapshot when one is due, in a process of its own at low priority, and has it served.

    Of the gateways of one data directory one at a time does, and the others serve what it has cut.
    """

    def __init__(self, serving: Serving, swaps: Swaps) -> None:
        self._serving = serving
        self._swaps = swaps
        self._pause_s = serving.settings.index.watch_s
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="auto-snapshot", daemon=True)

    def start(self) -> None:
        """Look from now on."""
        self._thread.start()

    def close(self) -> None:
        """Stop, and stop a cut that is going on."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(self._pause_s):
            try:
                if not self._is_due() or self._take_turn():
                    continue
            except Exception as error:  # noqa: BLE001  # the thread must outlive whatever a disk raises
                log.error("snapshot_not_cut", reason=str(error))  # noqa: TRY400
            self._closing.wait(_AFTER_FAILURE_S)

    def _is_due(self) -> bool:
        """Whether what is served is, and is not about to be exchanged: somebody may have cut another one just now."""
        with self._serving.lease(LIVE) as retrieval:
            if not retrieval.view.is_due:
                return False
            desired = read_aliases(self._serving.settings.data).get(LIVE)
            return desired is None or desired.snapshot == retrieval.snapshot_name

    def _take_turn(self) -> bool:
        """Cut one unless another gateway does; False where that failed."""
        with try_lock(self._serving.settings.data / _LOCK) as lock:
            if lock is None or not self._is_due():
                return True
            return self._cut_and_serve(f"{AUTOMATIC}{datetime.now(UTC):%Y%m%d-%H%M%S}", lock)

    def _cut_and_serve(self, name: str, lock: int) -> bool:
        """Whether it is served now; the snapshots it makes superfluous are removed, itself if it cannot be."""
        snapshots = self._serving.settings.data / "snapshots"
        is_cut = self._cut(name, lock)
        is_served = is_cut and self._serve(name)
        gc(self._serving.settings.data, self._serving.journal, keep=1, prefix=AUTOMATIC)
        if not is_cut:
            remove_leftovers(snapshots, name)  # a snapshot of that name is another gateway's
        elif not is_served:
            shutil.rmtree(snapshots / name, ignore_errors=True)
        return is_served

    def _cut(self, name: str, lock: int) -> bool:
        """In a process that keeps the lock to its end, even if this one is killed."""
        settings = self._serving.settings
        command = [*_LOW_PRIORITY, sys.executable, "-m", "service", "build", "--from-live"]
        command += ["--name", name, "--data", str(settings.data)]
        command += ["--bundle", str(settings.bundle)] if settings.bundle else []
        log.info("snapshot_cutting", snapshot=name)
        with (
            tempfile.TemporaryFile() as said,
            Popen(command, stdout=said, stderr=said, pass_fds=[lock]) as process,  # noqa: S603
        ):
            while process.poll() is None:
                if self._closing.wait(_POLL_S):
                    process.kill()
            if process.returncode == 0:
                return True
            said.seek(0)
            reason = said.read(_SAID_BYTES).decode(errors="replace")[-500:]
        log.error("snapshot_not_cut", snapshot=name, reason=reason)
        return False

    def _serve(self, name: str) -> bool:
        """Swap to it, after any swap that runs."""
        while not self._closing.wait(_POLL_S):
            with suppress(Conflict):
                return self._swaps.swap(LIVE, name).done.exception() is None
        return False
