"""Figures of zones: areas of classes and of changes between them, and beside each what was not observed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg.stats.rates import Rates, rates


@dataclass(frozen=True, slots=True)
class ZoneFigures:
    """Areas of each zone, m2. What was observed, what was not and what is outside add up to the zone.

    Args:
        names: of the classes.
        area: (z, class) or, of two maps, (z, class before, class after): where both were observed.
        pixels: the same, counted; shares of pixels where borders are split.
        unobserved: (z,) inside the map's area and not observed, on either map.
        outside: (z,) outside the map's area, on either map, or beyond the map.
    """

    names: tuple[str, ...]
    area: NDArray[np.float64]
    pixels: NDArray[np.float64]
    unobserved: NDArray[np.float64]
    outside: NDArray[np.float64]

    @property
    def observed(self) -> NDArray[np.float64]:
        """(z,)."""
        return self.area.reshape(len(self.area), -1).sum(axis=1)

    @property
    def whole(self) -> NDArray[np.float64]:
        """(z,)."""
        return self.observed + self.unobserved + self.outside

    def transitions(self, zone: int) -> Iterator[tuple[int, int]]:
        """From and to of all pairs that there are in a zone, what stayed the same included."""
        return ((int(i), int(j)) for i, j in np.argwhere(self.pixels[zone] > 0))

    def rates(self, zone: int, before: float, after: float, years: float) -> Rates:
        """Of one class of a zone where both maps were observed; none where nothing was."""
        seen = bool((self.pixels[zone] > 0).any())
        return rates(before, after, years) if seen else rates(None, None, years)


def figures_of_one(
    names: tuple[str, ...], area: NDArray[np.float64], pixels: NDArray[np.float64], beyond: NDArray[np.float64]
) -> ZoneFigures:
    """Figures from sums by kind: (z, kind), the classes first, then not observed, then outside.

    Args:
        names: of the classes.
        area, pixels: the sums.
        beyond: (z,) m2 of the zones beyond the map's edges.
    """
    count = len(names)
    return ZoneFigures(names, area[:, :count], pixels[:, :count], area[:, count], area[:, count + 1] + beyond)


def figures_of_two(
    names: tuple[str, ...], area: NDArray[np.float64], pixels: NDArray[np.float64], beyond: NDArray[np.float64]
) -> ZoneFigures:
    """The same from sums by pairs of kinds, (z, kind before, kind after)."""
    count = len(names)
    unobserved = area[:, count, : count + 1].sum(axis=1) + area[:, :count, count].sum(axis=1)
    outside = area[:, count + 1].sum(axis=1) + area[:, : count + 1, count + 1].sum(axis=1)
    return ZoneFigures(names, area[:, :count, :count], pixels[:, :count, :count], unobserved, outside + beyond)


def share(part: float, whole: float) -> float | None:
    """Part of a whole, 0 to 1; None of nothing."""
    return part / whole if whole > 0 else None
