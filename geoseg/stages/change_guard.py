"""Which two maps may be compared: one lattice, one model, two dates in order, and ground that both of them show."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date as Date
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox

from geoseg.errors import ConfigError, DataError
from geoseg.grid.lattice import Lattice
from geoseg.grid.window import Window
from geoseg.io.label_values import class_entries
from geoseg.io.rasters import Raster, open_raster
from geoseg.raster.coding import UNOBSERVED
from geoseg.raster.transitions import Coded, observed

_MAPS = ("landcover.tif", "confidence.tif")
_PIXELS = 1 << 22  # read at a time


@dataclass(frozen=True, slots=True)
class DatedMap:
    """A delivery folder's maps, open.

    Attributes:
        folder: as it was given.
        classes, confidence: on one grid.
        date: what is mapped.
        entries: value, name and colour of each class, by value; without what was not observed.
        model, model_sha256: what made it.
    """

    folder: Path
    classes: Raster
    confidence: Raster
    date: Date
    entries: tuple[tuple[int, str, str], ...]
    model: str
    model_sha256: str

    @property
    def names(self) -> list[str]:
        """Of classes, by value."""
        return [name for _, name, _ in self.entries]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two maps that may be compared, over the pixels that both have.

    Attributes:
        before, after: the maps.
        places: top left pixel of the overlap in either, (col, row).
        geobox: the overlap.
    """

    before: DatedMap
    after: DatedMap
    places: tuple[tuple[int, int], tuple[int, int]]
    geobox: GeoBox

    def read(self, window: Window) -> tuple[Coded, Coded]:
        """Both dates of a window of the overlap."""
        one, two = (
            Coded(dated.classes.read_classes(window.shift(*place)), dated.confidence.read_classes(window.shift(*place)))
            for dated, place in zip((self.before, self.after), self.places, strict=True)
        )
        return one, two

    def strips(self, rows: int | None = None) -> Iterator[Window]:
        """Windows of all columns of the overlap and `rows` rows, from the top; None: about 4 million pixels."""
        height, width = self.geobox.shape
        step = rows or max(1, min(512, _PIXELS // width))
        for top in range(0, height, step):
            yield Window(0, top, width, min(step, height - top))


@contextmanager
def guarded(before: Path, after: Path) -> Iterator[Pair]:
    """Two delivery folders, open to be compared.

    Raises:
        ConfigError: dates that are reversed or equal, or one folder twice.
        DataError: a folder without maps, maps that say too little of themselves, different grids, models or classes, no
            overlap, one scene under two dates, or no ground that both dates show.
    """
    with ExitStack() as files:
        one, two = (_opened(folder, files) for folder in (before, after))
        _require_order(one, two)
        _require_model(one, two)
        pair = _overlap(one, two)
        _require_ground(pair)
        yield pair


def _opened(folder: Path, files: ExitStack) -> DatedMap:
    for name in _MAPS:
        if not (folder / name).is_file():
            raise DataError(
                f"{folder} has no {name}; name a folder of results that geoseg run made, such as results/AOI/DATE"
            )
    classes, confidence = (files.enter_context(open_raster(folder / name)) for name in _MAPS)
    if classes.geobox != confidence.geobox:
        raise DataError(f"the maps of classes and confidence in {folder} are not on the same grid; run that date again")
    entries, tags = class_entries(classes), classes.tags()
    sha256, day = tags.get("GEOSEG_MODEL_SHA256"), _date(tags.get("GEOSEG_DATE", ""))
    if entries is None or sha256 is None or day is None:
        missing = [what for what, value in (("classes", entries), ("model", sha256), ("date", day)) if value is None]
        raise DataError(f"{classes.path} does not say its {' or '.join(missing)}; name a map that geoseg run made")
    known = tuple(sorted(e for e in entries if e[0] < UNOBSERVED))
    if [value for value, _, _ in known] != list(range(len(known))) or len(known) < 2:
        raise DataError(f"{classes.path} has classes {known}, not two or more numbered from 0; make the map again")
    return DatedMap(folder, classes, confidence, day, known, tags.get("GEOSEG_MODEL", "unknown"), sha256)


def _date(text: str) -> Date | None:
    try:
        return Date.fromisoformat(text)
    except ValueError:
        return None


def _require_order(before: DatedMap, after: DatedMap) -> None:
    if before.date == after.date:
        raise ConfigError(
            f"{before.folder} and {after.folder} both map {before.date}; change needs two different dates: name the "
            "folder of another date."
        )
    if before.date > after.date:
        raise ConfigError(
            f"the dates are reversed: {before.folder} maps {before.date} and {after.folder} the earlier {after.date}. "
            "Name the earlier folder first."
        )


def _require_model(before: DatedMap, after: DatedMap) -> None:
    if before.names != after.names:
        raise DataError(
            f"{before.date} has the classes {', '.join(before.names)} and {after.date} has {', '.join(after.names)}; "
            "only maps of the same classes are compared. Run both dates with one model."
        )
    if (before.model, before.model_sha256) != (after.model, after.model_sha256):
        one, two = (f"{m.model} (sha256 {m.model_sha256[:12]})" for m in (before, after))
        raise DataError(
            f"{before.date} was mapped by {one} and {after.date} by {two}; two models differ where nothing changed. "
            "Run both dates with one model."
        )


def _overlap(before: DatedMap, after: DatedMap) -> Pair:
    one, two = before.classes.geobox, after.classes.geobox
    lattice = Lattice.from_geobox(one)
    if (difference := _difference(one, two, lattice)) is not None:
        raise DataError(
            f"the two maps are not on the same grid: {difference}. Run both dates from one AOI file, or write the same "
            "grid: crs and gsd for both."
        )
    windows = [lattice.window(tuple(g.extent.boundingbox)) for g in (one, two)]
    both = windows[0].intersect(windows[1])
    if both is None:
        raise DataError(
            f"{before.folder} and {after.folder} do not overlap: one covers {_edges(one)}, the other {_edges(two)}. "
            "Name two dates of the same area."
        )
    first, second = ((both.col_off - w.col_off, both.row_off - w.row_off) for w in windows)
    return Pair(before, after, (first, second), lattice.geobox(both))


def _difference(one: GeoBox, two: GeoBox, lattice: Lattice) -> str | None:
    """What keeps two grids from being one lattice, in words."""
    if one.crs != two.crs:
        return f"their coordinates are in {_crs(one)} and {_crs(two)}"
    if lattice.holds(two):
        return None
    if abs(two.transform.a / one.transform.a - 1) > 1e-6:
        return f"their pixels are {one.transform.a:g} and {two.transform.a:g} wide"
    cols = (two.transform.c - one.transform.c) / one.transform.a
    rows = (two.transform.f - one.transform.f) / one.transform.e
    return f"their pixels are {abs(cols - round(cols)):.2f} columns and {abs(rows - round(rows)):.2f} rows out of step"


def _require_ground(pair: Pair) -> None:
    """Reads until a pixel is seen on both dates and one differs: as a rule that is the first strip."""
    seen = np.zeros(3, bool)  # before, after, on both
    differs = False
    for window in pair.strips():
        one, two = pair.read(window)
        differs |= not (np.array_equal(one.classes, two.classes) and np.array_equal(one.confidence, two.confidence))
        seen |= [(one.classes < UNOBSERVED).any(), (two.classes < UNOBSERVED).any(), observed(one, two).any()]
        if differs and seen[2]:
            return
    dates = [dated.date for dated, found in zip((pair.before, pair.after), seen, strict=False) if not found]
    if dates:
        raise DataError(
            f"{' and '.join(map(str, dates))} shows no ground where the two maps overlap: all of it is cloud or no "
            "data. Choose another scene for that date."
        )
    if not seen[2]:
        raise DataError(
            f"no ground is seen on both {pair.before.date} and {pair.after.date}: where one is clear, the other is "
            "cloud or no data. Choose another scene for one of them."
        )
    raise DataError(
        f"the maps of {pair.before.date} and {pair.after.date} are the same pixel by pixel: it is one scene under two "
        "dates. Correct the scenes under dates: in the AOI file."
    )


def _crs(geobox: GeoBox) -> str:
    return f"EPSG:{geobox.crs.epsg}" if geobox.crs.epsg else str(geobox.crs)[:60]


def _edges(geobox: GeoBox) -> str:
    left, bottom, right, top = geobox.extent.boundingbox
    return f"x {left:.0f} to {right:.0f} and y {bottom:.0f} to {top:.0f}"
