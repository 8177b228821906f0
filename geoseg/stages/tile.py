"""One tile, computed where a worker runs: imagery in, one file of coded bands out."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoseg.grid.views import ViewPlan
from geoseg.grid.window import Window
from geoseg.io.bundle import Bundle, read_bundle
from geoseg.io.burn import burn
from geoseg.io.commit import sha256
from geoseg.io.ledger import Entry
from geoseg.io.plan_file import Plan
from geoseg.io.scenes import Mosaic
from geoseg.io.tile_file import write_tile
from geoseg.nn.inference import Predictor
from geoseg.raster.coding import NO_CONFIDENCE, OUTSIDE, UNOBSERVED, unseen_bands
from geoseg.stages.answer import answer, load_predictor, read_context

_own = threading.local()  # a GDAL handle must not be shared by threads
_loading = threading.Lock()


@dataclass(frozen=True, slots=True)
class TileTask:
    """What a worker is told: small, so that cluster traffic is.

    Args:
        key: hash of everything the tile depends on.
        target: its pixels, lattice pixels.
        plan: path of the plan.
        folder: where tile files go.
    """

    key: str
    target: Window
    plan: str
    folder: str

    @property
    def pixels(self) -> int:
        """Pixels of the tile."""
        return self.target.width * self.target.height


def compute_tile(task: TileTask) -> Entry:
    """A tile's bands as a file in the task's folder, and the ledger's entry for it."""
    plan, bundle = opened(task.plan)
    inside = _inside(plan, task.target)
    mosaic = mosaic_of(plan)
    bands = _answer(plan, bundle, mosaic, task.target, inside)
    return _write(task, plan, bands, inside, tuple(mosaic.damage))


def blank_tile(task: TileTask, damage: str) -> Entry:
    """A tile that could not be computed: nothing in it was observed."""
    plan, bundle = opened(task.plan)
    bands = _unseen(plan, bundle, task.target)
    return _write(task, plan, bands, _inside(plan, task.target), (damage,))


def _write(
    task: TileTask, plan: Plan, bands: NDArray[np.uint8], inside: NDArray[np.bool_], damage: tuple[str, ...]
) -> Entry:
    """The tile without what lies outside the area, on disk."""
    bands[0, ~inside] = OUTSIDE
    bands[1:, ~inside] = NO_CONFIDENCE
    name = f"{task.target.col_off}_{task.target.row_off}_{task.key[:16]}.tif"
    path = Path(task.folder) / name
    write_tile(path, bands, plan.lattice.geobox(task.target))
    return Entry(task.key, task.target, name, sha256(path), int((bands[0] < UNOBSERVED).sum()), damage)


def _answer(plan: Plan, bundle: Bundle, mosaic: Mosaic, target: Window, inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    context = read_context(mosaic, bundle.card, plan.patches, target) if inside.any() else None
    if context is None:  # nothing to see here: the network need not run
        return _unseen(plan, bundle, target)
    return answer(predictor_of(plan), plan.patches, context, each=plan.probs)


def _unseen(plan: Plan, bundle: Bundle, target: Window) -> NDArray[np.uint8]:
    """The bands of a tile in which nothing was observed."""
    return unseen_bands(target.shape, len(bundle.card.classes) if plan.probs else 0)


def opened(path: str) -> tuple[Plan, Bundle]:
    """The plan in `path` and its model; this worker keeps them."""
    return _plan(path, Path(path).stat().st_mtime_ns)


def predictor_of(plan: Plan) -> Predictor:
    """This worker's network for a plan; it keeps one."""
    machine = plan.machine
    with _loading:
        return _predictor(plan.model, plan.model_sha256, machine.device, machine.precision, machine.threads, plan.views)


def _inside(plan: Plan, target: Window) -> NDArray[np.bool_]:
    """Pixels whose centre lies in the area."""
    if plan.area is None:
        return np.ones(target.shape, dtype=bool)
    return burn(plan.area, plan.lattice, target)


@lru_cache(maxsize=4)
def _plan(path: str, modified_ns: int) -> tuple[Plan, Bundle]:
    plan = Plan.read(Path(path))
    return plan, read_bundle(plan.model)


@lru_cache(maxsize=1)
def _predictor(folder: str, sha: str, device: str, precision: str, threads: int, views: ViewPlan) -> Predictor:
    return load_predictor(read_bundle(folder), device, precision, threads, views)


def mosaic_of(plan: Plan) -> Mosaic:
    """This thread's open scenes; opened anew after damage, so that each tile names what it met itself."""
    key = (plan.scenes, plan.lattice, plan.resampling)
    if getattr(_own, "key", None) != key or _own.mosaic.damage:
        _own.key, _own.mosaic = key, Mosaic([s.scene for s in plan.scenes], plan.lattice, plan.resampling)
    mosaic: Mosaic = _own.mosaic
    return mosaic
