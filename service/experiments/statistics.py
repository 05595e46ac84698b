"""What may be said of two arms: by users, as one user's searches say the same thing many times.

A rate is a sum over users over another sum over users (clicked answers over answers), so its variance is that of the
delta method; a share of users is the same with ones below. All p-values are two-sided, all intervals are of 95 %, and
all are normal approximations.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

_NORMAL: Final = NormalDist()
Z: Final = _NORMAL.inv_cdf(0.975)
POWER: Final = 0.8
MIN_USERS: Final = 30
"""Of an arm; with fewer the normal approximation says nothing."""
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rate:
    """A ratio of sums over users and its standard error; nan where there is nothing to divide by."""

    value: float
    error: float
    users: int

    @property
    def interval(self) -> tuple[float, float]:
        """Of 95 %."""
        return self.value - Z * self.error, self.value + Z * self.error


@dataclass(frozen=True, slots=True)
class Comparison:
    """How an arm's rate differs from the control's.

    `uplift` is the difference as a share of the control's rate, `detectable` the one that would be found in four of
    five such experiments. All are nan, and p is 1, where too few users say nothing.
    """

    uplift: float
    interval: tuple[float, float]
    p: float
    detectable: float


def rate(counts: Numbers, of: Numbers) -> Rate:
    """The rate of `counts` in `of`, float64 [users] each: by the delta method."""
    users, total = len(of), float(of.sum())
    if users < 2 or total == 0:
        return Rate(math.nan, math.nan, users)
    value = float(counts.sum()) / total
    spread = float(np.var(counts - value * of, ddof=1))
    return Rate(value, math.sqrt(spread / users) / (total / users), users)


def compare(control: Rate, other: Rate) -> Comparison:
    """How `other` differs: p by the difference, the uplift's interval by the same test (Fieller).

    So the interval leaves out 0 exactly where p is below 0.05. It is nan where the control's rate is itself hardly
    above 0, which bounds no ratio.
    """
    error = math.hypot(control.error, other.error)
    enough = min(control.users, other.users) >= MIN_USERS and control.value > 0 and error > 0
    if not enough or math.isnan(error):
        return Comparison(math.nan, (math.nan, math.nan), 1.0, math.nan)
    difference = other.value - control.value
    p = 2 * (1 - _NORMAL.cdf(abs(difference) / error))
    uplift = difference / control.value
    detectable = (Z + _NORMAL.inv_cdf(POWER)) * error / control.value
    return Comparison(uplift, _fieller(control, other), p, detectable)


def _fieller(control: Rate, other: Rate) -> tuple[float, float]:
    """The uplifts whose rate is less than Z standard errors away from `other`."""
    square = control.value**2 - (Z * control.error) ** 2
    if square <= 0:
        return math.nan, math.nan
    product = control.value * other.value
    inner = product**2 - square * (other.value**2 - (Z * other.error) ** 2)
    reach = math.sqrt(max(0.0, inner))
    return (product - reach) / square - 1, (product + reach) / square - 1


def sample_ratio_p(users: Sequence[int], shares: Sequence[float]) -> float:
    """How likely numbers of users are that differ so much from their shares: the p-value of a chi-square test."""
    total = sum(users)
    if not total:
        return 1.0
    expected = [total * share for share in shares]
    statistic = sum((count - mean) ** 2 / mean for count, mean in zip(users, expected, strict=True))
    return chi_square_p(statistic, len(users) - 1)


def chi_square_p(statistic: float, freedom: int) -> float:
    """The upper tail of the chi-square distribution of whole degrees of freedom, in closed form."""
    half = statistic / 2
    if freedom % 2:
        tail = math.erfc(math.sqrt(half))
        powers = [half ** (at + 0.5) / math.gamma(at + 1.5) for at in range(freedom // 2)]
    else:
        tail = 0.0
        powers = [half**at / math.factorial(at) for at in range(freedom // 2)]
    return float(min(1.0, tail + math.exp(-half) * sum(powers)))
