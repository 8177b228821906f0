"""Area of each class of a map."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from geoseg.errors import DataError
from geoseg.grid.lattice import cells
from geoseg.grid.window import Window
from geoseg.io.label_values import class_entries
from geoseg.io.rasters import Raster, open_raster
from geoseg.raster.coding import OUTSIDE
from geoseg.stats.pixel_area import PixelArea

_SIDE = 1024  # of the windows that are read, pixels


def map_areas(classes: Path) -> dict[str, float]:
    """Area of each class on the ellipsoid, m2, by name, what was not observed included. Memory does not grow.

    Args:
        classes: uint8 map that names its classes.

    Raises:
        DataError: the map does not name its classes, or holds a value that it does not name.
    """
    with open_raster(classes) as raster:
        entries = class_entries(raster)
        if entries is None:
            raise DataError(f"{classes} does not name its classes; name a landcover.tif that geoseg made")
        found = _by_value(raster)
    known = {value: name for value, name, _ in entries}
    if unknown := [value for value in np.flatnonzero(found).tolist() if value not in known]:
        raise DataError(f"{classes} holds the value {unknown[0]}, which it does not name; make the map again")
    return {name: float(found[value]) for value, name in known.items()}


def _by_value(raster: Raster) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Area of each value, (256,)."""
    area, total = PixelArea(raster.crs, raster.geobox.transform, raster.shape), np.zeros(256)
    whole = Window(0, 0, raster.shape[1], raster.shape[0])
    for cell in cells(whole, _SIDE):
        window = cell.intersect(whole)
        assert window is not None
        total += np.bincount(raster.read_classes(window).ravel(), area(window).ravel(), 256)
    total[OUTSIDE] = 0
    return total
