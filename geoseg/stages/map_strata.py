"""Strata of a class map, read piece by piece: its classes, some merged, and a buffer around those of interest.

A stratum need not be a class: pixels of a buffer keep the class that the map gives them, and change that a map sets
aside as within registration error is a stratum of its own, whose pixels the map calls no change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from geoseg.errors import ConfigError, DataError
from geoseg.grid.lattice import cells
from geoseg.grid.window import Window
from geoseg.io.label_values import class_entries
from geoseg.io.rasters import Raster
from geoseg.raster.borders import surroundings
from geoseg.raster.coding import OUTSIDE, UNOBSERVED
from geoseg.stats.area_estimates import Strata
from geoseg.stats.pixel_area import PixelArea

SET_ASIDE = {"within registration error": "no change"}  # a map's class that is no truth: what it is counted as
_SIDE = 1024  # of the windows that are read, pixels


@dataclass(frozen=True)
class StratumRule:
    """How the strata of a map are made.

    Args:
        target: classes of interest.
        buffer: pixels around the target classes that are a stratum of their own; 0 for none.
        merge: (class, stratum) names: the class's pixels belong to the stratum.
    """

    target: tuple[str, ...] = ()
    buffer: int = 0
    merge: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.buffer and not self.target:
            raise ConfigError("--buffer lies around the classes of interest; name them with --target")


@dataclass(frozen=True)
class Survey:
    """What one pass over the map found.

    Args:
        strata: those that have pixels.
        unobserved: area inside the map that has no class, m2.
    """

    strata: Strata
    unobserved: float


@dataclass(frozen=True)
class Piece:
    """A window of the map.

    Args:
        window: where it is.
        strata: (height, width) index of the stratum, -1 where there is none.
        classes: (height, width) index of the class, meaningless where there is no stratum.
        unobserved: (height, width).
    """

    window: Window
    strata: NDArray[np.int16]
    classes: NDArray[np.int16]
    unobserved: NDArray[np.bool_]


class MapStrata:
    """The strata of one open map.

    Args:
        raster: uint8 classes that name themselves.
        rule: how its strata are made.

    Raises:
        DataError: the map does not name its classes.
        ConfigError: the rule names a class that the map does not have.
    """

    def __init__(self, raster: Raster, rule: StratumRule) -> None:
        entries = class_entries(raster)
        if entries is None:
            raise DataError(f"{raster.path} does not name its classes; name a landcover.tif or change.tif of geoseg")
        kept = [(value, name) for value, name, _ in entries if value not in (UNOBSERVED, OUTSIDE)]
        names = {name for _, name in kept}
        counted = [SET_ASIDE[name] if SET_ASIDE.get(name) in names else name for _, name in kept]
        self.classes = tuple(dict.fromkeys(counted))
        self._raster, self._rule = raster, rule
        for name in (*rule.target, *(name for name, _ in rule.merge)):
            require_class(name, tuple(name for _, name in kept), str(raster.path))
        merged = dict(rule.merge)
        own = [merged.get(name, name) for _, name in kept]
        buffer = [f"buffer of {', '.join(rule.target)}"] if rule.buffer else []
        self.names = tuple(dict.fromkeys([*own, *buffer]))
        self._buffer = np.int16(self.names.index(buffer[0]) if buffer else -1)
        self._class_of = _table([(v, self.classes.index(n)) for (v, _), n in zip(kept, counted, strict=True)])
        self._stratum_of = _table([(v, self.names.index(n)) for (v, _), n in zip(kept, own, strict=True)])
        self._is_target = np.zeros(256, bool)
        self._is_target[[value for value, name in kept if name in rule.target]] = True

    def class_of(self, values: NDArray[np.uint8]) -> NDArray[np.int16]:
        """Index of the class of each value."""
        return self._class_of[values]

    def pieces(self) -> Iterator[Piece]:
        """The map in windows that do not overlap. Memory does not grow with it.

        Raises:
            DataError: a value that the map does not name, or a damaged block.
        """
        whole = self._raster.window
        for cell in cells(whole, _SIDE):
            core = cell.intersect(whole)
            assert core is not None
            yield self._piece(core, whole)

    def survey(self, also: Callable[[Piece], None] | None = None) -> Survey:
        """Pixels and area of each class in each stratum. One pass over the map; `also` is given its pieces, too."""
        geobox = self._raster.geobox
        area = PixelArea(geobox.crs.proj, geobox.transform, self._raster.shape)
        size = len(self.names) * len(self.classes)
        pixels, areas, unobserved = np.zeros(size, np.int64), np.zeros(size), 0.0
        for piece in self.pieces():
            inside, metres = piece.strata >= 0, area(piece.window)
            cell = piece.strata[inside].astype(np.intp) * len(self.classes) + piece.classes[inside]
            pixels += np.bincount(cell, minlength=size)
            areas += np.bincount(cell, metres[inside], size)
            unobserved += float(metres[piece.unobserved].sum())
            if also is not None:
                also(piece)
        shape = (len(self.names), len(self.classes))
        if not pixels.any():
            raise DataError(f"{self._raster.path} shows no class anywhere, so there is nothing to sample")
        return Survey(Strata(self.names, self.classes, pixels.reshape(shape), areas.reshape(shape)), unobserved)

    def _piece(self, core: Window, whole: Window) -> Piece:
        around = core.grow(self._rule.buffer).intersect(whole) if self._rule.buffer else core
        assert around is not None
        values = self._raster.read_classes(around)
        here = core.within(around).slices
        inner = values[here]
        strata, classes = self._stratum_of[inner], self._class_of[inner]
        unknown = (strata < 0) & (inner != UNOBSERVED) & (inner != OUTSIDE)
        if unknown.any():
            raise DataError(
                f"{self._raster.path} holds the value {inner[unknown][0]}, which it does not name; make the map again"
            )
        if self._rule.buffer:
            near = surroundings(self._is_target[values], self._rule.buffer)[here]
            strata = np.where(near & (strata >= 0), self._buffer, strata)
        return Piece(core, strata, classes, inner == UNOBSERVED)


def seen(survey: Survey) -> Survey:
    """Without strata that have no pixel."""
    strata = survey.strata
    some = strata.pixels.any(axis=1)
    names = tuple(name for name, here in zip(strata.names, some, strict=True) if here)
    return Survey(Strata(names, strata.classes, strata.pixels[some], strata.areas[some]), survey.unobserved)


def require_class(name: str, classes: tuple[str, ...], where: str) -> None:
    """Raise `ConfigError` unless `name` is one of the map's classes."""
    if name not in classes:
        near = get_close_matches(name, classes, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(classes)}"
        raise ConfigError(f"{where} has no class {name}; {hint}")


def _table(pairs: list[tuple[int, int]]) -> NDArray[np.int16]:
    """Index by value, -1 for others."""
    table = np.full(256, -1, np.int16)
    for value, index in pairs:
        table[value] = index
    return table
