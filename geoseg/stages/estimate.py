"""What a run will need, said before it starts."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

from geoseg.config import Card
from geoseg.errors import MachineError
from geoseg.io.commit import size_text
from geoseg.io.plan_file import Plan
from geoseg.raster.coding import MAPS

IN_FLIGHT = 3  # tiles of one worker under way: one is read, one computed, one written
BASE = 700e6  # bytes: Python, torch and GDAL in one worker
ACTIVATIONS = 420  # bytes a patch pixel at the network's widest point; measured on U-Nets of 2 to 14 M parameters
DISK_FACTOR = 1.2  # room to spare


@dataclass(frozen=True, slots=True)
class Need:
    """Upper bounds in bytes: memory of all workers, and disk with everything that is there at one time."""

    memory: float
    disk: float


def need(plan: Plan, card: Card) -> Need:
    """Bounds of a plan. Memory depends on tile and patch, never on the area (DESIGN, P3)."""
    patch = (plan.patches.size + 2 * plan.patches.halo) ** 2 * max(1.0, *plan.views.scales) ** 2
    tile = (plan.tile + 2 * (plan.patches.halo + (plan.patches.size if plan.patches.blend else 0))) ** 2
    # imagery as read, mirrored and normalized, and the patches of one tile cut from it, all float32
    context = tile * len(card.bands) * 4 * 4 + plan.tile**2 * len(card.classes) * 4
    kept = MAPS + (len(card.classes) if plan.probs else 0)  # bytes a pixel
    context += plan.tile**2 * kept * 3  # as they come, as they are written, as they are read back
    memory = plan.machine.workers * (BASE + patch * ACTIVATIONS + IN_FLIGHT * context)
    pixels = plan.window.width * plan.window.height
    return Need(memory, pixels * kept * 3 * DISK_FACTOR)  # as tiles, while a COG is made, as COG


def require_room(plan: Plan, card: Card, out: Path) -> None:
    """Raises `MachineError` where disk or memory cannot hold the run."""
    wanted = need(plan, card)
    folder = out.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < wanted.disk:
        raise MachineError(
            f"the run may need {size_text(int(wanted.disk))} of disk, {size_text(free)} are free at {folder}; "
            "free some, or name another folder for the results"
        )
    memory = _memory()
    if memory and wanted.memory > memory:
        raise MachineError(
            f"the run may need {size_text(int(wanted.memory))} of memory, the machine has {size_text(memory)}; "
            "lower compute.workers, tiling.tile_patches or tiling.patch_size"
        )


def _memory() -> int | None:
    """Bytes of memory this process may use, where the system says."""
    return int(psutil.virtual_memory().total)
