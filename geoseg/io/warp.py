"""Pixels of one raster on a lattice they do not lie on.

Resampling is done in whole cells of the lattice, 256 pixels a side and numbered from the CRS origin, whatever
part of them is asked for. A pixel's value therefore depends on where it is on the ground and on nothing else,
to the last bit: not on the window, tile or area that is read (DESIGN, P1).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from pyproj.aoi import AreaOfInterest
from rasterio.crs import CRS as RasterioCRS
from rasterio.enums import Resampling
from rasterio.warp import reproject

from geoseg.errors import DataError
from geoseg.grid.lattice import Lattice, cells
from geoseg.grid.window import Window

CELL = 256  # pixels a side
MAX_SAMPLES = 16_000_000  # of source values warped at once: 64 MB as float32
AVERAGE_ABOVE = 4.0  # source pixels per lattice pixel: beyond it, interpolating kernels give way to the mean
_RADIUS = {"nearest": 1, "bilinear": 1, "cubic": 2, "average": 1}  # of the kernels, in pixels
_EDGE_POINTS = 65


class Warp:
    """How one raster comes onto a lattice.

    A lattice pixel is valid where its centre falls on a valid source pixel. Its value comes from the valid
    source pixels under the kernel only. Where a lattice pixel is more than `AVERAGE_ABOVE` source pixels wide,
    bilinear and cubic become the mean of the source pixels under it. Positions are GDAL's, exact at the sides
    of a cell and off by at most 1/8 source pixel, commonly 1/100, in the middle of its rows.

    Attributes:
        window: lattice pixels that the raster touches.
        factor: source pixels per lattice pixel along the source's columns and rows, at the raster's centre.
        kernel: the resampling that is used.
    """

    def __init__(self, name: str, geobox: GeoBox, lattice: Lattice, resampling: str) -> None:
        """`name` is the file's, for messages."""
        self._geobox = geobox
        self._lattice = lattice
        area = _lonlat_area(geobox)
        there, here = geobox.crs.proj, CRS(lattice.crs).proj
        self._to_lattice = Transformer.from_crs(there, here, always_xy=True, area_of_interest=area)
        self._to_source = Transformer.from_crs(here, there, always_xy=True, area_of_interest=area)
        self._source_crs = RasterioCRS.from_wkt(there.to_wkt("WKT2_2019"))
        self._lattice_crs = RasterioCRS.from_wkt(here.to_wkt("WKT2_2019"))
        self.window = self._footprint(name)
        self.factor = self._scale()
        wide = max(self.factor) > AVERAGE_ABOVE and resampling in ("bilinear", "cubic")
        self.kernel = "average" if wide else resampling
        self._margin = 3 + int(np.ceil(_RADIUS[self.kernel] * max(1.0, *self.factor)))
        self._options: dict[str, Any] = {
            # without these GDAL derives the kernel's width from each window anew
            "XSCALE": repr(1 / max(1.0, self.factor[0])),
            "YSCALE": repr(1 / max(1.0, self.factor[1])),
            "SOURCE_EXTRA": str(self._margin),
            "num_threads": 1,
        }
        if area is not None:  # one datum shift for the whole raster, not one chosen for each piece of it
            self._options["AREA_OF_INTEREST"] = (
                f"{area.west_lon_degree},{area.south_lat_degree},{area.east_lon_degree},{area.north_lat_degree}"
            )

    def pieces(self, window: Window, bands: int) -> Iterator[tuple[Window, Window]]:
        """Cells that touch `window`, or parts of them where the source is much finer, each with its source.

        Yields:
            (lattice pixels, the source pixels they depend on). Cells without any source are left out.
        """
        for cell in cells(window, CELL):
            inside = cell.intersect(self.window)
            if inside is not None:
                yield from self._split(inside, bands)

    def warp(
        self, piece: Window, source: Window, data: NDArray[Any], valid: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Pixels of `piece`, one of `pieces`.

        Args:
            data: (band, height, width) of `source`.
            valid: (height, width).

        Returns:
            (band, height, width) float32, anything where invalid; (height, width) bool.
        """
        image = np.where(valid, data, np.nan).astype(np.float32)
        out = np.full((len(data), *piece.shape), np.nan, np.float32)
        self._reproject(image, out, source, piece, self.kernel, np.nan)
        found = np.isfinite(out).all(axis=0)
        if self.kernel != "nearest" and not (valid.all() and self._encloses(source)):
            mask = np.zeros(piece.shape, np.uint8)
            self._reproject(valid.astype(np.uint8), mask, source, piece, "nearest", 0)
            found &= mask > 0
        return out, found

    def _reproject(
        self, image: NDArray[Any], out: NDArray[Any], source: Window, piece: Window, kernel: str, empty: float
    ) -> None:
        reproject(
            image,
            out,
            src_transform=_moved(self._geobox.transform, source),
            src_crs=self._source_crs,
            src_nodata=empty,
            dst_transform=self._lattice.geobox(piece).transform,
            dst_crs=self._lattice_crs,
            dst_nodata=empty,
            resampling=Resampling[kernel],
            **self._options,
        )

    def _encloses(self, source: Window) -> bool:
        """Whether the raster goes on beyond all sides of a source window, so that no pixel there is off its edge."""
        height, width = self._geobox.shape
        return source.col_off > 0 and source.row_off > 0 and source.right < width and source.bottom < height

    def _split(self, piece: Window, bands: int) -> Iterator[tuple[Window, Window]]:
        source = self._source(piece)
        if source is None:
            return
        if bands * source.width * source.height <= MAX_SAMPLES or max(piece.shape) == 1:
            yield piece, source
            return
        for quarter in _quarters(piece):
            yield from self._split(quarter, bands)

    def _source(self, piece: Window) -> Window | None:
        """Source pixels under `piece` and the kernel's reach, inside the raster."""
        cols = np.linspace(piece.col_off, piece.right, 17)
        rows = np.linspace(piece.row_off, piece.bottom, 17)
        col, row = self._source_pixels(*(a.ravel() for a in np.meshgrid(cols, rows)))
        if not len(col):
            return None
        bulge = 0.01 * max(np.ptp(col), np.ptp(row)) + self._margin
        height, width = self._geobox.shape
        left, right = max(0, int(np.floor(col.min() - bulge))), min(width, int(np.ceil(col.max() + bulge)))
        top, bottom = max(0, int(np.floor(row.min() - bulge))), min(height, int(np.ceil(row.max() + bulge)))
        return Window.from_edges(left, top, right, bottom) if left < right and top < bottom else None

    def _source_pixels(
        self, cols: NDArray[np.float64], rows: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lattice (col, row) to source (col, row); points that the source's CRS cannot hold are left out."""
        lattice = self._lattice
        x, y = self._to_source.transform(
            lattice.phase_x + cols * lattice.resolution, lattice.phase_y - rows * lattice.resolution
        )
        good = np.isfinite(x) & np.isfinite(y)
        return _apply(~self._geobox.transform, x[good], y[good])

    def _footprint(self, name: str) -> Window:
        """Lattice pixels that the raster touches: its edges and a net of inner points, transformed."""
        height, width = self._geobox.shape
        col, row = np.meshgrid(np.linspace(0, width, _EDGE_POINTS), np.linspace(0, height, _EDGE_POINTS))
        x, y = self._to_lattice.transform(*_apply(self._geobox.transform, col.ravel(), row.ravel()))
        good = np.isfinite(x) & np.isfinite(y)
        if not good.any():
            raise DataError(
                f"{name} cannot be placed in {self._lattice.crs}: no part of it can be transformed. "
                "Choose a grid crs that is made for its place, or crs: auto."
            )
        x, y = x[good], y[good]
        return self._lattice.window((x.min(), y.min(), x.max(), y.max()))

    def _scale(self) -> tuple[float, float]:
        """Source pixels per lattice pixel along source columns and rows, at the middle of the raster."""
        height, width = self._geobox.shape
        x, y = self._to_lattice.transform(*_apply(self._geobox.transform, np.array(width / 2), np.array(height / 2)))
        lattice = self._lattice
        col, row = (x - lattice.phase_x) / lattice.resolution, (lattice.phase_y - y) / lattice.resolution
        cols, rows = self._source_pixels(col + np.array([-0.5, 0.5, 0, 0]), row + np.array([0, 0, -0.5, 0.5]))
        if len(cols) < 4:
            return 1.0, 1.0
        return float(np.hypot(cols[1] - cols[0], cols[3] - cols[2])), float(
            np.hypot(rows[1] - rows[0], rows[3] - rows[2])
        )


def _lonlat_area(geobox: GeoBox) -> AreaOfInterest | None:
    """Where a raster is in degrees, for PROJ to choose the datum shift by; None where it cannot be said."""
    left, bottom, right, top = geobox.boundingbox.bbox
    to_lonlat = Transformer.from_crs(geobox.crs.proj, geobox.crs.proj.geodetic_crs, always_xy=True)
    bounds = to_lonlat.transform_bounds(left, bottom, right, top, densify_pts=21)
    west, south, east, north = bounds
    if not np.isfinite(bounds).all() or not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        return None
    return AreaOfInterest(west, south, east, north)


def _apply(transform: Affine, col: NDArray[Any], row: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """An affine transform of arrays of points."""
    a, b, c, d, e, f = transform[:6]
    return a * col + b * row + c, d * col + e * row + f


def _moved(transform: Affine, window: Window) -> Affine:
    """The transform of a window's own pixels."""
    a, b, _, d, e, _ = transform[:6]
    x, y = _apply(transform, np.float64(window.col_off), np.float64(window.row_off))
    return Affine(a, b, float(x), d, e, float(y))


def _quarters(window: Window) -> Iterator[Window]:
    """The window in two or four parts, none empty."""
    height, width = (window.height + 1) // 2, (window.width + 1) // 2
    for top in range(window.row_off, window.bottom, height):
        for left in range(window.col_off, window.right, width):
            yield Window.from_edges(left, top, min(left + width, window.right), min(top + height, window.bottom))
