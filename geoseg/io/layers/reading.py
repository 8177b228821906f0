"""Vector layers that people hand in, whole: GeoParquet, GeoPackage or GeoJSON."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import pyogrio
import pyogrio.errors

from geoseg.errors import ConfigError, DataError
from geoseg.io.small_file import check_regular

_KINDS = "GeoParquet (.parquet), GeoPackage (.gpkg) or GeoJSON (.geojson, .geojsonl)"
_DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".json": "GeoJSON", ".geojsonl": "GeoJSONSeq"}


def read_layer(path: Path) -> geopandas.GeoDataFrame:
    """The features of a file's one layer that have a geometry, in its CRS.

    Raises:
        ConfigError: there is no such file, or its ending is none of those.
        DataError: it cannot be read, has no CRS, or not one layer with geometries.
    """
    check_regular(path, ConfigError)
    if path.suffix.lower() not in (".parquet", *_DRIVERS):
        raise ConfigError(f"{path} ends in {path.suffix or 'nothing'}; name a layer as {_KINDS}")
    try:
        frame = geopandas.read_parquet(path) if path.suffix.lower() == ".parquet" else _by_gdal(path)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); save it again as {_KINDS}") from error
    if frame.crs is None:
        raise DataError(f"{path} says no CRS; save it again with the CRS of its coordinates")
    shapes = frame.geometry
    return frame[~(shapes.isna() | shapes.is_empty).to_numpy(np.bool_)].reset_index(drop=True)


def _by_gdal(path: Path) -> geopandas.GeoDataFrame:
    """The one layer that has geometries: a style or another table beside it does not count."""
    names = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
    if len(names) != 1:
        raise DataError(
            f"{path} has {len(names)} layers with geometries{': ' if names else ''}{', '.join(names)}; "
            "save the one you mean to a file of its own"
        )
    return pyogrio.read_dataframe(path, layer=names[0])
