"""How well a model finds the other listings of a style.

A mode pair names what the query has and what is searched: i (photo), t (text) or m (both), so `i-t` is "a photo,
searched among texts". `evaluate` scores vectors that are there already; `models.evaluation.run` measures a bundle on a
catalogue or on labelled pairs, and `samestyle evaluate` prints that.
"""

from models.evaluation.bootstrap import CUTOFFS, Scores, paired
from models.evaluation.drift import cosine_drift, drift_of, recall_lost
from models.evaluation.embedding import embed_modes
from models.evaluation.modes import MODE_PAIRS, Mode, pair_modes
from models.evaluation.ranking import evaluate

__all__ = [
    "CUTOFFS",
    "MODE_PAIRS",
    "Mode",
    "Scores",
    "cosine_drift",
    "drift_of",
    "embed_modes",
    "evaluate",
    "pair_modes",
    "paired",
    "recall_lost",
]
