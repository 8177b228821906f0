"""Arcs joined to longer ones where regions have merged and what was a junction no longer is."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geoseg.vector.arcs import Arcs


def arc_lengths(corners: NDArray[np.int32], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) length of each arc, pixel edges."""
    step = np.abs(np.diff(corners.astype(np.int64), axis=0)).sum(axis=1)
    along = np.concatenate([[0], np.cumsum(step)])
    lengths: NDArray[np.int64] = along[starts[1:] - 1] - along[starts[:-1]] if len(corners) else along[:0]
    return lengths


def join_arcs(arcs: Arcs) -> Arcs:
    """`arcs` without those that have the same region on both sides, joined wherever now only two meet.

    The result is as a trace of the map with the merged regions would give it: corners only where the direction
    changes, directions and order as `Arcs` says.
    """
    kept = np.flatnonzero(arcs.left != arcs.right)
    if not len(kept):
        none = np.empty(0, np.int64)
        return Arcs(np.empty((0, 2), np.int32), np.zeros(1, np.int64), none, none)
    first, last = arcs.starts[kept], arcs.starts[kept + 1]
    order, chain_starts, lines = _walk(_mates(arcs.corners, first, last))
    corners, starts = _concatenate(arcs.corners, first, last, order, chain_starts, lines)
    lead = order[chain_starts[:-1]]
    left, right = arcs.left[kept[lead // 2]], arcs.right[kept[lead // 2]]
    turned = (lead % 2).astype(bool) ^ _orient(corners, starts)
    return _in_order(Arcs(corners, starts, np.where(turned, right, left), np.where(turned, left, right)))


def is_ring(arcs: Arcs) -> NDArray[np.bool_]:
    """(n,) whether each arc is closed and no other meets it."""
    mates = _mates(arcs.corners, arcs.starts[:-1], arcs.starts[1:])
    ring: NDArray[np.bool_] = mates[::2] == np.arange(1, 2 * len(arcs), 2)
    return ring


def _mates(corners: NDArray[np.int32], first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each arc end, 2 * arc + (0 start, 1 end), the only other end at its place; -1 at a junction.

    Arc n is `corners[first[n]:last[n]]`.
    """
    ends = np.stack([corners[first], corners[last - 1]], axis=1).reshape(-1, 2).astype(np.int64)
    places = ends[:, 1] << 32 | ends[:, 0]
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    groups = np.flatnonzero(np.diff(ordered, prepend=-1))
    pairs = groups[np.diff(groups, append=len(places)) == 2]
    mates = np.full(len(places), -1)
    mates[order[pairs]] = order[pairs + 1]
    mates[order[pairs + 1]] = order[pairs]
    return mates


@njit(cache=True, nogil=True)
def _walk(mates):  # type: ignore[no-untyped-def]
    """Arcs in the order of their chains, as 2 * arc + (1 if walked backward), where each chain starts in that order,
    and how many chains run from junction to junction; those after them are rings without one."""
    count = len(mates) // 2
    order, starts = np.empty(count, np.int64), np.empty(count + 1, np.int64)
    done = np.zeros(count, np.bool_)
    placed, chains, lines = 0, 0, 0
    for rings in range(2):
        lines = chains
        for end in range(2 * count):
            if done[end // 2] or (rings == 0 and mates[end] >= 0):
                continue
            starts[chains] = placed
            chains += 1
            here = end
            while here >= 0 and not done[here // 2]:
                done[here // 2] = True
                order[placed] = here
                placed += 1
                here = mates[here ^ 1]
    starts[chains] = placed
    return order, starts[: chains + 1], lines


@njit(cache=True, nogil=True)
def _concatenate(corners, first, last, order, chain_starts, lines):  # type: ignore[no-untyped-def]
    """Corners of each chain where its direction changes, rings from their topmost, then leftmost corner."""
    total = 0
    for arc in range(len(first)):
        total += last[arc] - first[arc]
    out = np.empty((total + len(chain_starts), 2), np.int32)
    starts = np.zeros(len(chain_starts), np.int64)
    at = 0
    for chain in range(len(chain_starts) - 1):
        begin = at
        for k in range(chain_starts[chain], chain_starts[chain + 1]):
            arc, backward = order[k] // 2, order[k] % 2
            for n in range(last[arc] - first[arc]):
                corner = last[arc] - 1 - n if backward else first[arc] + n
                col, row = corners[corner, 0], corners[corner, 1]
                if at > begin and out[at - 1, 0] == col and out[at - 1, 1] == row:
                    continue
                if at > begin + 1 and _straight(out[at - 2], out[at - 1], corners[corner]):
                    at -= 1
                out[at, 0], out[at, 1] = col, row
                at += 1
        if chain >= lines:
            at = begin + _turn_ring(out[begin:at])
        starts[chain + 1] = at
    return out[:at].copy(), starts


@njit(cache=True, nogil=True)
def _straight(a, b, c):  # type: ignore[no-untyped-def]
    """Whether three corners of an arc are on one line."""
    return (a[0] == b[0] and b[0] == c[0]) or (a[1] == b[1] and b[1] == c[1])


@njit(cache=True, nogil=True)
def _turn_ring(ring):  # type: ignore[no-untyped-def]
    """Make a closed ring start at its topmost, then leftmost corner, in place; its new length."""
    count = len(ring) - 1
    first = 1 if _straight(ring[count - 1], ring[0], ring[1]) else 0
    corners = ring[first:count].copy()
    top = 0
    for k in range(1, len(corners)):
        if corners[k, 1] < corners[top, 1] or (corners[k, 1] == corners[top, 1] and corners[k, 0] < corners[top, 0]):
            top = k
    for k in range(len(corners) + 1):
        corner = corners[(top + k) % len(corners)]
        ring[k, 0], ring[k, 1] = corner[0], corner[1]
    return len(corners) + 1


@njit(cache=True, nogil=True)
def _orient(corners, starts):  # type: ignore[no-untyped-def]
    """Turn arcs, in place, to start at the end that comes first row by row; which were turned."""
    turned = np.zeros(len(starts) - 1, np.bool_)
    for arc in range(len(starts) - 1):
        a, b = starts[arc], starts[arc + 1] - 1
        here = corners[a, 1], corners[a, 0], heading(corners[a], corners[a + 1])
        there = corners[b, 1], corners[b, 0], heading(corners[b], corners[b - 1])
        if there < here:
            turned[arc] = True
            corners[a : b + 1] = corners[a : b + 1][::-1].copy()
    return turned


@njit(cache=True, nogil=True)
def heading(a, b):  # type: ignore[no-untyped-def]
    """Direction from corner `a` to `b`: 0 east, 1 south, 2 west, 3 north."""
    if a[1] == b[1]:
        return 0 if b[0] > a[0] else 2
    return 1 if b[1] > a[1] else 3


def _in_order(arcs: Arcs) -> Arcs:
    """Arcs by row, column and direction of their start."""
    start, second = arcs.corners[arcs.starts[:-1]], arcs.corners[arcs.starts[:-1] + 1]
    east, south = (second - start).T
    direction = np.select([east > 0, south > 0, east < 0], [0, 1, 2], 3)
    order = np.lexsort((direction, start[:, 0], start[:, 1]))
    sizes = np.diff(arcs.starts)[order]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    picked = np.repeat(arcs.starts[:-1][order] - starts[:-1], sizes) + np.arange(starts[-1])
    return Arcs(arcs.corners[picked], starts, arcs.left[order], arcs.right[order])
