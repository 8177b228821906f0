import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from geoseg.vector.coverage import coverage, overlap_area
from geoseg.vector.polygonize import place
from tests.vector.arc_oracle import polygons, trace
from tests.vector.maps import label_maps


def cells(classes):
    arcs, regions = trace(classes)
    return polygons(arcs, arcs.corners.astype(float), arcs.starts, len(regions))


@settings(max_examples=60, deadline=None)
@given(label_maps, st.integers(1, 5))
def test_regions_of_a_map_are_a_coverage_in_any_batches(classes, batches):
    found = coverage(np.array_split(cells(classes), batches))
    assert found.valid
    assert found.area == (classes != 255).sum()


@settings(max_examples=60, deadline=None)
@given(label_maps, st.integers(0, 2**32 - 1), st.sampled_from(["move", "again", "drop corner"]))
def test_verdict_on_a_broken_map_is_that_of_shapely(classes, seed, fault):
    layer = cells(classes)
    assume(len(layer) > 1)
    rng = np.random.default_rng(seed)
    n = rng.integers(len(layer))
    if fault == "move":
        layer[n] = shapely.affinity.translate(layer[n], rng.choice([0, 0.5, 1]), rng.choice([0.5, 1, 40]))
    elif fault == "again":
        layer = np.append(layer, layer[n])
    else:
        layer[n] = shapely.simplify(layer[n], 0.8)
    assert coverage([layer[:n], layer[n:]]).valid == shapely.coverage_is_valid(layer)


@settings(max_examples=30, deadline=None)
@given(label_maps, st.floats(-0.5, 0.5))
def test_regions_put_on_the_ground_are_still_a_coverage(classes, shear):
    layer = place(cells(classes), Affine(0.3, shear, 412_345.7, -shear / 3, -0.3, 2_790_000.1))
    found = coverage(np.array_split(layer, 2))
    assert found.valid == shapely.coverage_is_valid(layer)
    assert found.valid
    assert found.area == pytest.approx((classes != 255).sum() * (0.09 - shear**2 / 3), rel=1e-6)


def test_a_polygon_inside_another_is_a_fault_though_no_edges_meet():
    layer = np.array([shapely.box(0, 0, 9, 9), shapely.box(2, 3, 4, 5)])
    found = coverage([layer])
    assert not found.valid
    assert [2, 3] in found.faults.tolist()
    assert overlap_area(layer) == 4


def test_a_crossing_is_told_where_it_is():
    layer = np.array([shapely.box(0, 0, 2, 2), shapely.box(1, 1, 3, 3)])
    assert sorted(coverage([layer]).faults.tolist()) == [[1, 2], [2, 1]]
    assert overlap_area(layer) == 1


def test_a_gap_is_the_area_that_is_missing_and_more_outline():
    layer = np.array([shapely.box(0, 0, 3, 9), shapely.box(3, 0, 9, 9).difference(shapely.box(5, 5, 6, 6))])
    found = coverage([layer])
    assert found.valid
    assert found.area == 80
    assert found.outline == 36 + 4


def test_invalid_and_empty_polygons_are_counted():
    bow = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    found = coverage([np.array([bow, shapely.Polygon(), shapely.box(5, 5, 6, 6)])])
    assert (found.polygons, found.invalid, found.valid) == (3, 2, False)


@pytest.mark.parametrize("batches", [[], [np.empty(0, object)]])
def test_nothing_is_a_coverage(batches):
    assert coverage(batches).valid
