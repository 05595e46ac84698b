"""Photos and texts become vectors once each, whatever they are combined with."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.errors import InvalidInput, UndecodableImage
from models import ProductInput, StandInEncoders
from models.embedder import TokenIds, Tokens
from models.evaluation import embed_modes, embedding
from models.evaluation.embedding import Request, embed_requests
from models.evaluation.poor_photos import poor_copy
from models.preprocessing import Pixels
from tests.catalogue.pictures import BLUE, encode, halves, plain

PHOTOS = [plain(), plain(colour=BLUE), None, b"no photo at all"]


class Counting(StandInEncoders):
    """Counts what the encoders are given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: Counter[str] = Counter()

    def image_tokens(self, photos: Sequence[Pixels]) -> list[Tokens]:
        self.given["photos"] += len(photos)
        return super().image_tokens(photos)

    def text_tokens(self, texts: Sequence[TokenIds]) -> list[Tokens]:
        self.given["texts"] += len(texts)
        return super().text_tokens(texts)


def test_embedding_all_modes_leaves_zeros_for_what_is_absent() -> None:
    vectors = embed_modes(StandInEncoders(), [plain(), None, plain()], ["mug", "mug", " "])
    present = {mode: rows.any(axis=1).tolist() for mode, rows in vectors.items()}
    assert present == {"i": [True, False, True], "t": [True, True, False], "m": [True, False, False]}


some_requests = st.lists(
    st.builds(
        Request,
        photo=st.sampled_from([None, 0, 1]),
        text=st.sampled_from([None, "red mug", "lamp", "a lamp of glass"]),
        poor=st.booleans(),
    ).filter(lambda request: request.photo is not None or request.text is not None),
    max_size=12,
)


@settings(max_examples=50, deadline=None)
@given(some_requests, st.integers(1, 5))
def test_vectors_are_those_of_single_inputs(requests: list[Request], chunk: int) -> None:
    encoders = StandInEncoders()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding, "CHUNK", chunk)
        table = embed_requests(encoders, requests, PHOTOS.__getitem__, threads=2)
    for request, vector in zip(requests, table.of(requests), strict=True):
        photo = PHOTOS[request.photo] if request.photo is not None else None
        if photo is not None and request.poor:
            photo = poor_copy(photo)
        assert np.allclose(vector, encoders.embed([ProductInput(photo, request.text)])[0], atol=1e-6)


def test_each_photo_and_text_is_encoded_once() -> None:
    encoders = Counting()
    embed_modes(encoders, [plain()] * 3, ["mug", "mug", "lamp"])
    assert encoders.given == {"photos": 3, "texts": 2}


def test_progress_counts_distinct_requests() -> None:
    told: list[tuple[int, int]] = []
    requests = [Request(0), Request(0), Request(text="mug")]
    embed_requests(StandInEncoders(), requests, PHOTOS.__getitem__, progress=lambda *count: told.append(count))
    assert told == [(2, 2)]


def test_a_bad_photo_is_told_and_leaves_zeros() -> None:
    refused: dict[int, InvalidInput] = {}
    requests = [Request(3), Request(3, "mug"), Request(2, "mug"), Request(text="mug"), Request(text=" ")]
    table = embed_requests(StandInEncoders(), requests, PHOTOS.__getitem__, refused=refused.__setitem__)
    assert table.of(requests).any(axis=1).tolist() == [False, False, False, True, False]
    assert isinstance(refused[3], UndecodableImage)


def test_a_bad_photo_is_raised_where_nobody_is_told() -> None:
    with pytest.raises(UndecodableImage):
        embed_modes(StandInEncoders(), [b"no photo"], ["mug"])


def test_a_poor_copy_is_mirrored_darker_and_smaller() -> None:
    from catalogue.images import decode_image

    copy = decode_image(poor_copy(encode(halves((100, 50)), "PNG")))
    assert copy.size == (80, 40)
    (red, _, blue), (_, _, right) = copy.getpixel((10, 20)), copy.getpixel((70, 20))  # type: ignore[misc]
    assert blue > red  # what was on the right is on the left
    assert blue < 200  # 220, darker
    assert right < 60


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3)])
def test_a_photo_of_few_pixels_has_a_copy_too(size: tuple[int, int]) -> None:
    assert poor_copy(plain(size=size))
