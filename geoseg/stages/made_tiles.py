"""The tiles of a plan, whole, for the steps that put them together."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.grid.window import Window
from geoseg.io.commit import sha256
from geoseg.io.json_file import read_object
from geoseg.io.plan_file import Plan
from geoseg.io.tile_file import read_tile

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MadeTiles:
    """Every tile of a plan: its pixels, counted from the plan's first, and its file."""

    places: tuple[tuple[Window, Path], ...]

    def read(self, bands: Sequence[int]) -> Iterator[tuple[Window, NDArray[np.uint8]]]:
        """Of each tile its window and some bands, (band, height, width), numbered as in `read_tile`."""
        return ((window, read_tile(path, bands)) for window, path in self.places)


def made_tiles(plan: Plan, plan_path: Path, manifest: Path, step: str) -> MadeTiles:
    """The tiles that `manifest` lists. If one is missing or changed since it was computed, it is computed again first.

    Args:
        plan, plan_path: the plan and its file.
        manifest: `tiles.json`, beside the folder of tiles.
        step: who asks, for the log.

    Raises:
        GeosegError: as `predict` does.
    """
    folder, listed = manifest.parent / "tiles", read_object(manifest)["tiles"]
    if not all(_intact(folder, tile) for tile in listed):
        log.warning("%s: some tiles are missing or changed; they are computed again", step)
        from geoseg.stages.predict import predict  # its network takes seconds to load, and tiles are rarely lost

        predict(plan_path, manifest)
        listed = read_object(manifest)["tiles"]
    return MadeTiles(tuple((Window(**t["window"]).within(plan.window), folder / t["file"]) for t in listed))


def _intact(folder: Path, tile: dict[str, Any]) -> bool:
    path = folder / tile["file"]
    return path.is_file() and sha256(path) == tile["sha256"]
