"""Zones of one CRS on maps of another, and their own areas."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from pyproj import CRS, Transformer

from geoseg.errors import DataError
from geoseg.stats.zone_place import ellipsoid_area, overlaps, place

DEGREES, UTM = CRS("EPSG:4326"), CRS("EPSG:32633")


def array(*shapes):
    return np.array(shapes, dtype=object)


@pytest.mark.parametrize("south", [0.0, 60.0, 80.0])
def test_area_of_a_box_of_degrees_is_that_of_an_equal_area_projection(south):
    box = shapely.box(10, south, 12, south + 1)
    lon, lat = shapely.get_coordinates(shapely.segmentize(box, 0.001)).T
    flat = shapely.Polygon(
        np.column_stack(Transformer.from_crs(DEGREES, "+proj=cea +ellps=WGS84", always_xy=True).transform(lon, lat))
    )
    assert_allclose(ellipsoid_area(array(box), DEGREES), [flat.area], rtol=1e-5)


def test_holes_and_parts():
    shell, hole, part = (
        shapely.box(5e5, 5e6, 5.1e5, 5.01e6),
        shapely.box(5.02e5, 5.002e6, 5.03e5, 5.004e6),
        shapely.box(6e5, 5e6, 6.01e5, 5.001e6),
    )
    whole, inside, other = ellipsoid_area(array(shell, hole, part), UTM)
    donut = shapely.MultiPolygon([shell.difference(hole), part])
    assert_allclose(ellipsoid_area(array(donut, shapely.MultiPolygon()), UTM), [whole - inside + other, 0], rtol=1e-9)


def test_the_whole_earth_and_a_pole():
    globe, cap = shapely.box(-180, -90, 180, 90), shapely.box(-180, 80, 180, 90)
    found = ellipsoid_area(array(globe, cap), DEGREES)
    assert_allclose(found[0], 510_065_621_724_000, rtol=1e-5)  # of WGS 84
    flat = Transformer.from_crs(DEGREES, "+proj=laea +lat_0=90 +ellps=WGS84", always_xy=True)
    assert_allclose(found[1], np.pi * np.hypot(*flat.transform(0, 80)) ** 2, rtol=1e-5)


def test_a_zone_of_the_maps_own_crs_is_moved_and_nothing_else():
    transform = Affine(2, 0, 400_000, 0, -2, 2_800_000)
    zones = array(
        shapely.box(400_010, 2_799_900, 400_030, 2_799_980), shapely.box(399_990, 2_799_900, 400_010, 2_799_980)
    )
    placed = place(zones, UTM, UTM, transform, (100, 100))
    assert placed.shapes[0].bounds == (5, 10, 15, 50)
    assert_allclose(placed.beyond_m2 / placed.area_m2, [0, 0.5], atol=1e-6)


def test_a_long_side_of_degrees_bends_on_the_map():
    transform = Affine(10, 0, 300_000, 0, -10, 6_800_000)
    zone = array(shapely.box(12, 60.5, 18, 61))  # 330 km wide: its parallels bow by kilometres in UTM
    placed = place(zone, DEGREES, UTM, transform, (9_000, 40_000)).shapes[0]
    points = np.column_stack([np.linspace(12.01, 17.99, 200), np.full(200, 60.5)])
    x, y = Transformer.from_crs(DEGREES, UTM, always_xy=True).transform(*points.T)
    on_map = shapely.points(np.column_stack([~transform @ (a, b) for a, b in zip(x, y, strict=True)]).T)
    assert shapely.distance(placed.exterior if placed.geom_type == "Polygon" else placed.boundary, on_map).max() < 0.015


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_neighbours_still_meet_after_their_sides_were_bent(seed):
    rng = np.random.default_rng(seed)
    points = np.vstack([rng.uniform([14, 47], [16, 48], (12, 2)), [[14, 47], [16, 47], [14, 48], [16, 48]]])
    triangles = np.asarray(shapely.get_parts(shapely.delaunay_triangles(shapely.MultiPoint(points))))
    placed = place(triangles, DEGREES, UTM, Affine(100, 0, 400_000, 0, -100, 5_400_000), (3_000, 3_000)).shapes
    sides = np.concatenate(list(map(sides_of, placed)))
    _, times = np.unique(np.sort(sides, axis=1), axis=0, return_counts=True)
    outer = len(shapely.get_coordinates(shapely.union_all(placed, grid_size=1e-6)))
    assert times.max() == 2  # to the last digit, from whichever side it is drawn
    assert (times == 1).sum() <= outer + 4


def sides_of(shape):
    """(n, 2) of both ends, as complex numbers."""
    corners = shapely.get_coordinates(shapely.get_parts(shape)[0].exterior) @ [1, 1j]
    return np.column_stack([corners[:-1], corners[1:]])


def test_a_map_across_180_degrees_meets_both_parts_of_a_zone():
    zone = array(shapely.MultiPolygon([shapely.box(179.9, -17, 180, -16.8), shapely.box(-180, -17, -179.9, -16.8)]))
    placed = place(zone, DEGREES, CRS("EPSG:32701"), Affine(100, 0, 150_000, 0, -100, 8_160_000), (600, 600))
    assert placed.beyond_m2 == pytest.approx(0, abs=1e-4 * placed.area_m2[0])
    assert placed.shapes[0].area * 1e4 == pytest.approx(placed.area_m2[0], rel=5e-3)  # UTM is not equal-area


def test_zones_on_the_other_side_of_the_earth_are_outside():
    zones = array(shapely.box(-170, -50, -160, -40), shapely.box(14.9, 47, 15.1, 47.1))
    placed = place(zones, DEGREES, UTM, Affine(100, 0, 480_000, 0, -100, 5_230_000), (400, 400))
    assert placed.shapes[0].is_empty
    assert placed.beyond_m2[0] == placed.area_m2[0]
    assert placed.beyond_m2[1] == 0


def test_a_country_around_a_small_map_counts_what_is_beyond():
    country = array(shapely.box(5, 40, 25, 55))
    placed = place(country, DEGREES, UTM, Affine(10, 0, 480_000, 0, -10, 5_230_000), (1000, 1000))
    assert placed.area_m2[0] - placed.beyond_m2[0] == pytest.approx(1e8, rel=1e-3)  # UTM at its meridian


def test_zones_where_a_wide_maps_crs_is_not_defined_are_refused_with_the_place():
    disk, transform = CRS("+proj=geos +h=35785831 +ellps=WGS84"), Affine(10_000, 0, -5e6, 0, -10_000, 5e6)
    with pytest.raises(DataError, match=r"170, -10, where the map's CRS is not defined; cut them"):
        place(array(shapely.box(160, -10, 170, 10)), DEGREES, disk, transform, (1000, 1000))


def test_overlaps_are_pairs_with_the_area_in_common():
    side = shapely.box(5e5, 5e6, 5.01e5, 5.001e6)
    touching = shapely.box(5.01e5, 5e6, 5.02e5, 5.001e6)
    across = shapely.box(5.005e5, 5e6, 5.012e5, 5.001e6)
    pairs, common = overlaps(array(side, touching, across), UTM)
    assert pairs.tolist() == [[0, 2], [1, 2]]
    assert_allclose(common, [500_000, 200_000], rtol=1e-3)
