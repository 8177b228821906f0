"""Areas that may be published: estimated from the interpreted points of a random sample, with their intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.io.commit import write_json
from geoseg.io.rasters import open_raster
from geoseg.io.sample_points import read_points
from geoseg.io.text_table import write_text_table
from geoseg.stages.drawn import Drawn
from geoseg.stages.map_strata import Survey
from geoseg.stages.sample_check import UNCLEAR, read_design, redraw, reference_classes, require_all, require_map
from geoseg.stats.area_estimates import Estimate, MapEstimates, Points, error_matrix, estimates, require_points

HECTARE = 10_000.0  # m2


@dataclass(frozen=True)
class Interpreted:
    """A sample, its labels, and what they give.

    Args:
        survey: the map's strata.
        drawn: all points.
        reference: (point,) index of the class, -1 where it is unclear.
        found: estimates from the points that are clear.
        bounds: (class, 2) area, m2, if every unclear point were not the class, and if every one were.
    """

    survey: Survey
    drawn: Drawn
    reference: NDArray[np.intp]
    found: MapEstimates
    bounds: NDArray[np.float64]

    @property
    def unclear(self) -> int:
        """Points that could not be interpreted."""
        return int((self.reference < 0).sum())


def areas(sample: Path, labelled: Path, out: Path, classes: Path | None = None) -> list[str]:
    """Error-adjusted areas and accuracies of a map; writes `areas.csv` and `areas.json` into the folder `out`.

    Args:
        sample: folder that `geoseg sample` made.
        labelled: its points with the interpreters' labels, GeoJSON or CSV.
        out: folder.
        classes: the map, if it is no longer where it was sampled.

    Returns:
        The table, and what to know of it, line by line.

    Raises:
        ConfigError: a file that is not there.
        DataError: the points are not a probability sample of this map, or not fully labelled.
    """
    design = read_design(sample)
    path = classes or design.classes
    require_map(design, path)
    with open_raster(path) as raster:
        survey, drawn = redraw(design, raster)
        points = require_all(read_points(labelled), drawn, raster, labelled)
    result = interpreted(survey, drawn, reference_classes(points, survey.strata.classes, labelled))
    rows = _rows(result)
    write_text_table(out / "areas.csv", list(rows[0]), [list(row.values()) for row in rows])
    write_json(out / "areas.json", _json(result, design.map_sha256, design.points_sha256))
    return _table(result)


def interpreted(survey: Survey, drawn: Drawn, reference: NDArray[np.intp]) -> Interpreted:
    """Estimates from the clear points; unclear ones are taken to be like the clear ones of their stratum.

    Raises:
        DataError: a stratum has one clear point or none.
    """
    strata, index = survey.strata, np.array([survey.strata.names.index(drawn.names[h]) for h in drawn.strata.tolist()])
    clear = reference >= 0
    require_points(strata, np.bincount(index[clear], minlength=len(strata.names)))
    found = estimates(
        strata, Points(index[clear], drawn.classes[clear].astype(np.intp), reference[clear], drawn.areas[clear])
    )
    return Interpreted(survey, drawn, reference, found, _bounds(survey, index, drawn.areas, reference))


def _bounds(
    survey: Survey, index: NDArray[np.intp], areas: NDArray[np.float64], reference: NDArray[np.intp]
) -> NDArray[np.float64]:
    """See `Interpreted.bounds`."""
    strata = survey.strata
    per_area = strata.areas.sum(axis=1) / np.bincount(index, areas, len(strata.names))
    stands = per_area[index] * areas
    least = np.array([stands[reference == number].sum() for number in range(len(strata.classes))])
    return np.stack([least, least + stands[reference < 0].sum()], axis=1)


def _rows(result: Interpreted) -> list[dict[str, Any]]:
    """One row a class, areas in m2."""
    rows = []
    for figures, bounds in zip(result.found.classes, result.bounds.tolist(), strict=True):
        rows.append(
            {
                "class": figures.name,
                "points": figures.points,
                "mapped_m2": figures.mapped_area,
                **_fields("area_m2", figures.area),
                "area_if_unclear_is_not_m2": bounds[0],
                "area_if_unclear_is_m2": bounds[1],
                "unobserved_m2": result.survey.unobserved,
                **_fields("users_accuracy", figures.users_accuracy),
                **_fields("producers_accuracy", figures.producers_accuracy),
            }
        )
    return rows


def _fields(name: str, figure: Estimate) -> dict[str, Any]:
    ends = {"low95": figure.low, "high95": figure.high, "safe_low95": figure.safe_low, "safe_high95": figure.safe_high}
    numbers = {name: figure.value, f"{name}_standard_error": figure.standard_error}
    numbers |= {f"{name}_{end}": value for end, value in ends.items()}
    told = {key: None if math.isnan(value) else value for key, value in numbers.items()}
    return told | {
        f"{name}_deciding_points": figure.deciding,
        f"{name}_interval": "safe" if figure.few else "published",
    }


def _json(result: Interpreted, map_sha256: str, points_sha256: str) -> dict[str, Any]:
    strata, clear = result.survey.strata, result.reference >= 0
    drawn = result.drawn
    points = Points(
        np.array([strata.names.index(drawn.names[h]) for h in drawn.strata[clear].tolist()]),
        drawn.classes[clear].astype(np.intp),
        result.reference[clear],
        drawn.areas[clear],
    )
    return {
        "map_sha256": map_sha256,
        "points_sha256": points_sha256,
        "points": len(drawn.rows),
        "unclear_points": _unclear(result),
        "observed_m2": strata.total,
        "unobserved_m2": result.survey.unobserved,
        "overall_accuracy": _fields("overall_accuracy", result.found.overall_accuracy),
        "classes": _rows(result),
        "error_matrix_shares": error_matrix(strata, points).tolist(),
        "error_matrix": "rows: class of the map, columns: class of the points, in the order of classes",
    }


def _unclear(result: Interpreted) -> dict[str, int]:
    """Number of unclear points of each stratum that has some."""
    strata = result.drawn.strata[result.reference < 0]
    names = [result.drawn.names[h] for h in strata.tolist()]
    return {name: names.count(name) for name in result.drawn.names if name in names}


def _table(result: Interpreted) -> list[str]:
    found, unobserved = result.found, result.survey.unobserved
    width = max(len("class"), *(len(f.name) for f in found.classes))
    head = ("mapped ha", "adjusted ha", "95 % published", "95 % safe", "unobserved ha", "user's", "producer's")
    sizes = (14, 14, 26, 26, 15, 24, 24)
    lines = ["class".ljust(width) + "".join(t.rjust(n) for t, n in zip(head, sizes, strict=True))]
    for figures in found.classes:
        hectares = figures.area.times(1 / HECTARE)
        cells = (
            f"{figures.mapped_area / HECTARE:,.1f}",
            f"{figures.area.value / HECTARE:,.1f}",
            f"{hectares.low:,.1f} to {hectares.high:,.1f}" + ("" if hectares.few else "*"),
            f"{hectares.safe_low:,.1f} to {hectares.safe_high:,.1f}" + ("*" if hectares.few else ""),
            f"{unobserved / HECTARE:,.1f}",
            _accuracy(figures.users_accuracy),
            _accuracy(figures.producers_accuracy),
        )
        lines.append(figures.name.ljust(width) + "".join(t.rjust(n) for t, n in zip(cells, sizes, strict=True)))
    lines.append(f"overall accuracy {_accuracy(found.overall_accuracy)}, of {len(result.reference)} points")
    return lines + _notes(result)


def _notes(result: Interpreted) -> list[str]:
    notes = ["* the interval to go by; accuracies have theirs in brackets"]
    figures = [("area", f.area) for f in result.found.classes]
    figures += [("accuracy", f) for c in result.found.classes for f in (c.users_accuracy, c.producers_accuracy)]
    if any(f.few for _, f in [*figures, ("overall", result.found.overall_accuracy)]):
        notes.append(
            "few points decide some figures: there the published interval (value ± 1.96 standard errors) is known to "
            "be too narrow, and the asterisk is at the safe one"
        )
    if result.unclear:
        where = ", ".join(f"{count} in {name}" for name, count in _unclear(result).items())
        notes.append(
            f"{result.unclear} points are {UNCLEAR} ({where}); they are taken to be like the others of their stratum, "
            "and areas.csv tells each area if they were all, or none, of the class"
        )
    if result.survey.unobserved:
        total = result.survey.strata.total + result.survey.unobserved
        notes.append(
            f"{result.survey.unobserved / HECTARE:,.1f} ha ({result.survey.unobserved / total:.1%} of the area) were "
            "not observed; no figure here speaks of them"
        )
    return notes


def _interval(figure: Estimate, form: str) -> str:
    """The interval to go by."""
    return " to ".join(form.format(end) for end in figure.interval)


def _accuracy(figure: Estimate) -> str:
    return "none" if math.isnan(figure.value) else f"{figure.value:.2f} ({_interval(figure, '{:.2f}')})"
