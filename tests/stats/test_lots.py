"""Lots: the same points in whatever pieces the map comes, every pixel as likely as another."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from geoseg.stats.lots import Lots, numbers

STRATA = np.random.default_rng(1).choice(np.array([-1, 0, 0, 0, 1, 2], np.int16), 5000)
COUNTS = np.array([30, 20, 10])


def drawn(pieces, seed=7):
    lots = Lots(COUNTS, seed)
    for piece in pieces:
        lots.add(STRATA[piece], piece)
    return lots.drawn()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.integers(1, 40))
def test_neither_order_nor_pieces_matter(shuffle, pieces):
    places = np.random.default_rng(shuffle).permutation(5000)
    strata, chosen = drawn(np.array_split(places, pieces))
    expected_strata, expected = drawn([np.arange(5000)])
    assert_array_equal(chosen, expected)
    assert_array_equal(strata, expected_strata)


def test_counts_strata_and_no_repeats():
    strata, chosen = drawn([np.arange(5000)])
    assert_array_equal(np.bincount(strata), COUNTS)
    assert_array_equal(STRATA[chosen], strata)
    assert len(np.unique(chosen)) == 60


def test_a_stratum_of_fewer_pixels_is_taken_whole():
    lots = Lots(np.array([5]), 1)
    lots.add(np.zeros(3, np.int16), np.array([4, 9, 2]))
    assert sorted(lots.drawn()[1]) == [2, 4, 9]


def test_every_pixel_is_as_likely_as_another():
    """Over 2,000 seeds each of 40 pixels is drawn 10 in 40 times; chi-square within its range, pairs too."""
    hits = np.zeros((2000, 40))
    for seed in range(2000):
        hits[seed, np.argsort(numbers(seed, np.arange(40)))[:10]] = 1
    z = (hits.sum(axis=0) - 500) / np.sqrt(2000 * 0.25 * 0.75)
    assert np.abs(z).max() < 4 and 15 < (z**2).sum() < 75
    pairs = (hits.T @ hits)[np.triu_indices(40, 1)] / 2000
    assert abs(pairs.mean() - 10 * 9 / (40 * 39)) < 1e-9 and pairs.std() < 0.008


def test_seeds_give_other_samples_and_numbers_never_tie():
    assert set(drawn([np.arange(5000)])[1]) != set(drawn([np.arange(5000)], seed=8)[1])
    assert len(np.unique(numbers(3, np.arange(200_000)))) == 200_000


def test_numbers_do_not_change_between_versions():
    """From the reference implementation of SplitMix64 run apart; old samples must be drawn again alike."""
    mask = 2**64 - 1

    def mix(z):
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    gamma = 0x9E3779B97F4A7C15
    start = mix(42 + gamma & mask)
    expected = [mix((start + (i + 1) * gamma) & mask) for i in (0, 1, 10**10)]
    assert numbers(42, np.array([0, 1, 10**10])).tolist() == expected
