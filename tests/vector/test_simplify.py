from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from rasterio.windows import Window

from geoseg.vector.arcs import Arcs
from geoseg.vector.assemble import assemble
from geoseg.vector.coverage import coverage
from geoseg.vector.simplify import simplify
from geoseg.vector.trace import trace as trace_strips
from tests.vector.arc_oracle import polygons, trace, unpacked
from tests.vector.maps import label_maps

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = REPOSITORY.parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA}, the real imagery, is not on this machine")
tolerances = st.sampled_from([0.4, 0.75, 1.0, 1.5, 2.5, 6.0])
blobs = st.tuples(st.integers(0, 2**32 - 1), st.floats(1, 5), st.integers(2, 5)).map(lambda drawn: blob_map(*drawn))
maps = st.one_of(label_maps, blobs)


def blob_map(seed: int, width: float, count: int) -> np.ndarray:
    """Classes with bent borders, thin necks and specks, as a network draws them."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    shape = rng.integers(8, 40, 2)
    layers = np.stack([gaussian_filter(rng.normal(size=shape), width) for _ in range(count)])
    classes = layers.argmax(axis=0).astype(np.uint8)
    noise = rng.random(shape) < 0.03
    classes[noise] = rng.choice([0, 1, 254, 255], noise.sum())
    return classes


def lines(coordinates, starts):
    return [shapely.LineString(coordinates[a:b]) for a, b in pairwise(starts)]


@settings(max_examples=40, deadline=None)
@given(maps, tolerances)
def test_simplified_regions_are_a_valid_coverage_of_the_same_area(classes, tolerance):
    arcs, regions = trace(classes)
    coordinates, starts = simplify(arcs, tolerance)
    layer = polygons(arcs, coordinates, starts, len(regions))
    assert shapely.is_valid(layer).all()
    assert (shapely.get_type_id(layer) == 3).all()
    assert shapely.coverage_is_valid(layer)
    found = coverage([layer])
    assert found.valid
    assert found.area == pytest.approx((classes != 255).sum(), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(maps, tolerances)
def test_every_region_keeps_its_holes_and_its_neighbours_on_their_sides(classes, tolerance):
    arcs, regions = trace(classes)
    coordinates, starts = simplify(arcs, tolerance)
    before = polygons(arcs, arcs.corners.astype(float), arcs.starts, len(regions))
    after = polygons(arcs, coordinates, starts, len(regions))
    assert_array_equal(shapely.get_num_interior_rings(after), shapely.get_num_interior_rings(before))
    for n in range(len(arcs)):
        piece = coordinates[starts[n] :][:2]  # all arcs have one
        (east, south), middle = piece[1] - piece[0], piece.mean(axis=0)
        across = np.array([south, -east]) / np.hypot(east, south) * 1e-7  # to the left, rows going down
        for region, sign in ((arcs.left[n], 1), (arcs.right[n], -1)):
            assert region < 0 or after[region].contains(shapely.Point(middle + sign * across))


@settings(max_examples=40, deadline=None)
@given(maps, tolerances)
def test_no_arc_is_farther_from_itself_than_the_tolerance(classes, tolerance):
    arcs, _ = trace(classes)
    coordinates, starts = simplify(arcs, tolerance)
    for before, after in zip(lines(arcs.corners.astype(float), arcs.starts), lines(coordinates, starts), strict=True):
        assert shapely.hausdorff_distance(before, after, densify=0.05) <= tolerance + 1e-9


@settings(max_examples=40, deadline=None)
@given(maps, tolerances)
def test_regions_in_the_rest_of_a_map_stay_valid_and_as_near_with_their_outside_made_straight(classes, tolerance):
    arcs, regions = trace(classes)
    coordinates, starts = simplify(arcs, tolerance, outside=True)
    layer = polygons(arcs, coordinates, starts, len(regions))
    assert shapely.is_valid(layer).all() and (shapely.get_type_id(layer) == 3).all()
    assert shapely.coverage_is_valid(layer)
    for before, after in zip(lines(arcs.corners.astype(float), arcs.starts), lines(coordinates, starts), strict=True):
        assert shapely.hausdorff_distance(before, after, densify=0.05) <= tolerance + 1e-9


def test_a_slope_beside_the_outside_becomes_a_line_only_if_asked_for():
    slope = np.where(np.tri(40, dtype=bool), 1, 255).astype(np.uint8)
    arcs, _ = trace(slope)
    assert len(simplify(arcs, 1.0)[0]) > 70 and len(simplify(arcs, 1.0, outside=True)[0]) < 10


@settings(max_examples=30, deadline=None)
@given(maps, tolerances)
def test_ends_of_arcs_and_the_outer_boundary_stay(classes, tolerance):
    arcs, _ = trace(classes)
    coordinates, starts = simplify(arcs, tolerance)
    outer = (arcs.left < 0) | (arcs.right < 0)
    for n in range(len(arcs)):
        old, new = arcs.corners[arcs.starts[n] : arcs.starts[n + 1]], coordinates[starts[n] : starts[n + 1]]
        if outer[n]:
            assert_array_equal(new, old)
        elif (old[0] != old[-1]).any():
            assert_array_equal(new[[0, -1]], old[[0, -1]])


@settings(max_examples=30, deadline=None)
@given(maps, tolerances, st.integers(0, 2**32 - 1))
def test_result_of_an_arc_does_not_depend_on_its_place_in_the_list(classes, tolerance, seed):
    arcs, _ = trace(classes)
    order = np.random.default_rng(seed).permutation(len(arcs))
    pieces = [arcs.corners[arcs.starts[n] : arcs.starts[n + 1]] for n in order]
    shuffled = Arcs(
        np.concatenate([np.empty((0, 2), np.int32), *pieces]),
        np.concatenate([[0], np.cumsum([len(p) for p in pieces])]).astype(np.int64),
        arcs.left[order],
        arcs.right[order],
    )
    coordinates, starts = simplify(arcs, tolerance)
    again, again_starts = simplify(shuffled, tolerance, threads=3)
    for at, n in enumerate(order):
        assert_array_equal(again[again_starts[at] : again_starts[at + 1]], coordinates[starts[n] : starts[n + 1]])


@pytest.mark.parametrize(("rise", "run"), [(1, 1), (1, 2), (2, 3), (3, 1), (1, 7)])
def test_a_rasterized_line_becomes_a_line(rise, run):
    row, col = np.mgrid[:60, :60] + 0.5
    classes = (rise * (col - 30.2) > run * (row - 30.4)).astype(np.uint8)
    arcs, _ = trace(classes)
    _, starts = simplify(arcs, 1.0)
    inner = [n for n in range(len(arcs)) if arcs.left[n] >= 0 and arcs.right[n] >= 0]
    assert len(inner) == 1
    assert starts[inner[0] + 1] - starts[inner[0]] <= 4  # both ends are on whole pixels of the map's edge


def test_a_house_keeps_its_corners():
    classes = np.zeros((30, 30), np.uint8)
    classes[8:20, 6:25] = 1
    classes[12:14, 25] = 1  # a speck of noise on its wall
    classes[8:14, 6:12] = 0
    arcs, regions = trace(classes)
    coordinates, starts = simplify(arcs, 1.0)
    house = polygons(arcs, coordinates, starts, len(regions))[regions.values == 1][0]
    assert sorted(house.exterior.coords[:-1]) == [(6, 14), (6, 20), (12, 8), (12, 14), (25, 8), (25, 20)]


@needs_data
def test_real_labels_need_fewer_vertices_than_shapely_makes_and_stay_a_coverage():
    with rasterio.open(DATA / "mbrsc" / "tile8_labels.tif") as raster:
        classes = raster.read(1, window=Window(5800, 3200, 600, 600))
    arcs, regions = trace_strips([classes])
    coordinates, starts = simplify(arcs, 1.0)
    layer = assemble(arcs.left, arcs.right, coordinates, starts, len(regions))
    assert shapely.is_valid(layer).all()
    assert shapely.coverage_is_valid(layer)
    assert shapely.area(layer).sum() == pytest.approx((classes != 255).sum(), abs=1e-6)
    before = assemble(arcs.left, arcs.right, arcs.corners, arcs.starts, len(regions))
    count = shapely.get_num_coordinates(layer).sum()
    assert count < 0.8 * shapely.get_num_coordinates(shapely.simplify(before, 1.0)).sum()
    assert (
        count < 0.5 * shapely.get_num_coordinates(shapely.coverage_simplify(before, 1.0, simplify_boundary=False)).sum()
    )


def test_nothing_and_one_pixel():
    nothing, _ = trace(np.full((2, 2), 255, np.uint8))
    coordinates, starts = simplify(nothing, 1.0)
    assert coordinates.shape == (0, 2)
    assert starts.tolist() == [0]
    one, _ = trace(np.zeros((1, 1), np.uint8))
    assert simplify(one, 5.0)[0].tolist() == [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]
    assert len(unpacked(one)) == 1
