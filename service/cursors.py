"""Signed cursors: where the next page of a listing starts."""

import hashlib
from typing import Final

from itsdangerous import BadData, URLSafeSerializer

from catalogue.errors import InvalidInput

_FORMAT: Final = 2
"""To be raised with every change of what a token holds: gateways of two versions may have one secret."""


class Cursors:
    """The cursors of one listing of a `kind`; `listing` names what is listed, with its filters and order."""

    def __init__(self, secret: bytes, kind: str, listing: str) -> None:
        self._signer = URLSafeSerializer(secret, salt=f"samestyle {_FORMAT} {kind}")
        self._digest = hashlib.blake2b(listing.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()

    def cursor(self, offset: int) -> str:
        """The token of a page that starts at `offset`."""
        token = self._signer.dumps([offset, self._digest])
        return token if isinstance(token, str) else token.decode()

    def offset(self, cursor: str | None) -> int:
        """Where the page starts; raises InvalidInput for a cursor that is not ours, or of another listing."""
        if cursor is None:
            return 0
        try:
            read = self._signer.loads(cursor)
        except (BadData, ValueError):
            read = None
        match read:
            case [int(offset), str(digest)] if not isinstance(offset, bool) and offset >= 0:
                pass
            case _:
                raise InvalidInput("This cursor was not made by this service. Start again without a cursor.")
        if digest != self._digest:
            raise InvalidInput("This cursor belongs to other filters, another sort or an older snapshot. Start again.")
        return offset
