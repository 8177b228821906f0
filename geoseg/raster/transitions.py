"""How probable a transition is in a series of two or more dates, and when it most probably happened.

Dates are taken as independent given the classes: what one date's imagery says does not depend on the others'. Then a
sequence of classes has the probability prod_t p_t(c_t) prod_(a, b) w_ab(c_a, c_b), brought to sum to one over all
sequences, where (a, b) are neighbours in time and w_ab(i, j) = P(c_b = j | c_a = i) / P(c_b = j) says how much more
often the classes follow each other than independence would have it (Bayes' rule with a Markov chain as prior; for two
dates Bruzzone and Serpico 1997, doi:10.1109/36.602538). A date that a pixel was not observed on is summed over, which
makes the pair of dates around it neighbours.

Sums and maxima over all sequences are those of the forward recursion and of Viterbi's algorithm (Rabiner 1989,
doi:10.1109/5.18626). Probabilities are stored times 250 in uint8, and their sum over the classes may be a little off
250; every result is a quotient in which that cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg.errors import ConfigError
from geoseg.raster.class_pairs import between, likeliest
from geoseg.raster.class_sequences import changes, expand, probabilities
from geoseg.raster.named_transitions import Pairs


@dataclass(frozen=True, slots=True)
class Prior:
    """How classes follow each other, before any image is seen.

    Attributes:
        weights: float64 (date, date, class, class). weights[a, b, i, j], for a < b, is how much more often than by
            independence a pixel of class i on date a has class j on date b; the rest is not used.
    """

    weights: NDArray[np.float64]


def independent(dates: int, count: int) -> Prior:
    """Classes of `dates` dates that say nothing of each other, `count` of them."""
    return Prior(np.ones((dates, dates, count, count)))


def markov(matrices: NDArray[np.float64], shares: NDArray[np.float64]) -> Prior:
    """Each date's classes depend on those of the date before.

    Args:
        matrices: (date - 1, class, class), probability of the next date's class given this one's; rows sum to one.
        shares: (class,) of the area on the first date, which sum to one.

    Raises:
        ConfigError: not such matrices.
    """
    for matrix in matrices:
        _require_matrix(matrix, len(shares))
    dates, count = len(matrices) + 1, len(shares)
    weights = np.ones((dates, dates, count, count))
    marginals = [shares]
    for matrix in matrices:
        marginals.append(marginals[-1] @ matrix)
    for a in range(dates):
        between = np.eye(count)
        for b in range(a + 1, dates):
            between = between @ matrices[b - 1]
            expected = np.broadcast_to(marginals[b], between.shape)
            weights[a, b] = np.divide(between, expected, out=np.zeros_like(between), where=expected > 0)
    return Prior(weights)


def persistent(steps: int, count: int, odds: float = 20.0) -> NDArray[np.float64]:
    """Matrices for `markov`, (step, class, class): to stay is `odds` times as probable as any one other class.

    The odds are those of a step between two dates and not of a year, so that a series does not believe its first and
    last date less the closer they are to the others.

    Args:
        steps: from each date to the next.
        count: of classes, two or more.
        odds: above 0.
    """
    matrix = np.where(np.eye(count, dtype=bool), odds, 1.0)
    return np.broadcast_to(matrix / matrix.sum(axis=1, keepdims=True), (steps, count, count))


def expanded(classes: NDArray[np.uint8], confidence: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Probability x 250 of every class, from maps that tell that of one: the rest is spread evenly.

    It is the least that can be assumed. What does not divide goes one step each to classes at even distances.

    Args:
        classes, confidence: (height, width), as delivered. Classes from 254 and confidence 255: not observed.
        count: of classes, two or more.

    Returns:
        (class, height, width), summing to 250; 255 in all classes where not observed.
    """
    out = np.empty((count, classes.size), np.uint8)
    expand(classes.ravel(), confidence.ravel(), out)
    return out.reshape(count, *classes.shape)


def transition_probability(series: NDArray[np.uint8], named: Sequence[Pairs], prior: Prior) -> NDArray[np.uint8]:
    """Probability x 250, rounded, that each transition happens between some two dates that follow each other.

    It is 1 - (sum over the sequences of classes without it) / (sum over all sequences), exactly. Dates follow each
    other if no date between them was observed at that pixel. A transition from a class to itself is none.

    Args:
        series: (date, class, height, width) probability x 250; 255 in all classes where that date was not observed.
        named: by class value.
        prior: of as many dates and classes. Where it excludes every sequence that the images allow, the dates are
            taken as independent.

    Returns:
        (transition, height, width); 255 where fewer than two dates are observed.
    """
    out = np.empty((len(named), series[0, 0].size), np.uint8)
    if _two_independent(series, prior):
        before, after = np.stack([p.before for p in named]), np.stack([p.after for p in named])
        between(_flat(series), before, after, out)
        return out.reshape(len(named), *series.shape[2:])
    held = _tables(named)
    without = np.concatenate([np.ones_like(held[:1]), 1 - held])
    probabilities(_flat(series), prior.weights[:, :, None] * without, without[None, None], out)
    return out.reshape(len(named), *series.shape[2:])


def most_probable_change(
    series: NDArray[np.uint8], code: NDArray[np.uint8], named: Sequence[Pairs], prior: Prior
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """When each mapped transition happened, and between which classes.

    Of the most probable sequence of classes among those in which the transition happens, it is the first step in which
    it does. Of equally probable ones it is the earliest step, then the lower class before, then the lower class after.

    Args:
        series, named, prior: as of `transition_probability`. Where the prior excludes the transition, the dates are
            taken as independent; where the images do, too, as if what is stored as 0 were a quarter of a step.
        code: (height, width), 1 for the first transition and so on; other values are passed over.

    Returns:
        Index of the date before, index of the date that first shows it, class before and class after, each (height,
        width); 255 where there is no code, or fewer than two dates are observed.
    """
    out = np.full((4, code.size), 255, np.uint8)
    if _two_independent(series, prior):
        likeliest(_flat(series), code.ravel(), _tables(named), out)
    else:
        changes(_flat(series), code.ravel(), _tables(named), _scaled(prior), out)
    first, last, before, after = out.reshape(4, *code.shape)
    return first, last, before, after


def _require_matrix(matrix: NDArray[np.float64], count: int) -> None:
    if matrix.shape != (count, count) or (matrix < 0).any() or not np.allclose(matrix.sum(axis=1), 1, atol=1e-6):
        raise ConfigError(
            f"the transition matrix must have {count} rows of {count} probabilities, none negative, each row summing "
            "to 1; give for each class before the share that becomes each class after"
        )


def _tables(named: Sequence[Pairs]) -> NDArray[np.float64]:
    """(transition, class, class), one for each pair that a transition counts; no class changes into itself."""
    return np.stack([np.outer(p.before, p.after) * (1.0 - np.eye(len(p.before))) for p in named])


def _scaled(prior: Prior) -> NDArray[np.float64]:
    """Weights of at most one: products over many dates stay in range. By a power of two, so that ties stay ties."""
    scaled: NDArray[np.float64] = prior.weights * 2.0 ** -np.ceil(np.log2(prior.weights.max()))
    return scaled


def _two_independent(series: NDArray[np.uint8], prior: Prior) -> bool:
    """Whether products of sums will do."""
    return len(series) == 2 and bool((prior.weights[0, 1] == 1).all())


def _flat(series: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(date, class, pixel)."""
    return np.ascontiguousarray(series).reshape(*series.shape[:2], -1)
