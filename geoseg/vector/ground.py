"""Pixels of a map as metres on the ground, at any place of any CRS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Geod, Transformer

from geoseg.errors import DataError

_STEP = 16.0  # pixels to both sides over which sides of pixels are measured


class Ground:
    """Where the pixels of one map are on the ellipsoid of its CRS.

    Args:
        crs: projected or geographic, any unit.
        transform: pixel corner (col, row) to (x, y), x east or longitude first.
    """

    def __init__(self, crs: CRS, transform: Affine) -> None:
        geodetic = crs.geodetic_crs
        if geodetic is None or crs.ellipsoid is None:
            raise DataError(
                f"{crs.name} is not tied to the Earth, so lengths have no metres; write the map in UTM, say"
            )
        self._transform = transform
        self._to_geodetic = Transformer.from_crs(crs, geodetic, always_xy=True)
        self._to_degrees = np.rad2deg(geodetic.axis_info[0].unit_conversion_factor)
        self._a, b = crs.ellipsoid.semi_major_metre, crs.ellipsoid.semi_minor_metre
        self._e2 = 1 - (b / self._a) ** 2
        self._geod = Geod(a=self._a, b=b)

    def degrees(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Longitude and latitude, (n, 2), of places (col, row)."""
        t, (col, row) = self._transform, pixels.T
        places = self._to_geodetic.transform(t.a * col + t.b * row + t.c, t.d * col + t.e * row + t.f)
        return np.column_stack(places) * self._to_degrees

    def at(self, pixels: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Places (col, row), (n, 2), in earth-centred metres, (n, 3); and metres east and south of a step of one
        column and of one row there, (n, 2, 2), its last axis the step."""
        lon, lat = np.deg2rad(self.degrees(pixels)).T
        east = np.stack([-np.sin(lon), np.cos(lon), np.zeros_like(lon)], axis=1)
        south = np.stack([np.sin(lat) * np.cos(lon), np.sin(lat) * np.sin(lon), -np.cos(lat)], axis=1)
        steps = []
        for way in ([_STEP, 0.0], [0.0, _STEP]):
            side = (self._space(pixels + way) - self._space(pixels - way)) / (2 * _STEP)
            steps.append(np.stack([(side * east).sum(axis=1), (side * south).sum(axis=1)], axis=1))
        return self._space(pixels), np.stack(steps, axis=2)

    def measure(self, polygon: shapely.Polygon) -> tuple[float, float]:
        """Area in m2 and length of all rings in m of a polygon in pixels, on the ellipsoid."""
        area, length = self._geod.geometry_area_perimeter(shapely.transform(polygon, self.degrees))
        return abs(float(area)), float(length)

    def _space(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        lon, lat = np.deg2rad(self.degrees(pixels)).T
        normal = self._a / np.sqrt(1 - self._e2 * np.sin(lat) ** 2)
        across = normal * np.cos(lat)
        return np.stack([across * np.cos(lon), across * np.sin(lon), normal * (1 - self._e2) * np.sin(lat)], axis=1)


@dataclass(frozen=True, slots=True)
class Measures:
    """Area in m2, perimeter in m, and degrees of the long side from north clockwise, 0 to 180."""

    area: float
    perimeter: float
    orientation: float


def measures(polygon: shapely.Polygon, ground: Ground, sides: NDArray[np.float64]) -> Measures:
    """Of a footprint in pixels; `sides` (2, 2) are metres east and south of a column and a row there."""
    corners = shapely.get_coordinates(shapely.oriented_envelope(polygon)) @ sides.T
    edges = np.diff(corners[:3], axis=0)
    if not len(edges):
        return Measures(*ground.measure(polygon), 0.0)
    east, south = edges[np.argmax(np.round(np.hypot(*edges.T), 6))]
    return Measures(*ground.measure(polygon), float(np.rad2deg(np.arctan2(east, -south)) % 180))
