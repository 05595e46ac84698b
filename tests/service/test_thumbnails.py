"""Thumbnails: made once, kept, and in nobody's way."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from catalogue.errors import NotFound, UndecodableImage
from catalogue.photos import PhotoStore
from catalogue.threads import ThreadBudget
from service.pools import Pools
from service.thumbnails import Thumbnails
from tests.service.conftest import photo
from tests.service.gated import until


class GatedPhotos(PhotoStore):
    """Stops at a gate, and counts what was read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.gate = threading.Event()
        self.read: Counter[str] = Counter()

    def get(self, digest: str) -> bytes:
        self.read[digest] += 1
        assert self.gate.wait(30)
        return super().get(digest)


Test = Callable[[Thumbnails, GatedPhotos, Pools], Awaitable[None]]


def run(tmp_path: Path, test: Test) -> None:
    pools = Pools(ThreadBudget.of(2), 5.0, max_decoding=8)
    photos = GatedPhotos(tmp_path / "photos")
    try:
        asyncio.run(asyncio.wait_for(test(Thumbnails(photos, pools), photos, pools), 60))
    finally:
        photos.gate.set()
        pools.close()


def test_many_who_ask_for_one_get_one_and_it_is_kept(tmp_path: Path) -> None:
    async def test(thumbnails: Thumbnails, photos: GatedPhotos, _: Pools) -> None:
        digest = photos.put(photo((1, 2, 3), (300, 200)))
        asked = [asyncio.create_task(thumbnails.get(digest, 160)) for _ in range(48)]
        photos.gate.set()
        first, *others = await asyncio.gather(*asked)
        assert set(others) == {first}
        assert await thumbnails.get(digest, 160) == first
        assert photos.read[digest] == 1
        assert await thumbnails.get(digest, 320) != first

    run(tmp_path, test)


def test_a_grid_of_two_hundred_is_answered_and_nothing_else_waits_for_it(tmp_path: Path) -> None:
    async def test(thumbnails: Thumbnails, photos: GatedPhotos, pools: Pools) -> None:
        digests = [photos.put(photo((1, 2, 3), (8 + number, 8))) for number in range(200)]
        asked = [asyncio.create_task(thumbnails.get(digest, 160)) for digest in digests]
        await until(lambda: pools.thumbnail.queue.jobs == 200)
        assert await pools.off_loop(lambda: "a body") == "a body"
        assert await pools.decode.run(lambda: "a photo of a search") == "a photo of a search"
        photos.gate.set()
        assert len(await asyncio.gather(*asked)) == 200

    run(tmp_path, test)


def test_what_cannot_be_made_is_not_kept(tmp_path: Path) -> None:
    async def test(thumbnails: Thumbnails, photos: GatedPhotos, _: Pools) -> None:
        photos.gate.set()
        broken = photos.put(b"no photo")
        for _attempt in range(2):
            with pytest.raises(UndecodableImage):
                await thumbnails.get(broken, 160)
        assert photos.read[broken] == 2
        with pytest.raises(NotFound):
            await thumbnails.get("0" * 64, 160)

    run(tmp_path, test)
