"""Cursors of listings: what goes in comes out, and of all else that is signed nothing is a fault."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from catalogue.errors import InvalidInput
from index.products import Place
from service.cursors import OFFSET, PLACE, Cursors

CURSORS = Cursors(b"secret", "duplicates", "all", OFFSET)
PLACES = Cursors(b"secret", "browse", "all", PLACE)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.integers(0, 10**9))
def test_what_goes_in_comes_out(offset: int) -> None:
    assert CURSORS.read(CURSORS.cursor(offset)) == offset


@given(st.builds(Place, st.none() | st.text() | st.floats(allow_nan=False, allow_infinity=False), st.text()))
def test_so_does_a_place(place: Place) -> None:
    read = PLACES.read(PLACES.cursor(place))
    assert read == place
    assert read is not None
    assert type(read.first) is type(place.first)


def test_none_is_the_start() -> None:
    assert CURSORS.read(None) is None


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (Cursors(b"another", "duplicates", "all", OFFSET), "not made by this service"),
        (Cursors(b"secret", "browse", "all", OFFSET), "not made by this service"),
        (Cursors(b"secret", "duplicates", "some", OFFSET), "other filters"),
    ],
)
def test_of_another_service_or_listing(other: Cursors[int], reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        CURSORS.read(other.cursor(1))


def test_one_of_another_format_is_refused_under_the_same_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    cursor = CURSORS.cursor(3)
    monkeypatch.setattr("service.cursors._LISTING", 1_000)
    with pytest.raises(InvalidInput, match="not made by this service"):
        Cursors(b"secret", "duplicates", "all", OFFSET).read(cursor)


@given(JSON | st.tuples(JSON, st.just(CURSORS._digest)))
@example((True, CURSORS._digest))
@example((["a", "b"], CURSORS._digest))
def test_whatever_was_signed_is_no_fault(held: Any) -> None:
    for cursors in (CURSORS, PLACES):
        token = cursors._tokens.sign(json.dumps(held).encode())
        at = held[0] if isinstance(held, tuple) else None
        if cursors is CURSORS and isinstance(at, int) and not isinstance(at, bool) and at >= 0:
            assert cursors.read(token) == at
        elif cursors is PLACES and isinstance(at, list) and len(at) == 2 and isinstance(at[1], str):
            continue
        else:
            refused(token, cursors)


@given(st.binary(max_size=40))
def test_nor_are_signed_bytes_that_are_no_json(held: bytes) -> None:
    refused(CURSORS._tokens.sign(held))
    refused(CURSORS._tokens._signer.sign(held).decode("latin-1"))


def refused(cursor: str, cursors: Cursors[Any] = CURSORS) -> None:
    with pytest.raises(InvalidInput):
        cursors.read(cursor)
