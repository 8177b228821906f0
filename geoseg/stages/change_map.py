"""The map of named transitions between two dates, strip by strip: probabilities, events, and areas of both."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geoseg.grid.window import Window
from geoseg.io.rasters import Raster
from geoseg.raster.change_events import Events, halo, wide
from geoseg.raster.coding import CONFIDENCE_STEPS, NO_CONFIDENCE, OUTSIDE, UNOBSERVED
from geoseg.raster.named_transitions import Pairs, Transition, resolve
from geoseg.raster.registration import Shift, combined, layers, spread_windows, window_shift
from geoseg.raster.transitions import (
    Coded,
    coded_transition_probability,
    observed,
    prior_weights,
)
from geoseg.stages.change_guard import Pair
from geoseg.stats.pixel_area import PixelArea

NO_CHANGE = 0
WITHIN_ERROR = 253  # probable change that is narrower than the registration error
SMALL = 9  # pixels: the smallest event, unless the analyst says otherwise
_WINDOWS = 36  # compared for the shift
_STILL = 0.1  # pixels: a reach below this moves no edge by a pixel
_EDGE = 0.5  # pixels that the edge of a class is off on a map even where the map lies right


@dataclass(frozen=True, slots=True)
class ChangeSettings:
    """What counts as change.

    Args:
        transitions: names of ready-made ones or the analyst's own, in order: where several hold, the first is mapped.
            None: all ready-made ones that the classes allow.
        seed: probability that an event must reach somewhere.
        grow: probability that it must have everywhere, at most `seed`.
        min_area: m2; smaller events are left out, and smaller holes in events are filled. auto: 9 pixels.
        registration: pixels that edges may be off each other; None: the shift estimated from the two maps, with two
            standard errors, and half a pixel more for how the edges of classes are drawn.
        matrix: probability of the class after, given that before, rows by class; None: the dates are independent.
        plain: compare the mapped classes and nothing else: probability, smallest area and registration do not count.
        simplify: pixels that outlines of events may be off.
    """

    transitions: tuple[str | Transition, ...]
    seed: float
    grow: float
    min_area: float | Literal["auto"]
    registration: float | None
    matrix: tuple[tuple[float, ...], ...] | None
    plain: bool
    simplify: float


@dataclass(frozen=True, slots=True)
class Rules:
    """Settings for one pair of maps: transitions among its classes, stored probabilities, whole pixels."""

    named: list[Pairs]
    weights: NDArray[np.float64] | None
    seed: int
    grow: int
    smallest: float
    width: int
    shift: Shift | None
    plain: bool


@dataclass(slots=True)
class Sums:
    """Areas of a map of change, m2, by place in `Rules.named` and by class value."""

    mapped: NDArray[np.float64]  # (class, class) of the two maps as they are
    whole: NDArray[np.float64]  # (transition,) of events
    events: NDArray[np.float64]  # (transition, class, class) of what is mapped, by the classes of the two maps
    observed: float = 0.0
    unobserved: float = 0.0
    within_error: float = 0.0


class ChangeMap:
    """Maps transitions. Memory: strips, and what `Events` holds.

    Args:
        pair: the two dates.
        rules: what counts.
        rows: of a strip. Nothing that is mapped depends on it.
    """

    def __init__(self, pair: Pair, rules: Rules, rows: int | None = None) -> None:
        self._pair, self._rules, self._rows = pair, rules, rows
        self._area = PixelArea(pair.geobox.crs.proj, pair.geobox.transform, pair.geobox.shape)
        self._events = [Events(rules.smallest) for _ in rules.named]
        self._around = [Events(rules.smallest) for _ in rules.named]  # of what is no event: small places are holes
        count = len(pair.before.entries)
        kinds = len(rules.named)
        self.sums = Sums(np.zeros((count, count)), np.zeros(kinds), np.zeros((kinds, count, count)))
        for window in pair.strips(rows):
            probs, wide_enough = self._judged(window)
            area = self._area(window)
            for events, p, kept in zip(self._events, probs, wide_enough, strict=True):
                events.add(kept, kept & (p >= rules.seed), area)
        for events in self._events:
            events.close()
        if rules.smallest:
            self._find_holes()

    def _find_holes(self) -> None:
        for number, window in enumerate(self._pair.strips(self._rows)):
            wide_enough, area = self._judged(window)[1], self._area(window)
            for events, around, kept in zip(self._events, self._around, wide_enough, strict=True):
                rest = ~events.of_strip(number, kept)
                around.add(rest, None, area)
        for around in self._around:
            around.close()

    def _held(self, number: int, wide_enough: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
        """Pixels of each transition's events in a strip, small holes filled."""
        held = [events.of_strip(number, kept) for events, kept in zip(self._events, wide_enough, strict=True)]
        if not self._rules.smallest:
            return held
        return [~around.of_strip(number, ~events) for around, events in zip(self._around, held, strict=True)]

    def transitions(self) -> Iterator[tuple[Window, NDArray[np.uint8]]]:
        """The map: 0 no change, 1 and so on the named transitions, 253 to 255. Fills `sums`; go through it once."""
        for number, window in enumerate(self._pair.strips(self._rows)):
            one, two = self._pair.read(window)
            probs, wide_enough = self._judged(window)
            seen = observed(one, two)
            code = np.full(window.shape, NO_CHANGE, np.uint8)
            held = [events & seen for events in self._held(number, wide_enough)]
            narrow = (probs >= self._rules.seed) & ~wide_enough
            code[narrow.any(axis=0) & seen] = WITHIN_ERROR
            for value in range(len(held), 0, -1):
                code[held[value - 1]] = value
            code[~seen] = UNOBSERVED
            code[(one.classes == OUTSIDE) | (two.classes == OUTSIDE)] = OUTSIDE
            self._add(window, code, held, (one, two))
            yield window, code

    def probabilities(self, mapped: Raster) -> Iterator[tuple[Window, NDArray[np.uint8]]]:
        """Probability x 250 of the transition that is mapped, elsewhere of the most probable one; 255 unobserved.

        Args:
            mapped: the file that `transitions` went to.
        """
        for window in self._pair.strips(self._rows):
            probs = self._coded(window)
            code = mapped.read_classes(window)
            best = probs.max(axis=0)
            for value in range(1, len(probs) + 1):
                best[code == value] = probs[value - 1][code == value]
            best[code >= UNOBSERVED] = NO_CONFIDENCE
            yield window, best

    def _coded(self, window: Window) -> NDArray[np.uint8]:
        return _coded(*self._pair.read(window), self._rules)

    def _judged(self, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """(transition, height, width) probabilities, and the grow mask without what is narrow. Reads a halo."""
        around = halo(self._rules.width)
        height = self._pair.geobox.shape[0]
        top, bottom = max(0, window.row_off - around), min(height, window.bottom + around)
        probs = self._coded(Window(0, top, window.width, bottom - top))
        grow = (probs >= self._rules.grow) & (probs != NO_CONFIDENCE)
        kept = np.stack([wide(mask, self._rules.width) for mask in grow])
        rows = slice(window.row_off - top, window.bottom - top)
        probs = probs[:, rows]
        return np.where(probs == NO_CONFIDENCE, 0, probs).astype(np.uint8), kept[:, rows]

    def _add(
        self,
        window: Window,
        code: NDArray[np.uint8],
        held: list[NDArray[np.bool_]],
        dates: tuple[Coded, Coded],
    ) -> None:
        """Count a strip."""
        area, sums, count = self._area(window), self.sums, len(self.sums.mapped)
        seen = code < UNOBSERVED
        pairs = dates[0].classes[seen].astype(np.int64) * count + dates[1].classes[seen]
        areas, codes = area[seen], code[seen]
        sums.mapped += np.bincount(pairs, areas, count * count).reshape(count, count)
        for k, events in enumerate(held):
            sums.whole[k] += area[events].sum()
            here = codes == k + 1
            sums.events[k] += np.bincount(pairs[here], areas[here], count * count).reshape(count, count)
        sums.observed += areas.sum()
        sums.unobserved += area[code == UNOBSERVED].sum()
        sums.within_error += area[code == WITHIN_ERROR].sum()


def rules_for(pair: Pair, asked: ChangeSettings) -> Rules:
    """What counts as change between two maps.

    Raises:
        ConfigError: a transition or class that is not known, or no transition matrix.
        DataError: the shift between the maps cannot be told.
    """
    named = resolve(asked.transitions, pair.before.names)
    seed, grow = (max(1, math.ceil(p * CONFIDENCE_STEPS - 1e-6)) for p in (asked.seed, asked.grow))
    if asked.plain:
        return Rules(named, None, CONFIDENCE_STEPS, CONFIDENCE_STEPS, 0.0, 0, None, True)
    weights = None if asked.matrix is None else prior_weights(np.array(asked.matrix), _shares(pair))
    smallest = SMALL * _pixel(pair) if asked.min_area == "auto" else asked.min_area
    shift = _shift(pair) if asked.registration is None else None
    reach = shift.reach + _EDGE if shift else asked.registration or 0.0
    return Rules(named, weights, seed, grow, smallest, math.ceil(reach) if reach >= _STILL else 0, shift, False)


def _coded(one: Coded, two: Coded, rules: Rules) -> NDArray[np.uint8]:
    """Stored probability of each transition; as certain as can be where mapped classes are compared as they are."""
    if rules.plain:
        one, two = (
            Coded(d.classes, np.where(d.confidence == NO_CONFIDENCE, NO_CONFIDENCE, CONFIDENCE_STEPS).astype(np.uint8))
            for d in (one, two)
        )
    return coded_transition_probability(one, two, rules.named, rules.weights)


def _pixel(pair: Pair) -> float:
    """Area of the pixel in the middle, less a hair: the others differ by rounding."""
    height, width = pair.geobox.shape
    area = PixelArea(pair.geobox.crs.proj, pair.geobox.transform, pair.geobox.shape)
    return float(area(Window(width // 2, height // 2, 1, 1))[0, 0]) * 0.99


def _shares(pair: Pair) -> NDArray[np.float64]:
    """Of each class before, of the pixels that both dates show."""
    count = np.zeros(len(pair.before.entries))
    for window in pair.strips():
        one, two = pair.read(window)
        count += np.bincount(one.classes[observed(one, two)], minlength=len(count))
    return count / count.sum()


def _shift(pair: Pair) -> Shift:
    peaks = []
    for window in spread_windows(pair.geobox.shape, _WINDOWS):
        one, two = pair.read(window)
        maps = (layers(date.classes, len(pair.before.entries)) for date in (one, two))
        peaks.append(window_shift(*maps, observed(one, two)))
    return combined(peaks)
