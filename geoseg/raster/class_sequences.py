"""Compiled loops of `geoseg.raster.transitions`: sums and maxima over all sequences of classes, pixel by pixel.

`series` is (date, class, pixel) uint8, probability x 250 or 255 in all classes; `weights` are those of a `Prior`, or a
single (1, 1, ...) table that holds between any two dates.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from geoseg.raster.coding import CONFIDENCE_STEPS, NO_CONFIDENCE, UNOBSERVED

_RUN: Final = 256  # pixels computed together: their sums stay in the first cache
_STEP: Final = 1 / 256  # keeps products in range and, as a power of two, rounds nothing: ties stay ties
_DOUBT: Final = 0.25  # steps that a stored 0 stands for where nothing else is left


@njit(cache=True, nogil=True)
def expand(classes, confidence, out):  # type: ignore[no-untyped-def]
    """`transitions.expanded` of pixels, into (class, pixel)."""
    others = len(out) - 1
    for j in range(len(out)):
        for k in range(len(classes)):
            c, p = np.int64(classes[k]), np.int64(confidence[k])
            rest, rank = CONFIDENCE_STEPS - p, j - (j > c)
            share = (rank + 1) * rest // others - rank * rest // others
            out[j, k] = NO_CONFIDENCE if c >= UNOBSERVED or p == NO_CONFIDENCE else p if j == c else share


@njit(cache=True, nogil=True)
def probabilities(series, weights, even, out):  # type: ignore[no-untyped-def]
    """`transitions.transition_probability` of pixels, into (transition, pixel).

    Pixels that were observed on the same dates are computed in runs, so that inner loops go over pixels without a
    branch and the compiler makes them vector instructions.

    Args:
        weights: (date, date, 1 + transition, class, class), those of the prior, and without each transition's pairs.
        even: (1, 1, 1 + transition, class, class), the same for independent dates.
    """
    dates, count, pixels = series.shape
    kinds = len(out) + 1
    seen = np.empty(dates, np.int64)
    one, two = np.empty((kinds, count, _RUN)), np.empty((kinds, count, _RUN))
    sums, alone, start = np.empty((kinds, _RUN)), np.empty((kinds, _RUN)), 0
    while start < pixels:
        stop = _alike(series, start)
        found = _observed(series, start, seen)
        if found < 2:
            out[:, start:stop] = NO_CONFIDENCE
        else:
            _forward(series[:, :, start:stop], seen[:found], weights, one, two, sums)
            _share(sums, out[:, start:stop])
            for k in range(start, stop):
                if sums[0, k - start] == 0:
                    _forward(series[:, :, k : k + 1], seen[:found], even, one, two, alone)
                    _share(alone, out[:, k : k + 1])
        start = stop


@njit(cache=True, nogil=True)
def _alike(series, start):  # type: ignore[no-untyped-def]
    """End of the pixels from `start` on that were observed on the same dates, at most `_RUN` of them."""
    stop = min(series.shape[2], start + _RUN)
    for t in range(len(series)):
        lost = series[t, 0, start] == NO_CONFIDENCE
        k = start + 1
        while k < stop and (series[t, 0, k] == NO_CONFIDENCE) == lost:
            k += 1
        stop = k
    return stop


@njit(cache=True, nogil=True)
def _observed(series, k, seen):  # type: ignore[no-untyped-def]
    """Number of dates on which a pixel was observed, and into `seen` which."""
    found = 0
    for t in range(len(series)):
        if series[t, 0, k] != NO_CONFIDENCE:
            seen[found] = t
            found += 1
    return found


@njit(cache=True, nogil=True)
def _forward(series, seen, weights, old, new, sums):  # type: ignore[no-untyped-def]
    """Sums over all sequences, with each kind of table, times a number that all kinds of a pixel share.

    Args:
        series: of pixels observed on the dates `seen`.
        old, new: room, (kind, class, at least pixel).
        sums: (kind, at least pixel), the result.
    """
    kinds, count, _ = old.shape
    pixels = series.shape[2]
    for j in range(count):
        for k in range(pixels):
            old[0, j, k] = series[seen[0], j, k]
    for step in range(1, len(seen)):
        if step > 1:
            _scale(old, pixels, sums[0])
        table = _between(weights, seen, step)
        for m in range(kinds):
            came = old[m if step > 1 else 0]  # before the first step all kinds are the same
            for j in range(count):
                to, image = new[m, j], series[seen[step], j]
                for k in range(pixels):
                    to[k] = 0
                for i in range(count):
                    weight = table[m, i, j]
                    if weight != 0:
                        for k in range(pixels):
                            to[k] += weight * came[i, k]
                for k in range(pixels):
                    to[k] *= image[k]
        old, new = new, old
    for m in range(kinds):
        for k in range(pixels):
            sums[m, k] = 0
        for j in range(count):
            for k in range(pixels):
                sums[m, k] += old[m, j, k]


@njit(cache=True, nogil=True)
def _scale(sums, pixels, factor):  # type: ignore[no-untyped-def]
    """Brings a pixel's sums of the first kind to one, and those of the others along, so that none runs out of range.

    Args:
        factor: room, (at least pixel,).
    """
    kinds, count, _ = sums.shape
    for k in range(pixels):
        total = 0.0
        for j in range(count):
            total += sums[0, j, k]
        factor[k] = 1 / total if total > 0 else 0.0
    for m in range(kinds):
        for j in range(count):
            for k in range(pixels):
                sums[m, j, k] *= factor[k]


@njit(cache=True, nogil=True)
def _share(sums, out):  # type: ignore[no-untyped-def]
    """Stored probability that not all sequences are without the transition."""
    for t in range(len(out)):
        for k in range(out.shape[1]):
            every = sums[0, k]
            share = (every - sums[t + 1, k]) * CONFIDENCE_STEPS / every if every > 0 else np.float64(NO_CONFIDENCE)
            out[t, k] = np.uint8(max(share, 0.0) + 0.5)


@njit(cache=True, nogil=True)
def changes(series, codes, held, weights, out):  # type: ignore[no-untyped-def]
    """`transitions.most_probable_change` of pixels, into (4, pixel), which is 255 where nothing is written.

    Args:
        held: (transition, class, class), which pairs each counts.
        weights: of the prior, none far above one.
    """
    dates, count, _ = series.shape
    seen, place = np.empty(dates, np.int64), np.empty(4, np.int64)
    image, room = np.empty((dates, count)), np.empty((2, dates, count))
    even = np.ones((1, 1, count, count))
    for k in range(len(codes)):
        if codes[k] == 0 or codes[k] > len(held):
            continue
        found = _observed(series, k, seen)
        if found < 2:
            continue
        for n in range(found):
            image[n] = series[seen[n], :, k] * _STEP
        pairs, past = held[codes[k] - 1], image[:found]
        if not _first_step(past, seen, pairs, weights, room, place) and not _first_step(
            past, seen, pairs, even, room, place
        ):
            _first_step(np.maximum(past, _DOUBT * _STEP), seen, pairs, even, room, place)
        out[:, k] = place


@njit(cache=True, nogil=True)
def _first_step(image, seen, pairs, weights, room, place):  # type: ignore[no-untyped-def]
    """The best sequence with a pair: the best without one until then, the pair, and the best of all from then on.

    Args:
        image: (date, class), of the observed dates.
        room: (2, at least date, class).
        place: (4,), the result: date and date, class and class.

    Returns:
        Whether such a sequence is possible.
    """
    steps, count = image.shape
    before, after = room[0], room[1]
    before[0], after[steps - 1] = image[0], 1
    for n in range(1, steps):
        table = _between(weights, seen, n)
        for j in range(count):
            best = 0.0
            for i in range(count):
                if pairs[i, j] == 0:
                    best = max(best, before[n - 1, i] * table[i, j])
            before[n, j] = best * image[n, j]
    for n in range(steps - 1, 0, -1):
        table = _between(weights, seen, n)
        for i in range(count):
            best = 0.0
            for j in range(count):
                best = max(best, table[i, j] * (image[n, j] * after[n, j]))
            after[n - 1, i] = best
    most = 0.0
    for n in range(1, steps):
        table = _between(weights, seen, n)
        for i in range(count):
            for j in range(count):
                value = before[n - 1, i] * table[i, j] * (image[n, j] * after[n, j])
                if pairs[i, j] != 0 and value > most:
                    most = value
                    place[0], place[1], place[2], place[3] = seen[n - 1], seen[n], i, j
    return most > 0


@njit(cache=True, nogil=True)
def _between(weights, seen, n):  # type: ignore[no-untyped-def]
    """Weights of the step to the n-th observed date."""
    return weights[seen[n - 1], seen[n]] if len(weights) > 1 else weights[0, 0]
