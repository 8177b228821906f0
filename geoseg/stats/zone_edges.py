"""Which pixels lie in polygons, strip by strip of a map, the same whatever the strips.

Each row of pixels is answered by itself, from whole sides of polygons that are written down once, upper end first: no
side is cut where a strip ends, and two zones that share a side compute the same numbers, so a pixel whose centre is on
it belongs to just one of them. A zone may have holes and parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Edges:
    """Sides of zones that are not horizontal, in pixels of a map, each from its upper end down.

    Args:
        zone: (e,) number of the zone.
        x0, y0: (e,) upper end, col and row; whole numbers are corners of pixels.
        x1, y1: (e,) lower end.
        side: (e,) 1 where the zone lies to the right, -1 where it lies to the left.
    """

    zone: NDArray[np.int64]
    x0: NDArray[np.float64]
    y0: NDArray[np.float64]
    x1: NDArray[np.float64]
    y1: NDArray[np.float64]
    side: NDArray[np.float64]

    def of_rows(self, top: int, bottom: int) -> Edges:
        """Those that touch the rows [top, bottom)."""
        near = (self.y0 < bottom) & (self.y1 > top)
        return Edges(*(getattr(self, name)[near] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Pieces:
    """Parts of sides, each within one row of pixels, ordered by row and zone.

    Args:
        row: (p,) counted from the top of the strip.
        zone: (p,) number of the zone.
        left, right: (p,) col of both ends.
        cover: (p,) height of the part, 0 to 1, negative where the zone lies to its left.
    """

    row: NDArray[np.int64]
    zone: NDArray[np.int64]
    left: NDArray[np.float64]
    right: NDArray[np.float64]
    cover: NDArray[np.float64]


def edges_of(shapes: NDArray[np.object_]) -> Edges:
    """Sides of valid polygons or multipolygons, (z,), in pixels of a map; an empty or missing one has none."""
    polygons, of_polygon = shapely.get_parts(shapely.orient_polygons(shapes), return_index=True)
    rings, of_ring = shapely.get_rings(polygons, return_index=True)
    corners, of_corner = shapely.get_coordinates(rings, return_index=True)
    goes_on = of_corner[:-1] == of_corner[1:]
    start, end = corners[:-1][goes_on], corners[1:][goes_on]
    zone = of_polygon[of_ring[of_corner[:-1][goes_on]]]
    sloping = start[:, 1] != end[:, 1]
    start, end, zone = start[sloping], end[sloping], zone[sloping]
    rises = start[:, 1] > end[:, 1]  # rows count down, so rings that turn left on paper turn right here
    upper, lower = np.where(rises[:, None], end, start), np.where(rises[:, None], start, end)
    side = np.where(rises, 1.0, -1.0)
    return Edges(zone.astype(np.int64), upper[:, 0], upper[:, 1], lower[:, 0], lower[:, 1], side)


def runs(edges: Edges, top: int, bottom: int, width: int) -> NDArray[np.int64]:
    """Runs of pixels whose centres are in a zone, by row and zone.

    A centre on a zone's left or upper side is in it, one on its right or lower side is not.

    Args:
        edges: of all zones.
        top, bottom: the rows [top, bottom) are asked for.
        width: of the map.

    Returns:
        (r, 4): row counted from `top`, zone, first col, col after the last.
    """
    near = edges.of_rows(top, bottom)
    first = np.clip(np.ceil(near.y0 - 0.5), top, bottom).astype(np.int64)
    last = np.clip(np.ceil(near.y1 - 0.5), top, bottom).astype(np.int64)
    edge, row = _spread(first, last)
    x = _x_at(near, edge, row + 0.5)
    col = np.ceil(np.clip(x, 0, width) - 0.5).astype(np.int64)
    zones = int(edges.zone.max(initial=0)) + 1
    keys = np.sort(((row - top) * zones + near.zone[edge]) * (width + 1) + col)
    line, cols = np.divmod(keys, width + 1)
    found = np.column_stack([line[::2] // zones, line[::2] % zones, cols[::2], cols[1::2]])
    return np.ascontiguousarray(found[found[:, 2] < found[:, 3]])


def pieces(edges: Edges, top: int, bottom: int) -> Pieces:
    """The sides of zones, cut where rows of pixels meet, in the rows [top, bottom)."""
    near = edges.of_rows(top, bottom)
    first = np.clip(np.floor(near.y0), top, bottom).astype(np.int64)
    last = np.clip(np.ceil(near.y1), top, bottom).astype(np.int64)
    edge, row = _spread(first, last)
    upper, lower = np.maximum(near.y0[edge], row), np.minimum(near.y1[edge], row + 1)
    ends = np.sort(np.stack([_x_at(near, edge, upper), _x_at(near, edge, lower)]), axis=0)
    cover = (lower - upper) * near.side[edge]
    order = np.lexsort([near.zone[edge], row])  # sides of one zone stay in the order of its rings
    return Pieces(row[order] - top, near.zone[edge][order], ends[0][order], ends[1][order], cover[order])


def _spread(first: NDArray[np.int64], last: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Number of each item once for each row in its [first, last), and those rows."""
    count = np.maximum(last - first, 0)
    item = np.repeat(np.arange(len(count)), count)
    begin = np.cumsum(count) - count
    return item, np.arange(len(item)) - begin[item] + first[item]


def _x_at(edges: Edges, edge: NDArray[Any], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where sides are at height `y`."""
    x0, x1, y0, y1 = edges.x0[edge], edges.x1[edge], edges.y0[edge], edges.y1[edge]
    x = x0 + (y - y0) / (y1 - y0) * (x1 - x0)
    return np.clip(np.where(y == y1, x1, x), np.minimum(x0, x1), np.maximum(x0, x1))
