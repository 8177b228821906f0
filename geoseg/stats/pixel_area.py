"""True area of pixels: on the ellipsoid, whatever the map projection does to areas.

A pixel's nominal area, its side squared, is 0.08 % off at a UTM central meridian and 300 % off in Web Mercator at
60 degrees north. Here each pixel is put on the ellipsoid of its CRS and measured there.
"""

from __future__ import annotations

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from geoseg.errors import DataError
from geoseg.grid.window import Window

NODE_PIXELS = 64  # at most this far apart are the points where areas are computed, pixels
NODE_METRES = 8_000.0  # and at most this far on the ground: bilinear between them is then good to 3e-6


class PixelArea:
    """Ellipsoidal area of the pixels of one raster.

    Args:
        crs: projected or geographic, any unit.
        transform: pixel corner (col, row) to (x, y) in `crs`, x east or longitude first.
        shape: (height, width) of the raster, pixels.
    """

    def __init__(self, crs: CRS, transform: Affine, shape: tuple[int, int]) -> None:
        geodetic = crs.geodetic_crs
        if geodetic is None or crs.ellipsoid is None:
            raise DataError(f"{crs.name} is not tied to the Earth, so areas have no m2; write the map in UTM, say")
        self._name = crs.name
        self._transform = transform
        self._to_geodetic = Transformer.from_crs(crs, geodetic, always_xy=True)
        self._to_radians = geodetic.axis_info[0].unit_conversion_factor
        self._radius = crs.ellipsoid.semi_major_metre
        self._e2 = 1 - (crs.ellipsoid.semi_minor_metre / crs.ellipsoid.semi_major_metre) ** 2
        self._step = 1
        side = np.sqrt(self._at(np.array([shape[0] / 2]), np.array([shape[1] / 2])).item())
        self._step = int(np.clip(NODE_METRES / side, 1, NODE_PIXELS))

    def __call__(self, window: Window) -> NDArray[np.float64]:
        """Area of each pixel of `window` (file pixels), m2, (height, width)."""
        rows, col_cell, col_share = self.factors(window)
        return rows[:, col_cell] * (1 - col_share) + rows[:, col_cell + 1] * col_share

    def factors(self, window: Window) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64]]:
        """What the areas of `window` are made of, much smaller than they: (height, n) areas at nodes along the columns,
        m2, and the (width,) node left of each column and how far it is towards the next one, 0 to 1."""
        row_nodes, row_cell, row_share = self._nodes(window.row_off, window.height)
        col_nodes, col_cell, col_share = self._nodes(window.col_off, window.width)
        nodes = self._at(row_nodes, col_nodes)
        rows = nodes[row_cell] * (1 - row_share)[:, None] + nodes[row_cell + 1] * row_share[:, None]
        return rows, col_cell, col_share

    def _nodes(self, start: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64]]:
        """Nodes along one axis (pixel coordinates), each pixel centre's cell and how far through it, 0 to 1.

        Nodes are whole multiples of the step from the raster's corner, so a window does not change its pixels.
        """
        first = start // self._step
        place = (np.arange(start, start + count) + 0.5) / self._step - first
        cell = place.astype(np.intp)
        nodes = (first + np.arange(cell[-1] + 2)) * float(self._step)
        return nodes, cell, place - cell

    def _at(self, rows: NDArray[np.float64], cols: NDArray[np.float64]) -> NDArray[np.float64]:
        """Area of a pixel centred at each (row, col) of the mesh, m2: the cross product of its two sides in space.

        The sides are differences over one step, not one pixel, so that rounding does not show; their error is a
        sixth of the square of the angle the step subtends, 7e-8 at 8 km.
        """
        half = self._step / 2
        row, col = np.meshgrid(rows, cols, indexing="ij")
        along = (self._space(row, col + half) - self._space(row, col - half)) / self._step
        down = (self._space(row + half, col) - self._space(row - half, col)) / self._step
        area: NDArray[np.float64] = np.linalg.norm(np.cross(along, down), axis=-1)
        return area

    def _space(self, row: NDArray[np.float64], col: NDArray[np.float64]) -> NDArray[np.float64]:
        """Earth-centred (..., 3) metres of points of the ellipsoid given in pixels: smooth at poles and at 180 E."""
        t = self._transform
        geodetic = self._to_geodetic.transform(t.a * col + t.b * row + t.c, t.d * col + t.e * row + t.f)
        if not np.isfinite(geodetic).all():
            raise DataError(
                f"the map reaches where {self._name} is not defined, so its areas cannot be told; "
                "use a CRS made for the area (grid: crs: auto)"
            )
        lon, lat = np.asarray(geodetic) * self._to_radians
        normal = self._radius / np.sqrt(1 - self._e2 * np.sin(lat) ** 2)
        across = normal * np.cos(lat)
        return np.stack([across * np.cos(lon), across * np.sin(lon), normal * (1 - self._e2) * np.sin(lat)], axis=-1)
