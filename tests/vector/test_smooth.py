import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from geoseg.vector.simplify import simplify
from geoseg.vector.smooth import smooth
from tests.vector.arc_oracle import polygons, trace
from tests.vector.test_simplify import lines, maps


@settings(max_examples=40, deadline=None)
@given(maps, st.sampled_from([0.0, 0.75, 1.5, 4.0]), st.sampled_from([0.2, 1.0, 5.0]))
def test_smoothed_regions_are_a_valid_coverage_within_the_bound(classes, tolerance, bend):
    arcs, regions = trace(classes)
    coordinates, starts = simplify(arcs, tolerance)
    smoothed, smoothed_starts = smooth(arcs, coordinates, starts, bend)
    layer = polygons(arcs, smoothed, smoothed_starts, len(regions))
    assert shapely.is_valid(layer).all()
    assert shapely.coverage_is_valid(layer)
    assert shapely.area(layer).sum() == pytest.approx((classes != 255).sum(), abs=1e-9)
    before = polygons(arcs, coordinates, starts, len(regions))
    assert_array_equal(shapely.get_num_interior_rings(layer), shapely.get_num_interior_rings(before))
    for old, new in zip(lines(coordinates, starts), lines(smoothed, smoothed_starts), strict=True):
        assert shapely.hausdorff_distance(old, new, densify=0.05) <= bend + 1e-3


def test_a_disc_gets_rounder_and_a_house_stays():
    row, col = np.mgrid[:60, :60] + 0.5
    classes = (np.hypot(row - 20, col - 20) < 14.3).astype(np.uint8)
    classes[40:52, 40:55] = 2
    arcs, regions = trace(classes)
    coordinates, starts = simplify(arcs, 1.0)
    smoothed, smoothed_starts = smooth(arcs, coordinates, starts, 1.0)
    disc, house = (polygons(arcs, smoothed, smoothed_starts, len(regions))[regions.values == n][0] for n in (1, 2))
    angular = polygons(arcs, coordinates, starts, len(regions))[regions.values == 1][0]
    circle = shapely.Point(20, 20).buffer(14.3, 64)
    assert shapely.symmetric_difference(disc, circle).area < shapely.symmetric_difference(angular, circle).area
    assert len(disc.exterior.coords) > 2 * len(angular.exterior.coords)
    assert house.equals(shapely.box(40, 40, 55, 52))


def test_nothing_is_smoothed_to_nothing():
    arcs, _ = trace(np.full((2, 2), 255, np.uint8))
    assert smooth(arcs, *simplify(arcs, 1.0), 1.0)[0].shape == (0, 2)
