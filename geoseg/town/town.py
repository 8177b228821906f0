"""A town at one date."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg.town.canvas import Canvas
from geoseg.town.feature import Feature
from geoseg.town.shapes import Cell, Ground
from geoseg.town.style import TownStyle


@dataclass(frozen=True)
class Parcel:
    """A block of the town and what it is used for."""

    cell: Cell
    use: str


@dataclass(frozen=True, eq=False)
class Town:
    """Features in the order they lie on each other, and the rasters they make."""

    size: int
    gsd: float
    style: TownStyle
    features: tuple[Feature, ...]
    parcels: tuple[Parcel, ...]
    canvas: Canvas

    def classes(self) -> NDArray[np.uint8]:
        """Exact truth, (size, size): 0 building, 1 land, 2 road, 3 vegetation, 4 water."""
        return self.canvas.classes.copy()


class Draft:
    """A town being drawn: features so far and their rasters."""

    def __init__(self, style: TownStyle, ground: Ground) -> None:
        self.style = style
        self.canvas = Canvas.blank(ground)
        self.features: list[Feature] = []
        self.parcels: list[Parcel] = []

    @classmethod
    def resume(cls, town: Town) -> Draft:
        """A draft that starts from a finished town and leaves it as it is."""
        draft = cls.__new__(cls)
        draft.style = town.style
        draft.canvas = town.canvas.copy()
        draft.features = list(town.features)
        draft.parcels = list(town.parcels)
        return draft

    @property
    def side(self) -> float:
        """Side of the scene, metres."""
        return self.canvas.ground.size * self.canvas.ground.gsd

    def add(self, feature: Feature) -> None:
        """Lay a feature on top."""
        self.canvas.paint(len(self.features), feature)
        self.features.append(feature)

    def finish(self) -> Town:
        """The town."""
        ground = self.canvas.ground
        return Town(ground.size, ground.gsd, self.style, tuple(self.features), tuple(self.parcels), self.canvas)
