"""Rings of regions chained from the arcs around them.

Each arc is walked twice: ahead with the region on its left, back with the region on its right. So half-arc `2 i` is
arc i ahead, `2 i + 1` the same arc back, and the region that a half-arc bounds is always on its left.

Where a region meets itself at a corner, two of its half-arcs end there and two start. Each goes on along the region
that it has on its right, so rings touch themselves nowhere and a region in one piece is a valid polygon; the same
rings as GDAL's. The order of the arcs around the corner tells which those are, so simplified arcs will do.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _start(coordinates, starts, half):  # type: ignore[no-untyped-def]
    """Where in `coordinates` a half-arc starts, and the step to its next one."""
    return (starts[(half >> 1) + 1] - 1, -1) if half & 1 else (starts[half >> 1], 1)


@njit(cache=True, nogil=True)
def _angle(coordinates, starts, half):  # type: ignore[no-untyped-def]
    """Direction in which a half-arc sets out, radians."""
    at, step = _start(coordinates, starts, half)
    return math.atan2(
        coordinates[at + step, 1] - coordinates[at, 1],
        coordinates[at + step, 0] - coordinates[at, 0],
    )


@njit(cache=True, nogil=True)
def _nodes(coordinates, starts):  # type: ignore[no-untyped-def]
    """Half-arcs by where they start: (2 n,) any other that starts there, in a cycle through all of them.

    Found with a hash table of open addressing (Knuth, volume 3, 6.4).
    """
    total = 2 * (len(starts) - 1)
    size = 16
    while size < 2 * total:
        size *= 2
    table = np.full(size, -1, np.int32)
    beside = np.empty(total, np.int32)
    for half in range(total):
        at, _ = _start(coordinates, starts, half)
        x, y = coordinates[at, 0], coordinates[at, 1]
        slot = (np.int64(x) + np.int64(y) * 40503) & (size - 1)
        while True:
            other = table[slot]
            if other < 0:
                table[slot] = half
                beside[half] = half
                break
            there, _ = _start(coordinates, starts, other)
            if coordinates[there, 0] == x and coordinates[there, 1] == y:
                beside[half], beside[other] = beside[other], half
                break
            slot = (slot + 1) & (size - 1)
    return beside


@njit(cache=True, nogil=True)
def follow(sides, coordinates, starts):  # type: ignore[no-untyped-def]
    """The half-arc that goes on where each ends, around the same region; -1 for those that bound none.

    Args:
        sides: (n, 2) region left and right of each arc. Arcs with the same on both sides bound none.
        coordinates, starts: of the arcs.
    """
    beside = _nodes(coordinates, starts)
    after = np.full(len(beside), -1, np.int32)
    for half in range(len(beside)):
        region = sides[half >> 1, half & 1]
        if region < 0 or sides[half >> 1, 0] == sides[half >> 1, 1]:
            continue
        twin = half ^ 1
        found, turn = -1, 0.0
        other = beside[twin]
        while other != twin:
            if sides[other >> 1, other & 1] == region and sides[other >> 1, 0] != sides[other >> 1, 1]:
                if found < 0:
                    found = other
                else:
                    back = _angle(coordinates, starts, twin)
                    turn = (back - _angle(coordinates, starts, found)) % (2 * math.pi)
                    if (back - _angle(coordinates, starts, other)) % (2 * math.pi) < turn:
                        found = other
            other = beside[other]
        after[half] = found
    return after


@njit(cache=True, nogil=True)
def find_rings(sides, coordinates, starts, after, count):  # type: ignore[no-untyped-def]
    """Rings of all regions.

    Returns:
        (k,) a half-arc of each ring, the lowest; (count + 1,) first ring of each region, its exterior ring; the others
        are its holes, in the order of their half-arcs; (k + 1,) corners of all rings before each, one repeated.
    """
    total = len(after)
    heads, sizes, area = np.empty(total, np.int32), np.empty(total, np.int64), np.empty(total, np.float64)
    done = np.zeros(total, np.bool_)
    bounds = np.zeros(count + 2, np.int64)
    k = 0
    for half in range(total):
        if done[half] or after[half] < 0:
            continue
        heads[k], sizes[k], area[k] = half, 1, 0.0
        bounds[sides[half >> 1, half & 1] + 2] += 1
        x0, y0 = coordinates[starts[half >> 1]]
        at = half
        while not done[at]:
            done[at] = True
            first, last = starts[at >> 1], starts[(at >> 1) + 1] - 1
            twice = 0.0
            for i in range(first, last):
                twice += (coordinates[i, 0] - x0) * (coordinates[i + 1, 1] - y0)
                twice -= (coordinates[i + 1, 0] - x0) * (coordinates[i, 1] - y0)
            area[k] += -twice if at & 1 else twice
            sizes[k] += last - first
            at = after[at]
        k += 1
    bounds = np.cumsum(bounds)
    order = np.empty(k, np.int64)
    for ring in range(k):
        region = sides[heads[ring] >> 1, heads[ring] & 1]
        order[bounds[region + 1]] = ring
        bounds[region + 1] += 1
    for region in range(count):
        _exterior_first(order[bounds[region] : bounds[region + 1]], area)
    offsets = np.zeros(k + 1, np.int64)
    offsets[1:] = np.cumsum(sizes[:k][order])
    return heads[:k][order], bounds[: count + 1], offsets


@njit(cache=True, nogil=True)
def _exterior_first(rings, area):  # type: ignore[no-untyped-def]
    """Move the ring that is the farthest clockwise, in (col, row) numbers, to the front."""
    best = 0
    for i in range(1, len(rings)):
        if area[rings[i]] < area[rings[best]]:
            best = i
    chosen = rings[best] if len(rings) else 0
    for i in range(best, 0, -1):
        rings[i] = rings[i - 1]
    if len(rings):
        rings[0] = chosen


@njit(cache=True, nogil=True)
def draw(heads, offsets, coordinates, starts, after, straighten):  # type: ignore[no-untyped-def]
    """Coordinates of some rings.

    Args:
        heads: a half-arc of each ring.
        offsets: (k + 1,) of `find_rings`, for these rings.
        coordinates, starts, after: of all arcs.
        straighten: leave out ends of arcs where the ring does not turn.

    Returns:
        (m, 2) float64, rings closed; (k + 1,) where each starts.
    """
    drawn = np.empty((offsets[-1] - offsets[0], 2), np.float64)
    begins = np.zeros(len(heads) + 1, np.int64)
    n = 0
    for ring in range(len(heads)):
        half, begin = heads[ring], n
        while True:
            at, step = _start(coordinates, starts, half)
            for i in range(starts[(half >> 1) + 1] - starts[half >> 1] - 1):
                x, y = coordinates[at, 0], coordinates[at, 1]
                at += step
                if (
                    i == 0
                    and straighten
                    and n > begin
                    and _in_line(drawn[n - 1, 0], drawn[n - 1, 1], x, y, coordinates[at, 0], coordinates[at, 1])
                ):
                    continue
                drawn[n, 0], drawn[n, 1] = x, y
                n += 1
            half = after[half]
            if half == heads[ring]:
                break
        if straighten and _in_line(
            drawn[n - 1, 0], drawn[n - 1, 1], drawn[begin, 0], drawn[begin, 1], drawn[begin + 1, 0], drawn[begin + 1, 1]
        ):
            drawn[begin : n - 1] = drawn[begin + 1 : n].copy()
            n -= 1
        drawn[n] = drawn[begin]
        n += 1
        begins[ring + 1] = n
    return drawn[:n], begins


@njit(cache=True, nogil=True)
def _in_line(ax, ay, bx, by, cx, cy):  # type: ignore[no-untyped-def]
    return (bx - ax) * (cy - ay) == (by - ay) * (cx - ax)
