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
    return mask | fill[outside]


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
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(pairs), np.int8), (ends[0], ends[1])), shape=(len(whole), len(whole)))
    _, group = connected_components(graph, directed=False) if whole else (0, np.empty(0, int))
    members: dict[int, list[Instance]] = {}
    for number, item in zip(group.tolist(), whole, strict=True):
        members.setdefault(number, []).append(item)
    for together in members.values():
        yield (*_painted(together, max_hole), together)


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
