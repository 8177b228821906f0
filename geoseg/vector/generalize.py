"""Minimum mapping unit: regions too small to map go to their neighbours, on arcs and not on pixels.

Smallest first, a region under the unit goes to the neighbour with which it shares the longest border. What it then
touches of that neighbour's class joins as well. A heap keeps the order, and only borders of regions that are still
too small are walked, so a million specks take about a second. All ties are broken by size and number, so the result
depends on the map alone.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geoseg.vector.arcs import Arcs, Regions
from geoseg.vector.chains import arc_lengths, join_arcs

UNOBSERVED = 254  # class of what nobody knows: it takes no region, and none takes it


def merge_small(
    arcs: Arcs,
    regions: Regions,
    areas: NDArray[np.float64],
    min_area: float,
    kinds: NDArray[np.uint8] | None = None,
) -> tuple[Arcs, Regions, NDArray[np.int64]]:
    """Give each region of less than `min_area` to a neighbour, smallest first, until none is left that can be given.

    A region goes to the neighbour with the longest shared border; of several, to the larger, then to the lower number.
    Of two regions of one size the lower number goes first. Never to the outside or to an unobserved region, which is
    never given either: a region that has no other neighbour stays. Regions of one class that come to touch are one.

    Args:
        arcs: boundaries of a map traced with connectivity 4.
        regions: what is beside them; neighbours differ in value.
        areas: (r,) of each region, in any unit; its pixels, or m2.
        min_area: in the same unit.
        kinds: (256,) of each value; a region goes to neighbours of its own kind only. None: all values are of one kind.

    Returns:
        Arcs and regions as a trace of the generalized map would give them; and (r,) the new number of each old region.
    """
    sides = np.stack([arcs.left, arcs.right], axis=1)
    parent = np.arange(len(regions))
    value = regions.values.copy()
    kind = np.zeros(256, np.uint8) if kinds is None else kinds
    lengths = arc_lengths(arcs.corners, arcs.starts)
    _merge(sides, lengths, value, np.array(areas, np.float64), min_area, kind, parent)
    roots, new_of_old = np.unique(parent, return_inverse=True)
    new_of_old = new_of_old.reshape(-1).astype(np.int64)
    pixels = np.bincount(new_of_old, regions.pixels, len(roots)).astype(np.int64)
    renumbered = np.append(new_of_old, -1)[sides]  # -1, the outside, stays
    merged = join_arcs(Arcs(arcs.corners, arcs.starts, renumbered[:, 0].copy(), renumbered[:, 1].copy()))
    return merged, Regions(value[roots], pixels), new_of_old


@njit(cache=True, nogil=True)
def _merge(sides, length, value, area, min_area, kind, parent):  # type: ignore[no-untyped-def]
    """Merge regions until none can be given. On return `parent` is the lowest number in each region's group."""
    count = len(parent)
    head, tail, after = _border_lists(sides, count)
    heap_area, heap_region, size = _heap_of_small(area, value, min_area)
    shared = np.zeros(count, np.int64)
    touched = np.empty(count, np.int64)
    while size:
        small, region = heap_area[0], heap_region[0]
        size = _pop(heap_area, heap_region, size)
        if parent[region] != region or area[region] != small:
            continue  # it has grown or gone since
        near = _neighbours(region, sides, length, parent, head, tail, after, shared, touched)
        best = _best(region, touched[:near], shared, value, area, kind)
        shared[touched[:near]] = 0
        if best < 0:
            continue
        taken = value[best]
        group = region
        for k in range(near):
            if value[touched[k]] == taken:
                group = _join(group, touched[k], parent, area, head, tail, after)
        value[group] = taken
        if area[group] < min_area:
            size = _push(heap_area, heap_region, size, area[group], group)
    for region in range(count):
        parent[region] = _find(parent, region)


@njit(cache=True, nogil=True)
def _border_lists(sides, count):  # type: ignore[no-untyped-def]
    """For each region a linked list of its borders; border 2 * arc + side is the arc as seen from that side."""
    head, tail = np.full(count, -1, np.int64), np.full(count, -1, np.int64)
    after = np.full(2 * len(sides), -1, np.int64)
    for arc in range(len(sides)):
        for side in range(2):
            region, border = sides[arc, side], 2 * arc + side
            if region < 0:
                continue
            if head[region] < 0:
                head[region] = border
            else:
                after[tail[region]] = border
            tail[region] = border
    return head, tail, after


@njit(cache=True, nogil=True)
def _heap_of_small(area, value, min_area):  # type: ignore[no-untyped-def]
    """A heap by area, then number, of the regions to be given; each merge frees a place and fills at most one."""
    small = np.flatnonzero((area < min_area) & (value != UNOBSERVED))
    heap_area, heap_region = np.empty(2 * len(small) + 1), np.empty(2 * len(small) + 1, np.int64)
    size = 0
    for region in small:
        size = _push(heap_area, heap_region, size, area[region], region)
    return heap_area, heap_region, size


@njit(cache=True, nogil=True)
def _neighbours(region, sides, length, parent, head, tail, after, shared, touched):  # type: ignore[no-untyped-def]
    """Fill `touched` with the regions beside `region` and `shared` with the border to each; their number.

    Borders that have come to lie inside are taken off the list, those to the outside too.
    """
    near, last, border = 0, -1, head[region]
    head[region] = -1
    while border >= 0:
        following = after[border]
        other = sides[border // 2, 1 - border % 2]
        if other >= 0:
            other = _find(parent, other)
            if other != region:
                if shared[other] == 0:
                    touched[near] = other
                    near += 1
                shared[other] += length[border // 2]
                if last < 0:
                    head[region] = border
                else:
                    after[last] = border
                last = border
        border = following
    if last >= 0:
        after[last] = -1
    tail[region] = last
    return near


@njit(cache=True, nogil=True)
def _best(region, touched, shared, value, area, kind):  # type: ignore[no-untyped-def]
    """Neighbour of its kind with the longest border, then the largest, then the lowest number; -1 without any."""
    best = -1
    for other in touched:
        if value[other] == UNOBSERVED or kind[value[other]] != kind[value[region]]:
            continue
        if best < 0 or shared[other] > shared[best]:
            best = other
        longer, larger = shared[other] - shared[best], area[other] - area[best]
        if longer == 0 and (larger > 0 or (larger == 0 and other < best)):
            best = other
    return best


@njit(cache=True, nogil=True)
def _join(one, other, parent, area, head, tail, after):  # type: ignore[no-untyped-def]
    """Join two groups under the lower number, which is that of the group's first pixel; that number."""
    kept, gone = min(one, other), max(one, other)
    parent[gone] = kept
    area[kept] += area[gone]
    if head[kept] < 0:
        head[kept], tail[kept] = head[gone], tail[gone]
    elif head[gone] >= 0:
        after[tail[kept]] = head[gone]
        tail[kept] = tail[gone]
    return kept


@njit(cache=True, nogil=True)
def _find(parent, region):  # type: ignore[no-untyped-def]
    while parent[region] != region:
        parent[region] = parent[parent[region]]
        region = parent[region]
    return region


@njit(cache=True, nogil=True)
def _push(heap_area, heap_region, size, area, region):  # type: ignore[no-untyped-def]
    """Put one in; the new size."""
    at = size
    while at > 0:
        up = (at - 1) // 2
        if heap_area[up] < area or (heap_area[up] == area and heap_region[up] <= region):
            break
        heap_area[at], heap_region[at] = heap_area[up], heap_region[up]
        at = up
    heap_area[at], heap_region[at] = area, region
    return size + 1


@njit(cache=True, nogil=True)
def _pop(heap_area, heap_region, size):  # type: ignore[no-untyped-def]
    """Take the first out; the new size."""
    size -= 1
    area, region = heap_area[size], heap_region[size]
    at = 0
    while 2 * at + 1 < size:
        down = 2 * at + 1
        if down + 1 < size and (
            heap_area[down + 1] < heap_area[down]
            or (heap_area[down + 1] == heap_area[down] and heap_region[down + 1] < heap_region[down])
        ):
            down += 1
        if area < heap_area[down] or (area == heap_area[down] and region <= heap_region[down]):
            break
        heap_area[at], heap_region[at] = heap_area[down], heap_region[down]
        at = down
    heap_area[at], heap_region[at] = area, region
    return size
