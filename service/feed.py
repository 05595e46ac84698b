"""The journal's reader: what was written, here or by another gateway, reaches every index that is served."""

import threading
import time
from concurrent.futures import Future
from typing import Final

import structlog

from catalogue.errors import SamestyleError
from catalogue.photos import PhotoStore
from index import Journal, LiveIndex
from service import metrics
from service.encoding import EncoderQueues
from service.replay import replay, step

log = structlog.get_logger(__name__)

_CLOSE_WAIT_S: Final = 10.0
_SAY_AGAIN_S: Final = 60.0
"""A database that comes and goes would fill the log: this feed looks 50 times a second."""


class Feed:
    """One thread that applies new journal entries to all live indexes, in order.

    It looks when poked, and every `poll_s` seconds for what other processes wrote.
    """

    def __init__(self, journal: Journal, photos: PhotoStore, *, poll_s: float) -> None:
        self._journal = journal
        self._photos = photos
        self._poll_s = poll_s
        self._fed: dict[LiveIndex, EncoderQueues] = {}
        self._waiting: list[tuple[int, Future[None]]] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        self.head = 0
        """The journal's last entry when it was looked at last."""
        self._failing: dict[LiveIndex, str] = {}
        self._said: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._thread.start()

    def add(self, live: LiveIndex, encoder: EncoderQueues) -> None:
        """Bring an index up to the journal's head, and keep it there from now on; raises what that raises."""
        self._replay(live, encoder)
        with self._lock:
            self._fed[live] = encoder
        try:
            self._replay(live, encoder)  # what was acknowledged in between, when only others had to show it
        except BaseException:
            self.remove(live)
            raise

    def remove(self, live: LiveIndex) -> None:
        """Leave an index as it is."""
        with self._lock:
            self._fed.pop(live, None)
            self._failing.pop(live, None)

    def poke(self) -> None:
        """Look at the journal now."""
        self._wake.set()

    def reached(self, position: int) -> Future[None]:
        """Done once every index shows the journal's entry at `position`."""
        done: Future[None] = Future()
        with self._lock:
            self._waiting.append((position, done))
        self.poke()
        return done

    def close(self) -> None:
        """Stop reading."""
        self._closed = True
        self.poke()
        self._thread.join(_CLOSE_WAIT_S)

    @property
    def failures(self) -> list[str]:
        """Why indexes are behind the journal, where they are."""
        with self._lock:
            return sorted(set(self._failing.values()))

    def _run(self) -> None:
        behind = False
        while not self._closed:
            if not behind:
                self._wake.wait(self._poll_s)
                self._wake.clear()
            with self._lock:
                fed = list(self._fed.items())
            # A step each in turn: one that has much to catch up with, or to embed, must not keep the others waiting.
            steps = [self._step(live, encoder) for live, encoder in fed]
            behind = any(steps)
            self._announce()

    def _step(self, live: LiveIndex, encoder: EncoderQueues) -> bool:
        """Apply some entries to one index; whether there are more. What stops it is said once."""
        try:
            is_behind = step(self._journal, self._photos, live, encoder)
        except Exception as error:  # noqa: BLE001  # the thread must outlive whatever a database or disk raises
            self._failed(live, error)
            return False
        with self._lock:
            self.head = max(self.head, live.view.position)
            self._failing.pop(live, None)
        return is_behind

    def _failed(self, live: LiveIndex, error: Exception) -> None:
        metrics.FEED_FAILURES.inc()
        with self._lock:
            known = self._failing.get(live) == str(error) or live not in self._fed
            if live in self._fed:
                self._failing[live] = str(error)
        if not known and self._is_news(str(error)):
            trace = None if isinstance(error, SamestyleError) else error
            log.error("journal_not_applied", reason=str(error), exc_info=trace)

    def _is_news(self, reason: str) -> bool:
        """Whether it was not said within the last minute."""
        now = time.monotonic()
        self._said = {said: at for said, at in self._said.items() if now - at < _SAY_AGAIN_S}
        return self._said.setdefault(reason, now) == now

    def _replay(self, live: LiveIndex, encoder: EncoderQueues) -> None:
        replay(self._journal, self._photos, live, encoder)
        self.head = max(self.head, live.view.position)

    def _announce(self) -> None:
        """Tell those who wait for a position that every index that can has reached it."""
        with self._lock:
            shown = min((live.view.position for live in self._fed if live not in self._failing), default=-1)
            reached = [done for position, done in self._waiting if position <= shown]
            self._waiting = [
                (position, done) for position, done in self._waiting if position > shown and not done.done()
            ]
        for done in reached:
            if done.set_running_or_notify_cancel():
                done.set_result(None)
