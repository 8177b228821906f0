"""Small class maps and their regions by GDAL, for tests."""

import numpy as np
import rasterio.features
import shapely
import shapely.geometry
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

shapes = st.tuples(st.integers(1, 24), st.integers(1, 24))
label_maps = shapes.flatmap(lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 7, 254, 255])))


def regions(classes):
    """Polygons in pixel coordinates and values of the 4-connected regions, unordered, 255 among them."""
    found = list(rasterio.features.shapes(classes, connectivity=4))
    polygons = np.empty(len(found), object)
    polygons[:] = [shapely.geometry.shape(geometry) for geometry, _ in found]
    return polygons, np.array([value for _, value in found], np.uint8)


def ordered(polygons, values):
    """The same polygons in an order, and with rings, that do not depend on who traced them."""
    normal = shapely.normalize(polygons)
    order = np.lexsort((shapely.to_wkb(normal), values)) if len(values) else slice(0)
    return normal[order], values[order]
