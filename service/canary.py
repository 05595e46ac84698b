"""A look every minute whether the live index still finds what it found when it was built."""

import threading
from typing import Final

import structlog

from catalogue.errors import SamestyleError
from index.aliases import LIVE
from service import metrics
from service.serving import Serving

log = structlog.get_logger(__name__)

EVERY_S: Final = 60.0
_LOW: Final = 0.02
"""Below what was found when it was built, as for a snapshot to be opened at all."""


class Canary:
    """Asks the live snapshot its stored queries; `samestyle_canary_recall_ratio` is what it finds of the answers."""

    def __init__(self, serving: Serving, every_s: float = EVERY_S) -> None:
        self._serving = serving
        self._every_s = every_s
        self._was_low = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="canary", daemon=True)

    def start(self) -> None:
        """Look from now on."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._closing.set()
        self._thread.join()

    def look(self) -> float:
        """What is found now, 0 to 1; raises NotReady when nothing is live."""
        with self._serving.lease(LIVE) as retrieval:
            snapshot = retrieval.live.snapshot
            found, built = snapshot.canary_recall(), snapshot.canary_when_built
        metrics.CANARY.set(found)
        metrics.CANARY_BUILT.set(built)
        is_low = found < built - _LOW
        if is_low and not self._was_low:
            log.error("canary_is_low", snapshot=snapshot.manifest.name, found=found, when_built=built)
        self._was_low = is_low
        return found

    def _run(self) -> None:
        while True:  # at the priority of requests: it takes a place among them, which must be free again soon
            try:
                self.look()
            except SamestyleError as error:  # nothing is live yet, or a GPU is busy: no news
                log.info("canary_not_asked", reason=str(error))
            except Exception as error:  # noqa: BLE001  # the thread must outlive whatever a disk or a GPU raises
                metrics.CANARY.set(0)
                log.error("canary_failed", reason=str(error))  # noqa: TRY400
            if self._closing.wait(self._every_s):
                return
