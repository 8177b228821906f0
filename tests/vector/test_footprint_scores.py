"""Scores of footprints: squares whose IoU and distances are known by hand, and properties."""

import math

import numpy as np
import pytest
import shapely
import shapely.affinity
from hypothesis import given
from hypothesis import strategies as st

from geoseg.vector.footprint_scores import hausdorff, match, polis, score_footprints


def squares(*places):
    """(x, y, side) each."""
    return np.array([shapely.box(x, y, x + s, y + s) for x, y, s in places], dtype=object)


NOTHING = np.empty(0, object)


def test_a_shifted_square_matches_where_it_shares_enough():
    truth, found = squares((0, 0, 10)), squares((2, 0, 10))
    assert match(truth, found, 0.5).iou == pytest.approx([80 / 120])
    assert not len(match(truth, found, 0.67).iou)


def test_each_footprint_is_in_one_pair_and_the_best_pair_comes_first():
    truth = squares((0, 0, 10))
    found = squares((3, 0, 10), (1, 0, 10), (2, 0, 10))
    pairs = match(truth, found, 0.5)
    assert pairs.found.tolist() == [1]
    scores, _ = score_footprints(truth, found, 0.5, (0, math.inf))
    assert (scores.precision, scores.recall, scores.f1) == (pytest.approx(1 / 3), 1, pytest.approx(1 / 2))


def test_polis_by_hand():
    """Of the four corners of each square, two lie on the other's outline and two are 2 off."""
    assert polis(squares((0, 0, 10)), squares((2, 0, 10))) == pytest.approx([1.0])
    inner = squares((1, 1, 8))  # the corners of the larger are sqrt 2 from it, its own corners 1 from the larger
    assert polis(squares((0, 0, 10)), inner) == pytest.approx([(math.sqrt(2) + 1) / 2])


def test_polis_counts_corners_of_holes():
    ring = shapely.difference(shapely.box(0, 0, 10, 10), shapely.box(4, 4, 6, 6))
    found = polis(np.array([ring], object), squares((0, 0, 10)))
    assert found == pytest.approx([(4 * 4 / 8 + 0) / 2])


def test_hausdorff_by_hand():
    assert hausdorff(squares((0, 0, 10)), squares((3, 0, 10))) == pytest.approx([3.0])
    assert hausdorff(squares((0, 0, 10)), squares((1, 1, 8))) == pytest.approx([math.sqrt(2)])


def test_classes_of_size_count_by_the_true_area():
    truth = squares((0, 0, 10), (100, 0, 5), (200, 0, 20))
    found = squares((0, 0, 9.5), (300, 0, 3), (200, 0, 20))
    all_, (small, middle, large) = score_footprints(truth, found, 0.5, (0, 100, 400, math.inf))
    assert (all_.truth, all_.found, all_.matched) == (3, 3, 2)
    assert (small.truth, small.found, small.matched) == (1, 1, 0)
    assert (middle.truth, middle.found, middle.matched) == (1, 1, 1)
    assert (large.truth, large.found, large.matched, large.mean_iou) == (1, 1, 1, 1.0)
    assert math.isnan(small.polis)
    assert middle.mean_iou == pytest.approx(0.9025)


@pytest.mark.parametrize(("truth", "found"), [(NOTHING, NOTHING), (squares((0, 0, 1)), NOTHING)])
def test_nothing_to_match(truth, found):
    scores, _ = score_footprints(truth, found, 0.5, (0, math.inf))
    assert scores.matched == 0 and scores.truth == len(truth) and math.isnan(scores.precision)


boxes = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(1, 15)), max_size=8)


@given(boxes, boxes)
def test_pairs_are_one_to_one_enough_alike_and_none_is_left_over(a, b):
    truth, found = (squares(*s) if s else NOTHING for s in (a, b))
    pairs = match(truth, found, 0.5)
    assert len(set(pairs.truth)) == len(pairs.truth) and len(set(pairs.found)) == len(pairs.found)
    for i, t in enumerate(truth):
        for j, f in enumerate(found):
            iou = t.intersection(f).area / t.union(f).area
            if (i, j) in zip(pairs.truth, pairs.found, strict=True):
                assert iou == pytest.approx(pairs.iou[list(pairs.truth).index(i)]) and iou >= 0.5 - 1e-9
            elif iou >= 0.5 + 1e-9:
                assert i in pairs.truth or j in pairs.found


@given(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 9)), st.floats(0, 360))
def test_distances_are_symmetric_zero_to_itself_and_turn_with_the_ground(box, angle):
    a, b = squares(box), squares((3, 4, 5))
    for distance in (polis, hausdorff):
        assert distance(a, a) == pytest.approx([0])
        assert distance(a, b) == pytest.approx(distance(b, a))
        turned = [np.array([shapely.affinity.rotate(s[0], angle, origin=(0, 0))], object) for s in (a, b)]
        assert distance(*turned) == pytest.approx(distance(a, b))
