"""Maps that are used together: on one grid, and made by one model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from geoseg.errors import DataError
from geoseg.io.rasters import Raster, open_raster

MODEL: Final = "GEOSEG_MODEL"  # tags of a map: its model's name and version,
MODEL_SHA256: Final = "GEOSEG_MODEL_SHA256"  # digest of its weights,
CARD_SHA256: Final = "GEOSEG_CARD_SHA256"  # and of its card: what imagery, probabilities and classes are made by


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


def model_difference(one: Raster, other: Raster) -> str | None:
    """What two maps differ in by their models, as the end of a sentence about both; None: nothing that they say."""
    tags, others = one.tags(), other.tags()
    if any(key in tags and key in others and tags[key] != others[key] for key in (MODEL, MODEL_SHA256)):
        models = (f"{t.get(MODEL, 'unknown')} (sha256 {t.get(MODEL_SHA256, 'unknown')[:12]})" for t in (tags, others))
        return f"were made by different models, {' and '.join(models)}, which differ where nothing changed"
    cards = [t.get(CARD_SHA256) for t in (tags, others)]
    if None not in cards and cards[0] != cards[1]:
        digests = " and ".join(f"sha256 {card[:12]}" for card in cards if card)
        return (
            f"were made with the same weights, but with different cards of the model ({digests}): normalization, "
            "calibration or classes differ, and so the maps do where nothing changed"
        )
    return None


def _grid_text(raster: Raster) -> str:
    height, width = raster.shape
    return f"{width} x {height} px from {raster.geobox.transform.c}, {raster.geobox.transform.f}"
