"""The rasters that features are painted on. They are the truth: nothing else decides a pixel's class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg.town.feature import LAND, Feature
from geoseg.town.frame import Floats
from geoseg.town.shapes import Ground, Shape


@dataclass(frozen=True, eq=False)
class Canvas:
    """Rasters of (size, size): class, number of the feature on top, its own coordinates, height in metres."""

    ground: Ground
    classes: NDArray[np.uint8]
    ident: NDArray[np.int32]
    u: Floats
    v: Floats
    height: Floats

    @staticmethod
    def blank(ground: Ground) -> Canvas:
        """All land, of feature 0."""
        shape = (ground.size, ground.size)
        zeros = [np.zeros(shape, dtype=np.float32) for _ in range(3)]
        return Canvas(ground, np.full(shape, LAND, dtype=np.uint8), np.zeros(shape, dtype=np.int32), *zeros)

    def copy(self) -> Canvas:
        """A canvas of its own, on the same ground."""
        layers = (self.classes, self.ident, self.u, self.v, self.height)
        return Canvas(self.ground, *(layer.copy() for layer in layers))  # type: ignore[arg-type]

    def paint(self, number: int, feature: Feature) -> None:
        """Lay `feature` on top, as feature `number`."""
        allowed = np.zeros(256, dtype=bool)
        allowed[list(feature.over) if feature.over else slice(None)] = True
        for patch in feature.shape.patches(self.ground):
            at = patch.rows, patch.cols
            mask = patch.mask & allowed[self.classes[at]] if feature.over else patch.mask
            self.classes[at][mask] = feature.class_index
            self.ident[at][mask] = number
            self.u[at][mask] = patch.u[mask]
            self.v[at][mask] = patch.v[mask]
            self.height[at][mask] = feature.height if patch.dome is None else feature.height * patch.dome[mask]

    def is_free(self, shape: Shape, classes: tuple[int, ...] = (LAND,)) -> bool:
        """Whether the shape has pixels and all of them are of `classes`."""
        allowed = np.zeros(256, dtype=bool)
        allowed[list(classes)] = True
        found = False
        for patch in shape.patches(self.ground):
            under = allowed[self.classes[patch.rows, patch.cols][patch.mask]]
            if not under.all():
                return False
            found = found or under.size > 0
        return found

    def count(self, shape: Shape, class_index: int) -> int:
        """Pixels of a class under a shape; where the shape's windows overlap, some count twice."""
        hits = (self.classes[p.rows, p.cols][p.mask] == class_index for p in shape.patches(self.ground))
        return sum(int(hit.sum()) for hit in hits)

    def ident_at(self, x: float, y: float) -> int:
        """Number of the feature on top at a point in metres; -1 outside."""
        row, col = int(y // self.ground.gsd), int(x // self.ground.gsd)
        if 0 <= row < self.ground.size and 0 <= col < self.ground.size:
            return int(self.ident[row, col])
        return -1

    def class_at(self, x: float, y: float) -> int:
        """Class at a point in metres; 255 outside."""
        row, col = int(y // self.ground.gsd), int(x // self.ground.gsd)
        if 0 <= row < self.ground.size and 0 <= col < self.ground.size:
            return int(self.classes[row, col])
        return 255
