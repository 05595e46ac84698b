"""A query that goes on over several turns: what it was so far travels with the answer, signed, to be changed.

Nothing is kept in the gateway. The token holds what was asked; of a photo it holds what the image encoder made of it
(float16, 32 KB at most), so a turn costs text and fusion only, whichever gateway it comes to. Those numbers mean
something to one model only: after a swap to another one the photo has to be sent again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict

from catalogue.errors import Gone, InvalidInput
from service.bodies import from_fields
from service.cache import MAX_ENTRY_BYTES
from service.cursors import Tokens
from service.embedding import Photo
from service.schemas import RefineRequest, SearchRequest

_LAYOUT: Final = 2
"""See `cursors.Tokens`."""
CARRIED: Final = frozenset(SearchRequest.model_fields) - {"image", "image_url", "cursor", "user_key"}
"""What a token carries of a request; of a photo it has the tokens, so of the crop a product's only."""


@dataclass(frozen=True, slots=True)
class Base:
    """A query so far: what was `asked`, and its photo as the model `fingerprint` reads it.

    `had_photo` without a `photo` is one that was too large to travel.
    """

    asked: Mapping[str, Any]
    fingerprint: str
    photo: Photo | None = None
    had_photo: bool = False
    arm: Sequence[int] | None = None
    """See `attribution.issued`."""

    def check(self, fingerprint: str) -> None:
        """Raise Gone where its photo means nothing to that model."""
        if self.had_photo and (self.photo is None or self.fingerprint != fingerprint):
            raise Gone("The photo cannot be gone on with: another model serves by now. Search with the photo again.")


class RefinedSearch(SearchRequest):
    """What a query became; its photo stands beside it."""

    @property
    def _may_be_empty(self) -> bool:
        return True


class RefineCursors:
    """Makes and reads the tokens."""

    def __init__(self, secret: bytes) -> None:
        remedy = "Search anew and take the answer's refine_cursor."
        self._tokens = Tokens(secret, "refine", _LAYOUT, remedy=remedy)

    def cursor(self, base: Base) -> str:
        """The token of a query: a header, and the photo's tokens as float16, unless they are too many."""
        tokens, digest, width = b"", "", 0
        if base.photo is not None:
            with np.errstate(over="ignore"):
                halves = base.photo.tokens.astype("<f2")
            if halves.nbytes <= MAX_ENTRY_BYTES and np.isfinite(halves).all():
                tokens, digest, width = halves.tobytes(), base.photo.digest.hex(), halves.shape[1]
        header = {
            "asked": base.asked,
            "fingerprint": base.fingerprint,
            "had_photo": base.had_photo,
            "digest": digest,
            "width": width,
            "arm": base.arm,
        }
        return self._tokens.sign(orjson.dumps(header), tokens)

    def read(self, cursor: str) -> Base:
        """What a token stands for; raises InvalidInput for one that is not ours."""
        return self._tokens.read(cursor, 2, _content)


def base_of(request: SearchRequest, photo: Photo | None, fingerprint: str, arm: Sequence[int] | None) -> Base:
    """What a request and its photo leave to be gone on with."""
    said = request.model_fields_set & CARRIED
    if request.product_id is None:
        said -= {"crop"}
    asked = request.model_dump(mode="json", include=said, exclude_defaults=True)
    return Base(asked, fingerprint, photo, had_photo=photo is not None, arm=arm)


def refined(base: Base, change: RefineRequest) -> tuple[RefinedSearch, Base]:
    """The query after a change, and what of its base counts from now on; raises InvalidInput where nothing is left."""
    asked, said = dict(base.asked), change.model_fields_set
    if change.drop_photo:
        asked.pop("product_id", None)
        asked.pop("crop", None)
        base = replace(base, photo=None, had_photo=False)
    if "text" in said:
        asked["text"] = change.text
    if change.drop_photo or ("text" in said and asked["text"] is None):
        asked.pop("weights", None)  # they may speak of what is no longer there
    for name in ("weights", "filters", "facets"):
        if name in said:
            value = getattr(change, name)
            asked.pop(name, None)
            asked |= {name: _plain(value)} if value is not None else {}
    for name in ("k", "explain"):
        if (value := getattr(change, name)) is not None:
            asked[name] = value
    before = [word for word in asked.get("negatives", ()) if word not in change.remove_negatives]
    asked["negatives"] = list(dict.fromkeys([*before, *change.add_negatives]))
    request = from_fields(RefinedSearch, {name: value for name, value in asked.items() if value is not None})
    if request.is_empty and not base.had_photo:
        raise InvalidInput("Nothing is left of the query. Keep the words or the photo, or search anew.")
    return request, base


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json", exclude_defaults=True) if isinstance(value, BaseModel) else value


class _Header(BaseModel):
    """What a token holds beside numbers."""

    model_config = ConfigDict(strict=True, extra="forbid")

    asked: dict[str, Any]
    fingerprint: str
    had_photo: bool
    digest: str
    width: int
    arm: list[int] | None


def _content(said: bytes, tokens: bytes) -> Base:
    """The reverse of `RefineCursors.cursor`; raises ValueError."""
    header = _Header.model_validate_json(said)
    photo = None
    if header.digest:
        read = np.frombuffer(tokens, "<f2").reshape(-1, header.width).astype(np.float32)
        photo = Photo(bytes.fromhex(header.digest), read)
    return Base(header.asked, header.fingerprint, photo, header.had_photo, header.arm)
