"""Cutting rasters into tiles with context, and putting tiles back together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from geoseg.errors import GeosegError
from geoseg.grid.window import Window

T = TypeVar("T", bound=np.generic)


class StitchError(GeosegError):
    """Tiles that leave a gap, overlap or do not fit their raster: a fault of ours."""


def mirror(index: NDArray[np.int64], start: int, stop: int) -> NDArray[np.int64]:
    """Coordinates folded into [start, stop) by reflection at both edges, which are not repeated.

    Args:
        index: any coordinates along one axis, however far outside.
        start, stop: where imagery begins and ends, stop > start.
    """
    length = stop - start
    if length == 1:
        return np.full_like(index, start)
    period = 2 * (length - 1)
    folded = (index - start) % period
    return np.where(folded < length, folded, period - folded) + start


def mirrored(window: Window, extent: Window) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns inside `extent` that stand for the rows and columns of `window`."""
    rows = mirror(np.arange(window.row_off, window.bottom), extent.row_off, extent.bottom)
    cols = mirror(np.arange(window.col_off, window.right), extent.col_off, extent.right)
    return rows, cols


def cut(image: NDArray[T], core: Window, halo: int) -> NDArray[T]:
    """Tile of `image`: `core` plus `halo` pixels of context, mirrored where the raster ends.

    Args:
        image: (band, height, width) or (height, width).
        core: the pixels this tile answers for, inside `image`.
        halo: context on each side, pixels.

    Returns:
        A copy, (..., core.height + 2 * halo, core.width + 2 * halo), dtype of `image`.

    Source: overlap-tile strategy, Ronneberger et al. 2015, arXiv:1505.04597, fig. 2.
    """
    whole = Window(0, 0, image.shape[-1], image.shape[-2])
    rows, cols = mirrored(core.grow(halo), whole)
    return image[..., rows[:, None], cols]


def stitch(tiles: Iterable[tuple[Window, NDArray[T]]], shape: tuple[int, ...], halo: int) -> NDArray[T]:
    """Raster of `shape` from tiles as `cut` makes them; the inverse of cutting.

    Raises:
        StitchError: tiles overlap, leave a gap or reach outside, or their array does not fit their core.
    """
    canvas: NDArray[T] | None = None
    seen = np.zeros(shape[-2:], dtype=bool)
    whole = Window(0, 0, shape[-1], shape[-2])
    for core, tile in tiles:
        if tile.shape[-2:] != core.grow(halo).shape:
            raise StitchError(f"tile of {tile.shape[-2:]} px does not fit {core} with halo {halo}")
        if not whole.contains(core):
            raise StitchError(f"{core} reaches outside its raster of {shape[-2:]} px")
        if seen[core.slices].any():
            raise StitchError(f"{core} overlaps a tile that is already there")
        canvas = np.empty(shape, dtype=tile.dtype) if canvas is None else canvas
        inside = Window(halo, halo, core.width, core.height)
        canvas[(..., *core.slices)] = tile[(..., *inside.slices)]
        seen[core.slices] = True
    if canvas is None or not seen.all():
        raise StitchError(f"tiles leave {int((~seen).sum())} of {seen.size} pixels without an answer")
    return canvas
