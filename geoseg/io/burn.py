"""Polygons on pixels."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize


def burn(wkt: str, geobox: GeoBox) -> NDArray[np.bool_]:
    """Which pixels of `geobox` have their centre in the polygon `wkt`, given in the grid's CRS; (height, width)."""
    shape = shapely.from_wkt(wkt)
    nearby = shape.intersection(shapely.box(*geobox.boundingbox.bbox).buffer(geobox.resolution.x))
    if nearby.is_empty or not nearby.area:
        return np.zeros(geobox.shape, dtype=bool)
    burnt = rasterize([(nearby, 1)], geobox.shape, transform=geobox.transform, dtype="uint8")
    return np.asarray(burnt, dtype=bool)
