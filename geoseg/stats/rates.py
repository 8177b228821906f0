"""Rates of change per year of an area that was measured at two dates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from geoseg.errors import ConfigError

DAYS_PER_YEAR = 365.2425  # the Gregorian mean
_HIGHEST = 700.0  # exponent of a number that is still finite


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast an area changed; None where that has no answer.

    Args:
        per_year: the area's own unit a year.
        simple: `per_year` as a share of the first area, a year.
        compound: share lost or gained each year of what was left of it the year before (FAO 1995).
        continuous: r = ln(A2 / A1) / (t2 - t1), a year (Puyravaud 2003).
    """

    per_year: float | None
    simple: float | None
    compound: float | None
    continuous: float | None


def years_between(first: date, last: date) -> float:
    """Years from one date to a later one, days / 365.2425.

    Raises:
        ConfigError: the dates are equal or reversed.
    """
    days = (last - first).days
    if days == 0:
        raise ConfigError(f"both dates are {first.isoformat()}, so there is no rate per year; give two dates")
    if days < 0:
        raise ConfigError(
            f"the first date, {first.isoformat()}, is after the second, {last.isoformat()}; give the earlier map first"
        )
    return days / DAYS_PER_YEAR


def rates(before: float | None, after: float | None, years: float) -> Rates:
    """Rates per year between two areas.

    An area that was not measured, None or NaN, has no rate. What grew from nothing has no relative rate, and what
    fell to nothing no continuous one: it would be infinite.

    Args:
        before, after: areas in one unit, 0 or more.
        years: between them, above 0.

    Raises:
        ValueError: a negative area, or no time between the dates.

    Source: Puyravaud 2003, doi:10.1016/S0378-1127(02)00335-3, which gives q (FAO's) and r.
    """
    if years <= 0:
        raise ValueError(f"{years} years between two dates; they must be above 0")
    if before is None or after is None or math.isnan(before) or math.isnan(after):
        return Rates(None, None, None, None)
    if before < 0 or after < 0:
        raise ValueError(f"areas {before} and {after}; neither may be negative")
    per_year = (after - before) / years
    if before == 0:
        return Rates(per_year, None, None, None)
    if after == 0:
        return Rates(per_year, per_year / before, -1.0, None)
    continuous = (math.log(after) - math.log(before)) / years  # the quotient of tiny areas could overflow
    compound = math.expm1(continuous) if continuous < _HIGHEST else None
    return Rates(per_year, per_year / before, compound, continuous)
