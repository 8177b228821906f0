"""In which direction a building stands: what its outline says, and what its neighbours say where that is unclear.

The evidence of a building is a curve: how much dearer its outline is, drawn with lines along and across an angle,
than along its best one, in units of the outline's own noise. Curves of neighbours are added, the nearer the more
and none more than `trust` of the building's own weight, and each cut off at a ceiling: so a neighbour that clearly
stands in another direction says nothing, and a building that is sure of its own is not turned. A building's
direction depends on those within the radius and on no others.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from geoseg.vector.line_fit import curve
from geoseg.vector.rings import rings

STEP = np.deg2rad(3.0)
ANGLES = np.arange(30) * STEP  # an angle and the one across it are one direction
_POINTS = 400  # of longer outlines, evenly spaced ones are taken
_NOISE = 0.15  # squared pixels: what sampling alone does to the middles of pixel edges
_CEILING = 20.0
_LATTICE = 0.5  # share of what the lattice adds to a disc that is taken off: noise breaks some of it


def evidence(points: NDArray[np.float64], price: float) -> NDArray[np.float64]:
    """Curve over `ANGLES` of one outline, 0 at its best.

    Args:
        points: (n, 2) around it, in units of a pixel.
        price: of a line, see `geoseg.vector.line_fit`.
    """
    every = -(-len(points) // _POINTS)
    cost = curve(points[::every], ANGLES, price / every) * every
    cost -= _LATTICE * _of_disc(min(len(points), _POINTS) // 4, price)
    noise = max(_NOISE, cost.min() / len(points))
    relative: NDArray[np.float64] = (cost - cost.min()) / noise
    return relative


@lru_cache(maxsize=128)
def _of_disc(side: int, price: float) -> NDArray[np.float64]:
    """What a disc with that many pixel edges to each side costs along each angle, its mean taken off: a disc has no
    direction, so this is what the lattice adds. Without it, round masks stand along rows and columns.
    """
    total = np.zeros(len(ANGLES))
    at = np.arange(side + 6) - side / 2 - 2.5
    for down, right in ((0.0, 0.0), (0.5, 0.0), (0.25, 0.4), (0.4, 0.1)):
        disc = (at[:, None] - down) ** 2 + (at - right) ** 2 < (side / 2) ** 2
        if disc.any():
            total += curve(rings(disc.astype(np.int32), 1)[0].middles, ANGLES, price) / 4
    return total - total.mean()


def directions(
    curves: NDArray[np.float64], centres: NDArray[np.float64], radius: float, trust: float
) -> NDArray[np.float64]:
    """Angle of each building, radians from 0 to pi / 2.

    Args:
        curves: (n, 30), `evidence` of each.
        centres: (n, 2) or (n, 3), metres.
        radius: neighbours' centres are nearer than this, metres.
        trust: weight of all neighbours together, in times that of the building itself.
    """
    total = curves.copy()
    if radius > 0 and len(curves) > 1:
        tree = KDTree(centres)
        for i, near in enumerate(tree.query_ball_point(centres, radius, return_sorted=True)):
            others = np.array([j for j in near if j != i], dtype=np.intp)
            if len(others):
                weight = 1 - np.linalg.norm(centres[others] - centres[i], axis=1) / radius
                weight *= min(1.0, trust / max(weight.sum(), 1e-9))
                total[i] += weight @ np.minimum(curves[others], _CEILING)
    return _lowest(total)


def _lowest(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where each curve is lowest, between angles by the parabola through three."""
    at = curves.argmin(axis=1)
    rows = np.arange(len(curves))
    left, here, right = (curves[rows, (at + d) % len(ANGLES)] for d in (-1, 0, 1))
    bend = left - 2 * here + right
    shift = np.where(bend > 0, (left - right) / np.where(bend > 0, 2 * bend, 1.0), 0.0)
    return (ANGLES[at] + np.clip(shift, -0.5, 0.5) * STEP) % (np.pi / 2)
