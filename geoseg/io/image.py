"""Imagery that geoseg itself makes, as plain GeoTIFFs that other programs read; and pictures of results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.crs import CRS as RasterioCRS

from geoseg.errors import DataError, MachineError
from geoseg.io.commit import commit, free_text
from geoseg.io.rasters import create_raster, open_raster

BLOCK = 512  # pixels a side of the blocks in the file


def write_image(
    target: Path,
    pixels: NDArray[np.generic],
    geobox: GeoBox,
    band_names: Sequence[str],
    tags: Mapping[str, str] | None = None,
) -> None:
    """Write a small image as a tiled, deflated GeoTIFF, and read it back before it gets its name.

    Args:
        target: the file; what it had is replaced.
        pixels: (band, height, width).
        geobox: where they are.
        band_names: one a band.
        tags: key: text, written into the file.

    Raises:
        MachineError: the disk is full or failing, or the folder cannot be written to. `target` is as it was.
    """
    with commit(target, pixels.nbytes) as part:
        with create_raster(part, **_profile(pixels, geobox)) as file:
            file.write(pixels)
            file.descriptions = tuple(band_names)
            file.update_tags(**(tags or {}))
        if not _holds(part, pixels):
            raise MachineError(
                f"{target} did not reach the disk whole; {free_text(target.parent)}. Make room or choose another "
                "folder, then run the same command again"
            )


def write_picture(target: Path, data: bytes) -> None:
    """Commit an encoded picture, such as a PNG. Raises `MachineError`."""
    with commit(target, len(data)) as part:
        part.write_bytes(data)


def _profile(pixels: NDArray[np.generic], geobox: GeoBox) -> dict[str, Any]:
    count, height, width = pixels.shape
    return {
        "height": height,
        "width": width,
        "count": count,
        "dtype": pixels.dtype.name,
        "crs": RasterioCRS.from_wkt(geobox.crs.proj.to_wkt("WKT2_2019")),
        "transform": geobox.transform,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "interleave": "pixel",
        "compress": "deflate",
        "predictor": 2,
        **({"photometric": "RGB"} if count == 3 and pixels.dtype == np.uint8 else {}),
    }


def _holds(part: Path, pixels: NDArray[np.generic]) -> bool:
    """Whether the file has these pixels."""
    try:
        with open_raster(part) as raster:
            raster.check()
            found, _ = raster.read(range(1, raster.count + 1), nodata="none")
    except DataError:
        return False
    return bool(np.array_equal(found, pixels))
