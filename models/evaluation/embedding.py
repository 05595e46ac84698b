"""Many photos, texts and combinations of both into vectors: each photo and each text is encoded once."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from catalogue.errors import InvalidInput
from catalogue.threads import ThreadBudget
from models.embedder import Embedder, Encoded, Vectors
from models.evaluation.modes import MODES, Mode
from models.evaluation.poor_photos import poor_copy
from models.preprocessing import Pixels

CHUNK: Final = 256
"""Requests worked on together; the photos of the next chunk are decoded meanwhile, so pixels take some 60 MB."""

Photo: TypeAlias = tuple[int, bool]
PhotoOf: TypeAlias = Callable[[int], bytes | None]
"""The bytes of a product's photo by its number; called on several threads."""
Progress: TypeAlias = Callable[[int, int], None]
"""Called with how many more vectors are done, and how many there are in all."""


class Request(NamedTuple):
    """What one vector is made of: the photo of a product (by number), a text, or both."""

    photo: int | None = None
    text: str | None = None
    poor: bool = False
    """Whether the photo is taken as a poor copy of itself."""


class VectorTable:
    """Vectors by what they were made of."""

    def __init__(self, numbers: dict[Request, int], vectors: Vectors) -> None:
        self._numbers = numbers
        self._vectors = vectors

    def of(self, requests: Sequence[Request | None]) -> Vectors:
        """[n, dim] in the order given; zeros for None, and for what lacks a photo or text that was asked for."""
        result = np.zeros((len(requests), self._vectors.shape[1]), dtype=np.float32)
        for row, request in enumerate(requests):
            if request is not None:
                result[row] = self._vectors[self._numbers[request]]
        return result


def embed_requests(
    embedder: Embedder,
    requests: Iterable[Request],
    photo_of: PhotoOf,
    *,
    threads: int | None = None,
    refused: Callable[[int, InvalidInput], None] | None = None,
    progress: Progress = lambda _done, _total: None,
) -> VectorTable:
    """Vectors of all requests. Those of one product should follow each other, so that they share its tokens.

    A photo that cannot be used is told to `refused` with its number, and its requests come out as zeros; without
    `refused`, its error is raised.
    """
    unique = list(dict.fromkeys(requests))
    vectors = np.zeros((len(unique), embedder.dim), dtype=np.float32)
    chunks = [unique[start : start + CHUNK] for start in range(0, len(unique), CHUNK)]

    def decode(photo: Photo) -> Pixels | None:
        try:
            data = photo_of(photo[0])
            return None if data is None else embedder.prepare_image(poor_copy(data) if photo[1] else data)
        except InvalidInput as error:
            if refused is None:
                raise
            refused(photo[0], error)
            return None

    with ThreadPoolExecutor(threads or ThreadBudget.of().decode, thread_name_prefix="decode") as pool:
        try:
            ahead: deque[dict[Photo, Future[Pixels | None]]] = deque()
            for at, chunk in enumerate(chunks):
                for upcoming in chunks[at + len(ahead) : at + 2]:
                    ahead.append({photo: pool.submit(decode, photo) for photo in _photos(upcoming)})
                pixels = {photo: future.result() for photo, future in ahead.popleft().items()}
                _embed_chunk(embedder, chunk, pixels, vectors[at * CHUNK : at * CHUNK + len(chunk)])
                progress(len(chunk), len(unique))
        finally:
            pool.shutdown(cancel_futures=True)
    return VectorTable({request: number for number, request in enumerate(unique)}, vectors)


def embed_modes(embedder: Embedder, photos: Sequence[bytes | None], texts: Sequence[str]) -> dict[Mode, Vectors]:
    """Vectors of the same products by photo, by text, and by both; zeros where a product lacks the photo or text.

    Raises UndecodableImage or TooLarge for a photo that cannot be used.
    """
    asked = {
        mode: [
            mode_request(mode, row if photo is not None else None, text)
            for row, (photo, text) in enumerate(zip(photos, texts, strict=True))
        ]
        for mode in MODES
    }
    by_product = zip(*asked.values(), strict=True)
    table = embed_requests(embedder, (one for three in by_product for one in three if one), photos.__getitem__)
    return {mode: table.of(requests) for mode, requests in asked.items()}


def mode_request(mode: Mode, photo: int | None, text: str, *, poor: bool = False) -> Request | None:
    """The request for a product in one mode; None where it lacks the photo or text for it."""
    if (mode != "t" and photo is None) or (mode != "i" and not text.strip()):
        return None
    if mode == "t":
        return Request(text=text)
    return Request(photo, text if mode == "m" else None, poor)


def _photos(chunk: Sequence[Request]) -> list[Photo]:
    return list(dict.fromkeys((request.photo, request.poor) for request in chunk if request.photo is not None))


def _embed_chunk(
    embedder: Embedder, chunk: Sequence[Request], pixels: dict[Photo, Pixels | None], out: Vectors
) -> None:
    """Write the vectors of a chunk into `out`, where the parts of a request are all there."""
    photos = {photo: image for photo, image in pixels.items() if image is not None}
    texts = dict.fromkeys(request.text for request in chunk if request.text is not None)
    words = {text: ids for text in texts if (ids := embedder.prepare_text(text)) is not None}
    image_tokens = dict(zip(photos, embedder.image_tokens(list(photos.values())), strict=True))
    text_tokens = dict(zip(words, embedder.text_tokens(list(words.values())), strict=True))
    rows, items = [], []
    for row, request in enumerate(chunk):
        image = image_tokens.get((request.photo, request.poor)) if request.photo is not None else None
        text = text_tokens.get(request.text) if request.text is not None else None
        if (image is None) == (request.photo is None) and (text is None) == (request.text is None):
            rows.append(row)
            items.append(Encoded(image, text))
    if items:
        out[rows] = embedder.fuse(items)
