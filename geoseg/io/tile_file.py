"""Tile files: classes and confidence of one tile, small and quick to write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from geoseg.errors import DataError, MachineError
from geoseg.io.commit import commit, free_text
from geoseg.io.rasters import create_raster, open_raster


def write_tile(path: Path, classes: NDArray[np.uint8], confidence: NDArray[np.uint8], geobox: GeoBox) -> None:
    """Two bands of (height, width) uint8, read back before the file gets its name.

    Raises:
        MachineError: the disk is full or failing, or the folder cannot be written to.
    """
    bands = np.stack([classes, confidence])
    height, width = classes.shape
    with commit(path) as part:
        profile = {"count": 2, "height": height, "width": width, "dtype": "uint8", "compress": "deflate", "zlevel": 1}
        crs, transform = str(geobox.crs), geobox.transform
        with create_raster(part, **profile, interleave="band", crs=crs, transform=transform) as tile:
            tile.write(bands)
        with open_raster(part) as tile:
            found, _ = tile.read((1, 2), None, "none")
        if not np.array_equal(found, bands):
            raise MachineError(
                f"{path} did not read back as it was written; {free_text(path.parent)}. Free some and run again"
            )


def read_tile(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Classes and confidence, (height, width) uint8 each.

    Raises:
        DataError: it is damaged; what cannot be decoded must not pass for class 0.
    """
    with open_raster(path) as tile:
        bands, _ = tile.read((1, 2), None, "none")
        if tile.damage:
            raise DataError(f"{tile.damage[0]}; delete {path} and run again")
    return bands[0].astype(np.uint8), bands[1].astype(np.uint8)
