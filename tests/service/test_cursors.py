"""Cursors of listings by number: what goes in comes out, and of all else that is signed nothing is a fault."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from itsdangerous import URLSafeSerializer

from catalogue.errors import InvalidInput
from service.cursors import Cursors

CURSORS = Cursors(b"secret", "browse", "all")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.integers(0, 10**9))
def test_what_goes_in_comes_out(offset: int) -> None:
    assert CURSORS.offset(CURSORS.cursor(offset)) == offset


def test_none_is_the_start() -> None:
    assert CURSORS.offset(None) == 0


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (Cursors(b"another", "browse", "all"), "not made by this service"),
        (Cursors(b"secret", "duplicates", "all"), "not made by this service"),
        (Cursors(b"secret", "browse", "some"), "other filters"),
    ],
)
def test_of_another_service_or_listing(other: Cursors, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        CURSORS.offset(other.cursor(1))


def test_one_of_another_format_is_refused_under_the_same_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    cursor = CURSORS.cursor(3)
    monkeypatch.setattr("service.cursors._FORMAT", 1_000)
    with pytest.raises(InvalidInput, match="not made by this service"):
        Cursors(b"secret", "browse", "all").offset(cursor)


@given(JSON | st.tuples(JSON, st.just(CURSORS._digest)))
@example((True, CURSORS._digest))
def test_whatever_was_signed_is_no_fault(held: Any) -> None:
    token = CURSORS._signer.dumps(held)
    if isinstance(held, tuple) and isinstance(held[0], int) and not isinstance(held[0], bool) and held[0] >= 0:
        assert CURSORS.offset(str(token)) == held[0]
    else:
        refused(str(token))


@given(st.binary(max_size=40))
def test_nor_are_signed_bytes_that_are_no_json(held: bytes) -> None:
    signer = URLSafeSerializer(b"secret", salt="browse")
    for text in (held, b"." + held):
        refused(CURSORS._signer.make_signer(CURSORS._signer.salt).sign(text).decode("latin-1"))
        refused(signer.make_signer(signer.salt).sign(text).decode("latin-1"))


def refused(cursor: str) -> None:
    with pytest.raises(InvalidInput):
        CURSORS.offset(cursor)
