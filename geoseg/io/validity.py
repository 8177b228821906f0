"""Which pixels of a file hold data: one rule for nodata values, alpha, mask bands, NaN and infinity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.windows import Window as FileWindow

from geoseg.errors import ConfigError

Nodata = float | Literal["none"] | None


def valid_pixels(
    dataset: rasterio.DatasetReader,
    bands: Sequence[int],
    window: FileWindow,
    data: NDArray[Any],
    nodata: Nodata,
) -> NDArray[np.bool_]:
    """True where every one of `bands` holds data.

    A pixel is invalid if in any of these bands it is nodata, NaN or infinite, if the file's mask (internal or
    `.msk`) says so, or if its alpha is 0.

    Args:
        data: (band, height, width) as read from `window`.
        nodata: None takes the file's tag; a number replaces the tag; "none" drops it. Alpha and masks stay.

    Returns:
        (height, width).
    """
    value = dataset.nodata if nodata is None else nodata
    valid = np.ones(data.shape[1:], bool)
    if np.issubdtype(data.dtype, np.floating):
        valid &= np.isfinite(data).all(axis=0)
    if value is not None and value != "none":
        valid &= ~is_nodata(data, float(value)).any(axis=0)
    for number in alpha_bands(dataset):
        valid &= dataset.read(number, window=window) > 0
    for number in _masked_bands(dataset, bands):
        valid &= dataset.read_masks(number, window=window) > 0
    return valid


def is_nodata(data: NDArray[Any], value: float) -> NDArray[np.bool_]:
    """Where `data` holds `value`, compared as the pixels' own type; a value the type cannot hold is nowhere."""
    if np.isnan(value):
        return np.isnan(data)
    if np.issubdtype(data.dtype, np.integer):
        return data == int(value) if fits(data.dtype, value) else np.zeros(data.shape, bool)
    with np.errstate(over="ignore"):  # a tag of -1.7e308 on float32 pixels stands for -inf, which is never valid
        return data == data.dtype.type(value)


def fits(dtype: np.dtype[Any], value: float) -> bool:
    """Whether pixels of this type can hold the value."""
    if np.issubdtype(dtype, np.floating):
        return True
    info = np.iinfo(dtype)
    return np.isfinite(value) and value == int(value) and info.min <= int(value) <= info.max


def require_fit(path: str, dtype: np.dtype[Any], nodata: Nodata) -> None:
    """Raise `ConfigError` for an override that no pixel of the file can have: it would mask nothing, silently."""
    if isinstance(nodata, (int, float)) and not fits(dtype, float(nodata)):
        info = np.iinfo(dtype)
        raise ConfigError(
            f"nodata: {nodata:g} cannot stand in {path}, whose pixels are {dtype} ({info.min} to {info.max}). "
            "Give a value the file can hold, or nodata: none."
        )


def alpha_bands(dataset: rasterio.DatasetReader) -> list[int]:
    """Numbers of the bands that say how opaque the others are."""
    return [i for i, colour in zip(dataset.indexes, dataset.colorinterp, strict=True) if colour == ColorInterp.alpha]


def _masked_bands(dataset: rasterio.DatasetReader, bands: Sequence[int]) -> list[int]:
    """Bands whose mask is a mask of its own, not a nodata value or alpha; one of them where all share it."""
    found = []
    for number in bands:
        flags = dataset.mask_flag_enums[number - 1]
        if {MaskFlags.all_valid, MaskFlags.nodata, MaskFlags.alpha}.isdisjoint(flags):
            found.append(number)
            if MaskFlags.per_dataset in flags:
                break
    return found
