"""Pictures of one place at one or more dates, for an interpreter: the pixel that is asked about has a box."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.image import imsave
from numpy.typing import NDArray

SIDE = 360  # pixels of a picture's panel
_GAP = 8
_NOTHING = 128  # grey where there is no imagery
_BOX = ((0, 0, 0), (255, 230, 0))  # an outer and an inner line, so that it shows on any ground

Box = tuple[float, float, float, float]


def chip(panels: Sequence[NDArray[np.uint8]], boxes: Sequence[Box]) -> bytes:
    """A PNG with the panels side by side.

    Args:
        panels: one a date, (height, width, 3) red, green, blue, all of any size.
        boxes: (top, left, bottom, right) of the pixel asked about, in pixels of its panel.
    """
    drawn = [_panel(panel, box) for panel, box in zip(panels, boxes, strict=True)]
    gap = np.full((SIDE, _GAP, 3), 255, np.uint8)
    parts = [part for panel in drawn for part in (gap, panel)][1:]
    png = io.BytesIO()
    imsave(png, np.concatenate(parts, axis=1), format="png", metadata={"Software": None})
    return png.getvalue()


def stretched(
    pixels: NDArray[np.generic], valid: NDArray[np.bool_], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Bands (3, height, width) as (height, width, 3), each between its ends `low` and `high` (3,); grey if invalid."""
    span = np.maximum(high - low, 1e-9)[:, None, None]
    shown = (255 * ((pixels.astype(np.float64) - low[:, None, None]) / span).clip(0, 1)).round().astype(np.uint8)
    return np.where(valid[..., None], shown.transpose(1, 2, 0), np.uint8(_NOTHING))


def _panel(panel: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """Enlarged to `SIDE` by the nearest pixel, with the box."""
    rows, cols = (np.arange(SIDE) * size // SIDE for size in panel.shape[:2])
    large = panel[rows][:, cols].copy()
    down, across = SIDE / panel.shape[0], SIDE / panel.shape[1]
    edges = [box[0] * down, box[1] * across, box[2] * down, box[3] * across]
    top, left, bottom, right = (int(np.clip(round(edge), 4, SIDE - 5)) for edge in edges)
    for grow, colour in zip((3, 1), _BOX, strict=True):  # the box lies around the pixel, which stays to be seen
        a, b, c, d = max(top - grow, 0), max(left - grow, 0), bottom + grow, right + grow
        large[a : a + 2, b:d] = large[c - 2 : c, b:d] = colour
        large[a:c, b : b + 2] = large[a:c, d - 2 : d] = colour
    return large
