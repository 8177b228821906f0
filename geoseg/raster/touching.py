"""Objects that touch each other along an edge, brought together on one window."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geoseg.grid.instance import Instance
from geoseg.grid.window import Window
from geoseg.raster.instances import close


def fill_holes(mask: NDArray[np.bool_], kept: NDArray[np.bool_], max_pixels: int) -> NDArray[np.bool_]:
    """`mask` with its holes of at most `max_pixels` filled, but for those with a pixel of `kept` in them.

    Args:
        mask: (height, width).
        kept: likewise; what it has inside `mask` does not matter.
        max_pixels: 0 fills none.
    """
    outside, count = ndimage.label(~np.pad(mask, 1))
    if max_pixels < 1 or count < 2:
        return mask
    outside = outside[1:-1, 1:-1]
    fill = np.bincount(outside.ravel(), minlength=count + 1) <= max_pixels
    fill[outside[kept]] = False
    fill[:2] = False  # the mask, and what is around it: the corner comes first
    filled: NDArray[np.bool_] = mask | fill[outside]
    return filled


def narrow_apart(
    labels: NDArray[np.int32], share: float
) -> Iterator[tuple[Window, NDArray[np.int32], NDArray[np.int64]]]:
    """Parts that share a whole wall, together; those that touch along less, apart. Of each group its window, counted
    from that of `labels`, its labels from 1, and what they were.

    Args:
        labels: (height, width), from 1; 0 outside.
        share: two parts stay together where their wall is at least this times the side of a square as large as the
            smaller one.
    """
    count = int(labels.max())
    pixels = np.bincount(labels.ravel(), minlength=count + 1)
    walls: dict[tuple[int, int], int] = {}
    for a, b in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        meet = (a != b) & (a > 0) & (b > 0)
        ends, lengths = np.unique(np.sort(np.column_stack([a[meet], b[meet]]), axis=1), axis=0, return_counts=True)
        for (low, high), length in zip(ends.tolist(), lengths.tolist(), strict=True):
            walls[low, high] = walls.get((low, high), 0) + length
    wide = [(a - 1, b - 1) for (a, b), n in walls.items() if n >= share * np.sqrt(min(pixels[a], pixels[b]))]
    group = _grouped(wide, count)
    places = ndimage.find_objects(labels)
    for members in (np.flatnonzero(group == number) for number in np.unique(group)):
        rows = [places[m][0] for m in members]
        cols = [places[m][1] for m in members]
        window = Window.from_edges(
            min(c.start for c in cols), min(r.start for r in rows), max(c.stop for c in cols), max(r.stop for r in rows)
        )
        number = np.zeros(count + 1, dtype=np.int32)
        number[members + 1] = np.arange(1, len(members) + 1)
        yield window, number[labels[window.slices]], members + 1


def sites_of(
    objects: Sequence[Instance], max_hole: Callable[[Window], float]
) -> Iterator[tuple[Window, NDArray[np.int32], list[Instance]]]:
    """Objects grouped so that those of two groups do not touch along an edge; of each group its window, labels from
    1 by first pixel, and the objects in that order.

    Of an object its largest 4-connected piece (the first, among equals) is taken, its small holes filled.

    Args:
        objects: no two share a pixel.
        max_hole: pixels, of holes that are filled, at a window.
    """
    whole = sorted((_largest(item) for item in objects), key=lambda item: item.first)
    grown = [Instance(o.window.grow(1), ndimage.binary_dilation(np.pad(o.mask, 1)), o.index) for o in whole]
    pairs = [(a, b) for a, b in close(grown) if grown[a].shared(whole[b])]
    members: dict[int, list[Instance]] = {}
    for number, item in zip(_grouped(pairs, len(whole)).tolist(), whole, strict=True):
        members.setdefault(number, []).append(item)
    for together in members.values():
        yield (*_painted(together, max_hole), together)


def _grouped(pairs: Sequence[tuple[int, int]], count: int) -> NDArray[np.int32]:
    """Number of the group of each of `count` things, of which pairs are together."""
    if not count:
        return np.empty(0, dtype=np.int32)
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(pairs), np.int8), (ends[0], ends[1])), shape=(count, count))
    group: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return group


def _painted(objects: Sequence[Instance], max_hole: Callable[[Window], float]) -> tuple[Window, NDArray[np.int32]]:
    """Window and labels of objects that touch."""
    window = objects[0].window
    for item in objects[1:]:
        window = window.union(item.window)
    labels = np.zeros(window.shape, dtype=np.int32)
    for label, item in enumerate(objects, start=1):
        labels[item.window.within(window).slices][item.mask] = label
    for label, item in enumerate(objects, start=1):
        part = labels[item.window.within(window).slices]
        part[fill_holes(item.mask, (part > 0) & (part != label), int(max_hole(item.window)))] = label
    return window, labels


def _largest(item: Instance) -> Instance:
    labels, count = ndimage.label(item.mask)
    if count == 1:
        return item
    part = Instance.of(item.window, labels == np.bincount(labels.ravel())[1:].argmax() + 1, item.index, item.score)
    assert part is not None
    return part
