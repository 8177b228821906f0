"""Proof that a delivery's layers hold, taken from the files themselves and the map."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from geoseg.errors import DataError
from geoseg.io.commit import write_json
from geoseg.io.json_file import read_object
from geoseg.io.rasters import Raster, open_raster
from geoseg.io.vectors import FORMATS, count_features
from geoseg.stages.buildings_check import check_buildings
from geoseg.stages.landcover_check import Allowed, check_landcover
from geoseg.stages.roads_check import check_roads

log = logging.getLogger(__name__)

FIGURES = "landcover.json"
Found = tuple[dict[str, Any], list[str]]  # figures, and what does not hold, in words


def vectors_check(classes: Path, out: Path) -> dict[str, Any]:
    """Check every layer beside a class map, write what was found as `out`, and return it.

    Land cover: polygons are valid, overlap nowhere, leave no gap, and each class has the area that it has on the map,
    within the bound that generalizing sets (`Allowed`). Buildings: footprints are valid and overlap neither each
    other nor road pixels. Roads: edges end at the nodes that they name. All: every format has as many features.

    Layers are read in row groups: memory is bounded by some of those, the edges that land-cover polygons have not yet
    shared, and 24 bytes a road node.

    Args:
        classes: the class map. GeoParquet layers lie beside it, figures of the land-cover step in `work` below it.
        out: the file; it says what was found, also where that is not good.

    Raises:
        DataError: something does not hold.
    """
    folder = classes.parent
    faults: list[str] = []
    layers: dict[str, Any] = {}
    with open_raster(classes) as class_map:
        for name, check in _checks(folder, class_map).items():
            if (folder / f"{name}.parquet").is_file():
                layers[name], wrong = check()
                faults += [f"{name}: {fault}" for fault in wrong]
    counts = {name: dict(_counts(folder, name)) for name in _names(folder)}
    faults += [f"{name}: formats have different numbers of features, {c}" for name, c in counts.items() if _differ(c)]
    figures = {"holds": not faults, "faults": faults, "layers": layers, "features": counts}
    write_json(out, figures)
    if faults:
        more = f" (and {len(faults) - 1} more in {out})" if len(faults) > 1 else ""
        raise DataError(f"{folder}: {faults[0]}{more}. Make the layers again from the map, and report it if it stays.")
    log.info("%s: %s hold", folder.name, ", ".join(layers) or "no layers")
    return figures


def _checks(folder: Path, class_map: Raster) -> dict[str, Callable[[], Found]]:
    return {
        "landcover": lambda: check_landcover(folder / "landcover.parquet", class_map, _allowed(folder)),
        "buildings": lambda: check_buildings(folder / "buildings.parquet", class_map),
        "roads": lambda: check_roads(folder / "roads.parquet", folder / "road_nodes.parquet"),
    }


def _allowed(folder: Path) -> Allowed:
    """What the land-cover step says that it changed; nothing where it does not say."""
    path = folder / "work" / FIGURES
    said = read_object(path).get("generalized", {}) if path.is_file() else {}
    return Allowed(float(said.get("tolerance_px", 0)), dict(said.get("small_pixels", {})))


def _names(folder: Path) -> list[str]:
    return [
        name for name in ("landcover", "buildings", "roads", "road_nodes") if (folder / f"{name}.parquet").is_file()
    ]


def _counts(folder: Path, name: str) -> Iterator[tuple[str, int]]:
    for ending in FORMATS:
        path = folder / f"{name}.{ending}"
        if path.is_file():
            yield ending, count_features(path)


def _differ(counts: dict[str, int]) -> bool:
    return len(set(counts.values())) > 1
