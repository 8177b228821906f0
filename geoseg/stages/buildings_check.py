"""Footprints against each other, and against the road pixels of the map."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from geoseg.grid.window import Window
from geoseg.io.label_values import class_entries
from geoseg.io.layers.geoparquet import Groups
from geoseg.io.rasters import Raster
from geoseg.vector.assemble import Polygons
from geoseg.vector.overlaps import Overlap, overlaps_between, own_overlaps, runs

_ROADS = ("road", "roads")
_LEAST = 1e-6  # pixels; overlaps that are smaller come from the rounding of coordinates
_STRIP = 512  # rows of the map that are held


def check_buildings(path: Path, class_map: Raster) -> tuple[dict[str, Any], list[str]]:
    """Figures, areas in pixels, and what does not hold: validity, overlaps with each other and with roads.

    Row groups whose bounds meet are compared in pairs.
    """
    transform = class_map.geobox.transform
    pixel = abs(transform.a * transform.e)
    groups, invalid = Groups(path), 0
    bounds = [groups.bounds(number) for number in range(len(groups))]
    own, with_roads = _Overlaps(pixel), _Overlaps(pixel)
    for number in range(len(groups)):
        shapes = groups.shapes(number)
        invalid += int((~shapely.is_valid(shapes) | shapely.is_empty(shapes)).sum())
        own.add(own_overlaps(shapes, _LEAST * pixel))
        for boxes in _road_boxes(class_map, bounds[number]):
            with_roads.add(overlaps_between(shapes, boxes, _LEAST * pixel))
    for one, other in combinations(range(len(groups)), 2):
        if _meet(bounds[one], bounds[other]):
            own.add(overlaps_between(groups.shapes(one), groups.shapes(other), _LEAST * pixel))
    figures = {
        "footprints": groups.count,
        "invalid": invalid,
        "overlaps": own.count,
        "overlap_px": own.area,
        "road_overlaps": with_roads.count,
        "road_overlap_px": with_roads.area,
        "ignored_below_px": _LEAST,
    }
    return figures, list(_faults(groups.count, invalid, own, with_roads))


class _Overlaps:
    """Overlaps found so far: how many, their area in pixels, and a place of the first."""

    def __init__(self, pixel: float) -> None:
        self.count, self.area, self.place = 0, 0.0, (math.nan, math.nan)
        self._pixel = pixel

    def add(self, found: Overlap) -> None:
        count, area, places = found
        if count and not self.count:
            self.place = (float(places[0, 0]), float(places[0, 1]))
        self.count += count
        self.area += area / self._pixel


def _faults(count: int, invalid: int, own: _Overlaps, with_roads: _Overlaps) -> Iterator[str]:
    if invalid:
        yield f"{invalid} of {count} footprints are not valid"
    for found, what in ((own, "footprints overlap each other"), (with_roads, "footprints overlap road pixels")):
        if found.count:
            yield f"{what} in {found.count} places by {found.area:.4g} pixels, first near {_text(found.place)}"


def _text(place: tuple[float, float]) -> str:
    return f"{place[0]:.10g}, {place[1]:.10g}"


def _road_boxes(class_map: Raster, bounds: NDArray[np.float64]) -> Iterator[Polygons]:
    """Road pixels within some bounds, strip by strip, as rectangles."""
    roads = [value for value, name, _ in class_entries(class_map) or [] if name in _ROADS]
    inside = _window(class_map, bounds)
    if not roads or inside is None:
        return
    for top in range(inside.row_off, inside.row_off + inside.height, _STRIP):
        height = min(_STRIP, inside.row_off + inside.height - top)
        window = Window(inside.col_off, top, inside.width, height)
        mask = np.isin(class_map.read_classes(window), roads)
        if mask.any():
            t = class_map.geobox.transform
            yield runs(mask, Affine(t.a, 0, t.c + t.a * window.col_off, 0, t.e, t.f + t.e * top))


def _window(class_map: Raster, bounds: NDArray[np.float64]) -> Window | None:
    """The pixels that bounds reach, CRS units; None where there are none."""
    if not np.isfinite(bounds).all():
        return None
    t = class_map.geobox.transform
    cols = sorted((x - t.c) / t.a for x in bounds[[0, 2]])
    rows = sorted((y - t.f) / t.e for y in bounds[[1, 3]])
    left, top = math.floor(cols[0]), math.floor(rows[0])
    reach = Window(left, top, max(math.ceil(cols[1]) - left, 1), max(math.ceil(rows[1]) - top, 1))
    return reach.intersect(class_map.window)


def _meet(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    return bool((one[:2] <= other[2:]).all() and (other[:2] <= one[2:]).all())
