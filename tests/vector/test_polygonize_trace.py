"""Tracing against GDAL and against burning the polygons back."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.features
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal
from scipy import ndimage

from geoseg.vector.assemble import Assembly, assemble
from geoseg.vector.polygonize import polygonize
from geoseg.vector.trace import trace

MBRSC = Path(__file__).parents[2] / "../shared/data/mbrsc"
HOLES = np.zeros((11, 11), np.uint8)
for inset in range(1, 6):
    HOLES[inset : 11 - inset, inset : 11 - inset] = inset % 2
TOUCHING = np.array([[1, 1, 1, 1], [1, 2, 1, 1], [1, 1, 2, 1], [1, 1, 1, 2]], np.uint8)
GAP = np.array([[255, 1, 1], [1, 255, 1], [1, 1, 255]], np.uint8)  # touches itself at what is outside
SADDLES = (np.indices((9, 8)).sum(axis=0) % 2).astype(np.uint8)
NOISE = np.random.default_rng(8).integers(0, 6, (40, 40), dtype=np.uint8)
SPECIAL = [
    np.full((1, 1), 7, np.uint8),
    np.full((1, 1), 255, np.uint8),
    np.full((5, 4), 254, np.uint8),
    np.full((5, 4), 255, np.uint8),
    HOLES,
    TOUCHING,
    GAP,
    SADDLES,
    NOISE,
    np.where(SADDLES, 255, 3).astype(np.uint8),
]


@st.composite
def maps(draw):
    """Up to 40 x 40 pixels of 2 to 6 values, in blobs or as noise."""
    values = draw(st.lists(st.sampled_from([0, 1, 2, 7, 254, 255]), min_size=2, max_size=6, unique=True))
    shape = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    if draw(st.booleans()):
        return draw(arrays(np.uint8, shape, elements=st.sampled_from(values)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    coarse = rng.choice(np.array(values, np.uint8), (shape[0] // 4 + 1, shape[1] // 4 + 1))
    classes = np.kron(coarse, np.ones((4, 4), np.uint8))[: shape[0], : shape[1]]
    noisy = rng.random(shape) < draw(st.sampled_from([0, 0.05, 0.3]))
    return np.where(noisy, rng.choice(np.array(values, np.uint8), shape), classes).astype(np.uint8)


def as_set(polygons, values):
    return sorted(zip(shapely.to_wkb(shapely.normalize(polygons)), values, strict=True))


def gdal_polygons(classes, connectivity):
    found = [(shapely.geometry.shape(g), int(v)) for g, v in rasterio.features.shapes(classes, None, connectivity)]
    found = [(polygon, value) for polygon, value in found if value != 255]
    return as_set([polygon for polygon, _ in found], [value for _, value in found])


def burned(polygons, values, shape):
    pairs = list(zip(polygons, values.tolist(), strict=True))
    return rasterio.features.rasterize(pairs, shape, fill=255, dtype="uint8") if pairs else np.full(shape, 255)


def strips(classes, rows):
    return (classes[row : row + rows] for row in range(0, len(classes), rows))


def members(traced):
    arcs, regions = traced
    return [arcs.corners, arcs.starts, arcs.left, arcs.right, regions.values, regions.pixels]


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("classes", SPECIAL, ids=range(len(SPECIAL)))
def test_special_maps_give_the_polygons_of_gdal(classes, connectivity):
    polygons, values = polygonize(classes, connectivity)
    assert as_set(polygons, values.tolist()) == gdal_polygons(classes, connectivity)


@settings(max_examples=80, deadline=None)
@given(maps(), st.sampled_from([4, 8]))
def test_polygons_are_those_of_gdal(classes, connectivity):
    polygons, values = polygonize(classes, connectivity)
    assert as_set(polygons, values.tolist()) == gdal_polygons(classes, connectivity)


@settings(max_examples=80, deadline=None)
@given(maps())
@example(SADDLES)
def test_polygons_burn_back_to_the_map_and_cover_it_once(classes):
    polygons, values = polygonize(classes)
    assert_array_equal(burned(polygons, values, classes.shape), classes)
    assert shapely.is_valid(polygons).all()
    assert shapely.area(polygons).sum() == (classes != 255).sum()
    assert not shapely.is_ccw(shapely.get_exterior_ring(polygons)).any()


@settings(max_examples=80, deadline=None)
@given(maps(), st.integers(1, 50), st.integers(1, 3), st.sampled_from([4, 8]))
@example(HOLES, 1, 2, 4)
@example(np.full((12, 3), 254, np.uint8), 1, 3, 4)
def test_strips_and_threads_do_not_show(classes, rows, threads, connectivity):  # V03
    whole = trace([classes], connectivity)
    for one, other in zip(members(whole), members(trace(strips(classes, rows), connectivity, threads)), strict=True):
        assert_array_equal(one, other)
        assert one.dtype == other.dtype


@settings(max_examples=60, deadline=None)
@given(maps(), st.sampled_from([4, 8]))
def test_regions_are_those_of_scipy(classes, connectivity):
    _, regions = trace([classes], connectivity)
    around = ndimage.generate_binary_structure(2, 1 if connectivity == 4 else 2)
    expected = []
    for value in np.unique(classes[classes != 255]):
        labels, count = ndimage.label(classes == value, around)
        for n in range(1, count + 1):
            inside = np.flatnonzero(labels == n)
            expected.append((inside[0], value, len(inside)))
    expected.sort()
    assert regions.values.tolist() == [value for _, value, _ in expected]
    assert regions.pixels.tolist() == [count for _, _, count in expected]


@settings(max_examples=60, deadline=None)
@given(maps())
def test_arcs_are_what_they_promise(classes):
    arcs, regions = trace([classes])
    padded = np.pad(classes, 1, constant_values=255).astype(int)
    edges = (padded[1:] != padded[:-1]).sum() + (padded[:, 1:] != padded[:, :-1]).sum()
    length, places = 0, []
    for i in range(len(arcs)):
        line = arcs.corners[arcs.starts[i] : arcs.starts[i + 1]].astype(int)
        steps = np.diff(line, axis=0)
        length += np.abs(steps).sum()
        assert ((steps != 0).sum(axis=1) == 1).all()  # along the axes
        assert ((steps[1:] != 0) != (steps[:-1] != 0)).all()  # and turning at each corner: none on a strip's line
        (col, row), step = line[0], np.sign(steps[0])
        left, right = {
            (1, 0): ((0, 1), (1, 1)),
            (0, 1): ((1, 1), (1, 0)),
            (-1, 0): ((1, 0), (0, 0)),
            (0, -1): ((0, 0), (0, 1)),
        }[tuple(step)]
        for side, (down, along) in ((arcs.left[i], left), (arcs.right[i], right)):
            assert (255 if side < 0 else regions.values[side]) == padded[row + down, col + along]
        assert arcs.left[i] != arcs.right[i]
        places.append((row, col, [(1, 0), (0, 1), (-1, 0), (0, -1)].index(tuple(step))))
    assert length == edges  # each boundary once
    assert places == sorted(places)
    assert not len(arcs) or arcs.starts[-1] == len(arcs.corners)


@settings(max_examples=40, deadline=None)
@given(maps(), st.integers(1, 60))
def test_batches_are_the_whole(classes, corners):
    arcs, regions = trace([classes])
    inputs = arcs.left, arcs.right, arcs.corners.astype(float), arcs.starts, len(regions)
    assembly = Assembly(*inputs)
    batches = list(assembly.batches(corners))
    assert [last for _, last in batches[:-1]] == [first for first, _ in batches[1:]]
    parts = [polygon for batch in batches for polygon in assembly.polygons(*batch)]
    assert shapely.to_wkb(parts).tolist() == shapely.to_wkb(assemble(*inputs)).tolist()
    assert all(
        last - first == 1 or shapely.get_num_coordinates(assembly.polygons(first, last)).sum() <= corners
        for first, last in batches
    )


@settings(max_examples=40, deadline=None)
@given(maps())
def test_all_junctions_are_kept_unless_straightened(classes):
    arcs, regions = trace([classes])
    polygons = assemble(arcs.left, arcs.right, arcs.corners.astype(float), arcs.starts, len(regions))
    assert shapely.coverage_is_valid(polygons)
    assert shapely.equals(polygons, polygonize(classes)[0]).all()


def test_arcs_that_were_bent_between_their_ends_still_make_their_polygons():
    """Each arc's inner corners moved a little, its ends not: as simplification and smoothing do."""
    classes = np.kron(np.random.default_rng(2).integers(0, 3, (9, 9), dtype=np.uint8), np.ones((4, 4), np.uint8))
    arcs, regions = trace([classes])
    bent = arcs.corners.astype(float)
    inner = np.ones(len(bent), bool)
    inner[arcs.starts[:-1]] = inner[arcs.starts[1:] - 1] = False
    inner &= ((bent > 0) & (bent < 36)).all(axis=1)
    bent[inner] += np.random.default_rng(3).uniform(-0.4, 0.4, (inner.sum(), 2))
    polygons = assemble(arcs.left, arcs.right, bent, arcs.starts, len(regions))
    assert shapely.coverage_is_valid(polygons)
    assert shapely.area(polygons).sum() == pytest.approx(36 * 36)
    assert_array_equal(shapely.get_num_interior_rings(polygons), shapely.get_num_interior_rings(polygonize(classes)[0]))


def test_regions_that_were_merged_lose_the_arcs_between_them():
    classes = np.array([[1, 1, 2], [3, 3, 2], [3, 3, 2]], np.uint8)
    arcs, regions = trace([classes])
    into = np.array([0, 1, 0])  # class 3 to class 1
    left, right = (np.where(side < 0, -1, into[side]) for side in (arcs.left, arcs.right))
    polygons = assemble(left, right, arcs.corners, arcs.starts, len(regions))
    assert polygons[0].equals(shapely.box(0, 0, 2, 3))
    assert polygons[1].equals(shapely.box(2, 0, 3, 3))
    assert polygons[2].is_empty


@pytest.mark.skipif(not MBRSC.exists(), reason="the mbrsc imagery is not beside the checkout")
@pytest.mark.parametrize("number", [4, 6])
def test_real_labels_give_the_polygons_of_gdal(number):
    with rasterio.open(MBRSC / f"tile{number}_labels.tif") as dataset:
        classes = dataset.read(1)[:1500, :1500]
    polygons, values = polygonize(classes, threads=2)
    assert as_set(polygons, values.tolist()) == gdal_polygons(classes, 4)
    arcs = trace(strips(classes, 333), threads=2)
    assert all(map(np.array_equal, members(arcs), members(trace([classes]))))
