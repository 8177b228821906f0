"""Normalization against a loop over pixels."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from geoseg.raster.normalize import normalize
from tests import oracles


@given(st.integers(0, 2**32 - 1), st.sampled_from([1 / 255, 1e-4, 1.0]), st.integers(1, 4))
@settings(max_examples=20)
def test_agrees_with_a_loop(seed, scale, bands):
    rng = np.random.default_rng(seed)
    image = (rng.uniform(0, 1, (bands, 5, 4)) / scale).astype(np.float32)
    valid = rng.random((5, 4)) < 0.7
    mean, std = rng.uniform(0, 1, bands), rng.uniform(0.05, 1, bands)
    out = normalize(image, valid, scale, mean.tolist(), std.tolist())
    assert out.dtype == np.float32
    assert_allclose(out, oracles.normalized(image, valid, scale, mean, std), atol=2e-5)


def test_pixels_without_data_become_zero_whatever_stands_there():
    image = np.array([[[np.nan, np.inf, -9999.0, 127.5]]], np.float32)
    before = image.copy()
    out = normalize(image, np.array([[False, False, False, True]]), 1 / 255, [0.5], [0.25])
    assert_allclose(out, [[[0, 0, 0, 0]]], atol=1e-6)
    assert_array_equal(out[..., :3], 0.0)
    assert_array_equal(image, before)
