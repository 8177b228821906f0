"""Touching objects taken apart: where they should be, where they should not, and never into loose pieces."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from geoseg.raster.watershed import by_first_pixel, split

SURE = 1.0


def drawn(*boxes, shape=(60, 80)):
    mask = np.zeros(shape, bool)
    for top, left, bottom, right in boxes:
        mask[top:bottom, left:right] = True
    return mask


def parts(mask, probability=SURE, neck=0.5, min_pixels=9):
    return split(mask, np.broadcast_to(np.float64(probability), mask.shape), neck, min_pixels)


@pytest.mark.parametrize(
    "mask",
    [
        drawn((10, 5, 16, 75)),  # a long bar
        drawn((5, 5, 50, 15), (40, 5, 50, 70)),  # an L
        drawn((5, 5, 15, 70), (5, 30, 55, 40)),  # a T
        drawn((5, 5, 50, 70)) & ~drawn((15, 15, 40, 60)),  # a ring
        drawn((5, 5, 15, 15), (5, 5, 6, 60)),  # with a mast
        drawn((5, 5, 6, 6)),
        drawn((5, 5, 7, 40)),
    ],
    ids=["bar", "L", "T", "ring", "mast", "pixel", "strip"],
)
def test_one_building_stays_one(mask):
    assert parts(mask).max() == 1
    assert ((parts(mask) > 0) == mask).all()


def test_two_blocks_with_a_neck_are_two():
    left, right = drawn((10, 5, 26, 21)), drawn((10, 25, 26, 45))
    labels = parts(left | right | drawn((16, 20, 20, 26)))
    assert labels.max() == 2
    assert (labels[left] == 1).mean() > 0.98 and (labels[right] == 2).mean() > 0.98


def test_a_dip_in_probability_parts_what_shape_does_not():
    mask = drawn((10, 5, 22, 45))
    probability = np.full(mask.shape, 0.95)
    probability[:, 24:26] = 0.3
    assert parts(mask).max() == 1
    labels = split(mask, probability, 0.5, 9)
    assert labels.max() == 2
    assert set(np.unique(labels[10:22, 5:24])) == {1} and set(np.unique(labels[10:22, 26:45])) == {2}


def test_neck_says_how_narrow():
    mask = drawn((10, 5, 30, 25), (14, 24, 26, 30), (10, 29, 30, 50))  # 12 of 20 wide
    assert parts(mask, neck=0.5).max() == 1
    assert parts(mask, neck=0.7).max() == 2
    assert parts(mask, neck=0.0).max() == 1


def test_small_parts_go_to_their_neighbour():
    mask = drawn((10, 5, 30, 25), (19, 25, 20, 29), (17, 29, 22, 34))
    assert parts(mask, min_pixels=9).max() == 2
    assert parts(mask, min_pixels=40).max() == 1


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.floats(0, 1), st.integers(1, 40))
def test_parts_are_connected_large_enough_and_everything(seed, neck, min_pixels):
    rng = np.random.default_rng(seed)
    labels, count = ndimage.label(ndimage.gaussian_filter(rng.random((40, 40)), 1.5) > 0.5)
    mask = labels == int(rng.integers(1, count + 1))
    found = split(mask, rng.uniform(0.5, 1, mask.shape), neck, min_pixels)
    assert ((found > 0) == mask).all()
    sizes = np.bincount(found.ravel())[1:]
    assert len(sizes) == 1 or sizes.min() >= min_pixels
    for number in range(1, len(sizes) + 1):
        assert ndimage.label(found == number)[1] == 1
    assert (found == by_first_pixel(found)).all()


@given(st.integers(0, 1000))
def test_numbers_follow_first_pixels(seed):
    labels = np.random.default_rng(seed).integers(0, 9, (6, 7))
    found = by_first_pixel(labels)
    firsts = [int(np.flatnonzero(found.ravel() == n)[0]) for n in range(1, found.max() + 1)]
    assert firsts == sorted(firsts)
    assert ((found == 0) == (labels == 0)).all()
    assert len({(a, b) for a, b in zip(labels.ravel(), found.ravel(), strict=True)}) == len(np.unique(labels))
