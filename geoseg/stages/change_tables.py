"""What is counted of change: by transition, by interval between dates, and at other thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date as Date
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas
from numpy.typing import NDArray

from geoseg.config import Change
from geoseg.io.text_table import Cell, write_text_table
from geoseg.raster.coding import CONFIDENCE_STEPS
from geoseg.raster.registration import Shift
from geoseg.stages.change_guard import Series
from geoseg.stages.change_map import THRESHOLDS, Rules, Sums
from geoseg.stats.rates import rates, years_between

_ANNUAL: Final = (
    *("first_date", "last_date", "years", "transition", "events", "area_m2", "m2_per_year", "from_m2"),
    *("share_per_year", "rate_fao", "rate_puyravaud", "unobserved_m2"),
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
    """A transition between two dates that follow each other.

    Args:
        transition: its name.
        first, last: dates; events of the interval were first seen on the last.
        years: between them.
        events: how many.
        area: of them, m2.
        source: m2 of ground that the first map shows in the classes that the transition starts from.
        unobserved: m2 that the last map does not show.
    """

    transition: str
    first: Date
    last: Date
    years: float
    events: int
    area: float
    source: float
    unobserved: float


def intervals(results: ChangeResults) -> Iterator[Interval]:
    """Each transition in each interval, by date, then transition."""
    dates = [dated.date for dated in results.series.dates]
    for step in range(1, len(dates)):
        first, last = dates[step - 1], dates[step]
        for pairs in results.rules.named:
            found = results.events
            here = found[(found["transition"] == pairs.name) & (found["last_date"] == last.isoformat())]
            yield Interval(
                pairs.name,
                first,
                last,
                years_between(first, last),
                len(here),
                float(here["area_m2"].sum()),
                float(results.sums.mapped[step - 1][pairs.before].sum()),
                float(results.sums.unobserved[step]),
            )


def write_tables(results: ChangeResults, out: Path) -> dict[str, Any]:
    """Writes `annual.csv` and `sensitivity.csv`; returns what `change.json` says, areas in m2 on the ellipsoid."""
    write_text_table(out / "annual.csv", _ANNUAL, [_annual(interval) for interval in intervals(results)])
    write_text_table(out / "sensitivity.csv", _SENSITIVITY, list(_sensitivity(results)))
    return figures(results)


def _annual(found: Interval) -> list[Cell]:
    """A row: rates are those of the classes that the transition starts from, if nothing else happened to them."""
    rate = rates(found.source, max(0.0, found.source - found.area), found.years)
    per_year, share = found.area / found.years, None if rate.simple is None else -rate.simple
    return [
        *(found.first.isoformat(), found.last.isoformat(), found.years, found.transition, found.events, found.area),
        *(per_year, found.source, share, rate.compound, rate.continuous, found.unobserved),
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
        else (
            " Only the probability of the mapped class is known of some dates; the rest is spread evenly over the "
            "others."
        )
    )
    if len(results.series.dates) == 2 and results.asked.matrix == "auto":
        return (
            "The two dates are independent: the probability of a class before and a class after is the product of both "
            f"dates' probabilities.{known}"
        )
    chain = (
        "a class stays with a probability of 0.99 a year and else becomes any other"
        if results.asked.matrix == "auto"
        else "classes follow each other from date to date as the transition matrix says"
    )
    return (
        f"Classes of a pixel are a Markov chain: {chain}. Given the classes, the dates' imagery is independent. The "
        "probability is that the transition happens between any two dates that follow each other; date and classes are "
        f"those of the most probable sequence in which it does.{known}"
    )


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
