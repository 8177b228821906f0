"""How much a class map will take to trace, from one quick look at its pixels: noise is told before it fills memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geoseg.errors import MachineError
from geoseg.vector.trace_scan import OFF

_CORNER, _ARC, _REGION = 16, 160, 20  # bytes at most, as `geoseg.vector.trace` says; assembling takes less


@dataclass(frozen=True, slots=True)
class Estimate:
    """What tracing a map will make."""

    pixels: int  # not outside
    corners: int  # of all arcs, exactly but for one a ring
    arcs: int  # at most: a ring has four turns
    regions: int  # at most: pixels unlike those above and to the left

    @property
    def memory(self) -> int:
        """Bytes that tracing takes at most; 16 a corner of them can be on disk."""
        return _CORNER * self.corners + _ARC * self.arcs + _REGION * self.regions

    def require(self, room: int, name: str, product: str = "landcover") -> None:
        """Refuse a map that takes more than `room` bytes, with its name and the product that would need it.

        Raises:
            MachineError: says what the map is like and what can be done.
        """
        if self.memory <= room:
            return
        share = self.pixels / max(self.regions, 1)
        raise MachineError(
            f"{name} is too noisy to be traced: up to {self.regions:,} polygons with {self.corners:,} corners, one for "
            f"every {share:.1f} pixels, take {self.memory / 1e9:.1f} GB and there is room for {room / 1e9:.1f} GB. "
            "Check that model and imagery fit each other; if they do, cut the area into smaller ones, give more "
            f"memory, or leave {product} out of products."
        )


def estimate(strips: Iterable[NDArray[np.uint8]]) -> Estimate:
    """Count what tracing will make, from the rows of a class map, top to bottom; 255 is outside."""
    totals = np.zeros(4, np.int64)
    above = None
    for strip in strips:
        if above is None:
            above = np.full(strip.shape[1], OFF, np.uint8)
        _count(above, strip, totals)
        above = strip[-1].copy()
    if above is not None:
        _count(above, np.full((1, len(above)), OFF, np.uint8), totals)
    pixels, turns, ends, regions = totals.tolist()
    return Estimate(pixels, turns + ends, ends // 2 + turns // 4, regions)


@njit(cache=True, nogil=True)
def _count(above, strip, totals):  # type: ignore[no-untyped-def]
    """Add to `totals`: pixels, turns, edges at junctions and pixels unlike those above and to the left."""
    up = above
    for i in range(len(strip)):
        row = strip[i]
        a, c = np.uint8(OFF), np.uint8(OFF)
        for col in range(row.size):
            b, d = up[col], row[col]
            met = int(a != b) + int(c != d) + int(a != c) + int(b != d)
            totals[1] += (met == 2) & ((a != b) != (c != d))
            totals[2] += met if met > 2 else 0
            totals[0] += d != OFF
            totals[3] += (d != OFF) & (d != c) & (d != b)
            a, c = b, d
        met = int(a != OFF) + int(c != OFF) + int(a != c)
        totals[1] += (met == 2) & ((a != OFF) != (c != OFF))
        totals[2] += met if met > 2 else 0
        up = row
