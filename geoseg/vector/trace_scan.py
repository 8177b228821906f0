"""One pass over a strip of a class map: where its boundaries turn or meet, and which pixels hang together.

Corners are visited line by line. A corner of the map where a boundary turns is one node; a junction is one node for
each of its three or four edges, so that a node has at most two edges and chains of nodes are the arcs. The nodes of
a line are listed from left to right and a junction's in the order west, north, south, east: then the ends of a
horizontal edge are always neighbours in the list, and only vertical edges need links.

Regions are labelled in the same pass: a new label for each pixel with no neighbour of its class before it, and
labels that meet are united (Rosenfeld and Pfaltz 1966, doi:10.1145/321356.321357).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

EAST, SOUTH, WEST, NORTH = 1, 2, 4, 8  # edges of a node, as seen on the map
OFF = 255  # class of pixels outside the area
PAD = 8  # pixels before a row, so that it can be compared eight at a time

# A node is a row of int32. `LINK` is the node at the other end of its vertical edge, or negative where that edge
# leaves the strip. `LEFT` and `RIGHT` are labels, leaving by the vertical edge, or by the only edge of a node.
COL, LINE, EDGES, LINK, LEFT, RIGHT = range(6)
NODE_WIDTH = 6


@njit(cache=True, nogil=True)
def root(parent: NDArray[Any], label: int) -> int:
    """Name of the set `label` is in: its lowest label. Halves the path on the way."""
    while parent[label] != label:
        parent[label] = parent[parent[label]]
        label = parent[label]
    return label


@njit(cache=True, nogil=True)
def unite(parent: NDArray[Any], a: int, b: int) -> None:
    """Make one set of two."""
    a, b = root(parent, a), root(parent, b)
    if a < b:
        parent[b] = a
    elif b < a:
        parent[a] = b


@njit(cache=True, nogil=True)
def label_row(up, row, up_labels, labels, count, parent, values, diagonal):  # type: ignore[no-untyped-def]
    """Label one row below the labelled row `up`; both are padded with `OFF`. Returns the new `count`.

    Where eight pixels and the one before them are as those above, so are their labels.
    """
    words, up_words = row.view(np.uint64), up.view(np.uint64)
    label = -1
    for word in range(1, words.size):
        first = 8 * word
        if words[word] == up_words[word] and row[first - 1] == up[first - 1]:
            for col in range(first, first + 8):
                labels[col] = up_labels[col]
            label = labels[first + 7]
            continue
        for col in range(first, min(first + 8, row.size - 1)):
            value = row[col]
            if value == OFF:
                label = -1
            elif value == row[col - 1]:
                if diagonal:
                    if up[col] != value and up[col + 1] == value:
                        unite(parent, label, up_labels[col + 1])
                elif up[col] == value and up[col - 1] != value:
                    unite(parent, label, up_labels[col])
            elif up[col] == value:
                label = up_labels[col]
            elif diagonal and up[col - 1] == value:
                label = up_labels[col - 1]
                if up[col + 1] == value:
                    unite(parent, label, up_labels[col + 1])
            elif diagonal and up[col + 1] == value:
                label = up_labels[col + 1]
            else:
                label = count
                parent[label] = label
                values[label] = value
                count += 1
            labels[col] = label
    return count


@njit(cache=True, nogil=True)
def find_nodes(up: NDArray[np.uint8], row: NDArray[np.uint8], hits: NDArray[np.int32]) -> int:
    """Columns (in the padded rows, of the pixel right of the corner) where a boundary turns or meets another."""
    words, up_words = row.view(np.uint64), up.view(np.uint64)
    count = 0
    west = False
    for word in range(1, words.size):
        if not west and words[word] == up_words[word]:
            continue
        for col in range(8 * word, 8 * word + 8):
            east = up[col] != row[col]
            north = up[col - 1] != up[col]
            south = row[col - 1] != row[col]
            hits[count] = col
            count += (east != west) | (north != south) | (east & north & (west & south))
            west = east
    return count


@njit(cache=True, nogil=True)
def _put(nodes, n, corner, line, edges, link, left, right):  # type: ignore[no-untyped-def]
    nodes[n, COL] = corner
    nodes[n, LINE] = line
    nodes[n, EDGES] = edges
    nodes[n, LINK] = link
    nodes[n, LEFT] = left
    nodes[n, RIGHT] = right
    return n + 1


@njit(cache=True, nogil=True)
def add_nodes(hits, up, row, up_labels, labels, line, hanging, nodes, n):  # type: ignore[no-untyped-def]
    """Append the nodes at the corners `hits` of one line; `hanging` is the last node of each column, or -1."""
    for col in hits:
        a, b, c, d = up_labels[col - 1], up_labels[col], labels[col - 1], labels[col]
        west, east = int(up[col - 1] != row[col - 1]), int(up[col] != row[col])
        north, south = int(up[col - 1] != up[col]), int(row[col - 1] != row[col])
        corner = col - PAD
        above = hanging[corner]
        if west + east + north + south == 2:
            edges = EAST * east + SOUTH * south + WEST * west + NORTH * north
            if north:
                if above >= 0:
                    nodes[above, LINK] = n
                n = _put(nodes, n, corner, line, edges, above, a, b)
            else:
                hanging[corner] = n
                n = _put(nodes, n, corner, line, edges, -1, d, c)
            continue
        if west:
            n = _put(nodes, n, corner, line, WEST, -1, c, a)
        if north:
            if above >= 0:
                nodes[above, LINK] = n
            n = _put(nodes, n, corner, line, NORTH, above, a, b)
        if south:
            hanging[corner] = n
            n = _put(nodes, n, corner, line, SOUTH, -1, d, c)
        if east:
            n = _put(nodes, n, corner, line, EAST, -1, b, d)
    return n


@njit(cache=True, nogil=True)
def _grown(array: NDArray[Any], used: int, need: int) -> NDArray[Any]:
    """`array` with room for `need` rows, the first `used` kept."""
    if need <= len(array):
        return array
    larger = np.empty((max(need, 2 * len(array)), *array.shape[1:]), array.dtype)
    larger[:used] = array[:used]
    return larger


@njit(cache=True, nogil=True)
def scan(rows, first_line, diagonal, last):  # type: ignore[no-untyped-def]
    """Nodes and labels of a strip.

    Args:
        rows: (1 + height, width) uint8: the strip's pixels below the row before it (all `OFF` above the map).
        first_line: number of the corner line between these two.
        diagonal: whether pixels that touch at a corner hang together.
        last: whether the map ends below the strip.

    Returns:
        (n, 6) int32 nodes; (width,) labels of the first row of `rows` and of the last, -1 outside; parent and class of
        each label.
    """
    height, width = rows.shape
    nodes = np.empty((1024, NODE_WIDTH), np.int32)
    parent, values = np.empty(width, np.int32), np.empty(width, np.uint8)
    size = PAD + (width // 8 + 1) * 8
    inside = slice(PAD, PAD + width)
    up, row = np.full(size, OFF, np.uint8), np.full(size, OFF, np.uint8)
    up_labels, labels = np.full(size, -1, np.int32), np.full(size, -1, np.int32)
    hits, hanging = np.empty(size, np.int32), np.full(width + 1, -1, np.int32)
    row[inside] = rows[0]
    n, count = 0, label_row(up, row, up_labels, labels, 0, parent, values, diagonal)
    first = labels[inside].copy()
    for i in range(1, height + last):
        up, row = row, up
        up_labels, labels = labels, up_labels
        if i < height:
            row[inside] = rows[i]
            parent, values = _grown(parent, count, count + width), _grown(values, count, count + width)
            count = label_row(up, row, up_labels, labels, count, parent, values, diagonal)
        else:
            row[:] = OFF
            labels[:] = -1
        found = find_nodes(up, row, hits)
        nodes = _grown(nodes, n, n + 4 * found)
        n = add_nodes(hits[:found], up, row, up_labels, labels, first_line + i - 1, hanging, nodes, n)
    ends = up_labels if last else labels
    return nodes[:n], first, ends[inside].copy(), parent[:count], values[:count]


@njit(cache=True, nogil=True)
def number(parent, values):  # type: ignore[no-untyped-def]
    """Consecutive numbers for sets of labels, in order of their first pixel: (number of each label, class of each)."""
    numbers = np.empty(len(parent), parent.dtype)
    count = 0
    for label in range(len(parent)):
        lowest = root(parent, label)
        if lowest == label:
            numbers[label] = count
            values[count] = values[label]
            count += 1
        else:
            numbers[label] = numbers[lowest]
    return numbers, values[:count].copy()
