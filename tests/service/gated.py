"""A stand-in that tests hold up, count and break."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence

from models import Encoded, StandInEncoders
from models.embedder import TokenIds, Tokens, Vectors
from models.preprocessing import Box, Pixels


class Gated(StandInEncoders):
    """Stops at a gate of each kind, and writes down what came, in which batches, and on which threads.

    A text of thirteen words is a fault.
    """

    def __init__(self, *, name: str = "standin", is_open: bool = False) -> None:
        super().__init__(name=name)
        self.gates = {kind: threading.Event() for kind in ("decode", "image", "text", "fusion")}
        self.batches: dict[str, list[int]] = {kind: [] for kind in self.gates}
        self.threads: dict[str, set[str]] = {kind: set() for kind in self.gates}
        if is_open:
            self.open()

    def open(self) -> None:
        """Let all through from now on."""
        for gate in self.gates.values():
            gate.set()

    def count(self, kind: str) -> int:
        """How many came."""
        return sum(self.batches[kind])

    def prepare_image(self, image: bytes, crop: Box | None = None) -> Pixels:
        self._pass("decode", 1)
        return super().prepare_image(image, crop)

    def image_tokens(self, photos: Sequence[Pixels]) -> list[Tokens]:
        self._pass("image", len(photos))
        return super().image_tokens(photos)

    def text_tokens(self, texts: Sequence[TokenIds]) -> list[Tokens]:
        self._pass("text", len(texts))
        if any(len(ids) == 13 for ids in texts):
            raise RuntimeError("thirteen words")
        return super().text_tokens(texts)

    def fuse(self, items: Sequence[Encoded]) -> Vectors:
        self._pass("fusion", len(items))
        return super().fuse(items)

    def _pass(self, kind: str, count: int) -> None:
        self.threads[kind].add(threading.current_thread().name)
        self.batches[kind].append(count)
        assert self.gates[kind].wait(30)


async def until(condition: Callable[[], bool], *, within_s: float = 30) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "never came true"
        await asyncio.sleep(0.005)


def words(count: int) -> str:
    """So many words."""
    return " ".join(f"word{number}" for number in range(count))
