"""What counts as change between the dates of a series: transitions, probabilities, areas and registration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geoseg.config import Change, resolve
from geoseg.errors import ConfigError
from geoseg.grid.window import Window
from geoseg.raster.coding import CONFIDENCE_STEPS, UNOBSERVED
from geoseg.raster.named_transitions import Pairs
from geoseg.raster.registration import Shift, combined, layers, spread_windows, window_shift
from geoseg.raster.transitions import Prior, independent, markov, persistent
from geoseg.stages.change_guard import Series
from geoseg.stats.pixel_area import PixelArea

SMALL = 9  # pixels: the smallest event, unless the analyst says otherwise
_WINDOWS = 36  # compared for the shift
_STILL = 0.1  # pixels: a reach below this moves no edge by a pixel
_EDGE = 0.5  # pixels that the edge of a class is off on a map even where the map lies right
_SUM = 1e-3  # that a row of stated probabilities may be off one


@dataclass(frozen=True, slots=True)
class Rules:
    """Settings for one series: transitions among its classes, stored probabilities, whole pixels.

    Attributes:
        named: the transitions, in order: where several hold, the first is mapped.
        prior: how classes follow each other.
        chain: what that is: each date by itself, classes that stay, or a stated matrix.
        seed, grow: probability x 250 that an event must reach somewhere, and have everywhere.
        smallest: m2 of an event.
        width: pixels; change that is no wider may be registration.
        shifts: between each date and the next, where they were estimated.
        plain: mapped classes are compared, and nothing else counts.
    """

    named: list[Pairs]
    prior: Prior
    chain: Literal["independent", "persistent", "stated"]
    seed: int
    grow: int
    smallest: float
    width: int
    shifts: tuple[Shift | None, ...]
    plain: bool


def rules_for(series: Series, asked: Change) -> Rules:
    """What counts as change in a series.

    Raises:
        ConfigError: a transition or class that is not known, or no transition matrix.
        DataError: the shift between two dates cannot be told.
    """
    names, steps = series.names, len(series.dates) - 1
    named = [Pairs(t.name, np.array(t.before), np.array(t.after)) for t in resolve(asked.transitions, names)]
    if asked.plain:
        even = independent(len(series.dates), len(names))
        return Rules(named, even, "independent", CONFIDENCE_STEPS, CONFIDENCE_STEPS, 0.0, 0, (None,) * steps, True)
    prior, chain = _prior(series, asked)
    seed, grow = (max(1, math.ceil(p * CONFIDENCE_STEPS - 1e-6)) for p in (asked.seed, asked.grow))
    smallest = SMALL * _pixel(series) if asked.min_area == "auto" else asked.min_area
    if asked.registration == "auto":
        shifts = tuple(_shift(series.pair(k)) for k in range(steps))
        reach = max(shift.reach for shift in shifts) + _EDGE
    else:
        shifts, reach = (), asked.registration
    width = math.ceil(reach) if reach >= _STILL else 0
    return Rules(named, prior, chain, seed, grow, smallest, width, shifts or (None,) * steps, False)


def _prior(series: Series, asked: Change) -> tuple[Prior, Literal["independent", "persistent", "stated"]]:
    """How classes follow each other.

    A chain starts from equal shares of the classes, not from those of the map: the more a map lacks a class, the more a
    faint sign of it would count, date after date, and what a pixel is would hang on where the area ends.
    """
    dates, count = len(series.dates), len(series.entries)
    even = np.full(count, 1 / count)
    if asked.matrix != "auto":
        matrix = _matrix(asked.matrix, series.names)
        return markov(np.stack([matrix] * (dates - 1)), even), "stated"
    if dates == 2:
        return independent(dates, count), "independent"
    return markov(persistent(dates - 1, count), even), "persistent"


def _matrix(stated: dict[str, dict[str, float]], names: list[str]) -> NDArray[np.float64]:
    """(class, class) from rows by name, which sum to one exactly; a class that a row does not name never comes next.

    Raises:
        ConfigError: a class that is unknown, one without a row, or a row that does not sum to one.
    """
    for name in [*stated, *(name for row in stated.values() for name in row)]:
        if name not in names:
            raise ConfigError(f"change.matrix names {name}, which is no class; the classes are {', '.join(names)}")
    if missing := [name for name in names if name not in stated]:
        raise ConfigError(f"change.matrix has no row for {', '.join(missing)}; give one for each of {', '.join(names)}")
    matrix = np.array([[stated[one].get(two, 0.0) for two in names] for one in names])
    sums = matrix.sum(axis=1)
    for name, total in zip(names, sums, strict=True):
        if abs(total - 1) > _SUM:
            raise ConfigError(
                f"change.matrix, row {name}, sums to {total:g}; give probabilities of the next class that sum to 1"
            )
    return matrix / sums[:, None]


def _pixel(series: Series) -> float:
    """Area of the pixel in the middle, less a hair: the others differ by rounding."""
    height, width = series.geobox.shape
    area = PixelArea(series.geobox.crs.proj, series.geobox.transform, series.geobox.shape)
    return float(area(Window(width // 2, height // 2, 1, 1))[0, 0]) * 0.99


def _shift(pair: Series) -> Shift:
    peaks = []
    for window in spread_windows(pair.geobox.shape, _WINDOWS):
        classes = pair.classes(window)
        maps = (layers(date, len(pair.entries)) for date in classes)
        peaks.append(window_shift(*maps, (classes < UNOBSERVED).all(axis=0)))
    return combined(peaks)
