import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import ndimage

from geoseg.raster.borders import surroundings


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10_000), reach=st.integers(1, 6), share=st.sampled_from([0.0, 0.02, 0.3, 1.0]))
def test_agrees_with_scipys_distance(seed, reach, share):
    mask = np.random.default_rng(seed).random((23, 31)) < share
    expected = np.zeros_like(mask)
    if mask.any():
        expected = ~mask & (ndimage.distance_transform_edt(~mask) <= reach)
    assert_array_equal(surroundings(mask, reach), expected)
