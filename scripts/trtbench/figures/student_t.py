"""Student's t: the distribution and its quantile, so that comparing needs no more than numpy.

The tail is the regularised incomplete beta function I_x(df/2, 1/2) with x = df / (df + t²), evaluated by Lentz's continued
fraction (Press et al., Numerical Recipes, 3rd ed., 6.4). A test holds both functions to scipy's.
"""

from __future__ import annotations

import math


def _beta_fraction(a: float, b: float, x: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1.0 / max(1.0 - (a + b) * x / (a + 1.0), tiny)
    value = d
    for m in range(1, 500):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 + numerator * d
            c = 1.0 + numerator / c
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = c if abs(c) > tiny else tiny
            value *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return value


def _incomplete_beta(a: float, b: float, x: float, y: float) -> float:
    """I_x(a, b) with y = 1 - x, which the caller knows better than a subtraction would tell near x = 1."""
    if x <= 0.0 or y <= 0.0:
        return 0.0 if x <= 0.0 else 1.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(y))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _beta_fraction(a, b, x) / a
    return 1.0 - front * _beta_fraction(b, a, y) / b


def two_sided_tail(t: float, df: float) -> float:
    """P(|T| > t) for T with `df` > 0 degrees of freedom (not necessarily whole)."""
    return _incomplete_beta(df / 2, 0.5, df / (df + t * t), t * t / (df + t * t))


def quantile(level: float, df: float) -> float:
    """The t for which P(|T| <= t) = `level` (0 < level < 1), by bisection to double precision."""
    tail = 1.0 - level
    low, high = 0.0, 1.0
    while two_sided_tail(high, df) > tail:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if two_sided_tail(middle, df) > tail:
            low = middle
        else:
            high = middle
    return (low + high) / 2
