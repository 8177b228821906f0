"""Outlines as few straight lines of known directions: the cheapest, found exactly.

A chain of points is cut into runs, and each run is a line along one of the axes. The price is the sum of squared
distances of the points to their lines, plus a price for each line; consecutive lines are not parallel. Dynamic
programming finds the cheapest cut; starts of runs that cannot become the best are dropped (Killick, Fearnhead and
Eckley 2012, arXiv:1101.1438), so long outlines cost little more than their length times that of their edges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

_FLAT = 0.5  # sine of the smallest angle, 30 degrees, at which one line may follow another: no spikes


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Consecutive lines; line i is where the point's product with `normals[i]` is `offsets[i]`.

    Args:
        normals: (m, 2) of length 1.
        offsets: (m,).
        counts: (m,) points that each line was fitted to.
        cost: what the fit costs, with the price of each line.
    """

    normals: NDArray[np.float64]
    offsets: NDArray[np.float64]
    counts: NDArray[np.int64]
    cost: float

    def corners(self) -> NDArray[np.float64]:
        """Where each line meets the next, (m, 2), of a closed chain; corner i ends line i."""
        return meet(self.normals, self.offsets, np.roll(self.normals, -1, axis=0), np.roll(self.offsets, -1))


def meet(
    normal: NDArray[np.float64], offset: NDArray[np.float64], normal2: NDArray[np.float64], offset2: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Point that both lines hold, (m, 2)."""
    det = normal[:, 0] * normal2[:, 1] - normal[:, 1] * normal2[:, 0]
    x = (offset * normal2[:, 1] - offset2 * normal[:, 1]) / det
    y = (offset2 * normal[:, 0] - offset * normal2[:, 0]) / det
    return np.column_stack([x, y])


def axis_normals(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normals of the axes along each angle and across it, (2 k, 2), from angles in radians."""
    both = np.ravel(np.column_stack([angles, angles + np.pi / 2]))
    return np.column_stack([-np.sin(both), np.cos(both)])


def fit_closed(points: NDArray[np.float64], normals: NDArray[np.float64], prices: NDArray[np.float64]) -> Lines:
    """Lines around a closed chain of points, (n, 2). The cut is exact but for one of its breaks.

    Args:
        points: in order, evenly spaced.
        normals: (k, 2) of the axes that lines may have.
        prices: (k,) of a line of each axis.
    """
    allowed = _allowed(normals)
    ends, _, _ = _cut(points @ normals.T, prices, allowed)
    start = int(ends[(len(ends) - 1) // 2]) % len(points)  # a break of the open chain that is far from its ends
    turned = np.roll(points, -start, axis=0)
    return _lines(turned, normals, prices, allowed, True)


def fit_open(points: NDArray[np.float64], normals: NDArray[np.float64], prices: NDArray[np.float64]) -> Lines:
    """Lines along an open chain."""
    return _lines(points, normals, prices, _allowed(normals), False)


def curve(points: NDArray[np.float64], angles: NDArray[np.float64], price: float) -> NDArray[np.float64]:
    """Cost of lines along and across each angle (radians) around a closed chain, without looking for the best break."""
    normals = axis_normals(angles).reshape(len(angles), 2, 2)
    prices, allowed = np.full(2, price), _allowed(normals[0])
    return np.array([_cut(points @ pair.T, prices, allowed)[2] for pair in normals])


def _allowed(normals: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(k, k) whether a line of one axis may follow one of the other."""
    sine = normals[:, :1] * normals[:, 1] - normals[:, 1:] * normals[:, 0]
    return np.abs(sine) >= _FLAT


def _lines(
    points: NDArray[np.float64],
    normals: NDArray[np.float64],
    prices: NDArray[np.float64],
    allowed: NDArray[np.bool_],
    closed: bool,
) -> Lines:
    distances = points @ normals.T
    ends, axes, cost = _cut(distances, prices, allowed)
    sums = np.add.reduceat(distances, np.concatenate([[0], ends[:-1]]), axis=0)[np.arange(len(ends)), axes]
    counts = np.diff(ends, prepend=0)
    if closed and len(ends) > 1 and not allowed[axes[-1], axes[0]]:  # the chain's start was not a corner after all
        sums[0] += sums[-1]
        counts[0] += counts[-1]
        axes, sums, counts = axes[:-1], sums[:-1], counts[:-1]
    return Lines(normals[axes], sums / counts, counts, cost)


@njit(cache=True, nogil=True)
def _cut(distances, prices, allowed):  # type: ignore[no-untyped-def]
    """Ends (exclusive) and axes of the runs of the cheapest cut, and its cost.

    Args:
        distances: (n, k) of each point along the normal of each axis.
        prices: (k,).
        allowed: (k, k).
    """
    n, k = distances.shape
    sum1 = np.zeros((n + 1, k))
    sum2 = np.zeros((n + 1, k))
    for i in range(n):
        for a in range(k):
            d = distances[i, a] - distances[0, a]
            sum1[i + 1, a] = sum1[i, a] + d
            sum2[i + 1, a] = sum2[i, a] + d * d
    best = np.full((n + 1, k), np.inf)
    before = np.zeros((n + 1, k))  # cheapest way to each point after which a line of the axis may come
    before_axis = np.full((n + 1, k), -1, np.int64)
    came = np.zeros((n + 1, k), np.int64)
    open_starts = np.zeros((k, n + 1), np.int64)
    many = np.ones(k, np.int64)
    for j in range(1, n + 1):
        for a in range(k):
            low, at = np.inf, 0
            for c in range(many[a]):
                i = open_starts[a, c]
                s = sum1[j, a] - sum1[i, a]
                cost = before[i, a] + max(0.0, sum2[j, a] - sum2[i, a] - s * s / (j - i))
                if cost < low:
                    low, at = cost, i
            best[j, a] = low + prices[a]
            came[j, a] = at
        for a in range(k):
            low = np.inf
            for b in range(k):
                if allowed[a, b] and best[j, b] < low:
                    low = best[j, b]
                    before_axis[j, a] = b
            before[j, a] = low
        for a in range(k):
            kept = 0
            for c in range(many[a]):
                i = open_starts[a, c]
                s = sum1[j, a] - sum1[i, a]
                if before[i, a] + max(0.0, sum2[j, a] - sum2[i, a] - s * s / (j - i)) < before[j, a]:
                    open_starts[a, kept] = i
                    kept += 1
            open_starts[a, kept] = j
            many[a] = kept + 1
    a = np.argmin(best[n])
    total = best[n, a]
    ends, axes = [n], [a]
    j = came[n, a]
    while j > 0:
        a = before_axis[j, a]
        ends.append(j)
        axes.append(a)
        j = came[j, a]
    return np.array(ends, np.int64)[::-1].copy(), np.array(axes, np.int64)[::-1].copy(), total
