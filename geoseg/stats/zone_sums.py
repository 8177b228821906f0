"""Areas of classes, or of pairs of classes of two maps, by zone: summed strip by strip."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geoseg.grid.window import Window
from geoseg.stats.pixel_area import PixelArea
from geoseg.stats.zone_edges import Edges, pieces, runs

NAMED = 256  # kinds of pixels: at most one for each value of a map
_WHOLE = 1 - 1e-9  # a share above is a whole pixel: sums of shares are rounded
_UPRIGHT = 1e-9  # pixels: a piece that is no wider has no slope
UNKNOWN = -1


class ZoneSums:
    """Area and number of pixels of each kind in each zone.

    Each row of a zone is summed by itself and in order, so neither the strips nor the other zones change a digit.

    Args:
        edges: sides of the zones, in pixels of the map.
        zones: how many.
        width: of the map, pixels.
        area: of its pixels.
        kinds: (256,) kind of each value, from 0; `UNKNOWN` for values that the map may not hold.
        two: whether two maps are compared, so that a kind is a pair.
        exact: whether a pixel that a side cuts counts by the share of it that is inside, not by its centre.

    Attributes:
        area_m2: (zone, kind, kind of the second map) m2 on the ellipsoid; the last axis is 1 long for one map.
        pixels: the same, counted: not whole numbers where `exact`.
        unknown: a value that was met and may not be there, else `UNKNOWN`.
    """

    def __init__(
        self,
        edges: Edges,
        zones: int,
        width: int,
        area: PixelArea,
        kinds: NDArray[np.int64],
        *,
        two: bool,
        exact: bool,
    ) -> None:
        self._edges, self._width, self._area, self._exact = edges, width, area, exact
        self._kinds = np.stack([kinds, kinds if two else np.zeros(NAMED, np.int64)])
        count = int(kinds.max()) + 1
        self.area_m2 = np.zeros((zones, count, count if two else 1))
        self.pixels = np.zeros_like(self.area_m2)
        self.unknown = UNKNOWN
        self._row = np.zeros(width + 2)

    def rows(self) -> tuple[int, int]:
        """First row with any zone, and the row after the last; they may lie outside the map."""
        if not len(self._edges.zone):
            return 0, 0
        return int(np.floor(self._edges.y0.min())), int(np.ceil(self._edges.y1.max()))

    def add(self, top: int, first: NDArray[np.uint8], second: NDArray[np.uint8]) -> None:
        """Count the strip that starts at row `top`: values of both maps, (rows, width), or of one map twice."""
        bottom = top + len(first)
        rows, cell, share = self._area.factors(Window(0, top, self._width, len(first)))
        into = (self._kinds, rows, cell, share, self.area_m2, self.pixels)
        if self._exact:
            cut = pieces(self._edges, top, bottom)
            found = _add_pieces(
                cut.row, cut.zone, cut.left, cut.right, cut.cover, self._row, self._width, first, second, *into
            )
        else:
            found = _add_runs(runs(self._edges, top, bottom, self._width), first, second, *into)
        self.unknown = max(self.unknown, int(found))


@njit(cache=True, nogil=True)
def _add_runs(
    found: NDArray[Any],
    first: NDArray[Any],
    second: NDArray[Any],
    kinds: NDArray[Any],
    rows: NDArray[Any],
    cell: NDArray[Any],
    share: NDArray[Any],
    areas: NDArray[Any],
    pixels: NDArray[Any],
) -> int:
    """Adds whole pixels. Returns a value that may not be there, or -1."""
    unknown = -1
    for run in range(len(found)):
        row, zone, col, end = found[run]
        while col < end:
            a, b, begin, total = first[row, col], second[row, col], col, 0.0
            while col < end and first[row, col] == a and second[row, col] == b:
                n = cell[col]
                total += rows[row, n] + (rows[row, n + 1] - rows[row, n]) * share[col]
                col += 1
            i, j = kinds[0, a], kinds[1, b]
            if i < 0 or j < 0:
                unknown = max(unknown, a if i < 0 else b)
            else:
                areas[zone, i, j] += total
                pixels[zone, i, j] += col - begin
    return unknown


@njit(cache=True, nogil=True)
def _add_pieces(
    piece_row: NDArray[Any],
    piece_zone: NDArray[Any],
    left: NDArray[Any],
    right: NDArray[Any],
    cover: NDArray[Any],
    change: NDArray[Any],
    width: int,
    first: NDArray[Any],
    second: NDArray[Any],
    kinds: NDArray[Any],
    rows: NDArray[Any],
    cell: NDArray[Any],
    share: NDArray[Any],
    areas: NDArray[Any],
    pixels: NDArray[Any],
) -> int:
    """Adds shares of pixels. Returns a value that may not be there, or -1.

    `change` is how much the share grows from a pixel to the next one; it is zeros before and after.
    """
    unknown, at = -1, 0
    while at < len(piece_row):
        row, zone, begin, end = piece_row[at], piece_zone[at], width, 0
        while at < len(piece_row) and piece_row[at] == row and piece_zone[at] == zone:
            low, high = _cover(change, left[at], right[at], cover[at], width)
            begin, end, at = min(begin, low), max(end, high), at + 1
        inside = 0.0
        for col in range(begin, min(end, width)):
            inside += change[col]
            part = 0.0 if inside < 1 - _WHOLE else 1.0 if inside > _WHOLE else inside
            if part == 0.0:
                continue
            a, b, n = first[row, col], second[row, col], cell[col]
            i, j = kinds[0, a], kinds[1, b]
            if i < 0 or j < 0:
                unknown = max(unknown, a if i < 0 else b)
                continue
            areas[zone, i, j] += part * (rows[row, n] + (rows[row, n + 1] - rows[row, n]) * share[col])
            pixels[zone, i, j] += part
        change[begin : max(begin, end)] = 0.0
    return unknown


@njit(cache=True, nogil=True)
def _cover(change: NDArray[Any], left: float, right: float, cover: float, width: int) -> tuple[int, int]:
    """Notes that everything right of a piece is covered. Returns the first col that it changes, and one after all."""
    if left >= width:
        return width, width
    if right <= 0:
        change[0] += cover
        return 0, 1
    if right - left < _UPRIGHT:
        x = min(max((left + right) / 2, 0.0), float(width))
        col = int(x)
        change[col] += cover * (1 - (x - col))
        change[col + 1] += cover * (x - col)
        return col, col + 2
    slope, x, end = cover / (right - left), max(left, 0.0), min(right, float(width))
    change[0] += slope * max(-left, 0.0)
    begin = int(x)
    for col in range(begin, int(np.ceil(end))):
        to = min(end, col + 1.0)
        inside = (x + to) / 2 - col
        change[col] += slope * (to - x) * (1 - inside)
        change[col + 1] += slope * (to - x) * inside
        x = to
    return (0 if left < 0 else begin), int(np.ceil(end)) + 1
