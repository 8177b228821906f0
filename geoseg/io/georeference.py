"""Where a raster's pixels are, as its file says it: transform, direction of rows and columns, CRS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from odc.geo.crs import CRS
from pyproj.exceptions import CRSError

from geoseg.errors import ConfigError, DataError
from geoseg.io.sniff import shorten


def transform_of(dataset: rasterio.DatasetReader, path: Path) -> Affine:
    """Pixel corner to CRS. Raises `DataError` for a file without, or with a broken one: it is nowhere."""
    transform = dataset.transform
    if transform.is_identity:
        kind = "only ground control points" if dataset.gcps[0] else "no position"
        raise DataError(
            f"{path} has {kind}: it does not say where on earth its pixels are. Georeference it first (QGIS: Layer, "
            "Georeferencer; or gdalwarp where it has control points)."
        )
    if not all(map(np.isfinite, transform[:6])) or transform.is_degenerate:
        raise DataError(f"{path} has a broken position, {tuple(transform[:6])}. Georeference it again.")
    return transform


def north_up(transform: Affine, height: int, width: int) -> tuple[Affine, tuple[bool, bool]]:
    """The transform after turning rows and columns so that rows run south and columns east, and which were turned.

    A rotated or sheared image keeps its transform: nothing but resampling makes it north-up.

    Args:
        transform: as stored.
        height, width: of the image, pixels.
    """
    if transform.b or transform.d:
        return transform, (False, False)
    a, b, c, d, e, f = transform[:6]
    rows, cols = e > 0, a < 0
    turned = Affine(
        -a if cols else a, b, c + a * width if cols else c, d, -e if rows else e, f + e * height if rows else f
    )
    return turned, (rows, cols)


def crs_of(dataset: rasterio.DatasetReader, path: Path, assume: str | None) -> CRS:
    """The file's CRS, or the one to assume for a file without.

    Raises:
        DataError: it has none, and none is to be assumed.
        ConfigError: `assume` is no CRS, or contradicts the file.
    """
    stated = dataset.crs if dataset.crs and (dataset.crs.is_geographic or dataset.crs.is_projected) else None
    if stated is None and assume is None:
        raise DataError(
            f"{path} carries no CRS that says where its coordinates are. If you know it, write assume_crs: EPSG:n for "
            "this scene in the AOI file."
        )
    if stated is None:
        return _parse_crs(str(assume))
    crs = _short(CRS(stated.to_wkt()))
    if assume is not None and _parse_crs(assume) != crs:
        raise ConfigError(
            f"assume_crs: {assume} contradicts {path}, which carries {_crs_name(crs)}. Remove assume_crs; if the "
            "file is wrong, correct it with gdal_edit -a_srs."
        )
    return crs


def _short(crs: CRS) -> CRS:
    """The same CRS by its EPSG code where that is all there is to it."""
    named = CRS(f"EPSG:{crs.epsg}") if crs.epsg else crs
    return named if named.proj.equals(crs.proj, ignore_axis_order=True) else crs


def _parse_crs(text: str) -> CRS:
    try:
        return CRS(text)
    except CRSError as error:
        raise ConfigError(f"assume_crs: {text!r} is no CRS that is known. Write EPSG:n, such as EPSG:32640.") from error


def _crs_name(crs: CRS) -> str:
    return f"EPSG:{crs.epsg}" if crs.epsg else shorten(str(crs), 80)
