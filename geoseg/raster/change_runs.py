"""Runs of probable change in the rows of a strip: found, narrowed, connected, measured and painted.

Runs are (row, start, stop): `begin` (row + 1,) says where each row's lie in `start` and `stop`, which are columns. What
is computed costs time by the pixels of change, not by those of the strip; only `above` looks at each, and passes over
16 at a time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geoseg.raster.coding import NO_CONFIDENCE

_TOGETHER = 16  # pixels passed over where none is of change


class Runs(NamedTuple):
    """Runs of a strip: (row + 1,) int64 place of the first of each row; (run,) int32 first column and the one after."""

    begin: NDArray[np.int64]
    start: NDArray[np.int32]
    stop: NDArray[np.int32]


class Factors(NamedTuple):
    """Areas of a strip's pixels, as `geoseg.stats.pixel_area.PixelArea.factors` has them, but in a unit so small that
    each is as good as a whole number: whole numbers have the same sum in any order."""

    rows: NDArray[np.float64]
    cell: NDArray[np.intp]
    share: NDArray[np.float64]


@njit(cache=True, nogil=True)
def above(probs, least):  # type: ignore[no-untyped-def]
    """Runs of at least `least`; 255 is no probability. `probs` is (height, width) uint8."""
    height, width = probs.shape
    begin, start, stop = np.zeros(height + 1, np.int64), np.empty(1024, np.int32), np.empty(1024, np.int32)
    count = 0
    for row in range(height):
        line = probs[row]
        col = 0
        while col < width:
            if col + _TOGETHER <= width and not _holds(line[col : col + _TOGETHER], least):
                col += _TOGETHER
                continue
            end = min(col + _TOGETHER, width)
            while col < end:
                if line[col] < least or line[col] == NO_CONFIDENCE:
                    col += 1
                    continue
                first = col
                while col < width and line[col] >= least and line[col] != NO_CONFIDENCE:
                    col += 1
                if count == len(start):
                    start, stop = _longer(start), _longer(stop)
                start[count], stop[count] = first, col
                count += 1
        begin[row + 1] = count
    return Runs(begin, start[:count], stop[:count])


@njit(cache=True, nogil=True)
def _holds(pixels, least):  # type: ignore[no-untyped-def]
    """Whether any has at least `least`: the highest, where none, 255, becomes 0. One vector instruction or two."""
    most = np.uint8(0)
    for k in range(_TOGETHER):
        most = max(most, np.uint8(pixels[k] + np.uint8(1)))
    return most > least


@njit(cache=True, nogil=True)
def within(probs, runs, least):  # type: ignore[no-untyped-def]
    """Parts of runs that have at least `least`."""
    begin, start, stop = np.zeros_like(runs.begin), np.empty(1024, np.int32), np.empty(1024, np.int32)
    count = 0
    for row in range(len(begin) - 1):
        line = probs[row]
        for n in range(runs.begin[row], runs.begin[row + 1]):
            col, end = runs.start[n], runs.stop[n]
            while col < end:
                if line[col] < least:
                    col += 1
                    continue
                first = col
                while col < end and line[col] >= least:
                    col += 1
                if count == len(start):
                    start, stop = _longer(start), _longer(stop)
                start[count], stop[count] = first, col
                count += 1
        begin[row + 1] = count
    return Runs(begin, start[:count], stop[:count])


@njit(cache=True, nogil=True)
def reach(runs, size, width):  # type: ignore[no-untyped-def]
    """For each row the columns within `width` of a square of `width` + 1 that lies in the change with its lower side
    in that row: a row's own are also those of 2 `width` rows above it and `width` below. `size` is columns."""
    height = len(runs.begin) - 1
    begin, start, stop = np.zeros(height + 1, np.int64), np.empty(1024, np.int32), np.empty(1024, np.int32)
    count = 0
    last, down = np.full(size, -2, np.int32), np.zeros(size, np.int32)  # row that a column was last wide in; how often
    for row in range(height):
        first = count
        for n in range(runs.begin[row], runs.begin[row + 1]):
            for col in range(runs.start[n] + width, runs.stop[n]):
                down[col] = down[col] + 1 if last[col] == row - 1 else 1
                last[col] = row
                if down[col] <= width:
                    continue
                left, right = max(0, col - 2 * width), min(size, col + width + 1)
                if count > first and left <= stop[count - 1]:
                    stop[count - 1] = right
                    continue
                if count == len(start):
                    start, stop = _longer(start), _longer(stop)
                start[count], stop[count] = left, right
                count += 1
        begin[row + 1] = count
    return Runs(begin, start[:count], stop[:count])


@njit(cache=True, nogil=True)
def split(runs, near, width, size, first, last):  # type: ignore[no-untyped-def]
    """Runs of the rows from `first` to before `last`: parts that are wide enough, and parts that are not.

    Args:
        near: of `reach`.
    """
    until = np.full(size, -1, np.int32)  # row down to which a column is within reach
    rows = len(runs.begin) - 1
    begin, start, stop = np.zeros(last - first + 1, np.int64), np.empty(1024, np.int32), np.empty(1024, np.int32)
    begin_2, start_2, stop_2 = np.zeros_like(begin), np.empty(1024, np.int32), np.empty(1024, np.int32)
    count, count_2, ahead = 0, 0, 0
    for row in range(last):
        while ahead < rows and ahead <= row + 2 * width:
            for n in range(near.begin[ahead], near.begin[ahead + 1]):
                until[near.start[n] : near.stop[n]] = ahead + width
            ahead += 1
        if row < first:
            continue
        for n in range(runs.begin[row], runs.begin[row + 1]):
            col, end = runs.start[n], runs.stop[n]
            while col < end:
                wide, here = until[col] >= row, col
                while col < end and (until[col] >= row) == wide:
                    col += 1
                if wide:
                    if count == len(start):
                        start, stop = _longer(start), _longer(stop)
                    start[count], stop[count] = here, col
                    count += 1
                else:
                    if count_2 == len(start_2):
                        start_2, stop_2 = _longer(start_2), _longer(stop_2)
                    start_2[count_2], stop_2[count_2] = here, col
                    count_2 += 1
        begin[row - first + 1], begin_2[row - first + 1] = count, count_2
    return Runs(begin, start[:count], stop[:count]), Runs(begin_2, start_2[:count_2], stop_2[:count_2])


@njit(cache=True, nogil=True)
def gaps(runs, size):  # type: ignore[no-untyped-def]
    """What the runs leave of the rows, `size` columns each."""
    rows = len(runs.begin) - 1
    begin, room = np.zeros(rows + 1, np.int64), len(runs.start) + rows
    start, stop, count = np.empty(room, np.int32), np.empty(room, np.int32), 0
    for row in range(rows):
        col = 0
        for n in range(runs.begin[row], runs.begin[row + 1] + 1):
            end = runs.start[n] if n < runs.begin[row + 1] else size
            if end > col:
                start[count], stop[count] = col, end
                count += 1
            col = runs.stop[n] if n < runs.begin[row + 1] else size
        begin[row + 1] = count
    return Runs(begin, start[:count], stop[:count])


@njit(cache=True, nogil=True)
def connected(runs):  # type: ignore[no-untyped-def]
    """Number of the 4-connected component of each run, from 0 in the order of their first runs, and how many."""
    parent, number = np.arange(len(runs.start)), np.arange(len(runs.start))
    for row in range(1, len(runs.begin) - 1):
        a, b, c = runs.begin[row - 1], runs.begin[row], runs.begin[row + 1]
        join(runs.start[a:b], runs.stop[a:b], number[a:b], runs.start[b:c], runs.stop[b:c], number[b:c], parent)
    label, count = np.empty(len(parent), np.int32), 0
    for n in range(len(parent)):
        root = _root(parent, n)
        if root == n:  # roots are the first of their component
            label[n] = count
            count += 1
        else:
            label[n] = label[root]
    return label, count


@njit(cache=True, nogil=True)
def join(start, stop, number, start_2, stop_2, number_2, parent):  # type: ignore[no-untyped-def]
    """Joins, in `parent`, the `number`s of runs of one row and of the row below that share a column."""
    one, two = 0, 0
    while one < len(start) and two < len(start_2):
        if start[one] < stop_2[two] and start_2[two] < stop[one]:
            _unite(parent, number[one], number_2[two])
        if stop[one] <= stop_2[two]:
            one += 1
        else:
            two += 1


@njit(cache=True, nogil=True)
def roots(parent):  # type: ignore[no-untyped-def]
    """What each number belongs to."""
    return np.array([_root(parent, n) for n in range(len(parent))])


@njit(cache=True, nogil=True)
def measured(runs, label, count, factors, enough):  # type: ignore[no-untyped-def]
    """Area of each component, whole units, by exact sums; where a run has `enough`, the rest of it is not counted."""
    area = np.zeros(count, np.int64)
    for row in range(len(runs.begin) - 1):
        for n in range(runs.begin[row], runs.begin[row + 1]):
            total = 0
            for col in range(runs.start[n], runs.stop[n]):
                total += _pixel(factors, row, col)
                if total >= enough:
                    break
            area[label[n]] += total
    return area


@njit(cache=True, nogil=True)
def reaching(probs, runs, label, count, seed):  # type: ignore[no-untyped-def]
    """Whether each component holds a pixel of at least `seed`. The runs start with the first row of `probs`."""
    found = np.zeros(count, np.bool_)
    for row in range(len(runs.begin) - 1):
        for n in range(runs.begin[row], runs.begin[row + 1]):
            if not found[label[n]]:
                for col in range(runs.start[n], runs.stop[n]):
                    if probs[row, col] >= seed:
                        found[label[n]] = True
                        break
    return found


@njit(cache=True, nogil=True)
def chosen(runs, which):  # type: ignore[no-untyped-def]
    """The runs where `which` is true."""
    begin, count = np.zeros_like(runs.begin), 0
    start, stop = np.empty(which.sum(), np.int32), np.empty(which.sum(), np.int32)
    for row in range(len(begin) - 1):
        for n in range(runs.begin[row], runs.begin[row + 1]):
            if which[n]:
                start[count], stop[count] = runs.start[n], runs.stop[n]
                count += 1
        begin[row + 1] = count
    return Runs(begin, start, stop)


@njit(cache=True, nogil=True)
def paint(out, runs, value):  # type: ignore[no-untyped-def]
    """Writes `value` into the runs of `out`, (height, width)."""
    for row in range(len(runs.begin) - 1):
        for n in range(runs.begin[row], runs.begin[row + 1]):
            out[row, runs.start[n] : runs.stop[n]] = value


@njit(cache=True, nogil=True)
def cover(out, runs, most):  # type: ignore[no-untyped-def]
    """Writes 1 into the runs of `out`, (height, width), and into what lies between them or at an edge and is no longer
    than `most` pixels."""
    for row in range(len(runs.begin) - 1):
        col = 0
        for n in range(runs.begin[row], runs.begin[row + 1] + 1):
            within = n < runs.begin[row + 1]
            start, stop = (runs.start[n], runs.stop[n]) if within else (out.shape[1], out.shape[1])
            out[row, col if start - col <= most else start : stop] = 1
            col = stop


@njit(cache=True, nogil=True)
def area_where(runs, where, factors):  # type: ignore[no-untyped-def]
    """Area of the pixels of runs that are True in `where`, (height, width), whole units."""
    total = 0
    for row in range(len(runs.begin) - 1):
        for n in range(runs.begin[row], runs.begin[row + 1]):
            for col in range(runs.start[n], runs.stop[n]):
                if where[row, col]:
                    total += _pixel(factors, row, col)
    return total


@njit(cache=True, nogil=True)
def _pixel(factors, row, col):  # type: ignore[no-untyped-def]
    """Area of a pixel, whole units."""
    node, share = factors.cell[col], factors.share[col]
    return np.int64(np.rint(factors.rows[row, node] * (1 - share) + factors.rows[row, node + 1] * share))


@njit(cache=True, nogil=True)
def _unite(parent, one, two):  # type: ignore[no-untyped-def]
    """The lower root becomes the root of both."""
    one, two = _root(parent, one), _root(parent, two)
    if one < two:
        parent[two] = one
    else:
        parent[one] = two


@njit(cache=True, nogil=True)
def _root(parent, n):  # type: ignore[no-untyped-def]
    while parent[n] != n:
        parent[n] = parent[parent[n]]
        n = parent[n]
    return n


@njit(cache=True, nogil=True)
def _longer(array: NDArray[Any]) -> NDArray[Any]:
    longer = np.empty(2 * len(array), array.dtype)
    longer[: len(array)] = array
    return longer
