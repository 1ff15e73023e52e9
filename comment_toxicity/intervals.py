"""95 % intervals of shares: of how many rows something holds."""

from math import sqrt

Z = 1.959964  # the normal distribution has 95 % within ±Z
Interval = list[float]
"""Its lower and its upper end."""


def wilson(share: float, size: float) -> Interval:
    """Return the score interval of a share of `size` independent rows (Wilson 1927).

    Without rows it is all of [0, 1].
    """
    if size <= 0:
        return [0.0, 1.0]
    middle = share + Z**2 / (2 * size)
    half = Z * sqrt(share * (1 - share) / size + Z**2 / (4 * size**2))
    whole = 1 + Z**2 / size
    # A share of 0 or 1 is an end itself, but for rounding.
    low = 0.0 if share <= 0 else max(0.0, (middle - half) / whole)
    return [low, 1.0 if share >= 1 else min(1.0, (middle + half) / whole)]


def difference(first: float, first_size: float, second: float, second_size: float) -> Interval:
    """Return the interval of second - first, two shares of independent rows.

    It is Newcombe's (1998, method 10), made of the two score intervals.
    """
    low, high = wilson(first, first_size)
    second_low, second_high = wilson(second, second_size)
    change = second - first
    return [
        change - sqrt((second - second_low) ** 2 + (high - first) ** 2),
        change + sqrt((second_high - second) ** 2 + (first - low) ** 2),
    ]
