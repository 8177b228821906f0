"""Road centre lines as a graph, from the maps of classes and confidence."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from geoseg.errors import DataError
from geoseg.grid.window import Window
from geoseg.io.map_pair import open_maps
from geoseg.io.rasters import Raster
from geoseg.raster.skeleton import OUTSIDE, SkeletonPixels, SkeletonSettings, concatenate, skeleton_pixels
from geoseg.vector.road_bridges import GapSettings
from geoseg.vector.road_ends import Probe
from geoseg.vector.road_graph import RoadGraph, from_pixels
from geoseg.vector.road_layers import road_layers
from geoseg.vector.road_network import NetworkSettings, road_network
from geoseg.vector.road_pixels import pixel_graph

log = logging.getLogger(__name__)

NO_CONFIDENCE = 255
FULL_CONFIDENCE = 250  # stored value of p = 1
MOST_PIXELS = 20_000_000  # of centre line in one graph: some 4 GB, 16 000 km of road at 0.8 m a pixel
_BLOCK = 512  # side of the windows in which single places are asked for, pixels: the block of the maps


@dataclass(frozen=True, slots=True)
class RoadSettings:
    """What a road is, and how its lines are drawn; lengths in metres.

    Attributes:
        road: value of the road class.
        blocked: values of classes through which no gap is closed, such as buildings.
        max_width: what is wider (car parks, squares) has no middle, but a line round it.
        max_hole: m2; smaller holes in roads are filled.
        evenness: half the side of the square that evens the edges of roads, pixels.
        spur_widths: a side line that reaches less than so many road widths out of its road is a spur.
        shortest: a side line, or a road on its own, that is shorter is left out.
        merge_widths: junctions nearer than so many road widths are one where their roads meet in one point.
        gap: longest gap between two ends that point at each other; 0 closes none.
        gap_to_road: longest gap between an end and the road that it points at; 0 closes none.
        gap_angle: degrees by which an end may point past what it is joined to.
        tolerance: how far a line may be from the middle of its road.
        tile: side of the tiles, pixels. The result does not depend on it.
    """

    road: int
    blocked: tuple[int, ...]
    max_width: float
    max_hole: float
    evenness: int
    spur_widths: float
    shortest: float
    merge_widths: float
    gap: float
    gap_to_road: float
    gap_angle: float
    tolerance: float
    tile: int


@dataclass(frozen=True, slots=True)
class Roads:
    """Edges and nodes of a road network, as `geoseg.vector.road_layers` describes them, and figures of it."""

    edges: geopandas.GeoDataFrame
    nodes: geopandas.GeoDataFrame
    figures: dict[str, object]


def roads(classes: Path, confidence: Path, settings: RoadSettings) -> Roads:
    """Centre lines of the road class as a graph. The surface of roads is the land-cover polygons of that class.

    The maps are read tile by tile. Memory grows with a tile and with the length of all roads: about 215 bytes a
    pixel of centre line.

    Args:
        classes: uint8 map, 254 not observed, 255 outside.
        confidence: uint8 map on the same grid, p x 250, 255 none.
        settings: of all steps.

    Returns:
        Empty layers with all columns where there is no road.

    Raises:
        DataError: the maps do not fit each other, are damaged, are no class maps, or the road class is noise.
    """
    with open_maps(classes, confidence) as (class_map, confidence_map):
        step = ground_step(class_map)
        skeleton = _skeleton(class_map, confidence_map, settings, step)
        pixel = (step[0] * step[1]) ** 0.5
        network = road_network(skeleton, _probe(class_map, step), settings.road, _network_settings(settings), pixel)
        edges, nodes = road_layers(network, class_map.geobox.transform, class_map.crs, step)
    figures = _figures(edges, nodes)
    log.info("%s: %d road edges, %.1f km", classes.name, len(edges), float(edges["length_m"].sum()) / 1000)
    return Roads(edges, nodes, figures)


def ground_step(raster: Raster) -> tuple[float, float]:
    """(down, across) size of the pixel in the middle of a map on the ellipsoid, metres, in any CRS."""
    crs, t = raster.crs, raster.geobox.transform
    row, col = raster.shape[0] / 2, raster.shape[1] / 2
    cols, rows = np.array([col - 0.5, col + 0.5, col, col]), np.array([row, row, row - 0.5, row + 0.5])
    geodetic, ellipsoid = crs.geodetic_crs, crs.get_geod()
    assert geodetic is not None and ellipsoid is not None  # open_raster refuses a file without a place on earth
    to_geodetic = Transformer.from_crs(crs, geodetic, always_xy=True)
    place = to_geodetic.transform(t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f)
    to_degrees = np.degrees(geodetic.axis_info[0].unit_conversion_factor)
    lon, lat = (np.asarray(v) * to_degrees for v in place)
    across, down = ellipsoid.inv(lon[[0, 2]], lat[[0, 2]], lon[[1, 3]], lat[[1, 3]])[2]
    if not (np.isfinite(across) and np.isfinite(down)):
        raise DataError(
            f"{raster.path} reaches where {crs.name} is not defined, so widths cannot be told; use a CRS made for "
            "the area (grid: crs: auto)"
        )
    return float(down), float(across)


def _skeleton(
    class_map: Raster, confidence_map: Raster, settings: RoadSettings, step: tuple[float, float]
) -> RoadGraph:
    """The graph of the centre line pixels of the whole map."""
    how = SkeletonSettings(settings.road, settings.max_width, settings.max_hole, settings.evenness, step)
    tiles, found = [], 0
    for tile in _tiles(class_map, confidence_map, how, settings.tile):
        tiles.append(tile)
        found += len(tile.row)
        if found > MOST_PIXELS:
            raise DataError(
                f"{class_map.path} has more than {MOST_PIXELS:,} pixels of road centre line, too many for one graph: "
                "its road class is noise, or the area is too large. Look at the map; leave roads out of products:, or "
                "split the area."
            )
    pixels = concatenate(tiles)
    place = np.column_stack([(pixels.col + 0.5) * step[1], (pixels.row + 0.5) * step[0]])
    known = pixels.confidence != NO_CONFIDENCE
    p = np.where(known, pixels.confidence / FULL_CONFIDENCE, np.nan)
    return from_pixels(pixel_graph(pixels.row, pixels.col), place, pixels.half_width, p, pixels.at_edge)


def _tiles(class_map: Raster, confidence_map: Raster, how: SkeletonSettings, side: int) -> Iterator[SkeletonPixels]:
    height, width = class_map.shape
    for top in range(0, height, side):
        for left in range(0, width, side):
            core = Window(left, top, min(side, width - left), min(side, height - top))
            yield skeleton_pixels(_with_halo(class_map, core, how.halo), confidence_map.read_classes(core), core, how)


def _with_halo(class_map: Raster, core: Window, halo: int) -> NDArray[np.uint8]:
    """Classes of the core and around it, outside beyond the map."""
    height, width = class_map.shape
    around = core.grow(halo)
    top, left = max(around.row_off, 0), max(around.col_off, 0)
    bottom, right = min(around.bottom, height), min(around.right, width)
    classes = np.full((around.height, around.width), OUTSIDE, np.uint8)
    inside = Window(left - around.col_off, top - around.row_off, right - left, bottom - top)
    classes[inside.slices] = class_map.read_classes(Window(left, top, right - left, bottom - top))
    return classes


def _probe(class_map: Raster, step: tuple[float, float]) -> Probe:
    """Classes of the map at places in metres from its corner, read block by block."""

    def classes_at(places: NDArray[np.float64]) -> NDArray[np.uint8]:
        height, width = class_map.shape
        col, row = (np.floor(places[:, k] / step[1 - k]).astype(np.int64) for k in (0, 1))
        found = np.full(len(places), OUTSIDE, np.uint8)
        inside = np.flatnonzero((row >= 0) & (col >= 0) & (row < height) & (col < width))
        block = row[inside] // _BLOCK * (width // _BLOCK + 1) + col[inside] // _BLOCK
        order = np.argsort(block, kind="stable")
        for members in np.split(inside[order], np.flatnonzero(np.diff(block[order])) + 1):
            if len(members):
                top, left = row[members[0]] // _BLOCK * _BLOCK, col[members[0]] // _BLOCK * _BLOCK
                window = Window(int(left), int(top), int(min(_BLOCK, width - left)), int(min(_BLOCK, height - top)))
                found[members] = class_map.read_classes(window)[row[members] - top, col[members] - left]
        return found

    return classes_at


def _network_settings(settings: RoadSettings) -> NetworkSettings:
    gaps = GapSettings(settings.gap, settings.gap_to_road, settings.gap_angle, settings.blocked)
    return NetworkSettings(
        settings.spur_widths, settings.shortest, settings.merge_widths, gaps, tolerance=settings.tolerance
    )


def _figures(edges: geopandas.GeoDataFrame, nodes: geopandas.GeoDataFrame) -> dict[str, object]:
    length = edges["length_m"].to_numpy()
    inferred = edges["inferred"].to_numpy(bool)
    return {
        "edges": len(edges),
        "nodes": len(nodes),
        "dead_ends": int((nodes["degree"] == 1).sum()),
        "length_m": float(length.sum()),
        "inferred": int(inferred.sum()),
        "inferred_m": float(length[inferred].sum()),
    }
