"""Areas and accuracies of a map from a stratified random sample of interpreted points.

A map's own areas are wrong wherever its errors do not cancel. Points drawn at random within strata, each interpreted
with care, say how wrong: the estimates here weigh every point by what it stands for, so that they are right on average
whatever the map is like. A better map makes them more precise, not more true.

Every figure is a ratio of two totals over the map, Y / X: overall accuracy and the share of a class have the whole map
as X, user's accuracy what the map gives the class, producer's accuracy what the points say it has. One formula, that
of Stehman, serves them all; where strata are the map's classes and pixels are of one size it is that of Olofsson et
al. term by term. Pixels of different sizes (degrees, Web Mercator) weigh as their area, and the known area of each
stratum is used (separate ratio estimator). The finite population correction is left out, as Olofsson et al. do.

Source: Olofsson et al. 2014, doi:10.1016/j.rse.2014.02.015, eq. 4 to 11; Stehman 2014,
doi:10.1080/01431161.2014.930207, eq. 2, 3, 25 to 28; Cochran 1977, Sampling Techniques, 5A.1 and 6.10.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geoseg.errors import DataError
from geoseg.stats.rare_intervals import Cells, ratio_interval

Z95 = 1.96  # as published; 1.959964 would change the fifth digit
FEW = 10  # points that decide an estimate; of fewer, its published interval is known to fail
UNSEEN = 1.25  # times as wide is the safe interval where a large stratum may hide what no point has shown

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Strata:
    """What the map says of its strata.

    Args:
        names: of the strata.
        classes: names of the map's classes.
        pixels: (stratum, class) pixels of each stratum that the map gives each class.
        areas: (stratum, class) their area, m2 or any unit.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    pixels: NDArray[np.int64]
    areas: Floats

    @property
    def total(self) -> float:
        """Area of all strata."""
        return float(self.areas.sum())


@dataclass(frozen=True)
class Points:
    """Interpreted points.

    Args:
        stratum: (point,) index.
        mapped: (point,) index of the class that the map gives the point's pixel.
        reference: (point,) index of the class that the interpreter gives it.
        area: (point,) area of the pixel, in the unit of `Strata.areas`.
    """

    stratum: NDArray[np.intp]
    mapped: NDArray[np.intp]
    reference: NDArray[np.intp]
    area: Floats

    def __len__(self) -> int:
        return len(self.stratum)


@dataclass(frozen=True)
class Estimate:
    """One figure and how sure it is.

    Attributes:
        value: nan where it is not defined, as is the accuracy of a class that no point has.
        standard_error: as published.
        low, high: published 95 % interval, value ± 1.96 standard errors; it may reach below 0.
        safe_low, safe_high: interval that keeps its promise where few points decide (`rare_intervals`).
        deciding: points that the interval rests on: omissions for an area, say.
        few: whether the published interval is known to fail, and the safe one is to be trusted: fewer than `FEW` points
            decide, or the safe one is `UNSEEN` times as wide.
    """

    value: float
    standard_error: float
    low: float
    high: float
    safe_low: float
    safe_high: float
    deciding: int
    few: bool

    @property
    def interval(self) -> tuple[float, float]:
        """The interval to go by."""
        return (self.safe_low, self.safe_high) if self.few else (self.low, self.high)

    def times(self, unit: float) -> Estimate:
        """The same in another unit, such as a share as an area."""
        ends = (self.standard_error, self.low, self.high, self.safe_low, self.safe_high)
        return Estimate(self.value * unit, *(end * unit for end in ends), self.deciding, self.few)


@dataclass(frozen=True)
class ClassEstimates:
    """Figures of one class; areas in the unit of `Strata.areas`."""

    name: str
    points: int
    mapped_area: float
    area: Estimate
    users_accuracy: Estimate
    producers_accuracy: Estimate


@dataclass(frozen=True)
class MapEstimates:
    """Figures of one map."""

    overall_accuracy: Estimate
    classes: tuple[ClassEstimates, ...]


def estimates(strata: Strata, points: Points) -> MapEstimates:
    """Error-adjusted areas, and user's, producer's and overall accuracies, each with 95 % intervals.

    Args:
        strata: all of the map's strata, each with at least one pixel.
        points: at least two of each stratum, drawn at random within it, every pixel as likely as another.

    Raises:
        DataError: a stratum has one point or none.
    """
    require_points(strata, np.bincount(points.stratum, minlength=len(strata.names)))
    right = points.mapped == points.reference
    everything, never = np.ones(len(points), bool), np.zeros(len(strata.names), bool)
    overall = _ratio(strata, points, right, everything, (~never, ~never, never), int((~right).sum()))
    names = enumerate(strata.classes)
    return MapEstimates(overall, tuple(_class_estimates(strata, points, number, name) for number, name in names))


def require_points(strata: Strata, counts: NDArray[np.integer]) -> None:
    """Raise `DataError` for a stratum that has too few points for a variance. `counts` are (stratum,)."""
    for name, count, pixels in zip(strata.names, counts.tolist(), strata.pixels.sum(axis=1).tolist(), strict=True):
        if count < 2:
            raise DataError(
                f"stratum {name} has {'one point' if count else 'no point'} to go by, of {pixels} pixels, so nothing "
                "can be said of its errors; interpret at least two points of it, or draw a new sample that merges it"
            )


def error_matrix(strata: Strata, points: Points) -> Floats:
    """Estimated share of the map's area that it gives class i and the points class j, (i, j); sums to one."""
    size = len(strata.classes)
    cells = points.mapped * size + points.reference
    shares = _point_shares(strata, points)
    return np.bincount(cells, shares, size * size).reshape(size, size)


def _class_estimates(strata: Strata, points: Points, number: int, name: str) -> ClassEstimates:
    mapped, reference = points.mapped == number, points.reference == number
    here, elsewhere = strata.pixels[:, number] > 0, np.delete(strata.pixels, number, axis=1).any(axis=1)
    always = np.ones(len(strata.names), bool)
    both, omissions = mapped & reference, int((reference & ~mapped).sum())
    area = _ratio(strata, points, reference, np.ones(len(points), bool), (always, always, ~always), omissions)
    users = _ratio(strata, points, both, mapped, (here, here, elsewhere), int((mapped & ~reference).sum()))
    producers = _ratio(strata, points, both, reference, (here, elsewhere, always), omissions)
    producers = replace(producers, few=producers.few or area.few)  # what hides from the area hides from it too
    return ClassEstimates(
        name, int(reference.sum()), float(strata.areas[:, number].sum()), area.times(strata.total), users, producers
    )


def _ratio(
    strata: Strata, points: Points, top: Flags, bottom: Flags, possible: tuple[Flags, Flags, Flags], deciding: int
) -> Estimate:
    """Share of the area where `bottom` holds in which `top` holds too.

    Args:
        strata, points: see `estimates`.
        top: (point,), False wherever `bottom` is.
        bottom: (point,).
        possible: (stratum,) each: whether a stratum can have pixels of both, of `bottom` alone, of neither.
        deciding: see `Estimate`.
    """
    weights = strata.areas.sum(axis=1) / strata.total
    shares = _stratum_means(strata, points, np.stack([top, bottom & ~top]))
    over, under = float(weights @ shares[0]), float(weights @ shares.sum(axis=0))
    if not under:
        return Estimate(*([np.nan] * 6), deciding, few=True)
    value = over / under
    error = float(np.sqrt(_variance(strata, points, weights, top - value * bottom)) / under)
    cells = Cells(weights, shares[0], shares[1], _per_point(strata, points), *possible)
    safe_low, safe_high = ratio_interval(cells, value, Z95)
    few = deciding < FEW or safe_high - safe_low > UNSEEN * 2 * Z95 * error
    return Estimate(value, error, value - Z95 * error, value + Z95 * error, safe_low, safe_high, deciding, few)


def _variance(strata: Strata, points: Points, weights: Floats, measured: Floats) -> float:
    """Variance of the weighted sum of stratum means of `measured` (point,)."""
    mean = _stratum_means(strata, points, measured[None])[0]
    size = len(strata.names)
    counts = np.bincount(points.stratum, minlength=size)
    typical = np.bincount(points.stratum, points.area, size) / counts
    off = points.area / typical[points.stratum] * (measured - mean[points.stratum])
    spread = np.bincount(points.stratum, off**2, size) / (counts - 1)
    return float((weights**2 * spread / counts).sum())


def _stratum_means(strata: Strata, points: Points, measured: NDArray[np.generic]) -> Floats:
    """Mean of each row of `measured` (row, point) in each stratum, pixels weighed by area, (row, stratum)."""
    size = len(strata.names)
    total = np.bincount(points.stratum, points.area, size)
    return np.stack([np.bincount(points.stratum, points.area * row, size) / total for row in measured])


def _per_point(strata: Strata, points: Points) -> Floats:
    """One over the effective number of points of each stratum: fewer where pixels differ in size."""
    size = len(strata.names)
    total = np.bincount(points.stratum, points.area, size)
    return np.bincount(points.stratum, points.area**2, size) / total**2


def _point_shares(strata: Strata, points: Points) -> Floats:
    """Share of the map's area that each point stands for, (point,)."""
    total = np.bincount(points.stratum, points.area, len(strata.names))
    weights = strata.areas.sum(axis=1) / strata.total
    return (weights / total)[points.stratum] * points.area
