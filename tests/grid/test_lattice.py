"""Lattices and grids: round trips, what is the same grid and what is not, cells."""

import math

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from geoseg.errors import DataError
from geoseg.grid.lattice import Lattice, cells
from geoseg.grid.window import Window

UTM = "EPSG:32640"
resolutions = st.sampled_from([0.1, 0.3, 0.5, 0.8, 1.0, 2.4384, 10.0, 30.0])
corners = st.floats(-9e6, 9e6)  # southern hemispheres without a false northing have negative ones
windows = st.builds(
    Window, st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6), st.integers(1, 9), st.integers(1, 9)
)


def geobox(left, top, resolution, shape=(40, 30), crs=UTM):
    return GeoBox(shape, Affine(resolution, 0.0, left, 0.0, -resolution, top), CRS(crs))


@given(corners, corners, resolutions)
@settings(max_examples=50)
def test_a_grid_lies_on_its_own_lattice_and_comes_back(left, top, resolution):
    grid = geobox(left, top, resolution)
    lattice = Lattice.from_geobox(grid)
    assert 0 <= lattice.phase_x < resolution and 0 <= lattice.phase_y < resolution
    assert lattice.holds(grid)
    window = lattice.window(grid.boundingbox.bbox)
    assert window.shape == grid.shape
    back = lattice.geobox(window)
    off = max(abs(back.transform.c - left), abs(back.transform.f - top)) / resolution
    assert off < 1e-3 and back.shape == grid.shape and back.crs == grid.crs


@given(corners, resolutions, windows)
@settings(max_examples=50)
def test_a_window_comes_back_from_its_bounds(corner, resolution, window):
    lattice = Lattice.from_geobox(geobox(corner, -corner / 3, resolution))
    assert lattice.window(lattice.geobox(window).boundingbox.bbox) == window
    again = Lattice.from_geobox(lattice.geobox(window))
    assert again.resolution == resolution and again.crs == lattice.crs
    assert math.isclose(again.phase_x, lattice.phase_x, abs_tol=2e-3 * resolution)
    assert math.isclose(again.phase_y, lattice.phase_y, abs_tol=2e-3 * resolution)


@given(corners, resolutions, st.integers(-5000, 5000), st.integers(-5000, 5000))
@settings(max_examples=50)
def test_whole_pixels_away_is_the_same_grid_and_a_hundredth_is_not(corner, resolution, cols, rows):
    lattice = Lattice.from_geobox(geobox(corner, corner, resolution))
    left, top = corner + cols * resolution, corner - rows * resolution
    assert lattice.holds(geobox(left, top, resolution))
    assert not lattice.holds(geobox(left + resolution / 100, top, resolution))
    assert not lattice.holds(geobox(left, top - resolution / 100, resolution))


@pytest.mark.parametrize("shift", [1e-5, -1e-5, 5e-4, -5e-4])
def test_nearly_whole_phases_are_zero_from_both_sides(shift):
    lattice = Lattice.from_geobox(geobox(400_000 + 0.8 * shift, 2_800_000 + 0.8 * shift, 0.8))
    assert (lattice.phase_x, lattice.phase_y) == (0.0, 0.0)
    assert lattice.window(geobox(400_000, 2_800_000, 0.8).boundingbox.bbox) == Window(500_000, -3_500_000, 30, 40)


def test_a_pixel_size_that_drifts_across_the_raster_is_another_grid():
    lattice = Lattice(UTM, 0.8)
    assert lattice.holds(geobox(0, 0, 0.8 * (1 + 1e-9), (10_000, 10_000)))
    assert not lattice.holds(geobox(0, 0, 0.8 * (1 + 1e-6), (10_000, 10_000)))  # a hundredth of a pixel at the end


def test_another_crs_or_a_turned_grid_is_another_grid():
    lattice = Lattice(UTM, 1.0)
    assert not lattice.holds(geobox(0, 0, 1.0, crs="EPSG:32639"))
    turned = Affine.rotation(10) @ Affine.scale(1, -1)
    assert not lattice.holds(GeoBox((4, 4), turned, CRS(UTM)))
    with pytest.raises(DataError, match="not a north-up grid of square pixels; give the grid a crs and a gsd"):
        Lattice.from_geobox(GeoBox((4, 4), turned, CRS(UTM)))


@pytest.mark.parametrize("a, e", [(1.0, 1.0), (-1.0, -1.0), (1.0, -2.0)])
def test_south_up_mirrored_and_oblong_pixels_are_refused(a, e):
    with pytest.raises(DataError, match="north-up grid of square pixels") as caught:
        Lattice.from_geobox(GeoBox((4, 4), Affine(a, 0, 0, 0, e, 0), CRS(UTM)))
    assert caught.value.exit_code == 3


def test_a_unit_is_as_long_as_it_is():
    assert Lattice(UTM, 0.8).gsd == 0.8
    feet = Lattice("EPSG:2263", 2.0)  # New York, US survey feet
    assert feet.metres_per_unit == pytest.approx(1200 / 3937, rel=1e-12)
    assert feet.gsd == pytest.approx(2 * 1200 / 3937, rel=1e-12)


def test_a_crs_without_a_code_keeps_its_own_text():
    wkt = CRS("+proj=laea +lat_0=10 +lon_0=20 +datum=WGS84 +units=m").to_wkt()
    lattice = Lattice.from_geobox(geobox(5.25, 7.5, 1.0, crs=wkt))
    assert CRS(lattice.crs) == CRS(wkt)
    assert lattice.holds(lattice.geobox(Window(-3, 4, 5, 6)))


@given(
    st.builds(Window, st.integers(-30, 30), st.integers(-30, 30), st.integers(1, 40), st.integers(1, 40)),
    st.integers(1, 16),
)
@settings(max_examples=50)
def test_cells_cover_a_window_once_and_all_touch_it(window, side):
    count = np.zeros((200, 200), int)
    order = []
    for cell in cells(window, side):
        assert cell.shape == (side, side) and cell.col_off % side == 0 and cell.row_off % side == 0
        assert cell.intersect(window) is not None
        count[cell.shift(80, 80).slices] += 1
        order.append((cell.row_off, cell.col_off))
    assert (count[window.shift(80, 80).slices] == 1).all() and count.max() == 1
    assert order == sorted(order)
