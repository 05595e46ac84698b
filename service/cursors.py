"""Signed cursors: all that an answer goes on from, so that nothing is kept in between. Those of listings are here."""

import base64
import hashlib
import struct
from collections.abc import Callable
from typing import Annotated, Final, Generic, TypeVar

from itsdangerous import BadSignature, Signer
from pydantic import Field, TypeAdapter

from catalogue.errors import InvalidInput
from index.products import Place

Content = TypeVar("Content")
Start = TypeVar("Start", int, Place)
OFFSET: Final = TypeAdapter(tuple[Annotated[int, Field(ge=0, strict=True)], str])
"""A page of what does not change starts at a number,"""
PLACE: Final = TypeAdapter(tuple[Place, str])
"""and one of what does behind the last product before: nothing is skipped or repeated when others come and go."""
_LISTING: Final = 4
_LENGTH: Final = struct.Struct("<I")


class Tokens:
    """Signs and reads the tokens of one `kind`; those of other kinds, formats and services are refused.

    `layout` is the number of what they hold, to be raised with every change of it: gateways of two versions may have
    one secret, and each refuses what the other wrote.
    """

    def __init__(self, secret: bytes, kind: str, layout: int, *, remedy: str = "Start again without a cursor.") -> None:
        salt = f"samestyle {layout} {kind}"
        self._signer = Signer(secret, salt=salt, key_derivation="hmac", digest_method=hashlib.sha256)
        self._remedy = remedy

    def sign(self, *parts: bytes) -> str:
        """A token that holds one or several parts."""
        *before, last = parts
        packed = b"".join(_LENGTH.pack(len(part)) + part for part in before) + last
        return self._signer.sign(base64.urlsafe_b64encode(packed)).decode()

    def read(self, token: str, count: int, content: Callable[..., Content]) -> Content:
        """What `content` makes of the `count` parts of a token.

        Raises InvalidInput for a token that is not ours, and where `content` raises ValueError.
        """
        try:
            rest, parts = base64.urlsafe_b64decode(self._signer.unsign(token.encode())), []
            for _ in range(count - 1):
                end = _LENGTH.size + _LENGTH.unpack_from(rest)[0]
                parts.append(rest[_LENGTH.size : end])
                rest = rest[end:]
            return content(*parts, rest)
        except (BadSignature, struct.error, ValueError):  # pydantic's, numpy's and base64's are ValueErrors
            raise InvalidInput(f"This cursor was not made by this service for such a request. {self._remedy}") from None


class Cursors(Generic[Start]):
    """The cursors of one listing of a `kind`; `listing` names what is listed, with its filters and order."""

    def __init__(self, secret: bytes, kind: str, listing: str, page: TypeAdapter[tuple[Start, str]]) -> None:
        self._tokens = Tokens(secret, kind, _LISTING)
        self._digest = hashlib.blake2b(listing.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        self._page: TypeAdapter[tuple[Start, str]] = page

    def cursor(self, start: Start) -> str:
        """The token of a page."""
        return self._tokens.sign(self._page.dump_json((start, self._digest)))

    def read(self, cursor: str | None) -> Start | None:
        """Where the page starts; raises InvalidInput for a cursor that is not ours, or of another listing."""
        if cursor is None:
            return None
        start, digest = self._tokens.read(cursor, 1, self._page.validate_json)
        if digest != self._digest:
            raise InvalidInput("This cursor belongs to other filters, another sort or an older snapshot. Start again.")
        return start
