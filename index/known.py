"""Conditions that were asked for before: a bit for each row, kept as long as there is room.

A shop asks for the same few again and again, each combined with others: what is in stock, a category, below a price.
"""

import hashlib
from collections.abc import Callable
from threading import Lock
from typing import Final

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

_BYTES: Final = 16_000_000
"""128 conditions on a million products."""
_OVERHEAD: Final = 256
"""What an entry takes beside its bits, about."""

Condition = tuple[str | float | bool, ...]
"""What kind it is, and what it asks for."""
Bits = NDArray[np.uint8]


class Known:
    """The conditions of one table, which does not change; safe for any number of threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: LRUCache[bytes, Bits] = LRUCache(_BYTES, getsizeof=lambda bits: bits.nbytes + _OVERHEAD)

    def bits(self, condition: Condition, rows: Callable[[], NDArray[np.bool_]]) -> Bits:
        """The rows for which a condition holds, packed, not to be changed; `rows` says it for one not known yet."""
        key = hashlib.blake2b(repr(condition).encode(errors="surrogatepass"), digest_size=16).digest()
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None:
            return kept
        bits = np.packbits(rows())
        if bits.nbytes + _OVERHEAD <= _BYTES:
            with self._lock:
                self._kept[key] = bits
        return bits
