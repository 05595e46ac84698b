"""Whose answer it is: under which arm it is given, by which id what comes of it is known, and what is kept of it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

from fastapi.exceptions import RequestValidationError

from catalogue.errors import SamestyleError
from service import metrics
from service.events.recorder import MAX_SHOWN, Recorder, SearchRow
from service.events.secret import ensure_secret, user_id
from service.experiments.arms import Arm, Experiments
from service.ids import RequestIds
from service.problems import describe
from service.query import Found
from service.serving import Serving
from service.trail import asked_at

Kind = Literal["search", "page", "refine", "same-style", "similar"]
_MAX_WORDS: Final = 1_000
"""Characters of a query that are kept."""


@dataclass(slots=True)
class Visit:
    """One answer on its way; what is not known before it is found is filled in then."""

    kind: Kind
    request_id: str
    user_id: str | None
    arm: Arm | None
    started: float
    product_id: str | None = None
    query: str | None = None
    has_photo: bool = False
    shown: Sequence[str] = ()
    snapshot: str | None = None
    is_kept: bool = True

    def alias(self, asked: str) -> str:
        """The alias that answers."""
        return self.arm.name if self.arm is not None else asked

    def saw(self, found: Sequence[Found], snapshot: str) -> None:
        """Note what was shown."""
        self.shown = [one.listing.product_id for one in found[:MAX_SHOWN]]
        self.snapshot = snapshot


class Attribution:
    """Gives answers their arms and ids, and notes them."""

    def __init__(self, serving: Serving) -> None:
        """Raises ConfigurationError where the data directory's secret can be neither read nor made."""
        settings = serving.settings
        self._serving = serving
        self._secret = ensure_secret(settings)
        self._experiments = Experiments(settings.data, watch_s=settings.index.watch_s)
        self.recorder = Recorder(settings, serving.pools)
        self.ids = RequestIds(self._secret)

    def start(self) -> None:
        """Take events in, and follow experiments."""
        self._experiments.start()
        self.recorder.start()

    def close(self) -> None:
        """Write what waits, and stop."""
        self.recorder.close()
        self._experiments.close()

    def complaints(self) -> list[str]:
        """Why events are not kept or experiments not followed; empty where all is well."""
        return [*self._experiments.complaints(), *self.recorder.complaints()]

    def user_id(self, user_key: str | None) -> str | None:
        """What a user is called in all that is kept."""
        return user_id(self._secret, user_key) if user_key is not None else None

    def arm_of(self, code: int, at_ms: int) -> Arm | None:
        """The arm that a request id of some moment names."""
        return self._experiments.content.arm_of(code, at_ms)

    @contextmanager
    def visit(
        self, kind: Kind, user_key: str | None, *, chosen: bool = False, before: Sequence[int] | None = None
    ) -> Iterator[Visit]:
        """One answer, noted at its end, also where it fails.

        No experiment is for who has `chosen` an alias. `before` is the arm that an earlier answer was given under, as
        its `issued`: what goes on from it stays there, as long as the experiment runs.
        """
        user = self.user_id(user_key)
        arm = self._still(before) if before is not None else None
        if not chosen:
            arm = self._served(arm or self._experiments.arm_for(user))
        visit = Visit(kind, self.ids.new(arm.code if arm is not None else 0), user, arm, asked_at())
        status = 200
        try:
            yield visit
        except SamestyleError as error:
            status = describe(error)[0]
            raise
        except RequestValidationError:
            status = 400
            raise
        except BaseException:
            visit.is_kept = False  # its client has gone, or it is a fault, which is in the log
            raise
        finally:
            if visit.is_kept:
                self._note(visit, status)

    def _still(self, before: Sequence[int]) -> Arm | None:
        """The arm of an earlier answer, where its experiment runs: once that has stopped, everybody sees live again."""
        arm, running = self.arm_of(before[0], before[1]), self._experiments.content.running
        return arm if arm is not None and running is not None and running.name == arm.experiment else None

    def _served(self, arm: Arm | None) -> Arm | None:
        if arm is not None and arm.name not in self._serving.served:
            metrics.ARM_FALLBACKS.inc()
            return None
        return arm

    def _note(self, visit: Visit, status: int) -> None:
        seconds = time.monotonic() - visit.started
        arm = visit.arm
        self.recorder.note(
            SearchRow(
                request_id=visit.request_id,
                time_ms=time.time_ns() // 1_000_000,
                kind=visit.kind,
                product_id=_clean(visit.product_id),
                query=_clean(visit.query),
                has_photo=visit.has_photo,
                user_id=visit.user_id,
                shown=visit.shown,
                snapshot=visit.snapshot,
                experiment=arm.experiment if arm is not None else None,
                arm=arm.name if arm is not None else None,
                took_ms=round(seconds * 1000, 2),
                status=status,
            )
        )


def issued(arm: Arm | None) -> list[int] | None:
    """An arm as tokens carry it: its code, and when."""
    return [arm.code, time.time_ns() // 1_000_000] if arm is not None else None


def _clean(text: str | None) -> str | None:
    """No more of it than is kept, and nothing that cannot be written."""
    return text[:_MAX_WORDS].encode("utf-8", "replace").decode() if text is not None else None
