"""Training windows: which ground is drawn, how often, from which source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.config import Towns
from geoseg.errors import DataError
from geoseg.grid.window import Window
from geoseg.io.labelled import IGNORE, Labelled
from geoseg.nn.fitting import Sample
from geoseg.raster.tiles import mirrored
from geoseg.town.plan import plan_town
from geoseg.town.render import render
from geoseg.town.style import TownStyle

CELL = 64  # side of the squares in which class occurrence is noted, pixels
BALANCED = 0.35  # share of windows drawn around a class picked evenly, not by area


@dataclass(frozen=True)
class Survey:
    """Where the classes of a labelled scene are: squares of `CELL` pixels with any label.

    Args:
        origins: (square, 2) col and row of each square's top left corner, lattice pixels.
        counts: (square, class) labelled pixels.
    """

    origins: NDArray[np.int64]
    counts: NDArray[np.int64]


def survey(scene: Labelled, classes: int) -> Survey:
    """Reads all labels of a scene once, block by block.

    Raises:
        DataError: no pixel of it is labelled.
    """
    origins, counts = [], []
    for block in scene.blocks(16 * CELL):
        labels = scene.classes(block)
        for row in range(0, block.height, CELL):
            for col in range(0, block.width, CELL):
                found = np.bincount(labels[row : row + CELL, col : col + CELL].ravel(), minlength=256)[:classes]
                if found.any():
                    origins.append((block.col_off + col, block.row_off + row))
                    counts.append(found)
    if not origins:
        raise DataError(
            f"{scene.labels.path} has no label on {scene.scene.path}: they do not overlap, or no value is in classes"
        )
    return Survey(np.array(origins), np.array(counts))


@dataclass
class Drawer:
    """Draws windows from labelled scenes and towns. Picklable; towns are drawn once in each process.

    Args:
        scenes, surveys, weights: labelled scenes, their class squares, and how often each is drawn a pixel.
        towns: procedural towns to mix in, or None.
        gsd: ground sample distance of towns, metres.
    """

    scenes: Sequence[Labelled]
    surveys: Sequence[Survey]
    weights: Sequence[float]
    towns: Towns | None
    gsd: float
    _drawn: dict[int, Sample] = field(default_factory=dict, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_drawn": {}}

    def __call__(self, rng: np.random.Generator, side: int) -> Sample:
        """Image (B, side, side) of pixel values and labels (side, side)."""
        if self.towns is not None and rng.random() < self.towns.share:
            return self._town(rng, side)
        return self._scene(rng, side)

    def _scene(self, rng: np.random.Generator, side: int) -> Sample:
        mass = np.array([s.counts.sum() * w for s, w in zip(self.surveys, self.weights, strict=True)], dtype=float)
        pick = int(rng.choice(len(mass), p=mass / mass.sum()))
        scene, seen = self.scenes[pick], self.surveys[pick]
        chosen = np.arange(len(seen.origins))
        if rng.random() < BALANCED:
            present = np.flatnonzero(seen.counts.sum(axis=0))
            chosen = np.flatnonzero(seen.counts[:, int(rng.choice(present))])
        col, row = seen.origins[int(rng.choice(chosen))]
        reach = CELL - side  # any place where the square and the window still meet
        low, high = min(reach, 0), max(reach, 0) + 1
        return labelled_window(
            scene, Window(int(col + rng.integers(low, high)), int(row + rng.integers(low, high)), side, side)
        )

    def _town(self, rng: np.random.Generator, side: int) -> Sample:
        assert self.towns is not None
        seed = int(rng.choice(self.towns.seeds))
        if seed not in self._drawn:
            style = TownStyle.random(np.random.default_rng(seed))
            town = plan_town(seed, self.towns.size, self.gsd, style)
            self._drawn[seed] = (render(town, seed), town.classes())
        image, labels = self._drawn[seed]
        top, left = rng.integers(0, self.towns.size - side + 1, 2)
        part = (slice(top, top + side), slice(left, left + side))
        return image[(slice(None), *part)].astype(np.float32), labels[part]


def labelled_window(scene: Labelled, window: Window) -> Sample:
    """Image and labels of `window`, mirrored where imagery ends; pixels without imagery are unlabelled."""
    rows, cols = mirrored(window, scene.extent)
    source = Window.from_edges(int(cols.min()), int(rows.min()), int(cols.max()) + 1, int(rows.max()) + 1)
    image, valid = scene.imagery.read(source)
    labels = np.where(valid, scene.classes(source), IGNORE).astype(np.uint8)
    rows, cols = rows[:, None] - source.row_off, cols - source.col_off
    return np.ascontiguousarray(image[:, rows, cols]), labels[rows, cols]
