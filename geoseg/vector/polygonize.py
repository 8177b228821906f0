"""Regions of a class map as polygons, and polygons put on the ground.

Polygons here are in pixel coordinates: x is the column and y the row of a pixel corner, whole numbers. Exterior rings
run clockwise in these numbers, which is counterclockwise on the ground.
"""

from __future__ import annotations

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from geoseg.vector.assemble import Assembly, Polygons
from geoseg.vector.trace import trace

STRIP = 1 << 21  # pixels of a map traced at a time by a thread


def polygonize(
    classes: NDArray[np.uint8], connectivity: int = 4, threads: int = 1
) -> tuple[Polygons, NDArray[np.uint8]]:
    """Each region of equal class as a polygon along pixel edges, the same set as `rasterio.features.shapes`.

    For a map that does not fit in memory see `geoseg.vector.trace`; `Assembly` makes its polygons some at a time.

    Args:
        classes: (height, width); 255 is outside and has no polygon.
        connectivity: 4, or 8 where pixels that touch at a corner are one region: then polygons touch themselves, so
            not all are valid.
        threads: parts of the map traced at the same time; the result is the same.

    Returns:
        (n,) polygons, ordered by their first pixel row by row, and (n,) class of each.
    """
    step = max(1, STRIP // classes.shape[1])
    strips = (classes[row : row + step] for row in range(0, classes.shape[0], step))
    arcs, regions = trace(strips, connectivity, threads)
    assembly = Assembly(arcs.left, arcs.right, arcs.corners, arcs.starts, len(regions))
    return assembly.polygons(straighten=True), regions.values


def place(polygons: Polygons, transform: Affine) -> Polygons:
    """Polygons in pixel coordinates put into the CRS by `transform`, pixel corner (col, row) to (x, y)."""
    t = transform

    def to_crs(corner: NDArray[np.float64]) -> NDArray[np.float64]:
        col, row = corner.T
        return np.column_stack([t.a * col + t.b * row + t.c, t.d * col + t.e * row + t.f])

    placed: Polygons = shapely.transform(polygons, to_crs)
    return placed
