"""Centre lines: topology kept, tiles equal to the whole, widths right."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import ndimage
from skimage.measure import euler_number

from geoseg.grid.window import Window
from geoseg.raster.distance import capped_distance
from geoseg.raster.holes import fill_holes
from geoseg.raster.skeleton import OUTSIDE, SkeletonSettings, concatenate, road_surface, skeleton_pixels
from geoseg.raster.thinning import even, thin

ROAD = 2
EIGHT = np.ones((3, 3))
SMALL = SkeletonSettings(road=ROAD, max_width=6.0, max_hole=3.0, evenness=1, step=(1.0, 1.0))


def blobs(seed, shape, share=0.5, sigma=1.5):
    """A random mask with parts of many widths."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), sigma)
    return noise > np.quantile(noise, 1 - share)


def as_classes(mask):
    return np.where(mask, ROAD, 1).astype(np.uint8)


def in_tiles(classes, confidence, side, how):
    """Centre line pixels by tiles, the last one first."""
    padded = np.pad(classes, how.halo, constant_values=OUTSIDE)
    tiles = []
    for top in range(0, classes.shape[0], side):
        for left in range(0, classes.shape[1], side):
            core = Window(left, top, min(side, classes.shape[1] - left), min(side, classes.shape[0] - top))
            piece = padded[top : top + core.height + 2 * how.halo, left : left + core.width + 2 * how.halo]
            tiles.insert(0, skeleton_pixels(piece, confidence[core.slices], core, how))
    return concatenate(tiles)


def drawn(pixels, shape):
    lines = np.zeros(shape, bool)
    lines[pixels.row, pixels.col] = True
    return lines


def parts_and_holes(mask):
    framed = np.pad(mask, 1)
    return ndimage.label(framed, EIGHT)[1], ndimage.label(~framed)[1] - 1


def thinned(mask, origin=(0, 0)):
    levels = max(mask.shape)
    level = np.ceil(capped_distance(mask, levels, (1.0, 1.0))).astype(np.int32)
    return thin(mask, level, levels, 6, origin)


@given(seed=st.integers(0, 10**6), share=st.floats(0.2, 0.8), sigma=st.sampled_from([0, 0.7, 1.5, 3]))
@settings(max_examples=25, deadline=None)
def test_thinning_keeps_parts_and_holes_and_is_thin(seed, share, sigma):
    mask = blobs(seed, (40, 50), share, sigma)
    lines = thinned(mask)
    assert parts_and_holes(lines) == parts_and_holes(mask)
    assert not (lines & ~mask).any()
    assert_array_equal(thin(lines, np.ones_like(lines, np.int32), 1, 0, (0, 0)), lines)  # nothing more can go


@given(seed=st.integers(0, 10**6), radius=st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_evening_keeps_parts_and_holes(seed, radius):
    mask = blobs(seed, (40, 50), 0.4, 0.8)
    assert parts_and_holes(even(mask, radius, 3, (0, 0))) == parts_and_holes(mask)


@given(seed=st.integers(0, 10**6), side=st.integers(9, 70), sigma=st.sampled_from([0.7, 1.5, 3]))
@settings(max_examples=15, deadline=None)
def test_tiles_give_what_the_whole_gives(seed, side, sigma):
    rng = np.random.default_rng(seed)
    classes = as_classes(blobs(seed, (90, 110), rng.uniform(0.3, 0.7), sigma))
    classes[blobs(seed + 1, classes.shape, 0.1, 6)] = OUTSIDE
    confidence = rng.integers(0, 250, classes.shape).astype(np.uint8)
    whole = in_tiles(classes, confidence, 200, SMALL)
    tiled = in_tiles(classes, confidence, side, SMALL)
    for name in whole.__slots__:
        assert_array_equal(getattr(tiled, name), getattr(whole, name), err_msg=name)
    assert len(whole.row)


@given(seed=st.integers(0, 10**6), cap=st.floats(1, 30), across=st.sampled_from([1.0, 0.7]))
@settings(max_examples=20, deadline=None)
def test_distance_agrees_with_scipy(seed, cap, across):
    mask = blobs(seed, (40, 50), 0.6)
    truth = ndimage.distance_transform_edt(mask, sampling=(1.0, across))
    got = capped_distance(mask, cap, (1.0, across))
    np.testing.assert_allclose(got, np.minimum(truth, cap), rtol=1e-5)


@given(seed=st.integers(0, 10**6), largest=st.integers(0, 30))
@settings(max_examples=20, deadline=None)
def test_holes_agree_with_labels(seed, largest):
    mask = blobs(seed, (40, 50), 0.7, 0.8)
    labels, _ = ndimage.label(~mask)
    sizes = np.bincount(labels.ravel())
    edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    small = (sizes <= largest) & ~np.isin(np.arange(len(sizes)), edge)
    small[0] = False
    assert_array_equal(fill_holes(mask, largest), mask | small[labels])


def band(angle, width, side=160):
    """A straight road through the middle, in degrees from the rows."""
    row, col = np.mgrid[:side, :side] - side / 2
    a = math.radians(angle)
    return np.abs(row * math.cos(a) - col * math.sin(a) + 0.3) <= width / 2


@pytest.mark.parametrize("angle", [0, 13, 30, 45, 71, 90])
@pytest.mark.parametrize("width", [3, 4, 7, 12])
def test_width_of_a_straight_road(angle, width):
    how = SkeletonSettings(road=ROAD, max_width=15.0, max_hole=0.0, evenness=0, step=(1.0, 1.0))
    mask = band(angle, width)
    pixels = in_tiles(as_classes(mask), np.zeros(mask.shape, np.uint8), 200, how)
    inner = (np.abs(pixels.row - 80) < 50) & (np.abs(pixels.col - 80) < 50)
    across = max(abs(math.cos(math.radians(angle))), abs(math.sin(math.radians(angle))))
    truth = mask[40:120, 40:120].sum() * across / 80
    assert 2 * pixels.half_width[inner].mean() == pytest.approx(truth, abs=1.0)


def test_roads_of_one_pixel_stay():
    mask = np.zeros((60, 60), bool)
    mask[30, 5:55] = True
    mask[np.arange(5, 55), np.arange(5, 55)] = True
    pixels = in_tiles(as_classes(mask), np.zeros(mask.shape, np.uint8), 100, SMALL)
    lines = drawn(pixels, mask.shape)
    assert not (lines & ~ndimage.binary_dilation(mask)).any()
    assert (mask & ~lines).sum() <= 4
    assert euler_number(lines, connectivity=2) == 1
    assert 2 * np.median(pixels.half_width) == pytest.approx(1.0, abs=0.5)


def test_a_line_runs_round_a_car_park():
    mask = np.zeros((100, 100), bool)
    mask[48:53, :] = True
    mask[30:70, 30:70] = True
    assert not road_surface(mask, SMALL, (0, 0))[34:66, 34:66].any()
    lines = drawn(in_tiles(as_classes(mask), np.zeros(mask.shape, np.uint8), 200, SMALL), mask.shape)
    assert parts_and_holes(lines) == (1, 1)
    assert lines[50, 4:27].all()
    assert lines[50, 73:96].all()


def test_noise_inside_a_road_makes_no_loops():
    rng = np.random.default_rng(0)
    mask = np.zeros((60, 200), bool)
    mask[27:34] = True
    mask &= rng.random(mask.shape) > 0.02
    how = SkeletonSettings(road=ROAD, max_width=15.0, max_hole=8.0, evenness=2, step=(1.0, 1.0))
    lines = drawn(in_tiles(as_classes(mask), np.zeros(mask.shape, np.uint8), 200, how), mask.shape)
    assert parts_and_holes(lines) == (1, 0)
    assert lines.sum() < 230
