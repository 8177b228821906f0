"""The nearest polygon of the same kind that is of an earlier date: how change spreads."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray


def nearest_earlier(
    polygons: NDArray[np.object_], kind: NDArray[np.int64], step: NDArray[np.int64]
) -> NDArray[np.int64]:
    """For each polygon the nearest one of its kind and of an earlier step.

    Args:
        polygons: (n,) of shapely, in one plane.
        kind: (n,) only polygons of one kind are compared.
        step: (n,) order in time.

    Returns:
        (n,) place of that polygon, the first of several as near; -1 without any.
    """
    found = np.full(len(polygons), -1)
    for one in np.unique(kind):
        for at in np.unique(step[kind == one])[1:]:
            asked = np.flatnonzero((kind == one) & (step == at))
            known = np.flatnonzero((kind == one) & (step < at))
            tree = shapely.STRtree(polygons[known])
            query, near = tree.query_nearest(polygons[asked])
            order = np.lexsort((known[near], query))
            query, near = query[order], near[order]
            places, first = np.unique(query, return_index=True)
            found[asked[places]] = known[near[first]]
    return found
