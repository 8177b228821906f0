"""Areas of a map of change: of what it shows, and of the classes on each date."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_UNOBSERVED, _OUTSIDE, _WITHIN_ERROR = 254, 255, 253


class ChangeSums:
    """Sums in whole units of area, so that neither strips nor their order change a digit.

    Args:
        kinds: number of transitions.
        dates, classes: number of each.

    Attributes:
        mapped: (date, class) of ground that two dates or more show, by its class on each.
        source: (date, date, class) of ground that was seen on two dates and on none between them, by its class on the
            first of them: what can change between the two.
        unobserved: (date,) inside, but not seen on that date.
        events: (transition, date, class, class) of what is mapped, by the date that first shows it and the classes
            before and after.
        observed, never, within_error: seen on two dates or more; inside, but not so; within the registration error.
    """

    def __init__(self, kinds: int, dates: int, classes: int) -> None:
        self.mapped = np.zeros((dates, classes), np.int64)
        self.source = np.zeros((dates, dates, classes), np.int64)
        self.unobserved = np.zeros(dates, np.int64)
        self.events = np.zeros((kinds, dates, classes, classes), np.int64)
        self._rest = np.zeros(3, np.int64)

    @property
    def observed(self) -> int:
        """Seen on two dates or more."""
        return int(self._rest[0])

    @property
    def never(self) -> int:
        """Inside, but not seen on two dates."""
        return int(self._rest[1])

    @property
    def within_error(self) -> int:
        """Probable change that may be registration."""
        return int(self._rest[2])

    def add(
        self,
        factors: tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64]],
        classes: NDArray[np.uint8],
        code: NDArray[np.uint8],
        step: tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]],
    ) -> None:
        """Count a strip.

        Args:
            factors: of the areas of its pixels, in units so small that each is as good as a whole number.
            classes: (date, height, width).
            code: (height, width) of the map of change.
            step: of each change the index of the date that first shows it, and the classes before and after.
        """
        _add(*factors, classes, code, *step, self.mapped, self.source, self.unobserved, self.events, self._rest)


@njit(cache=True, nogil=True)
def _add(
    rows: NDArray[Any],
    cell: NDArray[Any],
    share: NDArray[Any],
    classes: NDArray[Any],
    code: NDArray[Any],
    last: NDArray[Any],
    before: NDArray[Any],
    after: NDArray[Any],
    mapped: NDArray[Any],
    source: NDArray[Any],
    unobserved: NDArray[Any],
    events: NDArray[Any],
    rest: NDArray[Any],
) -> None:
    dates, height, width = classes.shape
    for row in range(height):
        col = 0
        while col < width:
            first, value, total = col, code[row, col], 0
            col += 1
            while col < width and code[row, col] == value:
                same = True
                for d in range(dates):
                    same &= classes[d, row, col] == classes[d, row, first]
                if not same:
                    break
                col += 1
            for k in range(first, col):
                n = cell[k]
                area = np.int64(np.rint(rows[row, n] * (1 - share[k]) + rows[row, n + 1] * share[k]))
                total += area
                if 1 <= value < _WITHIN_ERROR:
                    events[value - 1, last[row, k], before[row, k], after[row, k]] += area
            if value == _OUTSIDE:
                continue
            if value == _UNOBSERVED:
                rest[1] += total
            else:
                rest[0] += total
            if value == _WITHIN_ERROR:
                rest[2] += total
            seen = -1
            for d in range(dates):
                c = classes[d, row, first]
                if c >= _UNOBSERVED:
                    unobserved[d] += total
                elif value != _UNOBSERVED:
                    mapped[d, c] += total
                    if seen >= 0:
                        source[seen, d, classes[seen, row, first]] += total
                    seen = d
