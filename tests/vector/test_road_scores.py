"""Scores of road networks against examples worked by hand."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.vector.road_scores import RoadScoreSettings, road_scores

HOW = RoadScoreSettings(snap=4.0, spacing=1000.0, buffer=5.0, sources=1000, seed=0)


def lines(*paths):
    out = np.empty(len(paths), object)
    out[:] = [shapely.LineString(path) for path in paths]
    return out


GRID = lines(
    *[[(100 * i, 100 * j), (100 * i + 100, 100 * j)] for i in range(3) for j in range(4)],
    *[[(100 * i, 100 * j), (100 * i, 100 * j + 100)] for i in range(4) for j in range(3)],
)


def with_spacing(metres):
    return RoadScoreSettings(snap=4.0, spacing=metres, buffer=5.0, sources=1000, seed=0)


@pytest.mark.parametrize("spacing", [1000.0, 30.0])
def test_an_exact_graph_scores_one(spacing):
    scores = road_scores(GRID, GRID, with_spacing(spacing))
    assert scores.apls == pytest.approx(1.0)
    assert (scores.completeness, scores.correctness, scores.quality) == pytest.approx((1, 1, 1))
    assert scores.truth_length == pytest.approx(2400)


def test_a_break_in_a_straight_road():
    # nodes at 0, 100, 200, 300; the middle piece is missing: of six pairs, 0-100 and 200-300 stay
    truth = lines([(0, 0), (100, 0)], [(100, 0), (200, 0)], [(200, 0), (300, 0)])
    scores = road_scores(truth, truth[[0, 2]], HOW)
    assert scores.apls_truth == pytest.approx(2 / 6)
    assert scores.apls_proposal == pytest.approx(1.0)
    assert scores.apls == pytest.approx(2 * (1 / 3) / (1 / 3 + 1))
    assert scores.completeness == pytest.approx(210 / 300)  # the buffer reaches 5 m into the hole from both sides
    assert scores.correctness == pytest.approx(1.0)


def test_a_detour():
    # a square of 100 m; one side is missing, so its ends are 300 m apart instead of 100: a difference over 1 counts 1
    square = lines([(0, 0), (100, 0)], [(100, 0), (100, 100)], [(100, 100), (0, 100)], [(0, 100), (0, 0)])
    scores = road_scores(square, square[1:], HOW)
    # pairs: four sides (one of them counts 1) and two diagonals of 200 m, the same the other way round: 5 / 6
    assert scores.apls_truth == pytest.approx(5 / 6)
    # seen from the proposal, whose nodes are the same: a path of 300 m is 100 m in truth: 2 / 3
    assert scores.apls_proposal == pytest.approx(1 - (2 / 3) / 6)


def test_control_points_along_a_line():
    # at most 50 m apart: 0, 50, 100 on truth; the proposal ends at 60, so 100 is found nowhere: only 0-50 stays
    scores = road_scores(lines([(0, 0), (100, 0)]), lines([(0, 0), (60, 0)]), with_spacing(50))
    assert scores.apls_truth == pytest.approx(1 / 3)
    assert scores.apls_proposal == pytest.approx(1.0)
    assert scores.completeness == pytest.approx(0.65)


def test_a_node_too_far_to_snap():
    truth = lines([(0, 0), (100, 0)])
    assert road_scores(truth, lines([(0, 3.9), (100, 3.9)]), HOW).apls == pytest.approx(1)
    assert road_scores(truth, lines([(0, 4.1), (100, 4.1)]), HOW).apls == 0


def test_empty_networks():
    nothing = np.empty(0, object)
    both = road_scores(nothing, nothing, HOW)
    assert (both.apls, both.completeness, both.correctness, both.quality) == (1, 1, 1, 1)
    missed = road_scores(GRID, nothing, HOW)
    assert (missed.apls, missed.completeness, missed.correctness, missed.quality) == (0, 0, 1, 0)
    invented = road_scores(nothing, GRID, HOW)
    assert (invented.apls, invented.completeness, invented.correctness, invented.quality) == (0, 1, 0, 0)


def test_rings_and_parallel_lines():
    ring = lines([(0, 0), (100, 0), (100, 100), (0, 100), (0, 0)])
    assert road_scores(ring, ring, with_spacing(30)).apls == pytest.approx(1)
    short_and_long = lines([(0, 0), (100, 0)], [(0, 0), (50, 80), (100, 0)])
    # the long way in the truth is not the path; without the short way the only pair is 188.7 m instead of 100
    long_only = road_scores(short_and_long, short_and_long[1:], HOW)
    assert long_only.apls_truth == pytest.approx(1 - (2 * math.hypot(50, 80) / 100 - 1))


@given(order=st.permutations(range(len(GRID))), drop=st.sets(st.integers(0, len(GRID) - 1), max_size=10))
@settings(max_examples=15, deadline=None)
def test_the_order_of_lines_does_not_matter_and_less_is_worse(order, drop):
    kept = GRID[[i for i in order if i not in drop]]
    scores = road_scores(GRID, kept, with_spacing(40))
    assert scores == road_scores(GRID[::-1], kept[::-1], with_spacing(40))
    assert 0 <= scores.apls <= 1
    assert (scores.apls == pytest.approx(1)) == (not drop)
    assert scores.correctness == pytest.approx(1)


def test_sampled_paths_agree_with_all():
    few = RoadScoreSettings(snap=4.0, spacing=10.0, buffer=5.0, sources=60, seed=1)
    all_of_them = RoadScoreSettings(snap=4.0, spacing=10.0, buffer=5.0, sources=10_000, seed=1)
    sampled = road_scores(GRID, GRID[1:], few)
    assert sampled == road_scores(GRID, GRID[1:], few)
    assert sampled.apls == pytest.approx(road_scores(GRID, GRID[1:], all_of_them).apls, abs=0.05)
