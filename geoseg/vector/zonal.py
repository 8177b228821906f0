"""Sums of pixel values over polygons, from windows of a raster read one after another.

A polygon with whole-pixel corners need not be drawn to know what is in it. Let F(col, row) be the sum of the values
left of a column in a row. Then the sum over a polygon's pixels is, over its vertical edges, the sum of F along the
edge, added where the edge closes the polygon on the right and taken away where it opens it on the left: Green's
theorem on pixels. With F summed down the columns as well (a summed-area table) each edge is one subtraction, so
the work grows with pixels and corners, not with polygons times pixels, and only a window of F is ever held.

Source: summed-area tables, Crow 1984, doi:10.1145/800031.808600.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.grid.window import Window
from geoseg.vector.polygonize import Polygons

SIDE = 512  # of the windows, pixels: the block of the maps that are read


class ZonalSums:
    """Sums of several layers of pixel values over each polygon.

    The caller reads the windows that iterating gives, in that order, and passes their values to `add`.

    Args:
        polygons: (n,) in pixel coordinates, rings as `canonical` leaves them.
        layers: how many values a pixel has.
        shape: (height, width) of the raster.
        side: of the windows, pixels.

    Attributes:
        totals: (layers, n) the sums so far.
    """

    def __init__(self, polygons: Polygons, layers: int, shape: tuple[int, int], side: int = SIDE) -> None:
        self.totals = np.zeros((layers, len(polygons)))
        self._shape = shape
        self._side = side
        self._pieces = _cut(_vertical_edges(polygons), side)
        across = -(-shape[1] // side)
        cell = self._pieces.top // side * across + (self._pieces.col - 1) // side
        self._pieces = self._pieces.take(np.argsort(cell, kind="stable"))
        self._starts = np.searchsorted(np.sort(cell), np.arange(across * -(-shape[0] // side) + 1))
        self._across = across
        self._left: NDArray[np.float64] = np.zeros((layers, 0))

    def __iter__(self) -> Iterator[Window]:
        """Windows that cover the raster, row by row."""
        height, width = self._shape
        for top in range(0, height, self._side):
            for left in range(0, width, self._side):
                yield Window(left, top, min(self._side, width - left), min(self._side, height - top))

    def add(self, window: Window, values: NDArray[np.float64]) -> None:
        """Count the pixels of `window`; `values` is (layers, height, width)."""
        if window.col_off == 0:
            self._left = np.zeros(values.shape[:2])
        table = np.zeros((len(values), window.height + 1, window.width + 1))
        table[:, 1:, 0] = self._left
        table[:, 1:, 1:] = values
        np.cumsum(table, axis=2, out=table)
        self._left = table[:, 1:, -1].copy()  # what the next window to the right begins with
        np.cumsum(table, axis=1, out=table)
        cell = window.row_off // self._side * self._across + window.col_off // self._side
        piece = self._pieces.take(slice(self._starts[cell], self._starts[cell + 1]))
        col, top, bottom = piece.col - window.col_off, piece.top - window.row_off, piece.bottom - window.row_off
        for layer, total in zip(table, self.totals, strict=True):
            np.add.at(total, piece.polygon, piece.sign * (layer[bottom, col] - layer[top, col]))


@dataclass(frozen=True, slots=True)
class _Edges:
    """Vertical edges: at column `col` from row `top` to `bottom`, closing (+1) or opening (-1) `polygon`."""

    col: NDArray[np.int64]
    top: NDArray[np.int64]
    bottom: NDArray[np.int64]
    sign: NDArray[np.int64]
    polygon: NDArray[np.int64]

    def take(self, index: NDArray[np.int64] | slice) -> _Edges:
        """The edges that `index` picks."""
        return _Edges(self.col[index], self.top[index], self.bottom[index], self.sign[index], self.polygon[index])


def _vertical_edges(polygons: Polygons) -> _Edges:
    """All vertical edges but those at column 0, left of which there is nothing to sum."""
    parts, of_polygon = shapely.get_rings(polygons, return_index=True)
    corners, of_ring = shapely.get_coordinates(parts, return_index=True)
    corner = np.rint(corners).astype(np.int64).reshape(-1, 2)
    along = np.flatnonzero((np.diff(of_ring) == 0) & (np.diff(corner[:, 0]) == 0) & (corner[1:, 0] > 0))
    start, end = corner[along, 1], corner[along + 1, 1]
    return _Edges(
        col=corner[along, 0],
        top=np.minimum(start, end),
        bottom=np.maximum(start, end),
        sign=np.sign(start - end),  # clockwise in (col, row) numbers, as the module polygonize says
        polygon=of_polygon[of_ring[along]].astype(np.int64),
    )


def _cut(edges: _Edges, side: int) -> _Edges:
    """The edges cut at every multiple of `side` rows."""
    first, last = edges.top // side, (edges.bottom - 1) // side
    count = last - first + 1
    piece = edges.take(np.repeat(np.arange(len(count)), count))
    nth = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    strip = np.repeat(first, count) + nth
    return _Edges(
        piece.col,
        np.maximum(piece.top, strip * side),
        np.minimum(piece.bottom, (strip + 1) * side),
        piece.sign,
        piece.polygon,
    )
