"""Road maps drawn from known lines, and the networks made of them."""

from dataclasses import dataclass

import numpy as np
import rasterio.features
import shapely
from affine import Affine

from geoseg.grid.window import Window
from geoseg.raster.skeleton import OUTSIDE, SkeletonSettings, concatenate, skeleton_pixels
from geoseg.vector.road_bridges import GapSettings
from geoseg.vector.road_graph import from_pixels
from geoseg.vector.road_network import NetworkSettings, road_network
from geoseg.vector.road_pixels import pixel_graph

ROAD, LAND, BUILDING = 2, 1, 0
GAPS = GapSettings(between_ends=20.0, to_road=10.0, angle=30.0, blocked=(BUILDING,))
CLEANING = NetworkSettings(spur_widths=0.75, shortest=8.0, merge_widths=2.0, gaps=GAPS, tolerance=1.6)


def line_array(*paths):
    out = np.empty(len(paths), object)
    out[:] = [path if isinstance(path, shapely.Geometry) else shapely.LineString(path) for path in paths]
    return out


def burn(lines, width, shape):
    """Pixels whose middle is within half a width of a line; x is the column and y the row of a pixel corner."""
    roads = shapely.buffer(lines, width / 2, cap_style="flat", join_style="round", quad_segs=16)
    ends, count = np.unique(shapely.get_coordinates(shapely.boundary(lines)), axis=0, return_counts=True)
    corners = shapely.buffer(shapely.points(ends[count > 1]), width / 2)
    surface = shapely.union_all(np.concatenate([roads, corners]))
    return rasterio.features.rasterize([(surface, 1)], shape, transform=Affine.identity()).astype(bool)


def class_map(mask):
    return np.where(mask, ROAD, LAND).astype(np.uint8)


@dataclass(frozen=True)
class ArrayProbe:
    """Classes of an array at places, one metre a pixel."""

    classes: np.ndarray

    def __call__(self, places):
        col, row = np.floor(places).astype(int).T
        height, width = self.classes.shape
        inside = (row >= 0) & (col >= 0) & (row < height) & (col < width)
        found = np.full(len(places), OUTSIDE, np.uint8)
        found[inside] = self.classes[row[inside], col[inside]]
        return found


def skeleton_of(classes, max_width=25.0, evenness=2, max_hole=20.0, tile=4096):
    """The raw graph, one metre a pixel."""
    how = SkeletonSettings(ROAD, max_width, max_hole, evenness, (1.0, 1.0))
    padded = np.pad(classes, how.halo, constant_values=OUTSIDE)
    tiles = []
    for top in range(0, classes.shape[0], tile):
        for left in range(0, classes.shape[1], tile):
            core = Window(left, top, min(tile, classes.shape[1] - left), min(tile, classes.shape[0] - top))
            piece = padded[top : top + core.height + 2 * how.halo, left : left + core.width + 2 * how.halo]
            tiles.append(skeleton_pixels(piece, np.full((core.height, core.width), 200, np.uint8), core, how))
    pixels = concatenate(tiles)
    place = np.column_stack([pixels.col + 0.5, pixels.row + 0.5])
    graph = pixel_graph(pixels.row, pixels.col)
    return from_pixels(graph, place, pixels.half_width, np.full(len(place), 0.8), pixels.at_edge)


def network_of(mask_or_classes, cleaning=CLEANING, **how):
    classes = class_map(mask_or_classes) if mask_or_classes.dtype == bool else mask_or_classes
    return road_network(skeleton_of(classes, **how), ArrayProbe(classes), ROAD, cleaning, 1.0)
