"""How far one date lies off another, to a fraction of a pixel, with its uncertainty.

Each of several windows is compared on its own by phase correlation: the phases of the cross-power spectrum of two
shifted images rise linearly, so their inverse transform is a peak at the shift. High frequencies, which are noise and
aliasing, are weighed down. Windows whose peak does not stand out, or that disagree with the others (real change,
clouds, water), do not count.

Source: Kuglin and Hines 1975, The phase correlation image alignment method; refinement of the peak by a matrix
Fourier transform, Guizar-Sicairos et al. 2008, doi:10.1364/OL.33.000156.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geoseg.errors import DataError
from geoseg.grid.window import Window

SIDE: Final = 128  # of a window, pixels
REACH: Final = 8.0  # longest shift that is looked for, pixels
FEWEST: Final = 3  # windows that must agree
_KEPT_FREQUENCY = 0.15  # cycles a pixel: standard deviation of the weights of frequencies
_STEPS = 100  # a pixel, of the refined peak
_OBSERVED = 0.8  # share of a window that both dates must show
_PROMINENCE = 6.0  # of a peak over the spread of the rest of its surface
_FLOOR = 0.02  # pixels: what the steps and interpolation leave, however well windows agree


@dataclass(frozen=True, slots=True)
class Peak:
    """Shift of one window: content of the first date at (row, col) is at (row + rows, col + cols) in the second."""

    rows: float
    cols: float
    prominence: float


@dataclass(frozen=True, slots=True)
class Shift:
    """Shift of the second date against the first, pixels, positive down and right.

    Attributes:
        rows, cols: the content's displacement.
        error: standard error of either, pixels.
        windows: how many it rests on.
        tried: how many were compared.
    """

    rows: float
    cols: float
    error: float
    windows: int
    tried: int

    @property
    def reach(self) -> float:
        """Length that the shift does not exceed, with two standard errors on each axis, pixels."""
        return math.hypot(abs(self.rows) + 2 * self.error, abs(self.cols) + 2 * self.error)


def window_shift(before: NDArray[np.float32], after: NDArray[np.float32], observed: NDArray[np.bool_]) -> Peak | None:
    """Shift between two dates of one window.

    Args:
        before, after: (band, height, width) of imagery in any units, or of a map as one layer a class (`layers`).
            They are compared band by band and the evidence is added up.
        observed: (height, width), True where both dates show the ground.

    Returns:
        None where too little is observed, or nothing has texture.
    """
    if observed.mean() < _OBSERVED:
        return None
    taper = np.outer(np.hanning(before.shape[1]), np.hanning(before.shape[2]))
    spectrum = np.zeros(before.shape[1:], np.complex128)
    for one, two in zip(before, after, strict=True):
        first, second = (_prepared(band, observed, taper) for band in (one, two))
        if first is not None and second is not None:
            spectrum += np.conj(np.fft.fft2(first)) * np.fft.fft2(second)
    size = np.abs(spectrum)
    if size.max() <= 0:
        return None
    rows, cols = np.fft.fftfreq(before.shape[1]), np.fft.fftfreq(before.shape[2])
    weight = np.exp(-(rows[:, None] ** 2 + cols[None] ** 2) / (2 * _KEPT_FREQUENCY**2))
    return _peak(np.divide(spectrum, size, out=np.zeros_like(spectrum), where=size > 0) * weight)


def combined(peaks: Sequence[Peak | None]) -> Shift:
    """One shift from those of many windows: the mean of those near the median.

    The error is the spread of the windows that count over the root of their number, from the median absolute
    deviation, and at least a fiftieth of a pixel.

    Raises:
        DataError: too few windows show a shift, or they do not agree.
    """
    clear = np.array([(p.rows, p.cols) for p in peaks if p is not None and p.prominence >= _PROMINENCE]).reshape(-1, 2)
    if len(clear):
        middle = np.median(clear, axis=0)
        spread = 1.4826 * np.median(np.abs(clear - middle), axis=0)
        clear = clear[(np.abs(clear - middle) <= 3 * np.minimum(spread, 1.0) + 0.1).all(axis=1)]
    if len(clear) < FEWEST:
        raise DataError(
            f"the shift between the two dates cannot be told: {len(clear)} of {len(peaks)} windows agree on one, and "
            f"{FEWEST} are needed. Check that both dates show the same ground, or state the registration error in "
            "pixels."
        )
    deviation = 1.4826 * np.median(np.abs(clear - np.median(clear, axis=0)), axis=0).max()
    error = max(_FLOOR, float(deviation) / math.sqrt(len(clear)))
    rows, cols = clear.mean(axis=0).tolist()
    return Shift(rows, cols, error, len(clear), len(peaks))


def estimate_shift(before: NDArray[np.float32], after: NDArray[np.float32], observed: NDArray[np.bool_]) -> Shift:
    """Shift between two dates that are in memory, (band, height, width), over windows that cover them.

    Raises:
        DataError: too few windows agree.
    """
    return combined(
        [
            window_shift(before[:, *w.slices], after[:, *w.slices], observed[w.slices])
            for w in spread_windows(observed.shape, 64)
        ]
    )


def spread_windows(shape: tuple[int, ...], most: int) -> list[Window]:
    """At most `most` windows of `SIDE` pixels, evenly over a raster of `shape`, none overlapping another.

    A small raster has smaller windows, four along its shorter side.
    """
    side = min(SIDE, *(max(1, n // 4) for n in shape))
    counts = [max(1, n // side) for n in shape]
    step = max(1, math.ceil(math.sqrt(math.prod(counts) / most)))
    while math.prod(-(-c // step) for c in counts) > most:  # a long strip has one row of them
        step += 1
    rows, cols = (
        [(n - c * side) // 2 + k * side for k in range(0, c, step)] for n, c in zip(shape, counts, strict=True)
    )
    return [Window(col, row, side, side) for row in rows for col in cols]


def layers(classes: NDArray[np.uint8], count: int) -> NDArray[np.float32]:
    """A class map as (count, height, width), one where a pixel is of the class."""
    of_class: NDArray[np.bool_] = classes[None] == np.arange(count, dtype=np.uint8)[:, None, None]
    return of_class.astype(np.float32)


def _prepared(
    band: NDArray[np.float32], observed: NDArray[np.bool_], taper: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Texture of a band: without haze and light, which are broad; of unit spread, fading out at the edges."""
    filled = np.where(observed, band, band[observed].mean()).astype(np.float64)
    texture = filled - ndimage.gaussian_filter(filled, 8.0)
    texture[~observed] = 0
    spread = texture.std()
    return texture / spread * taper if spread > 1e-9 * (1 + abs(float(filled.mean()))) else None


def _peak(spectrum: NDArray[np.complex128]) -> Peak:
    """Highest point of the correlation surface within `REACH`, refined; its height over the spread of the rest."""
    surface = np.fft.ifft2(spectrum).real
    rows, cols = (np.fft.fftfreq(n, 1 / n) for n in surface.shape)
    near = (np.abs(rows)[:, None] <= REACH) & (np.abs(cols)[None] <= REACH)
    row, col = np.unravel_index(np.argmax(np.where(near, surface, -np.inf)), surface.shape)
    prominence = float((surface[row, col] - np.median(surface)) / max(surface.std(), 1e-30))
    offsets = np.arange(-_STEPS, _STEPS + 1) / _STEPS
    at_rows, at_cols = rows[row] + offsets, cols[col] + offsets
    along = np.exp(2j * np.pi * at_rows[:, None] * np.fft.fftfreq(surface.shape[0])[None])
    across = np.exp(2j * np.pi * np.fft.fftfreq(surface.shape[1])[:, None] * at_cols[None])
    fine = (along @ spectrum @ across).real
    best_row, best_col = np.unravel_index(np.argmax(fine), fine.shape)
    return Peak(float(at_rows[best_row]), float(at_cols[best_col]), prominence)
