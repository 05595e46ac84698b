"""Photos that a request names by URL: fetched if that is on, and never too many at once."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from catalogue.errors import FetchFailed, FetchRefused, Overloaded, SamestyleError, TooLarge
from catalogue.fetch import Fetcher
from catalogue.settings import FetchSettings
from service import metrics
from service.tracing import headers_out

_OUTCOMES: Final = {FetchRefused: "refused", FetchFailed: "failed", TooLarge: "too-large", Overloaded: "overloaded"}


class RemotePhotos:
    """Photos by URL, at most `concurrency` at once; one more is refused, not queued."""

    def __init__(self, settings: FetchSettings, fetcher: Fetcher | None = None) -> None:
        self._off = fetcher is None and not settings.hosts
        self._fetcher = fetcher or Fetcher(settings.host_list, timeout_s=settings.timeout_s)
        self._room = threading.BoundedSemaphore(settings.concurrency)

    def close(self) -> None:
        """Fetch no more."""
        self._fetcher.close()

    @asynccontextmanager
    async def hold(self, url: str) -> AsyncIterator[bytes]:
        """The photo at `url`; it counts for as long as it is held, so that what is in memory is bounded.

        Raises FetchRefused, FetchFailed, TooLarge, Overloaded.
        """
        if self._off:
            raise FetchRefused(
                "This service fetches no photos (SAMESTYLE_FETCH__HOSTS is empty). Send the photo's bytes in `image`."
            )
        if not self._room.acquire(blocking=False):
            raise Overloaded("Too many photos are being fetched. Try again in a second.", retry_after=1)
        try:
            yield await self._fetched(url)
        finally:
            self._room.release()

    async def _fetched(self, url: str) -> bytes:
        outcome = "gone"  # the caller, or the time there was
        try:
            with metrics.stage("fetch"):
                data = await self._fetcher.fetch(url, headers_out())
            outcome = "fetched"
        except SamestyleError as error:
            outcome = _OUTCOMES.get(type(error), "failed")
            raise
        finally:
            metrics.FETCHES.labels(outcome).inc()
        return data
