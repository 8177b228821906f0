"""Geometries as RFC 7946 wants them: longitude and latitude to 7 decimals, right-handed, nothing across 180 degrees."""

from __future__ import annotations

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer

DIGITS = 7  # decimals of a degree: about a centimetre
_GRID = 10.0**-DIGITS
_WGS84 = "OGC:CRS84"


def in_degrees(frame: geopandas.GeoDataFrame, max_segment: float | None) -> NDArray[np.object_]:
    """The geometries of `frame`, a layer in any CRS, as they stand in GeoJSON.

    A polygon that rounding makes invalid is repaired; a polygon or line that vanishes below a centimetre is None.

    Args:
        frame: polygons, lines or points.
        max_segment: edges longer than this get more corners first, CRS units.
    """
    shapes = frame.geometry.to_numpy()
    if max_segment is not None:
        shapes = shapely.segmentize(shapes, max_segment)
    crs = CRS.from_user_input(frame.crs)
    to_degrees = Transformer.from_crs(crs, _WGS84, always_xy=True)
    degrees = shapely.transform(shapes, lambda xy: _rounded(np.column_stack(to_degrees.transform(*xy.T))))
    degrees = _split(degrees, turn=not crs.is_geographic)
    return np.asarray(shapely.orient_polygons(_repair(degrees)))


def _rounded(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """The doubles that are nearest to numbers of 7 decimals."""
    return np.round(corners, DIGITS)


def _split(shapes: NDArray[np.object_], turn: bool) -> NDArray[np.object_]:
    """Geometries that reach over 180 degrees in parts that meet there.

    Args:
        shapes: longitude and latitude.
        turn: whether corners on both sides of 180 degrees mean a geometry across it, as they do after a projection
            of something small; else only longitudes beyond 180 do.
    """
    bounds = shapely.bounds(shapes)
    over = (bounds[:, 0] < -180) | (bounds[:, 2] > 180)
    wide = turn & (bounds[:, 2] - bounds[:, 0] > 180) & ~over
    if not (over | wide).any():
        return shapes
    split = shapes.copy()
    split[wide] = shapely.transform(shapes[wide], lambda xy: xy + (xy[:, :1] < 0) * [360.0, 0.0])
    for index in np.flatnonzero(over | wide):  # few: an area crosses one meridian
        split[index] = shapely.transform(_in_range(split[index]), _rounded)
    return split


def _in_range(shape: shapely.Geometry) -> shapely.Geometry | None:
    """One geometry, cut at odd multiples of 180 degrees, each part moved between -180 and 180."""
    if shapely.get_dimensions(shape) == 2:
        shape = shapely.make_valid(shape)
    left, _, right, _ = shape.bounds
    parts, rest = [], shape
    for turn in range(int(np.floor((left + 180) / 360)), int(np.floor((right + 180) / 360)) + 1):
        world = shapely.box(360 * turn - 180, -90, 360 * turn + 180, 90)
        inside = shapely.intersection(rest, world)
        rest = shapely.difference(rest, world)  # what lies on the meridian itself is in the western part only
        parts.append(shapely.transform(inside, lambda xy, shift=360.0 * turn: xy - [shift, 0.0]))
    return _gathered(np.array(parts), int(shapely.get_dimensions(shape)))


def _repair(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Valid geometries on the grid of 7 decimals; None for those that have vanished."""
    wrong = np.flatnonzero(~shapely.is_valid(shapes) & ~shapely.is_missing(shapes))
    if not len(wrong):
        return shapes
    repaired = shapes.copy()
    for index in wrong:  # few: rounding seldom breaks a geometry
        shape = shapes[index]
        dimension = int(shapely.get_dimensions(shape))
        snapped = (
            shapely.set_precision(shapely.make_valid(shape), _GRID) if dimension == 2 else shapely.make_valid(shape)
        )
        repaired[index] = _gathered(np.array([snapped]), dimension)
    return repaired


def _gathered(shapes: NDArray[np.object_], dimension: int) -> shapely.Geometry | None:
    """The parts of that dimension as one geometry: a part of a lower one, such as a touching point, is left out."""
    parts = shapely.get_parts(shapely.get_parts(shapes))
    parts = parts[(shapely.get_dimensions(parts) == dimension) & ~shapely.is_empty(parts)]
    if len(parts) < 2:
        return parts[0] if len(parts) else None
    build = (shapely.multipoints, shapely.multilinestrings, shapely.multipolygons)[dimension]
    return build(parts)
