"""Polygons assembled from the arcs around regions, all at once or some at a time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.vector.assemble_rings import draw, find_rings, follow

Polygons = NDArray[np.object_]  # (n,) of shapely.Polygon


class Assembly:
    """The rings of each region, ready to be made polygons of.

    Held are references to the arguments, 8 bytes an arc and at most 20 bytes a ring.

    Args:
        left: (n,) region on the left of each arc; negative is none. An arc with the same on both sides bounds none.
        right: (n,) region on the right.
        coordinates: (m, 2) of any number type, as traced or after simplification: between their ends arcs may have
            changed, but arcs that met at an end still do, in the same order around it.
        starts: (n + 1,) first coordinate of each arc.
        count: how many regions there are.
    """

    def __init__(
        self,
        left: NDArray[np.int64],
        right: NDArray[np.int64],
        coordinates: NDArray[np.float64] | NDArray[np.int32],
        starts: NDArray[np.int64],
        count: int,
    ) -> None:
        sides = np.column_stack([left, right])
        self._coordinates, self._starts, self._count = coordinates, starts, count
        self._after = follow(sides, coordinates, starts)
        self._heads, self._firsts, self._offsets = find_rings(sides, coordinates, starts, self._after, count)

    def polygons(self, first: int = 0, last: int | None = None, straighten: bool = False) -> Polygons:
        """Polygons of regions `first` to `last`, all if not given; empty for a region that no arc bounds.

        Exterior rings run clockwise in (col, row) numbers, holes the other way. A ring starts at the first of its
        arcs, holes are in the order of theirs, so both depend on the arcs alone.

        Args:
            first: region to start with.
            last: region to stop before.
            straighten: leave out junctions where the polygon's outline goes straight on. Each polygon is then as
                short as it can be, but neighbours do not have the same vertices along their common border.
        """
        firsts = self._firsts[first : (self._count if last is None else last) + 1]
        rings = slice(firsts[0], firsts[-1])
        offsets = self._offsets[firsts[0] : firsts[-1] + 1]
        drawn, begins = draw(self._heads[rings], offsets, self._coordinates, self._starts, self._after, straighten)
        with _no_collection():
            polygons: Polygons = shapely.from_ragged_array(
                shapely.GeometryType.POLYGON, drawn, (begins, firsts - firsts[0])
            )
        return polygons

    def batches(self, corners: int) -> Iterator[tuple[int, int]]:
        """Ranges of regions that have at most `corners` corners together, or are one region with more."""
        before = self._offsets[self._firsts]
        first = 0
        while first < self._count:
            last = int(np.searchsorted(before, before[first] + corners, side="right")) - 1
            last = min(max(last, first + 1), self._count)
            yield first, last
            first = last


@contextmanager
def _no_collection() -> Iterator[None]:
    """No search for cycles meanwhile: polygons are in none, and looking takes longer than making them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def assemble(
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    coordinates: NDArray[np.float64] | NDArray[np.int32],
    starts: NDArray[np.int64],
    count: int,
) -> Polygons:
    """Polygons of all regions at once, (count,): see `Assembly`."""
    return Assembly(left, right, coordinates, starts, count).polygons()
