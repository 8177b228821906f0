"""The nearest earlier polygon against all pairs."""

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from geoseg.vector.earlier import nearest_earlier


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9999), st.integers(0, 25), st.integers(1, 3), st.integers(1, 4))
def test_it_is_the_nearest_of_all_pairs(seed, count, kinds, steps):
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 40, (count, 2)).astype(float)
    polygons = shapely.box(*corners.T, *(corners + rng.integers(1, 5, (count, 2))).T)
    kind, step = rng.integers(0, kinds, count), rng.integers(1, steps + 1, count)
    found = nearest_earlier(polygons, kind, step)
    for k in range(count):
        known = [n for n in range(count) if kind[n] == kind[k] and step[n] < step[k]]
        metres = [polygons[n].distance(polygons[k]) for n in known]
        assert_array_equal(found[k], known[int(np.argmin(metres))] if known else -1)
