"""What is counted of change: by transition, by interval between dates, and at other thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date as Date
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas
from numpy.typing import NDArray

from geoseg.config import Change
from geoseg.io.commit import sha256
from geoseg.io.text_table import Cell, write_text_table
from geoseg.raster.coding import CONFIDENCE_STEPS
from geoseg.raster.registration import Shift
from geoseg.stages.change_guard import DatedMap, Series
from geoseg.stages.change_map import THRESHOLDS, Sums
from geoseg.stages.change_rules import Rules
from geoseg.stats.rates import rates, years_between

_ANNUAL: Final = (
    *("first_date", "last_date", "years", "transition", "events", "area_m2", "m2_per_year", "from_m2"),
    *("share_per_year", "gross_rate_fao", "gross_rate_puyravaud", "compared_m2", "dates_before", "dates_after"),
)
_SENSITIVITY: Final = ("transition", "threshold", "area_m2", "area_from_min_area_m2", "mapped_m2")


@dataclass(frozen=True, slots=True)
class ChangeResults:
    """All that is known of change.

    Args:
        series, rules, asked: what was compared, and how.
        sums: areas of the maps.
        sensitivity: (transition, threshold, 2) m2, without and with the smallest area.
        events: attributes of the layer, one row each.
    """

    series: Series
    rules: Rules
    asked: Change
    sums: Sums
    sensitivity: NDArray[np.float64]
    events: pandas.DataFrame


@dataclass(frozen=True, slots=True)
class Interval:
    """A transition between two dates on ground that no date between them shows.

    Args:
        transition: its name.
        first, last: dates: on the one most of an event's ground was last seen as it was, on the other changed.
        years: between them.
        events: how many.
        area: of them, m2.
        source: m2 of that ground that the first map shows in the classes that the transition starts from.
        compared: m2 of that ground.
        before, after: number of dates up to the first, and from the last on: what is told from one of either alone is
            less sure.
    """

    transition: str
    first: Date
    last: Date
    years: float
    events: int
    area: float
    source: float
    compared: float
    before: int
    after: int


def intervals(results: ChangeResults) -> Iterator[Interval]:
    """Each transition between each two dates that follow each other on some ground, by date, then transition."""
    dates, source = [dated.date for dated in results.series.dates], results.sums.source
    groups = results.events.groupby(["first_date", "last_date", "transition"])["area_m2"].agg(["size", "sum"])
    for a, b in combinations(range(len(dates)), 2):
        compared = float(source[a, b].sum())
        for pairs in results.rules.named:
            key = dates[a].isoformat(), dates[b].isoformat(), pairs.name
            count, area = groups.loc[key] if key in groups.index else (0, 0.0)
            if b > a + 1 and not compared and not count:
                continue
            years, start = years_between(dates[a], dates[b]), float(source[a, b][pairs.before].sum())
            dated = (a + 1, len(dates) - b)
            yield Interval(pairs.name, dates[a], dates[b], years, int(count), float(area), start, compared, *dated)


def write_tables(results: ChangeResults, out: Path) -> dict[str, Any]:
    """Writes `annual.csv` and `sensitivity.csv`; returns what `change.json` says, areas in m2 on the ellipsoid."""
    write_text_table(out / "annual.csv", _ANNUAL, [_annual(interval) for interval in intervals(results)])
    write_text_table(out / "sensitivity.csv", _SENSITIVITY, list(_sensitivity(results)))
    return figures(results)


def _annual(found: Interval) -> list[Cell]:
    """A row. Rates are gross: of the ground that the transition starts from, if nothing else happened to it."""
    left = found.source - found.area
    rate = rates(found.source, left if left >= 0 else None, found.years)
    per_year = found.area / found.years
    share = per_year / found.source if found.source else None
    return [
        *(found.first.isoformat(), found.last.isoformat(), found.years, found.transition, found.events, found.area),
        *(per_year, found.source, share, rate.compound, rate.continuous),
        *(found.compared, found.before, found.after),
    ]


def _sensitivity(results: ChangeResults) -> Iterator[list[Cell]]:
    for k, pairs in enumerate(results.rules.named):
        mapped = float(results.sums.whole[k])
        for t, threshold in enumerate(THRESHOLDS):
            without, large = results.sensitivity[k, t].tolist()
            yield [pairs.name, threshold, without, large, mapped]


def figures(results: ChangeResults) -> dict[str, Any]:
    """Content of `change.json`, without the hashes of the files."""
    series, rules, sums = results.series, results.rules, results.sums
    first, names = series.dates[0], series.names
    return {
        "dates": [dated.date.isoformat() for dated in series.dates],
        "model": {"name": first.model, "sha256": first.model_sha256, "card_sha256": first.card_sha256},
        "method": {
            "name": "plain comparison of the mapped classes" if rules.plain else "probability of transitions",
            "assumption": None if rules.plain else assumption(results),
            "seed_probability": rules.seed / CONFIDENCE_STEPS,
            "grow_probability": rules.grow / CONFIDENCE_STEPS,
            "min_area_m2": rules.smallest,
        },
        "settings": results.asked.model_dump(mode="json"),
        "maps": [_origin(dated) for dated in series.dates],
        "registration": {
            "shifts_px": [None if shift is None else _shift(shift) for shift in rules.shifts],
            "stated_px": None if results.asked.registration == "auto" else results.asked.registration,
            "narrowest_px": rules.width + 1,
        },
        "transitions": {
            pairs.name: {
                "value": k + 1,
                "from": [n for n, member in zip(names, pairs.before, strict=True) if member],
                "to": [n for n, member in zip(names, pairs.after, strict=True) if member],
                "events": int((results.events["transition"] == pairs.name).sum()),
                "mapped_m2": float(sums.events[k].sum()),
                "whole_m2": float(sums.whole[k]),
                "from_to_m2": _table(sums.events[k].sum(axis=0), names),
            }
            for k, pairs in enumerate(rules.named)
        },
        "areas": {
            "observed_m2": sums.observed,
            "unobserved_m2": sums.never,
            "unobserved_by_date_m2": sums.unobserved.tolist(),
            "within_registration_error_m2": sums.within_error,
            "classes_by_date_m2": {name: sums.mapped[:, k].tolist() for k, name in enumerate(names)},
        },
    }


def assumption(results: ChangeResults) -> str:
    """What the probabilities rest on, in words."""
    whole = all(dated.probs is not None for dated in results.series.dates)
    known = (
        ""
        if whole
        else " Not every date has probs.tif, so only the probability of the mapped class counts; the rest is spread "
        "evenly over the other classes."
    )
    if results.rules.chain == "independent":
        return (
            "The dates are independent: the probability of a class before and a class after is the product of both "
            f"dates' probabilities.{known}"
        )
    chain = {
        "persistent": "to stay is 20 times as probable as any one other class, from each date to the next",
        "stated": "classes follow each other from date to date as the transition matrix says",
    }[results.rules.chain]
    return (
        f"Classes of a pixel are a Markov chain: {chain}; it starts from equal shares. Given the classes, the dates' "
        "imagery is independent. The probability is that the transition happens between any two dates that follow each "
        f"other; date and classes are those of the most probable sequence in which it does.{known}"
    )


def _origin(dated: DatedMap) -> dict[str, Any]:
    """The files that a date was read from."""
    files = [raster for raster in (dated.classes, dated.confidence, dated.probs) if raster is not None]
    return {"folder": dated.folder.name, "sha256": {raster.path.name: sha256(raster.path) for raster in files}}


def _shift(shift: Shift) -> dict[str, Any]:
    return {
        "rows": shift.rows,
        "cols": shift.cols,
        "standard_error": shift.error,
        "windows": shift.windows,
        "windows_tried": shift.tried,
    }


def _table(areas: NDArray[np.float64], names: list[str]) -> dict[str, dict[str, float]]:
    """Area by class before, then class after."""
    return {b: dict(zip(names, row, strict=True)) for b, row in zip(names, areas.tolist(), strict=True)}
