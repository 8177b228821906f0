"""Events against the whole map at once, whatever the strips; slivers of a shift against changes that are real."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import ndimage
from skimage.filters import apply_hysteresis_threshold
from skimage.morphology import dilation, opening

from geoseg.raster.change_events import Events, halo, wide


def events(p, low, high, smallest, cuts, area=None):
    area = np.ones(p.shape) if area is None else area
    edges = [0, *cuts, len(p)]
    strips = [slice(a, b) for a, b in itertools.pairwise(edges)]
    found = Events(smallest)
    for rows in strips:
        found.add(p[rows] >= low, p[rows] >= high, area[rows])
    found.close()
    return np.concatenate([found.of_strip(k, p[rows] >= low) for k, rows in enumerate(strips)])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 9999), height=st.integers(2, 30), width=st.integers(1, 30), data=st.data())
def test_events_are_scikit_image_hysteresis_however_the_map_is_cut(seed, height, width, data):
    p = np.random.default_rng(seed).random((height, width))
    cuts = sorted(data.draw(st.sets(st.integers(1, height - 1), max_size=6)))
    labels = ndimage.label(p >= 0.4)[0]
    seeded = apply_hysteresis_threshold(p, 0.4, 0.9)
    assert_array_equal(events(p, 0.4, 0.9, 0, cuts), seeded)
    sizes = np.bincount(labels.ravel())
    assert_array_equal(events(p, 0.4, 0.9, 7, cuts), seeded & (sizes[labels] >= 7))


def test_diagonal_neighbours_are_not_connected():
    p = np.array([[0.9, 0, 0], [0, 0.5, 0.5], [0, 0, 0]])
    assert events(p, 0.4, 0.8, 0, []).sum() == 1


def test_the_smallest_area_is_summed_exactly_over_strips():
    p, area = np.ones((10, 1)), np.full((10, 1), 0.1)
    assert events(p, 0.5, 0.5, 1.0, [1, 2, 3, 4, 5], area).all()
    assert not events(p, 0.5, 0.5, 1.001, [4], area).any()


def test_nothing_is_no_event():
    assert not events(np.zeros((4, 3)), 0.5, 0.6, 0, [2]).any()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 9999), width=st.integers(0, 4), share=st.floats(0.3, 0.9))
def test_wide_is_an_opening_given_back_its_corners(seed, width, share):
    change = np.random.default_rng(seed).random((25, 31)) < share
    change |= ndimage.binary_dilation(np.random.default_rng(seed + 1).random((25, 31)) < 0.02, iterations=3)
    framed = np.pad(change, 10)  # scikit-image takes what is beyond the edge for change
    expected = framed & dilation(opening(framed, np.ones((width + 1,) * 2)), np.ones((2 * width + 1,) * 2))
    assert_array_equal(wide(change, width), expected[10:-10, 10:-10])


@given(top=st.integers(0, 40), bottom=st.integers(41, 60), width=st.integers(0, 4))
@settings(max_examples=25, deadline=None)
def test_a_strip_with_its_halo_answers_like_the_whole(top, bottom, width):
    change = ndimage.gaussian_filter(np.random.default_rng(5).normal(size=(60, 40)), 1.5) > 0
    first, last = max(0, top - halo(width)), min(60, bottom + halo(width))
    assert_array_equal(wide(change[first:last], width)[top - first : bottom - first], wide(change, width)[top:bottom])


def test_a_shift_makes_slivers_that_go_and_a_square_stays():
    truth = np.zeros((80, 80), bool)
    truth[10:50, 15:60] = True
    for rows, cols in ((1, 0), (0, -2), (2, 1)):
        slivers = truth ^ np.roll(truth, (rows, cols), axis=(0, 1))
        assert slivers.any() and not wide(slivers, max(abs(rows), abs(cols))).any()
    assert_array_equal(wide(truth, 3), truth)
