"""The graph of thin lines of pixels: where they end and meet, and the pixels between.

Pixels are joined to their eight neighbours, but not across a corner when a side leads there too. A pixel with three
or more neighbours is a junction, junctions that touch are one; a pixel with one neighbour is an end. A ring without
a junction has its first pixel, row by row, as its node.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_AROUND = np.array([[-1, 0], [0, -1], [0, 1], [1, 0], [-1, -1], [-1, 1], [1, -1], [1, 1]], np.int64)


@dataclass(frozen=True, slots=True)
class PixelGraph:
    """Nodes and the chains of pixels between them.

    Attributes:
        node: (p,) number of the node that a pixel belongs to, -1 for one along a chain. Nodes are numbered by their
            first pixel, row by row.
        nodes: how many there are; those of single pixels count.
        ends: (m, 2) nodes at a chain's start and end.
        starts: (m + 1,) chain i is `pixels[starts[i]:starts[i + 1]]`.
        pixels: (k,) numbers of pixels, the nodes' included.
    """

    node: Ints
    nodes: int
    ends: Ints
    starts: Ints
    pixels: Ints


def pixel_graph(row: Ints, col: Ints) -> PixelGraph:
    """The graph of pixels given row by row; work and memory grow with their number alone."""
    near = _neighbours(row.astype(np.int64), col.astype(np.int64), _AROUND)
    degree = (near >= 0).sum(axis=1)
    node = _nodes(near, degree)
    chains = _chains(near, degree, node)
    starts, pixels = chains[0], chains[1]
    first, last = pixels[starts[:-1]], pixels[starts[1:] - 1]
    ends = np.column_stack([node[first], node[last]]).astype(np.int64)
    return PixelGraph(node, int(node.max(initial=-1)) + 1, ends, starts, pixels)


@njit(cache=True, nogil=True)
def _find(row, col, at_row, at_col, low, high):  # type: ignore[no-untyped-def]
    """Number of the pixel at a place among those from `low` to `high`, -1 for none."""
    while low < high:
        middle = (low + high) // 2
        if row[middle] < at_row or (row[middle] == at_row and col[middle] < at_col):
            low = middle + 1
        else:
            high = middle
    if low < len(row) and row[low] == at_row and col[low] == at_col:
        return low
    return -1


@njit(cache=True, nogil=True)
def _neighbours(row, col, around):  # type: ignore[no-untyped-def]
    """(p, 8) neighbours of each pixel, -1 for none; a corner one only where no side leads to it."""
    near = np.full((len(row), 8), -1, np.int64)
    for p in range(len(row)):
        for k in range(8):
            low, high = (0, p) if around[k, 0] < 0 or (around[k, 0] == 0 and around[k, 1] < 0) else (p, len(row))
            near[p, k] = _find(row, col, row[p] + around[k, 0], col[p] + around[k, 1], low, high)
    sides = near[:, :4].copy() >= 0  # north, west, east, south
    for p in range(len(row)):
        if sides[p, 0] or sides[p, 1]:
            near[p, 4] = -1
        if sides[p, 0] or sides[p, 2]:
            near[p, 5] = -1
        if sides[p, 3] or sides[p, 1]:
            near[p, 6] = -1
        if sides[p, 3] or sides[p, 2]:
            near[p, 7] = -1
    return near


@njit(cache=True, nogil=True)
def _root(parent, p):  # type: ignore[no-untyped-def]
    while parent[p] != p:
        parent[p] = parent[parent[p]]
        p = parent[p]
    return p


@njit(cache=True, nogil=True)
def _nodes(near, degree):  # type: ignore[no-untyped-def]
    """Node of each pixel; junctions that touch are one, a ring gets its first pixel."""
    count = len(degree)
    parent = np.arange(count)
    for p in range(count):
        for q in near[p]:
            if q >= 0 and degree[p] > 2 and degree[q] > 2:
                a, b = _root(parent, p), _root(parent, q)
                parent[max(a, b)] = min(a, b)
    is_node = degree != 2
    reached = is_node.copy()
    stack = np.empty(count, np.int64)
    for first in range(2 * count):  # what hangs on nodes first; what is left are rings
        p = first % count
        if first < count and not is_node[p]:
            continue
        if first >= count:
            if reached[p]:
                continue
            is_node[p] = reached[p] = True
        size = 1
        stack[0] = p
        while size:
            size -= 1
            for q in near[stack[size]]:
                if q >= 0 and not reached[q]:
                    reached[q] = True
                    stack[size] = q
                    size += 1
    node = np.full(count, -1, np.int64)
    found = 0
    for p in range(count):
        if is_node[p]:
            root = _root(parent, p)
            if root == p:
                node[p] = found
                found += 1
            else:
                node[p] = node[root]
    return node


@njit(cache=True, nogil=True)
def _chains(near, degree, node):  # type: ignore[no-untyped-def]
    """Starts and pixels of the chains, each walked once from its lower end."""
    room = 4 * len(degree) + 16
    pixels = np.empty(room, np.int64)
    starts = np.zeros(room, np.int64)
    used = np.zeros(len(degree), np.bool_)
    chains, size = 0, 0
    for p in range(len(degree)):
        if node[p] < 0:
            continue
        for q in near[p]:
            if q < 0 or used[q]:
                continue
            if node[q] >= 0 and (node[q] == node[p] or q < p):
                continue
            pixels[size] = p
            size += 1
            before, at = p, q
            while node[at] < 0:
                used[at] = True
                pixels[size] = at
                size += 1
                after = -1
                for r in near[at]:
                    if r >= 0 and r != before:
                        after = r
                before, at = at, after
            pixels[size] = at
            size += 1
            chains += 1
            starts[chains] = size
    return starts[: chains + 1].copy(), pixels[:size].copy()
