"""How probable each transition between two dates is, from the class probabilities of both.

Two dates are taken as independent given the classes: what one date's imagery says does not depend on the other's. Then
the probability of class i before and j after is p1[i] p2[j]. Where it is known how often classes follow each other,
each pair is weighed by how much more often it occurs than independence would have it, and pairs are brought to sum to
one again (Bayes' rule with that prior; Bruzzone and Serpico 1997, doi:10.1109/36.602538).

A delivered map holds one class and its probability a pixel. The rest of the probability, 1 - p, is then spread evenly
over the other classes: it is the least that can be assumed. All sums over pairs then have a closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geoseg.errors import ConfigError
from geoseg.raster.coding import CONFIDENCE_STEPS, NO_CONFIDENCE, UNOBSERVED
from geoseg.raster.named_transitions import Pairs


@dataclass(frozen=True, slots=True)
class Coded:
    """One date of a window: classes and confidence as delivered, (height, width) uint8."""

    classes: NDArray[np.uint8]
    confidence: NDArray[np.uint8]


def prior_weights(matrix: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much more often than by independence a class is followed by another, (class, class).

    Args:
        matrix: (class, class), probability of the second date's class given the first's; rows sum to one.
        shares: (class,) of the map's area on the first date, which sum to one.

    Returns:
        matrix[i, j] / (shares @ matrix)[j]; all one where every row of the matrix is the same.

    Raises:
        ConfigError: not such a matrix.
    """
    count = len(shares)
    if matrix.shape != (count, count) or (matrix < 0).any() or not np.allclose(matrix.sum(axis=1), 1, atol=1e-6):
        raise ConfigError(
            f"the transition matrix must have {count} rows of {count} probabilities, none negative, each row summing "
            "to 1; give for each class before the share that becomes each class after"
        )
    later = shares @ matrix
    return np.divide(matrix, later[None], out=np.zeros_like(matrix), where=later[None] > 0)


def joint(
    before: NDArray[np.float64], after: NDArray[np.float64], weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Probability of each pair of classes, (class, class, pixel), summing to one a pixel.

    Args:
        before, after: (class, pixel), summing to one a pixel.
        weights: of `prior_weights`; None for independence.
    """
    pairs: NDArray[np.float64] = before[:, None] * after[None]
    if weights is None:
        return pairs
    weighted: NDArray[np.float64] = pairs * weights[:, :, None]
    total = weighted.sum(axis=(0, 1))
    return np.where(total > 0, weighted / np.where(total > 0, total, 1), pairs)


def transition_probability(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    named: Sequence[Pairs],
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Probability of each named transition, (transition, pixel), from whole distributions, as in `joint`."""
    pairs = joint(before, after, weights)
    return np.stack([(pairs * table[:, :, None]).sum(axis=(0, 1)) for table in _tables(named)])


def coded_transition_probability(
    before: Coded, after: Coded, named: Sequence[Pairs], weights: NDArray[np.float64] | None = None
) -> NDArray[np.uint8]:
    """Probability x 250 of each named transition, (transition, height, width); 255 where either date is unobserved.

    Args:
        before, after: of one window. Values of classes from 254 are unobserved or outside, and so is confidence 255.
        named: by class value.
        weights: of `prior_weights`; None for independence.
    """
    count = len(named[0].before)
    weight = np.ones((count, count)) if weights is None else weights
    tables = np.stack([weight, *(weight * table for table in _tables(named))])
    out = np.empty((len(named), before.classes.size), np.uint8)
    _coded(
        before.classes.ravel(), before.confidence.ravel(), after.classes.ravel(), after.confidence.ravel(),
        tables, tables.sum(axis=2), tables.sum(axis=1), tables.sum(axis=(1, 2)), out,
    )  # fmt: skip
    return out.reshape(len(named), *before.classes.shape)


def observed(before: Coded, after: Coded) -> NDArray[np.bool_]:
    """(height, width), True where both dates have a class and a confidence."""
    classes = (before.classes < UNOBSERVED) & (after.classes < UNOBSERVED)
    seen: NDArray[np.bool_] = classes & (before.confidence != NO_CONFIDENCE) & (after.confidence != NO_CONFIDENCE)
    return seen


def most_probable_sequence(
    series: NDArray[np.float32], matrix: NDArray[np.float64], shares: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """The most probable sequence of classes over dates, each pixel on its own: Viterbi's algorithm.

    The sequence maximizes P(class at first) prod P(class | class before) prod P(class | image) / P(class), so that the
    shares of classes, which each date's probabilities already hold, count once.

    Args:
        series: (date, class, pixel) probabilities, in order of dates. A date that sums to zero was not observed and
            says nothing: neighbours in time tell.
        matrix: (class, class) probability of the next date's class given this one's.
        shares: (class,) of the area, which sum to one.

    Returns:
        (date, pixel) class; `UNOBSERVED` where that date was not observed. Ties go to the lower class. Where the matrix
        excludes every sequence that the images allow, each date has its own most probable class.

    Source: Viterbi 1967, doi:10.1109/TIT.1967.1054010.
    """
    prior_weights(matrix, shares)  # refuses what is no transition matrix
    with np.errstate(divide="ignore"):
        steps, start = np.log(matrix), np.log(shares)
    return np.asarray(_viterbi(np.ascontiguousarray(series), steps, start), np.uint8)


def _tables(named: Sequence[Pairs]) -> list[NDArray[np.float64]]:
    """(class, class) one for each pair that a transition counts; no class changes into itself."""
    return [np.outer(p.before, p.after) * (1.0 - np.eye(len(p.before))) for p in named]


@njit(cache=True, nogil=True)
def _coded(one, sure_one, two, sure_two, tables, by_before, by_after, totals, out):  # type: ignore[no-untyped-def]
    """Sums over pairs of M[i, j] p1[i] p2[j], where p is `rest` for all classes and `more` on top for the mapped."""
    count = tables.shape[1]
    for k in range(len(one)):
        c1, c2 = one[k], two[k]
        if c1 >= UNOBSERVED or c2 >= UNOBSERVED or sure_one[k] == NO_CONFIDENCE or sure_two[k] == NO_CONFIDENCE:
            out[:, k] = NO_CONFIDENCE
            continue
        p1, p2 = sure_one[k] / CONFIDENCE_STEPS, sure_two[k] / CONFIDENCE_STEPS
        rest1, rest2 = (1 - p1) / (count - 1), (1 - p2) / (count - 1)
        more1, more2 = p1 - rest1, p2 - rest2
        whole = 0.0
        for t in range(len(tables)):
            value = (
                rest1 * rest2 * totals[t]
                + more1 * rest2 * by_before[t, c1]
                + rest1 * more2 * by_after[t, c2]
                + more1 * more2 * tables[t, c1, c2]
            )
            if t == 0:
                whole = value
            else:
                share = value / whole if whole > 0 else 0.0
                out[t - 1, k] = np.uint8(min(max(share, 0.0), 1.0) * CONFIDENCE_STEPS + 0.5)


@njit(cache=True, nogil=True)
def _viterbi(series, steps, start):  # type: ignore[no-untyped-def]
    dates, count, pixels = series.shape
    out = np.full((dates, pixels), UNOBSERVED, np.uint8)
    score, last = np.empty(count), np.empty(count)
    back = np.empty((dates, count), np.int64)
    for k in range(pixels):
        for t in range(dates):
            seen = series[t, :, k].sum() > 0
            last[:] = score
            for j in range(count):
                best, source = start[j], 0
                if t > 0:
                    best = -np.inf
                    for i in range(count):
                        if last[i] + steps[i, j] > best:
                            best, source = last[i] + steps[i, j], i
                if seen:
                    p = series[t, j, k]
                    best += np.log(p) - start[j] if p > 0 else -np.inf
                score[j], back[t, j] = best, source
        state, possible = np.argmax(score), score.max() > -np.inf
        for t in range(dates - 1, -1, -1):
            if series[t, :, k].sum() > 0:
                out[t, k] = state if possible else np.argmax(series[t, :, k])
            state = back[t, state]
    return out
