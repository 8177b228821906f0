"""Tile files: the coded bands of one tile, small and quick to write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from geoseg.errors import DataError, MachineError
from geoseg.io.commit import commit, free_text
from geoseg.io.rasters import create_raster, open_raster


def write_tile(path: Path, bands: NDArray[np.uint8], geobox: GeoBox) -> None:
    """Writes a tile, which is read back before the file gets its name.

    Args:
        path: the file.
        bands: (band, height, width): classes, confidence and, where they are kept, the probability of each class.
        geobox: where the tile is.

    Raises:
        MachineError: the disk is full or failing, or the folder cannot be written to.
    """
    count, height, width = bands.shape
    with commit(path) as part:
        profile = {"count": count, "height": height, "width": width, "dtype": "uint8"}
        profile |= {"compress": "deflate", "zlevel": 1, "photometric": "minisblack", "alpha": "no"}  # no band is alpha
        crs, transform = str(geobox.crs), geobox.transform
        with create_raster(part, **profile, interleave="band", crs=crs, transform=transform) as tile:
            tile.write(bands)
        with open_raster(part) as tile:
            found, _ = tile.read(range(1, count + 1), None, "none")
        if not np.array_equal(found, bands):
            raise MachineError(
                f"{path} did not read back as it was written; {free_text(path.parent)}. Free some and run again"
            )


def read_tile(path: Path, bands: Sequence[int]) -> NDArray[np.uint8]:
    """Some bands of a tile, (band, height, width) uint8.

    Args:
        path: the file.
        bands: numbers from 1: 1 classes, 2 confidence, 3 and on the probability of each class.

    Raises:
        DataError: it is damaged; what cannot be decoded must not pass for class 0.
    """
    with open_raster(path) as tile:
        found, _ = tile.read(bands, None, "none")
        if tile.damage:
            raise DataError(f"{tile.damage[0]}; delete {path} and run again")
    return found.astype(np.uint8, copy=False)
