"""Cursors: what goes in comes out, and nothing that was not made here is read."""

import base64
import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.errors import InvalidInput
from service.paging import Continuation, SearchCursors
from service.ranking import Start, Term

CURSORS = SearchCursors(b"secret", "search")
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def continuations(draw: st.DrawFn) -> Continuation:
    dim = draw(st.integers(1, 40))
    numbers = st.floats(-1, 1, width=32)
    terms = tuple(
        Term(draw(WORDS), draw(st.floats(-2, 2)), np.array(draw(st.lists(numbers, min_size=dim, max_size=dim)), "f4"))
        for _ in range(draw(st.integers(1, 4)))
    )
    seen = draw(st.frozensets(st.integers(0, 2**32 - 1), max_size=30))
    start = Start(terms, draw(numbers), draw(WORDS), draw(st.integers(1, 1_000)), seen)
    return Continuation(draw(WORDS), draw(WORDS), draw(WORDS), start, draw(st.dictionaries(WORDS, WORDS, max_size=3)))


@settings(max_examples=200, deadline=None)
@given(continuations())
def test_what_goes_in_comes_out_to_the_last_bit(page: Continuation) -> None:
    read = CURSORS.read(CURSORS.cursor(page))
    assert read == page
    for one, other in zip(read.start.terms, page.start.terms, strict=True):
        assert (one.name, one.weight, one.vector.tobytes()) == (other.name, other.weight, other.vector.tobytes())


def page() -> Continuation:
    return Continuation("l", "s", "f", Start((Term("query", 1.0, np.ones(3, "f4")),), 0.5, "p", 1, frozenset({7})))


@pytest.mark.parametrize(
    "other",
    [SearchCursors(b"another", "search"), SearchCursors(b"secret", "similar"), SearchCursors(b"secret", "same-style")],
)
def test_of_another_service_or_listing(other: SearchCursors) -> None:
    with pytest.raises(InvalidInput, match="not made by this service"):
        CURSORS.read(other.cursor(page()))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_one_that_was_changed_is_refused_or_says_the_same(data: st.DataObject) -> None:
    """Base64 has more than one way to write a signature; what is signed cannot be changed."""
    cursor = CURSORS.cursor(page())
    at = data.draw(st.integers(0, len(cursor) - 1))
    kind = data.draw(st.sampled_from(["change", "cut", "insert"]))
    character = data.draw(st.characters())
    tampered = {
        "change": cursor[:at] + character + cursor[at + 1 :],
        "cut": cursor[:at],
        "insert": cursor[:at] + character + cursor[at:],
    }[kind]
    try:
        assert CURSORS.read(tampered) == page()
    except InvalidInput:
        assert tampered != cursor


@settings(max_examples=200, deadline=None)
@given(st.text() | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode() + ".x"))
def test_nonsense_is_refused(cursor: str) -> None:
    refused(cursor)


def refused(cursor: Any) -> None:
    with pytest.raises(InvalidInput):
        CURSORS.read(cursor)


def test_one_of_another_format_is_refused_under_the_same_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    cursor = CURSORS.cursor(page())
    monkeypatch.setattr("service.paging._LAYOUT", 1_000)
    with pytest.raises(InvalidInput, match="not made by this service"):
        SearchCursors(b"secret", "search").read(cursor)


def packed_page() -> bytes:
    return base64.urlsafe_b64decode(CURSORS.cursor(page()).partition(".")[0])


def signed(packed: bytes) -> str:
    return CURSORS._tokens.sign(packed)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_one_that_was_signed_but_says_something_else_is_no_fault(data: st.DataObject) -> None:
    """As another version with the same format by mistake would write it."""
    packed = packed_page()
    at = data.draw(st.integers(0, len(packed)))
    some = data.draw(st.binary(max_size=8))
    kept = data.draw(st.integers(0, 8))
    try:
        CURSORS.read(signed(packed[:at] + some + packed[at + kept :]))
    except InvalidInput as refusal:
        assert "not made by this service" in str(refusal)  # noqa: PT017  # some changes are well formed


@pytest.mark.parametrize(
    "change",
    [
        {"terms": None},
        {"terms": []},
        {"terms": [["query", "1.0"]]},
        {"terms": [["query", 1.0], ["text", 1.0]]},
        {"after": [0.5]},
        {"shown": "1"},
        {"asked": []},
        {"page": 2},
    ],
)
def test_a_header_of_another_shape_is_refused(change: dict[str, Any]) -> None:
    packed = packed_page()
    (length,) = struct.unpack_from("<I", packed)
    header = json.dumps(json.loads(packed[4 : 4 + length]) | change).encode()
    refused(signed(struct.pack("<I", len(header)) + header + packed[4 + length :]))
