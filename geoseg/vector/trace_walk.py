"""Chains of nodes walked into pieces of arcs, within one strip of a map."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geoseg.vector.trace_scan import COL, EAST, EDGES, LEFT, LINE, LINK, NORTH, RIGHT, SOUTH, WEST

JUNCTION, ABOVE, BELOW, RING = 0, 1, 2, 3  # how a piece ends: there, open to the strip above or below, or closed


@njit(cache=True, nogil=True)
def _walk(nodes, done, corners, n, node, heading):  # type: ignore[no-untyped-def]
    """Append the corners from `node`, left towards `heading`, to where the chain ends. Returns their end and how."""
    origin = node
    corners[n, 0], corners[n, 1] = nodes[node, COL], nodes[node, LINE]
    n += 1
    done[node] = True
    while True:
        if heading == EAST:
            node, back = node + 1, WEST
        elif heading == WEST:
            node, back = node - 1, EAST
        else:
            node, back = nodes[node, LINK], SOUTH + NORTH - heading
            if node < 0:
                return n, ABOVE if heading == NORTH else BELOW
        corners[n, 0], corners[n, 1] = nodes[node, COL], nodes[node, LINE]
        n += 1
        if node == origin:
            return n, RING
        done[node] = True
        heading = nodes[node, EDGES] - back
        if heading == 0:
            return n, JUNCTION


@njit(cache=True, nogil=True)
def walk(nodes: NDArray[np.int32]):  # type: ignore[no-untyped-def]
    """Pieces of arcs in one strip: first those that start at a junction, then those open at both ends, then rings.

    Returns:
        (m, 2) int32 corners of all pieces; (p + 1,) starts; (p,) how each begins and how it ends, `JUNCTION` and so
        on, uint8; (p,) labels left and right of it.
    """
    total = len(nodes)
    corners = np.empty((total + total // 4 + 1, 2), np.int32)
    starts = np.empty(total + 1, np.int64)
    begins, ends = np.empty(total, np.uint8), np.empty(total, np.uint8)
    left, right = np.empty(total, np.int32), np.empty(total, np.int32)
    done = np.zeros(total, np.bool_)
    n, p = 0, 0
    for turn in range(3):
        for node in range(total):
            edges = nodes[node, EDGES]
            single = edges & (edges - 1) == 0
            if done[node] or single != (turn == 0):
                continue
            vertical = edges & (NORTH | SOUTH)
            if turn == 1 and nodes[node, LINK] >= 0:
                continue
            starts[p] = n
            begins[p] = JUNCTION
            heading, a, b = edges, nodes[node, LEFT], nodes[node, RIGHT]
            if turn > 0:  # the labels are those of leaving by the vertical edge; it is walked the other way
                begins[p] = RING if turn == 2 else ABOVE if vertical == NORTH else BELOW
                heading, a, b = edges - vertical, b, a
            left[p], right[p] = a, b
            n, ends[p] = _walk(nodes, done, corners, n, node, heading)
            p += 1
    starts[p] = n
    return corners[:n], starts[: p + 1], begins[:p], ends[:p], left[:p], right[:p]
