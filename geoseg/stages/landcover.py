"""Land-cover polygons from the maps of classes and confidence: traced, cleaned, simplified as one coverage, written.

Everything is done on arcs, the boundaries that two regions share, so that what is done to one polygon is done to its
neighbour as well, and the layer has neither gaps nor overlaps nor lines of tiles in it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
import pandas
import psutil
from numpy.typing import NDArray

from geoseg.config import Vectors
from geoseg.errors import DataError
from geoseg.grid.window import Window
from geoseg.io.commit import write_json
from geoseg.io.label_values import class_entries
from geoseg.io.map_pair import open_maps
from geoseg.io.polygons import CornerFile, class_strips
from geoseg.io.rasters import Raster
from geoseg.io.vectors import write_layer
from geoseg.raster.coding import UNOBSERVED
from geoseg.stats.pixel_area import PixelArea
from geoseg.vector.arcs import Arcs, Regions
from geoseg.vector.assemble import Assembly
from geoseg.vector.generalize import merge_small
from geoseg.vector.polygonize import place
from geoseg.vector.region_stats import RegionStatistics, border_share
from geoseg.vector.simplify import simplify
from geoseg.vector.smooth import smooth
from geoseg.vector.trace import trace
from geoseg.vector.trace_estimate import estimate

log = logging.getLogger(__name__)

FULL_CONFIDENCE = 250  # stored value of p = 1
SMALL = 9  # pixels: smaller regions are specks, unless the analyst says otherwise
SMOOTHED = 0.5  # pixels that rounding may move a boundary, on top of what simplifying may
_BATCH = 1_000_000  # corners of polygons held at one time
_THREADS = 2  # strips traced at a time


@dataclass(frozen=True, slots=True)
class Boundaries:
    """A map's regions as they are written, and what that took.

    Args:
        arcs, regions: exact, after regions that were too small have gone.
        coordinates, starts: the arcs as they are drawn.
        tolerance: pixels that these may be off.
        small: (256,) pixels of each class in regions that have gone.
    """

    arcs: Arcs
    regions: Regions
    coordinates: NDArray[np.float64] | NDArray[np.int32]
    starts: NDArray[np.int64]
    tolerance: float
    small: NDArray[np.int64]


def landcover_of_map(classes: Path, confidence: Path, figures: Path, asked: Vectors) -> None:
    """Writes `landcover.parquet` beside a map that geoseg made, and figures as JSON.

    A polygon is a 4-connected region of one class; pixels inside the area that were not observed (254) make polygons
    too, of class `unobserved`. Regions under `min_area` are part of a neighbour. Attributes: `class`, `name`, `area_m2`
    of its pixels on the ellipsoid, `pixels`, `confidence` (mean of p over its pixels, 0 to 1) and `confidence_p10` (a
    tenth of its pixels are no surer), both null where nothing was observed, and `unobserved_border`, the share of its
    border beyond which nothing was observed. Polygons come by their first pixel, row by row.

    Neither the maps nor the polygons are held in memory, and the corners as traced lie on disk: see
    `geoseg.vector.trace`. Simplifying holds about 60 bytes a corner.

    Raises:
        DataError: the maps do not fit each other, or the map does not name its classes.
        MachineError: a file cannot be written, or the map is so noisy that its polygons would not fit.
    """
    with open_maps(classes, confidence) as (class_map, confidence_map):
        names = _names(class_map)
        estimate(class_strips(class_map)).require(psutil.virtual_memory().available, str(classes))
        drawn = draw(class_map, asked, classes.parent / "work")
        _require_named(drawn.regions, names, class_map)
        attributes = _attributes(drawn, names, class_map, confidence_map)
        assembly = Assembly(drawn.arcs.left, drawn.arcs.right, drawn.coordinates, drawn.starts, len(drawn.regions))
        write_layer(
            lambda: _frames(assembly, attributes, class_map), classes.parent / "landcover", ["parquet"], None, None
        )
    log.info("%s: %d polygons", classes.name, len(drawn.regions))
    write_json(figures, _figures(drawn, attributes, names))


def draw(class_map: Raster, asked: Vectors, scratch: Path) -> Boundaries:
    """Regions of a map and their boundaries, as an analyst asked for them.

    Args:
        class_map: uint8, 254 not observed, 255 outside.
        asked: how.
        scratch: folder for what does not fit in memory.
    """
    arcs, traced = trace(class_strips(class_map), threads=_THREADS, scratch=CornerFile(scratch))
    arcs, regions, small = _cleaned(arcs, traced, asked, class_map)
    coordinates, starts, tolerance = arcs.corners, arcs.starts, asked.simplify
    if asked.simplify:
        coordinates, starts = simplify(arcs, asked.simplify, _THREADS)
    if asked.smooth:
        coordinates, starts = smooth(arcs, np.asarray(coordinates, np.float64), starts, SMOOTHED)
        tolerance += SMOOTHED
    return Boundaries(arcs, regions, coordinates, starts, tolerance, small)


def _cleaned(arcs: Arcs, traced: Regions, asked: Vectors, class_map: Raster) -> tuple[Arcs, Regions, NDArray[np.int64]]:
    """Without regions that are too small; and (256,) pixels of each class in those."""
    if asked.min_area == 0 or not len(traced):
        return arcs, traced, np.zeros(256, np.int64)
    areas, smallest = traced.pixels.astype(np.float64), float(SMALL)
    if asked.min_area != "auto":
        areas, smallest = areas * _pixel_areas(arcs, len(traced), class_map), asked.min_area
    arcs, regions, new_of_old = merge_small(arcs, traced, areas, smallest)
    gone = regions.values[new_of_old] != traced.values
    small = np.bincount(traced.values[gone], traced.pixels[gone], 256)
    return arcs, regions, np.rint(small).astype(np.int64)


def _pixel_areas(arcs: Arcs, count: int, class_map: Raster) -> NDArray[np.float64]:
    """(r,) m2 of a pixel in the topmost row of each region: exact enough where areas matter, for the small ones."""
    height, width = class_map.shape
    tops = np.minimum.reduceat(arcs.corners[:, 1], arcs.starts[:-1])
    first = np.full(count, height - 1)
    for side in (arcs.left, arcs.right):
        np.minimum.at(first, side[side >= 0], tops[side >= 0])
    of_rows = PixelArea(class_map.crs, class_map.geobox.transform, class_map.shape)(Window(width // 2, 0, 1, height))
    return of_rows[first, 0]


def _attributes(
    drawn: Boundaries, names: Mapping[int, str], class_map: Raster, confidence_map: Raster
) -> pandas.DataFrame:
    """One row a region."""
    width = class_map.shape[1]
    area = PixelArea(class_map.crs, class_map.geobox.transform, class_map.shape)
    values, top = drawn.regions.values, 0
    sums = RegionStatistics(drawn.arcs, len(values), width)
    for stored in class_strips(confidence_map):
        window = Window(0, top, width, len(stored))
        sums.add(area(window), stored)
        top += len(stored)
    found = sums.finish()
    t = class_map.geobox.transform
    unseen = values == UNOBSERVED
    known = np.where(unseen, np.nan, found.mean)
    return pandas.DataFrame(
        {
            "class": values.astype(np.int32),
            "name": pandas.array([names[value] for value in values.tolist()], dtype="string"),
            "area_m2": found.area,
            "pixels": found.pixels,
            "confidence": known / FULL_CONFIDENCE,
            "confidence_p10": np.where(unseen, np.nan, found.decile) / FULL_CONFIDENCE,
            "unobserved_border": border_share(drawn.arcs, unseen, abs(t.a), abs(t.e)),
        }
    )


def _frames(assembly: Assembly, attributes: pandas.DataFrame, class_map: Raster) -> Iterator[geopandas.GeoDataFrame]:
    """The layer, some polygons at a time; one empty frame where there are none."""
    crs, transform = class_map.crs, class_map.geobox.transform
    for first, last in list(assembly.batches(_BATCH)) or [(0, 0)]:
        placed = place(assembly.polygons(first, last), transform)
        rows = attributes.iloc[first:last].reset_index(drop=True)
        yield geopandas.GeoDataFrame(rows, geometry=placed, crs=crs)


def _figures(drawn: Boundaries, attributes: pandas.DataFrame, names: Mapping[int, str]) -> dict[str, object]:
    by_class = attributes.groupby("class")
    area, count = by_class["area_m2"].sum(), by_class.size()
    return {
        "features": len(attributes),
        "area_m2": {name: float(area.get(value, 0.0)) for value, name in names.items()},
        "class_polygons": {name: int(count.get(value, 0)) for value, name in names.items()},
        "generalized": {
            "tolerance_px": drawn.tolerance,
            "small_pixels": {name: int(drawn.small[value]) for value, name in names.items() if drawn.small[value]},
        },
    }


def _names(class_map: Raster) -> dict[int, str]:
    """Of the map's classes, by value, what was not observed included."""
    entries = class_entries(class_map)
    if entries is None:
        raise DataError(f"{class_map.path} does not name its classes; name a landcover.tif that geoseg made")
    return {UNOBSERVED: "unobserved", **{value: name for value, name, _ in entries}}


def _require_named(regions: Regions, names: Mapping[int, str], class_map: Raster) -> None:
    unknown = sorted(set(np.unique(regions.values).tolist()) - set(names))
    if unknown:
        raise DataError(
            f"{class_map.path} holds the values {', '.join(map(str, unknown))}, which are none of its classes "
            f"({', '.join(f'{value} {name}' for value, name in sorted(names.items()))}). It was changed after it was "
            "made: make it again."
        )
