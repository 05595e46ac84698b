"""The nine mode pairs: what a query has, and what is searched."""

from typing import Final, get_args

from catalogue.variants import MODES, Mode
from models.bundle import ModePair

__all__ = ["MODES", "MODE_PAIRS", "Mode", "pair_modes"]

MODE_PAIRS: Final[tuple[ModePair, ...]] = get_args(ModePair)


def pair_modes(pair: ModePair) -> tuple[Mode, Mode]:
    """The modes of query and gallery."""
    query, gallery = pair.split("-")
    return query, gallery  # type: ignore[return-value]  # the two halves of a ModePair are Modes
