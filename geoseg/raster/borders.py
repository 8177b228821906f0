"""Pixels near the border of a class: where a map misses most of what it misses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geoseg.raster.distance import capped_distance

Mask = NDArray[np.bool_]


def surroundings(mask: Mask, reach: int) -> Mask:
    """Pixels outside `mask` whose middle lies within `reach` pixels of the middle of one inside.

    Args:
        mask: (height, width). Beyond the array there is nothing.
        reach: pixels, at least 1. A pixel's answer depends on pixels within `reach` alone.

    Returns:
        (height, width).

    Source: Olofsson et al. 2020, doi:10.1016/j.rse.2019.111492 (a buffer stratum catches omissions).
    """
    distance = capped_distance(~mask, reach + 1.0, (1.0, 1.0))
    near: Mask = ~mask & (distance <= reach)
    return near
