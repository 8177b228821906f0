"""Where pieces of simplified arcs cross, touch, or have come to the wrong side of one another.

Points have whole coordinates, half pixels or less, so every test is exact. A piece runs straight from one kept
point of an arc to the next; the part of the arc in between is what it stands for. If no two pieces meet except at a
kept point that they share, and no kept point lies between a piece and what it stands for, then the pieces lie to
each other as the arcs did: each can be moved onto its arc without passing over another's vertex.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Whole = NDArray[np.int64]
_IN_A_CELL = 16  # pieces, on average
_LONGEST = 64  # side of a cell, pixels, at most: where pieces are few they are long


def conflicts(
    x: Whole, y: Whole, first: Whole, last: Whole, changed: NDArray[np.bool_], unit: int
) -> NDArray[np.bool_]:
    """Which pieces meet another, or have a kept point between them and their part of the arc.

    Args:
        x: (m,) column of all points of all arcs, in units of 1 / `unit` pixels.
        y: (m,) row.
        first: (n,) point at which each piece starts.
        last: (n,) point at which it ends; points between belong to the part of the arc that it stands for.
        changed: (n,) pieces that are new; of others it is known already how they lie to each other.
        unit: a power of two.

    Returns:
        (n,) bool.
    """
    if not len(first):
        return np.zeros(0, bool)
    side = math.sqrt(_IN_A_CELL * (float(x.max()) + 1) * (float(y.max()) + 1) / len(first))
    shift = max(int(math.log2(min(side, _LONGEST * unit))), 1)
    found: NDArray[np.bool_] = _conflicts(x, y, first, last, changed, shift)
    return found


@njit(cache=True, nogil=True)
def _conflicts(x, y, first, last, changed, shift):  # type: ignore[no-untyped-def]
    """As `conflicts`, searched by cells with sides of 2^shift."""
    found = np.zeros(len(first), np.bool_)
    across = (x.max() >> shift) + 1
    starts, members = _bins(x, y, first, last, across, across * ((y.max() >> shift) + 1), shift)
    for cell in range(len(starts) - 1):
        for k in range(starts[cell], starts[cell + 1]):
            for m in range(k + 1, starts[cell + 1]):
                p, q = members[k], members[m]
                if (changed[p] or changed[q]) and _meet_in(
                    cell, across, shift, x, y, first[p], last[p], first[q], last[q]
                ):
                    found[p] = True
                    found[q] = True
    for piece in range(len(first)):
        if last[piece] > first[piece] + 1 and not found[piece]:
            found[piece] = _holds_point(piece, x, y, first, last, changed, across, shift, starts, members)
    return found


@njit(cache=True, nogil=True)
def _bins(x, y, first, last, across, cells, shift):  # type: ignore[no-untyped-def]
    """Pieces by the cells that their bounds touch: where each cell's members start, and the members."""
    starts = np.zeros(cells + 2, np.int64)
    for fill in range(2):
        if fill:
            for cell in range(1, cells + 2):
                starts[cell] += starts[cell - 1]
            members = np.empty(starts[cells + 1], np.int64)
        for piece in range(len(first)):
            a, b = first[piece], last[piece]
            for row in range(min(y[a], y[b]) >> shift, (max(y[a], y[b]) >> shift) + 1):
                for col in range(min(x[a], x[b]) >> shift, (max(x[a], x[b]) >> shift) + 1):
                    cell = row * across + col
                    if fill:
                        members[starts[cell + 1]] = piece
                        starts[cell + 1] += 1
                    else:
                        starts[cell + 2] += 1
    return starts[: cells + 1], members


@njit(cache=True, nogil=True)
def _meet_in(cell, across, shift, x, y, a, b, c, d):  # type: ignore[no-untyped-def]
    """Whether pieces a-b and c-d meet other than at a shared end; told in one of the cells they share only."""
    left, right = max(min(x[a], x[b]), min(x[c], x[d])), min(max(x[a], x[b]), max(x[c], x[d]))
    top, bottom = max(min(y[a], y[b]), min(y[c], y[d])), min(max(y[a], y[b]), max(y[c], y[d]))
    if left > right or top > bottom or (top >> shift) * across + (left >> shift) != cell:
        return False
    return _meet(x[a], y[a], x[b], y[b], x[c], y[c], x[d], y[d])


@njit(cache=True, nogil=True)
def _meet(ax, ay, bx, by, cx, cy, dx, dy):  # type: ignore[no-untyped-def]
    """Whether two closed segments have a point in common that is not an end of both."""
    if ax == dx and ay == dy:
        cx, cy, dx, dy = dx, dy, cx, cy
    elif bx == cx and by == cy:
        ax, ay, bx, by = bx, by, ax, ay
    elif bx == dx and by == dy:
        ax, ay, bx, by, cx, cy, dx, dy = bx, by, ax, ay, dx, dy, cx, cy
    if ax == cx and ay == cy:  # then they meet again only if they run the same way
        return _turn(ax, ay, bx, by, dx, dy) == 0 and (bx - ax) * (dx - ax) + (by - ay) * (dy - ay) > 0
    c_side, d_side = _turn(ax, ay, bx, by, cx, cy), _turn(ax, ay, bx, by, dx, dy)
    a_side, b_side = _turn(cx, cy, dx, dy, ax, ay), _turn(cx, cy, dx, dy, bx, by)
    if c_side == 0 and d_side == 0:
        return True  # on one line, and their bounds overlap
    return c_side * d_side <= 0 and a_side * b_side <= 0


@njit(cache=True, nogil=True)
def _turn(ax, ay, bx, by, cx, cy):  # type: ignore[no-untyped-def]
    """Sign of the turn from a-b to c."""
    return np.sign((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))


@njit(cache=True, nogil=True)
def _holds_point(piece, x, y, first, last, changed, across, shift, starts, members):  # type: ignore[no-untyped-def]
    """Whether a kept point of another piece lies between `piece` and its part of the arc."""
    a, b = first[piece], last[piece]
    left, right = x[a : b + 1].min(), x[a : b + 1].max()
    top, bottom = y[a : b + 1].min(), y[a : b + 1].max()
    if left == right or top == bottom:
        return False
    for row in range(top >> shift, (bottom >> shift) + 1):
        for col in range(left >> shift, (right >> shift) + 1):
            cell = row * across + col
            for k in range(starts[cell], starts[cell + 1]):
                other = members[k]
                if other == piece or not (changed[piece] or changed[other]):
                    continue
                for end in (first[other], last[other]):
                    px, py = x[end], y[end]
                    if px < left or px > right or py < top or py > bottom or a <= end <= b:
                        continue
                    if (px == x[a] and py == y[a]) or (px == x[b] and py == y[b]):
                        continue
                    if _winding(px, py, x, y, a, b) != 0:
                        return True
    return False


@njit(cache=True, nogil=True)
def _winding(px, py, x, y, a, b):  # type: ignore[no-untyped-def]
    """How often the points a to b, closed by the piece from b back to a, go round a point."""
    turns = 0
    for k in range(a, b + 1):
        n = k + 1 if k < b else a
        if y[k] <= py < y[n] and _turn(x[k], y[k], x[n], y[n], px, py) > 0:
            turns += 1
        elif y[n] <= py < y[k] and _turn(x[k], y[k], x[n], y[n], px, py) < 0:
            turns -= 1
    return turns
