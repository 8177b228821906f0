"""The most frequent value of each region against numpy, region by region."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import ndimage

from geoseg.vector.region_stats import RegionRows, RegionStatistics
from geoseg.vector.trace import trace


@pytest.mark.parametrize("rows", [1, 13, 90])
def test_most_frequent_is_the_mode_of_small_and_large_regions(rows):
    rng = np.random.default_rng(0)
    classes = np.zeros((90, 70), np.uint8)
    classes[5:60, 5:60] = 1  # over 1020 pixels, which are counted, not kept
    classes[70:80, 10:20], classes[85, 3] = 2, 3
    values = rng.choice([0, 3, 7, 9, 254, 255], classes.shape, p=[0.2, 0.1, 0.3, 0.2, 0.1, 0.1]).astype(np.uint8)
    values[85, 3] = 255
    arcs, regions = trace([classes])
    statistics = RegionStatistics(arcs, len(regions), 70)
    for row in range(0, 90, rows):
        statistics.add(np.ones(values[row : row + rows].shape), values[row : row + rows])
    expected = []
    for value in regions.values.tolist():
        assert ndimage.label(classes == value)[1] == 1
        known = values[(classes == value) & (values != 255)]
        expected.append(int(np.bincount(known).argmax()) if len(known) else -1)
    assert_array_equal(statistics.most_frequent(), expected)
    assert -1 in expected


@pytest.mark.parametrize("rows", [1, 7, 40])
def test_rows_are_the_map_again(rows):
    rng = np.random.default_rng(1)
    classes = rng.choice([1, 2, 3, 255], (10, 12)).astype(np.uint8).repeat(4, 0).repeat(3, 1)
    arcs, regions = trace([classes])
    made = RegionRows(arcs, regions.values, 255, classes.shape[1])
    again = [made.next(min(rows, len(classes) - row)) for row in range(0, len(classes), rows)]
    assert_array_equal(np.concatenate(again), classes)
