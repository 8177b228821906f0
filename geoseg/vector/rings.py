"""Outlines of labelled pixels, step by step, with what lies on their other side."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray

_STEPS = np.array([[0, -1], [1, 0], [0, 1], [-1, 0]], dtype=np.int32)  # (col, row) of each heading


@dataclass(frozen=True, slots=True, eq=False)
class Ring:
    """A closed outline of unit steps, the pixels that it bounds on its right hand (x east, y down).

    Args:
        corners: (n, 2) where each step starts, (col, row); the last step ends where the first starts.
        beyond: (n,) label of the pixel on the left hand of each step, 0 off the array.
    """

    corners: NDArray[np.int32]
    beyond: NDArray[np.int32]

    @property
    def middles(self) -> NDArray[np.float64]:
        """Middle of each step, (n, 2): on average they lie on the edge that was rasterized, corners do not."""
        return (self.corners + np.roll(self.corners, -1, axis=0)) / 2

    @property
    def turns(self) -> NDArray[np.int32]:
        """Corners where the direction changes, (m, 2)."""
        step = np.roll(self.corners, -1, axis=0) - self.corners
        return self.corners[(step != np.roll(step, 1, axis=0)).any(axis=1)]

    @property
    def is_hole(self) -> bool:
        """Whether it runs around what is not of the region."""
        return signed_area(self.corners) < 0


def signed_area(corners: NDArray[np.integer] | NDArray[np.floating]) -> float:
    """Area inside a ring, positive where it lies on the right hand with y down."""
    x, y = (corners - corners[0]).astype(np.float64).T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def rings(labels: NDArray[np.int32], region: int) -> list[Ring]:
    """Outlines of the pixels labelled `region`, or of all labels over 0 where it is 0; the first is an exterior.

    A ring that comes to a corner where two of its pixels touch turns so that it stays with what is outside, so
    rings of a 4-connected region touch themselves nowhere.
    """
    padded = np.pad(labels, 1)
    inside = padded == region if region else padded > 0
    corners, beyond, starts = _walk(padded, inside, _STEPS)
    return [Ring(corners[a:b], beyond[a:b]) for a, b in pairwise(starts)]


@njit(cache=True, nogil=True)
def _walk(labels, inside, steps):  # type: ignore[no-untyped-def]
    """Corners (unpadded), labels on the left and ring starts; arrays are padded by one pixel."""
    height, width = inside.shape
    total = 0
    for row in range(1, height):
        for col in range(1, width):
            total += inside[row, col] != inside[row - 1, col]
            total += inside[row, col] != inside[row, col - 1]
    corners = np.empty((total, 2), np.int32)
    beyond = np.empty(total, np.int32)
    starts = [0]
    done = np.zeros((height, width), np.bool_)  # top edges
    n = 0
    for first_row in range(1, height):
        for first_col in range(1, width):
            if not inside[first_row, first_col] or inside[first_row - 1, first_col] or done[first_row, first_col]:
                continue
            col, row, heading = first_col, first_row, 1
            while True:
                if heading == 1:
                    if done[row, col]:
                        break
                    done[row, col] = True
                left_row, left_col, ahead_row, ahead_col = _around(row, col, heading)
                corners[n, 0], corners[n, 1] = col - 1, row - 1
                beyond[n] = labels[left_row, left_col]
                n += 1
                col += steps[heading, 0]
                row += steps[heading, 1]
                left_row, left_col, ahead_row, ahead_col = _around(row, col, heading)
                if inside[left_row, left_col]:
                    heading = (heading + 3) % 4
                elif not inside[ahead_row, ahead_col]:
                    heading = (heading + 1) % 4
            starts.append(n)
    return corners[:n], beyond[:n], np.array(starts, np.int64)


@njit(cache=True, nogil=True)
def _around(row, col, heading):  # type: ignore[no-untyped-def]
    """Pixels left and right of a step that starts at a corner: (row, col, row, col)."""
    if heading == 0:
        return row - 1, col - 1, row - 1, col
    if heading == 1:
        return row - 1, col, row, col
    if heading == 2:
        return row, col, row, col - 1
    return row, col - 1, row - 1, col - 1
