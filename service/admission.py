"""The door: how much may be under way at once, who is turned away unread, and who has left again."""

import asyncio
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalogue.errors import Overloaded
from service import metrics
from service.encoding import Modality
from service.middleware import MAX_BODY_BYTES
from service.problems import refusal

MAX_IN_FLIGHT: Final = 256
MAX_BYTES_IN_FLIGHT: Final = 256_000_000
UPLOAD: Final = "/v1/search/upload"
SMALL_BODY: Final = 8_192
"""Bytes; a smaller body has come together with its head, and a larger one that has not come yet holds a photo."""
_ENCODED: Final = frozenset({"/v1/search", UPLOAD, "/v1/search/batch", "/v1/search/refine", "/v1/compare", "/v1/embed"})
"""Routes whose POST may need an encoder."""
_WRITTEN: Final = "/v1/products/"
"""What a PUT or PATCH to such a path may need one for, too."""
_WRITES: Final = frozenset({"PUT", "PATCH"})
_PEEK_S: Final = 0.02
_FEW: Final = 16
"""Requests at once that cannot fill a queue unless it is full already; none of them is looked into."""
_ATTENTION_S: Final = 0.05
"""Requests that are answered sooner are not worth looking whether anybody waits."""
_GONE: Final = 499
_NEEDS: Final[dict[Modality, re.Pattern[bytes]]] = {
    "image": re.compile(rb'"(?:image|image_url)"\s*:\s*"'),
    "text": re.compile(rb'"text"\s*:\s*"'),
}
_PRODUCT: Final = re.compile(rb'"product_id"\s*:\s*"')


class Door(Protocol):
    """Knows how busy the encoders are."""

    def retry_after(self, modality: Modality, under_way: int) -> float | None:
        """The seconds after which encoding a photo or a text has a chance; None where it has one now.

        `under_way` requests with one have been let in and are not answered yet, wherever they are.
        """
        ...


class Admission:
    """At most so many requests and bytes of bodies at once, and no work for encoders that are busy for too long.

    One more is answered 429 before its body is read, with the time after which what waits now is done; a body in chunks
    does not say how large it will be, so it counts as it arrives and is refused where it no longer fits. A request that
    needs no encoder is never refused for their sake. JSON does not tell from outside whether it does; what has come of
    it is looked at, once encoders are busy or many ask at once. Those let in are counted until they are answered: there
    is room for all of them, so none is refused later on, when it has waited already.
    """

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door
        self._in_flight = 0
        self._bytes = 0
        self._under_way: Counter[Modality] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        announced = _announced(scope)
        if self._in_flight >= MAX_IN_FLIGHT or self._bytes + (announced or 0) > MAX_BYTES_IN_FLIGHT:
            await _refuse("Too many requests at once.", 1)(scope, receive, send)
            return
        size, arriving = announced or 0, receive
        self._in_flight += 1
        self._bytes += size

        async def counted() -> Message:
            nonlocal size
            message = await arriving()
            more = min(len(message.get("body", b"")), MAX_BODY_BYTES - size)  # a bulk keeps no more than that of it
            if self._bytes + more > MAX_BYTES_IN_FLIGHT:
                raise _too_much("Too many bytes at once.", 1)
            size += more
            self._bytes += more
            return message

        if announced is None:
            receive = counted
        try:
            await self._let_in(scope, receive, send, announced)
        finally:
            self._in_flight -= 1
            self._bytes -= size

    async def _let_in(self, scope: Scope, receive: Receive, send: Send, announced: int | None) -> None:
        if not _may_be_encoded(scope) or self._is_calm(scope):
            await self._app(scope, receive, send)
            return
        try:
            needs, receive = await _needs(scope, receive, announced)
        except Overloaded as error:  # what has come of the body no longer fits
            await refusal(error)(scope, receive, send)
            return
        if waits := self._busy(needs):
            await _refuse("Too many photos or texts are waiting.", max(waits))(scope, receive, send)
            return
        with self._counted(needs, receive) as counted:
            await self._app(scope, counted, send)

    def _is_calm(self, scope: Scope) -> bool:
        """Whether a request needs no look: too few others are there, and no encoder is busy. A photo is seen anyway."""
        return scope["path"] != UPLOAD and self._in_flight <= _FEW and not self._busy(_NEEDS)

    def _busy(self, needs: Iterable[Modality]) -> list[float]:
        """After how many seconds what cannot be encoded now might be."""
        waits = (self._door.retry_after(modality, self._under_way[modality]) for modality in needs)
        return [wait for wait in waits if wait is not None]

    @contextmanager
    def _counted(self, needs: set[Modality], receive: Receive) -> Iterator[Receive]:
        """As `receive`; the request is under way from its whole body on, and not while its client keeps it waiting."""
        counted: set[Modality] = set()

        async def received() -> Message:
            message = await receive()
            if not counted and message["type"] == "http.request" and not message.get("more_body", False):
                counted.update(needs)
                self._under_way.update(counted)
            return message

        try:
            yield received
        finally:
            self._under_way.subtract(counted)


def _may_be_encoded(scope: Scope) -> bool:
    """Whether a request is one that may need an encoder, or wait for somebody else's server."""
    if scope["method"] in _WRITES:
        return str(scope["path"]).startswith(_WRITTEN)
    return scope["method"] == "POST" and scope["path"] in _ENCODED


async def _needs(scope: Scope, receive: Receive, announced: int | None) -> tuple[set[Modality], Receive]:
    """What a request wants encoded as far as one can tell, and its body, unread or as good as that."""
    unseen: set[Modality] = {"image"} if announced is None or announced > SMALL_BODY else set()
    if scope["method"] in _WRITES or (unseen and _waits_to_send(scope)):  # a change of price encodes nothing
        return unseen, receive
    if scope["path"] == UPLOAD:
        return {"image"}, receive
    try:
        async with asyncio.timeout(_PEEK_S):
            message = await receive()
    except TimeoutError:
        return unseen, receive
    body = message.get("body", b"")
    needs = {modality for modality, key in _NEEDS.items() if key.search(body)}
    if "text" in needs and _PRODUCT.search(body):
        needs.add("image")  # that of the product
    return needs, _replayed(message, receive)


def _waits_to_send(scope: Scope) -> bool:
    """Whether a client sends its body when it is asked for it, and so not what has been refused."""
    return any(name == b"expect" for name, _ in scope["headers"])


def _replayed(message: Message, receive: Receive) -> Receive:
    """As `receive`, with a message before the others."""
    first = [message]

    async def replayed() -> Message:
        return first.pop() if first else await receive()

    return replayed


def _refuse(reason: str, wait_s: float) -> Response:
    return refusal(_too_much(reason, wait_s))


def _too_much(reason: str, wait_s: float) -> Overloaded:
    seconds = max(1, math.ceil(wait_s))
    return Overloaded(f"{reason} Try again in {seconds} s.", retry_after=seconds)


def _announced(scope: Scope) -> int | None:
    """The bytes a body will have, as far as they count; None where it comes in chunks."""
    headers = dict(scope["headers"])
    announced = headers.get(b"content-length", b"0")
    if b"transfer-encoding" in headers or not announced.isdigit():
        return None
    return min(int(announced), MAX_BODY_BYTES)


class Attention:
    """Gives a request up when its client has gone, so that nothing is encoded, fetched or written for nobody."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or not _may_be_encoded(scope):
            await self._app(scope, receive, send)
            return
        watch = _Watch(receive)

        async def answered(message: Message) -> None:
            watch.stop()  # a server says "disconnect" also when the answer is complete
            await send(message)

        try:
            await self._app(scope, watch.receive, answered)
        except asyncio.CancelledError:
            if not watch.gone:
                raise
            metrics.ABANDONED.inc()
            await Response(status_code=_GONE)(scope, receive, send)  # nobody reads it
        finally:
            watch.stop()


class _Watch:
    """Waits for a client to leave once its body is complete, and cancels the request then."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._request = asyncio.current_task()
        self._timer: asyncio.TimerHandle | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._is_complete = False
        self._stopped = False
        self.gone = False

    async def receive(self) -> Message:
        """As the `receive` that is watched."""
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False) and not self._is_complete:
            self._is_complete = True
            self._timer = asyncio.get_running_loop().call_later(_ATTENTION_S, self._begin)
        return message

    def stop(self) -> None:
        """Look no longer, and let go of what knows this watch: with the request it would wait to be garbage."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        self._timer = self._watcher = self._request = None

    def _begin(self) -> None:
        self._timer = None
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if not self._stopped and self._request is not None:
            self.gone = True
            self._request.cancel()
