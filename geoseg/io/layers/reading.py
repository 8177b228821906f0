"""Vector layers that people hand in, whole: GeoParquet, GeoPackage or GeoJSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyogrio
import pyogrio.errors
from pyproj import CRS
from pyproj.exceptions import CRSError

from geoseg.errors import ConfigError, DataError
from geoseg.io.small_file import check_regular
from geoseg.io.sniff import shorten

_KINDS = "GeoParquet (.parquet), GeoPackage (.gpkg) or GeoJSON (.geojson, .geojsonl)"
_DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".json": "GeoJSON", ".geojsonl": "GeoJSONSeq"}
_CRS_MEMBER = re.compile(rb'"crs"\s*:\s*(?=\{)')  # not a property of that name, which is no object
_CRS_BYTES = 10_000  # of one: its text at most


def read_layer(path: Path) -> geopandas.GeoDataFrame:
    """The features of a file's one layer that have a geometry, in its CRS.

    Raises:
        ConfigError: there is no such file, or its ending is none of those.
        DataError: it cannot be read, has no CRS or says one that is not understood, or not one layer with geometries.
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
    if _DRIVERS.get(path.suffix.lower(), "GPKG") != "GPKG":
        _require_said(path, frame.crs)
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


def _require_said(path: Path, crs: CRS) -> None:
    """GDAL takes GeoJSON for longitude and latitude wherever it does not understand the CRS that the file names."""
    content = path.read_bytes()
    for match in _CRS_MEMBER.finditer(content):
        name = _named(content[match.end() : match.end() + _CRS_BYTES].decode(errors="replace"))
        try:
            understood = CRS.from_user_input(name).equals(crs, ignore_axis_order=True)
        except CRSError:
            understood = False
        if not understood:
            raise DataError(
                f"{path} says that its coordinates are in {shorten(str(name), 80)}, and is read as {crs.name}; save "
                "it in EPSG:4326, which GeoJSON is meant for, or as GeoPackage, which may have any CRS"
            )


def _named(text: str) -> Any:
    """The name of the CRS in the object that a text starts with; the object where it has none."""
    try:
        member: Any = json.JSONDecoder().raw_decode(text)[0]
    except ValueError:  # of JSON, or a number of more digits than Python takes
        return text
    properties = member.get("properties")
    return properties.get("name", member) if isinstance(properties, dict) else member
