"""Events against the whole map at once, whatever the strips; slivers of a shift against changes that are real."""

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import ndimage
from skimage.filters import apply_hysteresis_threshold
from skimage.morphology import dilation, opening

from geoseg.raster.change_events import Events, Totals, halo, wide
from geoseg.raster.change_runs import Factors, above, area_where, paint, within


def factors(area):
    """Of pixels whose area depends on the row, in millionths."""
    columns = 200
    return Factors(np.stack([area, area], axis=1) * 1e6, np.zeros(columns, np.intp), np.full(columns, 0.25))


def mask(runs, shape):
    out = np.zeros(shape, np.uint8)
    paint(out, runs, 1)
    return out > 0


def events(p, low, high, smallest, cuts, area=None):
    """Of probabilities x 250, from strips in a random order."""
    area = np.ones(len(p)) if area is None else area
    strips = list(enumerate(slice(a, b) for a, b in itertools.pairwise([0, *cuts, len(p)])))
    random.Random(0).shuffle(strips)
    found = Events(round(smallest * 1e6), p.shape[1])
    for k, rows in strips:
        found.add(k, above(p[rows], low), p[rows], high, factors(area[rows]))
    found.close()
    if smallest:
        for k, rows in strips:
            found.surround(k, factors(area[rows]))
        found.fill()
    return np.concatenate([mask(found.of_strip(k), p[rows].shape) for k, rows in sorted(strips)])


def blobs(seed, shape, width=1.0):
    """Probabilities x 250 in places, 255 in some pixels."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=shape), width)
    p = np.clip(125 + noise / noise.std() * 60, 0, 250).astype(np.uint8)
    p[rng.random(shape) < 0.02] = 255
    return p


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 9999), height=st.integers(2, 30), width=st.integers(1, 150), data=st.data())
def test_events_are_scikit_image_hysteresis_however_the_map_is_cut(seed, height, width, data):
    p = blobs(seed, (height, width))
    cuts = sorted(data.draw(st.sets(st.integers(1, height - 1), max_size=6)))
    sure = np.where(p == 255, 0, p)
    seeded = apply_hysteresis_threshold(sure, 99.5, 199.5)
    assert_array_equal(events(p, 100, 200, 0, cuts), seeded)
    labels = ndimage.label(sure >= 100)[0]
    held = seeded & (np.bincount(labels.ravel())[labels] >= 7)
    around = ndimage.label(~held)[0]
    filled = held if not held.any() else ~((around > 0) & (np.bincount(around.ravel())[around] >= 7))
    assert_array_equal(events(p, 100, 200, 7, cuts), filled)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 9999), data=st.data())
def test_totals_are_those_of_the_whole_map(seed, data):
    p, area = blobs(seed, (25, 40)), np.random.default_rng(seed).uniform(0.9, 1.1, 25).round(6)
    cuts = sorted(data.draw(st.sets(st.integers(1, 24), max_size=6)))
    found = Totals(7_000_000)
    for k, (first, last) in enumerate(itertools.pairwise([0, *cuts, 25])):
        found.add(k, within(p[first:last], above(p[first:last], 75), 100), factors(area[first:last]))
    change = (p >= 100) & (p != 255)
    labels, count = ndimage.label(change)
    sizes = ndimage.sum_labels(np.broadcast_to(area[:, None], p.shape), labels, np.arange(1, count + 1))
    assert np.array(found.sums()) / 1e6 == pytest.approx([sizes.sum(), sizes[sizes >= 7 - 1e-9].sum()], rel=1e-12)


def test_diagonal_neighbours_are_not_connected():
    p = np.array([[225, 0, 0], [0, 125, 125], [0, 0, 0]], np.uint8)
    assert events(p, 100, 200, 0, []).sum() == 1


def test_the_smallest_area_is_summed_exactly_over_strips():
    p, area = np.full((10, 1), 250, np.uint8), np.full(10, 0.1)
    assert events(p, 125, 125, 1.0, [1, 2, 3, 4, 5], area).all()
    assert not events(p, 125, 125, 1.001, [4], area).any()


def test_nothing_is_no_event():
    assert not events(np.zeros((4, 3), np.uint8), 125, 150, 1, [2]).any()
    found = Totals(1)
    found.add(0, above(np.full((2, 3), 255, np.uint8), 1), factors(np.ones(2)))
    assert found.sums() == (0, 0)


def test_areas_are_of_the_pixels_that_count():
    p, seen = blobs(3, (20, 90)), np.random.default_rng(0).random((20, 90)) < 0.7
    area = np.linspace(99, 101, 20).round(6)
    total = area_where(above(p, 130), seen, factors(area))
    counted = (p >= 130) & (p != 255) & seen
    assert total == round((counted * area[:, None]).sum() * 1e6)


def widened(change, width, rows):
    """Both parts as masks."""
    runs = above(change.astype(np.uint8), 1)
    shape = (rows[1] - rows[0], change.shape[1])
    return [mask(part, shape) for part in wide(runs, width, change.shape[1], rows)]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 9999), width=st.integers(0, 4), share=st.floats(0.3, 0.9))
def test_wide_is_an_opening_given_back_its_corners(seed, width, share):
    change = np.random.default_rng(seed).random((25, 31)) < share
    change |= ndimage.binary_dilation(np.random.default_rng(seed + 1).random((25, 31)) < 0.02, iterations=3)
    framed = np.pad(change, 10)  # scikit-image takes what is beyond the edge for change
    expected = framed & dilation(opening(framed, np.ones((width + 1,) * 2)), np.ones((2 * width + 1,) * 2))
    kept, narrow = widened(change, width, (0, 25))
    assert_array_equal(kept, expected[10:-10, 10:-10])
    assert_array_equal(narrow, change & ~kept)


@given(top=st.integers(0, 40), bottom=st.integers(41, 60), width=st.integers(0, 4))
@settings(max_examples=25, deadline=None)
def test_a_strip_with_its_halo_answers_like_the_whole(top, bottom, width):
    change = ndimage.gaussian_filter(np.random.default_rng(5).normal(size=(60, 40)), 1.5) > 0
    first, last = max(0, top - halo(width)), min(60, bottom + halo(width))
    found = widened(change[first:last], width, (top - first, bottom - first))
    assert_array_equal(found, [part[top:bottom] for part in widened(change, width, (0, 60))])


def test_a_shift_makes_slivers_that_go_and_a_square_stays():
    truth = np.zeros((80, 80), bool)
    truth[10:50, 15:60] = True
    for rows, cols in ((1, 0), (0, -2), (2, 1)):
        slivers = truth ^ np.roll(truth, (rows, cols), axis=(0, 1))
        assert slivers.any() and not widened(slivers, max(abs(rows), abs(cols)), (0, 80))[0].any()
    assert_array_equal(widened(truth, 3, (0, 80))[0], truth)
