"""What searches find, told to Prometheus: by what they gave, and by the arm that answered."""

import asyncio
import time
from collections.abc import Awaitable
from functools import cache
from typing import Literal

from prometheus_client import Counter

from catalogue.errors import SamestyleError
from service import metrics
from service.drift import Modality
from service.problems import describe
from service.query import Hits
from service.trail import asked_at

Asked = Modality | Literal["page"]
"""What a search gave; of a later page only the place is given."""


async def observed(search: Awaitable[Hits], modality: Asked, arm: str, *, is_first: bool) -> Hits:
    """What `search` finds; of interest are the best score and being empty of a first page only, `is_first`.

    A tab has none: there may be no more suppliers. Its time is the request's, from its whole body on, also where its
    client did not wait for the answer.
    """
    arm = metrics.arm_label(arm)
    seconds = metrics.labelled(metrics.SEARCHES, modality, arm)
    try:
        hits = await search
    except asyncio.CancelledError:
        seconds.observe(time.monotonic() - asked_at())
        raise
    except SamestyleError as error:
        metrics.FAILED.labels(arm, f"{describe(error)[0] // 100}xx").inc()
        raise
    seconds.observe(time.monotonic() - asked_at())
    if is_first:
        _empty(modality, arm).inc(0 if hits.found else 1)  # at 0 it is there, too
        if hits.found:
            metrics.labelled(metrics.FIRST_SCORE, modality, arm).observe(max(hit.score for hit in hits.found))
    return hits


@cache  # looked up anew it costs twice what counting does
def _empty(modality: Asked, arm: str) -> Counter:
    return metrics.EMPTY.labels(modality, arm)
