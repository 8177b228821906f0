"""Polygons on pixels: by the pixel's centre, the same in every window."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from geoseg.grid.lattice import Lattice
from geoseg.grid.window import Window
from geoseg.io.burn import burn

LATTICE = Lattice("EPSG:32640", 0.8, 0.3, 0.5)


def star(seed):
    """A simple polygon around (0, 0) with a hole, irregular enough that no pixel centre lies on its edge."""
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 12))
    ring = rng.uniform(5, 16, 12)[:, None] * np.c_[np.cos(angles), np.sin(angles)]
    outer = shapely.make_valid(shapely.Polygon(ring))
    return outer.difference(shapely.Point(0.123, 0.321).buffer(3.1))


def centres(window):
    left, top = LATTICE.geobox(window).transform.c, LATTICE.geobox(window).transform.f
    x = left + 0.8 * (np.arange(window.width) + 0.5)
    y = top - 0.8 * (np.arange(window.height) + 0.5)
    return np.meshgrid(x, y)


@given(st.integers(0, 10**6), st.integers(-30, 20), st.integers(-30, 20), st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_a_pixel_is_inside_if_its_centre_is(seed, col, row, width, height):
    window, shape = Window(col, row, width, height), star(seed)
    assert_array_equal(burn(shape.wkt, LATTICE, window), shapely.contains_xy(shape, *centres(window)))


def test_a_polygon_elsewhere_burns_nothing():
    window = Window(0, 0, 5, 5)
    for shape in (shapely.box(100, 100, 110, 110), shapely.box(-50, -50, -0.5, 50), shapely.Polygon()):
        assert not burn(shape.wkt, LATTICE, window).any()


def test_everything_inside():
    assert burn(shapely.box(-99, -99, 99, 99).wkt, LATTICE, Window(-10, -10, 20, 20)).all()


@pytest.mark.parametrize("cut", [1, 7, 15])
def test_windows_of_one_area_agree(cut):
    wkt = star(3).wkt
    whole = burn(wkt, LATTICE, Window(-20, -20, 40, 40))
    parts = [burn(wkt, LATTICE, Window(c, -20, w, 40)) for c, w in ((-20, cut), (cut - 20, 40 - cut))]
    assert_array_equal(np.hstack(parts), whole)


@given(st.integers(-300, 300), st.integers(-300, 300), st.integers(1, 300), st.integers(1, 300))
@settings(max_examples=30, deadline=None)
def test_an_edge_through_pixel_centres_falls_alike_in_every_window(col, row, width, height):
    lattice = Lattice("EPSG:32640", 0.3)
    area = shapely.box(-45.15, -60.45, 75.15, 30.45)  # odd multiples of half a pixel
    whole = Window(-700, -700, 1400, 1400)
    window = Window(col, row, width, height)
    expected = burn(area.wkt, lattice, whole)[window.within(whole).slices]
    assert_array_equal(burn(area.wkt, lattice, window), expected)
