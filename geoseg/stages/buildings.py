"""Building footprints from the maps of classes and confidence, or from the objects of a detector."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
import pandas
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from geoseg.grid.instance import Instance
from geoseg.grid.window import Window
from geoseg.io.map_pair import open_maps
from geoseg.io.rasters import Raster
from geoseg.raster.components import components
from geoseg.raster.touching import fill_holes, narrow_apart, sites_of
from geoseg.raster.watershed import split
from geoseg.vector.footprints import CIRCLE, MARGIN, OUTLINE, REGULAR, FootprintRules, Site, footprints
from geoseg.vector.ground import Ground, measures
from geoseg.vector.polygonize import place

log = logging.getLogger(__name__)

UNOBSERVED, NO_CONFIDENCE, FULL_CONFIDENCE = 254, 255, 250
STRIP = 512  # rows read at a time
_WALL = 0.6  # times the side of the smaller building: with less in common, two buildings are drawn each by itself


@dataclass(frozen=True, slots=True)
class BuildingSettings:
    """How buildings are found and drawn.

    Args:
        min_area: m2; smaller buildings are left out.
        max_hole: m2; smaller holes are filled, unless there is a road or another building in them.
        neck: buildings that touch are apart where the saddle between them is below this share of the lower peak.
        rules: what footprints keep to.
    """

    min_area: float
    max_hole: float
    neck: float
    rules: FootprintRules


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """Buildings that touch, before it is known where on the Earth they are."""

    window: Window
    labels: NDArray[np.int32]
    roads: NDArray[np.bool_]
    confidence: NDArray[np.float64]  # (m,) of each label
    score: NDArray[np.float64]  # (m,)
    pixels: NDArray[np.int64]  # (m,)


def buildings(
    classes: Path, confidence: Path, building: int, road: int | None, settings: BuildingSettings
) -> tuple[geopandas.GeoDataFrame, dict[str, object]]:
    """Footprints of the building class, in the map's CRS, ordered by first pixel; and figures.

    The layer has `area_m2` and `perimeter_m` on the ellipsoid, `orientation_deg` (of the long side, from north
    clockwise, 0 to 180), `confidence` (mean of p over its pixels; null where there is none), `status` (`regular`,
    `circle`, or `outline` where no regular footprint is good enough), `score` (null) and `pixels`.

    The maps are read in strips. Held are a strip, the components that it leaves open, and of all buildings the
    pixels and outlines (some 10 kB each).

    Args:
        classes: uint8 map, 254 not observed, 255 outside.
        confidence: uint8 map on the same grid, p x 250, 255 none.
        building: class index.
        road: class index that footprints keep off; None where the map has no such class.
        settings: how.

    Returns:
        The layer; `buildings`, `by_status`, `area_m2`, `components` and `too_small`.

    Raises:
        DataError: a map that cannot be read, or maps that are not on one grid.
    """
    with open_maps(classes, confidence) as (class_map, confidence_map):
        ground = Ground(class_map.crs, class_map.geobox.transform)
        found, small, count = [], 0, 0
        for part in components(_strips(class_map, building), building):
            count += 1
            pixel = _pixel_area(ground, part.window)
            if part.pixels * pixel < settings.min_area:
                small += 1
            else:
                found.extend(_places(part, class_map, confidence_map, road, settings, pixel))
        layer = _layer(found, ground, class_map.geobox, settings.rules)
    return layer, {**_figures(layer), "components": count, "too_small": small}


def detected_buildings(
    objects: Sequence[Instance], geobox: GeoBox, settings: BuildingSettings
) -> tuple[geopandas.GeoDataFrame, dict[str, object]]:
    """Footprints of a detector's objects of the building class. `score` is theirs, `confidence` null.

    Of an object in several pieces the largest is taken.

    Args:
        objects: of which no two share a pixel, in pixels of `geobox`.
        geobox: where they are.
        settings: how; `neck` is not used.
    """
    ground = Ground(geobox.crs.proj, geobox.transform)
    found = []
    large = [o for o in objects if o.pixels * _pixel_area(ground, o.window) >= settings.min_area]
    for window, labels, members in sites_of(large, lambda w: settings.max_hole / _pixel_area(ground, w)):
        scores = np.array([m.score for m in members])
        for inner, own, at in narrow_apart(labels, _WALL):
            roads = np.zeros(inner.grow(MARGIN).shape, dtype=bool)
            pixels = np.bincount(own.ravel())[1:]
            place = inner.shift(window.col_off, window.row_off)
            found.append(_Place(place, own, roads, np.full(len(at), np.nan), scores[at - 1], pixels))
    layer = _layer(found, ground, geobox, settings.rules)
    return layer, {**_figures(layer), "components": len(objects), "too_small": len(objects) - len(large)}


def _strips(raster: Raster, building: int) -> Iterator[tuple[Window, NDArray[np.bool_]]]:
    for top in range(0, raster.window.height, STRIP):
        window = Window(0, top, raster.window.width, min(STRIP, raster.window.height - top))
        yield window, raster.read_classes(window) == building


def _places(
    part: Instance,
    class_map: Raster,
    confidence_map: Raster,
    road: int | None,
    settings: BuildingSettings,
    pixel: float,
) -> Iterator[_Place]:
    """One component, taken apart."""
    outer = part.window.grow(MARGIN)
    near = outer.intersect(class_map.window)
    assert near is not None  # the component is in it
    values = np.full(outer.shape, 255, np.uint8)
    values[near.within(outer).slices] = class_map.read_classes(near)
    inner = values[MARGIN:-MARGIN, MARGIN:-MARGIN]
    kept = (inner == road) | (inner == part.index) | (inner >= UNOBSERVED)
    filled = fill_holes(part.mask, kept, int(settings.max_hole / pixel))
    stored = confidence_map.read_classes(part.window)
    known = part.mask & (stored != NO_CONFIDENCE)
    probability = np.where(known, stored, FULL_CONFIDENCE) / FULL_CONFIDENCE
    labels = split(filled, probability, settings.neck, max(1, int(np.ceil(settings.min_area / pixel))))
    mean = _means(stored / FULL_CONFIDENCE, np.where(known, labels, 0), int(labels.max()))
    pixels = np.bincount(np.where(part.mask, labels, 0).ravel(), minlength=len(mean) + 1)[1:]
    roads = values == road if road is not None else np.zeros(values.shape, dtype=bool)
    for window, own, members in narrow_apart(labels, _WALL):
        beside = roads[window.row_off : window.bottom + 2 * MARGIN, window.col_off : window.right + 2 * MARGIN]
        place = window.shift(part.window.col_off, part.window.row_off)
        at = members - 1
        yield _Place(place, own, beside, mean[at], np.full(len(at), np.nan), pixels[at])


def _means(values: NDArray[np.float64], labels: NDArray[np.int32], count: int) -> NDArray[np.float64]:
    """Mean under each label from 1, (count,); NaN where it has no pixel."""
    pixels = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    sums = np.bincount(labels.ravel(), weights=values.ravel(), minlength=count + 1)[1:]
    return np.where(pixels > 0, sums / np.maximum(pixels, 1), np.nan)


def _pixel_area(ground: Ground, window: Window) -> float:
    """Of the pixels in the middle of a window, m2."""
    return float(abs(np.linalg.det(ground.at(_middle([window]))[1][0])))


def _middle(windows: Sequence[Window]) -> NDArray[np.float64]:
    """(n, 2) col, row."""
    return np.array([(w.col_off + w.width / 2, w.row_off + w.height / 2) for w in windows]).reshape(-1, 2)


def _layer(found: Sequence[_Place], ground: Ground, geobox: GeoBox, rules: FootprintRules) -> geopandas.GeoDataFrame:
    """Footprints of all sites, one row each."""
    found = sorted(found, key=lambda p: (p.window.row_off, p.window.col_off + int((p.labels[0] > 0).argmax())))
    centres, sides = ground.at(_middle([p.window for p in found]))
    sites = [Site(p.window, p.labels, s, c, p.roads) for p, s, c in zip(found, sides, centres, strict=True)]
    drawn = footprints(sites, rules)
    owner = np.repeat(np.arange(len(found)), [len(d) for d in drawn])
    flat = [footprint for parts in drawn for footprint in parts]
    polygons = np.array([polygon for polygon, _ in flat], dtype=object)
    own = [measures(polygon, ground, sides[i]) for polygon, i in zip(polygons, owner, strict=True)]
    columns = {
        "area_m2": np.array([m.area for m in own], dtype=np.float64),
        "perimeter_m": np.array([m.perimeter for m in own], dtype=np.float64),
        "orientation_deg": np.array([m.orientation for m in own], dtype=np.float64),
        "confidence": _joined([p.confidence for p in found], np.float64),
        "status": pandas.array([status for _, status in flat], dtype="string"),
        "score": _joined([p.score for p in found], np.float64),
        "pixels": _joined([p.pixels for p in found], np.int64),
    }
    placed = shapely.orient_polygons(place(polygons, geobox.transform))
    return geopandas.GeoDataFrame(columns, geometry=placed, crs=geobox.crs.proj)


def _joined(parts: Sequence[NDArray[np.generic]], dtype: type) -> NDArray[np.generic]:
    return np.concatenate([np.empty(0, dtype), *parts]).astype(dtype)


def _figures(layer: geopandas.GeoDataFrame) -> dict[str, object]:
    counts = Counter(layer["status"].tolist())
    return {
        "buildings": len(layer),
        "by_status": {status: counts.get(status, 0) for status in (REGULAR, CIRCLE, OUTLINE)},
        "area_m2": float(layer["area_m2"].sum()),
    }
