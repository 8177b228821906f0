"""The figures of a run, in one file: what was mapped, from what, with what, how fast."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from geoseg import __version__
from geoseg.io.bundle import read_bundle
from geoseg.io.commit import sha256, write_json
from geoseg.io.json_file import read_object
from geoseg.io.plan_file import Plan
from geoseg.stages.map_areas import map_areas

_WORK = "work/"


def report(plan_path: Path, tiles: Path, out: Path, made_files: Sequence[Path]) -> dict[str, Any]:
    """Writes `run.json` to `out`, which is beside what is delivered, and returns it.

    Args:
        plan_path: the plan.
        tiles: manifest of the tiles.
        out: the file.
        made_files: what is delivered, and the figures of each product's step, `work/NAME.json`.
    """
    plan, made = Plan.read(plan_path), read_object(tiles)
    names = {path: Path(os.path.relpath(path, out.parent)).as_posix() for path in made_files}
    layers = {path.stem: read_object(path) for path, name in names.items() if name.startswith(_WORK)}
    card = read_bundle(plan.model).card
    pixels = plan.window.width * plan.window.height
    observed = sum(t["observed"] for t in made["tiles"])
    grid, machine = plan.lattice, plan.machine
    figures = {
        "aoi": plan.aoi,
        "date": plan.date,
        "grid": {"crs": grid.crs, "gsd": grid.gsd, "width": plan.window.width, "height": plan.window.height},
        "model": {"name": card.name, "version": card.version, "weights_sha256": card.weights_sha256},
        "scenes": [{"name": Path(s.scene.path).name, "sha256": s.sha256} for s in plan.scenes],
        "notes": list(plan.notes),
        "patches": {**asdict(plan.patches), "tile": plan.tile},
        "views": {"symmetry": plan.views.symmetry, "scales": list(plan.views.scales)},
        "machine": {"device": machine.device, "precision": machine.precision, "threads": machine.threads},
        "pixels": {"window": pixels, "observed": observed},
        "unread": made["holes"],
        "seams": made["seams"],
        "computed": {"pixels": made["computed_pixels"], "seconds": made["seconds"]},
        "area_m2": map_areas(out.parent / "landcover.tif"),
        "layers": layers,
        "files": {name: sha256(path) for path, name in names.items() if not name.startswith(_WORK)},
        "made_by": {"geoseg": __version__, "torch": version("torch"), "python": platform.python_version()},
    }
    write_json(out, figures)
    return figures
