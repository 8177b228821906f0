"""Arcs made straight: each boundary once, so that neighbours still share it, and never across another.

Every arc is fitted by itself. Then pieces that cross or touch, or that have passed over another's vertex, are fitted
again with half the tolerance, and in the end as they were, until there are none. All such pieces are found before any
is changed, so the result depends on the map alone.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geoseg.vector.arc_fit import fit
from geoseg.vector.arcs import OUTSIDE, Arcs
from geoseg.vector.chains import is_ring
from geoseg.vector.crossings import conflicts

_HALVES = 2  # points are on half pixels
_AROUND = 4  # vertices either side of where a ring started that are fitted again
_AS_IT_WAS = 3  # how often a piece is halved in tolerance before it is left as it was


def simplify(
    arcs: Arcs, tolerance: float, threads: int = 1, outside: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Arcs as straight lines with few vertices; their ends stay, and arcs along the outside unless told otherwise.

    A vertex is a corner of the arc or the middle between two. Between two vertices no point of the arc is farther from
    the straight line piece between them than `tolerance`, and so no point of the piece from the arc: the Hausdorff
    distance of each arc from its simplified self is at most `tolerance`. Simplified arcs meet at junctions only, where
    arcs did; what was on the left of an arc still is, and a ring stays a ring.

    Args:
        arcs: the boundaries of a map.
        tolerance: in pixels, over 0. At 1 a staircase at any angle becomes a line.
        threads: arcs fitted at the same time; the result is the same for any number.
        outside: whether arcs along the outside are made straight, too: where it is the rest of a map, not its end.

    Returns:
        (m, 2) col and row of the vertices of all arcs; (n + 1,) where each arc starts in them.
    """
    x, y, is_corner, starts = _points(arcs)
    free = (arcs.left != OUTSIDE) & (arcs.right != OUTSIDE) | outside
    kept = is_corner.copy()
    ring = is_ring(arcs)
    with ThreadPoolExecutor(threads) as pool:
        fits = [
            pool.submit(_fit_all, x, y, is_corner, starts, free, ring, tolerance, kept, lowest, beyond)
            for lowest, beyond in _shares(starts, threads)
        ]
    for done in fits:
        done.result()
    level = np.where(np.repeat(free, np.diff(starts)), 0, _AS_IT_WAS).astype(np.int8)
    changed = level < _AS_IT_WAS
    while True:
        first, last = _pieces(kept, starts)
        bad = conflicts(x, y, first, last, changed[first], _HALVES) & (level[first] < _AS_IT_WAS)
        if not bad.any():
            break
        changed[:] = False
        _refine(x, y, is_corner, first[bad], last[bad], tolerance, kept, level, changed)
    coordinates, new_starts = _without_straight(x, y, starts, kept)
    return coordinates, new_starts


def _points(arcs: Arcs) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """Corners and the middles between them, in half pixels: x, y, whether a corner, and where each arc starts."""
    starts = 2 * arcs.starts - np.arange(len(arcs.starts))
    at = 2 * np.arange(len(arcs.corners)) - np.repeat(np.arange(len(arcs)), np.diff(arcs.starts))
    x, y = np.empty((2, starts[-1]), np.int64)
    is_corner = np.zeros(starts[-1], bool)
    is_corner[at] = True
    middle = np.flatnonzero(~is_corner)
    for axis, out in ((0, x), (1, y)):
        out[at] = 2 * arcs.corners[:, axis].astype(np.int64)
        out[middle] = (out[middle - 1] + out[middle + 1]) // 2
    return x, y, is_corner, starts


def _shares(starts: NDArray[np.int64], threads: int) -> list[tuple[int, int]]:
    """First arc and the one after the last of as many parts with about as many points."""
    bounds = np.searchsorted(starts, np.linspace(0, starts[-1], threads + 1)).tolist()
    return list(pairwise([0, *bounds[1:-1], len(starts) - 1]))


@njit(cache=True, nogil=True)
def _fit_all(x, y, is_corner, starts, free, ring, tolerance, kept, lowest, beyond):  # type: ignore[no-untyped-def]
    """Fit each free arc of a range; the points of rings are turned in place to start at a vertex."""
    for arc in range(lowest, beyond):
        if not free[arc]:
            continue
        a, b = starts[arc], starts[arc + 1]
        fit(x[a:b] / 2, y[a:b] / 2, is_corner[a:b], tolerance, kept[a:b])
        if ring[arc]:
            middle = _turn_ring(x[a:b], y[a:b], is_corner[a:b], kept[a:b])
            _fit_around(middle, x[a:b], y[a:b], is_corner[a:b], tolerance, kept[a:b])


@njit(cache=True, nogil=True)
def _turn_ring(x, y, is_corner, kept):  # type: ignore[no-untyped-def]
    """Start a ring at the vertex farthest from where it starts; where the old start is now."""
    best, farthest, count = 0, 0, len(x) - 1
    for k in range(count):
        square = (x[k] - x[0]) ** 2 + (y[k] - y[0]) ** 2
        if kept[k] and square > farthest:
            best, farthest = k, square
    for points in (x, y):
        points[:count] = np.roll(points[:count], -best)
        points[count] = points[0]
    for marks in (is_corner, kept):
        marks[:count] = np.roll(marks[:count], -best)
        marks[count] = marks[0]
    return count - best


@njit(cache=True, nogil=True)
def _fit_around(middle, x, y, is_corner, tolerance, kept):  # type: ignore[no-untyped-def]
    """Fit the pieces near a vertex again, as it was no vertex for its own sake."""
    a, b, vertices = middle, middle, 0
    while a > 0 and vertices < _AROUND:
        a -= 1
        vertices += kept[a]
    vertices = 0
    while b < len(x) - 1 and vertices < _AROUND:
        b += 1
        vertices += kept[b]
    b += 1
    fit(x[a:b] / 2, y[a:b] / 2, is_corner[a:b], tolerance, kept[a:b])


@njit(cache=True, nogil=True)
def _pieces(kept, starts):  # type: ignore[no-untyped-def]
    """First and last point of each piece."""
    points = np.flatnonzero(kept)
    first, last = np.empty(len(points), np.int64), np.empty(len(points), np.int64)
    count, arc = 0, 0
    for k in range(len(points) - 1):
        while points[k] >= starts[arc + 1]:
            arc += 1
        if points[k + 1] < starts[arc + 1]:
            first[count], last[count] = points[k], points[k + 1]
            count += 1
    return first[:count], last[:count]


@njit(cache=True, nogil=True)
def _refine(x, y, is_corner, first, last, tolerance, kept, level, changed):  # type: ignore[no-untyped-def]
    """Fit pieces again, closer."""
    for piece in range(len(first)):
        a, b = first[piece], last[piece] + 1
        closer = level[a] + 1
        if closer == _AS_IT_WAS:
            kept[a + 1 : b - 1] = is_corner[a + 1 : b - 1]
        else:
            fit(x[a:b] / 2, y[a:b] / 2, is_corner[a:b], tolerance / 2**closer, kept[a:b])
        level[a : b - 1] = closer
        changed[a : b - 1] = True


@njit(cache=True, nogil=True)
def _without_straight(x, y, starts, kept):  # type: ignore[no-untyped-def]
    """Coordinates in pixels and starts of the kept points, but of those on a straight line between two others."""
    out = np.empty((kept.sum(), 2))
    new_starts = np.zeros(len(starts), np.int64)
    at = 0
    for arc in range(len(starts) - 1):
        begin = at
        for k in range(starts[arc], starts[arc + 1]):
            if not kept[k]:
                continue
            px, py = x[k] / 2, y[k] / 2
            if at > begin + 1:
                ax, ay, bx, by = out[at - 2, 0], out[at - 2, 1], out[at - 1, 0], out[at - 1, 1]
                if (bx - ax) * (py - ay) == (by - ay) * (px - ax):
                    at -= 1
            out[at, 0], out[at, 1] = px, py
            at += 1
        new_starts[arc + 1] = at
    return out[:at].copy(), new_starts
