import resource
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.features
import shapely
from affine import Affine
from hypothesis import HealthCheck, example, given, settings
from numpy.testing import assert_array_equal

from geoseg.errors import DataError, MachineError
from geoseg.io.polygons import CornerFile, class_strips
from geoseg.io.rasters import open_raster
from geoseg.vector.assemble import Assembly
from geoseg.vector.polygonize import place
from geoseg.vector.trace import trace
from tests.vector.maps import label_maps, ordered, regions

REAL = Path(__file__).parents[2] / "../shared/data/mbrsc/tile6_labels.tif"
NORTH_UP = Affine(0.8, 0, 380_000.4, 0, -0.8, 2_790_000)
CHECKERBOARD = (np.indices((9, 8)).sum(axis=0) % 2).astype(np.uint8)


def write(path, classes, transform=NORTH_UP, **profile):
    height, width = classes.shape
    kind = {"driver": "GTiff", "count": 1, "dtype": classes.dtype, "crs": "EPSG:32640", "nodata": 255}
    with rasterio.open(path, "w", width=width, height=height, transform=transform, **kind, **profile) as dataset:
        dataset.write(classes, 1)
    return path


def polygons_of(raster, folder):
    arcs, regions = trace(class_strips(raster), scratch=CornerFile(folder))
    assembly = Assembly(arcs.left, arcs.right, arcs.corners, arcs.starts, len(regions))
    return assembly.polygons(straighten=True), regions.values


def traced(path):
    with open_raster(path) as raster:
        return polygons_of(raster, path.parent)


def burned(polygons, values, shape):
    pairs = zip(polygons, values.tolist(), strict=True)
    return rasterio.features.rasterize(pairs, shape, fill=255, dtype="uint8") if len(polygons) else np.full(shape, 255)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(label_maps)
@example(np.zeros((1, 1), np.uint8))
@example(np.full((5, 4), 3, np.uint8))
@example(np.full((5, 4), 254, np.uint8))
@example(np.full((5, 4), 255, np.uint8))
@example(CHECKERBOARD)
def test_polygons_are_the_map(tmp_path, classes):
    polygons, values = traced(write(tmp_path / "a.tif", classes))
    assert_array_equal(burned(polygons, values, classes.shape), classes)
    assert shapely.is_valid(polygons).all()
    assert (shapely.get_type_id(polygons) == shapely.GeometryType.POLYGON).all()
    assert shapely.area(polygons).sum() == (classes != 255).sum()  # with the map given back: no overlap anywhere
    expected, expected_values = regions(classes)
    expected, expected_values = ordered(expected[expected_values != 255], expected_values[expected_values != 255])
    polygons, values = ordered(polygons, values)
    assert_array_equal(values, expected_values)
    assert shapely.to_wkb(polygons).tolist() == shapely.to_wkb(expected).tolist()


@pytest.mark.parametrize("pixels", [1, 100, 5000])
def test_strips_do_not_show(tmp_path, monkeypatch, pixels):
    classes = np.random.default_rng(3).integers(0, 4, (30, 40), dtype=np.uint8)
    monkeypatch.setattr("geoseg.io.polygons._PIXELS", pixels)
    monkeypatch.setattr("geoseg.io.polygons._ROWS", 7)
    polygons, values = ordered(*traced(write(tmp_path / "a.tif", classes, blockysize=5)))
    assert_array_equal(burned(polygons, values, classes.shape), classes)
    assert list(tmp_path.iterdir()) == [tmp_path / "a.tif"]  # scratch leaves nothing


@pytest.mark.parametrize("layout", [{}, {"tiled": True, "blockxsize": 16, "blockysize": 32, "compress": "deflate"}])
@pytest.mark.parametrize(
    "transform",
    [NORTH_UP, Affine(0.8, 0, 380_000, 0, 0.8, 2_700_000), Affine(1e-6, 0, -179.9999, 0, -1e-6, 60.1)],
    ids=["north-up", "south-up", "tiny"],
)
def test_polygons_fall_on_their_pixels_however_the_file_is_laid_out(tmp_path, layout, transform):
    stored = np.random.default_rng(4).integers(0, 3, (50, 60), dtype=np.uint8)
    with open_raster(write(tmp_path / "a.tif", stored, transform, **layout)) as raster:
        polygons, values = polygons_of(raster, tmp_path)
        assert_array_equal(burned(polygons, values, stored.shape), raster.read_classes())
        placed = place(polygons, raster.geobox.transform)
    pairs = list(zip(placed, values.tolist(), strict=True))
    assert_array_equal(rasterio.features.rasterize(pairs, stored.shape, transform=transform, dtype="uint8"), stored)


def test_another_kind_of_raster_is_refused(tmp_path):
    with pytest.raises(DataError, match="class map is one band of uint8") as caught:
        traced(write(tmp_path / "a.tif", np.zeros((3, 3), np.uint16)))
    assert caught.value.exit_code == 3


def test_a_damaged_map_is_named(tmp_path):
    path = write(tmp_path / "a.tif", np.random.default_rng(5).integers(0, 9, (64, 64), dtype=np.uint8), compress="lzw")
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(DataError, match=r"a\.tif"):
        traced(path)


@pytest.mark.skipif(not REAL.exists(), reason="the mbrsc imagery is not beside the checkout")
def test_real_labels_come_back(tmp_path):
    with open_raster(REAL) as raster:
        classes = raster.read_classes()
        polygons, values = ordered(*polygons_of(raster, tmp_path))
    assert classes.shape == (2514, 2577)
    assert_array_equal(burned(polygons, values, classes.shape), classes)
    assert shapely.is_valid(polygons).all()


def test_a_full_disk_is_told_before_corners_are_lost(tmp_path):
    corners = np.arange(20_000, dtype=np.int32).reshape(-1, 2)
    scratch = CornerFile(tmp_path)
    scratch.append(corners)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))  # files may not grow beyond: as on a full disk
    try:
        with pytest.raises(MachineError, match=r"[Ff]ree"):
            scratch.append(corners)
            scratch.whole()
        with pytest.raises(MachineError, match=r"[Ff]ree"):
            CornerFile(tmp_path).empty(10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_corners_come_back_in_order(tmp_path):
    scratch = CornerFile(tmp_path)
    assert scratch.whole().shape == scratch.empty(0).shape == (0, 2)
    parts = [np.full((n, 2), n, np.int32) for n in (3, 0, 5)]
    for part in parts:
        scratch.append(part)
    assert_array_equal(scratch.whole(), np.concatenate(parts))
    assert list(tmp_path.iterdir()) == []
