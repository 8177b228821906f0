"""Zones of any CRS on the pixels of a map, and their own areas on the ellipsoid.

A side that is straight in the zones' CRS is not straight on the map: it gets corners until it is nowhere more than a
hundredth of a pixel off. A side's corners do not depend on its direction, so neighbours still share all of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Geod, Transformer

from geoseg.errors import DataError

OFF = 0.01  # pixels that a side may be off
_ROUNDS = 24  # of halving: a side of 40,000 km comes down to 2.4 m
_WIDE = 60.0  # degrees: what is wider has no simple surroundings in another CRS
_MARGIN = 0.1  # of a map's extent: around it, zones are kept
_CORNERS = 1_000.0  # metres between corners where an area is measured by geodesics
_EARTH_RADIUS = 6.371e6  # metres
_TWICE = 1e-9  # share of the smaller zone: less in common is rounding


@dataclass(frozen=True, slots=True)
class Placed:
    """Zones on a map.

    Args:
        shapes: (z,) valid, in pixels (col, row) of the map; empty where the zone is not near it.
        area_m2: (z,) of the whole zone on the ellipsoid.
        beyond_m2: (z,) of its part that is beyond the map's edges.
    """

    shapes: NDArray[np.object_]
    area_m2: NDArray[np.float64]
    beyond_m2: NDArray[np.float64]


def place(shapes: NDArray[np.object_], crs: CRS, map_crs: CRS, transform: Affine, shape: tuple[int, int]) -> Placed:
    """Puts zones on a map.

    Args:
        shapes: (z,) valid multipolygons in `crs`.
        crs: of the zones.
        map_crs, transform, shape: of the map; corner (col, row) to (x, y), and (height, width).

    Raises:
        DataError: a zone near the map reaches where the map's CRS is not defined.
    """
    height, width = shape
    edge = shapely.box(0, 0, width, height)
    outline = shapely.transform(shapely.segmentize(edge, max(width, height) / 50), lambda xy: _apply(transform, xy))
    near = shapes
    if not crs.equals(map_crs, ignore_axis_order=True):
        near = _nearby(shapes, Transformer.from_crs(map_crs, crs, always_xy=True), outline, crs)
        near = _reprojected(near, Transformer.from_crs(crs, map_crs, always_xy=True), ~transform)
    else:
        near = shapely.transform(near, lambda xy: _apply(~transform, xy))
    broken = ~shapely.is_valid(near)
    near[broken] = shapely.make_valid(near[broken], method="structure", keep_collapsed=False)
    area = ellipsoid_area(shapes, crs)
    inside = np.zeros(len(shapes))
    whole = shapely.within(near, edge) & ~shapely.is_empty(near)
    inside[whole] = area[whole]
    crossing = ~whole & shapely.intersects(near, edge)
    if crossing.any():
        clipped = shapely.intersection(near[crossing], edge)
        inside[crossing] = ellipsoid_area(shapely.transform(clipped, lambda xy: _apply(transform, xy)), map_crs)
    return Placed(near, area, np.maximum(area - inside, 0.0))


def ellipsoid_area(shapes: NDArray[np.object_], crs: CRS) -> NDArray[np.float64]:
    """(z,) m2 of polygons on the ellipsoid of their CRS; what is no polygon in a shape counts nothing.

    Sides get a corner every kilometre and are geodesics between them.

    Source: Karney 2013, doi:10.1007/s00190-012-0578-z.
    """
    geodetic, unit = crs.geodetic_crs, float(crs.axis_info[0].unit_conversion_factor)
    assert geodetic is not None  # PixelArea refuses a CRS without
    to_degrees = Transformer.from_crs(crs, geodetic, always_xy=True)
    turn = geodetic.axis_info[0].unit_conversion_factor * 180 / np.pi
    geod = crs.get_geod()
    assert isinstance(geod, Geod)
    areas = np.zeros(len(shapes))
    metres = _EARTH_RADIUS if crs.is_geographic else 1.0  # in what the unit is a factor of
    polygons, of_polygon = _polygons(shapes)
    if crs.is_geographic:
        polygons, of_polygon = _quarters(polygons, of_polygon, 90 / turn)
    polygons = shapely.segmentize(polygons, _CORNERS / (metres * unit))
    for polygon, zone in zip(polygons, of_polygon.tolist(), strict=True):
        rings = [
            _ring_area(shapely.get_coordinates(ring), to_degrees, turn, geod) for ring in shapely.get_rings(polygon)
        ]
        areas[zone] += rings[0] - sum(rings[1:])
    return areas


def overlaps(shapes: NDArray[np.object_], crs: CRS) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Pairs of zones that lie on one another, (p, 2), and how much they have in common, (p,) m2; the most first."""
    pairs = shapely.STRtree(shapes).query(shapes, predicate="intersects").T
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    pairs = pairs[~shapely.touches(shapes[pairs[:, 0]], shapes[pairs[:, 1]])]
    common = shapely.intersection(shapes[pairs[:, 0]], shapes[pairs[:, 1]])
    smaller = np.minimum(shapely.area(shapes[pairs[:, 0]]), shapely.area(shapes[pairs[:, 1]]))
    real = shapely.area(common) > _TWICE * smaller
    areas = ellipsoid_area(common[real], crs)
    order = np.argsort(-areas, kind="stable")
    return pairs[real][order].astype(np.int64), areas[order]


def _polygons(shapes: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Polygons of shapes, those within collections too, and the number of the shape of each."""
    parts, of_part = shapely.get_parts(shapes, return_index=True)
    inner, of_inner = shapely.get_parts(parts, return_index=True)
    flat = (shapely.get_type_id(inner) == shapely.GeometryType.POLYGON) & ~shapely.is_empty(inner)
    return inner[flat], of_part[of_inner[flat]]


def _quarters(
    polygons: NDArray[np.object_], number: NDArray[np.int64], quarter: float
) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Polygons in longitude and latitude cut at multiples of 90 degrees where they are wider than that, with their
    numbers: a ring around more than half of the Earth would be taken for the rest of it."""
    bounds = shapely.bounds(polygons)
    wide = bounds[:, 2] - bounds[:, 0] > quarter
    if not wide.any():
        return polygons, number
    lunes = shapely.box(quarter * np.arange(-8, 8), -quarter, quarter * np.arange(-7, 9), quarter)
    parts, of_part = _polygons(shapely.intersection(polygons[wide][:, None], lunes).ravel())
    cut = number[wide][of_part // len(lunes)]
    return np.concatenate([polygons[~wide], parts]), np.concatenate([number[~wide], cut])


def _ring_area(corners: NDArray[np.float64], to_degrees: Transformer, turn: float, geod: Geod) -> float:
    lon, lat = to_degrees.transform(corners[:, 0], corners[:, 1])
    return abs(float(geod.polygon_area_perimeter(np.asarray(lon) * turn, np.asarray(lat) * turn)[0]))


def _apply(transform: Affine, xy: NDArray[np.float64]) -> NDArray[np.float64]:
    t, (x, y) = transform, xy.T
    return np.column_stack([t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f])


def _nearby(
    shapes: NDArray[np.object_], to_zones: Transformer, outline: shapely.Geometry, crs: CRS
) -> NDArray[np.object_]:
    """The zones' parts around the map, in their CRS: far away the map's CRS may not be defined, or fold back.

    All of them around a map so wide that its surroundings have no simple shape in the zones' CRS.
    """
    geodetic = crs.geodetic_crs
    assert geodetic is not None
    left, bottom, right, top = to_zones.transform_bounds(*outline.bounds)
    if not np.isfinite([left, bottom, right, top]).all():
        return shapes
    to_degrees = Transformer.from_crs(crs, geodetic, always_xy=True)
    west, south, east, north = (left, bottom, right, top)
    if not crs.is_geographic:
        west, south, east, north = to_degrees.transform_bounds(left, bottom, right, top)
    across = east - west + 360 * (east < west)  # 360 around a pole, where only the latitude says how far it reaches
    if not np.isfinite([west, south, east, north]).all() or _WIDE < across < 360 or north - south > _WIDE:
        return shapes
    if crs.is_geographic and left > right:  # across 180 degrees
        boxes = [_around(left, bottom, right + 360, top), _around(left - 360, bottom, right, top)]
        window = shapely.union_all(boxes)
    else:
        window = _around(left, bottom, right, top)
    inside = shapely.within(shapes, window)
    return np.where(inside, shapes, shapely.intersection(shapes, window))


def _around(left: float, bottom: float, right: float, top: float) -> shapely.Geometry:
    x, y = _MARGIN * (right - left), _MARGIN * (top - bottom)
    return shapely.box(left - x, bottom - y, right + x, top + y)


def _reprojected(shapes: NDArray[np.object_], to_map: Transformer, to_pixels: Affine) -> NDArray[np.object_]:
    """Shapes in pixels, with the corners that bent sides need."""
    polygons, of_polygon = _polygons(shapes)
    rings, of_ring = shapely.get_rings(polygons, return_index=True)
    corners, of_corner = shapely.get_coordinates(rings, return_index=True)
    pixels, of_pixel = _bent(corners, of_corner, to_map, to_pixels)
    rings = shapely.linearrings(pixels, indices=of_pixel) if len(pixels) else np.empty(0, object)
    shells = shapely.polygons(rings, indices=of_ring) if len(rings) else np.empty(0, object)
    out: NDArray[np.object_] = np.full(len(shapes), shapely.MultiPolygon(), dtype=object)
    if len(shells):
        shapely.multipolygons(shells, indices=of_polygon, out=out)
    return out


def _bent(
    corners: NDArray[np.float64], ring: NDArray[np.int64], to_map: Transformer, to_pixels: Affine
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Corners in pixels, with more of them where sides bend, and the ring of each."""

    def pixels_of(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        on_map = np.column_stack(to_map.transform(xy[:, 0], xy[:, 1]))
        if not (defined := np.isfinite(on_map).all(axis=1)).all():
            x, y = xy[np.flatnonzero(~defined)[0]]
            raise DataError(
                f"the zones reach {x:.6g}, {y:.6g}, where the map's CRS is not defined; cut them around the map first"
            )
        return _apply(to_pixels, on_map)

    pixels, asked = pixels_of(corners) if len(corners) else corners, ring[:-1] == ring[1:]
    for _ in range(_ROUNDS):
        at = np.flatnonzero(asked)
        if not len(at):
            break
        a, b, p, q = corners[at], corners[at + 1], pixels[at], pixels[at + 1]
        middle = (a + b) / 2
        placed = pixels_of(middle)
        off = np.abs(placed - (p + q) / 2).max(axis=1)
        for near, far, begin, end in ((a, b, p, q), (b, a, q, p)):  # a bend like an S is straight in the middle
            quarter = pixels_of((3 * near + far) / 4)
            off = np.maximum(off, np.abs(quarter - (3 * begin + end) / 4).max(axis=1))
        at, middle, placed = at[off > OFF], middle[off > OFF], placed[off > OFF]
        corners, pixels = np.insert(corners, at + 1, middle, axis=0), np.insert(pixels, at + 1, placed, axis=0)
        ring = np.insert(ring, at + 1, ring[at])
        asked = np.zeros(len(ring) - 1, dtype=bool)
        new = at + 1 + np.arange(len(at))  # where the middles are now
        asked[new - 1] = asked[new] = True
    return pixels, ring
