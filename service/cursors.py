"""Signed cursors: where the next page of a listing starts."""

import hashlib
from typing import Annotated, Final, Generic, TypeVar

from itsdangerous import BadData, URLSafeSerializer
from pydantic import Field, TypeAdapter, ValidationError

from catalogue.errors import InvalidInput
from index.products import Place

Start = TypeVar("Start", int, Place)
OFFSET: Final = TypeAdapter[int](Annotated[int, Field(ge=0, strict=True)])
"""A page of what does not change starts at a number,"""
PLACE: Final = TypeAdapter[Place](Place)
"""and one of what does behind the last product before: nothing is skipped or repeated when others come and go."""
_FORMAT: Final = 3
"""To be raised with every change of what a token holds: gateways of two versions may have one secret."""


class Cursors(Generic[Start]):
    """The cursors of one listing of a `kind`; `listing` names what is listed, with its filters and order."""

    def __init__(self, secret: bytes, kind: str, listing: str, start: TypeAdapter[Start]) -> None:
        self._signer = URLSafeSerializer(secret, salt=f"samestyle {_FORMAT} {kind}")
        self._digest = hashlib.blake2b(listing.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        self._start: TypeAdapter[Start] = start

    def cursor(self, start: Start) -> str:
        """The token of a page."""
        token = self._signer.dumps([start, self._digest])
        return token if isinstance(token, str) else token.decode()

    def read(self, cursor: str | None) -> Start | None:
        """Where the page starts; raises InvalidInput for a cursor that is not ours, or of another listing."""
        if cursor is None:
            return None
        try:
            at, digest = self._signer.loads(cursor)
            start: Start = self._start.validate_python(at)
        except (BadData, ValidationError, ValueError, TypeError):
            raise InvalidInput("This cursor was not made by this service. Start again without a cursor.") from None
        if digest != self._digest:
            raise InvalidInput("This cursor belongs to other filters, another sort or an older snapshot. Start again.")
        return start
