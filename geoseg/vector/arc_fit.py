"""The polyline with few vertices that runs closest along pixel edges, within a bound: what a person would draw.

Vertices are taken from the corners of the outline and the middles of its edges; through the middles a staircase
becomes the line that was rasterized. Of all polylines whose pieces stay within the tolerance, the one is taken for
which the squared distance of the outline from it, integrated along the outline, plus a price for each vertex is
least: by dynamic programming, in time linear in the outline times the length of a piece.

Sources: the cone of directions that pass within a distance of points, Imai and Iri 1988; least squares of pieces,
Selinger 2003, Potrace: a polygon-based tracing algorithm.
"""

from __future__ import annotations

import numpy as np
from numba import njit

VERTEX_PRICE = 3.0  # x tolerance^2, px3: what leaving out a bump of 3 px that is as high as the tolerance costs
_REACH = 1024  # points a piece may pass, so that a line across the map takes no time squared


@njit(cache=True, nogil=True)
def fit(x, y, is_corner, tolerance, kept):  # type: ignore[no-untyped-def]
    """Mark in `kept` the points of the best polyline from the first point to the last.

    Args:
        x: (n,) column of each corner and of the middle of each edge, in their order along the outline.
        y: (n,) row of each.
        is_corner: (n,) False for middles.
        tolerance: no part of the outline between two vertices is farther from the piece between them; pixels.
        kept: (n,) all set.
    """
    count = len(x)
    cost, before = np.full(count, np.inf), np.zeros(count, np.int64)
    cost[0] = 0.0
    for i in range(count - 1):
        _extend(i, x, y, is_corner, tolerance, cost, before)
    kept[:] = False
    at = count - 1
    while at > 0:
        kept[at] = True
        at = before[at]
    kept[0] = True


@njit(cache=True, nogil=True, error_model="numpy")
def _extend(i, x, y, is_corner, tolerance, cost, before):  # type: ignore[no-untyped-def]
    """Try all pieces from point `i`.

    A piece may end at a point that lies within the cone of directions which pass within the tolerance of all
    corners so far, and no nearer than any of these: then they are as near to the piece as to its line.
    """
    price = VERTEX_PRICE * tolerance**2
    base = cost[i] + price
    bound, farthest = tolerance * tolerance, 0.0
    axis_x, axis_y = 0.0, 0.0  # the first corner beyond the tolerance; the cone is within 90 degrees of it
    low_x, low_y, high_x, high_y = 0.0, 0.0, 0.0, 0.0  # sides of the cone; 0 where it has none yet
    sxx, sxy, syy, px, py = 0.0, 0.0, 0.0, 0.0, 0.0
    for j in range(i + 1, min(len(x), i + _REACH)):
        dx, dy = x[j] - x[i], y[j] - y[i]
        weight = abs(dx - px) + abs(dy - py)
        sxx += weight * (px * px + px * dx + dx * dx)
        syy += weight * (py * py + py * dy + dy * dy)
        sxy += weight * (2 * px * py + px * dy + dx * py + 2 * dx * dy)
        px, py = dx, dy
        square = dx * dx + dy * dy
        if farthest > bound and dx * axis_x + dy * axis_y <= 0:
            break
        inside = low_x * dy - low_y * dx >= 0 and dx * high_y - dy * high_x >= 0
        if inside and square >= farthest and square > 0:
            spread = (dy * dy * sxx - dx * dy * sxy + dx * dx * syy) / (3 * square)
            total = base + max(spread, 0.0)
            if total < cost[j]:
                cost[j], before[j] = total, i
            elif total > cost[j] + price:
                break  # one more vertex at j is better already, so for what comes after it too
        if not is_corner[j]:
            continue
        farthest = max(farthest, square)
        if square <= bound:
            continue
        if axis_x == 0.0 and axis_y == 0.0:
            axis_x, axis_y = dx, dy
        leg = np.sqrt(square - bound)
        tx, ty = leg * dx + tolerance * dy, leg * dy - tolerance * dx
        if tx * axis_x + ty * axis_y > 0 and low_x * ty - low_y * tx >= 0:
            low_x, low_y = tx, ty
        tx, ty = leg * dx - tolerance * dy, leg * dy + tolerance * dx
        if tx * axis_x + ty * axis_y > 0 and tx * high_y - ty * high_x >= 0:
            high_x, high_y = tx, ty
        if low_x * high_y - low_y * high_x < 0:
            break
