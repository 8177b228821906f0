"""How well footprints agree with true ones: matched one to one, counted, and their outlines compared.

A footprint that is found matches a true one where their IoU is at least a bound. Pairs are taken greedily, the
highest IoU first (then the lower index of truth, then of found), and each footprint is in one pair at most. Where
no footprints of one side overlap each other and the bound is over a half, no other matching is possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray

Polygons = NDArray[np.object_]  # (n,) of shapely polygons


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Pairs of footprints: indices of the true and of the found one, and the IoU of each pair, all (k,)."""

    truth: NDArray[np.intp]
    found: NDArray[np.intp]
    iou: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FootprintScores:
    """Counts, and what follows from them. Means are over matched pairs; NaN where there is nothing to divide by.

    Args:
        smallest: area from which footprints are counted here, m2.
        largest: area below which they are, m2.
        truth: true footprints.
        found: found footprints; a matched one counts in the class of size of its true one.
        matched: pairs.
        mean_iou: of pairs.
        polis: mean PoLiS distance, CRS units.
        hausdorff: mean Hausdorff distance, CRS units.
    """

    smallest: float
    largest: float
    truth: int
    found: int
    matched: int
    mean_iou: float
    polis: float
    hausdorff: float

    @property
    def precision(self) -> float:
        """Share of found footprints that match."""
        return _ratio(self.matched, self.found)

    @property
    def recall(self) -> float:
        """Share of true footprints that are matched."""
        return _ratio(self.matched, self.truth)

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        return _ratio(2 * self.matched, self.truth + self.found)


def score_footprints(
    truth: Polygons, found: Polygons, min_iou: float, size_edges: Sequence[float]
) -> tuple[FootprintScores, list[FootprintScores]]:
    """Scores of all footprints, and of each class of size.

    Args:
        truth: valid polygons in a projected CRS, metres.
        found: likewise, in the same CRS.
        min_iou: pairs have at least this.
        size_edges: rising areas in m2 between which the classes of size lie; (0, 100, inf) makes two.
    """
    pairs = match(truth, found, min_iou)
    distances = polis(truth[pairs.truth], found[pairs.found]), hausdorff(truth[pairs.truth], found[pairs.found])
    true_area, found_area = shapely.area(truth), shapely.area(found)
    found_area[pairs.found] = true_area[pairs.truth]

    def between(low: float, high: float) -> FootprintScores:
        true_here, found_here = ((low <= area) & (area < high) for area in (true_area, found_area))
        own = true_here[pairs.truth]
        means = (_mean(values[own]) for values in (pairs.iou, *distances))
        return FootprintScores(low, high, int(true_here.sum()), int(found_here.sum()), int(own.sum()), *means)

    bins = [between(low, high) for low, high in pairwise(size_edges)]
    return between(0.0, np.inf), bins


def match(truth: Polygons, found: Polygons, min_iou: float) -> Matches:
    """Pairs with an IoU of at least `min_iou`, which is over 0; ordered by index of truth."""
    t, f = shapely.STRtree(found).query(truth) if len(truth) and len(found) else np.empty((2, 0), np.intp)
    shared = shapely.area(shapely.intersection(truth[t], found[f]))
    with np.errstate(invalid="ignore", divide="ignore"):  # polygons without area match nothing
        iou = shared / (shapely.area(truth[t]) + shapely.area(found[f]) - shared)
    enough = np.flatnonzero(iou >= min_iou)
    enough = enough[np.lexsort((f[enough], t[enough], -iou[enough]))]
    free_truth, free_found = np.ones(len(truth), bool), np.ones(len(found), bool)
    taken = []
    for pair in enough:
        if free_truth[t[pair]] and free_found[f[pair]]:
            free_truth[t[pair]] = free_found[f[pair]] = False
            taken.append(pair)
    best = np.array(sorted(taken, key=lambda pair: t[pair]), dtype=np.intp)
    return Matches(t[best], f[best], iou[best])


def polis(a: Polygons, b: Polygons) -> NDArray[np.float64]:
    """PoLiS distance of each pair, CRS units: half the mean distance of corners of each to the outline of the other.

    Corners of holes count, too, and no corner counts twice.

    Args:
        a: (k,) polygons.
        b: (k,) polygons.

    Source: Avbelj, Mueller and Bamler 2015, A metric for polygon comparison and building extraction evaluation,
    IEEE GRSL 12(1), eq. 3.
    """
    return (_to_outline(a, b) + _to_outline(b, a)) / 2


def hausdorff(a: Polygons, b: Polygons) -> NDArray[np.float64]:
    """Hausdorff distance of the outlines of each pair, CRS units, between corners and points put on every 20th part
    of each edge; the true one is larger by a 40th of the longest edge at most.

    Args:
        a: (k,) polygons.
        b: (k,) polygons.
    """
    distance: NDArray[np.float64] = shapely.hausdorff_distance(shapely.boundary(a), shapely.boundary(b), densify=0.05)
    return distance


def _to_outline(corners_of: Polygons, outline_of: Polygons) -> NDArray[np.float64]:
    """Mean distance of each one's corners to the outline of its partner, (k,)."""
    rings, polygon = shapely.get_rings(corners_of, return_index=True)
    corners, ring = shapely.get_coordinates(rings, return_index=True)
    closing = np.diff(ring, append=-1) != 0
    corners, owner = corners[~closing], polygon[ring[~closing]]
    distance = shapely.distance(shapely.points(corners), shapely.boundary(outline_of)[owner])
    counts = np.bincount(owner, minlength=len(corners_of))
    sums: NDArray[np.float64] = np.bincount(owner, weights=distance, minlength=len(corners_of))
    return sums / np.maximum(counts, 1)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")
