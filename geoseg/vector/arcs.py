"""Boundaries between the regions of a class map, each held once: what polygons are assembled from.

An arc runs along pixel edges from one junction to the next; a junction is a pixel corner where three or four
boundary edges meet. The two regions beside an arc share it, so whatever is done to the arc (simplifying, smoothing)
is done to both and leaves neither gap nor overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OUTSIDE = -1  # the "region" beyond the raster's edge and of pixels outside the area


@dataclass(frozen=True, slots=True)
class Arcs:
    """All boundaries of a map, in an order and direction that depend on the map alone.

    Corners are pixel corners (col, row): pixel (row, col) of the map spans (col, row) to (col + 1, row + 1). An arc
    has a corner at both ends and wherever it changes direction, nowhere else. Left and right are as seen on the
    map with rows going down: walking east, the row above is on the left. They differ, and at most one is outside.

    An arc whose first and last corner are the same is closed: it has at least five corners, and starts either at the
    only junction on it or at its topmost, then leftmost corner.

    An arc starts at the end that comes first row by row, a ring eastward where no junction is on it. Arcs are
    ordered by the row, the column and the direction (east, south, west, north) of their start.

    Attributes:
        corners: (m, 2) int32, col and row of the corners of all arcs, one arc after the other.
        starts: (n + 1,) int64; arc i is `corners[starts[i]:starts[i + 1]]`.
        left: (n,) int64 region on the left, `OUTSIDE` beyond the map.
        right: (n,) int64 region on the right, likewise.
    """

    corners: NDArray[np.int32]
    starts: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.left)


@dataclass(frozen=True, slots=True)
class Regions:
    """Connected pixels of one class, numbered from 0 by their first pixel, row by row.

    Attributes:
        values: (r,) class of each.
        pixels: (r,) how many pixels each has.
    """

    values: NDArray[np.uint8]
    pixels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.values)
