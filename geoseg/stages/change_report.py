"""What the page of change shows: figures as they stand in the tables, and the maps made small."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from geoseg.io.rasters import open_raster
from geoseg.raster.coding import CONFIDENCE_STEPS
from geoseg.report.change_page import ChangePage, Period, Picture, TransitionLine
from geoseg.report.styles import ClassEntry
from geoseg.stages.change_map import THRESHOLDS
from geoseg.stages.change_rasters import change_entries, date_entries, named_entries
from geoseg.stages.change_tables import ChangeResults, assumption, intervals

_SIDE: Final = 1100  # pixels of a picture, at most
_OUTSIDE_COLOUR: Final = "#ffffff"


def shown(results: ChangeResults, out: Path) -> ChangePage:
    """The page of the results whose maps are in `out`."""
    dates, sums = results.series.dates, results.sums
    pictures = [_picture(out / "change.tif", "Transitions", change_entries(results.rules))]
    if len(dates) > 2:
        pictures.append(
            _picture(out / "change_date.tif", "Date that first shows the change", date_entries(results.series))
        )
    days = [dated.date.isoformat() for dated in dates]
    said = f"{days[0]} and {days[1]}" if len(days) == 2 else f"{len(days)} dates from {days[0]} to {days[-1]}"
    return ChangePage(
        title=f"Change between {days[0]} and {days[-1]}",
        subtitle=f"{said}, mapped with {dates[0].model}",
        transitions=list(_lines(results)),
        observed=sums.observed,
        unobserved=sums.never,
        within_error=sums.within_error,
        method=_method(results),
        pictures=pictures,
    )


def _lines(results: ChangeResults) -> Iterator[TransitionLine]:
    names, found = results.series.names, list(intervals(results))
    for k, (pairs, (_, name, colour)) in enumerate(zip(results.rules.named, named_entries(results.rules), strict=True)):
        periods = [
            Period(i.first, i.last, i.years, i.area, i.events, i.compared)
            for i in found
            if i.transition == name and (i.events or i.before + i.after == len(results.series.dates))
        ]
        yield TransitionLine(
            name=name,
            colour=colour,
            before=[n for n, member in zip(names, pairs.before, strict=True) if member],
            after=[n for n, member in zip(names, pairs.after, strict=True) if member],
            area=float(results.sums.events[k].sum()),
            whole=float(results.sums.whole[k]),
            events=sum(p.events for p in periods),
            periods=periods,
            sensitivity=[(t, *results.sensitivity[k, n].tolist()) for n, t in enumerate(THRESHOLDS)],
        )


def _method(results: ChangeResults) -> dict[str, str]:
    rules, asked = results.rules, results.asked
    if rules.plain:
        return {"comparison": "the classes mapped on each date, pixel by pixel; nothing else counts"}
    shifts = [
        f"{one.date} to {two.date} {shift.rows:+.2f} rows, {shift.cols:+.2f} columns (± {shift.error:.2f})"
        for one, two, shift in zip(results.series.dates, results.series.dates[1:], rules.shifts, strict=False)
        if shift is not None
    ]
    told = "; ".join(shifts) if shifts else f"{asked.registration} pixels as stated"
    return {
        "probabilities": assumption(results),
        "events": f"connected pixels of probability {rules.grow / CONFIDENCE_STEPS:g} and more that reach "
        f"{rules.seed / CONFIDENCE_STEPS:g} somewhere and cover at least "
        f"{'9 pixels' if asked.min_area == 'auto' else f'{rules.smallest:,.0f} m²'}; smaller holes in them are filled",
        "registration": f"{told}. Probable change that nowhere holds a square of {rules.width + 1} x {rules.width + 1} "
        f"pixels is set aside, so an event has at least {(rules.width + 1) ** 2}: edges that do not lie quite right "
        "look like it, and so do single doubtful pixels",
        "precedence": "where several transitions hold, the first of them is mapped: "
        + ", ".join(pairs.name for pairs in rules.named),
        "areas": "of pixels on the ellipsoid; what was not observed is in none of them",
    }


def _picture(path: Path, title: str, entries: list[ClassEntry]) -> Picture:
    """A map at the first of its levels that is small enough."""
    with open_raster(path) as raster:
        shape, levels = raster.shape, raster.overviews
    level = next((k for k in range(levels) if max(shape) >> (k + 1) <= _SIDE), levels - 1)
    with open_raster(path, overview=None if max(shape) <= _SIDE or level < 0 else level) as raster:
        values = raster.read_classes()
    table = np.full((256, 3), tuple(bytes.fromhex(_OUTSIDE_COLOUR[1:])), np.uint8)
    for value, _, colour in entries:
        table[value] = tuple(bytes.fromhex(colour[1:]))
    shares = np.bincount(values.ravel(), minlength=256)
    return Picture(title, table[values], [(name, colour) for value, name, colour in entries if shares[value]])
