import numpy as np
import rasterio.features
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from geoseg.vector.polygonize import canonical, place
from tests.vector.maps import label_maps, regions


@settings(max_examples=40, deadline=None)
@given(label_maps, st.integers(0, 2**32 - 1))
def test_order_and_rings_do_not_depend_on_who_traced(classes, seed):
    polygons, values = canonical(*regions(classes))
    shuffled = np.random.default_rng(seed).permutation(len(polygons))
    turned = shapely.orient_polygons(polygons[shuffled], exterior_cw=bool(seed % 2))
    again, values_again = canonical(turned, values[shuffled])
    assert_array_equal(values_again, values)
    assert shapely.to_wkb(again).tolist() == shapely.to_wkb(polygons).tolist()


@settings(max_examples=40, deadline=None)
@given(label_maps)
def test_order_is_class_then_first_pixel(classes):
    polygons, values = canonical(*regions(classes))
    keys = []
    for polygon, value in zip(polygons, values, strict=True):
        inside = rasterio.features.rasterize([polygon], classes.shape).astype(bool)
        assert (classes[inside] == value).all()
        keys.append((value, *np.argwhere(inside)[0]))
    assert keys == sorted(keys)
    assert not shapely.is_ccw(shapely.get_exterior_ring(polygons)).any()


def test_nothing_stays_nothing():
    polygons, values = canonical(np.empty(0, object), np.empty(0, np.uint8))
    assert len(polygons) == len(values) == len(place(polygons, Affine.identity())) == 0


def test_placed_corners_are_exact_and_rings_counterclockwise():
    polygons, _ = canonical(*regions(np.array([[1, 1, 2], [1, 3, 2]], np.uint8)))
    placed = place(polygons, Affine(0.8, 0, 380_000, 0, -0.8, 2_790_000))
    assert shapely.is_ccw(shapely.get_exterior_ring(placed)).all()
    assert shapely.bounds(placed[2]).tolist() == [380_000 + 0.8, 2_790_000 - 1.6, 380_000 + 1.6, 2_790_000 - 0.8]
