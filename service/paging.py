"""Cursors of searches: signed, and all that the next page needs, so that nothing is kept between two pages."""

import base64
import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import orjson
from itsdangerous import BadSignature, Signer
from pydantic import BaseModel, ConfigDict

from catalogue.errors import InvalidInput
from service.ranking import Start, Term

Kind = Literal["search", "same-style", "similar"]
_FORMAT: Final = 3
"""To be raised with every change of what a token holds, a field of `asked` among it: gateways of two versions may have
one secret, and each refuses what the other wrote."""
_LENGTH: Final = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Continuation:
    """How a listing goes on: of what (`listing`), on which snapshot, from where, and what else was `asked` for it."""

    listing: str
    snapshot: str
    fingerprint: str
    start: Start
    asked: Mapping[str, Any] = field(default_factory=dict)
    arm: Sequence[int] | None = None
    """See `attribution.issued`."""


class SearchCursors:
    """Makes and reads the cursors of one kind of listing; those of other kinds and services are refused."""

    def __init__(self, secret: bytes, kind: Kind) -> None:
        salt = f"samestyle {_FORMAT} {kind}"
        self._signer = Signer(secret, salt=salt, key_derivation="hmac", digest_method=hashlib.sha256)

    def cursor(self, going_on: Continuation) -> str:
        """The token of a page."""
        return self._signer.sign(base64.urlsafe_b64encode(_packed(going_on))).decode()

    def read(self, cursor: str) -> Continuation:
        """What a token stands for; raises InvalidInput for one that is not ours."""
        try:
            return _unpacked(base64.urlsafe_b64decode(self._signer.unsign(cursor.encode())))
        except (BadSignature, struct.error, ValueError):  # pydantic's, numpy's and base64's are ValueErrors
            raise InvalidInput(
                "This cursor was not made by this service for such a listing. Start again without a cursor."
            ) from None


class _Header(BaseModel):
    """What a token holds beside numbers."""

    model_config = ConfigDict(strict=True, extra="forbid")

    listing: str
    snapshot: str
    fingerprint: str
    terms: list[tuple[str, float]]
    after: tuple[float, str]
    shown: int
    asked: dict[str, Any]
    arm: list[int] | None


def _packed(going_on: Continuation) -> bytes:
    """A header in JSON, then the terms' vectors as float32 and what was seen as uint32."""
    start = going_on.start
    header = {
        "listing": going_on.listing,
        "snapshot": going_on.snapshot,
        "fingerprint": going_on.fingerprint,
        "terms": [(term.name, term.weight) for term in start.terms],
        "after": (start.score, start.product_id),
        "shown": start.shown,
        "asked": going_on.asked,
        "arm": going_on.arm,
    }
    text = orjson.dumps(header)
    vectors = np.concatenate([term.vector for term in start.terms]).astype("<f4").tobytes()
    seen = np.array(sorted(start.seen), "<u4").tobytes()
    return b"".join((_LENGTH.pack(len(text)), text, _LENGTH.pack(len(vectors)), vectors, seen))


def _unpacked(data: bytes) -> Continuation:
    """The reverse; raises ValueError or struct.error for what `_packed` did not make."""
    text, rest = _part(data)
    vectors, seen = _part(rest)
    header = _Header.model_validate_json(text)
    rows = np.frombuffer(vectors, "<f4").reshape(len(header.terms), -1).astype(np.float32)
    start = Start(
        terms=tuple(Term(name, weight, row) for (name, weight), row in zip(header.terms, rows, strict=True)),
        score=header.after[0],
        product_id=header.after[1],
        shown=header.shown,
        seen=frozenset(np.frombuffer(seen, "<u4").tolist()),
    )
    return Continuation(header.listing, header.snapshot, header.fingerprint, start, header.asked, header.arm)


def _part(data: bytes) -> tuple[bytes, bytes]:
    end = _LENGTH.size + _LENGTH.unpack_from(data)[0]
    return data[_LENGTH.size : end], data[end:]
