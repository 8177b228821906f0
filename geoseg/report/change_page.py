"""The page of change: how much and where, when, and how far the answer hangs on thresholds.

One file that opens anywhere: pictures are inside, nothing is fetched, nothing runs, and all text is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date as Date
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from geoseg.report.html_page import filled


@dataclass(frozen=True, slots=True)
class Period:
    """Change between two dates: area in m2, events, and m2 of ground that both show and no date between them."""

    first: Date
    last: Date
    years: float
    area: float
    events: int
    compared: float


@dataclass(frozen=True, slots=True)
class TransitionLine:
    """A transition.

    Args:
        name, colour: as on the maps.
        before, after: names of classes.
        area: m2 that is mapped.
        whole: m2 of its events; more than `area` where another transition has precedence.
        events: how many.
        periods: by date.
        sensitivity: threshold; m2 of connected ground from that probability on; m2 of that in pieces that are not too
            small.
    """

    name: str
    colour: str
    before: Sequence[str]
    after: Sequence[str]
    area: float
    whole: float
    events: int
    periods: Sequence[Period]
    sensitivity: Sequence[tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class Picture:
    """A map, (height, width, 3) uint8, and its legend as name and colour."""

    title: str
    pixels: NDArray[np.uint8]
    legend: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ChangePage:
    """All that the page shows.

    Args:
        title, subtitle: text above.
        transitions: in order of precedence.
        observed, unobserved, within_error: m2.
        method: name and text of each point.
        pictures: maps.
    """

    title: str
    subtitle: str
    transitions: Sequence[TransitionLine]
    observed: float
    unobserved: float
    within_error: float
    method: Mapping[str, str]
    pictures: Sequence[Picture]


def page(shown: ChangePage) -> str:
    """The page as HTML."""
    return filled("change.html", {"hectares": hectares}, page=shown, bars=bars, curve=curve)


@dataclass(frozen=True, slots=True)
class Bar:
    """Time between two dates in a chart of unit width and height.

    Args:
        left, width, height: its area is what changed.
        first, last: dates.
        rate: m2 a year.
        end: whether one date alone tells what was before, or after.
    """

    left: float
    width: float
    height: float
    first: Date
    last: Date
    rate: float
    end: bool


def bars(periods: Sequence[Period]) -> list[Bar]:
    """Change a year, over time; the tallest bar has height 1, or all have none. Periods may overlap: rates add up."""
    edges = sorted({p.first for p in periods} | {p.last for p in periods})
    spans = list(pairwise(edges))
    rates = [sum(p.area / p.years for p in periods if p.first <= one and two <= p.last) for one, two in spans]
    top, days = max(rates) or 1.0, (edges[-1] - edges[0]).days
    return [
        Bar((one - edges[0]).days / days, (two - one).days / days, rate / top, one, two, rate, k in (0, len(spans) - 1))
        for k, ((one, two), rate) in enumerate(zip(spans, rates, strict=True))
    ]


def curve(line: TransitionLine) -> tuple[list[tuple[float, float]], list[tuple[float, float]], float]:
    """Points (threshold, share of the highest) without and with the smallest area, and the share that is mapped."""
    top = max([line.whole, *(value for _, *values in line.sensitivity for value in values)]) or 1.0
    without, large = ([(row[0], row[k] / top) for row in line.sensitivity] for k in (1, 2))
    return without, large, line.whole / top


def hectares(square_metres: float) -> str:
    """Such as `12.3 ha`, or `12,345 km²` from a million hectares on."""
    if square_metres >= 1e10:
        return f"{square_metres / 1e6:,.0f} km²"
    value = square_metres / 1e4
    return f"{value:,.0f} ha" if value >= 100 else f"{value:.2f} ha" if value < 10 else f"{value:.1f} ha"
