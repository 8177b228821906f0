"""Events of change as polygons: one for each connected place of one transition and date, along the map's pixels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import geopandas
import numpy as np
import pandas
import psutil
import shapely
from numpy.typing import NDArray

from geoseg.grid.area import utm_or_equal_area
from geoseg.grid.window import Window
from geoseg.io.pixel_file import PixelFile
from geoseg.io.polygons import CornerFile
from geoseg.io.rasters import Raster
from geoseg.io.vectors import write_layer
from geoseg.raster.coding import CONFIDENCE_STEPS, OUTSIDE
from geoseg.stages.change_guard import Series
from geoseg.stages.change_map import Rules
from geoseg.stages.translate import longest_straight
from geoseg.stats.pixel_area import PixelArea
from geoseg.vector.arcs import Arcs, Regions
from geoseg.vector.assemble import Assembly
from geoseg.vector.earlier import nearest_earlier
from geoseg.vector.generalize import merge_small
from geoseg.vector.polygonize import place
from geoseg.vector.region_stats import RegionStatistics
from geoseg.vector.simplify import simplify
from geoseg.vector.trace import trace
from geoseg.vector.trace_estimate import estimate

KINDS = 253  # pairs of transition and date that a map of events can tell apart
_BATCH = 1_000_000  # corners of polygons held at one time
_THREADS = 2  # strips traced at a time
_NONE = 255  # no value, for `RegionStatistics`


class EventLayer:
    """Events, from the maps of change.

    Args:
        change, probability, dates: as delivered; the last only for three dates or more.
        known: of each changed pixel, strip by strip: date before, class before and after, by index.
        series: what the maps are made from.
        rules: what counted as change.
        rows: of the strips that `known` was written in.
    """

    def __init__(
        self,
        change: Raster,
        probability: Raster,
        dates: Raster | None,
        known: PixelFile,
        series: Series,
        rules: Rules,
        rows: int | None,
    ) -> None:
        self._change, self._probability, self._dates, self._known = change, probability, dates, known
        self._series, self._rules, self._rows = series, rules, rows
        self._area = PixelArea(series.geobox.crs.proj, series.geobox.transform, series.geobox.shape)

    def write(self, stem: Path, tolerance: float, style: str) -> pandas.DataFrame:
        """Writes `stem.parquet`, `stem.geojson` and `stem.qml`; returns the attributes.

        An event is a 4-connected region of one transition that was first seen at one date. Where events of one
        transition touch, those below the smallest area are part of the neighbour with the longest common border.
        Attributes: `event`, its number from 1; `transition`; `from` and `to`, the classes that most of its pixels had
        before and after by the most probable sequence; `area_m2` of its pixels on the ellipsoid; `pixels`;
        `confidence`, the mean probability of the transition; `first_date`, when most of its pixels were last seen as
        they were, and `last_date`, when it was first seen changed; `earlier_event` and `earlier_m`, the nearest event
        of that transition that was seen at an earlier date and how far it is, null where there is none. Events come
        by their first pixel, row by row.

        Raises:
            MachineError: a file cannot be written, or there is more change than can be traced.
        """
        room = psutil.virtual_memory().available
        estimate(self._strips()).require(room, str(self._change.path), "change")
        arcs, regions = trace(self._strips(), threads=_THREADS, scratch=CornerFile(stem.parent))
        arcs, regions = self._merged(arcs, regions)
        coordinates, starts = simplify(arcs, tolerance, _THREADS) if tolerance else (arcs.corners, arcs.starts)
        attributes = self._attributes(arcs, regions)
        assembly = Assembly(arcs.left, arcs.right, coordinates, starts, len(regions))
        if self._dates is not None:
            attributes = attributes.assign(**self._earlier(assembly, regions))
        crs = self._series.geobox.crs.proj
        write_layer(
            lambda: self._frames(assembly, attributes), stem, ["parquet", "geojson"], style, longest_straight(crs)
        )
        return attributes

    def _strips(self) -> Iterator[NDArray[np.uint8]]:
        """Transition and date as one value from 1, everything else outside: it needs no polygons."""
        kinds = len(self._rules.named)
        for window in self._series.strips(self._rows):
            code = self._change.read_classes(window)
            changed = (code >= 1) & (code <= kinds)
            if self._dates is not None:
                code = code + kinds * (self._dates.read_classes(window) - np.uint8(1))
            yield np.where(changed, code, OUTSIDE).astype(np.uint8)

    def _merged(self, arcs: Arcs, regions: Regions) -> tuple[Arcs, Regions]:
        """Without small pieces of a large event that seem to have changed at another date."""
        if self._dates is None or not len(regions):
            return arcs, regions
        kinds = ((np.arange(256) - 1) % len(self._rules.named)).astype(np.uint8)
        height, width = self._series.geobox.shape
        pixel = float(self._area(Window(width // 2, height // 2, 1, 1))[0, 0])  # near enough for parts of one event
        areas = regions.pixels.astype(np.float64) * pixel
        return merge_small(arcs, regions, areas, self._rules.smallest, kinds)[:2]

    def _attributes(self, arcs: Arcs, regions: Regions) -> pandas.DataFrame:
        """One row an event."""
        count, width = len(regions), self._change.shape[1]
        sums, first, before, after = (RegionStatistics(arcs, count, width) for _ in range(4))
        kinds = len(self._rules.named)
        for number, window in enumerate(self._series.strips(self._rows)):
            code, areas = self._change.read_classes(window), self._area(window)
            sums.add(areas, self._probability.read_classes(window))
            layers = self._known.read(number, (code >= 1) & (code <= kinds), _NONE)
            for statistics, layer in zip((first, before, after), layers, strict=True):
                statistics.add(areas, layer)
        found, names = sums.finish(), [*self._series.names, ""]
        days = [dated.date.isoformat() for dated in self._series.dates]
        kind, last = self._told(regions)
        return pandas.DataFrame(
            {
                "event": np.arange(1, count + 1),
                "transition": _texts([self._rules.named[k].name for k in kind.tolist()]),
                "from": _texts([names[value] for value in before.most_frequent().tolist()]),
                "to": _texts([names[value] for value in after.most_frequent().tolist()]),
                "area_m2": found.area,
                "pixels": found.pixels,
                "confidence": found.mean / CONFIDENCE_STEPS,
                "first_date": _texts([days[date] for date in first.most_frequent().tolist()]),
                "last_date": _texts([days[date] for date in last.tolist()]),
            }
        )

    def _told(self, regions: Regions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Transition and date, by index, that the value of each region stands for."""
        step, kind = np.divmod(regions.values.astype(np.int64) - 1, len(self._rules.named))
        return kind, step + 1

    def _earlier(self, assembly: Assembly, regions: Regions) -> dict[str, pandas.api.extensions.ExtensionArray]:
        """The nearest event of an earlier date: its number, and metres between the outlines."""
        pieces = [assembly.polygons(first, last) for first, last in assembly.batches(_BATCH)]
        polygons = np.concatenate([place(p, self._series.geobox.transform) for p in pieces] or [np.empty(0, object)])
        crs = self._series.geobox.crs.proj
        plane = geopandas.GeoSeries(polygons, crs=crs)
        if crs.is_geographic:
            plane = plane.to_crs(utm_or_equal_area(shapely.box(*self._series.geobox.boundingbox.bbox)))
        found, distance = nearest_earlier(plane.to_numpy(), *self._told(regions))
        metres = distance * plane.crs.axis_info[0].unit_conversion_factor
        return {
            "earlier_event": pandas.array([number + 1 if number >= 0 else None for number in found.tolist()], "Int64"),
            "earlier_m": pandas.array(metres, dtype="Float64"),
        }

    def _frames(self, assembly: Assembly, attributes: pandas.DataFrame) -> Iterator[geopandas.GeoDataFrame]:
        """The layer, some polygons at a time; one empty frame where there are none."""
        geobox = self._series.geobox
        for first, last in list(assembly.batches(_BATCH)) or [(0, 0)]:
            placed = place(assembly.polygons(first, last), geobox.transform)
            rows = attributes.iloc[first:last].reset_index(drop=True)
            yield geopandas.GeoDataFrame(rows, geometry=placed, crs=geobox.crs.proj)


def _texts(values: list[str]) -> pandas.api.extensions.ExtensionArray:
    return pandas.array(values, dtype="string")
