"""Events of change as polygons: one for each connected place of one transition, along the map's pixels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import geopandas
import numpy as np
import pandas
import psutil
from numpy.typing import NDArray

from geoseg.io.polygons import CornerFile, class_strips
from geoseg.io.rasters import Raster
from geoseg.io.vectors import write_layer
from geoseg.raster.coding import CONFIDENCE_STEPS, OUTSIDE
from geoseg.raster.named_transitions import Pairs
from geoseg.stages.change_guard import Pair
from geoseg.stages.translate import longest_straight
from geoseg.stats.pixel_area import PixelArea
from geoseg.vector.arcs import Arcs, Regions
from geoseg.vector.assemble import Assembly
from geoseg.vector.polygonize import place
from geoseg.vector.region_stats import RegionStatistics
from geoseg.vector.simplify import simplify
from geoseg.vector.trace import trace
from geoseg.vector.trace_estimate import estimate

_BATCH = 1_000_000  # corners of polygons held at one time
_THREADS = 2  # strips traced at a time
_NONE = 255  # no value, for `RegionStatistics`


def write_events(
    change: Raster, probability: Raster, pair: Pair, named: list[Pairs], stem: Path, tolerance: float
) -> pandas.DataFrame:
    """Writes events as `stem.parquet` and `stem.geojson`; returns their attributes.

    An event is a 4-connected region of one transition. Attributes: `transition`, `from` and `to` (the class that most
    of its pixels were mapped as, of those that the transition goes from or to), `area_m2` of its pixels on the
    ellipsoid, `pixels`, `confidence` (mean probability of the transition), `first_date` and `last_date`: the ground
    was seen unchanged on the one and changed on the other. Events come by their first pixel, row by row.

    Raises:
        MachineError: a file cannot be written, or there is more change than can be traced.
    """
    kinds = len(named)
    estimate(_only_events(change, kinds)).require(psutil.virtual_memory().available, str(change.path))
    arcs, regions = trace(_only_events(change, kinds), threads=_THREADS, scratch=CornerFile(stem.parent))
    coordinates, starts = simplify(arcs, tolerance, _THREADS) if tolerance else (arcs.corners, arcs.starts)
    attributes = _attributes(arcs, regions, change, probability, pair, named)
    assembly = Assembly(arcs.left, arcs.right, coordinates, starts, len(regions))
    crs = pair.geobox.crs.proj
    write_layer(lambda: _frames(assembly, attributes, pair), stem, ["parquet", "geojson"], None, longest_straight(crs))
    return attributes


def _only_events(change: Raster, kinds: int) -> Iterator[NDArray[np.uint8]]:
    """The map with everything outside that is no transition: it needs no polygons."""
    for strip in class_strips(change):
        yield np.where((strip >= 1) & (strip <= kinds), strip, OUTSIDE).astype(np.uint8)


def _attributes(
    arcs: Arcs, regions: Regions, change: Raster, probability: Raster, pair: Pair, named: list[Pairs]
) -> pandas.DataFrame:
    """One row an event."""
    width = change.shape[1]
    area = PixelArea(pair.geobox.crs.proj, change.geobox.transform, change.shape)
    sums, before, after = (RegionStatistics(arcs, len(regions), width) for _ in range(3))
    starting, ending = _members([p.before for p in named]), _members([p.after for p in named])
    for window in pair.strips():
        code, (one, two) = change.read_classes(window), pair.read(window)
        areas = area(window)
        sums.add(areas, probability.read_classes(window))
        before.add(areas, np.where(starting[code, one.classes], one.classes, _NONE).astype(np.uint8))
        after.add(areas, np.where(ending[code, two.classes], two.classes, _NONE).astype(np.uint8))
    found, names = sums.finish(), [*pair.before.names, ""]
    return pandas.DataFrame(
        {
            "transition": _texts([named[value - 1].name for value in regions.values.tolist()]),
            "from": _texts([names[value] for value in before.most_frequent().tolist()]),
            "to": _texts([names[value] for value in after.most_frequent().tolist()]),
            "area_m2": found.area,
            "pixels": found.pixels,
            "confidence": found.mean / CONFIDENCE_STEPS,
            "first_date": _texts([pair.before.date.isoformat()] * len(regions)),
            "last_date": _texts([pair.after.date.isoformat()] * len(regions)),
        }
    )


def _members(sets: list[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """(256, 256), whether a transition, by its value in the map, counts a class."""
    table = np.zeros((256, 256), bool)
    for value, classes in enumerate(sets, start=1):
        table[value, : len(classes)] = classes
    return table


def _texts(values: list[str]) -> pandas.api.extensions.ExtensionArray:
    return pandas.array(values, dtype="string")


def _frames(assembly: Assembly, attributes: pandas.DataFrame, pair: Pair) -> Iterator[geopandas.GeoDataFrame]:
    """The layer, some polygons at a time; one empty frame where there are none."""
    for first, last in list(assembly.batches(_BATCH)) or [(0, 0)]:
        placed = place(assembly.polygons(first, last), pair.geobox.transform)
        rows = attributes.iloc[first:last].reset_index(drop=True)
        yield geopandas.GeoDataFrame(rows, geometry=placed, crs=pair.geobox.crs.proj)
