"""What a run on zones leaves: tables, layers and figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import geopandas
import numpy as np
import pandas
from numpy.typing import NDArray

from geoseg.io.commit import remove, sha256, write_json
from geoseg.io.text_table import Cell, write_text_table
from geoseg.io.vectors import write_layer
from geoseg.io.zone_layer import ZoneLayer
from geoseg.stages.translate import longest_straight
from geoseg.stats.rates import Rates, years_between
from geoseg.stats.zone_figures import ZoneFigures, share

TABLE, TRANSITIONS, FIGURES, LAYER = "zones.csv", "transitions.csv", "zones.json", "zones"
_LAYERS = ("parquet", "geojson")
_BESIDE = ("observed_m2", "unobserved_m2", "outside_m2", "zone_m2")  # stands beside every area
_AREA = ("area_m2", "pixels", "share_of_observed", "share_of_zone")
_CHANGE = ("before_m2", "after_m2", "change_m2", "change_m2_per_year", "simple_rate", "fao_rate", "puyravaud_rate")


@dataclass(frozen=True, slots=True)
class Span:
    """Dates of two maps, the earlier one first."""

    first: date
    last: date

    @property
    def years(self) -> float:
        """Between them. Raises `ConfigError` where there are none."""
        return years_between(self.first, self.last)


@dataclass(frozen=True, slots=True)
class ZoneResults:
    """All there is to write.

    Args:
        layer: the zones.
        figures: their areas.
        polygon_m2: (z,) area of each zone's own polygon.
        span: of two maps; None for one.
    """

    layer: ZoneLayer
    figures: ZoneFigures
    polygon_m2: NDArray[np.float64]
    span: Span | None

    def beside(self) -> list[dict[str, float]]:
        """Of each zone: what was observed, what was not, what is outside, and all of it."""
        found = (self.figures.observed, self.figures.unobserved, self.figures.outside, self.figures.whole)
        return [dict(zip(_BESIDE, values, strict=True)) for values in np.column_stack(found).tolist()]


def write_results(results: ZoneResults, out: Path, head: Mapping[str, object]) -> None:
    """Writes zones.csv, zones.parquet, zones.geojson and zones.json into `out`; of two maps transitions.csv, too.

    A transitions.csv that another run left there goes when there is one map: it would tell of other figures.

    zones.csv has a row for each class of each zone, transitions.csv one for each change that there is in a zone, what
    stayed the same included. The layers have a feature for each zone, with its figures in columns `class_NAME_...`.

    Raises:
        MachineError: a file cannot be written.
    """
    remove(out / FIGURES)  # of an earlier run: it would call the new files changed
    beside = results.beside()
    classes = _classes(results, beside)
    tables = {TABLE: classes}
    if results.span is not None:
        tables[TRANSITIONS] = _transitions(results, beside)
    else:
        remove(out / TRANSITIONS)
    for name, (columns, by_zone) in tables.items():
        rows = [row for lines in by_zone for row in lines]
        write_text_table(out / name, columns, rows)
    frame = _frame(results, beside, classes)
    write_layer(lambda: [frame], out / LAYER, list(_LAYERS), None, longest_straight(frame.crs), "MultiPolygon")
    made = (*tables, *(f"{LAYER}.{end}" for end in _LAYERS))
    files = {name: sha256(out / name) for name in made}
    write_json(out / FIGURES, {**head, "zones": _zones(results, beside, tables), "files": files})


_Table = tuple[tuple[str, ...], list[list[list[Cell]]]]  # columns, and rows of each zone


def _classes(results: ZoneResults, beside: list[dict[str, float]]) -> _Table:
    """A row for each class of each zone."""
    columns = ("zone_id", "zone", "class", *(_AREA if results.span is None else _CHANGE), *_BESIDE)
    by_zone: list[list[list[Cell]]] = []
    for index, name in enumerate(results.layer.names):
        of_zone = _areas_of(results, index, beside[index]) if results.span is None else _changes_of(results, index)
        titles = results.figures.names
        lines = [
            [index + 1, name, t, *cells, *beside[index].values()] for t, cells in zip(titles, of_zone, strict=True)
        ]
        by_zone.append(lines)
    return columns, by_zone


def _areas_of(results: ZoneResults, index: int, beside: Mapping[str, float]) -> list[list[Cell]]:
    areas, pixels = results.figures.area[index].tolist(), results.figures.pixels[index].tolist()
    return [_area_cells(area, count, beside) for area, count in zip(areas, pixels, strict=True)]


def _area_cells(area: float, pixels: float, beside: Mapping[str, float]) -> list[Cell]:
    return [area, pixels, share(area, beside["observed_m2"]), share(area, beside["zone_m2"])]


def _changes_of(results: ZoneResults, index: int) -> list[list[Cell]]:
    assert results.span is not None
    of_zone = results.figures.area[index]
    years, cells = results.span.years, list[list[Cell]]()
    for before, after in zip(of_zone.sum(axis=1).tolist(), of_zone.sum(axis=0).tolist(), strict=True):
        found = results.figures.rates(index, before, after, years)
        cells.append([before, after, after - before, *_rate_cells(found)])
    return cells


def _rate_cells(found: Rates) -> list[Cell]:
    return list(asdict(found).values())


def _transitions(results: ZoneResults, beside: list[dict[str, float]]) -> _Table:
    """A row for each pair of classes that there is in each zone."""
    assert results.span is not None
    columns = ("zone_id", "zone", "from", "to", *_AREA[:1], "m2_per_year", *_AREA[1:], *_BESIDE)
    figures, years, by_zone = results.figures, results.span.years, list[list[list[Cell]]]()
    for index, name in enumerate(results.layer.names):
        lines: list[list[Cell]] = []
        for i, j in figures.transitions(index):
            area, *others = _area_cells(
                float(figures.area[index, i, j]), float(figures.pixels[index, i, j]), beside[index]
            )
            assert isinstance(area, float)
            pair = [index + 1, name, figures.names[i], figures.names[j]]
            lines.append([*pair, area, area / years, *others, *beside[index].values()])
        by_zone.append(lines)
    return columns, by_zone


def _frame(results: ZoneResults, beside: list[dict[str, float]], classes: _Table) -> geopandas.GeoDataFrame:
    """A row a zone."""
    names = results.layer.names
    table = pandas.DataFrame(
        {
            "zone_id": np.arange(1, len(names) + 1),
            "zone": pandas.array(list(names), dtype="string"),
            **{name: np.array([values[name] for values in beside]) for name in _BESIDE},
            "polygon_m2": results.polygon_m2,
        }
    )
    kept = ("area_m2", "before_m2", "after_m2", "puyravaud_rate")
    columns, by_zone = classes
    for at in [columns.index(name) for name in kept if name in columns]:
        ending = columns[at].removeprefix("area_")
        for number, title in enumerate(results.figures.names):
            cells = [lines[number][at] for lines in by_zone]
            table[f"class_{title}_{ending}"] = np.array(
                [np.nan if cell is None else cell for cell in cells], np.float64
            )
    return geopandas.GeoDataFrame(table, geometry=results.layer.shapes, crs=results.layer.crs)


def _zones(
    results: ZoneResults, beside: list[dict[str, float]], tables: Mapping[str, _Table]
) -> list[dict[str, object]]:
    """Figures of each zone as JSON has them: its rows, without what is the same in all."""
    zones: list[dict[str, object]] = []
    for index, name in enumerate(results.layer.names):
        zone: dict[str, object] = {"zone_id": index + 1, "zone": name, **beside[index]}
        zone["polygon_m2"] = float(results.polygon_m2[index])
        for key, (columns, by_zone) in zip(("classes", "transitions"), tables.values(), strict=False):
            zone[key] = [dict(zip(columns[2:-4], row[2:-4], strict=True)) for row in by_zone[index]]
        zones.append(zone)
    return zones
