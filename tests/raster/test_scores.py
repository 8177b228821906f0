"""Scores against loops over pixels and sets of pixels."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from geoseg.raster.scores import Scores, confusion
from tests import oracles

seeds = st.integers(0, 2**32 - 1)


def maps(seed, count, unknown=0.2):
    """Two random maps of up to `count` classes, with unlabelled, unobserved and outside pixels."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, max(1, count - int(rng.integers(0, 2))), (2, 9, 7)).astype(np.uint8)
    blank = rng.random(kinds.shape) < unknown
    kinds[blank] = rng.choice([254, 255], int(blank.sum()))
    return kinds


@given(seeds, st.integers(2, 6))
@settings(max_examples=30)
def test_matrix_agrees_with_a_loop_and_adds_up(seed, count):
    truth, classes = maps(seed, count)
    matrix = confusion(truth, classes, count)
    assert_array_equal(matrix, oracles.confusion(truth, classes, count))
    parts = [confusion(truth[:, s], classes[:, s], count) for s in (slice(0, 3), slice(3, 4), slice(4, None))]
    assert_array_equal(sum(parts), matrix)
    assert Scores(matrix).pixels == int(((truth < 254) & (classes < 254)).sum())


@given(seeds, st.integers(2, 6))
@settings(max_examples=30)
def test_iou_agrees_with_sets_of_pixels(seed, count):
    truth, classes = maps(seed, count, unknown=0)
    scores = Scores(confusion(truth, classes, count))
    expected = oracles.iou(truth, classes, count)
    assert_allclose(scores.iou, expected)
    occurring = [v for v in expected if not math.isnan(v)]
    assert scores.mean_iou == pytest.approx(sum(occurring) / len(occurring))
    assert scores.overall_accuracy == pytest.approx((truth == classes).mean())


def test_the_largest_class_has_a_place():
    matrix = confusion(np.array([[253, 0]], np.uint8), np.array([[253, 253]], np.uint8), 254)
    assert matrix.sum() == 2 and matrix[253, 253] == 1 and matrix[0, 253] == 1


def test_nothing_compared_is_no_score():
    scores = Scores(confusion(np.full((2, 2), 255, np.uint8), np.zeros((2, 2), np.uint8), 3))
    assert scores.pixels == 0 and math.isnan(scores.mean_iou) and np.isnan(scores.iou).all()
    assert math.isnan(scores.overall_accuracy)
