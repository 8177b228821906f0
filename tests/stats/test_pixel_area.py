import numpy as np
import pytest
from affine import Affine
from numpy.testing import assert_allclose, assert_array_equal
from pyproj import CRS, Proj, Transformer

from geoseg.errors import DataError
from geoseg.grid.window import Window
from geoseg.stats.pixel_area import PixelArea

PLACES = {  # crs, left, top, pixel side in units of the CRS
    "utm at its meridian": ("EPSG:32633", 500_000, 5_300_000, 0.8),
    "utm far from its meridian": ("EPSG:32633", 950_000, 6_500_000, 10.0),
    "south of the equator": ("EPSG:32733", 300_000, 9_100_000, 30.0),
    "equal area": ("EPSG:3035", 4_321_000, 3_210_000, 10.0),
    "web mercator at 60 N": ("EPSG:3857", 1_000_000, 8_400_000, 5.0),
    "us feet": ("EPSG:2263", 980_000, 200_000, 3.0),
    "degrees": ("EPSG:4326", 11.0, 60.5, 1e-4),
    "pole": ("EPSG:3413", -3_000, 3_000, 20.0),
    "antimeridian": ("EPSG:32601", 180_000, 1_000_000, 100.0),
    "coarse": ("EPSG:3857", 0, 8_400_000, 1_000.0),
}


def geodesic_area(crs: CRS, transform: Affine, window: Window) -> float:
    """Area of the window's outline, drawn with many points, by geodesics: shares nothing with PixelArea."""
    cols = np.linspace(window.col_off, window.right, 2001)
    rows = np.linspace(window.row_off, window.bottom, 2001)
    outline = np.concatenate(
        [
            np.c_[cols, np.full(2001, window.row_off)],
            np.c_[np.full(2001, window.right), rows],
            np.c_[cols[::-1], np.full(2001, window.bottom)],
            np.c_[np.full(2001, window.col_off), rows[::-1]],
        ]
    )
    x, y = outline[:, 0] * transform.a + transform.c, outline[:, 1] * transform.e + transform.f
    lon, lat = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True).transform(x, y)
    return abs(crs.get_geod().polygon_area_perimeter(lon, lat)[0])


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("window", [Window(0, 0, 300, 200), Window(700, 411, 130, 67), Window(64, 64, 20, 20)])
def test_sum_over_a_window_is_its_geodesic_area(place, window):
    code, left, top, side = PLACES[place]
    crs, transform = CRS(code), Affine(side, 0, left, 0, -side, top)
    area = PixelArea(crs, transform, (1000, 1000))(window)
    assert area.shape == window.shape
    assert_allclose(area.sum(), geodesic_area(crs, transform, window), rtol=1e-5)


@pytest.mark.parametrize("place", ["utm far from its meridian", "south of the equator", "equal area", "us feet"])
def test_each_pixel_agrees_with_the_scale_factors_of_proj(place):
    code, left, top, side = PLACES[place]
    crs, transform = CRS(code), Affine(side, 0, left, 0, -side, top)
    area = PixelArea(crs, transform, (1000, 1000))(Window(10, 20, 70, 90))
    metre = crs.axis_info[0].unit_conversion_factor
    for row, col in [(0, 0), (89, 0), (45, 33), (89, 69)]:
        lon, lat = Proj(crs)(left + side * (10 + col + 0.5), top - side * (20 + row + 0.5), inverse=True)
        assert_allclose(area[row, col], (side * metre) ** 2 / Proj(crs).get_factors(lon, lat).areal_scale, rtol=1e-6)


def test_a_window_does_not_change_the_area_of_its_pixels():
    area = PixelArea(CRS("EPSG:3857"), Affine(5, 0, 0, 0, -5, 8_000_000), (400, 400))
    whole = area(Window(0, 0, 400, 400))
    assert_array_equal(area(Window(63, 65, 130, 1)), whole[65:66, 63:193])


def test_one_pixel_and_equal_area():
    area = PixelArea(CRS("EPSG:3035"), Affine(10, 0, 4_000_000, 0, -10, 3_000_000), (1, 1))(Window(0, 0, 1, 1))
    assert_allclose(area, [[100.0]], rtol=1e-8)


def test_outside_the_projection_is_refused_with_a_way_out():
    with pytest.raises(DataError, match="crs: auto") as caught:
        PixelArea(CRS("EPSG:3035"), Affine(1e6, 0, 3e7, 0, -1e6, 3e7), (10, 10))(Window(0, 0, 10, 10))
    assert caught.value.exit_code == 3


def test_a_local_crs_is_refused():
    local = CRS.from_wkt('LOCAL_CS["site grid",UNIT["metre",1]]')
    with pytest.raises(DataError, match="not tied to the Earth"):
        PixelArea(local, Affine.identity(), (10, 10))
