"""Which pixels of probable change make an event: hysteresis, smallest area, and what registration alone would show.

A place is an event where 4-connected pixels of at least the grow probability hold one of at least the seed probability
and together have the smallest area; smaller 4-connected places that an event surrounds belong to it. Connected pixels
are followed over the strips that a map is read in, as runs in rows, and areas are summed in whole units, so that events
do not depend on the strips.

Source: hysteresis threshold, Canny 1986, doi:10.1109/TPAMI.1986.4767851.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geoseg.raster import change_runs as runs_of
from geoseg.raster.change_runs import Factors, Runs
from geoseg.raster.coding import NO_CONFIDENCE, OUTSIDE, UNOBSERVED

_ALL = np.iinfo(np.int64).max


def wide(change: Runs, width: int, columns: int, rows: tuple[int, int]) -> tuple[Runs, Runs]:
    """Change that is not narrower than what a shift of `width` pixels makes of edges that did not change, and the rest.

    A pixel is wide enough if it is within `width` pixels of a square of `width` + 1 pixels a side that lies in the
    change: that is an opening, whose rounded corners are given back.

    Args:
        change: of a strip with `halo` more rows on each side, where the map has them.
        width: whole pixels; 0 keeps all.
        columns: of the strip.
        rows: first and after the last to answer for.
    """
    if width == 0:
        first, last = change.begin[rows[0]], change.begin[rows[1]]
        kept = Runs(change.begin[rows[0] : rows[1] + 1] - first, change.start[first:last], change.stop[first:last])
        return kept, Runs(np.zeros_like(kept.begin), kept.start[:0], kept.stop[:0])
    near = runs_of.reach(change, columns, width)
    kept, narrow = runs_of.split(change, near, width, columns, *rows)
    return Runs(*kept), Runs(*narrow)


def halo(width: int) -> int:
    """Rows on each side of a strip that `wide` must see to answer for it."""
    return 2 * width


@dataclass(frozen=True, slots=True)
class _Crossing:
    """Components of a strip that its first or last row holds.

    Attributes:
        local: their numbers in the strip.
        area, seeded: of each.
        top, bottom: start, stop and place in `local` of the runs of the first and of the last row.
    """

    local: NDArray[np.int32]
    area: NDArray[np.int64]
    seeded: NDArray[np.bool_]
    top: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]
    bottom: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]


class _Components:
    """Connected components over strips, which may come in any order and from several threads.

    Held: some 40 bytes for each component that crosses from one strip to the next.
    """

    def __init__(self) -> None:
        self._strips: dict[int, _Crossing] = {}

    def add(
        self, number: int, runs: Runs, label: NDArray[np.int32], area: NDArray[np.int64], seeded: NDArray[np.bool_]
    ) -> None:
        """A strip, from 0: its runs, the component of each, and area and seeds of the components."""
        ends = slice(0, runs.begin[1]), slice(runs.begin[-2], runs.begin[-1])
        local = np.union1d(label[ends[0]], label[ends[1]])
        top, bottom = ((runs.start[e].copy(), runs.stop[e].copy(), np.searchsorted(local, label[e])) for e in ends)
        self._strips[number] = _Crossing(local, area[local], seeded[local], top, bottom)

    def crossing(self, number: int) -> NDArray[np.int32]:
        """Components of a strip whose area and seeds are not known before `close`."""
        return self._strips[number].local

    def close(self) -> list[tuple[_Crossing, NDArray[np.int64], NDArray[np.bool_]]]:
        """Of each strip: the components that cross, and area and seeds of the whole that each belongs to."""
        strips = [self._strips[number] for number in range(len(self._strips))]
        ends = np.cumsum([0] + [len(strip.local) for strip in strips])
        parent = np.arange(ends[-1])
        for n, (one, two) in enumerate(pairwise(strips)):
            (start, stop, upper), (start_2, stop_2, lower) = one.bottom, two.top
            runs_of.join(start, stop, ends[n] + upper, start_2, stop_2, ends[n + 1] + lower, parent)
        root = runs_of.roots(parent)
        area, seeded = np.zeros(len(root), np.int64), np.zeros(len(root), bool)
        np.add.at(area, root, np.concatenate([strip.area for strip in strips]))
        seeded[root[np.concatenate([strip.seeded for strip in strips])]] = True
        parts = [root[first:last] for first, last in pairwise(ends)]
        return [(strip, area[part], seeded[part]) for strip, part in zip(strips, parts, strict=True)]


class Events:
    """Events of one transition, from the strips of a map.

    Each strip is added; `close`; each strip is surrounded; `fill`; then strips can be painted. Strips may come in any
    order and from several threads. Held: 12 bytes for each run of change, and what `_Components` holds.

    Args:
        smallest: in whole units of area; components below it are no events, and places below it that events surround
            are parts of them.
        columns: of the map.
    """

    def __init__(self, smallest: int, columns: int) -> None:
        self._smallest, self._columns = smallest, columns
        self._components = _Components()
        self._runs: dict[int, Runs] = {}
        self._label: dict[int, NDArray[np.int32]] = {}
        self._holds: dict[int, NDArray[np.bool_]] = {}
        self._held: dict[int, Runs] = {}  # events before their holes are filled

    def add(self, number: int, grow: Runs, probs: NDArray[np.uint8], seed: int, factors: Factors) -> None:
        """A strip.

        Args:
            number: from 0, by the strip's place.
            grow: of at least the probability to grow to, wide enough.
            probs: (height, width) of the strip.
            seed: probability that an event must reach.
            factors: of the pixels' areas.
        """
        label, count = runs_of.connected(grow)
        area = runs_of.measured(grow, label, count, factors, _ALL)
        seeded = runs_of.reaching(probs, grow, label, count, seed)
        self._add(number, grow, label, area, seeded)

    def close(self) -> None:
        """After all strips were added."""
        for number, (crossing, area, seeded) in enumerate(self._components.close()):
            holds = self._holds.pop(number)
            holds[crossing.local] = seeded & (area >= self._smallest)
            self._runs[number] = runs_of.chosen(self._runs[number], holds[self._label.pop(number)])
        self._components = _Components()

    def surround(self, number: int, factors: Factors) -> None:
        """Look for places in a strip that no event holds and that are too small to be left out."""
        self._held[number] = self._runs[number]
        around = runs_of.gaps(self._runs[number], self._columns)
        label, count = runs_of.connected(around)
        area = runs_of.measured(around, label, count, factors, self._smallest)
        self._add(number, around, label, area, np.ones(count, bool))

    def fill(self) -> None:
        """After all strips were surrounded: what is left around the events is no part of them."""
        events = any(len(runs.start) for runs in self._held.values())
        self.close()
        for number, around in self._runs.items():
            # a small map without events is no place that one surrounds
            self._runs[number] = runs_of.gaps(around, self._columns) if events else self._held[number]
        self._held = {}

    def of_strip(self, number: int) -> Runs:
        """Runs of events in a strip."""
        return self._runs[number]

    def _add(
        self, number: int, runs: Runs, label: NDArray[np.int32], area: NDArray[np.int64], seeded: NDArray[np.bool_]
    ) -> None:
        self._components.add(number, runs, label, area, seeded)
        self._runs[number], self._label[number] = runs, label
        self._holds[number] = seeded & (area >= self._smallest)


class Totals:
    """Area of change and of its components from a smallest area on, from strips in any order and several threads.

    Args:
        smallest: in whole units of area.
    """

    def __init__(self, smallest: int) -> None:
        self._smallest = smallest
        self._components = _Components()
        self._sums: dict[int, tuple[int, int]] = {}

    def add(self, number: int, change: Runs, factors: Factors) -> None:
        """A strip: its number, from 0, runs that are wide enough, and the pixels' areas."""
        label, count = runs_of.connected(change)
        area = runs_of.measured(change, label, count, factors, _ALL)
        self._components.add(number, change, label, area, np.ones(count, bool))
        large = area >= self._smallest
        large[self._components.crossing(number)] = False
        self._sums[number] = int(area.sum()), int(area[large].sum())

    def sums(self) -> tuple[int, int]:
        """Of all change, and of components of at least the smallest area; after all strips."""
        everything, large = (sum(sums) for sums in zip(*self._sums.values(), strict=True))
        for strip, area, _ in self._components.close():
            large += int(strip.area[area >= self._smallest].sum())
        return everything, large


def settle(code: NDArray[np.uint8], probs: NDArray[np.uint8], classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Marks in `code` what is not seen, and tells the probability that goes with it.

    Args:
        code: (height, width), 1 and so on where a transition is mapped. Becomes 254 where `probs` are 255, and 255
            where any date is outside.
        probs: (transition, height, width).
        classes: (date, height, width).

    Returns:
        (height, width): of the transition that is mapped, elsewhere the highest; 255 where `code` is 254 or 255.
    """
    probability = np.empty_like(code)
    _settle(code, probs, classes, probability)
    return probability


@njit(cache=True, nogil=True)
def _settle(code, probs, classes, probability):  # type: ignore[no-untyped-def]
    kinds, height, width = probs.shape
    for row in range(height):
        line, best = code[row], probability[row]
        best[:] = probs[0, row]
        for k in range(1, kinds):
            other = probs[k, row]
            for col in range(width):
                best[col] = max(best[col], other[col])
        for col in range(width):
            if best[col] == NO_CONFIDENCE:
                line[col] = UNOBSERVED
            elif 1 <= line[col] <= kinds:
                best[col] = probs[line[col] - 1, row, col]
        for date in range(len(classes)):
            for col in range(width):
                if classes[date, row, col] == OUTSIDE:
                    line[col] = OUTSIDE
