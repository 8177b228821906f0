"""Reduced copies of rasters of uint8, each half as fine as the one before.

At an edge of odd length a pixel stands in for the one that is missing: all
beside it count twice too, so nothing shifts.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

_NONE = -1  # no value of a pixel


def halved(pixels: NDArray[np.uint8], nodata: int | None, kind: Literal["mode", "average"]) -> NDArray[np.uint8]:
    """One pixel for each 2 x 2, fewer at the right and lower edge.

    Args:
        pixels: (band, height, width).
        nodata: value that does not count unless there is no other.
        kind: "mode": the commonest value, of equally common ones the first in reading order; "average": the mean,
            halves up.

    Returns:
        (band, height / 2, width / 2), rounded up.
    """
    reduce = _mode if kind == "mode" else _average
    none = _NONE if nodata is None else nodata
    return np.stack([reduce(np.ascontiguousarray(band), none) for band in pixels])


@njit(cache=True, nogil=True)
def _mode(pixels: NDArray[Any], nodata: int) -> NDArray[Any]:
    height, width = pixels.shape
    out = np.empty(((height + 1) // 2, (width + 1) // 2), np.uint8)
    for row in range(out.shape[0]):
        upper, lower = pixels[2 * row], pixels[min(2 * row + 1, height - 1)]
        for col in range(out.shape[1]):
            left, right = 2 * col, min(2 * col + 1, width - 1)
            a, b, c, d = upper[left], upper[right], lower[left], lower[right]
            if a == b and a == c and (a == d or a != nodata):
                out[row, col] = a
                continue
            best, most = a, -1
            for value in (a, b, c, d):
                count = (a == value) + (b == value) + (c == value) + (d == value) if value != nodata else 0
                if count > most:
                    best, most = value, count
            out[row, col] = best
    return out


@njit(cache=True, nogil=True)
def _average(pixels: NDArray[Any], nodata: int) -> NDArray[Any]:
    height, width = pixels.shape
    out = np.empty(((height + 1) // 2, (width + 1) // 2), np.uint8)
    for row in range(out.shape[0]):
        upper, lower = pixels[2 * row], pixels[min(2 * row + 1, height - 1)]
        for col in range(out.shape[1]):
            left, right = 2 * col, min(2 * col + 1, width - 1)
            total, count = 0, 0
            for value in (upper[left], upper[right], lower[left], lower[right]):
                if value != nodata:
                    total += int(value)
                    count += 1
            out[row, col] = (2 * total + count) // (2 * count) if count else nodata
    return out
