"""Sunlight: how high the shadows reach."""

from __future__ import annotations

import math

import numpy as np

from geoseg.town.frame import Floats

STEPS = [(r, c) for r in range(-4, 5) for c in range(-4, 5) if math.gcd(r, c) == 1]


def shadow_direction(azimuth: float) -> tuple[int, int]:
    """Whole pixel step (row, col) nearest the direction in which shadows fall, for a sun at `azimuth`.

    Azimuth is clockwise from north, rows run south: the shadow points at azimuth + pi.
    """
    row, col = math.cos(azimuth), -math.sin(azimuth)
    return max(STEPS, key=lambda step: (step[0] * row + step[1] * col) / math.hypot(*step))


def shadow_height(height: Floats, step: tuple[int, int], fall: float) -> Floats:
    """Height up to which each pixel lies in shadow, in the unit of `height`; minus infinity in the open.

    Args:
        height: (row, col), what stands on the ground.
        step: pixels (row, col) along which shadows fall, coprime whole numbers.
        fall: how much a shadow sinks per pixel of distance.

    A shadow of 2^k steps is that of 2^(k-1) steps cast twice, so the work grows with the logarithm of its length.
    """
    longest = float(height.max()) / fall
    length = math.hypot(*step)
    pieces = max(abs(step[0]), abs(step[1]))
    reach = np.full_like(height, -np.inf)
    for piece in range(1, pieces + 1):
        row, col = round(step[0] * piece / pieces), round(step[1] * piece / pieces)
        _cast(reach, height, row, col, fall * math.hypot(row, col))
    times = 1
    while times * length < longest:
        _cast(reach, reach.copy(), step[0] * times, step[1] * times, fall * length * times)
        times *= 2
    return reach


def _cast(reach: Floats, source: Floats, row: int, col: int, sink: float) -> None:
    """Raise `reach` to `source` moved by (row, col) and lowered by `sink`."""
    rows, cols = reach.shape
    if abs(row) >= rows or abs(col) >= cols:
        return
    to = slice(max(row, 0), rows + min(row, 0)), slice(max(col, 0), cols + min(col, 0))
    of = slice(max(-row, 0), rows + min(-row, 0)), slice(max(-col, 0), cols + min(-col, 0))
    np.maximum(reach[to], source[of] - np.float32(sink), out=reach[to])
