"""Drawing lots for pixels: each has a number of its own, and a stratum's sample is its pixels of lowest number.

A pixel's number comes from the seed and its place in the map alone, so that the sample is the same in whatever order
or pieces the map is read, and can be drawn again to prove that nobody chose its points. Numbers of different pixels
differ, so there are no ties.

Source: Steele et al. 2014, doi:10.1145/2660193.2660195 (SplitMix64); Fan et al. 1962 (sampling by sorted numbers).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]
Ints = NDArray[np.int64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIXERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def numbers(seed: int, places: Ints) -> Numbers:
    """A number of 64 random bits for each place, different for different places.

    Args:
        seed: 0 to 2^63 - 1.
        places: any shape, not negative.
    """
    start = _mixed(np.array([seed], np.uint64) + _GOLDEN)[0]
    with np.errstate(over="ignore"):
        return _mixed(start + (places.astype(np.uint64) + np.uint64(1)) * _GOLDEN)


class Lots:
    """Keeps the places of lowest number of each stratum. Memory grows with the sample, not with the map.

    Args:
        counts: (stratum,) places to keep of each.
        seed: see `numbers`.
    """

    def __init__(self, counts: Ints, seed: int) -> None:
        self._counts, self._seed = counts, seed
        self._places = [np.empty(0, np.int64) for _ in counts]
        self._numbers = [np.empty(0, np.uint64) for _ in counts]
        self._limits = np.full(len(counts), np.iinfo(np.uint64).max, np.uint64)

    def add(self, strata: NDArray[np.int16], places: Ints) -> None:
        """Take in pixels: stratum (below 0 for none) and place of each, both of one shape; no place comes twice."""
        inside = strata >= 0
        strata, places = strata[inside], places[inside]
        drawn = numbers(self._seed, places)
        low = drawn <= self._limits[strata]
        strata, places, drawn = strata[low], places[low], drawn[low]
        for stratum in np.unique(strata).tolist():
            here = strata == stratum
            self._keep(stratum, places[here], drawn[here])

    def drawn(self) -> tuple[NDArray[np.int16], Ints]:
        """Stratum and place of each point, in an order that tells nothing of its stratum."""
        strata = np.repeat(np.arange(len(self._counts), dtype=np.int16), [len(p) for p in self._places])
        places = np.concatenate(self._places)
        order = np.argsort(numbers(self._seed + 1, places), kind="stable")
        return strata[order], places[order]

    def _keep(self, stratum: int, places: Ints, drawn: Numbers) -> None:
        places = np.concatenate([self._places[stratum], places])
        drawn = np.concatenate([self._numbers[stratum], drawn])
        count = int(self._counts[stratum])
        order = np.argsort(drawn)[:count]
        self._places[stratum], self._numbers[stratum] = places[order], drawn[order]
        if len(order) == count > 0:
            self._limits[stratum] = drawn[order[-1]]


def _mixed(state: Numbers) -> Numbers:
    """The output function of SplitMix64: one to one."""
    with np.errstate(over="ignore"):
        state = (state ^ (state >> np.uint64(30))) * _MIXERS[0]
        state = (state ^ (state >> np.uint64(27))) * _MIXERS[1]
    return state ^ (state >> np.uint64(31))
