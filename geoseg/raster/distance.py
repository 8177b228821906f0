"""Exact Euclidean distance up to a cap, so that a pixel's value depends on a bounded neighbourhood alone."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]


def capped_distance(mask: Mask, cap: float, step: tuple[float, float]) -> Floats:
    """Distance from the middle of each pixel of `mask` to that of the nearest pixel outside it, at most `cap`.

    Beyond the array there is nothing, neither in the mask nor out of it.

    Args:
        mask: (height, width).
        cap: metres; farther is told as `cap`. A pixel's value depends on pixels within `cap` alone.
        step: (down, across) size of a pixel, metres.

    Returns:
        (height, width) metres; 0 outside the mask.
    """
    down, across = step
    columns = _columns(np.ascontiguousarray(mask), int(cap / down) + 1)
    found: NDArray[np.float32] = _rows(columns, np.float32(cap), down, across)
    return found


@njit(cache=True, nogil=True)
def _columns(mask, cap):  # type: ignore[no-untyped-def]
    """Pixels to the nearest pixel outside the mask in the same column, at most `cap`."""
    height, width = mask.shape
    gap = np.empty((height, width), np.int32)
    for col in range(width):
        gap[0, col] = cap if mask[0, col] else 0
    for row in range(1, height):
        for col in range(width):
            gap[row, col] = min(gap[row - 1, col] + 1, cap) if mask[row, col] else 0
    for row in range(height - 2, -1, -1):
        for col in range(width):
            gap[row, col] = min(gap[row, col], gap[row + 1, col] + 1)
    return gap


@njit(cache=True, nogil=True)
def _rows(gap, cap, down, across):  # type: ignore[no-untyped-def]
    """Least of all columns' distances, searched outwards until no nearer one can come."""
    height, width = gap.shape
    distance = np.zeros((height, width), np.float32)
    far = gap.max()
    reach = int(cap / across) + 1
    near = np.zeros(width + 1, np.int64)  # columns before this one that have something near
    for row in range(height):
        for col in range(width):
            near[col + 1] = near[col] + (gap[row, col] < far)
        for col in range(width):
            if gap[row, col] == 0:
                continue
            if near[min(col + reach + 1, width)] == near[max(col - reach, 0)] and far * down >= cap:
                distance[row, col] = cap
                continue
            best = (gap[row, col] * down) ** 2
            offset = 1
            while (offset * across) ** 2 < best and offset * across < cap:
                for side in (col - offset, col + offset):
                    if 0 <= side < width:
                        best = min(best, (gap[row, side] * down) ** 2 + (offset * across) ** 2)
                offset += 1
            distance[row, col] = min(np.sqrt(best), cap)
    return distance
