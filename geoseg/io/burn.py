"""Polygons on pixels."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize

from geoseg.grid.lattice import Lattice, cells
from geoseg.grid.window import Window

CELL = 256  # pixels: areas are burned in whole squares of the lattice, or rounding would depend on the tiling


def burn(wkt: str, lattice: Lattice, window: Window) -> NDArray[np.bool_]:
    """Which pixels have their centre in an area; the same for a pixel whichever window it is asked in.

    Args:
        wkt: polygon in the lattice's CRS.
        lattice, window: the pixels.

    Returns:
        (height, width) of `window`.
    """
    out = np.zeros(window.shape, dtype=bool)
    for cell in cells(window, CELL):
        part = cell.intersect(window)
        assert part is not None
        out[part.within(window).slices] = _cell(wkt, lattice, cell)[part.within(cell).slices]
    return out


@lru_cache(maxsize=512)
def _cell(wkt: str, lattice: Lattice, cell: Window) -> NDArray[np.bool_]:
    geobox = lattice.geobox(cell)
    nearby = _area(wkt).intersection(shapely.box(*lattice.geobox(cell.grow(1)).boundingbox.bbox))
    if nearby.is_empty or not nearby.area:
        return np.zeros(cell.shape, dtype=bool)
    return np.asarray(rasterize([(nearby, 1)], cell.shape, transform=geobox.transform, dtype="uint8"), dtype=bool)


@lru_cache(maxsize=4)
def _area(wkt: str) -> shapely.Geometry:
    area = shapely.from_wkt(wkt)
    shapely.prepare(area)
    return area
