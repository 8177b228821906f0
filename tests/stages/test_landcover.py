"""Land-cover polygons of a map: exact where asked for, a coverage always, with the figures of their pixels."""

import json

import geopandas
import numpy as np
import pytest
import rasterio
import rasterio.features
import shapely
from affine import Affine
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from geoseg.config import Vectors
from geoseg.errors import DataError, MachineError
from geoseg.grid.window import Window
from geoseg.stages.landcover import landcover_of_map
from geoseg.stages.vectors_check import vectors_check
from geoseg.stats.pixel_area import PixelArea

CLASSES = [(0, "building", "#e31a1c"), (1, "land", "#c0a070"), (2, "water", "#1f78b4"), (254, "unobserved", "#808080")]
TRANSFORM = Affine(10, 0, 300_000, 0, -10, 6_600_000)
EXACT = Vectors(min_area=0, simplify=0)


def write(path, pixels, crs="EPSG:32633", transform=TRANSFORM, classes=CLASSES):
    height, width = pixels.shape
    kind = {"driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": 255, "tiled": True, "compress": "deflate"}
    with rasterio.open(path, "w", width=width, height=height, crs=crs, transform=transform, **kind) as dataset:
        dataset.write(pixels, 1)
        if classes:
            dataset.update_tags(GEOSEG_CLASSES=json.dumps(classes))
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


def run(folder, classes, confidence, crs="EPSG:32633", transform=TRANSFORM, asked=EXACT):
    folder.mkdir(exist_ok=True)
    maps = [
        write(folder / name, pixels, crs, transform)
        for name, pixels in [("classes.tif", classes), ("confidence.tif", confidence)]
    ]
    landcover_of_map(*maps, folder / "work" / "landcover.json", asked)
    figures = json.loads((folder / "work" / "landcover.json").read_text())
    return figures, geopandas.read_parquet(folder / "landcover.parquet")


def burned(frame, shape, transform=TRANSFORM):
    """Number of the polygon each pixel's middle is in, -1 where there is none."""
    numbers = list(zip(frame.geometry, range(len(frame)), strict=True))
    return rasterio.features.rasterize(numbers, shape, fill=-1, transform=transform, dtype="int32")


def test_attributes_are_those_of_the_pixels(tmp_path):
    classes, confidence = random_maps((600, 530))  # two rows and columns of blocks
    _, frame = run(tmp_path, classes, confidence)
    names = ["class", "name", "area_m2", "pixels", "confidence", "confidence_p10", "unobserved_border", "geometry"]
    assert list(frame.columns) == names
    ids = burned(frame, classes.shape)
    assert_array_equal(ids >= 0, classes != 255)
    inside = ids >= 0
    assert_array_equal(frame["class"].to_numpy()[ids[inside]], classes[inside])
    assert_array_equal(np.bincount(ids[inside]), frame["pixels"])
    assert len(frame) == sum(ndimage.label(classes == value)[1] for value in (0, 1, 2, 254))
    mean = np.bincount(ids[inside], confidence[inside]) / np.bincount(ids[inside]) / 250
    seen = frame["class"] != 254
    assert_allclose(frame["confidence"][seen], mean[seen], rtol=1e-12)
    assert frame["confidence"][~seen].isna().all() and frame["confidence_p10"][~seen].isna().all()
    for number in np.flatnonzero(seen)[:40]:
        expected = np.quantile(confidence[ids == number], 0.1, method="inverted_cdf") / 250
        assert_allclose(frame["confidence_p10"][number], expected, rtol=1e-12)
    assert frame["name"].tolist() == [{v: n for v, n, _ in CLASSES}[value] for value in frame["class"]]
    assert frame.is_valid.all()


def test_border_beyond_which_nothing_was_observed(tmp_path):
    classes = np.array([[0, 0, 254], [0, 0, 1], [1, 1, 1]], np.uint8)
    _, frame = run(tmp_path, classes, np.where(classes == 254, 255, 200).astype(np.uint8))
    share = dict(zip(frame["name"], frame["unobserved_border"], strict=True))
    assert share == {"building": 1 / 8, "unobserved": 0, "land": 1 / 10}


def test_areas_are_ellipsoidal_and_add_up_to_the_map(tmp_path):
    classes, confidence = random_maps((200, 150))
    figures, frame = run(tmp_path, classes, confidence)
    area = PixelArea(frame.crs, TRANSFORM, classes.shape)(Window(0, 0, 150, 200))
    for value, name, _ in CLASSES:
        assert_allclose(figures["area_m2"][name], area[classes == value].sum(), rtol=1e-12)
        assert figures["class_polygons"][name] == (frame["class"] == value).sum()
    geodesic = [
        abs(frame.crs.get_geod().geometry_area_perimeter(polygon)[0])
        for polygon in frame.geometry.segmentize(2.5).to_crs(frame.crs.geodetic_crs)[:20]
    ]
    assert_allclose(frame["area_m2"][:20], geodesic, rtol=1e-5)


def test_order_is_by_first_pixel(tmp_path):
    classes, confidence = random_maps((64, 48))
    _, frame = run(tmp_path, classes, confidence)
    ids = burned(frame, classes.shape)
    firsts = [np.flatnonzero(ids.ravel() == number)[0] for number in range(len(frame))]
    assert firsts == sorted(firsts)


@pytest.mark.parametrize(
    "asked",
    [EXACT, Vectors(), Vectors(simplify=2.5, min_area=5000), Vectors(smooth=True), Vectors(simplify=0, smooth=True)],
)
def test_a_coverage_always_and_the_proof_says_so(tmp_path, asked):  # V01, V02
    classes, confidence = random_maps((300, 260), seed=3)
    figures, frame = run(tmp_path, classes, confidence, asked=asked)
    polygons = frame.geometry.to_numpy()
    assert shapely.coverage_is_valid(polygons)
    assert_allclose(shapely.area(polygons).sum(), 100 * (classes != 255).sum(), rtol=1e-12)
    proof = vectors_check(tmp_path / "classes.tif", tmp_path / "vectors_check.json")
    assert proof["holds"] and proof["layers"]["landcover"]["polygons"] == figures["features"] == len(frame)
    ids = burned(frame, classes.shape)
    assert_array_equal(ids >= 0, classes != 255)  # the outside is exact
    if asked == EXACT:
        assert_array_equal(frame["class"].to_numpy()[ids[ids >= 0]], classes[ids >= 0])


def test_specks_go_to_the_neighbour_with_the_longest_border(tmp_path):
    classes = np.ones((12, 12), np.uint8)
    classes[:, 8:] = 2
    classes[3, 3] = classes[6, 7:9] = 0  # one inside land, one on the shore
    classes[9:12, 0:3] = 0  # nine pixels are no speck
    figures, frame = run(tmp_path, classes, np.full((12, 12), 200, np.uint8), asked=Vectors(simplify=0))
    assert frame["name"].tolist() == ["land", "water", "building"]
    assert figures["generalized"]["small_pixels"] == {"building": 3}
    assert frame["pixels"].sum() == 144 and frame.area.sum() == 14_400
    assert frame["pixels"][2] == 9


def test_min_area_is_in_square_metres_also_in_degrees(tmp_path):
    classes = np.ones((30, 30), np.uint8)
    classes[2:4, 2:4] = classes[20:23, 20:23] = 0
    for crs, transform, side in [
        ("EPSG:32633", TRANSFORM, 100.0),
        ("EPSG:4326", Affine(1e-4, 0, 10, 0, -1e-4, 60), 62.2),
    ]:
        asked = Vectors(simplify=0, min_area=6.5 * side)
        _, frame = run(tmp_path / crs[-4:], classes, classes, crs, transform, asked)
        assert frame["name"].tolist() == ["land", "building"], crs
        assert frame["pixels"].tolist() == [891, 9]


def test_same_maps_same_bytes(tmp_path):
    maps = random_maps((64, 48))
    contents = []
    for name in ("a", "b"):
        run(tmp_path / name, *maps, asked=Vectors())
        contents.append((tmp_path / name / "landcover.parquet").read_bytes())
    assert contents[0] == contents[1]
    assert [path.name for path in (tmp_path / "a" / "work").iterdir()] == ["landcover.json"]  # scratch is gone


@pytest.mark.parametrize("value", [0, 254])
def test_one_pixel(tmp_path, value):
    confidence = np.full((1, 1), 250 if value == 0 else 255, np.uint8)
    figures, frame = run(tmp_path, np.full((1, 1), value, np.uint8), confidence, asked=Vectors())
    assert figures["features"] == 1
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
        figures, _ = run(tmp_path / crs[-4:], classes, classes, crs, transform)
        assert_allclose(figures["area_m2"]["land"], area, rtol=1e-3)


def test_maps_on_different_grids_are_refused(tmp_path):
    first = write(tmp_path / "a.tif", np.zeros((4, 4), np.uint8))
    second = write(tmp_path / "b.tif", np.zeros((4, 5), np.uint8))
    with pytest.raises(DataError, match=r"5 x 4 px.*not on the same grid.*same run") as caught:
        landcover_of_map(first, second, tmp_path / "work" / "x.json", EXACT)
    assert caught.value.exit_code == 3
    assert not (tmp_path / "landcover.parquet").exists()


def test_a_value_without_a_name_is_refused(tmp_path):
    pixels = write(tmp_path / "a.tif", np.array([[0, 9, 77]], np.uint8))
    with pytest.raises(DataError, match=r"values 9, 77.*make it again"):
        landcover_of_map(pixels, pixels, tmp_path / "work" / "x.json", EXACT)
    unnamed = write(tmp_path / "b.tif", np.zeros((2, 2), np.uint8), classes=None)
    with pytest.raises(DataError, match=r"does not name its classes; name a landcover.tif that geoseg made"):
        landcover_of_map(unnamed, unnamed, tmp_path / "work" / "x.json", EXACT)


def test_V05_noise_is_refused_before_it_fills_memory(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 3, (256, 256), dtype=np.uint8)
    path = write(tmp_path / "a.tif", noise)
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 2_000_000}))
    with pytest.raises(MachineError, match=r"too noisy to be traced: up to [\d,]+ polygons .* leave landcover out"):
        landcover_of_map(path, path, tmp_path / "work" / "x.json", EXACT)
    assert not (tmp_path / "landcover.parquet").exists()
