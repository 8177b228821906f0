"""The coding of maps: DESIGN, decision 6."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from geoseg.raster.coding import CONFIDENCE_STEPS, NO_CONFIDENCE, OUTSIDE, UNOBSERVED, encode


def test_the_codes_are_those_of_the_design():
    assert (UNOBSERVED, OUTSIDE, NO_CONFIDENCE, CONFIDENCE_STEPS) == (254, 255, 255, 250)


def test_ties_go_to_the_lowest_class():
    probs = np.array([[[0.25, 0.4, 0.2]], [[0.25, 0.2, 0.4]], [[0.5, 0.4, 0.4]]], np.float32)
    classes, confidence = encode(probs, np.ones((1, 3), bool))
    assert_array_equal(classes, [[2, 0, 1]])
    assert_array_equal(confidence, [[125, 100, 100]])


@pytest.mark.parametrize("p, code", [(0.0, 0), (1.0, 250), (0.5, 125), (0.9999, 250), (1 - 1 / 250, 249)])
def test_confidence_is_250_times_the_probability(p, code):
    # a network of one class has no second to compare with, which makes any p possible
    _, confidence = encode(np.array([[[p]]], np.float32), np.ones((1, 1), bool))
    assert confidence.item() == code


@given(st.integers(0, 2**32 - 1), st.integers(2, 254))
@settings(max_examples=20)
def test_what_was_not_seen_is_never_a_class(seed, count):
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(count), (6, 5)).transpose(2, 0, 1).astype(np.float32)
    observed = rng.random((6, 5)) < 0.5
    classes, confidence = encode(probs, observed)
    assert classes.dtype == confidence.dtype == np.uint8
    assert_array_equal(classes == UNOBSERVED, ~observed)
    assert_array_equal(confidence == NO_CONFIDENCE, ~observed)
    for row, col in np.argwhere(observed):
        best = max(range(count), key=lambda k: (probs[k, row, col], -k))
        assert classes[row, col] == best
        assert abs(int(confidence[row, col]) - 250 * float(probs[best, row, col])) <= 0.5 + 1e-4
