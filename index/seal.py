"""The seal of a manifest: its last line, the SHA-256 of all bytes before that line.

The manifest holds the checksums of all other files, so with the seal one chain reaches every byte of a snapshot.
"""

import hashlib
from typing import Final

_MARK: Final = b',\n  "seal": "'
_END: Final = b'"\n}'


def sealed(text: bytes) -> bytes:
    """A JSON object, indented by two, with its seal as one more member."""
    body = text.removesuffix(b"\n}")
    return body + _MARK + hashlib.sha256(body).hexdigest().encode() + _END


def is_intact(text: bytes) -> bool:
    """Whether a sealed text is what was sealed, byte for byte."""
    body, _, _ = text.rpartition(_MARK)
    return text == sealed(body + b"\n}")
