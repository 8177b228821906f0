"""The map of named transitions over two or more dates, strip by strip: probabilities, events, and areas of both."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from geoseg.grid.window import Window
from geoseg.io.strip_file import StripFile
from geoseg.raster.change_events import Events, Totals, halo, settle, wide
from geoseg.raster.change_runs import Factors, Runs, above, area_where, cover, paint, within
from geoseg.raster.coding import CONFIDENCE_STEPS, OUTSIDE
from geoseg.raster.transitions import expanded, most_probable_change, transition_probability
from geoseg.stages.change_guard import Series
from geoseg.stages.change_rules import Rules
from geoseg.stats.change_sums import ChangeSums
from geoseg.stats.pixel_area import PixelArea

NO_CHANGE = 0
WITHIN_ERROR = 253  # probable change that is narrower than the registration error
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)  # probabilities that the sensitivity is told for
_THREADS = 2
_MANY = 0.2  # share of pixels: to keep what is known of more is no less work than to read it again
_ALL = 2**62  # more units of area than any map has
_MOST = 2.0**58  # units of area in a map: sums have room for 32 times that


@dataclass(frozen=True, slots=True)
class Strip:
    """Rows of the map of change, (height, width) each.

    Attributes:
        window: where.
        code: 0 no change, 1 and so on the transitions of the rules, 253 within the registration error, 254 not seen on
            two dates, 255 outside.
        probability: times 250, of the transition that is mapped, elsewhere of the most probable one; 255 none.
        first, last, before, after: of each mapped pixel the index of the date before the change, of the date that
            first shows it, and the classes before and after; 255 elsewhere.
    """

    window: Window
    code: NDArray[np.uint8]
    probability: NDArray[np.uint8]
    first: NDArray[np.uint8]
    last: NDArray[np.uint8]
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Sums:
    """Areas of a map of change, m2, by place in `Rules.named`, by date and by class value.

    Attributes:
        mapped: (date, class) of ground that two dates or more show, by its class on each.
        source: (date, date, class) of ground that was seen on two dates and on none between them, by its class on the
            first of them: what can change between the two.
        unobserved: (date,) inside, but not seen on that date.
        events: (transition, date, class, class) of what is mapped, by the date that first shows it and the classes
            before and after.
        whole: (transition,) of events, before the first transition takes what several have.
        observed: seen on two dates or more.
        never: inside, but not seen on two dates.
        within_error: within the registration error.
    """

    mapped: NDArray[np.float64]
    source: NDArray[np.float64]
    unobserved: NDArray[np.float64]
    events: NDArray[np.float64]
    whole: NDArray[np.float64]
    observed: float
    never: float
    within_error: float


class ChangeMap:
    """Maps transitions. Memory: a few strips, and what `Events` holds. Two threads work on strips.

    All probabilities are read once where there is a place to keep those of the few pixels that may have changed, and
    else twice.

    Args:
        series: the dates.
        rules: what counts.
        rows: of a strip. Nothing that is mapped or summed depends on it.
        scratch: folder with room for two bytes a pixel; None: without.

    Attributes:
        sensitivity: (transition, threshold, 2) m2 of change from each of `THRESHOLDS` on that is not narrower than the
            registration error; second, of its 4-connected parts from the smallest area on.
    """

    def __init__(self, series: Series, rules: Rules, rows: int | None = None, scratch: Path | None = None) -> None:
        self._series, self._rules = series, rules
        self._windows = list(series.strips(rows))
        self._area = PixelArea(series.geobox.crs.proj, series.geobox.transform, series.geobox.shape)
        self._lock = Lock()  # of the open maps and of `_area`
        self._unit = self._area_unit()
        smallest = min(round(rules.smallest / self._unit), _ALL)
        kinds, columns = len(rules.named), series.geobox.shape.x
        self._events = [Events(smallest, columns) for _ in rules.named]
        self._totals = [[Totals(smallest) for _ in THRESHOLDS] for _ in rules.named]
        self._narrow: dict[int, list[Runs]] = {}
        self._known = None if scratch is None else StripFile(scratch)
        self._smallest = smallest
        self._sums = ChangeSums(kinds, len(series.dates), len(series.entries))
        self._whole = np.zeros(kinds, np.int64)
        self._find()
        self.sensitivity = np.array([[total.sums() for total in totals] for totals in self._totals]) * self._unit

    @property
    def sums(self) -> Sums:
        """Areas, after going through `strips` once."""
        s, unit = self._sums, self._unit
        parts = (s.mapped * unit, s.source * unit, s.unobserved * unit, s.events * unit, self._whole * unit)
        return Sums(*parts, s.observed * unit, s.never * unit, s.within_error * unit)

    def strips(self) -> Iterator[Strip]:
        """The map from its top. Fills `sums`; go through it once."""
        waiting: deque[Future[tuple[Strip, NDArray[np.uint8], NDArray[np.int64]]]] = deque()
        with ThreadPoolExecutor(_THREADS) as pool:
            for number in range(len(self._windows) + _THREADS):
                if number < len(self._windows):
                    waiting.append(pool.submit(self._strip, number))
                if number >= _THREADS and waiting:
                    strip, classes, whole = waiting.popleft().result()
                    self._whole += whole
                    self._sums.add(
                        self._factors(strip.window), classes, strip.code, (strip.last, strip.before, strip.after)
                    )
                    yield strip

    def _find(self) -> None:
        """Events and totals of all strips."""
        numbers = range(len(self._windows))
        with ThreadPoolExecutor(_THREADS) as pool:
            for _ in pool.map(self._judge, numbers):
                pass
            for events in self._events:
                events.close()
            if self._rules.smallest:
                for _ in pool.map(self._surround, numbers):
                    pass
                for events in self._events:
                    events.fill()

    def _judge(self, number: int) -> None:
        """Probable change of a strip."""
        window, rules, width = self._windows[number], self._rules, self._rules.width
        height = self._series.geobox.shape.y
        top = max(0, window.row_off - halo(width))
        bottom = min(height, window.bottom + halo(width))
        rows = window.row_off - top, window.bottom - top
        _, series, probs = self._read(Window(0, top, window.width, bottom - top))
        factors, narrow, grown = self._factors(window), [], []
        steps = [round(t * CONFIDENCE_STEPS) for t in THRESHOLDS]
        for p, events, totals in zip(probs, self._events, self._totals, strict=True):
            found = _by_threshold(p, {rules.grow, *steps}, width, rows)
            (kept, rest), core = found[rules.grow], p[slice(*rows)]
            events.add(number, kept, core, rules.seed, factors)
            grown.append(kept)
            narrow.append(within(core, rest, rules.seed))
            for total, least in zip(totals, steps, strict=True):
                total.add(number, found[least][0], factors)
        self._narrow[number] = narrow
        if self._known is not None:
            most = int(self._smallest / factors.rows.min())
            kept_pixels = _few(grown, most, series, probs, slice(*rows))
            if kept_pixels is not None:
                self._known.put(number, kept_pixels)

    def _surround(self, number: int) -> None:
        factors = self._factors(self._windows[number])
        for events in self._events:
            events.surround(number, factors)

    def _strip(self, number: int) -> tuple[Strip, NDArray[np.uint8], NDArray[np.int64]]:
        """A strip of the map, the classes of all dates, and the area of each transition's events."""
        window = self._windows[number]
        known = None if self._known is None else self._known.get(number)
        if known is None:
            classes, series, probs = self._read(window)
            places, highest = None, probs
        else:
            with self._lock:
                classes = self._series.classes(window)
            packed, highest, series, probs = known
            places = np.flatnonzero(np.unpackbits(packed, count=highest.size).view(bool))
        code = np.zeros(window.shape, np.uint8)
        for runs in self._narrow.pop(number):
            paint(code, runs, WITHIN_ERROR)
        found = [events.of_strip(number) for events in self._events]
        for value in range(len(found), 0, -1):
            paint(code, found[value - 1], value)
        probability = settle(code, highest, classes)
        factors, inside = self._factors(window), probability != OUTSIDE
        whole = np.array([area_where(runs, inside, factors) for runs in found], np.int64)
        steps = self._steps(code, probability, series, probs, places)
        return Strip(window, code, probability, *steps), classes, whole

    def _steps(
        self,
        code: NDArray[np.uint8],
        probability: NDArray[np.uint8],
        series: NDArray[np.uint8],
        probs: NDArray[np.uint8],
        places: NDArray[np.intp] | None,
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
        """`most_probable_change` of the few pixels that changed; into `probability`, that of what is mapped.

        Args:
            series, probs: of all pixels, or of those of `places`, which are their numbers, row by row.
        """
        changed = np.flatnonzero((code - np.uint8(1)) < len(probs))
        at = changed
        if places is not None:
            at = np.searchsorted(places, changed)
            assert np.array_equal(places[at], changed)  # events lie in what was kept
        codes = code.ravel()[changed]
        probability.ravel()[changed] = probs.reshape(len(probs), -1)[codes - 1, at]
        few = series.reshape(*series.shape[:2], -1)[:, :, at]
        found = most_probable_change(few[..., None], codes[:, None], self._rules.named, self._rules.prior)
        out = np.full((len(found), code.size), 255, np.uint8)
        out[:, changed] = np.stack(found)[..., 0]
        first, last, before, after = out.reshape(-1, *code.shape)
        return first, last, before, after

    def _read(self, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
        """Classes (date, height, width), probabilities of classes (date, class, height, width) and of transitions,
        (transition, height, width), 255 where the map of change has no pixel."""
        rules = self._rules
        with self._lock:
            classes = self._series.classes(window)
            series = None if rules.plain else self._series.probs(window, classes)
        if series is None:
            sure = np.full(window.shape, CONFIDENCE_STEPS, np.uint8)
            series = np.stack([expanded(date, sure, len(self._series.entries)) for date in classes])
        probs = transition_probability(series, rules.named, rules.prior)
        if len(classes) > 2:
            probs[:, (classes == OUTSIDE).any(axis=0)] = OUTSIDE
        return classes, series, probs

    def _factors(self, window: Window) -> Factors:
        with self._lock:
            rows, cell, share = self._area.factors(window)
        return Factors(rows / self._unit, cell, share)

    def _area_unit(self) -> float:
        """m2: a power of two, so small that hardly any of a pixel's area is lost when it is a whole number of them, and
        not too small to count the map in."""
        height, width = self._series.geobox.shape
        places = [Window(col, row, 1, 1) for row in (0, height // 2, height - 1) for col in (0, width // 2, width - 1)]
        largest = max(float(self._area(place)[0, 0]) for place in places)
        return 2.0 ** math.ceil(math.log2(largest * height * width / _MOST))


def _by_threshold(
    probs: NDArray[np.uint8], thresholds: set[int], width: int, rows: tuple[int, int]
) -> dict[int, tuple[Runs, Runs]]:
    """Change from each threshold on, by `wide`."""
    found, likely = {}, None
    for least in sorted(thresholds):
        likely = above(probs, least) if likely is None else within(probs, likely, least)
        found[least] = wide(likely, width, probs.shape[1], rows)
    return found


def _few(
    grown: list[Runs], most: int, series: NDArray[np.uint8], probs: NDArray[np.uint8], rows: slice
) -> tuple[NDArray[np.uint8], ...] | None:
    """What is known of the pixels of `rows` that any event or a hole in one may hold; None if they are many.

    Args:
        grown: runs that events are made of, by transition.
        most: pixels that a hole may have.

    Returns:
        Which pixels, as bits; highest probability, (1, height, width); probabilities of classes, (date, class, pixel),
        and of transitions, (transition, pixel).
    """
    core = probs[:, rows]
    held = np.zeros(core.shape[1:], np.uint8)
    for runs in grown:
        cover(held, runs, most)
    row, col = np.divmod(np.flatnonzero(held.view(bool)), held.shape[1])
    if len(row) > _MANY * held.size:
        return None
    highest = core.max(axis=0, keepdims=True)
    return np.packbits(held), highest, series[:, :, rows][:, :, row, col], core[:, row, col]
