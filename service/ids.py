"""Identifiers the service hands out."""

import hashlib
import hmac
import os
import time
import uuid
from dataclasses import dataclass
from typing import Final

from catalogue.errors import InvalidInput

_MAC_BYTES: Final = 4


def uuid7() -> uuid.UUID:
    """A time-ordered UUID (RFC 9562, version 7)."""
    return _uuid7(int.from_bytes(os.urandom(10), "big"))


def _uuid7(bits: int) -> uuid.UUID:
    """The lowest 74 bits, behind the time."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | 7 << 76 | (bits >> 62 & 0xFFF) << 64 | 2 << 62 | bits & (1 << 62) - 1
    return uuid.UUID(int=value)


@dataclass(frozen=True, slots=True)
class Issued:
    """What a request id says: when it was made (ms since 1970), and under which arm, by its `Arm.code`; 0 for none.

    `request_id` is the id as it was given out.
    """

    request_id: str
    at_ms: int
    arm: int


class RequestIds:
    """Ids of answers: UUIDs of version 7 that say under which arm, and prove that this service made them.

    Of the 74 bits beside the time 8 are the arm, 34 are random, and 32 are an HMAC over all others. So an event that
    names one is known to come from an answer, with nothing stored about it; to forge one takes 4 billion tries.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.blake2b(b"request id", key=secret, digest_size=32).digest()

    def new(self, arm: int = 0) -> str:
        """An id."""
        noise = int.from_bytes(os.urandom(5), "big") & (1 << 34) - 1
        unsigned = _uuid7((arm << 34 | noise) << 32)
        return str(uuid.UUID(int=unsigned.int | int.from_bytes(self._mac(unsigned), "big")))

    def read(self, request_id: str) -> Issued:
        """What an id says; raises InvalidInput for one that this service did not make."""
        try:
            read = uuid.UUID(request_id)
        except ValueError:
            read = uuid.UUID(int=0)
        if not hmac.compare_digest(self._mac(read), read.bytes[-_MAC_BYTES:]):
            raise InvalidInput("request_id is not one of this service's answers. Send back what the answer said.")
        return Issued(str(read), read.int >> 80, read.int >> 68 & 0xFF)

    def _mac(self, of: uuid.UUID) -> bytes:
        return hmac.digest(self._key, of.bytes[:-_MAC_BYTES], "sha256")[:_MAC_BYTES]
