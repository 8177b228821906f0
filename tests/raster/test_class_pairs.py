"""Two independent dates, faster: the same as all sequences, to the last digit."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from geoseg.raster.named_transitions import Pairs
from geoseg.raster.transitions import Prior, independent, most_probable_change, transition_probability


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 9999), count=st.integers(2, 6), pixels=st.integers(1, 600))
def test_products_of_sums_are_the_sum_of_all_pairs(seed, count, pixels):
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.integers(0, 251, (2, count - 1, 1, pixels)), axis=1)
    series = np.diff(cuts, axis=1, prepend=0, append=250).astype(np.uint8)
    series[:, :, 0, rng.random(pixels) < 0.1] = 255
    series[0, :, 0, rng.random(pixels) < 0.1] = 0  # what no model says
    sides = rng.random((3, 2, count)) < 0.5
    sides[:, 0, 0] = sides[:, 1, -1] = True  # a pair at least
    named = [Pairs(str(t), before, after) for t, (before, after) in enumerate(sides)]
    found = transition_probability(series, named, independent(2, count))
    for pairs, of_pairs in zip(named, found, strict=True):
        one, two = series[:, :, 0].astype(np.int64)
        counts = np.outer(pairs.before, pairs.after) & ~np.eye(count, dtype=bool)
        some = (one[:, None] * two[None] * counts[:, :, None]).sum(axis=(0, 1))
        every = one.sum(axis=0) * two.sum(axis=0)
        share = (500 * some + every) // np.maximum(2 * every, 1)  # halves up
        none = (one[0] == 255) | (two[0] == 255) | (every == 0)
        assert_array_equal(of_pairs[0], np.where(none, 255, share))
    code = rng.integers(0, 5, (1, pixels), dtype=np.uint8)
    weights = np.where(np.eye(2, k=1)[:, :, None, None] > 0, 2.0, np.ones((2, 2, count, count)))  # the same, twice
    steps = (most_probable_change(series, code, named, prior) for prior in (independent(2, count), Prior(weights)))
    assert_array_equal(*steps)
