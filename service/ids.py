"""Identifiers the service hands out."""

import os
import time
import uuid


def uuid7() -> uuid.UUID:
    """A time-ordered UUID (RFC 9562, version 7)."""
    milliseconds = time.time_ns() // 1_000_000
    noise = int.from_bytes(os.urandom(10), "big")
    value = (
        (milliseconds & (1 << 48) - 1) << 80 | 7 << 76 | (noise >> 68 & 0xFFF) << 64 | 2 << 62 | noise & (1 << 62) - 1
    )
    return uuid.UUID(int=value)
