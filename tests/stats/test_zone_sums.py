"""Pixels in zones and their sums, against shapely pixel by pixel."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pyproj import CRS

from geoseg.grid.window import Window
from geoseg.stats.pixel_area import PixelArea
from geoseg.stats.zone_edges import edges_of, runs
from geoseg.stats.zone_sums import UNKNOWN, ZoneSums

WIDTH, HEIGHT = 17, 23
AREA = PixelArea(CRS("EPSG:3857"), Affine(50, 0, 1_000_000, 0, -50, 8_400_000), (HEIGHT, WIDTH))
PIXELS = shapely.box(
    *np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT)), *np.meshgrid(np.arange(WIDTH) + 1, np.arange(HEIGHT) + 1)
)
KINDS = np.full(256, UNKNOWN)
KINDS[[0, 1, 7, 254, 255]] = np.arange(5)


@st.composite
def zone(draw):
    """A polygon with a hole and a second part, any of it beyond the map."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    blobs = [blob(rng, rng.uniform(-3, 20, 2), rng.uniform(0.1, 12)) for _ in range(3)]
    shape = blobs[0].difference(blobs[1]).union(blob(rng, rng.uniform(-3, 25, 2), rng.uniform(0.05, 2)))
    polygons = [p for p in shapely.get_parts(shape) if p.geom_type == "Polygon" and p.area > 1e-6]
    return shapely.MultiPolygon(polygons)


def blob(rng, centre, size):
    """A star around a centre."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 12)))
    radii = size * rng.uniform(0.2, 1, len(angles))
    star = shapely.Polygon(centre + np.column_stack([radii * np.cos(angles), radii * np.sin(angles)]))
    return shapely.make_valid(star, method="structure", keep_collapsed=False)


def summed(shapes, heights, first, second, exact):
    """Sums over strips of these heights, in turn."""
    sums = ZoneSums(edges_of(np.array(shapes)), len(shapes), WIDTH, AREA, KINDS, two=True, exact=exact)
    top, turn = 0, 0
    while top < HEIGHT:
        bottom = min(top + heights[turn % len(heights)], HEIGHT)
        sums.add(top, first[top:bottom], second[top:bottom])
        top, turn = bottom, turn + 1
    return sums


def maps(seed):
    rng = np.random.default_rng(seed)
    return tuple(rng.choice([0, 1, 7, 254, 255], (HEIGHT, WIDTH)).astype(np.uint8) for _ in range(2))


def by_brute_force(shapes, first, second, exact):
    """The same, pixel by pixel: share of each inside, or whether its centre is."""
    areas = AREA(Window(0, 0, WIDTH, HEIGHT))
    out = np.zeros((2, len(shapes), 5, 5))
    for number, shape in enumerate(shapes):
        inside = (
            shapely.area(shapely.intersection(PIXELS, shape))
            if exact
            else shapely.contains(shape, shapely.centroid(PIXELS))
        )
        pairs = KINDS[first], KINDS[second]
        np.add.at(out[0, number], pairs, inside * areas)
        np.add.at(out[1, number], pairs, inside)
    return out


@pytest.mark.parametrize("exact", [False, True])
@settings(max_examples=40, deadline=None)
@given(shapes=st.lists(zone(), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_sums_agree_with_shapely_pixel_by_pixel(exact, shapes, seed):
    first, second = maps(seed)
    found = summed(shapes, [HEIGHT], first, second, exact)
    areas, counts = by_brute_force(shapes, first, second, exact)
    assert_allclose(found.area_m2, areas, rtol=1e-7, atol=1e-4)  # of pixels of 600 m2
    assert_allclose(found.pixels, counts, rtol=1e-7, atol=1e-7)
    assert found.unknown == UNKNOWN


@pytest.mark.parametrize("exact", [False, True])
@settings(max_examples=40, deadline=None)
@given(shapes=st.lists(zone(), min_size=1, max_size=4), heights=st.lists(st.integers(1, HEIGHT), min_size=1))
def test_strips_do_not_change_a_digit(exact, shapes, heights):
    first, second = maps(0)
    whole, strips = (summed(shapes, h, first, second, exact) for h in ([HEIGHT], heights))
    assert_array_equal(strips.area_m2, whole.area_m2)
    assert_array_equal(strips.pixels, whole.pixels)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), snap=st.sampled_from([0.5, 0.25, 1e-9]))
def test_zones_that_share_their_sides_have_each_pixel_once(seed, snap):
    rng = np.random.default_rng(seed)  # corners on centres and corners of pixels are where ties are
    points = np.round(rng.uniform([0, 0], [WIDTH, HEIGHT], (30, 2)) / snap) * snap
    points = np.vstack([points, [[-40, -40], [60, -40], [60, 60], [-40, 60]]])
    triangles = shapely.get_parts(shapely.delaunay_triangles(shapely.MultiPoint(points)))
    found = runs(edges_of(np.asarray(triangles)), 0, HEIGHT, WIDTH)
    times = np.zeros((HEIGHT, WIDTH), int)
    for row, _, col, end in found:
        times[row, col:end] += 1
    assert_array_equal(times, 1)


def test_a_zone_on_whole_pixels_is_those_pixels():
    box = shapely.box(2, 3, 5, 7)  # columns 2 to 4, rows 3 to 6
    expected = [[row, 0, 2, 5] for row in range(3, 7)]
    assert_array_equal(runs(edges_of(np.array([box])), 0, HEIGHT, WIDTH), expected)


def test_a_zone_thinner_than_a_pixel_is_seen_by_exact_shares_only():
    thin = shapely.box(4.6, 2.0, 4.85, 6.0)
    first = np.zeros((HEIGHT, WIDTH), np.uint8)
    assert summed([thin], [5], first, first, exact=False).pixels.sum() == 0
    assert summed([thin], [5], first, first, exact=True).pixels[0, 0, 0] == pytest.approx(1.0)  # 4 rows of a quarter


def test_a_value_that_the_map_may_not_hold_is_noted_where_a_zone_is():
    first = np.zeros((HEIGHT, WIDTH), np.uint8)
    wrong = first.copy()
    wrong[4, 4] = 9
    for exact in (False, True):
        assert summed([shapely.box(3, 3, 6, 6)], [5], first, wrong, exact).unknown == 9
        assert summed([shapely.box(8, 8, 9, 9)], [5], first, wrong, exact).unknown == UNKNOWN


def test_zones_away_from_the_map_and_empty_ones_have_nothing():
    shapes = [
        shapely.MultiPolygon(),
        shapely.box(-9, -9, -1, 40),
        shapely.box(WIDTH + 1, 0, 40, 9),
        shapely.box(0, 90, 9, 99),
    ]
    first = np.zeros((HEIGHT, WIDTH), np.uint8)
    for exact in (False, True):
        assert summed(shapes, [5], first, first, exact).pixels.sum() == 0
