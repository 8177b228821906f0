"""A map of classes and what lies beside it, on one grid."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from geoseg.errors import DataError
from geoseg.io.rasters import Raster, open_raster


@contextmanager
def open_maps(classes: Path, confidence: Path) -> Iterator[tuple[Raster, Raster]]:
    """The maps of classes and confidence of one run, open. Raises `DataError` where they are not on one grid."""
    with open_raster(classes) as class_map, open_raster(confidence) as confidence_map:
        require_same_grid(class_map, confidence_map, "Make both again from the same run")
        yield class_map, confidence_map


def require_same_grid(one: Raster, other: Raster, way_out: str) -> None:
    """Raises `DataError`, which ends in `way_out`, where two maps have not the same pixels."""
    if one.geobox != other.geobox:
        raise DataError(
            f"{one.path} ({_grid_text(one)}) and {other.path} ({_grid_text(other)}) are not on the same grid. "
            f"{way_out}."
        )


def _grid_text(raster: Raster) -> str:
    height, width = raster.shape
    return f"{width} x {height} px from {raster.geobox.transform.c}, {raster.geobox.transform.f}"
