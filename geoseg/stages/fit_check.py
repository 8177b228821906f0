"""Whether imagery fits a model: bands, pixel type, ground sample distance. Nothing is stretched or guessed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from geoseg.config import Card, SceneEntry
from geoseg.errors import ModelError
from geoseg.io.bands import resolve_bands
from geoseg.io.rasters import open_raster
from geoseg.io.scenes import Scene, SceneInfo, describe


def fitted_scene(path: Path, entry: SceneEntry, card: Card) -> tuple[Scene, SceneInfo]:
    """The scene with the model's bands in the model's order.

    Raises:
        DataError: the file cannot be used at all, or its blocks are not all there.
        ConfigError: its bands have no names.
        ModelError: it lacks a band of the model, or holds pixels of another kind than the model was trained on.
    """
    with open_raster(path, assume_crs=entry.assume_crs) as raster:
        raster.check()
        bands = resolve_bands(raster, card.bands, entry.bands)
    scene = Scene(str(path.absolute()), bands, entry.nodata, entry.assume_crs)
    info = describe(scene)
    if str(info.dtype) not in card.dtypes:
        raise ModelError(
            f"{path.name} has {info.dtype} pixels; model {card.name} was trained on {' or '.join(card.dtypes)} with "
            f"values {card.value_range[0]:g} to {card.value_range[1]:g}, and nothing is stretched or guessed. "
            f"Use a model for {info.dtype} imagery, or rescale the image to {card.dtypes[0]} as the card describes"
        )
    return scene, info


def check_gsd(gsd: float, card: Card, names: Sequence[str]) -> None:
    """Raises `ModelError` where pixels of `gsd` metres show the ground at a scale the model has not seen."""
    low, high = card.gsd_range
    if not low <= gsd <= high:
        raise ModelError(
            f"pixels of {gsd:.4g} m ({', '.join(names)}) are outside what model {card.name} was trained for, "
            f"{low:g} to {high:g} m. Set grid: gsd: {card.gsd:g} to resample, or use another model"
        )
