import json

import geopandas
import numpy as np
import pytest
import rasterio
import rasterio.features
import shapely
from affine import Affine
from numpy.testing import assert_allclose, assert_array_equal

from geoseg.errors import DataError
from geoseg.grid.window import Window
from geoseg.stages.landcover import landcover
from geoseg.stats.pixel_area import PixelArea

CLASSES = [(0, "building", "#e31a1c"), (1, "land", "#c0a070"), (2, "water", "#1f78b4")]
TRANSFORM = Affine(10, 0, 300_000, 0, -10, 6_600_000)
FILES = {"landcover.parquet", "landcover.geojson", "landcover.qml", "confidence.qml"}


def write(path, pixels, crs="EPSG:32633", transform=TRANSFORM):
    height, width = pixels.shape
    kind = {"driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": 255, "tiled": True, "compress": "deflate"}
    with rasterio.open(path, "w", width=width, height=height, crs=crs, transform=transform, **kind) as dataset:
        dataset.write(pixels, 1)
    return path


def random_maps(shape, seed=0):
    """Classes in patches, all codes among them, and a confidence for what is a class."""
    rng = np.random.default_rng(seed)
    classes = rng.choice([0, 1, 2, 254, 255], (shape[0] // 8 + 1, shape[1] // 8 + 1)).astype(np.uint8)
    classes = classes.repeat(8, axis=0).repeat(8, axis=1)[: shape[0], : shape[1]]
    salt = rng.random(shape) < 0.05
    classes[salt] = rng.choice([0, 1, 2, 254], salt.sum())
    confidence = rng.integers(80, 251, shape, dtype=np.uint8)
    confidence[classes >= 254] = 255
    return classes, confidence


def run(folder, classes, confidence, crs="EPSG:32633", transform=TRANSFORM):
    maps = [
        write(folder / name, pixels, crs, transform)
        for name, pixels in [("classes.tif", classes), ("confidence.tif", confidence)]
    ]
    figures = landcover(*maps, folder / "out", CLASSES)
    return figures, geopandas.read_parquet(folder / "out" / "landcover.parquet")


def test_attributes_are_those_of_the_pixels(tmp_path):
    classes, confidence = random_maps((600, 530))  # two rows and columns of blocks
    _, frame = run(tmp_path, classes, confidence)
    assert list(frame.columns) == ["class", "name", "area_m2", "confidence", "pixels", "geometry"]
    numbers = zip(frame.geometry, range(len(frame)), strict=True)
    ids = rasterio.features.rasterize(numbers, classes.shape, fill=-1, transform=TRANSFORM, dtype="int32")
    assert_array_equal(ids >= 0, classes != 255)
    inside = ids >= 0
    assert_array_equal(frame["class"].to_numpy()[ids[inside]], classes[inside])
    assert_array_equal(np.bincount(ids[inside]), frame["pixels"])
    mean = np.bincount(ids[inside], confidence[inside]) / np.bincount(ids[inside]) / 250
    seen = frame["class"] != 254
    assert_allclose(frame["confidence"][seen], mean[seen], rtol=1e-12)
    assert frame["confidence"][~seen].isna().all()
    names = {0: "building", 1: "land", 2: "water", 254: "unobserved"}
    assert frame["name"].tolist() == [names[value] for value in frame["class"]]
    assert frame.is_valid.all()


def test_areas_are_ellipsoidal_and_add_up_to_the_map(tmp_path):
    classes, confidence = random_maps((200, 150))
    figures, frame = run(tmp_path, classes, confidence)
    area = PixelArea(frame.crs, TRANSFORM, classes.shape)(Window(0, 0, 150, 200))
    for value, name in [(0, "building"), (1, "land"), (2, "water"), (254, "unobserved")]:
        assert_allclose(figures["area_m2"][name], area[classes == value].sum(), rtol=1e-12)
        assert figures["class_polygons"][name] == (frame["class"] == value).sum()
    geodesic = [
        abs(frame.crs.get_geod().geometry_area_perimeter(polygon)[0])
        for polygon in frame.geometry.segmentize(2.5).to_crs(frame.crs.geodetic_crs)[:20]
    ]
    assert_allclose(frame["area_m2"][:20], geodesic, rtol=1e-5)


def test_order_is_class_then_place(tmp_path):
    classes, confidence = random_maps((64, 48))
    _, frame = run(tmp_path, classes, confidence)
    assert frame["class"].is_monotonic_increasing
    tops = -shapely.bounds(frame.geometry[frame["class"] == 1].to_numpy())[:, 3]
    assert (np.diff(tops) >= 0).all()


def test_geojson_has_the_same_features(tmp_path):
    figures, frame = run(tmp_path, *random_maps((64, 48)))
    data = json.loads((tmp_path / "out" / "landcover.geojson").read_text("utf-8"))
    assert "crs" not in data
    assert len(data["features"]) == figures["polygons"] == len(frame)
    rows = [feature["properties"] for feature in data["features"]]
    assert [row["class"] for row in rows] == frame["class"].tolist()
    assert [row["name"] for row in rows] == frame["name"].tolist()
    assert [row["pixels"] for row in rows] == frame["pixels"].tolist()
    assert_allclose([row["area_m2"] for row in rows], frame["area_m2"], rtol=1e-12)
    assert [row["confidence"] is None for row in rows] == frame["confidence"].isna().tolist()
    left, bottom, right, top = np.array(frame.to_crs("OGC:CRS84").total_bounds)
    corners = np.concatenate([ring for f in data["features"] for ring in f["geometry"]["coordinates"]])
    assert_allclose([*corners.min(axis=0), *corners.max(axis=0)], [left, bottom, right, top], atol=1e-7)


def test_same_maps_same_bytes(tmp_path):
    maps = random_maps((64, 48))
    contents = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        figures, _ = run(tmp_path / name, *maps)
        contents.append({path.name: path.read_bytes() for path in (tmp_path / name / "out").iterdir()})
        assert figures["bytes"] == {name: len(content) for name, content in contents[-1].items()}
    assert set(contents[0]) == FILES
    assert contents[0] == contents[1]


@pytest.mark.parametrize("value", [0, 254])
def test_one_pixel(tmp_path, value):
    figures, frame = run(
        tmp_path, np.full((1, 1), value, np.uint8), np.full((1, 1), 250 if value == 0 else 255, np.uint8)
    )
    assert figures["polygons"] == 1
    assert_allclose(frame["area_m2"], 100, rtol=2e-3)
    assert frame["confidence"].fillna(-1).tolist() == [1.0 if value == 0 else -1]


def test_a_class_pixel_without_confidence_does_not_count(tmp_path):
    _, frame = run(tmp_path, np.array([[0, 0, 1]], np.uint8), np.array([[125, 255, 255]], np.uint8))
    assert frame["confidence"].fillna(-1).tolist() == [0.5, -1]


def test_degrees_and_us_feet_give_square_metres(tmp_path):
    classes = np.ones((4, 6), np.uint8)
    for crs, transform, area in [
        ("EPSG:4326", Affine(1e-4, 0, 10, 0, -1e-4, 60), 24 * 5.5799 * 11.1412),
        ("EPSG:2263", Affine(10, 0, 980_000, 0, -10, 200_000), 24 * (10 * 1200 / 3937) ** 2),
    ]:
        folder = tmp_path / crs[-4:]
        folder.mkdir()
        figures, _ = run(folder, classes, classes, crs, transform)
        assert_allclose(figures["area_m2"]["land"], area, rtol=1e-3)


def test_maps_on_different_grids_are_refused(tmp_path):
    first = write(tmp_path / "a.tif", np.zeros((4, 4), np.uint8))
    second = write(tmp_path / "b.tif", np.zeros((4, 5), np.uint8))
    with pytest.raises(DataError, match=r"5 x 4 px.*not on the same grid.*same run") as caught:
        landcover(first, second, tmp_path / "out", CLASSES)
    assert caught.value.exit_code == 3
    assert not (tmp_path / "out").exists()


def test_a_value_without_a_name_is_refused(tmp_path):
    pixels = write(tmp_path / "a.tif", np.array([[0, 9, 77]], np.uint8))
    with pytest.raises(DataError, match=r"values 9, 77.*another model"):
        landcover(pixels, pixels, tmp_path / "out", CLASSES)
