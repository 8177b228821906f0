"""Shift between two dates: exact shifts under noise, haze and real change; real scenes whose grids differ."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from geoseg.errors import DataError
from geoseg.raster.registration import Shift, combined, estimate_shift, layers, spread_windows, window_shift

NAIP = Path(__file__).parents[2] / "../shared/data/naip_nd"
EVERYWHERE = np.ones((256, 256), bool)


def scene(seed=0, bands=2, side=256):
    """Fields and roads with soft edges, so that a shift by a fraction of a pixel is exact in its spectrum."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((bands, side // 16, side // 16)).repeat(16, axis=1).repeat(16, axis=2) * 200
    fine = ndimage.gaussian_filter(rng.normal(0, 60, (bands, side, side)), (0, 1, 1))
    return ndimage.gaussian_filter(coarse + fine, (0, 0.7, 0.7), mode="wrap").astype(np.float32)


def moved(image, rows, cols):
    """The image displaced by exactly that, its edges wrapped."""
    return np.stack([np.fft.ifft2(ndimage.fourier_shift(np.fft.fft2(b), (rows, cols))).real for b in image])


@pytest.mark.parametrize("shift", [(0, 0), (0.25, -0.6), (1.0, 2.0), (-1.5, 2.25), (3, 3), (0.1, -3)])
def test_exact_shifts_come_back_through_noise_haze_and_real_change(shift):
    before, rng = scene(), np.random.default_rng(1)
    after = 0.6 * moved(before, *shift) + 70 + rng.normal(0, 10, before.shape)
    after += np.linspace(0, 60, 256)[None, None]  # haze that thickens eastward
    after[:, 40:120, 60:140] = rng.normal(150, 30, (2, 80, 80))
    found = estimate_shift(before, after.astype(np.float32), EVERYWHERE)
    assert max(abs(found.rows - shift[0]), abs(found.cols - shift[1])) < max(0.08, 3 * found.error)
    assert found.error < 0.1
    assert found.reach >= np.hypot(*shift) - 0.05


@settings(max_examples=10, deadline=None)
@given(rows=st.floats(-3, 3), cols=st.floats(-3, 3))
def test_one_window_agrees_with_scikit_image(rows, cols):
    before = scene(bands=1, side=128)
    after = moved(before, rows, cols).astype(np.float32)
    ours = window_shift(before, after, np.ones((128, 128), bool))
    theirs = -phase_cross_correlation(before[0], after[0], upsample_factor=100)[0]
    np.testing.assert_allclose((ours.rows, ours.cols), theirs, atol=0.12)


def test_maps_tell_the_shift_too():
    fields = np.argmax(ndimage.gaussian_filter(np.random.default_rng(3).normal(size=(4, 256, 256)), (0, 5, 5)), axis=0)
    before = fields.astype(np.uint8)
    after = np.roll(before, (2, -1), axis=(0, 1))
    after[100:150, 30:90] = 2
    found = estimate_shift(layers(before, 4), layers(after, 4), EVERYWHERE)
    assert (found.rows, found.cols) == pytest.approx((2, -1), abs=0.1)


def test_clouds_do_not_pull_the_shift():
    before = scene()
    after = moved(before, 1.4, 0.3).astype(np.float32)
    cloud = np.zeros((256, 256), bool)
    cloud[:, 64:90] = True
    after[:, cloud] = 255
    before[:, cloud] = 255
    found = estimate_shift(before, after, ~cloud)
    assert (found.rows, found.cols) == pytest.approx((1.4, 0.3), abs=0.1)


def test_ground_that_is_not_the_same_is_refused_with_a_way_out():
    with pytest.raises(DataError, match="state the registration error in pixels"):
        estimate_shift(np.zeros((1, 256, 256), np.float32), scene(bands=1), EVERYWHERE)
    with pytest.raises(DataError, match="0 of 2 windows agree"):
        combined([None, None])
    assert window_shift(scene(), scene(), np.zeros((256, 256), bool)) is None


def test_the_reach_holds_two_standard_errors_of_both_axes():
    assert Shift(3.0, -4.0, 0.0, 9, 9).reach == 5
    assert Shift(0.0, 0.0, 0.5, 9, 9).reach == pytest.approx(2**0.5)


@given(height=st.integers(6, 3000), width=st.integers(6, 3000), most=st.integers(1, 80))
def test_windows_lie_inside_and_apart(height, width, most):
    windows = spread_windows((height, width), most)
    assert 1 <= len(windows) <= most
    taken = np.zeros((height, width), np.uint8)
    for window in windows:
        assert window.col_off >= 0 and window.right <= width
        assert window.row_off >= 0 and window.bottom <= height
        taken[window.slices] += 1
    assert taken.max() == 1


def test_layers_are_one_where_the_class_is():
    assert_array_equal(layers(np.array([[0, 1, 254]], np.uint8), 2), [[[1, 0, 0]], [[0, 1, 0]]])


@pytest.mark.parametrize(("one", "two"), [("20090818", "20140720"), ("20090818", "20200831"), ("20140720", "20200831")])
def test_naip_dates_show_the_fractions_of_their_grids(one, two):
    """NAIP promises positions to a pixel of 5 m or so; what is found is the grids' offset within half a pixel."""
    paths = [NAIP / f"m_4709963_se_14_1_{date}.tif" for date in (one, two)]
    if not all(path.exists() for path in paths):
        pytest.skip("shared/data/naip_nd is not here")
    files = [rasterio.open(path) for path in paths]
    images = [file.read(window=((0, 723), (0, 934))).astype(np.float32) for file in files]
    found = estimate_shift(*images, (images[0] > 0).any(axis=0) & (images[1] > 0).any(axis=0))
    first, second = (file.transform for file in files)
    expected = (second.f - first.f) / 5, (first.c - second.c) / 5
    assert (found.rows, found.cols) == pytest.approx(expected, abs=0.5)
    assert found.error < 0.3 and found.windows >= 10
