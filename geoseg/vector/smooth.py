"""Simplified arcs with their bends rounded, neighbours still sharing them and none across another.

Corners are cut, twice: each vertex at which an arc bends is replaced by two, on the lines before and after it. Turns
as sharp as those of a house stay. Where a cut would make arcs meet, or leave a vertex of another arc on the wrong
side, it is taken back.

Source: corner cutting, Chaikin 1974, doi:10.1016/0146-664X(74)90028-8.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geoseg.vector.arcs import OUTSIDE, Arcs
from geoseg.vector.chains import is_ring
from geoseg.vector.crossings import conflicts

_ROUNDS = 2
_SHARPEST = 0.42  # cosine of the turn, 65 degrees: sharper ones are corners
_LATTICE = 4096  # places to a pixel where vertices may be: whole numbers, so that tests are exact


def smooth(
    arcs: Arcs, coordinates: NDArray[np.float64], starts: NDArray[np.int64], tolerance: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Round the bends of simplified arcs, other than those along the outside.

    Args:
        arcs: what was simplified.
        coordinates: (m, 2) what `simplify` made of them.
        starts: (n + 1,) where each arc starts.
        tolerance: pixels that a smoothed arc may be off the simplified one.

    Returns:
        (k, 2) col and row of the vertices, and (n + 1,) starts. Ends of arcs stay, and the layer stays a coverage.
    """
    free = (arcs.left != OUTSIDE) & (arcs.right != OUTSIDE)
    ring = is_ring(arcs)
    vertices = np.rint(coordinates * _LATTICE).astype(np.int64)
    for _ in range(_ROUNDS):
        before, after, cut = _cuts(vertices, starts, free, ring, tolerance * _LATTICE / _ROUNDS)
        while True:
            points, kept, of, point_starts = _points(vertices, starts, before, after, cut)
            shown = np.flatnonzero(kept)
            pieces = np.flatnonzero(np.diff(np.searchsorted(point_starts, shown, side="right")) == 0)
            first, last = shown[pieces], shown[pieces + 1]
            x, y = points[:, 0].copy(), points[:, 1].copy()
            bad = conflicts(x, y, first, last, cut[of[first]] | cut[of[last]], _LATTICE)
            bad_vertices = np.concatenate([of[first[bad]], of[last[bad]]])
            if not cut[bad_vertices].any():
                break
            cut[bad_vertices] = False
        vertices = points[kept]
        starts = np.concatenate([[0], np.cumsum(kept)])[point_starts]
    return vertices / _LATTICE, starts


@njit(cache=True, nogil=True)
def _cuts(vertices, starts, free, ring, most):  # type: ignore[no-untyped-def]
    """For each vertex the points before and after it that replace it, and whether they should.

    They are a quarter of the way to the next vertex, or less, so that the line between them passes the vertex at most
    `most` away.
    """
    before, after = vertices.copy(), vertices.copy()
    cut = np.zeros(len(vertices), np.bool_)
    for arc in range(len(starts) - 1):
        a, b = starts[arc], starts[arc + 1] - 1
        if not free[arc]:
            continue
        for v in range(a if ring[arc] else a + 1, b):
            u = b - 1 if v == a else v - 1
            ux, uy = float(vertices[u, 0] - vertices[v, 0]), float(vertices[u, 1] - vertices[v, 1])
            wx, wy = float(vertices[v + 1, 0] - vertices[v, 0]), float(vertices[v + 1, 1] - vertices[v, 1])
            if -(ux * wx + uy * wy) < _SHARPEST * np.hypot(ux, uy) * np.hypot(wx, wy):
                continue
            height = abs(ux * wy - uy * wx) / 4 / np.hypot(ux - wx, uy - wy)
            share = 0.25 * min(1.0, most / height) if height > 0 else 0.25
            before[v, 0] += round(share * ux)
            before[v, 1] += round(share * uy)
            after[v, 0] += round(share * wx)
            after[v, 1] += round(share * wy)
            cut[v] = True
    return before, after, cut


@njit(cache=True, nogil=True)
def _points(vertices, starts, before, after, cut):  # type: ignore[no-untyped-def]
    """Points of the cut arcs and the vertices cut off, which of them are kept, the vertex each is of, and starts."""
    total = len(vertices) + 2 * cut.sum() + len(starts)
    points, kept, of = np.empty((total, 2), np.int64), np.ones(total, np.bool_), np.empty(total, np.int64)
    point_starts = np.zeros(len(starts), np.int64)
    at = 0
    for arc in range(len(starts) - 1):
        a, b = starts[arc], starts[arc + 1] - 1
        for v in range(a, b + 1):
            w = a if v == b and cut[a] else v  # a ring ends where it starts: it is cut at its end
            if not cut[w]:
                points[at], of[at] = vertices[w], w
                at += 1
                continue
            if v > a:
                points[at], points[at + 1] = before[w], vertices[w]
                of[at], of[at + 1] = w, w
                kept[at + 1] = False
                at += 2
            points[at], of[at] = after[w], w
            at += 1
        point_starts[arc + 1] = at
    return points[:at].copy(), kept[:at].copy(), of[:at].copy(), point_starts
