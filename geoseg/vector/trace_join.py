"""Pieces of arcs from all strips of a map joined into arcs, in an order and direction that depend on the map alone.

A piece is open where its boundary crosses a line between strips. It has no corner there, so pieces that meet at a
line are just put one after the other.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from geoseg.vector.trace_walk import ABOVE, BELOW, JUNCTION


@njit(cache=True, nogil=True)
def meet(corners, starts, begins, ends, first_piece, waiting, mates):  # type: ignore[no-untyped-def]
    """Pair the open ends of one strip's pieces with those that `waiting` has for each column from above.

    An end is area the number of its piece, plus one for where it ends. Pairs are written to `mates` (k, 2), which
    has room for all columns; `waiting` is left as the next strip needs it. Returns how many pairs.
    """
    count = 0
    for way in (ABOVE, BELOW):
        for piece in range(len(begins)):
            for side in range(2):
                if (ends[piece] if side else begins[piece]) != way:
                    continue
                end = 2 * (first_piece + piece) + side
                col = corners[starts[piece + 1] - 1 if side else starts[piece], 0]
                if way == BELOW:
                    waiting[col] = end
                else:
                    mates[count, 0], mates[count, 1] = end, waiting[col]
                    count += 1
    return count


@njit(cache=True, nogil=True)
def _key(corners, starts, ends, begins, step, width):  # type: ignore[no-untyped-def]
    """Place of the first corner of a chain that begins with `step` (area a piece, plus one if walked back)."""
    piece, back = step >> 1, step & 1
    at = starts[piece + 1] - 1 if back else starts[piece]
    if starts[piece + 1] - starts[piece] > 1:
        to = at - 1 if back else at + 1
        east, south = np.sign(corners[to, 0] - corners[at, 0]), np.sign(corners[to, 1] - corners[at, 1])
    else:
        east, south = 0, 1 if (begins[piece] if back else ends[piece]) == BELOW else -1
    heading = 0 if east > 0 else 1 if south > 0 else 2 if east < 0 else 3
    return (np.int64(corners[at, 1]) * (width + 1) + corners[at, 0]) * 4 + heading


@njit(cache=True, nogil=True)
def _turned(steps, first, last):  # type: ignore[no-untyped-def]
    """Walk the chain `steps[first:last]` the other way."""
    for i in range((last - first + 1) // 2):
        j = last - 1 - i
        a, b = steps[first + i] ^ 1, steps[j] ^ 1
        steps[first + i], steps[j] = b, a


@njit(cache=True, nogil=True)
def _top(corners, starts, steps, width):  # type: ignore[no-untyped-def]
    """Place of the topmost, then leftmost corner of a ring of pieces."""
    best = np.iinfo(np.int64).max
    for step in steps:
        for at in range(starts[step >> 1], starts[(step >> 1) + 1]):
            best = min(best, (np.int64(corners[at, 1]) * (width + 1) + corners[at, 0]) * 4)
    return best


@njit(cache=True, nogil=True)
def chain(corners, starts, begins, ends, mate, width):  # type: ignore[no-untyped-def]
    """Which pieces make which arc.

    Args:
        corners, starts, begins, ends: pieces as `walk` gives them, all strips together.
        mate: (2 p,) the end that meets each end, -1 where none does.
        width: of the map, pixels.

    Returns:
        (p,) steps, area a piece plus one if walked back; (a + 1,) first step of each arc; (a,) its sort key.
    """
    total = len(begins)
    steps, firsts = np.empty(total, np.int64), np.empty(total + 1, np.int64)
    keys = np.empty(total, np.int64)
    done = np.zeros(total, np.bool_)
    n, arcs = 0, 0
    for from_junctions in (True, False):
        for piece in range(total):
            if done[piece] or (from_junctions and begins[piece] != JUNCTION):
                continue
            firsts[arcs] = n
            step = 2 * piece
            while step >= 0 and not done[step >> 1]:
                done[step >> 1] = True
                steps[n] = step
                n += 1
                step = mate[step ^ 1]  # the end it leaves by; entering a piece at its end is walking it back
            if from_junctions:
                keys[arcs] = _key(corners, starts, ends, begins, steps[firsts[arcs]], width)
                other = _key(corners, starts, ends, begins, steps[n - 1] ^ 1, width)
                if other < keys[arcs]:
                    keys[arcs] = other
                    _turned(steps, firsts[arcs], n)
            else:
                keys[arcs] = _top(corners, starts, steps[firsts[arcs] : n], width)
            arcs += 1
    firsts[arcs] = n
    return steps, firsts[: arcs + 1], keys[:arcs]


@njit(cache=True, nogil=True)
def sizes(starts, begins, steps, firsts, order):  # type: ignore[no-untyped-def]
    """Where each arc's corners begin, arcs in `order`: (a + 1,)."""
    offsets = np.zeros(len(order) + 1, np.int64)
    for i in range(len(order)):
        size = 0
        for s in range(firsts[order[i]], firsts[order[i] + 1]):
            size += starts[(steps[s] >> 1) + 1] - starts[steps[s] >> 1]
        kind = begins[steps[firsts[order[i]]] >> 1]
        offsets[i + 1] = offsets[i] + size + (kind in (ABOVE, BELOW))
    return offsets


@njit(cache=True, nogil=True)
def _from_top(ring):  # type: ignore[no-untyped-def]
    """Let a ring (its first corner repeated at the end) start at its top and go east; whether it was turned."""
    count = len(ring) - 1
    top = 0
    for i in range(1, count):
        if (ring[i, 1], ring[i, 0]) < (ring[top, 1], ring[top, 0]):
            top = i
    old = ring[:count].copy()
    turned = old[(top + 1) % count, 0] <= old[top, 0]
    for i in range(count + 1):
        ring[i] = old[(top - i if turned else top + i) % count]
    return turned


@njit(cache=True, nogil=True)
def copy_arcs(pieces, starts, begins, left, right, steps, firsts, order, offsets, arcs):  # type: ignore[no-untyped-def]
    """Write the corners of the arcs, in `order` from `offsets` on, into `arcs`; (a,) regions left and right of each."""
    of_left, of_right = np.empty(len(order), np.int64), np.empty(len(order), np.int64)
    for i in range(len(order)):
        to = offsets[i]
        for s in range(firsts[order[i]], firsts[order[i] + 1]):
            piece = steps[s] >> 1
            first, last = starts[piece], starts[piece + 1]
            for at in range(last - first):
                arcs[to] = pieces[last - 1 - at if steps[s] & 1 else first + at]
                to += 1
        step = steps[firsts[order[i]]]
        turned = step & 1 == 1
        if begins[step >> 1] == ABOVE or begins[step >> 1] == BELOW:
            turned ^= _from_top(arcs[offsets[i] : offsets[i + 1]])
        a, b = left[step >> 1], right[step >> 1]
        of_left[i], of_right[i] = (b, a) if turned else (a, b)
    return of_left, of_right


@njit(cache=True, nogil=True)
def count_pixels(corners, starts, left, right, count):  # type: ignore[no-untyped-def]
    """Pixels of each region, (count,): column times height summed over its vertical edges, east less west ones."""
    pixels = np.zeros(count, np.int64)
    for arc in range(len(left)):
        area = np.int64(0)
        for i in range(starts[arc], starts[arc + 1] - 1):
            area += np.int64(corners[i, 0]) * (corners[i + 1, 1] - corners[i, 1])
        if right[arc] >= 0:  # walking south it lies to the west, which the arc closes
            pixels[right[arc]] += area
        if left[arc] >= 0:
            pixels[left[arc]] -= area
    return pixels
