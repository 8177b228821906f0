"""Boundary F1: how much of the outlines of two layers of polygons lies close to each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.vector.assemble import Polygons


@dataclass(frozen=True, slots=True)
class OutlineScores:
    """Scores from 0 to 1, 1 being equal; NaN where there is no outline.

    Attributes:
        distance: how far an outline may be off, CRS units.
        precision: share of the length of found outlines that lies within `distance` of a true one.
        recall: share of the length of true outlines that lies within `distance` of a found one.
    """

    distance: float
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else both


def outline_scores(truth: Polygons, found: Polygons, distance: float) -> OutlineScores:
    """Scores of the outlines of `found`, holes included; a wall between two polygons counts for each.

    Args:
        truth: (n,) valid polygons.
        found: (m,) likewise, in the same CRS.
        distance: over 0, CRS units.

    Source: boundary F1, Csurka et al. 2013, BMVC, 2.3, for lengths instead of pixels.
    """
    one, other = shapely.boundary(truth), shapely.boundary(found)
    return OutlineScores(distance, _share_near(other, one, distance), _share_near(one, other, distance))


def _share_near(lines: NDArray[np.object_], others: NDArray[np.object_], distance: float) -> float:
    length = float(shapely.length(lines).sum())
    if not length:
        return float("nan")
    if not len(others):
        return 0.0
    line, near = shapely.STRtree(others).query(lines, predicate="dwithin", distance=distance)
    near = near[np.argsort(line, kind="stable")]
    own, counts = np.unique(line, return_counts=True)
    buffers = shapely.buffer(others[near], distance)
    around = [shapely.union_all(group) for group in np.split(buffers, np.cumsum(counts)[:-1])] if len(own) else []
    covered = shapely.intersection(lines[own], np.array(around, object))
    return float(shapely.length(covered).sum()) / length
