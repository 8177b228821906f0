import numpy as np
import rasterio.features
import shapely
from affine import Affine
from hypothesis import given, settings

from geoseg.vector.polygonize import place, polygonize
from tests.vector.maps import label_maps


@settings(max_examples=40, deadline=None)
@given(label_maps)
def test_order_is_by_first_pixel(classes):
    polygons, values = polygonize(classes)
    firsts = []
    for polygon, value in zip(polygons, values, strict=True):
        inside = rasterio.features.rasterize([polygon], classes.shape).astype(bool)
        assert (classes[inside] == value).all()
        firsts.append(np.flatnonzero(inside)[0])
    assert firsts == sorted(firsts)


def test_nothing_stays_nothing():
    polygons, values = polygonize(np.full((2, 3), 255, np.uint8))
    assert len(polygons) == len(values) == len(place(polygons, Affine.identity())) == 0


def test_placed_corners_are_exact_and_rings_counterclockwise():
    polygons, _ = polygonize(np.array([[1, 1, 2], [1, 3, 2]], np.uint8))
    placed = place(polygons, Affine(0.8, 0, 380_000, 0, -0.8, 2_790_000))
    assert shapely.is_ccw(shapely.get_exterior_ring(placed)).all()
    assert shapely.bounds(placed[2]).tolist() == [380_000 + 0.8, 2_790_000 - 1.6, 380_000 + 1.6, 2_790_000 - 0.8]
