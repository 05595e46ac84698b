"""The nine mode pairs: what a query has, and what is searched."""

from typing import Final, Literal, TypeAlias, get_args

from models.bundle import ModePair

Mode: TypeAlias = Literal["i", "t", "m"]
"""Photo, text, or both."""

MODES: Final[tuple[Mode, ...]] = get_args(Mode)
MODE_PAIRS: Final[tuple[ModePair, ...]] = get_args(ModePair)


def pair_modes(pair: ModePair) -> tuple[Mode, Mode]:
    """The modes of query and gallery."""
    query, gallery = pair.split("-")
    return query, gallery  # type: ignore[return-value]  # the two halves of a ModePair are Modes
