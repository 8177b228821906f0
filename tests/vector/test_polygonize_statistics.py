"""Statistics of regions against numpy on their burned masks, and estimates against what tracing made."""

import numpy as np
import pytest
import rasterio.features
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from geoseg.errors import MachineError
from geoseg.vector.arcs import Arcs
from geoseg.vector.assemble import assemble
from geoseg.vector.region_stats import RegionStatistics, border_share
from geoseg.vector.trace import trace
from geoseg.vector.trace_estimate import estimate
from tests.vector.maps import label_maps


def layers(shape, seed):
    rng = np.random.default_rng(seed)
    confidence = rng.integers(0, 251, shape, dtype=np.uint8)
    confidence[rng.random(shape) < 0.2] = 255
    return rng.uniform(0.5, 2, shape), confidence


def fed(arcs, count, area, confidence, rows):
    statistics = RegionStatistics(arcs, count, area.shape[1])
    for row in range(0, len(area), rows):
        statistics.add(area[row : row + rows], confidence[row : row + rows])
    return statistics.finish()


def merged(arcs, into):
    left, right = (np.where(side < 0, -1, into[side]) for side in (arcs.left, arcs.right))
    return Arcs(arcs.corners, arcs.starts, left, right)


def require_exact(polygons, found, area, confidence):
    for n, polygon in enumerate(polygons):
        if polygon.is_empty:
            assert found.pixels[n] == found.area[n] == 0
            continue
        inside = rasterio.features.rasterize([polygon], area.shape).astype(bool)
        known = confidence[inside & (confidence != 255)]
        assert found.pixels[n] == inside.sum()
        assert_allclose(found.area[n], area[inside].sum(), rtol=1e-12)
        assert_allclose(found.mean[n], known.mean() if len(known) else np.nan, rtol=1e-12)
        lowest = np.percentile(known, 10, method="inverted_cdf") if len(known) else np.nan
        assert_array_equal(found.decile[n], lowest)


@settings(max_examples=60, deadline=None)
@given(label_maps, st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 40))
def test_statistics_are_those_of_the_pixels_before_and_after_merging(classes, seed, rows, groups):
    area, confidence = layers(classes.shape, seed)
    arcs, regions = trace([classes])
    count = len(regions)
    polygons = assemble(arcs.left, arcs.right, arcs.corners, arcs.starts, count)
    require_exact(polygons, fed(arcs, count, area, confidence, rows), area, confidence)
    into = np.random.default_rng(seed).integers(0, min(groups, max(count, 1)), count)
    union = [shapely.union_all(polygons[into == n]) for n in range(count)]
    require_exact(union, fed(merged(arcs, into), count, area, confidence, rows), area, confidence)


def test_large_regions_are_counted_by_value():
    classes = np.zeros((90, 80), np.uint8)
    classes[:40, :30] = 1
    classes[60:63, 50:53] = 2
    area, confidence = layers(classes.shape, 1)
    arcs, regions = trace([classes])
    polygons = assemble(arcs.left, arcs.right, arcs.corners, arcs.starts, len(regions))
    assert len(polygons) == 3
    require_exact(polygons, fed(arcs, len(regions), area, confidence, 7), area, confidence)


@settings(max_examples=40, deadline=None)
@given(label_maps, st.integers(1, 30))
def test_sums_do_not_depend_on_how_rows_are_fed(classes, rows):
    area, confidence = layers(classes.shape, 3)
    arcs, regions = trace([classes])
    one, other = (fed(arcs, len(regions), area, confidence, n) for n in (rows, len(classes)))
    assert_array_equal(one.area, other.area)  # to the last bit


@settings(max_examples=40, deadline=None)
@given(label_maps)
def test_border_with_the_unobserved(classes):
    arcs, regions = trace([classes])
    unobserved = regions.values == 254
    share = border_share(arcs, unobserved, 1.0, 1.0)
    polygons = assemble(arcs.left, arcs.right, arcs.corners, arcs.starts, len(regions))
    clouds = shapely.union_all(shapely.boundary(polygons[unobserved]))
    for n, polygon in enumerate(polygons):
        if not unobserved[n]:
            assert share[n] == pytest.approx(polygon.boundary.intersection(clouds).length / polygon.length)
        else:
            assert share[n] == 0  # touching unobserved regions would be one


def test_border_is_measured_on_the_ground():
    arcs, _ = trace([np.array([[1, 254]], np.uint8)])
    assert border_share(arcs, np.array([False, True]), 3.0, 2.0)[0] == 2 / 10


@settings(max_examples=60, deadline=None)
@given(label_maps, st.integers(1, 30))
def test_an_estimate_is_a_bound_and_corners_are_counted(classes, rows):
    guess = estimate(classes[row : row + rows] for row in range(0, len(classes), rows))
    arcs, regions = trace([classes])
    first, last = arcs.corners[arcs.starts[:-1]], arcs.corners[arcs.starts[1:] - 1]
    rings = (first == last).all(axis=1).sum()
    assert guess.pixels == (classes != 255).sum()
    assert guess.corners <= len(arcs.corners) <= guess.corners + rings
    assert len(regions) <= guess.regions
    assert len(arcs) <= guess.arcs


def test_noise_is_refused_before_it_is_traced():
    noise = estimate([np.random.default_rng(0).integers(0, 6, (1024, 1024), dtype=np.uint8)])
    assert 700_000 < noise.regions < 800_000
    with pytest.raises(MachineError, match="cut the area into smaller ones") as caught:
        noise.require(100_000_000, "noise.tif")
    assert caught.value.exit_code == 5
    noise.require(1_000_000_000, "noise.tif")
