"""How many points a stratified sample needs, and how many of them each stratum gets.

What a sample will tell depends on how often the map is right, which is known only afterwards; the planner's guesses
enter as the share of each stratum's pixels that will count (be right, or be the target class). A wrong guess makes the
sample too small or too large, never the estimates wrong.

Source: Olofsson et al. 2014, doi:10.1016/j.rse.2014.02.015, eq. 13 (the size) and 5.1.2 (a minimum for rare classes);
Cochran 1977, Sampling Techniques, 5.5 (Neyman's allocation) and 5.25.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geoseg.errors import ConfigError, DataError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Allocation = Literal["equal", "proportional", "neyman"]

LEAST = 2  # points of a stratum: of fewer there is no variance
_HALVINGS = 80
MOST_POINTS = 100_000  # nobody interprets more; a wish that needs them is a slip of the pen


def points_needed(weights: Floats, shares: Floats, pixels: Ints, standard_error: float) -> int:
    """Points that Neyman's allocation needs for a wanted standard error of a share of the map, rounded up.

    Args:
        weights: (stratum,) share of the map's area, summing to one.
        shares: (stratum,) expected share of its pixels that count, such as its user's accuracy.
        pixels: (stratum,) sizes.
        standard_error: wanted, of the share of the map that counts.
    """
    spread = np.sqrt(shares * (1 - shares))
    within = float(weights @ spread**2) / float(pixels.sum())
    return int(np.ceil(float(weights @ spread) ** 2 / (standard_error**2 + within) - 1e-9))


def expected_error(weights: Floats, shares: Floats, counts: Ints) -> float:
    """Standard error that these many points of each stratum will give, of the share of the map that counts."""
    return float(np.sqrt((weights**2 * shares * (1 - shares) / counts).sum()))


def allocate(total: int, kind: Allocation, weights: Floats, shares: Floats, pixels: Ints, least: int) -> Ints:
    """Points of each stratum, (stratum,): at least `least`, never more than the stratum has pixels.

    The minimum comes first; the rest goes to the strata that the rule gives more, so that the sum is `total` unless
    the minima or the pixels do not allow it.

    Args:
        total: points in all.
        kind: the same for all, by area, or by area times the expected spread (Neyman).
        weights, shares, pixels: see `points_needed`.
        least: points of each stratum.
    """
    spread = np.sqrt(shares * (1 - shares))
    wish = {"equal": np.ones_like(weights), "proportional": weights, "neyman": weights * spread}[kind]
    wish = weights if not wish.any() else wish
    floor = np.minimum(np.maximum(least, LEAST), pixels)
    room = np.where(wish > 0, pixels, floor)
    total = int(np.clip(total, floor.sum(), room.sum()))
    return _whole(_filled(wish, floor, room, total), room, total)


def smallest(
    standard_error: float, kind: Allocation, weights: Floats, shares: Floats, pixels: Ints, least: int
) -> Ints:
    """The fewest points of each stratum, (stratum,), by `allocate` that give the wanted standard error.

    Raises:
        ConfigError: more than `MOST_POINTS` points would be needed.
    """

    def enough(total: int) -> bool:
        counts = allocate(total, kind, weights, shares, pixels, least)
        return expected_error(weights, shares, counts) <= standard_error * (1 + 1e-9)

    low, high = LEAST, MOST_POINTS
    if not enough(high):
        raise ConfigError(
            f"a standard error of {standard_error:.3g} needs more than {MOST_POINTS:,} points by {kind} allocation; "
            "allow a larger one, or choose --allocation neyman or a --buffer around the target class"
        )
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return allocate(low, kind, weights, shares, pixels, least)


def require_strata(names: tuple[str, ...], pixels: Ints) -> None:
    """Raise `DataError` for strata that are too small for two points; `pixels` are (stratum,)."""
    if small := [(name, count) for name, count in zip(names, pixels.tolist(), strict=True) if count < LEAST]:
        name, count = small[0]
        has = {0: "no pixel", 1: "one pixel"}[count]
        others = f" (and {len(small) - 1} more strata)" if len(small) > 1 else ""
        raise DataError(
            f"stratum {name}{others} has {has}, so no two points can be drawn from it; "
            f'merge it with another one: --merge "{name}=OTHER"'
        )


def _filled(wish: Floats, floor: Ints, room: Ints, total: int) -> Floats:
    """Amounts in proportion to `wish`, none below `floor` or above `room`, that sum to `total`."""
    some = wish > 0
    low = float((np.log(floor[some]) - np.log(wish[some])).min())
    high = float((np.log(room[some]) - np.log(wish[some])).max())
    amounts = floor.astype(np.float64)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        amounts[some] = np.clip(np.exp(middle + np.log(wish[some])), floor[some], room[some])
        low, high = (middle, high) if amounts.sum() < total else (low, middle)
    amounts[some] = np.clip(np.exp(high + np.log(wish[some])), floor[some], room[some])
    return amounts


def _whole(ideal: Floats, room: Ints, total: int) -> Ints:
    """Whole numbers that sum to `total`, by largest remainder where there is room; ties go to the first."""
    counts = np.floor(ideal + 1e-6).astype(np.int64)
    order = np.argsort(counts - ideal, kind="stable")
    order = order[counts[order] < room[order]]
    counts[order[: max(0, total - int(counts.sum()))]] += 1
    return counts
