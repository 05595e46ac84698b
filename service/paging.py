"""Cursors of searches: all that the next page needs."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any, Final, Literal

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict

from service.cursors import Tokens
from service.ranking import Start, Term, Words

Kind = Literal["search", "same-style", "similar"]
_LAYOUT: Final = 7
"""See `cursors.Tokens`; a field of `asked` counts, too."""


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
    """Makes and reads the cursors of one kind of listing."""

    def __init__(self, secret: bytes, kind: Kind) -> None:
        self._tokens = Tokens(secret, kind, _LAYOUT)

    def cursor(self, going_on: Continuation) -> str:
        """The token of a page: a header, the terms' vectors as float32, and what was seen as uint32."""
        start = going_on.start
        header = {
            "listing": going_on.listing,
            "snapshot": going_on.snapshot,
            "fingerprint": going_on.fingerprint,
            "terms": [(term.name, term.weight) for term in start.terms],
            "after": (start.score, start.product_id),
            "shown": start.shown,
            "words": start.words and astuple(start.words),
            "asked": going_on.asked,
            "arm": going_on.arm,
        }
        vectors = np.concatenate([term.vector for term in start.terms]).astype("<f4")
        seen = np.array(sorted(start.seen), "<u4")
        return self._tokens.sign(orjson.dumps(header), vectors.tobytes(), seen.tobytes())

    def read(self, cursor: str) -> Continuation:
        """What a token stands for; raises InvalidInput for one that is not ours."""
        return self._tokens.read(cursor, 3, _content)


class _Header(BaseModel):
    """What a token holds beside numbers."""

    model_config = ConfigDict(strict=True, extra="forbid")

    listing: str
    snapshot: str
    fingerprint: str
    terms: list[tuple[str, float]]
    after: tuple[float, str]
    shown: int
    words: tuple[tuple[int, ...], bool, float, tuple[int, ...]] | None
    asked: dict[str, Any]
    arm: list[int] | None


def _content(said: bytes, vectors: bytes, seen: bytes) -> Continuation:
    """The reverse of `SearchCursors.cursor`; raises ValueError."""
    header = _Header.model_validate_json(said)
    rows = np.frombuffer(vectors, "<f4").reshape(len(header.terms), -1).astype(np.float32)
    start = Start(
        terms=tuple(Term(name, weight, row) for (name, weight), row in zip(header.terms, rows, strict=True)),
        score=header.after[0],
        product_id=header.after[1],
        shown=header.shown,
        seen=frozenset(np.frombuffer(seen, "<u4").tolist()),
        words=header.words and Words(*header.words),
    )
    return Continuation(header.listing, header.snapshot, header.fingerprint, start, header.asked, header.arm)
