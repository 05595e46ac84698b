"""Linear projections of backbone features to fewer dimensions."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.float64]


def fit_directions(samples: Matrix, dim: int, *, power: float) -> Matrix:
    """The `dim` directions in which `samples` [n, width] vary most, as a matrix [width, dim] to multiply with.

    Each direction is scaled by its variance to the power of -`power`: 0 keeps distances as they are, 0.5 gives all
    directions the same say (whitening), between them strong common directions are damped.
    """
    centred = samples - samples.mean(axis=0)
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    scale = (singular[:dim] / singular[0]) ** (-2 * power)
    rows = directions[:dim]
    # the sign of a direction is arbitrary; fixing it keeps a rebuilt file the same
    signs = np.sign(rows[np.arange(dim), np.abs(rows).argmax(axis=1)])
    matrix: Matrix = (rows * (signs * scale)[:, None]).T
    return matrix
