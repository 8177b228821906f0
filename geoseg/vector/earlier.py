"""The nearest polygon of the same kind that is of an earlier date: how change spreads."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray


def nearest_earlier(
    polygons: NDArray[np.object_], kind: NDArray[np.int64], step: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each polygon the nearest one of its kind and of an earlier step.

    Args:
        polygons: (n,) of shapely, in one plane.
        kind: (n,) only polygons of one kind are compared.
        step: (n,) order in time.

    Returns:
        (n,) place of that polygon, -1 without any, the first of several as near; and (n,) distance in the plane's
        unit, 0 where they touch, NaN without any.
    """
    found, distance = np.full(len(polygons), -1), np.full(len(polygons), np.nan)
    for one in np.unique(kind):
        for at in np.unique(step[kind == one])[1:]:
            asked = np.flatnonzero((kind == one) & (step == at))
            known = np.flatnonzero((kind == one) & (step < at))
            tree = shapely.STRtree(polygons[known])
            (query, near), metres = tree.query_nearest(polygons[asked], return_distance=True)
            order = np.lexsort((known[near], query))
            query, near, metres = query[order], near[order], metres[order]
            places, first = np.unique(query, return_index=True)
            found[asked[places]], distance[asked[places]] = known[near[first]], metres[first]
    return found, distance
