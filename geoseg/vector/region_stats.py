"""What lies in each region, from the rows of a map read one after another: neither the map nor its labels are held.

The arcs tell which region a pixel is in: going along a row, the region changes at the vertical edges of arcs only.
So this works the same for regions that were merged after tracing, on their arcs.

Memory: 16 bytes a vertical edge, 48 bytes a region and at most one byte a pixel: regions below 1004 pixels keep
their confidences, larger ones count them by value. In a map of large regions that is next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geoseg.vector.arcs import Arcs

NO_CONFIDENCE = 255
_LEVELS = 255  # stored values of confidence
_COUNTED = 4 * _LEVELS  # pixels from which counts by value take less room than the values


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of each region, in their order: (r,)."""

    pixels: NDArray[np.int64]
    area: NDArray[np.float64]  # sum of the layer that was given
    mean: NDArray[np.float64]  # of stored confidence; NaN where no pixel has one
    decile: NDArray[np.float64]  # lowest stored value that a tenth of the pixels do not exceed; NaN likewise


class RegionStatistics:
    """Sums over the regions of a map, fed its rows from the top.

    Args:
        arcs: as traced or after merging regions, not simplified. An arc with one region on both sides counts not.
        count: how many regions there are.
        width: of the map, pixels.
    """

    def __init__(self, arcs: Arcs, count: int, width: int) -> None:
        edges, self.pixels = _edges(arcs.corners, arcs.starts, arcs.left, arcs.right, count)
        self._edges = edges[np.argsort(edges[:, 1], kind="stable")]
        self._next, self._row = 0, 0
        self._line = np.full((width + 1, 2), -2, np.int32)  # region right of each column, and the row where that ends
        self._area = np.zeros(count)
        self._sums, self._known = np.zeros(count, np.int64), np.zeros(count, np.int64)
        large = self.pixels >= _COUNTED
        self._counts = np.zeros((int(large.sum()), _LEVELS), np.uint32)
        room = np.where(large, 0, self.pixels)
        self._place = np.where(large, -np.cumsum(large), np.cumsum(room) - room)  # negative: row -1 - place of counts
        self._stored = np.empty(int(room.sum()), np.uint8)

    def add(self, area: NDArray[np.float64], confidence: NDArray[np.uint8]) -> None:
        """The next rows, (height, width): a layer to be summed, and stored confidence, 255 where there is none."""
        self._next = _add(
            area, confidence, self._row, self._next, self._edges, self._line,
            self._area, self._sums, self._known, self._counts, self._place, self._stored,
        )  # fmt: skip
        self._row += len(area)

    def finish(self) -> Statistics:
        """After the last row."""
        decile = _deciles(self._known, self._counts, self._place, self._stored)
        mean = np.divide(self._sums, self._known, out=np.full(len(decile), np.nan), where=self._known > 0)
        return Statistics(self.pixels, self._area, mean, decile)

    def most_frequent(self) -> NDArray[np.int64]:
        """After the last row: (r,) stored value that most pixels have, the lowest of several; -1 without any."""
        return np.asarray(_modes(self._known, self._counts, self._place, self._stored), np.int64)


class RegionRows:
    """A map of values of regions, made row by row from the top.

    Args:
        arcs: as traced or after merging regions, not simplified.
        values: (r,) of each region.
        rest: value where there is no region.
        width: of the map, pixels.
    """

    def __init__(self, arcs: Arcs, values: NDArray[np.uint8], rest: int, width: int) -> None:
        edges = _edges(arcs.corners, arcs.starts, arcs.left, arcs.right, len(values))[0]
        self._edges = edges[np.argsort(edges[:, 1], kind="stable")]
        self._values, self._rest = values, rest
        self._next, self._row = 0, 0
        self._line = np.full((width + 1, 2), -2, np.int32)

    def next(self, height: int) -> NDArray[np.uint8]:
        """The next rows, (height, width)."""
        out = np.empty((height, len(self._line) - 1), np.uint8)
        self._next = _paint(out, self._row, self._next, self._edges, self._line, self._values, self._rest)
        self._row += height
        return out


def border_share(arcs: Arcs, of: NDArray[np.bool_], pixel_width: float, pixel_height: float) -> NDArray[np.float64]:
    """Share of each region's whole border, holes and the map's edge too, that it has with the regions `of`.

    Args:
        arcs: as traced or after merging regions.
        of: (r,) which regions.
        pixel_width, pixel_height: of a pixel on the ground, any unit.

    Returns:
        (r,) 0 to 1.
    """
    length = _lengths(arcs.corners, arcs.starts, pixel_width, pixel_height)
    total, shared = np.zeros(len(of)), np.zeros(len(of))
    for side, other in ((arcs.left, arcs.right), (arcs.right, arcs.left)):
        counted = (side >= 0) & (side != other)
        total += np.bincount(side[counted], length[counted], len(of))
        counted &= (other >= 0) & of[other]
        shared += np.bincount(side[counted], length[counted], len(of))
    return np.divide(shared, total, out=np.zeros(len(of)), where=total > 0)


@njit(cache=True, nogil=True)
def _edges(corners, starts, left, right, count):  # type: ignore[no-untyped-def]
    """Vertical edges, (k, 4) int32: column, top, bottom, region to the east; and pixels of each region.

    Pixels are the sum over a region's vertical edges of column times height, east sides less west sides.
    """
    pixels = np.zeros(count, np.int64)
    edges = np.empty((len(corners), 4), np.int32)
    n = 0
    for arc in range(len(left)):
        if left[arc] == right[arc]:
            continue
        for i in range(starts[arc], starts[arc + 1] - 1):
            down = corners[i + 1, 1] - corners[i, 1]
            if down == 0:
                continue
            east, west = (left[arc], right[arc]) if down > 0 else (right[arc], left[arc])
            area = np.int64(corners[i, 0]) * abs(down)
            if east >= 0:
                pixels[east] -= area
            if west >= 0:
                pixels[west] += area
            edges[n, 0], edges[n, 3] = corners[i, 0], east
            edges[n, 1] = min(corners[i, 1], corners[i + 1, 1])
            edges[n, 2] = max(corners[i, 1], corners[i + 1, 1])
            n += 1
    return edges[:n].copy(), pixels


@njit(cache=True, nogil=True)
def _add(area, confidence, row, at, edges, line, areas, sums, known, counts, place, stored):  # type: ignore[no-untyped-def]
    """Count some rows; `at` is the first edge not met yet. Returns the same for the next rows."""
    height, width = area.shape
    for i in range(height):
        while at < len(edges) and edges[at, 1] == row + i:
            line[edges[at, 0], 0], line[edges[at, 0], 1] = edges[at, 3], edges[at, 2]
            at += 1
        region, subtotal = -1, 0.0
        for col in range(width):
            if line[col, 1] > row + i and line[col, 0] != region:
                if region >= 0:
                    areas[region] += subtotal
                region, subtotal = line[col, 0], 0.0
            if region < 0:
                continue
            subtotal += area[i, col]
            value = confidence[i, col]
            if value != NO_CONFIDENCE:
                if place[region] < 0:
                    counts[-1 - place[region], value] += 1
                else:
                    stored[place[region] + known[region]] = value
                known[region] += 1
                sums[region] += value
        if region >= 0:
            areas[region] += subtotal
    return at


@njit(cache=True, nogil=True)
def _paint(out, row, at, edges, line, values, rest):  # type: ignore[no-untyped-def]
    """Fill some rows with the values of their regions; `at` as in `_add`."""
    height, width = out.shape
    for i in range(height):
        while at < len(edges) and edges[at, 1] == row + i:
            line[edges[at, 0], 0], line[edges[at, 0], 1] = edges[at, 3], edges[at, 2]
            at += 1
        region = -1
        for col in range(width):
            if line[col, 1] > row + i:
                region = line[col, 0]
            out[i, col] = values[region] if region >= 0 else rest
    return at


@njit(cache=True, nogil=True)
def _deciles(known, counts, place, stored):  # type: ignore[no-untyped-def]
    deciles = np.full(len(known), np.nan)
    for region in range(len(known)):
        rank = (known[region] + 9) // 10  # of the value sought, from 1
        if rank == 0:
            continue
        if place[region] >= 0:
            deciles[region] = np.sort(stored[place[region] : place[region] + known[region]])[rank - 1]
            continue
        value, below = 0, np.int64(counts[-1 - place[region], 0])
        while below < rank:
            value += 1
            below += counts[-1 - place[region], value]
        deciles[region] = value
    return deciles


@njit(cache=True, nogil=True)
def _modes(known, counts, place, stored):  # type: ignore[no-untyped-def]
    modes = np.full(len(known), -1, np.int64)
    for region in range(len(known)):
        if known[region] and place[region] < 0:
            modes[region] = np.argmax(counts[-1 - place[region]])
        elif known[region]:
            modes[region] = np.argmax(np.bincount(stored[place[region] : place[region] + known[region]]))
    return modes


@njit(cache=True, nogil=True)
def _lengths(corners, starts, pixel_width, pixel_height):  # type: ignore[no-untyped-def]
    lengths = np.zeros(len(starts) - 1)
    for arc in range(len(lengths)):
        for i in range(starts[arc], starts[arc + 1] - 1):
            lengths[arc] += pixel_width * abs(corners[i + 1, 0] - corners[i, 0])
            lengths[arc] += pixel_height * abs(corners[i + 1, 1] - corners[i, 1])
    return lengths
