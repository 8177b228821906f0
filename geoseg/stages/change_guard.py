"""Which maps may be compared: one lattice, one model and card, dates in order, and ground that two of them show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date as Date
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from geoseg.errors import ConfigError, DataError
from geoseg.grid.lattice import Lattice
from geoseg.grid.window import Window
from geoseg.io.label_values import class_entries
from geoseg.io.map_pair import CARD_SHA256, MODEL, MODEL_SHA256, model_difference
from geoseg.io.rasters import Raster, open_raster
from geoseg.raster.coding import NO_CONFIDENCE, UNOBSERVED
from geoseg.raster.transitions import expanded

_MAPS = ("landcover.tif", "confidence.tif")
_PROBS = ("probs.tif", "work/probs.tif")  # delivered, or made for the comparison
_PIXELS = 1 << 23  # read at a time, of all dates together


@dataclass(frozen=True, slots=True)
class DatedMap:
    """A delivery folder's maps, open.

    Attributes:
        folder: as it was given.
        classes, confidence: on one grid.
        probs: of all classes, on the same grid; None where the folder has none.
        date: what is mapped.
        entries: value, name and colour of each class, by value; without what was not observed.
        model, model_sha256: what made it.
        card_sha256: of the model's card: its normalization, calibration and classes; None in maps of early versions.
    """

    folder: Path
    classes: Raster
    confidence: Raster
    probs: Raster | None
    date: Date
    entries: tuple[tuple[int, str, str], ...]
    model: str
    model_sha256: str
    card_sha256: str | None

    @property
    def names(self) -> list[str]:
        """Of classes, by value."""
        return [name for _, name, _ in self.entries]


@dataclass(frozen=True, slots=True)
class Series:
    """Maps of two or more dates that may be compared, over the pixels that all have.

    Attributes:
        dates: the maps, earliest first.
        places: top left pixel of the overlap in each, (col, row).
        geobox: the overlap.
    """

    dates: tuple[DatedMap, ...]
    places: tuple[tuple[int, int], ...]
    geobox: GeoBox

    @property
    def names(self) -> list[str]:
        """Of classes, by value; those of all dates."""
        return self.dates[0].names

    @property
    def entries(self) -> tuple[tuple[int, str, str], ...]:
        """Value, name and colour of each class, by value; those of the first date."""
        return self.dates[0].entries

    def pair(self, number: int) -> Series:
        """The date of this number, from 0, and the next one, over the same pixels."""
        both = slice(number, number + 2)
        return replace(self, dates=self.dates[both], places=self.places[both])

    def classes(self, window: Window) -> NDArray[np.uint8]:
        """Mapped classes in a window of the overlap, (date, height, width); 254 not observed, 255 outside.

        Raises:
            DataError: a value that is no class.
        """
        found = np.stack(
            [d.classes.read_classes(window.shift(*place)) for d, place in zip(self.dates, self.places, strict=True)]
        )
        if found.max() >= len(self.entries) and (unnamed := (found >= len(self.entries)) & (found < UNOBSERVED)).any():
            number, row, col = np.argwhere(unnamed)[0]
            raise DataError(
                f"{self.dates[number].classes.path} holds the value {found[number, row, col]}, which it does not name; "
                "run that date again"
            )
        return found

    def probs(self, window: Window, classes: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """Probability x 250 of every class in a window of the overlap, (date, class, height, width); 255 not observed.

        From the maps of all probabilities where every date has one; else from classes and confidence, by
        `geoseg.raster.transitions.expanded`. They are of the pixels that the map of classes has a class for.

        Args:
            window: of the overlap.
            classes: what `classes` gives for the window, if it was read before.

        Raises:
            DataError: a value that is no class, or a class without a probability.
        """
        parts = []
        found = self.classes(window) if classes is None else classes
        for dated, place, mapped in zip(self.dates, self.places, found, strict=True):
            part = self._probs(dated, mapped, window.shift(*place))
            lost = mapped >= UNOBSERVED
            if lost.any():
                np.copyto(part, NO_CONFIDENCE, where=lost)
            if np.count_nonzero(part[0] == NO_CONFIDENCE) > np.count_nonzero(lost):
                raise DataError(f"{dated.folder} maps classes where it has no probability; run that date again")
            parts.append(part)
        return np.stack(parts)

    def strips(self, rows: int | None = None) -> Iterator[Window]:
        """Windows of all columns of the overlap and `rows` rows, from the top.

        Args:
            rows: None: about 8 million pixels of all dates together, at most 512 rows.
        """
        height, width = self.geobox.shape
        step = rows or max(1, min(512, _PIXELS // (width * len(self.dates))))
        for top in range(0, height, step):
            yield Window(0, top, width, min(step, height - top))

    def _probs(self, dated: DatedMap, mapped: NDArray[np.uint8], there: Window) -> NDArray[np.uint8]:
        """Of one date, (class, height, width), where `there` is in that date's maps."""
        if dated.probs is not None and all(d.probs is not None for d in self.dates):
            return dated.probs.read_probs(there)
        return expanded(mapped, dated.confidence.read_classes(there), len(dated.entries))


@contextmanager
def guarded(folders: Sequence[Path]) -> Iterator[Series]:
    """Delivery folders, open to be compared.

    Raises:
        ConfigError: fewer than two folders, dates that are reversed or equal, or one folder twice.
        DataError: a folder without maps, maps that say too little of themselves or do not belong together, different
            grids, models, cards or classes, no overlap, one scene under two dates, a date without ground, or no ground
            that two dates show.
    """
    _require_folders(folders)
    with ExitStack() as files:
        dates = tuple(_opened(folder, files) for folder in folders)
        _require_order(dates)
        for later in dates[1:]:
            _require_model(dates[0], later)
        series = _overlap(dates)
        _require_ground(series)
        yield series


def _require_folders(folders: Sequence[Path]) -> None:
    if len(folders) < 2:
        raise ConfigError(
            f"change needs the results of two dates or more, and {len(folders) or 'none'} was named; name the folders, "
            "earliest date first, such as results/AOI/2019-05-01 results/AOI/2024-05-01"
        )
    for one, other in combinations(folders, 2):
        if one.resolve() == other.resolve():
            raise ConfigError(f"{one} and {other} are one folder; name the folders of different dates.")


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
    sha256, text = tags.get(MODEL_SHA256), tags.get("GEOSEG_DATE")
    day = _date(text or "")
    if entries is None or sha256 is None or day is None:
        date = f"date (only {text!r})" if text else "date"
        missing = [what for what, value in (("classes", entries), ("model", sha256), (date, day)) if value is None]
        raise DataError(f"{classes.path} does not say its {' or '.join(missing)}; name a map that geoseg run made")
    known = tuple(sorted(e for e in entries if e[0] < UNOBSERVED))
    if [value for value, _, _ in known] != list(range(len(known))) or len(known) < 2:
        raise DataError(f"{classes.path} has classes {known}, not two or more numbered from 0; make the map again")
    probs = _opened_probs(folder, classes, len(known), files)
    model = tags.get(MODEL, "unknown")
    return DatedMap(folder, classes, confidence, probs, day, known, model, sha256, tags.get(CARD_SHA256))


def _opened_probs(folder: Path, classes: Raster, count: int, files: ExitStack) -> Raster | None:
    """The map of all probabilities, if there is one and it was made with the map of classes."""
    path = next((folder / name for name in _PROBS if (folder / name).is_file()), None)
    if path is None:
        return None
    probs = files.enter_context(open_raster(path))
    own, its = classes.tags(), probs.tags()
    faults = {
        "is not on the same grid as": probs.geobox != classes.geobox,
        f"has {probs.count} bands for the {count} classes of": probs.count != count,
        "names other classes than": class_entries(probs) != class_entries(classes),
        "is of another date than": its.get("GEOSEG_DATE") != own.get("GEOSEG_DATE"),
        "was made by another model than": model_difference(classes, probs) is not None,
    }
    if fault := next((words for words, found in faults.items() if found), None):
        raise DataError(f"{path} {fault} {classes.path}; run that date again, or delete {path.name}")
    return probs


def _date(text: str) -> Date | None:
    try:
        return Date.fromisoformat(text)
    except ValueError:
        return None


def _require_order(dates: Sequence[DatedMap]) -> None:
    for one, other in combinations(dates, 2):
        if one.date == other.date:
            raise ConfigError(
                f"{one.folder} and {other.folder} both map {one.date}; change needs different dates: name the folder "
                "of another date."
            )
    for before, after in pairwise(dates):
        if before.date > after.date:
            raise ConfigError(
                f"the dates are reversed: {before.folder} maps {before.date} and {after.folder} the earlier "
                f"{after.date}. Name the earlier folder first."
            )


def _require_model(first: DatedMap, other: DatedMap) -> None:
    if first.names != other.names:
        raise DataError(
            f"{first.date} has the classes {', '.join(first.names)} and {other.date} has {', '.join(other.names)}; "
            "only maps of the same classes are compared. Run all dates with one model."
        )
    if (difference := model_difference(first.classes, other.classes)) is not None:
        raise DataError(f"the maps of {first.date} and {other.date} {difference}. Run all dates with one model.")


def _overlap(dates: tuple[DatedMap, ...]) -> Series:
    first = dates[0].classes.geobox
    lattice = Lattice.from_geobox(first)
    for other in dates[1:]:
        if (difference := _difference(first, other.classes.geobox, lattice)) is not None:
            raise DataError(
                f"the maps of {dates[0].date} and {other.date} are not on the same grid: {difference}. Run all dates "
                "from one AOI file, or write the same grid: crs and gsd for all."
            )
    windows = [lattice.window(_bounds(d.classes.geobox)) for d in dates]
    common: Window | None = windows[0]
    for window in windows[1:]:
        common = common and common.intersect(window)
    if common is None:
        raise DataError(_apart(dates, windows))
    places = tuple((common.col_off - w.col_off, common.row_off - w.row_off) for w in windows)
    return Series(dates, places, lattice.geobox(common))


def _apart(dates: Sequence[DatedMap], windows: Sequence[Window]) -> str:
    """Why no pixel is in all of the maps. Rectangles of which any two overlap have a pixel that all of them hold."""
    one, two = next((a, b) for a, b in combinations(range(len(dates)), 2) if not windows[a].intersect(windows[b]))
    edges = [_edges(dates[number].classes.geobox) for number in (one, two)]
    return (
        f"{dates[one].folder} and {dates[two].folder} do not overlap: one covers {edges[0]}, the other {edges[1]}. "
        "Name dates of the same area."
    )


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


def _require_ground(series: Series) -> None:
    """Reads until each date shows a pixel, two show the same one, and neighbours differ: as a rule one strip."""
    seen, common = np.zeros(len(series.dates), bool), False
    alike = np.ones(len(series.dates) - 1, bool)
    for window in series.strips():
        observed = series.classes(window) < UNOBSERVED
        seen |= observed.any(axis=(1, 2))
        common |= bool((observed.sum(axis=0) > 1).any())
        for number in map(int, np.flatnonzero(alike)):
            alike[number] = _same(series.pair(number), window)
        if seen.all() and common and not alike.any():
            return
    if not seen.all():
        dates = " and ".join(str(dated.date) for dated, found in zip(series.dates, seen, strict=True) if not found)
        raise DataError(
            f"{dates} shows no ground where the maps overlap: all of it is cloud or no data. Choose another scene for "
            "that date."
        )
    if not common:
        raise DataError(
            f"no ground is seen on two of the dates {', '.join(str(d.date) for d in series.dates)}: where one is "
            "clear, the others are cloud or no data. Choose another scene for one of them."
        )
    before, after = series.pair(int(np.argmax(alike))).dates
    raise DataError(
        f"the maps of {before.date} and {after.date} are the same pixel by pixel: it is one scene under two dates. "
        "Correct the scenes under dates: in the AOI file."
    )


def _same(pair: Series, window: Window) -> bool:
    """Whether two dates are the same in a window, probabilities included."""
    classes = pair.classes(window)
    if not np.array_equal(*classes):
        return False
    return np.array_equal(*pair.probs(window, classes))


def _crs(geobox: GeoBox) -> str:
    crs = geobox.crs
    assert crs is not None  # of every raster that was opened
    return f"EPSG:{crs.epsg}" if crs.epsg else str(crs)[:60]


def _bounds(geobox: GeoBox) -> tuple[float, float, float, float]:
    left, bottom, right, top = geobox.extent.boundingbox
    return left, bottom, right, top


def _edges(geobox: GeoBox) -> str:
    left, bottom, right, top = _bounds(geobox)
    return f"x {left:.0f} to {right:.0f} and y {bottom:.0f} to {top:.0f}"
