"""The lattice: every pixel of a CRS numbered from its origin, so that no area, tile or crop moves a pixel.

A lattice is a CRS, a pixel size and a sub-pixel phase. A `Window` in lattice pixels then says where it is on
the ground by itself, and patches and tiles, which start at whole multiples of their side, are the same ones
for every area that touches them (DESIGN, decision 1).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from geoseg.errors import DataError
from geoseg.grid.window import Window

PHASE_TOLERANCE = 1e-3  # pixels: closer than this, two grids are one


@dataclass(frozen=True, slots=True)
class Lattice:
    """North-up square pixels of one CRS.

    Args:
        crs: WKT or authority code, as `odc.geo` reads it.
        resolution: side of a pixel in units of the CRS.
        phase_x, phase_y: x and y of a pixel corner, in [0, resolution).
    """

    crs: str
    resolution: float
    phase_x: float = 0.0
    phase_y: float = 0.0

    @classmethod
    def from_geobox(cls, geobox: GeoBox) -> Lattice:
        """The lattice whose pixels `geobox` is made of. It must be north-up with square pixels."""
        t = geobox.transform
        if geobox.crs is None or t.b or t.d or t.a <= 0 or not math.isclose(t.a, -t.e, rel_tol=1e-6):
            raise DataError(f"{t!r} is not a north-up grid of square pixels; give the grid a crs and a gsd")
        return cls(_name(geobox.crs), t.a, _phase(t.c, t.a), _phase(t.f, t.a))

    def geobox(self, window: Window) -> GeoBox:
        """The pixels of `window` as odc-geo's grid."""
        left = self.phase_x + window.col_off * self.resolution
        top = self.phase_y - window.row_off * self.resolution
        transform = Affine(self.resolution, 0.0, left, 0.0, -self.resolution, top)
        return GeoBox(window.shape, transform, CRS(self.crs))

    def window(self, bounds: tuple[float, float, float, float]) -> Window:
        """Smallest window that covers `bounds` (left, bottom, right, top) in the CRS, to a thousandth pixel."""
        left, bottom, right, top = bounds
        cols = [(x - self.phase_x) / self.resolution for x in (left, right)]
        rows = [(self.phase_y - y) / self.resolution for y in (top, bottom)]
        return Window.from_edges(_floor(cols[0]), _floor(rows[0]), _ceil(cols[1]), _ceil(rows[1]))

    def holds(self, geobox: GeoBox) -> bool:
        """Whether the pixels of `geobox` are pixels of this lattice, so that it is read without resampling."""
        t = geobox.transform
        across = max(geobox.shape)
        if geobox.crs != CRS(self.crs) or t.b or t.d:
            return False
        drift = max(abs(t.a - self.resolution), abs(-t.e - self.resolution)) * across / self.resolution
        col = (t.c - self.phase_x) / self.resolution
        row = (self.phase_y - t.f) / self.resolution
        off = max(abs(col - round(col)), abs(row - round(row)))
        return drift < PHASE_TOLERANCE and off < PHASE_TOLERANCE

    @property
    def metres_per_unit(self) -> float:
        """Length of the CRS's unit."""
        return float(CRS(self.crs).proj.axis_info[0].unit_conversion_factor)

    @property
    def gsd(self) -> float:
        """Ground sample distance: nominal side of a pixel in metres."""
        return self.resolution * self.metres_per_unit


def cells(window: Window, side: int) -> Iterator[Window]:
    """The squares of `side` pixels, numbered from the CRS origin, that touch `window`; row by row."""
    for row in range(window.row_off // side, -(-window.bottom // side)):
        for col in range(window.col_off // side, -(-window.right // side)):
            yield Window(col * side, row * side, side, side)


def _name(crs: CRS) -> str:
    """EPSG code where there is one, else WKT: the shortest text that gives the same CRS."""
    return f"EPSG:{crs.epsg}" if crs.epsg else str(crs.to_wkt())


def _phase(corner: float, resolution: float) -> float:
    """Corner modulo pixel; what is nearly a whole number of pixels is one, or a grid's numbering would jump."""
    pixels = corner / resolution
    return 0.0 if abs(pixels - round(pixels)) < PHASE_TOLERANCE else corner - math.floor(pixels) * resolution


def _floor(value: float) -> int:
    near = round(value)
    return near if abs(value - near) < PHASE_TOLERANCE else math.floor(value)


def _ceil(value: float) -> int:
    near = round(value)
    return near if abs(value - near) < PHASE_TOLERANCE else math.ceil(value)
