"""Objects that touch, taken apart where they are narrow or where the map is unsure.

Height of a pixel: its distance to the outside of the component times its probability. Basins of that landscape
turned over are joined, highest saddle first, unless the saddle is well below both peaks. A bar, an L or a ring of
even width has no such saddle, so it stays whole; two blocks with a neck between them do not.

Source: Meyer 1994, Topographic distance and watershed lines; dynamics of Grimaud 1992 for what is joined.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import local_maxima
from skimage.segmentation import watershed

_ROUNDING = 1.0  # pixels: the steps of distances on a lattice are no valleys


def split(
    mask: NDArray[np.bool_], probability: NDArray[np.floating], neck: float, min_pixels: int
) -> NDArray[np.int32]:
    """Number of the part that each pixel is in, from 1 by first pixel, 0 outside; each part is 4-connected.

    Args:
        mask: (height, width) of one 4-connected component, with none of its pixels left out.
        probability: (height, width), 0 to 1.
        neck: parts are apart where the saddle is below this share of the lower peak, 0 (never) to 1.
        min_pixels: smaller parts go to the neighbour with the highest saddle.
    """
    if np.count_nonzero(mask) < 2 * min_pixels:
        return mask.astype(np.int32)
    height = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1] * np.where(mask, probability, 0.0)
    markers, count = ndimage.label(local_maxima(height, connectivity=1) & mask)
    if count < 2:
        return mask.astype(np.int32)
    basins = watershed(-height, markers, connectivity=1, mask=mask)
    parts = _Parts(basins, height)
    parts.join_shallow(neck)
    parts.join_small(min_pixels)
    return by_first_pixel(parts.root()[basins])


def by_first_pixel(labels: NDArray[np.integer]) -> NDArray[np.int32]:
    """The same parts numbered from 1 in the order of their first pixels, row by row; 0 stays."""
    values, first = np.unique(labels, return_index=True)
    first, values = first[values > 0], values[values > 0]
    number = np.zeros(int(labels.max()) + 1, dtype=np.int32)
    number[values[np.argsort(first)]] = np.arange(1, len(values) + 1)
    numbered: NDArray[np.int32] = number[labels]
    return numbered


class _Parts:
    """Basins and the saddles between them, joined one after another."""

    def __init__(self, basins: NDArray[np.int32], height: NDArray[np.float64]) -> None:
        count = int(basins.max()) + 1
        self.parent = np.arange(count)
        self.peak = np.zeros(count)
        np.maximum.at(self.peak, basins.ravel(), height.ravel())
        self.pixels = np.bincount(basins.ravel(), minlength=count)
        self.saddles = _saddles(basins, height)  # (low, high, height), highest first

    def find(self, part: int) -> int:
        while self.parent[part] != part:
            self.parent[part] = self.parent[self.parent[part]]
            part = int(self.parent[part])
        return part

    def join_shallow(self, neck: float) -> None:
        for low, high, saddle in self.saddles:
            a, b = self.find(low), self.find(high)
            lower = min(self.peak[a], self.peak[b])
            if a != b and (saddle >= neck * lower or lower - saddle <= _ROUNDING):
                self._join(a, b)

    def join_small(self, min_pixels: int) -> None:
        """A part that stays too small has no neighbour: saddles are looked through until nothing changes."""
        changed = True
        while changed:
            changed = False
            for low, high, _ in self.saddles:
                a, b = self.find(low), self.find(high)
                if a != b and min(self.pixels[a], self.pixels[b]) < min_pixels:
                    self._join(a, b)
                    changed = True

    def root(self) -> NDArray[np.int64]:
        """Part that each basin is in."""
        return np.array([self.find(part) for part in range(len(self.parent))])

    def _join(self, a: int, b: int) -> None:
        low, high = min(a, b), max(a, b)
        self.parent[high] = low
        self.peak[low] = max(self.peak[low], self.peak[high])
        self.pixels[low] += self.pixels[high]


def _saddles(basins: NDArray[np.int32], height: NDArray[np.float64]) -> list[tuple[int, int, float]]:
    """Highest pass between each two basins that touch along an edge, highest first, then by number."""
    sides = [((slice(None), slice(1, None)), (slice(None), slice(None, -1)))]
    sides.append(((slice(1, None), slice(None)), (slice(None, -1), slice(None))))
    low, high, passes = [], [], []
    for one, other in sides:
        a, b = basins[one], basins[other]
        meet = (a != b) & (a > 0) & (b > 0)
        low.append(np.minimum(a, b)[meet])
        high.append(np.maximum(a, b)[meet])
        passes.append(np.minimum(height[one], height[other])[meet])
    lows, highs, heights = (np.concatenate(part) for part in (low, high, passes))
    order = np.lexsort((-heights, highs, lows))
    lows, highs, heights = lows[order], highs[order], heights[order]
    firsts = np.flatnonzero((np.diff(lows, prepend=-1) != 0) | (np.diff(highs, prepend=-1) != 0))
    found = zip(lows[firsts].tolist(), highs[firsts].tolist(), heights[firsts].tolist(), strict=True)
    return sorted(found, key=lambda s: (-s[2], s[0], s[1]))
