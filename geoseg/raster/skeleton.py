"""Centre lines of the road class, tile by tile: what a tile gives for its core is what the whole map gives.

Every step looks no farther than a bound known from the settings (`SkeletonSettings.halo`): holes by their area,
widths by the widest road, thinning by its fixed number of turns. Areas wider than the widest road (car parks,
squares) have no middle: a line runs round them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg.grid.window import Window
from geoseg.raster.distance import capped_distance
from geoseg.raster.holes import fill_holes
from geoseg.raster.thinning import TURNS, even, thin

OUTSIDE = 255

_EVEN_ROUNDS = 3
_REST = 6  # rounds after the last level: what parity has left behind is gone after three
_TOUCH = 1.5  # pixels between a road's disc and the edge of the area that are none

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SkeletonSettings:
    """What a road is in the class map.

    Attributes:
        road: value of the road class.
        max_width: metres; what is wider has no middle, but a line round it.
        max_hole: m2; smaller holes are filled.
        evenness: half the side of the square that evens edges, pixels; 0 leaves them.
        step: (down, across) size of a pixel, metres.
    """

    road: int
    max_width: float
    max_hole: float
    evenness: int
    step: tuple[float, float]

    @property
    def pixel(self) -> float:
        """Side of a square pixel of the same area, metres."""
        return math.sqrt(self.step[0] * self.step[1])

    @property
    def hole_pixels(self) -> int:
        """Largest hole that is filled, pixels."""
        return int(self.max_hole / (self.step[0] * self.step[1]))

    @property
    def deepest(self) -> float:
        """Metres from the middle of the widest road to the first pixel beyond it."""
        return (self.max_width + self.pixel) / 2

    @property
    def levels(self) -> int:
        """Rounds of thinning that the widest road takes."""
        return math.ceil(self.deepest / min(self.step))

    @property
    def halo(self) -> int:
        """Context on each side, pixels, with which a tile's core is exact."""
        evening = self.evenness + TURNS * _EVEN_ROUNDS if self.evenness else 0
        widths = 2 * (self.levels + 2)  # what is too deep, and the distance in what is left
        return 2 * self.hole_pixels + evening + widths + TURNS * (self.levels + _REST)


@dataclass(frozen=True, slots=True)
class SkeletonPixels:
    """Pixels of centre lines, all (n,): memory grows with the length of roads alone.

    Attributes:
        row, col: in the map, int64.
        half_width: metres from the pixel to the road's edge, float32.
        confidence: as stored in the confidence map, uint8.
        at_edge: whether the road there touches the edge of the area.
    """

    row: NDArray[np.int64]
    col: NDArray[np.int64]
    half_width: NDArray[np.float32]
    confidence: NDArray[np.uint8]
    at_edge: Mask


def skeleton_pixels(
    classes: NDArray[np.uint8], confidence: NDArray[np.uint8], core: Window, settings: SkeletonSettings
) -> SkeletonPixels:
    """Centre lines of the roads in a tile's core.

    Args:
        classes: (core.height + 2 * halo, core.width + 2 * halo), `settings.halo` pixels of context on each side;
            255 beyond the map.
        confidence: (core.height, core.width), of the core alone.
        core: the tile's place in the map.
        settings: of all tiles.

    Returns:
        Pixels row by row. Those of all tiles together are those of the whole map.
    """
    halo = settings.halo
    origin = (core.row_off - halo, core.col_off - halo)
    surface = road_surface(classes == settings.road, settings, origin)
    distance = capped_distance(surface, settings.deepest + settings.pixel, settings.step)
    level = np.ceil(distance / min(settings.step)).astype(np.int32)
    inner = (slice(halo, halo + core.height), slice(halo, halo + core.width))
    lines = thin(surface, level, settings.levels, _REST, origin)[inner]
    row, col = np.nonzero(lines)
    near = distance[row + halo, col + halo]
    return SkeletonPixels(
        row=row + core.row_off,
        col=col + core.col_off,
        half_width=_half_width(distance, row + halo, col + halo, settings.pixel),
        confidence=confidence[row, col],
        at_edge=_at_edge(classes, settings)[row + halo, col + halo] <= near + _TOUCH * settings.pixel,
    )


def concatenate(tiles: list[SkeletonPixels]) -> SkeletonPixels:
    """The pixels of all tiles, row by row of the map, whatever the order of the tiles."""
    row, col = (np.concatenate([getattr(tile, name) for tile in tiles]) for name in ("row", "col"))
    order = np.lexsort((col, row))
    rest = (np.concatenate([getattr(t, name) for t in tiles])[order] for name in SkeletonPixels.__slots__[2:])
    return SkeletonPixels(row[order], col[order], *rest)


def road_surface(road: Mask, settings: SkeletonSettings, origin: tuple[int, int]) -> Mask:
    """Pixels of the road class of which the middle is drawn: no small holes, even edges, no wide areas' middles.

    What lies deeper in an area than the middle of the widest road is taken out. So the line runs round a car park,
    and roads that end at it stay joined.
    """
    filled = even(fill_holes(road, settings.hole_pixels), settings.evenness, _EVEN_ROUNDS, origin)
    deep = capped_distance(filled, settings.deepest + settings.pixel, settings.step) > settings.deepest
    return fill_holes(filled & ~deep, settings.hole_pixels)


def _half_width(
    distance: NDArray[np.float32], row: NDArray[np.int64], col: NDArray[np.int64], pixel: float
) -> NDArray[np.float32]:
    """Metres to the road's edge, right within half a pixel for most slopes.

    The first pixel beyond lies half a pixel past the edge of a road that runs along rows or columns, and just at the
    edge of one that runs aslant: a quarter is taken off. The middle of a road of an even number of pixels lies
    between two, farther from the edge than either: there at least four neighbours are as deep, and none is taken.
    """
    own = distance[row, col]
    deep = np.zeros(len(row), np.int64)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            deep += distance[row + down, col + across] >= own
    between = deep - 1 >= 4
    half: NDArray[np.float32] = (own - np.where(between, 0.0, pixel / 4)).astype(np.float32)
    return half


def _at_edge(classes: NDArray[np.uint8], settings: SkeletonSettings) -> NDArray[np.float32]:
    """Metres to the nearest pixel outside the area."""
    inside = classes != OUTSIDE
    cap = settings.deepest + (_TOUCH + 1) * settings.pixel
    if inside.all():
        return np.full(classes.shape, cap, np.float32)
    return capped_distance(inside, cap, settings.step)
