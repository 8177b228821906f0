"""Training windows: which ground is drawn, how often, from which source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.config import Towns
from geoseg.grid.window import Window
from geoseg.io.labelled import IGNORE, Labelled
from geoseg.nn.windows import Sample
from geoseg.raster.tiles import mirrored
from geoseg.town.plan import plan_town
from geoseg.town.render import render
from geoseg.town.style import TownStyle

CELL = 64  # side of the squares in which class occurrence is noted, pixels


@dataclass(frozen=True)
class Survey:
    """Where the classes of a labelled scene are: squares of `CELL` pixels with any label that can be learned from.

    Args:
        origins: (square, 2) col and row of each square's top left corner, lattice pixels.
        counts: (square, class) labelled pixels with imagery.
        unlisted: values of a label raster that nobody listed, and their pixels.
        blind: labelled pixels without imagery.
    """

    origins: NDArray[np.int64]
    counts: NDArray[np.int64]
    unlisted: Counter[float]
    blind: int

    @property
    def pixels(self) -> NDArray[np.int64]:
        """(class,) labelled pixels with imagery."""
        total: NDArray[np.int64] = self.counts.sum(axis=0)
        return total


def survey(scene: Labelled, classes: int) -> Survey:
    """Reads all labels of a scene and its imagery once, block by block."""
    origins: list[tuple[int, int]] = []
    counts = []
    unlisted: Counter[float] = Counter()
    blind = 0
    for block in scene.blocks(16 * CELL):
        labels = scene.classes(block)
        unlisted += scene.unlisted(block)
        if (labels == IGNORE).all():
            continue
        _, valid = scene.imagery.read(block)
        blind += int(((labels != IGNORE) & ~valid).sum())
        labels[~valid] = IGNORE
        for row in range(0, block.height, CELL):
            for col in range(0, block.width, CELL):
                found = np.bincount(labels[row : row + CELL, col : col + CELL].ravel(), minlength=256)[:classes]
                if found.any():
                    origins.append((block.col_off + col, block.row_off + row))
                    counts.append(found)
    return Survey(
        np.array(origins, dtype=np.int64).reshape(-1, 2),
        np.array(counts, dtype=np.int64).reshape(-1, classes),
        unlisted,
        blind,
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a window is drawn: in the scene `source`, by its number, or in the town whose seed it is."""

    is_town: bool
    source: int
    window: Window


@dataclass
class Drawer:
    """Draws windows from labelled scenes and towns. Picklable; towns are drawn once in each process.

    Args:
        scenes, surveys, weights: labelled scenes, their class squares, and how often each is drawn a pixel.
        towns: procedural towns to mix in, or None.
        gsd: ground sample distance of towns, metres.
        balance: share of windows drawn around a class picked evenly, not by area.
    """

    scenes: Sequence[Labelled]
    surveys: Sequence[Survey]
    weights: Sequence[float]
    towns: Towns | None
    gsd: float
    balance: float
    _drawn: dict[int, Sample] = field(default_factory=dict, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_drawn": {}}

    def __call__(self, rng: np.random.Generator, side: int) -> Sample:
        """Image (B, side, side) of pixel values and labels (side, side)."""
        place = self._pick(rng, side)
        if place.is_town:
            return self._town(place)
        return labelled_window(self.scenes[place.source], place.window)

    def name(self, rng: np.random.Generator, side: int) -> str:
        """Source and place of the window that a generator in this state draws, in words."""
        place = self._pick(rng, side)
        if place.is_town:
            rows, cols = place.window.slices
            return f"town {place.source}, columns {cols.start} to {cols.stop}, rows {rows.start} to {rows.stop}"
        return self.scenes[place.source].place_text(place.window)

    def _pick(self, rng: np.random.Generator, side: int) -> Place:
        if self.towns is not None and rng.random() < self.towns.share:
            seed = int(rng.choice(self.towns.seeds))
            top, left = (int(v) for v in rng.integers(0, self.towns.size - side + 1, 2))
            return Place(True, seed, Window(left, top, side, side))
        mass = np.array([s.counts.sum() * w for s, w in zip(self.surveys, self.weights, strict=True)], dtype=float)
        pick = int(rng.choice(len(mass), p=mass / mass.sum()))
        seen = self.surveys[pick]
        chosen = np.arange(len(seen.origins))
        if rng.random() < self.balance:
            present = np.flatnonzero(seen.pixels)
            chosen = np.flatnonzero(seen.counts[:, int(rng.choice(present))])
        col, row = seen.origins[int(rng.choice(chosen))]
        reach = CELL - side  # any place where the square and the window still meet
        low, high = min(reach, 0), max(reach, 0) + 1
        corner = int(col + rng.integers(low, high)), int(row + rng.integers(low, high))
        return Place(False, pick, Window(*corner, side, side))

    def _town(self, place: Place) -> Sample:
        assert self.towns is not None
        seed = place.source
        if seed not in self._drawn:
            style = TownStyle.random(np.random.default_rng(seed))
            town = plan_town(seed, self.towns.size, self.gsd, style)
            self._drawn[seed] = (render(town, seed), town.classes())
        image, labels = self._drawn[seed]
        part = place.window.slices
        return image[(slice(None), *part)].astype(np.float32), labels[part]


def labelled_window(scene: Labelled, window: Window) -> Sample:
    """Image and labels of `window`, mirrored where imagery ends.

    Pixels without imagery are unlabelled, and hold the scene's fill, so that the network sees there what it will see
    in a map: the mean.
    """
    rows, cols = mirrored(window, scene.extent)
    source = Window.from_edges(int(cols.min()), int(rows.min()), int(cols.max()) + 1, int(rows.max()) + 1)
    image, valid = scene.imagery.read(source)
    labels = scene.classes(source)
    if not valid.all():
        labels[~valid] = IGNORE
        if scene.fill is not None:
            image[:, ~valid] = np.array(scene.fill, dtype=np.float32)[:, None]
    if source == window:
        return image, labels
    rows, cols = rows[:, None] - source.row_off, cols - source.col_off
    return np.ascontiguousarray(image[:, rows, cols]), labels[rows, cols]
