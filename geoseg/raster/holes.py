"""Small holes of a mask filled."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def fill_holes(mask: Mask, largest: int) -> Mask:
    """The mask with its small holes filled: 4-connected regions outside it of at most `largest` pixels.

    A region that touches the edge of the array goes on beyond it and is left. So a pixel `largest` or more pixels
    from the edge gets the value it has in any larger array.

    Args:
        mask: (height, width).
        largest: pixels; 0 fills nothing.
    """
    filled = mask.copy()
    if largest:
        _fill(filled, largest)
    return filled


@njit(cache=True, nogil=True)
def _fill(mask, largest):  # type: ignore[no-untyped-def]
    """Walks each region once, and no farther than it must to know that it is large."""
    height, width = mask.shape
    seen = mask.copy()
    queue = np.empty((height * width, 2), np.int32)
    for top in range(height):
        for left in range(width):
            if seen[top, left]:
                continue
            queue[0, 0], queue[0, 1] = top, left
            seen[top, left] = True
            found, at, open_edge = 1, 0, False
            while at < found:
                row, col = queue[at, 0], queue[at, 1]
                at += 1
                for down, across in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                    r, c = row + down, col + across
                    if r < 0 or c < 0 or r >= height or c >= width:
                        open_edge = True
                    elif not seen[r, c]:
                        seen[r, c] = True
                        queue[found, 0], queue[found, 1] = r, c
                        found += 1
            if found <= largest and not open_edge:
                for k in range(found):
                    mask[queue[k, 0], queue[k, 1]] = True
