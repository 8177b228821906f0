"""Networks of roads drawn from known lines: their nodes, edges, places and widths."""

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from geoseg.vector.road_scores import RoadScoreSettings, road_scores
from tests.vector.roadmaps import BUILDING, CLEANING, GAPS, ROAD, burn, class_map, line_array, network_of

HOW = RoadScoreSettings(snap=4.0, spacing=50.0, buffer=3.0, sources=1000, seed=0)
SHAPE = (200, 300)


def degrees(network):
    return sorted(network.graph.degree.tolist())


def centre(network):
    """The only junction."""
    (node,) = np.flatnonzero(network.graph.degree > 2)
    return network.graph.xy[node]


@pytest.mark.parametrize("width", [1, 3, 4, 7, 15])
def test_a_straight_road_runs_to_both_its_ends(width):
    network = network_of(burn(line_array([(40, 100.5), (260, 100.5)]), width, SHAPE))
    assert degrees(network) == [1, 1]
    west_first = network.graph.xy[np.argsort(network.graph.xy[:, 0])]
    assert west_first == pytest.approx(np.array([[40, 100.5], [260, 100.5]]), abs=1.0)
    assert network.width_mean == pytest.approx(width, abs=0.6)
    assert network.confidence == pytest.approx(0.8)
    assert network.lines[0].length == pytest.approx(220, abs=2)
    assert len(network.lines[0].coords) < 6


@pytest.mark.parametrize("width", [1, 4, 7, 15])
def test_a_crossing_is_one_node(width):
    network = network_of(burn(line_array([(20, 60), (280, 140)], [(60, 10), (200, 190)]), width, SHAPE))
    assert degrees(network) == [1, 1, 1, 1, 4]
    crossing = shapely.LineString([(20, 60), (280, 140)]).intersection(shapely.LineString([(60, 10), (200, 190)]))
    assert centre(network) == pytest.approx((crossing.x, crossing.y), abs=1.5)


@pytest.mark.parametrize("width", [3, 7, 15])
def test_the_middle_of_a_through_road_does_not_sag_towards_a_side_road(width):
    network = network_of(burn(line_array([(20, 60), (280, 60)], [(150, 60), (150, 180)]), width, SHAPE))
    assert degrees(network) == [1, 1, 1, 3]
    assert centre(network) == pytest.approx((150, 60), abs=1.0)
    ys = shapely.get_coordinates(network.lines)[:, 1]
    xs = shapely.get_coordinates(network.lines)[:, 0]
    assert ys[np.abs(xs - 150) > 1.5] == pytest.approx(60, abs=1.0)


def test_a_roundabout_stays():  # V08
    ring = shapely.Point(150, 100).buffer(25, quad_segs=32).exterior
    arms = [[(20, 100), (125, 100)], [(175, 100), (280, 100)], [(150, 10), (150, 75)]]
    network = network_of(burn(line_array(ring, *arms), 8, SHAPE))
    assert degrees(network) == [1, 1, 1, 3, 3, 3]
    inner = np.flatnonzero((network.graph.degree[network.graph.ends] == 3).all(axis=1))
    assert shapely.length(network.lines[inner]).sum() == pytest.approx(ring.length, rel=0.05)


def test_a_ring_has_one_node():
    ring = shapely.Point(150, 100).buffer(60, quad_segs=32).exterior
    network = network_of(burn(line_array(ring), 6, SHAPE))
    assert degrees(network) == [2]
    assert network.lines[0].is_ring
    assert network.lines[0].hausdorff_distance(ring) < 1.5


def test_two_carriageways_are_two_lines():
    network = network_of(burn(line_array([(0, 90), (300, 90)], [(0, 102), (300, 102)]), 9, SHAPE))
    assert degrees(network) == [1, 1, 1, 1]
    assert sorted(np.unique(np.rint(shapely.get_coordinates(network.lines)[:, 1]))) == [90, 102]


def test_roads_end_at_the_edge_of_the_area():
    classes = class_map(burn(line_array([(-10, 50), (310, 150)]), 9, SHAPE))
    classes[:, :30] = 255
    network = network_of(classes)
    assert network.graph.at_edge.all()
    assert sorted(network.graph.xy[:, 0]) == pytest.approx([30, 300], abs=0.6)


def test_a_gap_is_closed_and_marked():
    mask = burn(line_array([(20, 100), (280, 100)]), 7, SHAPE)
    mask[:, 140:152] = False
    network = network_of(mask)
    assert network.graph.inferred.tolist().count(True) == 1
    (gap,) = network.lines[network.graph.inferred]
    assert gap.length == pytest.approx(12, abs=2)
    assert np.isnan(network.confidence[network.graph.inferred]).all()
    assert network.width_mean == pytest.approx(7, abs=1)
    assert degrees(network) == [1, 1, 2, 2]


def test_no_gap_is_closed_through_a_building_nor_a_long_one_nor_past_one_another():
    mask = burn(line_array([(20, 100), (280, 100)]), 7, SHAPE)
    mask[:, 140:152] = False
    classes = class_map(mask)
    classes[95:105, 145:147] = BUILDING
    assert not network_of(classes).graph.inferred.any()
    far = burn(line_array([(20, 100), (130, 100)], [(156, 100), (280, 100)]), 7, SHAPE)
    assert not network_of(far).graph.inferred.any()
    aside = burn(line_array([(20, 100), (140, 100)], [(148, 115), (280, 115)]), 7, SHAPE)
    assert not network_of(aside).graph.inferred.any()
    corner = burn(line_array([(20, 100), (140, 100)], [(150, 105), (150, 190)]), 7, SHAPE)
    assert not network_of(corner, replace(CLEANING, gaps=replace(GAPS, to_road=0))).graph.inferred.any()


def test_an_end_that_points_at_a_road_joins_it():
    mask = burn(line_array([(20, 60), (280, 60)], [(150, 70), (150, 180)]), 7, SHAPE)
    network = network_of(mask)
    assert degrees(network) == [1, 1, 1, 2, 3]
    assert centre(network) == pytest.approx((150, 60), abs=1.0)
    alongside = burn(line_array([(20, 60), (280, 60)], [(20, 68), (140, 68)]), 5, SHAPE)
    assert not network_of(alongside).graph.inferred.any()


def test_several_ends_join_the_same_road():
    sides = [[(x, 70), (x, 180)] for x in (60, 120, 180, 240)] + [[(150, 0), (150, 50)]]
    network = network_of(burn(line_array([(0, 60), (300, 60)], *sides), 7, SHAPE))
    assert degrees(network) == [1] * 7 + [2] * 5 + [3] * 5
    assert network.graph.inferred.sum() == 5
    ends = network.graph.xy[network.graph.ends]
    for line, (start, end) in zip(network.lines, ends, strict=True):
        assert line.coords[0] == pytest.approx(start)
        assert line.coords[-1] == pytest.approx(end)


def test_noise_at_the_edges_makes_no_spurs():
    rng = np.random.default_rng(1)
    mask = burn(line_array([(0, 40), (300, 160)], [(20, 180), (260, 10)]), 11, SHAPE)
    edge = ndimage.binary_dilation(mask, iterations=2) & ~ndimage.binary_erosion(mask, iterations=2)
    mask ^= edge & (rng.random(mask.shape) < 0.25)
    network = network_of(mask)
    assert degrees(network) == [1, 1, 1, 1, 4]


def test_no_road_and_one_pixel():
    mask = np.zeros(SHAPE, bool)
    assert len(network_of(mask).lines) == 0
    mask[100, 100] = True
    assert len(network_of(mask).lines) == 0


GRID = line_array(
    *[[(x, 20), (x, 180)] for x in (20, 80, 150, 220, 280)],
    *[[(20, y), (280, y)] for y in (20, 60, 120, 180)],
    [(20, 20), (80, 60)],
    [(220, 120), (280, 180)],
)


def noded(lines):
    return np.asarray(shapely.get_parts(shapely.unary_union(lines)), object)


@pytest.mark.parametrize("width", [3, 5, 8, 12])
def test_a_street_grid_routes_as_the_true_one(width):
    scores = road_scores(noded(GRID), network_of(burn(GRID, width, SHAPE)).lines, HOW)
    assert scores.apls > 0.95
    assert scores.completeness > 0.98
    assert scores.correctness > 0.98


@given(seed=st.integers(0, 10**6), tile=st.integers(30, 150))
@settings(max_examples=6, deadline=None)
def test_the_network_does_not_depend_on_tiles(seed, tile):
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=(150, 170)), 4)
    mask = (np.abs(noise) < 0.015) & (rng.random(noise.shape) > 0.03)
    small = {"max_width": 8.0, "evenness": 1, "max_hole": 5.0}
    whole, tiled = network_of(mask, **small), network_of(mask, tile=tile, **small)
    assert [line.wkb for line in tiled.lines] == [line.wkb for line in whole.lines]
    np.testing.assert_array_equal(tiled.graph.ends, whole.graph.ends)
    np.testing.assert_array_equal(tiled.width_mean, whole.width_mean)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_any_map_gives_a_sound_network(seed):
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=(150, 170)), rng.uniform(0.5, 5))
    classes = class_map(noise > np.quantile(noise, rng.uniform(0.1, 0.9)))
    classes[ndimage.gaussian_filter(rng.normal(size=classes.shape), 8) > 0.05] = rng.choice([BUILDING, 255, 254])
    network = network_of(classes, max_width=8.0, max_hole=5.0)
    graph = network.graph
    assert (classes == ROAD).any()
    assert shapely.is_valid(network.lines).all()
    assert (shapely.length(network.lines) > 0).all()
    assert np.isfinite(network.width_mean).all()
    assert (graph.degree > 0).all()
    assert (np.diff(graph.xy[:, 1]) >= 0).all()  # numbered from north to south
    starts = shapely.get_coordinates(shapely.get_point(network.lines, 0))
    stops = shapely.get_coordinates(shapely.get_point(network.lines, -1))
    np.testing.assert_allclose(starts, graph.xy[graph.ends[:, 0]])
    np.testing.assert_allclose(stops, graph.xy[graph.ends[:, 1]])
