"""The queue before the encoder."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from catalogue.errors import NotReady, Overloaded, UndecodableImage
from models import Prepared, ProductInput, StandInEncoders
from models.embedder import Vectors
from service.encoding import EncoderQueue


class Gated(StandInEncoders):
    """An encoder that stops at a gate, and writes down which batches came and on which threads."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.batches: list[int] = []
        self.threads: set[str] = set()

    def encode(self, items: Sequence[Prepared]) -> Vectors:
        self.threads.add(threading.current_thread().name)
        self.batches.append(len(items))
        assert self.gate.wait(10)
        if any(item.token_ids is not None and len(item.token_ids) == 13 for item in items):
            raise RuntimeError("thirteen words")
        return super().encode(items)


def queue_of(embedder: StandInEncoders, max_batch: int = 4, max_queue: int = 8) -> EncoderQueue:
    return EncoderQueue(embedder, max_batch=max_batch, max_queue=max_queue, decode_pool=ThreadPoolExecutor(2))


def words(count: int) -> ProductInput:
    return ProductInput(text=" ".join(f"word{number}" for number in range(count)))


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("never came true")


def test_gives_each_its_own_vector_in_batches_on_one_thread() -> None:
    embedder = Gated()

    async def run() -> None:
        queue = queue_of(embedder)
        tasks = [asyncio.create_task(queue.embed(words(1)))]
        await until(lambda: embedder.batches == [1])  # in the encoder, at the gate
        tasks += [asyncio.create_task(queue.embed(words(number + 1))) for number in range(1, 8)]
        await until(lambda: queue._jobs.qsize() == 7)
        embedder.gate.set()
        vectors = await asyncio.gather(*tasks)
        queue.close()
        for number, vector in enumerate(vectors):
            assert np.allclose(vector, embedder.embed([words(number + 1)])[0])

    asyncio.run(run())
    assert embedder.batches[:3] == [1, 4, 3]  # at once when idle, then what has gathered, up to the most
    assert "encoder" in embedder.threads


def test_a_full_queue_refuses_at_once() -> None:
    embedder = Gated()

    async def run() -> None:
        queue = queue_of(embedder, max_queue=2)
        tasks = [asyncio.create_task(queue.embed(words(1)))]
        await until(lambda: embedder.batches == [1])
        tasks += [asyncio.create_task(queue.embed(words(1))) for _ in range(2)]
        await until(queue._jobs.full)
        with pytest.raises(Overloaded) as refusal:
            await queue.embed(words(1))
        assert refusal.value.retry_after > 0
        embedder.gate.set()
        assert len(await asyncio.gather(*tasks)) == 3
        queue.close()

    asyncio.run(run())


def test_work_whose_client_has_gone_is_dropped() -> None:
    embedder = Gated()

    async def run() -> None:
        queue = queue_of(embedder)
        first = asyncio.create_task(queue.embed(words(1)))
        await until(lambda: embedder.batches == [1])
        gone = [asyncio.create_task(queue.embed(words(1))) for _ in range(3)]
        await until(lambda: queue._jobs.qsize() == 3)
        for task in gone:
            task.cancel()
        await asyncio.gather(*gone, return_exceptions=True)
        embedder.gate.set()
        await first
        queue.close()

    asyncio.run(run())
    assert embedder.batches == [1]


def test_a_fault_reaches_its_callers_and_the_thread_lives_on() -> None:
    embedder = Gated()
    embedder.gate.set()

    async def run() -> None:
        queue = queue_of(embedder)
        with pytest.raises(RuntimeError, match="thirteen"):
            await queue.embed(words(13))
        with pytest.raises(UndecodableImage):
            await queue.embed(ProductInput(image=b"no photo"))
        assert (await queue.embed(words(2))).shape == (embedder.dim,)
        queue.close()

    asyncio.run(run())


def test_closing_finishes_what_is_queued_and_takes_nothing_more() -> None:
    embedder = Gated()

    async def run() -> None:
        queue = queue_of(embedder)
        tasks = [asyncio.create_task(queue.embed(words(1)))]
        await until(lambda: embedder.batches == [1])
        tasks += [asyncio.create_task(queue.embed(words(1))) for _ in range(3)]
        await until(lambda: queue._jobs.qsize() == 3)
        closing = asyncio.create_task(asyncio.to_thread(queue.close))
        await until(lambda: queue._closed)
        with pytest.raises(NotReady):
            await queue.embed(words(1))
        embedder.gate.set()
        assert len(await asyncio.gather(*tasks)) == 4
        await closing

    asyncio.run(run())
