"""Labels on the image's pixels, against rasterio's own warping and burning."""

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from numpy.testing import assert_array_equal
from rasterio.features import rasterize
from rasterio.warp import Resampling, reproject

from geoseg.errors import DataError
from geoseg.grid.window import Window
from geoseg.io.labelled import IGNORE, Labelled, LabelSource, own_lattice
from geoseg.io.scenes import Scene
from tests.tiffs import numbered, write_tif

LEFT, TOP, SIDE = 400_000.4, 2_800_000.2, 0.8
HERE = Affine(SIDE, 0, LEFT, 0, -SIDE, TOP)
INDICES = {"0": 0, "1": 1, "7": 2}


@pytest.fixture
def image(tmp_path):
    return write_tif(tmp_path / "image.tif", numbered(3, 60, 80), transform=HERE)


def labelled(image, labels, indices=INDICES, attribute=None, part=None):
    return Labelled(Scene(str(image), (1, 2, 3)), LabelSource(labels, indices, attribute), own_lattice(image), part)


def random_labels(shape, seed=0):
    """Blocks of values, of which 5 is not listed and 9 is the file's nodata."""
    rng = np.random.default_rng(seed)
    return np.kron(rng.choice([0, 1, 5, 7, 9], shape), np.ones((4, 4))).astype(np.uint8)


def expected_indices(values):
    out = np.full(values.shape, IGNORE, np.uint8)
    for value, index in ((0, 0), (1, 1), (7, 2)):
        out[values == value] = index
    return out


def test_labels_on_the_same_grid_are_read_as_they_are(image, tmp_path):
    values = random_labels((15, 20))
    labels = write_tif(tmp_path / "labels.tif", values, transform=HERE, nodata=9)
    scene = labelled(image, labels)
    assert scene.extent.shape == (60, 80)
    assert_array_equal(scene.classes(scene.extent), expected_indices(values))
    part = Window(scene.extent.col_off + 7, scene.extent.row_off + 3, 20, 11)
    assert_array_equal(scene.classes(part), expected_indices(values)[3:14, 7:27])


def test_labels_that_are_shorter_than_the_image_leave_the_rest_unlabelled(image, tmp_path):
    values = random_labels((5, 6))
    corner = HERE @ Affine.translation(10, 20)
    scene = labelled(image, write_tif(tmp_path / "labels.tif", values, transform=corner))
    expected = np.full((60, 80), IGNORE, np.uint8)
    expected[20:40, 10:34] = expected_indices(values)
    assert_array_equal(scene.classes(scene.extent), expected)
    assert (scene.classes(scene.extent.shift(100, 100)) == IGNORE).all()


@pytest.mark.parametrize(
    "crs, transform",
    [
        ("EPSG:32640", Affine(1.7, 0, LEFT - 5.03, 0, -1.7, TOP + 4.07)),
        ("EPSG:32640", Affine(0.8, 0, LEFT + 0.21, 0, -0.8, TOP + 0.13)),
        ("EPSG:32639", None),
        ("EPSG:4326", None),
    ],
)
def test_labels_on_another_grid_agree_with_gdal(image, tmp_path, crs, transform):
    values = random_labels((50, 50), seed=1)
    if transform is None:  # centred on the image, of about its pixel size
        x, y = rasterio.warp.transform("EPSG:32640", crs, [LEFT + 32], [TOP - 24])
        step = 1e-5 if crs == "EPSG:4326" else 1.1
        transform = Affine(step, 0, x[0] - 100 * step, 0, -step, y[0] + 100 * step)
    labels = write_tif(tmp_path / "labels.tif", values, transform=transform, crs=crs)
    scene = labelled(image, labels)
    theirs = np.full((60, 80), 255, np.uint8)
    where = {"src_transform": transform, "src_crs": crs, "dst_transform": HERE, "dst_crs": "EPSG:32640"}
    # GDAL's default is an approximation of up to 1/8 pixel
    reproject(values, theirs, **where, resampling=Resampling.nearest, init_dest_nodata=False, tolerance=0)
    ours = scene.classes(scene.extent)
    assert_array_equal(np.unique(ours), [0, 1, 2, IGNORE])
    # where a centre falls on an edge between two label pixels to the last digit, either is right
    assert (ours != expected_indices(theirs)).mean() < 1e-3


def polygons(crs, seed=0, count=40):
    """Overlapping random triangles around the image with names, in `crs`; later ones lie on earlier ones."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform((-10, -10), (74, 58), (count, 1, 2)) + rng.uniform(-12, 12, (count, 3, 2))
    shapes = [shapely.Polygon(np.c_[LEFT + c[:, 0], TOP - c[:, 1]]) for c in corners]
    names = rng.choice(["house", "road", "cloud"], count)
    frame = geopandas.GeoDataFrame({"kind": names, "number": range(count)}, geometry=shapes, crs="EPSG:32640")
    return frame.to_crs(crs)


@pytest.mark.parametrize("crs", ["EPSG:32640", "EPSG:4326", "EPSG:3857"])
@pytest.mark.parametrize("suffix", [".gpkg", ".geojson"])
def test_polygons_are_burned_in_file_order(image, tmp_path, crs, suffix):
    path = tmp_path / f"labels{suffix}"
    polygons(crs if suffix == ".gpkg" else "EPSG:4326").to_file(
        path, COORDINATE_PRECISION=12 if suffix != ".gpkg" else None
    )
    indices = {"house": 3, "road": 1}
    frame = geopandas.read_file(path).to_crs("EPSG:32640")
    pairs = [(g, indices[k]) for g, k in zip(frame.geometry, frame.kind, strict=True) if k in indices]
    expected = rasterize(pairs, (60, 80), fill=IGNORE, transform=HERE, dtype="uint8")
    scene = labelled(image, path, indices, "kind")
    assert_array_equal(scene.classes(scene.extent), expected)
    for part in (Window(5, 7, 20, 30), Window(60, 40, 20, 20)):  # whichever window, the same label
        window = part.shift(scene.extent.col_off, scene.extent.row_off)
        assert_array_equal(scene.classes(window), expected[part.slices])


def test_numbers_are_names_too(image, tmp_path):
    polygons("EPSG:32640").to_file(tmp_path / "labels.gpkg")
    scene = labelled(image, tmp_path / "labels.gpkg", {"39": 2}, "number")
    assert set(np.unique(scene.classes(scene.extent))) == {2, IGNORE}


@pytest.mark.parametrize(
    "attribute, indices, message",
    [
        ("Kind", {"house": 0}, "has no field 'Kind'; set attribute to one of: kind, number"),
        (None, {"house": 0}, "has no field None; set attribute to one of: kind, number"),
        ("kind", {"barn": 0}, r"no polygon of .* has a kind among \['barn'\]"),
    ],
)
def test_fields_that_are_not_there(image, tmp_path, attribute, indices, message):
    polygons("EPSG:32640").to_file(tmp_path / "labels.gpkg")
    scene = labelled(image, tmp_path / "labels.gpkg", indices, attribute)
    with pytest.raises(DataError, match=message) as caught:
        scene.classes(scene.extent)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("labels.json", b"<OGRVRTDataSource></OGRVRTDataSource>", "neither a GeoPackage nor GeoJSON"),
        ("labels.gpkg", b"", "neither a GeoPackage nor GeoJSON"),
        ("labels.geojson", b'{"type": ', "cannot be read"),
    ],
)
def test_files_that_are_no_polygons(image, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    scene = labelled(image, tmp_path / name, {"house": 0}, "kind")
    with pytest.raises(DataError, match=message):
        scene.classes(scene.extent)


def test_polygons_without_a_crs_are_refused(image, tmp_path):
    polygons("EPSG:32640").set_crs(None, allow_override=True).to_file(tmp_path / "labels.gpkg")
    scene = labelled(image, tmp_path / "labels.gpkg", {"house": 0}, "kind")
    with pytest.raises(DataError, match="says no CRS or has no geometry; save its polygons with their CRS"):
        scene.classes(scene.extent)


def test_names_where_values_belong(image, tmp_path):
    labels = write_tif(tmp_path / "labels.tif", random_labels((15, 20)), transform=HERE)
    scene = labelled(image, labels, {"house": 0})
    with pytest.raises(DataError, match="is a raster, so classes must name its values, such as 0: land, not 'house'"):
        scene.classes(scene.extent)


def test_a_part_of_the_scene(image, tmp_path):
    labels = write_tif(tmp_path / "labels.tif", random_labels((15, 20)), transform=HERE)
    whole = labelled(image, labels).extent
    part = Window(whole.col_off + 70, whole.row_off - 5, 30, 20)
    scene = labelled(image, labels, part=part)
    assert scene.extent == Window(whole.col_off + 70, whole.row_off, 10, 15)
    assert scene.ground.bounds == pytest.approx((LEFT + 56, TOP - 12, LEFT + 64, TOP))
    with pytest.raises(DataError, match=r"do not touch it; give bounds in the image's CRS"):
        _ = labelled(image, labels, part=whole.shift(1000, 0)).extent


def test_blocks_cover_the_scene_once(image, tmp_path):
    labels = write_tif(tmp_path / "labels.tif", random_labels((15, 20)), transform=HERE)
    scene = labelled(image, labels)
    count = np.zeros((60, 80), int)
    for block in scene.blocks(32):
        count[block.within(scene.extent).slices] += 1
    assert (count == 1).all()
