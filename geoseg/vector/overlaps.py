"""Where polygons of a layer claim the same ground, or ground that pixels claim."""

from __future__ import annotations

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from geoseg.vector.assemble import Polygons

Overlap = tuple[int, float, NDArray[np.float64]]  # how many, area in CRS units squared, (k, 2) a point of each


def own_overlaps(polygons: Polygons, least: float) -> Overlap:
    """Pairs of valid polygons of which more than `least` of area is the same, CRS units squared."""
    one, other = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    later = one < other
    return _of_pairs(polygons[one[later]], polygons[other[later]], least)


def overlaps_between(polygons: Polygons, others: Polygons, least: float) -> Overlap:
    """The same for pairs of a polygon of each layer."""
    other, one = shapely.STRtree(polygons).query(others, predicate="intersects")
    return _of_pairs(polygons[one], others[other], least)


def runs(mask: NDArray[np.bool_], transform: Affine) -> Polygons:
    """Rectangles that cover the pixels of a mask, one for each run in a row.

    Args:
        mask: (height, width).
        transform: pixel corner (col, row) to the CRS; no rotation.
    """
    steps = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, begin = np.nonzero(steps == 1)
    end = np.nonzero(steps == -1)[1]
    x = transform.c + transform.a * np.stack([begin, end])
    y = transform.f + transform.e * np.stack([row, row + 1])
    boxes: Polygons = shapely.box(x.min(axis=0), y.min(axis=0), x.max(axis=0), y.max(axis=0))
    return boxes


def _of_pairs(one: Polygons, other: Polygons, least: float) -> Overlap:
    shared = shapely.intersection(one, other)
    area = shapely.area(shared)
    wrong = area > least
    places = shapely.get_coordinates(shapely.point_on_surface(shared[wrong]))
    return int(wrong.sum()), float(area[wrong].sum()), places
