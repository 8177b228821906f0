"""Which pixels of probable change make an event: hysteresis, smallest area, and what registration alone would show.

A place is an event where 4-connected pixels of at least the grow probability hold one of at least the seed probability
and together have the smallest area. Connected pixels are followed over the strips that a map is read in, and areas are
summed in whole square millimetres, so that events do not depend on the strips.

Source: hysteresis threshold, Canny 1986, doi:10.1109/TPAMI.1986.4767851.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Mask = NDArray[np.bool_]


def wide(change: Mask, width: int) -> Mask:
    """Pixels of change that are not narrower than what a shift of `width` pixels makes of edges that did not change.

    A pixel is kept if it is within `width` pixels of a square of `width` + 1 pixels a side that lies in the change:
    that is an opening, whose rounded corners are given back.

    Args:
        change: (height, width). A pixel's answer depends on pixels at most 2 `width` away: see `halo`.
        width: whole pixels; 0 keeps all.
    """
    if width == 0:
        return change
    kept: Mask = _wide(np.ascontiguousarray(change), width)
    return kept


def halo(width: int) -> int:
    """Pixels around a window that `wide` must see to answer for it."""
    return 2 * width


class Events:
    """Events of one transition, from strips of a map: fed from the top, closed, then asked for strip by strip.

    Held: a byte for each component of the grow mask, and some 40 for each that crosses from one strip to the next.

    Args:
        smallest: m2; components below it are no events.
    """

    def __init__(self, smallest: float) -> None:
        self._smallest = round(smallest * 1e6)
        self._holds: list[Mask] = []  # of each strip, (component + 1,); the first is no component
        self._open: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []  # of each strip: local label, number
        self._seeded: list[Mask] = []
        self._area: list[NDArray[np.int64]] = []
        self._joins: list[NDArray[np.int64]] = []
        self._last: NDArray[np.int64] | None = None  # of each column of the row above: number, -1 for none
        self._count = 0

    def add(self, grow: Mask, seed: Mask | None, area: NDArray[np.float64]) -> None:
        """The next rows.

        Args:
            grow, seed: (height, width), True from either probability on; the seed None where all that grows is one.
            area: (height, width) of pixels, m2.
        """
        labels, count = ndimage.label(grow)
        weights = np.rint(area * 1e6)  # whole numbers, whose sums are exact up to 9,000 km2 a strip
        sizes = np.bincount(labels.ravel(), weights.ravel(), count + 1).astype(np.int64)
        seeded = np.full(count + 1, seed is None)
        if seed is not None:
            seeded[labels[grow & seed]] = True
        seeded[0] = False
        self._holds.append(seeded & (sizes >= self._smallest))
        crossing = np.union1d(labels[0], labels[-1])
        crossing = crossing[crossing > 0].astype(np.int64)
        numbers = np.full(count + 1, -1, np.int64)
        numbers[crossing] = self._count + np.arange(len(crossing))
        self._count += len(crossing)
        self._open.append((crossing, numbers[crossing]))
        self._seeded.append(seeded[crossing])
        self._area.append(sizes[crossing])
        if self._last is not None:
            ends = np.stack([self._last, numbers[labels[0]]])
            self._joins.append(np.unique(ends[:, (ends >= 0).all(axis=0)], axis=1))
        self._last = numbers[labels[-1]]

    def close(self) -> None:
        """After the last row."""
        if not self._count:
            return
        ends = np.concatenate([*self._joins, np.empty((2, 0), np.int64)], axis=1)
        graph = coo_array((np.ones(ends.shape[1], np.int8), (ends[0], ends[1])), shape=(self._count, self._count))
        group = connected_components(graph, directed=False)[1]
        area = np.zeros(group.max() + 1, np.int64)
        np.add.at(area, group, np.concatenate(self._area))
        seeded = np.zeros(len(area), bool)
        seeded[group[np.concatenate(self._seeded)]] = True
        holds = (seeded & (area >= self._smallest))[group]
        for strip, (local, number) in zip(self._holds, self._open, strict=True):
            strip[local] = holds[number]

    def of_strip(self, number: int, grow: Mask) -> Mask:
        """Pixels of events in a strip, from the same mask and in the same order as they were added."""
        labels = ndimage.label(grow)[0]
        events: Mask = self._holds[number][labels]
        return events


@njit(cache=True, nogil=True)
def _wide(change, width):  # type: ignore[no-untyped-def]
    """Change within reach of a square: it lies up to twice `width` above and left of the square's lower right corner,
    or up to `width` below and right of it. Corners are counted in windows that slide, over columns, then over rows.
    """
    height, columns = change.shape
    run_down, found = np.zeros(columns, np.int32), np.zeros(columns, np.int32)
    beside = np.zeros((height, columns), np.bool_)  # a corner in this row is within reach
    corner = np.zeros(columns, np.bool_)
    for row in range(height):
        run = 0
        for col in range(columns):
            run = run + 1 if change[row, col] else 0
            run_down[col] = run_down[col] + 1 if run > width else 0
            corner[col] = run_down[col] > width
        count = 0
        for col in range(-2 * width, columns):
            if col + 2 * width < columns:
                count += corner[col + 2 * width]
            if col - width - 1 >= 0:
                count -= corner[col - width - 1]
            if col >= 0:
                beside[row, col] = count > 0
    kept = np.zeros((height, columns), np.bool_)
    for row in range(-2 * width, height):
        if row + 2 * width < height:
            found += beside[row + 2 * width]
        if row - width - 1 >= 0:
            found -= beside[row - width - 1]
        if row >= 0:
            kept[row] = change[row] & (found > 0)
    return kept
