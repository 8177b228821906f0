"""A number for the seams: labels that change near patch borders when the lattice is moved (DESIGN, decision 5).

The same ground is mapped twice, the second time with all patches moved by half a core in both directions. A network
that saw all it needs says the same twice. What changes near the borders of either lattice, over what changes
elsewhere, is what the borders do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoseg.config import Card
from geoseg.grid.patches import PatchPlan
from geoseg.grid.window import Window
from geoseg.io.ledger import Entry
from geoseg.io.plan_file import Plan
from geoseg.io.scenes import Mosaic
from geoseg.io.tile_file import read_tile
from geoseg.nn.inference import Predictor
from geoseg.raster.coding import OUTSIDE, UNOBSERVED
from geoseg.stages.answer import answer, read_context, read_patches
from geoseg.stages.tile import mosaic_of, opened, predictor_of

SHARE = 0.05  # of a run's patches that may be computed again to measure its seams
MOST = 8  # samples of a run


@dataclass(frozen=True, slots=True)
class Seams:
    """Labels compared and labels that changed, near a patch border and elsewhere. They add up."""

    near_changed: int = 0
    near_pixels: int = 0
    elsewhere_changed: int = 0
    elsewhere_pixels: int = 0

    def __add__(self, other: Seams) -> Seams:
        return Seams(*(a + b for a, b in zip(asdict(self).values(), asdict(other).values(), strict=True)))

    @property
    def near(self) -> float | None:
        """Share of labels near borders that changed; None where none was compared."""
        return self.near_changed / self.near_pixels if self.near_pixels else None

    @property
    def elsewhere(self) -> float | None:
        """Share of the other labels that changed; None where none was compared."""
        return self.elsewhere_changed / self.elsewhere_pixels if self.elsewhere_pixels else None

    @property
    def excess(self) -> float | None:
        """How much larger the share near borders is: the seam number. None where one of them is not known."""
        return None if self.near is None or self.elsewhere is None else self.near - self.elsewhere

    @property
    def ratio(self) -> float | None:
        """How many times larger it is; None where nothing changed elsewhere, or one of them is not known."""
        return self.near / self.elsewhere if self.near is not None and self.elsewhere else None

    def figures(self) -> dict[str, float | int | None]:
        """As a run's figures keep it."""
        return {
            "near": self.near,
            "elsewhere": self.elsewhere,
            "excess": self.excess,
            "pixels": self.near_pixels + self.elsewhere_pixels,
        }


def seam_score(predictor: Predictor, card: Card, plan: PatchPlan, mosaic: Mosaic, target: Window) -> Seams:
    """Seams of a target, mapped on the lattice and on the moved one. Nothing is compared where nothing is seen."""
    still, cores = read_context(mosaic, card, plan, target), moved(plan, target, mosaic.extent)
    if still is None or not cores:
        return Seams()
    other = read_patches(mosaic, card, cores, plan.halo, target)
    if other is None:
        return Seams()
    first, second = (answer(predictor, plan, context)[0] for context in (still, other))
    return compare(first, second, plan, target, mosaic.extent)


def moved(plan: PatchPlan, target: Window, extent: Window) -> tuple[Window, ...]:
    """Cores of the moved lattice that answer for `target`; none where a core is too small to be halved."""
    return plan.moved_cores(target, extent, shift) if (shift := _shift(plan)) else ()


def compare(
    first: NDArray[np.uint8], second: NDArray[np.uint8], plan: PatchPlan, target: Window, extent: Window
) -> Seams:
    """Counts labels of `target` that two lattices give, (height, width) uint8 each, where both give one."""
    seen = (first < UNOBSERVED) & (second < UNOBSERVED)
    changed = seen & (first != second)
    rows = _near(plan, target.row_off, target.bottom, extent.row_off, extent.bottom)
    cols = _near(plan, target.col_off, target.right, extent.col_off, extent.right)
    near = rows[:, None] | cols
    return Seams(*(int(np.count_nonzero(m)) for m in (changed & near, seen & near, changed & ~near, seen & ~near)))


def _near(plan: PatchPlan, first: int, stop: int, lowest: int, highest: int) -> NDArray[np.bool_]:
    """Which of the pixels [first, stop) are near a border of either lattice inside the imagery.

    Near is within a stride, the network's own grain; of small cores a sixteenth, or nothing would be elsewhere.
    """
    centre, reach = np.arange(first, stop) + 0.5, min(plan.stride, plan.size / 16)
    near = np.zeros(len(centre), bool)
    for offset in (0, _shift(plan)):
        border = np.rint((centre - offset) / plan.size) * plan.size + offset
        near |= (np.abs(centre - border) < reach) & (lowest < border) & (border < highest)
    return near


def _shift(plan: PatchPlan) -> int:
    """Half a core in whole strides: patches that are not on the network's grid would differ for that alone."""
    return plan.size // 2 // plan.stride * plan.stride


@dataclass(frozen=True, slots=True)
class SeamTask:
    """What a worker is told: a patch of the moved lattice, and the tiles that hold the labels of the map.

    Args:
        target: pixels compared, lattice pixels.
        plan: path of the plan.
        tiles: window and path of each tile.
    """

    target: Window
    plan: str
    tiles: tuple[tuple[Window, str], ...]


def seam_tasks(plan: Plan, plan_path: Path, entries: Sequence[Entry], folder: Path) -> list[SeamTask]:
    """Samples spread over the area, each of one patch: at most a twentieth of the run's patches, at least one.

    None where the area is a single patch: it has no seams.
    """
    cut = plan.patches
    patches = sum(1 for _ in cut.cores(plan.window, plan.extent))
    if patches < 2:
        return []
    cores = moved(cut, plan.window, plan.extent)
    inner = (c.grow(-cut.blend) if 2 * cut.blend < min(c.shape) else c for c in cores)
    parts = [part for c in inner if (part := c.intersect(plan.window)) is not None]
    largest = max((p.width * p.height for p in parts), default=0)
    whole = [p for p in parts if p.width * p.height == largest]
    count = min(len(whole), MOST, max(1, int(SHARE * patches)))
    picked = [whole[int((i + 0.5) * len(whole) / count)] for i in range(count)]
    return [SeamTask(p, str(plan_path.absolute()), _tiles(p, entries, folder)) for p in picked]


def compute_seams(task: SeamTask) -> Seams:
    """The map's labels of a task's target against those of the moved lattice."""
    plan, bundle = opened(task.plan)
    mapped = np.full(task.target.shape, OUTSIDE, np.uint8)
    for window, path in task.tiles:
        part = window.intersect(task.target)
        assert part is not None
        mapped[part.within(task.target).slices] = read_tile(Path(path), (1,))[0][part.within(window).slices]
    if not (mapped < UNOBSERVED).any():
        return Seams()
    cut, mosaic = plan.patches, mosaic_of(plan)
    context = read_patches(mosaic, bundle.card, moved(cut, task.target, mosaic.extent), cut.halo, task.target)
    if context is None:
        return Seams()
    return compare(mapped, answer(predictor_of(plan), cut, context)[0], cut, task.target, mosaic.extent)


def _tiles(target: Window, entries: Sequence[Entry], folder: Path) -> tuple[tuple[Window, str], ...]:
    return tuple((e.window, str(folder / e.file)) for e in entries if e.window.intersect(target) is not None)
