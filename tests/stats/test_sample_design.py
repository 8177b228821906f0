"""Sample sizes: the worked example of Olofsson et al. 2014, and that every allocation keeps its promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.errors import ConfigError, DataError
from geoseg.stats.sample_design import allocate, expected_error, points_needed, require_strata, smallest

WEIGHTS = np.array([0.02, 0.015, 0.32, 0.645])
USERS = np.array([0.7, 0.6, 0.9, 0.95])  # section 5.1.1 of the paper
PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000])


def test_size_of_olofssons_example():
    assert points_needed(WEIGHTS, USERS, PIXELS, 0.01) == 641


def test_proportional_and_equal_allocation_of_olofssons_example():
    """Table 5 of the paper: equal 160 each; proportional 13, 10, 205, 413 of 641."""
    assert allocate(640, "equal", WEIGHTS, USERS, PIXELS, 2).tolist() == [160, 160, 160, 160]
    assert allocate(641, "proportional", WEIGHTS, USERS, PIXELS, 2).tolist() == [13, 10, 205, 413]


def test_neyman_needs_no_more_than_others_for_the_same_error():
    sizes = {k: smallest(0.01, k, WEIGHTS, USERS, PIXELS, 2).sum() for k in ("equal", "proportional", "neyman")}
    assert sizes["neyman"] == pytest.approx(641, abs=1)
    assert sizes["neyman"] <= sizes["proportional"] <= sizes["equal"]


@settings(deadline=None, max_examples=300)
@given(
    strata=st.lists(st.tuples(st.floats(0.01, 1), st.floats(0, 1), st.integers(2, 10_000)), min_size=1, max_size=6),
    total=st.integers(2, 5000),
    least=st.integers(2, 60),
    kind=st.sampled_from(["equal", "proportional", "neyman"]),
)
def test_allocation_keeps_sum_minimum_and_pixels(strata, total, least, kind):
    weights, shares, pixels = (np.array(v) for v in zip(*strata, strict=True))
    counts = allocate(total, kind, weights / weights.sum(), shares, pixels, least)
    minimum = np.minimum(least, pixels)
    assert (counts >= minimum).all() and (counts <= pixels).all()
    if kind == "equal" or (kind == "neyman" and (shares * (1 - shares) > 0).all()) or kind == "proportional":
        assert counts.sum() == np.clip(total, minimum.sum(), pixels.sum())


def test_smallest_is_the_smallest():
    for kind in ("equal", "proportional", "neyman"):
        counts = smallest(0.02, kind, WEIGHTS, USERS, PIXELS, 10)
        assert expected_error(WEIGHTS, USERS, counts) <= 0.02 * (1 + 1e-9)
        fewer = allocate(int(counts.sum()) - 1, kind, WEIGHTS, USERS, PIXELS, 10)
        assert expected_error(WEIGHTS, USERS, fewer) > 0.02 or fewer.sum() == counts.sum()


def test_a_wish_beyond_reason_is_refused():
    with pytest.raises(ConfigError, match="allow a larger one"):
        smallest(1e-5, "equal", WEIGHTS, USERS, PIXELS, 2)


@pytest.mark.parametrize(("count", "words"), [(0, "no pixel"), (1, "one pixel")])
def test_a_stratum_too_small_is_refused_with_the_way_to_merge_it(count, words):
    with pytest.raises(DataError, match=f'stratum gain has {words}.*--merge "gain=OTHER"'):
        require_strata(("loss", "gain"), np.array([100, count]))
