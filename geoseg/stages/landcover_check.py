"""Land-cover polygons against the map that they were drawn from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.io.label_values import class_entries
from geoseg.io.layers.geoparquet import frames_of
from geoseg.io.rasters import Raster
from geoseg.raster.coding import OUTSIDE
from geoseg.vector.assemble import Polygons
from geoseg.vector.coverage import Coverage, coverage

_EXACT = 1e-9  # share of an area that rounding of coordinates may change


@dataclass(frozen=True, slots=True)
class Allowed:
    """What generalizing may have changed.

    Args:
        tolerance: how far a boundary may be off, pixels; the outside of the map never is.
        small: by class, its name, pixels in regions that were too small to keep; a class loses at most these, and
            gains at most those of the others.
    """

    tolerance: float
    small: Mapping[str, int]


@dataclass(slots=True)
class _Drawn:
    """Sums over the polygons of each class: area and length of boundary, CRS units."""

    area: NDArray[np.float64] = field(default_factory=lambda: np.zeros(256))
    length: NDArray[np.float64] = field(default_factory=lambda: np.zeros(256))
    count: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))

    def batches(self, path: Path) -> Iterator[Polygons]:
        """The polygons of a layer, added up as they pass."""
        for frame in frames_of(path, ["class"]):
            shapes, values = frame.geometry.to_numpy(), frame["class"].to_numpy()
            self.area += np.bincount(values, shapely.area(shapes), 256)
            self.length += np.bincount(values, shapely.length(shapes), 256)
            self.count += np.bincount(values, minlength=256)
            yield shapes


def check_landcover(path: Path, class_map: Raster, allowed: Allowed) -> tuple[dict[str, Any], list[str]]:
    """Figures, areas in pixels, and what does not hold: validity, overlaps, gaps, area of each class.

    The difference of a class's areas over the length of its boundary is how far that has moved on average.
    """
    transform = class_map.geobox.transform
    pixel = abs(transform.a * transform.e)
    raster = _pixels(class_map)
    drawn = _Drawn()
    proof = coverage(drawn.batches(path))
    gap = int(raster.sum()) - proof.area / pixel
    side = max(abs(transform.a), abs(transform.e))
    bounds = _bounds(drawn, allowed, side, pixel, _names(class_map))
    by_class = {
        name: {
            "raster_px": int(raster[value]),
            "polygons_px": float(drawn.area[value] / pixel),
            "allowed_px": bound,
            "boundary_px": float(drawn.length[value] / side),
        }
        for value, (name, bound) in bounds.items()
        if raster[value] or drawn.count[value]
    }
    figures = {
        "polygons": proof.polygons,
        "invalid": proof.invalid,
        "overlaps": proof.faults.tolist(),
        "gap_px": gap,
        "tolerance_px": allowed.tolerance,
        "classes": by_class,
    }
    return figures, [*_geometry_faults(proof, gap, int(raster.sum())), *_area_faults(by_class)]


def _names(class_map: Raster) -> dict[int, str]:
    """Of all values; those without a name are named by their number."""
    known = {value: name for value, name, _ in class_entries(class_map) or []}
    return {value: known.get(value, str(value)) for value in range(256)}


def _pixels(class_map: Raster) -> NDArray[np.int64]:
    """Pixels of each value inside the area, (256,)."""
    total = np.zeros(256, np.int64)
    for window in class_map.blocks():
        total += np.bincount(class_map.read_classes(window).ravel(), minlength=256)
    total[OUTSIDE] = 0
    return total


def _bounds(
    drawn: _Drawn, allowed: Allowed, side: float, pixel: float, names: Mapping[int, str]
) -> dict[int, tuple[str, float]]:
    """Name of each value, and pixels that its area may have changed by.

    What lies between a boundary and one that is nowhere farther from it than `tolerance` is within that distance of
    either: at most 2 * tolerance * length + pi * tolerance ** 2 for each line.
    """
    off = allowed.tolerance * side
    moved = (2 * off * drawn.length + math.pi * off**2 * drawn.count) / pixel
    rounding = _EXACT * drawn.area.sum() / pixel
    small = sum(allowed.small.values())
    given = {name: max(lost, small - lost) for name in names.values() for lost in [allowed.small.get(name, 0)]}
    return {value: (name, float(moved[value] + given[name] + rounding)) for value, name in names.items()}


def _geometry_faults(proof: Coverage, gap: float, pixels: int) -> Iterator[str]:
    if proof.invalid:
        yield f"{proof.invalid} of {proof.polygons} polygons are not valid"
    if len(proof.faults):
        x, y = proof.faults[0]
        yield f"polygons overlap, or touch without sharing corners, near {x:.10g}, {y:.10g}"
    if abs(gap) > _EXACT * pixels:
        yield f"polygons cover {'less' if gap > 0 else 'more'} than the map, by {abs(gap):.6g} pixels"


def _area_faults(by_class: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    for name, found in by_class.items():
        if abs(found["polygons_px"] - found["raster_px"]) > found["allowed_px"]:
            yield (
                f"class {name} has {found['raster_px']} pixels on the map and {found['polygons_px']:.6g} in polygons, "
                f"more apart than the {found['allowed_px']:.4g} that generalizing may change"
            )
