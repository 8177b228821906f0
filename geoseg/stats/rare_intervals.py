"""Intervals for figures of a stratified sample that keep their promise where few points decide.

The published interval, value ± 1.96 standard errors, takes a stratum in which no point shows an omission as one that
has none for certain: its variance there is zero. A large stratum may hide more than the whole class. Here each stratum
has Wilson's interval of its own share, which stays open where nothing was seen: (0, 3.84 / (n + 3.84)) of n points.
The distances from the shares to the ends of those intervals then add up as standard errors do, in squares, upwards and
downwards apart (MOVER, "method of variance estimates recovery"). For one stratum it is Wilson's interval itself; with
many points of each kind it is the published one.

For a ratio R = Y / X, with Z = X - Y, the interval is every R at which (1 - R) Y - R Z may be 0 by such an interval;
within a stratum Y and Z are correlated, as shares of a multinomial are.

Source: Wilson 1927, doi:10.1080/01621459.1927.10502953; Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<857;
Zou & Donner 2008, doi:10.1002/sim.3095 (MOVER, with correlation); Yan & Su 2010, doi:10.1198/sbr.2009.0051 (strata).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_HALVINGS = 50


@dataclass(frozen=True)
class Cells:
    """Shares of strata from a sample; each array is (stratum,).

    Args:
        weights: share of the map's area that each stratum has.
        over: share of the stratum that counts above and below the line of a ratio.
        under: share that counts below the line only.
        per_point: one over the number of points.
        can_over, can_under, can_neither: whether the stratum can have pixels of each kind at all, by the map.
    """

    weights: Floats
    over: Floats
    under: Floats
    per_point: Floats
    can_over: Flags
    can_under: Flags
    can_neither: Flags


def wilson(share: Floats, per_point: Floats, z: float) -> tuple[Floats, Floats]:
    """Ends of Wilson's interval of a share, seen at 1 / `per_point` points."""
    scale = z**2 * per_point
    middle = (share + scale / 2) / (1 + scale)
    half = z * np.sqrt(share * (1 - share) * per_point + scale * per_point / 4) / (1 + scale)
    return np.minimum(middle - half, share).clip(0), np.maximum(middle + half, share).clip(max=1)


def ratio_interval(cells: Cells, value: float, z: float) -> tuple[float, float]:
    """Interval, within 0 to 1, of the weighted sum of `over` by that of `over` and `under`, which is `value`."""
    low_over, high_over = _ends(cells.over, cells.can_over, cells, z)
    low_under, high_under = _ends(cells.under, cells.can_under, cells, z)
    correlation = _correlation(cells)
    down = (cells.over - low_over, high_under - cells.under)
    up = (high_over - cells.over, cells.under - low_under)
    return (
        _root(cells, correlation, down, (0.0, value)),
        _root(cells, correlation, up, (1.0, value)),
    )


def _ends(share: Floats, possible: Flags, cells: Cells, z: float) -> tuple[Floats, Floats]:
    """Wilson's ends where a share is possible, the share itself elsewhere."""
    low, high = wilson(share, cells.per_point, z)
    return np.where(possible, low, share), np.where(possible, high, share)


def _correlation(cells: Cells) -> Floats:
    """Of the two shares of each stratum, (stratum,): -1 where every pixel is of one kind or the other.

    A kind that was not seen counts as half a point, so that a correlation is defined.
    """
    half = cells.per_point / 2
    kinds = cells.can_over.astype(float) + cells.can_under + cells.can_neither
    over, under = ((share + half) / (1 + kinds * half) for share in (cells.over, cells.under))
    mixed = np.sqrt(over * under / ((1 - over) * (1 - under)).clip(1e-12)).clip(max=1.0)
    return np.where(cells.can_neither, -mixed, -1.0)


def _root(cells: Cells, correlation: Floats, reach: tuple[Floats, Floats], bracket: tuple[float, float]) -> float:
    """The ratio in `bracket`, (far end, value), at which 0 is just inside the interval of (1 - R) Y - R Z."""
    far, near = bracket
    over, under = float(cells.weights @ cells.over), float(cells.weights @ cells.under)
    first, second = cells.weights * reach[0], cells.weights * reach[1]
    squares, others, products = (float(v.sum()) for v in (first**2, second**2, correlation * first * second))

    def inside(ratio: float) -> bool:
        rest = 1 - ratio
        spread = rest**2 * squares + ratio**2 * others - 2 * rest * ratio * products
        return abs(rest * over - ratio * under) <= math.sqrt(spread) * (1 + 1e-12)

    if inside(far):
        return far
    for _ in range(_HALVINGS):
        middle = (far + near) / 2
        far, near = (far, middle) if inside(middle) else (middle, near)
    return near
