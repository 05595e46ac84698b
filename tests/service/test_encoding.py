"""The queues before the three encoders, with the stand-in and with the shipped bundle."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.errors import DeadlineExceeded, InvalidInput, NotReady, Overloaded, UndecodableImage
from models import Embedder, Encoders, ProductInput, StandInEncoders
from service.batching import Batcher
from service.deadlines import Deadline, under
from service.encoding import EncoderQueues, WorkPool
from tests.models.bundles import SHIPPED
from tests.service.conftest import photo
from tests.service.gated import Gated, until, words

PHOTOS = [photo((200, 30, 30)), photo((30, 200, 30), (80, 50), "PNG"), photo((9, 9, 99), (40, 90))]
TEXTS = st.integers(1, 40).map(words).filter(lambda text: len(text.split()) != 13)
INPUTS = st.one_of(
    st.builds(ProductInput, text=TEXTS),
    st.builds(ProductInput, image=st.sampled_from(PHOTOS)),
    st.builds(ProductInput, image=st.sampled_from(PHOTOS), text=TEXTS),
    st.builds(ProductInput, image=st.sampled_from(PHOTOS), crop=st.just((0.1, 0.2, 0.9, 1.0))),
)


@asynccontextmanager
async def queues_of(
    embedder: Embedder, *, max_batch: int = 4, max_queue: int = 128, max_decoding: int = 128
) -> AsyncIterator[EncoderQueues]:
    pool = WorkPool("decode", 2, max_waiting=max_decoding)
    queues = EncoderQueues(embedder, max_batch=max_batch, max_queue=max_queue, decode=pool)
    try:
        yield queues
    finally:
        if isinstance(embedder, Gated):
            embedder.open()
        await asyncio.to_thread(pool.close)
        await asyncio.to_thread(queues.close)


async def all_at_once(embedder: Embedder, items: Sequence[ProductInput], max_batch: int) -> list[np.ndarray]:
    async with queues_of(embedder, max_batch=max_batch) as queues:
        return list(await asyncio.gather(*(queues.embed(item) for item in items)))


@settings(max_examples=25, deadline=None)
@given(items=st.lists(INPUTS, max_size=12), max_batch=st.integers(1, 9))
def test_together_each_gets_what_it_gets_alone(items: list[ProductInput], max_batch: int) -> None:
    embedder = StandInEncoders()
    vectors = asyncio.run(all_at_once(embedder, items, max_batch))
    for item, vector in zip(items, vectors, strict=True):
        np.testing.assert_allclose(vector, embedder.embed([item])[0], atol=1e-6)


def test_the_shipped_encoders_give_the_same_through_the_queues() -> None:
    encoders = Encoders.load(SHIPPED, threads=1)
    items = [
        *(ProductInput(image=image) for image in PHOTOS),
        *(ProductInput(text=words(count)) for count in (1, 2, 3, 9, 14, 20, 40)),
        *(ProductInput(image=image, text=words(count)) for image, count in zip(PHOTOS, (1, 5, 20), strict=True)),
        ProductInput(image=PHOTOS[0], crop=(0.1, 0.2, 0.9, 1.0)),
    ]
    vectors = asyncio.run(all_at_once(encoders, items * 2, 8))
    for item, vector in zip(items * 2, vectors, strict=True):
        np.testing.assert_allclose(vector, encoders.embed([item])[0], atol=1e-5)


def test_each_encoder_has_one_thread_and_texts_do_not_wait_for_photos() -> None:
    async def run() -> None:
        embedder = Gated()
        for kind in ("decode", "text", "fusion"):
            embedder.gates[kind].set()
        async with queues_of(embedder) as queues:
            photos = [asyncio.create_task(queues.embed(ProductInput(image=image))) for image in PHOTOS]
            await until(lambda: embedder.count("image") >= 1)
            assert len(await asyncio.gather(*(queues.embed(ProductInput(text=words(n))) for n in (1, 2, 3)))) == 3
            assert not any(task.done() for task in photos)
            embedder.open()
            await asyncio.gather(*photos)
        assert {kind: embedder.threads[kind] for kind in ("image", "text", "fusion")} == {
            kind: {kind} for kind in ("image", "text", "fusion")
        }

    asyncio.run(run())


def test_texts_of_one_length_bucket_make_a_batch() -> None:
    async def run() -> None:
        embedder = Gated()
        async with queues_of(embedder) as queues:
            tasks = [asyncio.create_task(queues.text_tokens(words(1)))]
            await until(lambda: embedder.count("text") == 1)
            tasks += [asyncio.create_task(queues.text_tokens(words(count))) for count in (5, 2, 7, 2, 8)]
            await until(lambda: queues._text.waiting == 5)
            embedder.open()
            await asyncio.gather(*tasks)
        assert embedder.batches["text"] == [1, 3, 2]

    asyncio.run(run())


@pytest.mark.parametrize("stage", ["decode", "image", "fusion"])
def test_work_for_nobody_is_dropped_wherever_it_waits(stage: str) -> None:
    async def run() -> None:
        embedder = Gated()
        for kind in embedder.gates:
            if kind != stage:
                embedder.gates[kind].set()
        async with queues_of(embedder) as queues:
            queue_of: dict[str, Batcher[Any, Any]] = {
                "decode": queues._decode.queue,
                "image": queues._image,
                "fusion": queues._fusion,
            }
            waiting = queue_of[stage]
            busy = 2 if stage == "decode" else 1
            stay = [asyncio.create_task(queues.embed(ProductInput(image=PHOTOS[0]))) for _ in range(busy)]
            await until(lambda: embedder.count(stage) == busy)
            gone = [asyncio.create_task(queues.embed(ProductInput(image=PHOTOS[1]))) for _ in range(4)]
            await until(lambda: waiting.waiting == 4)
            for task in gone:
                task.cancel()
            await asyncio.wait(gone)
            assert waiting.waiting == 0
            embedder.open()
            await asyncio.gather(*stay)
        assert embedder.count(stage) == busy

    asyncio.run(run())


@pytest.mark.parametrize("stage", ["decode", "image"])
def test_a_full_queue_refuses_at_once(stage: str) -> None:
    async def run() -> None:
        embedder = Gated()
        for kind in embedder.gates:
            if kind != stage:
                embedder.gates[kind].set()
        room = (128, 2) if stage == "decode" else (2, 128)
        async with queues_of(embedder, max_queue=room[0], max_decoding=room[1]) as queues:
            busy = 2 if stage == "decode" else 1
            tasks = [asyncio.create_task(queues.embed(ProductInput(image=PHOTOS[0]))) for _ in range(busy)]
            await until(lambda: embedder.count(stage) == busy)
            tasks += [asyncio.create_task(queues.embed(ProductInput(image=PHOTOS[0]))) for _ in range(2)]
            full = queues._decode.queue if stage == "decode" else queues._image
            await until(lambda: full.fullness == 1)
            with pytest.raises(Overloaded):
                await queues.embed(ProductInput(image=PHOTOS[0]))
            embedder.open()
            await asyncio.gather(*tasks)

    asyncio.run(run())


def test_what_is_late_is_not_encoded() -> None:
    async def run() -> None:
        embedder = Gated()
        async with queues_of(embedder) as queues:
            first = asyncio.create_task(queues.text_tokens(words(1)))
            await until(lambda: embedder.count("text") == 1)
            with under(Deadline.after(0.02)) as deadline:
                late = asyncio.create_task(queues.text_tokens(words(2)))
            await until(lambda: deadline.has_passed)
            embedder.open()
            with pytest.raises(DeadlineExceeded):
                await late
            await first
        assert embedder.count("text") == 1

    asyncio.run(run())


def test_faults_and_bad_input_reach_who_sent_them() -> None:
    async def run() -> None:
        async with queues_of(Gated(is_open=True)) as queues:
            with pytest.raises(RuntimeError, match="thirteen"):
                await queues.embed(ProductInput(text=words(13)))
            with pytest.raises(UndecodableImage):
                await queues.embed(ProductInput(image=b"no photo", text="mug"))
            for nothing in (ProductInput(), ProductInput(text=" \n")):
                with pytest.raises(InvalidInput, match="nothing to encode"):
                    await queues.embed(nothing)
            with pytest.raises(InvalidInput, match="crop needs a photo"):
                await queues.embed(ProductInput(text="mug", crop=(0, 0, 1, 1)))
            blank = await queues.embed(ProductInput(image=PHOTOS[0], text="  "))
            assert (blank == await queues.embed(ProductInput(image=PHOTOS[0]))).all()
            long = " ".join(["word"] * 500)
            assert (await queues.embed(ProductInput(text=long))).shape == (queues.embedder.dim,)

    asyncio.run(run())


def test_once_closed_nothing_is_taken() -> None:
    async def run() -> None:
        async with queues_of(StandInEncoders()) as queues:
            await asyncio.to_thread(queues.close)
            with pytest.raises(NotReady):
                await queues.embed(ProductInput(text="mug"))

    asyncio.run(run())
