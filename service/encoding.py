"""The encoders behind queues: one owner thread each, so that a text never waits for a photo."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from catalogue.errors import InvalidInput
from models import Embedder, Encoded, ProductInput
from models.embedder import NOTHING_TO_ENCODE, TokenIds, Tokens, check_crop
from models.preprocessing import Box, Pixels
from service import metrics
from service.batching import Batcher
from service.flights import both

Vector = NDArray[np.float32]
Modality = Literal["image", "text"]
Result = TypeVar("Result")

_SHORT: Final = 500
"""Characters; tokenising fewer takes less than handing them to another thread."""


class WorkPool:
    """Threads for what must not run on the event loop, behind one bounded queue.

    What nobody waits for any more is never begun.
    """

    def __init__(self, name: str, threads: int, *, max_waiting: int) -> None:
        self.queue: Batcher[Callable[[], Any], Any] = Batcher(
            name, lambda works: [work() for work in works], max_batch=1, max_waiting=max_waiting, threads=threads
        )

    async def run(self, work: Callable[[], Result]) -> Result:
        """The result of `work`; raises what it raises, and what `Batcher.submit` raises."""
        result: Result = await asyncio.wrap_future(self.queue.submit(work))
        return result

    def close(self) -> None:
        """Finish what is waiting and stop."""
        self.queue.close()


class EncoderQueues:
    """An embedder whose three encoders each have a queue and a thread; for any number of event loops.

    All calls raise Overloaded when a queue is full or the current deadline cannot be met, DeadlineExceeded for what
    was still waiting then, and NotReady once closed.
    """

    def __init__(self, embedder: Embedder, *, max_batch: int, max_queue: int, decode: WorkPool) -> None:
        self.embedder = embedder
        self._decode = decode

        def at_most(limit: int) -> int:
            return min(max_batch, limit)

        self._image: Batcher[Pixels, Tokens] = Batcher(
            "image", embedder.image_tokens, max_batch=at_most(embedder.batch_limit("image")), max_waiting=max_queue
        )
        self._text: Batcher[TokenIds, Tokens] = Batcher(
            "text",
            embedder.text_tokens,
            max_batch=at_most(embedder.batch_limit("text")),
            max_waiting=max_queue,
            kind=embedder.text_bucket,
        )
        self._fusion: Batcher[Encoded, Vector] = Batcher(
            "fusion", self._fuse, max_batch=at_most(embedder.batch_limit("fusion")), max_waiting=2 * max_queue
        )

    async def embed(self, item: ProductInput) -> Vector:
        """The unit vector of one input, float32 [dim]; raises what the embedder raises for a bad photo or no words."""
        check_crop(item)
        image, text = await both(
            self.image_tokens(item.image, item.crop) if item.image is not None else None,
            self.text_tokens(item.text, beside_photo=item.image is not None) if item.text is not None else None,
        )
        return await self.fuse(image, text)

    async def image_tokens(self, image: bytes, crop: Box | None = None) -> Tokens:
        """Tokens [P, Di] of a photo; raises UndecodableImage, TooLarge or InvalidInput."""
        self._image.check()  # before anything is paid for
        pixels = await self._decode.run(partial(self.embedder.prepare_image, image, crop))
        return await asyncio.wrap_future(self._image.submit(pixels))

    async def text_tokens(self, text: str, *, beside_photo: bool = False) -> Tokens | None:
        """Tokens [T, Dt] of a text; None for one without a single word.

        Those of a text beside a photo are not needed before it is the photo's turn: till then it waits for company.
        """
        slack_s = self._decode.queue.wait_s + self._image.wait_s if beside_photo else 0.0
        tokenise = metrics.stage("tokenise")

        def prepared() -> TokenIds | None:
            with tokenise:
                return self.embedder.prepare_text(text)

        token_ids = prepared() if len(text) <= _SHORT else await self._decode.run(prepared)
        if token_ids is None:
            return None
        return await asyncio.wrap_future(self._text.submit(token_ids, slack_s=slack_s))

    async def fuse(self, image: Tokens | None, text: Tokens | None) -> Vector:
        """The unit vector of tokens, float32 [dim]; raises InvalidInput where there are none."""
        if image is None and text is None:
            raise InvalidInput(NOTHING_TO_ENCODE)
        return await asyncio.wrap_future(self._fusion.submit(Encoded(image, text)))

    def queues(self, modality: Modality) -> list[Batcher[Any, Any]]:
        """The queues that a photo or a text has to pass."""
        return [self._image if modality == "image" else self._text, self._fusion]

    @property
    def all_queues(self) -> list[Batcher[Any, Any]]:
        """One for each encoder."""
        return [self._image, self._text, self._fusion]

    def close(self) -> None:
        """Finish what is queued and stop."""
        for queue in self.all_queues:
            queue.close()

    def _fuse(self, items: Sequence[Encoded]) -> list[Vector]:
        return [vector.copy() for vector in self.embedder.fuse(items)]  # a view would keep its whole batch in the cache
