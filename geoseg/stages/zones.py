"""Areas of a map's classes by zone, and how they changed between two maps."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoseg.errors import ConfigError, DataError
from geoseg.grid.window import Window
from geoseg.io.label_values import class_entries
from geoseg.io.map_pair import MODEL_SHA256, model_difference, require_same_grid
from geoseg.io.rasters import Raster, open_raster
from geoseg.io.zone_layer import ZoneLayer, read_zones
from geoseg.raster.coding import OUTSIDE, UNOBSERVED
from geoseg.stages.zone_tables import Span, ZoneResults, write_results
from geoseg.stats.pixel_area import PixelArea
from geoseg.stats.zone_edges import edges_of
from geoseg.stats.zone_figures import figures_of_one, figures_of_two
from geoseg.stats.zone_place import Placed, overlaps, place
from geoseg.stats.zone_sums import NAMED, UNKNOWN, ZoneSums

log = logging.getLogger(__name__)

STRIP = 512  # rows read at a time
_SUM_BYTES = 1_000_000_000  # of the figures of all zones
_SLIGHT = 1e-6  # share of a zone: less beyond the map is rounding
_ROUGH = 0.01  # of a zone's area: its pixels are further off than a figure should be
_LISTED = 5  # zones named in one message


@dataclass(frozen=True, slots=True)
class ZoneOptions:
    """What is asked of a layer of zones.

    Args:
        name: field that names the zones; None for `name` or their numbers.
        after: a later map of the same pixels, to compare with.
        first, last: dates of both maps; None for their own.
        exact: whether a pixel on a zone's border counts by the share of it that is inside, not by its centre.
    """

    name: str | None = None
    after: Path | None = None
    first: date | None = None
    last: date | None = None
    exact: bool = False


def zones(classes: Path, layer: Path, out: Path, asked: ZoneOptions) -> list[str]:
    """Writes areas of classes by zone into the folder `out` (`geoseg.stages.zone_tables`); says what to know of them.

    Areas are on the ellipsoid. Maps are read in strips and never held. Zones may overlap: each is right by itself.
    With a later map, all areas are of ground that both maps observed.

    Args:
        classes: uint8 map that names its classes.
        layer: polygons in any CRS.
        out: folder.
        asked: how.

    Returns:
        Plain lines.

    Raises:
        ConfigError: one map twice, dates that are missing, equal or reversed, or too many zones for the pairs of
            classes.
        DataError: the maps do not fit each other, two models made them, or the zones cannot be used or are elsewhere.
        MachineError: a file cannot be written.
    """
    _require_two(classes, asked)
    with ExitStack() as files:
        paths = [classes] if asked.after is None else [classes, asked.after]
        maps = [files.enter_context(open_raster(path)) for path in paths]
        names, alike = _class_names(maps), list(_require_one_model(maps))
        span = None if asked.after is None else _span(maps, asked)
        found = read_zones(layer, asked.name)
        placed = _placed(found, maps[0], layer)
        sums = _sums(maps, placed, tuple(names), asked.exact)
        figures_of = figures_of_one if span is None else figures_of_two
        kinds = (sums.area_m2, sums.pixels) if span is not None else (sums.area_m2[:, :, 0], sums.pixels[:, :, 0])
        results = ZoneResults(found, figures_of(tuple(names.values()), *kinds, placed.beyond_m2), placed.area_m2, span)
        told = [*_told(found, placed, sums), *_rough(results), *alike]
    head: dict[str, object] = {
        "map": classes.name,
        "after": asked.after.name if asked.after else None,
        "layer": layer.name,
        "borders": "share of the pixel inside" if asked.exact else "centre of the pixel",
        "dates": [span.first.isoformat(), span.last.isoformat()] if span else None,
        "years": span.years if span else None,
        "told": told,
    }
    write_results(results, out, head)
    return [_summary(results), *told]


def _require_two(classes: Path, asked: ZoneOptions) -> None:
    if asked.after is None and (asked.first or asked.last):
        raise ConfigError("--from and --to are the days of two maps; name the later one with --after")
    if asked.after is not None and asked.after.resolve() == classes.resolve():
        raise ConfigError(f"{classes} is compared with itself; name a map of another date with --after")


def _class_names(maps: list[Raster]) -> dict[int, str]:
    """Class names by value, of maps of the same pixels and classes."""
    by_map = []
    for raster in maps:
        entries = class_entries(raster)
        if entries is None:
            raise DataError(f"{raster.path} does not name its classes; name a landcover.tif that geoseg made")
        by_map.append({value: name for value, name, _ in entries if value < UNOBSERVED})
    first, last = maps[0], maps[-1]
    require_same_grid(first, last, "Make both from one AOI file, which gives them the same pixels")
    if by_map[0] != by_map[-1]:
        raise DataError(
            f"{first.path} has the classes {', '.join(by_map[0].values())} and {last.path} has "
            f"{', '.join(by_map[-1].values())}. Make both with the same model."
        )
    return by_map[0]


def _span(maps: list[Raster], asked: ZoneOptions) -> Span:
    first, last = (
        _date(raster, own, flag)
        for raster, own, flag in zip(maps, (asked.first, asked.last), ("--from", "--to"), strict=True)
    )
    span = Span(first, last)
    try:
        _ = span.years
    except ConfigError as error:
        raise ConfigError(f"{error}. If the maps have the wrong dates, set --from and --to.") from error
    return span


def _date(raster: Raster, asked: date | None, flag: str) -> date:
    if asked is not None:
        return asked
    text = raster.tags().get("GEOSEG_DATE")
    try:
        return date.fromisoformat(text or "")
    except ValueError as error:
        said = "has no date in it" if text is None else f"has the date {text!r}, which is no year-month-day"
        raise ConfigError(f"{raster.path} {said}; set {flag} to the day it shows, such as 2020-06-30") from error


def _placed(found: ZoneLayer, raster: Raster, layer: Path) -> Placed:
    placed = place(found.shapes, found.crs, raster.crs, raster.geobox.transform, raster.shape)
    if (placed.beyond_m2 >= placed.area_m2 * (1 - _SLIGHT)).all():
        raise DataError(
            f"none of the {len(found.names)} zones of {layer} touches {raster.path}; check that the layer's CRS, "
            f"{found.crs.name}, is the one its coordinates are in, and that it is of the same place"
        )
    return placed


def _sums(maps: list[Raster], placed: Placed, values: tuple[int, ...], exact: bool) -> ZoneSums:
    """Sums of kinds: the classes in their order, then not observed, then outside."""
    kinds = np.full(NAMED, UNKNOWN, np.int64)
    kinds[[*values, UNOBSERVED, OUTSIDE]] = np.arange(len(values) + 2)
    size = 16 * len(placed.shapes) * (len(values) + 2) ** len(maps)
    if size > _SUM_BYTES:
        raise ConfigError(
            f"{len(placed.shapes)} zones and {len(values)} classes would take {size / 1e9:.1f} GB of figures; "
            "split the layer of zones into several"
        )
    raster = maps[0]
    area = PixelArea(raster.crs, raster.geobox.transform, raster.shape)
    edges = edges_of(placed.shapes)
    sums = ZoneSums(edges, len(placed.shapes), raster.shape[1], area, kinds, two=len(maps) == 2, exact=exact)
    for top, strips in _strips(maps, sums.rows()):
        sums.add(top, strips[0], strips[-1])
        if sums.unknown != UNKNOWN:
            both = " or ".join(str(m.path) for m in maps)
            raise DataError(f"{both} holds the value {sums.unknown}, which it does not name; make the map again")
    return sums


def _strips(maps: list[Raster], rows: tuple[int, int]) -> Iterator[tuple[int, list[NDArray[np.uint8]]]]:
    """First row and values of each map, strip by strip; the next strip is read while one is counted."""
    height, width = maps[0].shape
    tops = [top for top in range(0, height, STRIP) if top < rows[1] and top + STRIP > rows[0]]
    windows = [Window.from_edges(0, top, width, min(top + STRIP, height)) for top in tops]
    with ThreadPoolExecutor(len(maps)) as readers:
        waiting = [[readers.submit(raster.read_classes, window) for raster in maps] for window in windows[:1]]
        for number, top in enumerate(tops):
            strips = [read.result() for read in waiting.pop()]
            waiting = [[readers.submit(m.read_classes, window) for m in maps] for window in windows[number + 1 :][:1]]
            yield top, strips


def _told(found: ZoneLayer, placed: Placed, sums: ZoneSums) -> Iterator[str]:
    """What a reader of the figures has to know of the zones."""
    yield from found.repaired
    if found.without_shape:
        yield f"{_plural(found.without_shape, 'feature')} of the layer without a geometry left out"
    away = placed.beyond_m2 >= placed.area_m2 * (1 - _SLIGHT)
    cut = ~away & (placed.beyond_m2 > placed.area_m2 * _SLIGHT)
    empty = ~away & (sums.pixels.sum(axis=(1, 2)) == 0)
    if away.any():
        yield f"{_count(away)} outside the map ({_some(found, away)}): all of their area is outside_m2"
    if cut.any():
        yield f"{_count(cut)} partly beyond the map's edge ({_some(found, cut)}): outside_m2 says how much"
    if empty.any():
        yield f"{_count(empty)} too small or thin to hold the centre of a pixel ({_some(found, empty)}): use --exact"
    pairs, common = overlaps(found.shapes, found.crs)
    if len(pairs):
        i, j = pairs[0]
        most = f"most: {found.names[i]} and {found.names[j]}, {common[0]:,.0f} m2"
        yield (
            f"{_plural(len(pairs), 'pair')} of zones {'overlaps' if len(pairs) == 1 else 'overlap'}, by "
            f"{common.sum():,.0f} m2 in all ({most}): each zone is right by itself, but their areas do not add up"
        )
    if twice := len(found.names) - len(set(found.names)):
        has = "has" if twice == 1 else "have"
        alike = f"{_plural(twice, 'zone')} {has} a name that another has, too"
        yield f"{alike}; zone_id, their number in the layer, tells them apart"


def _rough(results: ZoneResults) -> Iterator[str]:
    """Zones whose pixels are not much like their polygon."""
    whole, polygon = results.figures.whole, results.polygon_m2
    off = (np.abs(whole / polygon - 1) > _ROUGH) & (whole > 0)
    if off.any():
        yield (
            f"{_count(off)} more than {_ROUGH:.0%} off the area of the polygon, for pixels on the border count whole "
            f"or not at all ({_some(results.layer, off)}): use --exact"
        )


def _require_one_model(maps: list[Raster]) -> Iterator[str]:
    """Nothing where one model made all maps; a sentence where they do not say. Raises where two did."""
    first, last = maps[0], maps[-1]
    if (difference := model_difference(first, last)) is not None:
        raise DataError(f"{first.path} and {last.path} {difference}. Make both with one model.")
    if len(maps) > 1 and not all(MODEL_SHA256 in raster.tags() for raster in maps):
        yield "not every map says which model made it: where two did, a part of the change is between the models"


def _summary(results: ZoneResults) -> str:
    whole, seen = results.figures.whole.sum(), results.figures.observed.sum()
    missing = results.figures.unobserved.sum()
    return (
        f"{len(results.layer.names)} zones of {whole / 1e6:,.3f} km2: {seen / 1e6:,.3f} km2 observed, "
        f"{missing / 1e6:,.3f} km2 not observed, {results.figures.outside.sum() / 1e6:,.3f} km2 outside the map"
    )


def _count(which: NDArray[np.bool_]) -> str:
    number = int(which.sum())
    return f"{number} of {len(which)} zones {'is' if number == 1 else 'are'}"


def _plural(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _some(found: ZoneLayer, which: NDArray[np.bool_]) -> str:
    names = [found.names[i] for i in np.flatnonzero(which)]
    return ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
