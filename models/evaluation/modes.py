"""The nine mode pairs: what a query has, and what is searched."""

from typing import Final, Literal, TypeAlias

from models.bundle import ModePair

Mode: TypeAlias = Literal["i", "t", "m"]
"""Photo, text, or both."""

MODES: Final[tuple[Mode, ...]] = ("i", "t", "m")
MODE_PAIRS: Final[tuple[ModePair, ...]] = ("i-i", "i-t", "i-m", "t-i", "t-t", "t-m", "m-i", "m-t", "m-m")


def pair_modes(pair: ModePair) -> tuple[Mode, Mode]:
    """The modes of query and gallery."""
    query, gallery = pair.split("-")
    return query, gallery  # type: ignore[return-value]  # the two halves of a ModePair are Modes
