"""Probabilities of transitions between two independent dates: what `geoseg.raster.class_sequences` sums, but as
products of sums over classes, which is several times as fast."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from geoseg.raster.coding import CONFIDENCE_STEPS, NO_CONFIDENCE

_RUN: Final = 256  # pixels computed together: their sums stay in the first cache
_HALF: Final = 0.5 + 1e-9  # a half that the quotient misses by rounding is one; no other quotient is that near to it


@njit(cache=True, nogil=True)
def between(series, before, after, out):  # type: ignore[no-untyped-def]
    """`transitions.transition_probability` of pixels, into (transition, pixel).

    Args:
        series: (2, class, pixel) probability x 250, or 255.
        before, after: (transition, class), which classes count on either date.
    """
    _, count, pixels = series.shape
    one, two = np.empty((count, _RUN), np.int32), np.empty((count, _RUN), np.int32)
    first, second, same = np.empty(_RUN, np.int32), np.empty(_RUN, np.int32), np.empty(_RUN, np.int32)
    scale = np.empty(_RUN)  # of a stored probability; below 0 where there is none
    for start in range(0, pixels, _RUN):
        run = min(_RUN, pixels - start)
        early, late = series[0, :, start : start + run], series[1, :, start : start + run]
        first[:], second[:] = 0, 0
        for i in range(count):
            for k in range(run):
                one[i, k], two[i, k] = early[i, k], late[i, k]
                first[k] += one[i, k]
                second[k] += two[i, k]
        for k in range(run):
            every = np.float64(first[k]) * second[k]
            scale[k] = CONFIDENCE_STEPS / every if every > 0 else -1.0
        for k in range(run):
            if one[0, k] == NO_CONFIDENCE or two[0, k] == NO_CONFIDENCE:
                scale[k] = -1.0
        for t in range(len(out)):
            first[:], second[:], same[:] = 0, 0, 0
            for i in range(count):
                if before[t, i]:
                    for k in range(run):
                        first[k] += one[i, k]
                if after[t, i]:
                    for k in range(run):
                        second[k] += two[i, k]
                if before[t, i] and after[t, i]:
                    for k in range(run):
                        same[k] += one[i, k] * two[i, k]
            _store(first, second, same, scale, out[t, start : start + run])


@njit(cache=True, nogil=True)
def _store(first, second, same, scale, out):  # type: ignore[no-untyped-def]
    """Products, without those of a class that stays."""
    for k in range(len(out)):
        share = (np.float64(first[k]) * second[k] - same[k]) * scale[k] + _HALF
        out[k] = np.uint8(share) if scale[k] >= 0 else np.uint8(NO_CONFIDENCE)


@njit(cache=True, nogil=True)
def likeliest(series, codes, held, out):  # type: ignore[no-untyped-def]
    """`transitions.most_probable_change` of pixels, into (4, pixel), which is 255 where nothing is written.

    Args:
        held: (transition, class, class), which pairs each counts.
    """
    _, count, pixels = series.shape
    for k in range(pixels):
        t = np.int64(codes[k]) - 1
        if t < 0 or t >= len(held) or series[0, 0, k] == NO_CONFIDENCE or series[1, 0, k] == NO_CONFIDENCE:
            continue
        for least in (0, 1):  # in quarters of a step: what a stored 0 stands for where nothing else is left
            best = 0
            for i in range(count):
                for j in range(count):
                    product = max(4 * int(series[0, i, k]), least) * max(4 * int(series[1, j, k]), least)
                    if held[t, i, j] != 0 and product > best:
                        best = product
                        out[0, k], out[1, k], out[2, k], out[3, k] = 0, 1, i, j
            if best > 0:
                break
