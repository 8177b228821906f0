"""Areas in other CRSs, their shares and widths, against exact figures and an independent library."""

import geopandas
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.crs import CRS
from shapely import MultiPolygon, Polygon, box

from geoseg.errors import ConfigError, DataError
from geoseg.grid.area import (
    AreaGeometry,
    continuous,
    coverage,
    distance,
    ellipsoid_area,
    equal_area,
    parse_crs,
    to_crs,
    too_thin,
    utm_or_equal_area,
)

UTM = "EPSG:32640"
SCENE = ((300_000.0, 2_770_000.0, 340_000.0, 2_800_000.0), UTM)


def utm_area(left, bottom, right, top):
    return AreaGeometry(box(left, bottom, right, top), UTM)


def test_the_same_crs_gives_the_same_geometry():
    area = utm_area(0, 0, 10, 10)
    assert to_crs(area, UTM).equals(area.geometry)


def test_agrees_with_geopandas_on_corners_and_area():
    area = AreaGeometry(box(55.1, 25.1, 55.2, 25.2), "EPSG:4326")
    theirs = geopandas.GeoSeries([area.geometry], crs=4326).segmentize(0.001).to_crs(UTM).iloc[0]
    ours = to_crs(area, UTM)
    assert ours.symmetric_difference(theirs).area < 1e-5 * theirs.area


def test_long_edges_follow_the_line_that_was_drawn():
    ours = to_crs(AreaGeometry(box(54.0, 59.9, 60.0, 60.0), "EPSG:4326"), UTM)
    parallel = geopandas.GeoSeries([shapely.Point(x, 60.0) for x in np.linspace(54, 60, 31)], crs=4326).to_crs(UTM)
    assert parallel.distance(ours.boundary).max() < 0.1  # metres; a straight edge would be off by kilometres


def test_what_a_projection_cannot_show_is_an_error():
    with pytest.raises(DataError, match=r"longitude 146\.0000 to 148\.0000, .* cannot be shown in EPSG:32640"):
        to_crs(AreaGeometry(box(146, -1, 148, 1), "EPSG:4326"), UTM)


@pytest.mark.parametrize("name", ["", "EPSG:999999", "32640x", "+init=/etc/passwd:x", "EPSG:5773", "auto"])
def test_a_name_that_is_no_crs(name):
    with pytest.raises(ConfigError, match=r"area\.crs: .* write"):
        parse_crs(name, "area.crs")


edges = st.integers(0, 40).map(lambda n: 300_000.0 + 1000 * n)


@settings(max_examples=25, deadline=None)
@given(x=st.tuples(edges, edges).filter(lambda t: t[0] < t[1]), shift=st.integers(-50_000, 50_000))
def test_coverage_is_the_share_of_ground(x, shift):
    area = utm_area(x[0] + shift, 2_780_000, x[1] + shift, 2_790_000)
    overlap = min(x[1] + shift, 340_000) - max(x[0] + shift, 300_000)
    assert coverage(area, [SCENE]) == pytest.approx(max(0, overlap) / (x[1] - x[0]), abs=2e-3)  # UTM is not equal-area


def test_a_whole_area_is_covered_to_the_last_digit():
    assert coverage(AreaGeometry(box(55.1, 25.1, 55.2, 25.2), "EPSG:4326"), [SCENE]) == 1.0


def test_coverage_counts_ground_that_several_scenes_show_once():
    left = ((300_000.0, 2_770_000.0, 325_000.0, 2_800_000.0), UTM)
    right = ((55.0, 20.0, 60.0, 30.0), "EPSG:4326")
    area = AreaGeometry(box(55.1, 25.1, 55.3, 25.2), "EPSG:4326")
    assert coverage(area, [left, right, left]) == 1.0
    assert 0 < coverage(area, [left]) < 1


@pytest.mark.parametrize("far", ["EPSG:32601", "EPSG:3031", "EPSG:2056"])
def test_scenes_on_the_other_side_of_the_globe_cover_nothing(far):
    area = AreaGeometry(box(-125.1, -25.2, -125.0, -25.1), "EPSG:4326")
    assert coverage(area, [((2.6e6, 1.2e6, 2.7e6, 1.3e6), far), SCENE]) == 0.0


def test_a_scene_of_the_whole_globe_covers_everything():
    world = ((-180.0, -90.0, 180.0, 90.0), "EPSG:4326")
    assert coverage(AreaGeometry(box(177, -18, 183, -16), "EPSG:4326"), [world]) == 1.0
    assert coverage(utm_area(300_000, 2_770_000, 340_000, 2_800_000), [world]) == 1.0
    assert (
        coverage(AreaGeometry(box(-1e5, -1e5, 1e5, 1e5), "EPSG:3413"), [((-2e5,) * 2 + (2e5,) * 2, "EPSG:3413")]) == 1.0
    )


FIJI = box(177, -18, 183, -16)
NOTATIONS = {
    "past 180": FIJI,
    "before -180": box(-183, -18, -177, -16),
    "jump": Polygon([(177, -18), (-177, -18), (-177, -16), (177, -16)]),
    "jump, from the east": Polygon([(-177, -18), (-177, -16), (177, -16), (177, -18)]),
    "split": MultiPolygon([box(177, -18, 180, -16), box(-180, -18, -177, -16)]),
}


@pytest.mark.parametrize("name", NOTATIONS)
def test_an_area_across_the_antimeridian_is_one_place_in_every_notation(name):
    whole = shapely.union_all(shapely.get_parts(continuous(NOTATIONS[name])))
    assert whole.bounds[2] - whole.bounds[0] == pytest.approx(6)
    moved = to_crs(AreaGeometry(whole, "EPSG:4326"), equal_area(AreaGeometry(FIJI, "EPSG:4326")))
    assert moved.area == pytest.approx(ellipsoid_area(shapely.segmentize(FIJI, 0.01), "EPSG:4326"), rel=1e-5)


def test_a_hole_and_parts_stay_with_the_first():
    ring = [(-179.5, 0.2), (179.5, 0.2), (179.5, 0.8), (-179.5, 0.8)]
    area = continuous(Polygon([(179, 0), (-179, 0), (-179, 1), (179, 1)], [ring]))
    assert area.is_valid
    assert area.area == pytest.approx(2 - 0.6)


def test_areas_round_a_pole_or_of_half_a_globe_are_refused():
    with pytest.raises(DataError, match="runs round a pole; give it in a polar CRS"):
        continuous(Polygon([(0, 85), (120, 85), (-120, 85)]))
    with pytest.raises(DataError, match="360 degrees wide"):
        continuous(box(-180, -10, 180, 10))


@pytest.mark.parametrize(
    ("bounds", "crs"),
    [
        ((55.1, 25.1, 55.2, 25.2), "EPSG:32640"),
        ((55.1, -25.2, 55.2, -25.1), "EPSG:32740"),
        ((53.1, 25, 60.9, 26), "EPSG:32640"),  # a degree beyond the zone, both sides
        ((-179.9, 0, -179, 1), "EPSG:32601"),
        ((179, 0, 179.9, 1), "EPSG:32660"),
        ((180.5, 0, 181, 1), "EPSG:32601"),
        ((-181, 0, -180.5, 1), "EPSG:32660"),
        ((10, 84.5, 12, 85), "EPSG:5041"),
        ((10, -89, 12, -88), "EPSG:5042"),
    ],
)
def test_grid_crs_by_place(bounds, crs):
    assert utm_or_equal_area(box(*bounds)) == crs


@settings(max_examples=50, deadline=None)
@given(lon=st.floats(-179.99, 179.98), lat=st.floats(-79.9, 83.9))
def test_small_areas_get_the_zone_that_pyproj_says(lon, lat):
    from pyproj.aoi import AreaOfInterest
    from pyproj.database import query_utm_crs_info

    middle = (lon + 180) % 6
    if 0.02 < middle < 5.98 and abs(lat) > 0.01:  # within a zone, so that there is one right answer
        ours = int(utm_or_equal_area(box(lon, lat, lon + 0.001, lat + 0.001)).split(":")[1])
        place = AreaOfInterest(lon, lat, lon + 0.001, lat + 0.001)
        zones = {int(info.code) for info in query_utm_crs_info(datum_name="WGS 84", area_of_interest=place)}
        zone = ours % 100
        assert zone == int((lon + 180) // 6) + 1
        assert ours in zones or zone in (31, 32, 33, 34, 35, 36, 37)  # Norway and Svalbard have zones of their own


@pytest.mark.parametrize("bounds", [(0, 0, 20, 5), (177, -18, 183, -16), (-10, 40, 30, 70)])
def test_wide_areas_get_an_equal_area_grid_on_their_centre(bounds):
    area = box(*bounds)
    crs = utm_or_equal_area(area)
    assert CRS(crs).proj.coordinate_operation.method_name == "Lambert Azimuthal Equal Area"
    moved = to_crs(AreaGeometry(area, "EPSG:4326"), crs)
    assert moved.area == pytest.approx(ellipsoid_area(shapely.segmentize(area, 0.01), "EPSG:4326"), rel=1e-5)
    assert abs(moved.centroid.x) < 0.1 * np.sqrt(moved.area)


@pytest.mark.parametrize(
    ("area", "thin"),
    [
        (box(0, 0, 0.5, 1000), True),
        (box(0, 0, 1.2, 1000), False),
        (Polygon([(0, 0), (100, 0), (100, 0.3), (0.3, 0.3), (0.3, 100), (0, 100)]), True),  # thin, but its box is not
        (MultiPolygon([box(0, 0, 0.1, 50), box(10, 0, 12, 2)]), False),
    ],
)
def test_too_thin(area, thin):
    said = too_thin(shapely.transform(area, lambda xy: xy * 10), 10.0)
    assert bool(said) == thin
    if said:
        assert "px wide at a pixel of 10; draw it wider" in said


def test_distance_on_the_ellipsoid():
    area = AreaGeometry(box(55, 26, 55.1, 26.1), "EPSG:4326")
    scene = ((55.0, 24.0, 55.1, 25.0), "EPSG:4326")
    assert distance(area, [scene]) == pytest.approx(110_791, rel=0.01)  # a degree of latitude at 25.5 north
