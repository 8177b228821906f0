"""Zones that people hand in: named polygons, such as districts, concessions or protected areas."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geoseg.errors import DataError
from geoseg.io.layers import geoparquet
from geoseg.io.layers.reading import read_layer

_LISTED = 8  # fields or zones named in one message
_MOST_CORNERS = 20_000_000  # they are held in memory, about 100 bytes each
_USUAL = "name"  # the field that names zones where none is asked for


@dataclass(frozen=True, slots=True)
class ZoneLayer:
    """Polygons in the order of their file.

    Args:
        names: what each is called; its number from 1 where it has no name.
        shapes: (z,) valid multipolygons.
        crs: of the shapes, x east or longitude first.
        repaired: one sentence for each zone whose polygon was not valid.
        without_shape: features that have no geometry, which are left out.
    """

    names: tuple[str, ...]
    shapes: NDArray[np.object_]
    crs: CRS
    repaired: tuple[str, ...]
    without_shape: int


def read_zones(path: Path, field: str | None) -> ZoneLayer:
    """The zones of a layer: GeoPackage, GeoJSON or GeoParquet.

    A polygon that crosses or touches itself is repaired, and told with the place.

    Args:
        path: the layer.
        field: attribute that names the zones; None for `name` where there is one, else numbers.

    Raises:
        ConfigError: there is no such file, or it is of another kind.
        DataError: it cannot be read, has no CRS, no features, other geometries than polygons, no such field, or a
            polygon that no repair gives an area.
    """
    try:
        frame = read_layer(path)
    except shapely.errors.GEOSException as error:
        raise DataError(
            f"{path} holds a polygon that cannot be read ({error}); repair it (QGIS: Fix geometries)"
        ) from error
    if not len(frame):
        raise DataError(f"{path} has no features with a geometry; name a layer with the polygons of the zones")
    shapes = shapely.force_2d(frame.geometry.to_numpy())
    _require_polygons(shapes, path)
    if (corners := int(shapely.get_num_coordinates(shapes).sum())) > _MOST_CORNERS:
        raise DataError(
            f"the zones of {path} have {corners:,} corners, the most is {_MOST_CORNERS:,}; simplify them to the size "
            "of a pixel, or split the layer"
        )
    names = _names(frame, field, path)
    shapes, repaired = _valid(shapes, names, path)
    return ZoneLayer(tuple(names), shapes, CRS.from_user_input(frame.crs), repaired, _features(path) - len(frame))


def _features(path: Path) -> int:
    """Features of a layer, those without a geometry included."""
    if path.suffix.lower() == ".parquet":
        return geoparquet.count_of(path)
    names = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
    return int(pyogrio.read_info(path, layer=names[0], force_feature_count=True)["features"])


def _require_polygons(shapes: NDArray[np.object_], path: Path) -> None:
    kinds = shapely.get_type_id(shapes)
    other = ~np.isin(kinds, (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON))
    if other.any():
        first = shapes[np.flatnonzero(other)[0]].geom_type
        raise DataError(
            f"{int(other.sum())} of {len(shapes)} features of {path} are no polygons (the first is a {first}), so they "
            "have no area; name a layer of polygons, or draw them a buffer first"
        )


def _names(frame: geopandas.GeoDataFrame, field: str | None, path: Path) -> list[str]:
    fields = [str(column) for column in frame.columns if column != frame.geometry.name]
    if field is None:
        field = next((name for name in fields if name.lower() == _USUAL), None)
    elif field not in fields:
        listed = ", ".join(fields[:_LISTED]) + (" and more" if len(fields) > _LISTED else "")
        raise DataError(f"{path} has no field {field!r}; set --name to one of: {listed or 'none; it has no fields'}")
    values = [None] * len(frame) if field is None else frame[field].tolist()
    return [_text(value) or str(number) for number, value in enumerate(values, 1)]


def _text(value: object) -> str:
    """A value on one line, without control characters; whole numbers without a point; nothing for a missing one."""
    if value is None or value != value or str(value) == "<NA>":
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "".join(" " if unicodedata.category(char) == "Cc" else char for char in str(value)).strip()


def _valid(shapes: NDArray[np.object_], names: list[str], path: Path) -> tuple[NDArray[np.object_], tuple[str, ...]]:
    """Valid multipolygons, and what was repaired."""
    out, repaired = shapes.copy(), []
    for index in np.flatnonzero(~shapely.is_valid(shapes)):
        shape, name = shapes[index], names[index]
        if not np.isfinite(shapely.get_coordinates(shape)).all():
            raise DataError(f"zone {name} of {path} has a corner that is no number; draw it again")
        reason = shapely.is_valid_reason(shape)
        out[index] = shapely.make_valid(shape, method="structure", keep_collapsed=False)
        repaired.append(f"zone {name} was not a valid polygon ({reason}) and was repaired; look at its outline there")
    flat = shapely.area(out) == 0
    if flat.any():
        index = int(np.flatnonzero(flat)[0])
        x, y = shapely.get_coordinates(shapes[index])[0]
        raise DataError(f"zone {names[index]} of {path}, at {x:.6g}, {y:.6g}, has no area; draw it again or remove it")
    for index, shape in enumerate(out):
        if shape.geom_type == "Polygon":
            out[index] = shapely.MultiPolygon([shape])
    return out, tuple(repaired)
