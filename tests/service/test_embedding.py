"""From a query to its vector: through cache, flights and queues."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest
from pydantic import SecretStr

from catalogue.errors import InvalidInput, UndecodableImage
from catalogue.settings import CacheSettings
from models import Encoded, Encoders, ProductInput, StandInEncoders
from service.cache import EmbeddingCache
from service.deadlines import Deadline, under
from service.embedding import Embeddings
from service.encoding import EncoderQueues, WorkPool
from tests.catalogue.pictures import encode, noise
from tests.models.bundles import SHIPPED
from tests.servers.valkey import Valkey
from tests.service.conftest import photo
from tests.service.gated import Gated, until, words

PHOTO, OTHER = photo((200, 30, 30)), photo((30, 30, 200))
Ask = Callable[..., Awaitable[np.ndarray]]


@asynccontextmanager
async def embeddings_of(
    embedder: StandInEncoders | Encoders, cache: EmbeddingCache | None = None
) -> AsyncIterator[Embeddings]:
    own = cache or EmbeddingCache(CacheSettings())
    pool = WorkPool("decode", 2, max_waiting=128)
    queues = EncoderQueues(embedder, max_batch=8, max_queue=128, decode=pool)
    try:
        yield Embeddings(queues, own, pool)
    finally:
        if isinstance(embedder, Gated):
            embedder.open()
        await own.close()
        await asyncio.to_thread(pool.close)
        await asyncio.to_thread(queues.close)


def run(embedder: StandInEncoders | Encoders, test: Callable[[Embeddings], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60), embeddings_of(embedder) as embeddings:
            await test(embeddings)

    asyncio.run(bounded())


def counts(embedder: Gated) -> tuple[int, int, int, int]:
    """How many were decoded, and run by each encoder."""
    decode, image, text, fusion = (embedder.count(kind) for kind in ("decode", "image", "text", "fusion"))
    return decode, image, text, fusion


def test_a_known_photo_with_new_words_pays_for_text_and_fusion_only() -> None:
    embedder = Gated(is_open=True)

    async def test(embeddings: Embeddings) -> None:
        await embeddings.vector(ProductInput(image=PHOTO))
        assert counts(embedder) == (1, 1, 0, 1)
        vector = await embeddings.vector(ProductInput(image=PHOTO, text="in white"))
        assert counts(embedder) == (1, 1, 1, 2)
        fresh = StandInEncoders().embed([ProductInput(image=PHOTO, text="in white")])[0]
        assert 1 - float(vector @ fresh) < 1e-6
        await embeddings.vector(ProductInput(image=PHOTO, text=" in  white "))
        assert counts(embedder) == (1, 1, 1, 2)
        await embeddings.vector(ProductInput(image=PHOTO, crop=(0.0, 0.0, 0.5, 0.5)))
        assert counts(embedder) == (2, 2, 1, 3)

    run(embedder, test)


def test_a_photo_of_the_catalogue_never_occupies_the_cache() -> None:
    embedder = Gated(is_open=True)

    async def test(embeddings: Embeddings) -> None:
        await embeddings.vector(ProductInput(image=PHOTO), catalogue_photo=True)
        await embeddings.vector(ProductInput(image=PHOTO, text="white"), catalogue_photo=True)
        assert not embeddings._cache.tokens._arrays
        assert len(embeddings._cache.vectors._arrays) == 1  # the one with somebody's words
        await embeddings.vector(ProductInput(image=PHOTO, text="white"), catalogue_photo=True)
        assert counts(embedder) == (2, 2, 1, 2)

    run(embedder, test)


def test_a_hundred_equal_queries_at_once_are_encoded_once() -> None:
    embedder = Gated()

    async def test(embeddings: Embeddings) -> None:
        items = [ProductInput(image=PHOTO, text="in white")] * 100
        asking = [asyncio.create_task(embeddings.vector(item)) for item in items]
        await until(lambda: embedder.count("decode") == 1)
        leader, *others = asking
        leader.cancel()
        embedder.open()
        vectors = await asyncio.gather(*others)
        assert counts(embedder) == (1, 1, 1, 1)
        assert all((vector == vectors[0]).all() for vector in vectors)
        assert leader.cancelled()

    run(embedder, test)


def test_terms_of_one_query_share_its_photo() -> None:
    embedder = Gated()

    async def test(embeddings: Embeddings) -> None:
        both, alone = ProductInput(image=PHOTO, text="white"), ProductInput(image=PHOTO)
        asking = [asyncio.create_task(embeddings.vector(item)) for item in (both, alone)]
        await until(lambda: embedder.count("decode") == 1 and embedder.count("text") == 1)
        embedder.open()
        await asyncio.gather(*asking)
        assert counts(embedder) == (1, 1, 1, 2)

    run(embedder, test)


def test_an_error_goes_to_all_who_wait_and_is_not_kept() -> None:
    embedder = Gated()

    async def test(embeddings: Embeddings) -> None:
        item = ProductInput(text=words(13))
        asking = [asyncio.create_task(embeddings.vector(item)) for _ in range(5)]
        await until(lambda: embedder.count("text") == 1)
        embedder.open()
        results = await asyncio.gather(*asking, return_exceptions=True)
        assert all(isinstance(result, RuntimeError) for result in results)
        with pytest.raises(RuntimeError):
            await embeddings.vector(item)
        assert embedder.count("text") == 2
        with pytest.raises(UndecodableImage):
            await embeddings.vector(ProductInput(image=b"no photo", text="mug"))

    run(embedder, test)


def test_who_comes_later_has_the_time_he_has() -> None:
    """Two ask for the same; the first one's time is over before the encoder begins."""
    embedder = Gated()

    async def test(embeddings: Embeddings) -> None:
        busy = asyncio.create_task(embeddings.vector(ProductInput(text=words(1))))
        await until(lambda: embedder.count("text") == 1)
        item = ProductInput(text=words(2))
        with under(Deadline.after(0.02)) as short:
            first = asyncio.create_task(embeddings.vector(item))
        await asyncio.sleep(0)
        with under(Deadline.after(60)):
            second = asyncio.create_task(embeddings.vector(item))
        await until(lambda: short.has_passed)
        first.cancel()
        embedder.open()
        assert (await second).shape == (embedder.dim,)
        await busy

    run(embedder, test)


@pytest.mark.parametrize("item", [ProductInput(), ProductInput(text="\n"), ProductInput(text="m", crop=(0, 0, 1, 1))])
def test_what_cannot_be_embedded_is_refused(item: ProductInput) -> None:
    async def test(embeddings: Embeddings) -> None:
        with pytest.raises(InvalidInput):
            await embeddings.vector(item)

    run(StandInEncoders(), test)


def test_a_blank_text_is_none_and_large_photos_are_hashed_elsewhere() -> None:
    embedder = Gated(is_open=True)

    async def test(embeddings: Embeddings) -> None:
        large = encode(noise((300, 300)), "BMP")
        assert len(large) > 100_000
        for text in (None, "", " \n"):
            await embeddings.vector(ProductInput(image=large, text=text))
        assert counts(embedder) == (1, 1, 0, 1)

    run(embedder, test)


def test_another_model_of_equal_dimension_never_gets_a_vector_of_this_one(valkey: Valkey) -> None:
    async def test() -> None:
        cache = EmbeddingCache(CacheSettings(redis_url=SecretStr(valkey.url), redis_timeout_s=5))
        one, other = Gated(name="one", is_open=True), Gated(name="other", is_open=True)
        for item in (ProductInput(text="red mug"), ProductInput(image=PHOTO)):
            async with embeddings_of(one, EmbeddingCache(CacheSettings())) as near:
                await near.vector(item)
            first = Embeddings(EncoderQueues(one, max_batch=1, max_queue=9, decode=pool), cache, pool)
            second = Embeddings(EncoderQueues(other, max_batch=1, max_queue=9, decode=pool), cache, pool)
            await first.vector(item)
            before = other.count("fusion")
            await second.vector(item)
            assert other.count("fusion") == before + 1
            for embeddings in (first, second):
                await asyncio.to_thread(embeddings._encoder.close)
        await cache.close()

    pool = WorkPool("decode", 1, max_waiting=9)
    try:
        asyncio.run(test())
    finally:
        pool.close()


def test_cached_tokens_change_the_shipped_embeddings_by_next_to_nothing() -> None:
    """A float16 has 11 bits: measured, 1 - cos is below 1e-6 and the answers' scores move by less than 1e-4."""
    encoders = Encoders.load(SHIPPED, threads=1)
    photos = [encode(noise((60 + n, 90)), "PNG") for n in range(3)] + [PHOTO, OTHER]

    async def test(embeddings: Embeddings) -> None:
        for image in photos:
            await embeddings.vector(ProductInput(image=image))
            for text in (None, "in white"):
                item = ProductInput(image=image, text=text)
                prepared = encoders.prepare(item)
                assert prepared.pixels is not None
                key = embeddings._keys.tokens(await embeddings._digest(image, None))
                tokens = embeddings._cache.tokens.near(key)
                texts = encoders.text_tokens([prepared.token_ids]) if prepared.token_ids is not None else [None]
                cached = encoders.fuse([Encoded(tokens, texts[0])])[0]
                assert 1 - float(cached @ encoders.embed([item])[0]) < 1e-6

    run(encoders, test)
