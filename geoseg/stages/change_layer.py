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
from geoseg.io.polygons import CornerFile
from geoseg.io.rasters import Raster
from geoseg.io.strip_file import StripFile
from geoseg.io.vectors import write_layer
from geoseg.raster.coding import CONFIDENCE_STEPS, OUTSIDE, UNOBSERVED
from geoseg.stages.change_guard import Series
from geoseg.stages.change_rules import Rules
from geoseg.stages.translate import longest_straight
from geoseg.stats.pixel_area import PixelArea
from geoseg.vector.arcs import Arcs, Regions
from geoseg.vector.assemble import Assembly
from geoseg.vector.earlier import nearest_earlier
from geoseg.vector.generalize import merge_small
from geoseg.vector.polygonize import place
from geoseg.vector.region_stats import RegionRows, RegionStatistics
from geoseg.vector.simplify import simplify
from geoseg.vector.trace import trace
from geoseg.vector.trace_estimate import estimate

KINDS = 253  # pairs of transition and date that a map of events can tell apart
KNOWN = ("date before", "date that first shows it", "class before", "class after")
_BATCH = 1_000_000  # corners of polygons held at one time
_THREADS = 2  # strips traced at a time
_NONE = 255  # no value, for `RegionStatistics`


class EventLayer:
    """Events, from the maps of change.

    An event is a 4-connected region of one transition that was first seen at one date. Where events of one transition
    touch, those below the smallest area belong to the neighbour with the longest common border, and have its date.

    Args:
        change, probability: as delivered.
        known: of each changed pixel, strip by strip, `KNOWN` by index.
        series: what the maps are made from.
        rules: what counted as change.
        rows: of the strips that `known` was written in.

    Raises:
        MachineError: there is more change than can be traced, or the disk is full.
    """

    def __init__(
        self, change: Raster, probability: Raster, known: StripFile, series: Series, rules: Rules, rows: int | None
    ) -> None:
        self._change, self._probability, self._known = change, probability, known
        self._series, self._rules, self._rows = series, rules, rows
        self._area = PixelArea(series.geobox.crs.proj, series.geobox.transform, series.geobox.shape)
        room = psutil.virtual_memory().available
        estimate(self._strips()).require(room, str(change.path), "change")
        arcs, regions = trace(self._strips(), threads=_THREADS, scratch=CornerFile(change.path.parent))
        self._arcs, self._regions = self._merged(arcs, regions)

    def dates(self) -> Iterator[tuple[Window, NDArray[np.uint8]]]:
        """Index of the date that first shows each pixel's event; 0 no change, 254 not seen twice, 255 outside."""
        made = self._date_rows()
        for window in self._series.strips(self._rows):
            code, date = self._change.read_classes(window), made.next(window.height)
            yield window, np.where(code >= UNOBSERVED, code, date)

    def write(self, stem: Path, tolerance: float, style: str) -> pandas.DataFrame:
        """Writes `stem.parquet`, `stem.geojson` and `stem.qml`; returns the attributes.

        Attributes: `event`, its number from 1; `transition`; `from` and `to`, the classes that most of its pixels had
        before and after by the most probable sequence; `area_m2` of its pixels on the ellipsoid; `pixels`;
        `confidence`, the mean probability of the transition; `first_date`, when most of its pixels were last seen as
        they were, and `last_date`, when it was first seen changed. In a series, `earlier_event` and `earlier_m`: the
        nearest event of that transition that was seen at an earlier date and how far it is, null where there is none.
        Events come by their first pixel, row by row.

        Raises:
            MachineError: a file cannot be written.
        """
        arcs = self._arcs
        coordinates, starts = arcs.corners, arcs.starts
        if tolerance:
            coordinates, starts = simplify(arcs, tolerance, _THREADS, outside=True)
        attributes = self._attributes()
        assembly = Assembly(arcs.left, arcs.right, coordinates, starts, len(self._regions))
        if len(self._series.dates) > 2:
            attributes = attributes.assign(**self._earlier(assembly))
        crs = self._series.geobox.crs.proj
        write_layer(
            lambda: self._frames(assembly, attributes), stem, ["parquet", "geojson"], style, longest_straight(crs)
        )
        return attributes

    def _strips(self) -> Iterator[NDArray[np.uint8]]:
        """Transition and date as one value from 1, everything else outside: it needs no polygons."""
        kinds = len(self._rules.named)
        for _, changed, code, (_, last, _, _) in self._changed():
            yield np.where(changed, code + kinds * (last - np.uint8(1)), OUTSIDE).astype(np.uint8)

    def _changed(self) -> Iterator[tuple[Window, NDArray[np.bool_], NDArray[np.uint8], NDArray[np.uint8]]]:
        """Of each strip: where it is, where a transition is mapped, the map, and what is known of those pixels."""
        for number, window in enumerate(self._series.strips(self._rows)):
            code = self._change.read_classes(window)
            changed = (code >= 1) & (code <= len(self._rules.named))
            layers = np.full((len(KNOWN), *window.shape), _NONE, np.uint8)
            for layer, values in zip(layers, self._known.get(number) or (), strict=True):
                layer[changed] = values
            yield window, changed, code, layers

    def _merged(self, arcs: Arcs, regions: Regions) -> tuple[Arcs, Regions]:
        """Without small pieces of a large event that seem to have changed at another date."""
        if len(self._series.dates) == 2 or not len(regions):
            return arcs, regions
        kinds = ((np.arange(256) - 1) % len(self._rules.named)).astype(np.uint8)
        height, width = self._series.geobox.shape
        pixel = float(self._area(Window(width // 2, height // 2, 1, 1))[0, 0])  # near enough for parts of one event
        areas = regions.pixels.astype(np.float64) * pixel
        return merge_small(arcs, regions, areas, self._rules.smallest, kinds)[:2]

    def _date_rows(self) -> RegionRows:
        return RegionRows(self._arcs, self._told()[1].astype(np.uint8), 0, self._change.shape[1])

    def _attributes(self) -> pandas.DataFrame:
        """One row an event."""
        count, width = len(self._regions), self._change.shape[1]
        sums, first, before, after = (RegionStatistics(self._arcs, count, width) for _ in range(4))
        made = self._date_rows()
        for window, _, _, (seen, last, one, two) in self._changed():
            areas, own = self._area(window), last == made.next(window.height)
            sums.add(areas, self._probability.read_classes(window))
            for statistics, layer in ((first, seen), (before, one), (after, two)):  # of pixels that keep their date
                statistics.add(areas, np.where(own, layer, _NONE).astype(np.uint8))
        found, names = sums.finish(), [*self._series.names, ""]
        days = [dated.date.isoformat() for dated in self._series.dates]
        kind, last = self._told()
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

    def _told(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Transition and date, by index, that the value of each region stands for."""
        step, kind = np.divmod(self._regions.values.astype(np.int64) - 1, len(self._rules.named))
        return kind, step + 1

    def _earlier(self, assembly: Assembly) -> dict[str, pandas.api.extensions.ExtensionArray]:
        """The nearest event of an earlier date: its number, and metres on the ellipsoid between the outlines."""
        pieces = [assembly.polygons(first, last) for first, last in assembly.batches(_BATCH)]
        polygons = np.concatenate([place(p, self._series.geobox.transform) for p in pieces] or [np.empty(0, object)])
        plane = geopandas.GeoSeries(polygons, crs=self._series.geobox.crs.proj)
        if plane.crs.is_geographic:
            plane = plane.to_crs(utm_or_equal_area(shapely.box(*self._series.geobox.boundingbox.bbox)))
        shapes = plane.to_numpy()
        found = nearest_earlier(shapes, *self._told())
        near, metres = found >= 0, np.full(len(found), np.nan)
        gaps = geopandas.GeoSeries(shapely.shortest_line(shapes[near], shapes[found[near]]), crs=plane.crs)
        ends = shapely.get_coordinates(gaps.to_crs(gaps.crs.geodetic_crs)).reshape(-1, 4).T
        metres[near] = gaps.crs.get_geod().inv(*ends)[2]
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
