"""FAULTS V04, V06, V07, V09, G10, X12 and H02 on vector layers."""

import json
import subprocess
import sys
from xml.etree import ElementTree as ET

import geopandas
import numpy as np
import pandas
import pytest
import rasterio
import rasterio.features
import shapely
from affine import Affine
from numpy.testing import assert_array_equal

from geoseg.config import Vectors
from geoseg.io.vectors import write_layer
from geoseg.report.styles import landcover_qml
from geoseg.stages.landcover import landcover_of_map
from geoseg.stages.translate import translate
from geoseg.stages.vectors_check import vectors_check

CLASSES = [(0, "building", "#e31a1c"), (1, "land", "#c0a070")]
TRANSFORM = Affine(0.8, 0, 500_000, 0, -0.8, 5_300_000)
FORMATS = ("parquet", "geojson", "geojsonl", "gpkg")


def write(frame, target):
    """`frame` as the file `target`, in the format of its ending."""
    write_layer(lambda: [frame], target.with_suffix(""), [target.suffix[1:]], None, None)


def read(target):
    if target.suffix == ".parquet":
        return geopandas.read_parquet(target)
    return (
        geopandas.read_file(target, driver="GeoJSONSeq")
        if target.suffix == ".geojsonl"
        else geopandas.read_file(target)
    )


def run(folder, classes):
    """Exact land cover of a map, proven: the layer, and the features of its GeoJSON."""
    folder.mkdir(exist_ok=True)
    for name, pixels in [("c.tif", classes), ("p.tif", np.where(classes < 254, 200, 255).astype(np.uint8))]:
        kind = {"driver": "GTiff", "count": 1, "dtype": "uint8", "crs": "EPSG:32633", "transform": TRANSFORM}
        with rasterio.open(folder / name, "w", width=classes.shape[1], height=classes.shape[0], **kind) as dataset:
            dataset.write(pixels, 1)
            dataset.update_tags(GEOSEG_CLASSES=json.dumps([*CLASSES, (254, "unobserved", "#808080")]))
    exact = Vectors(min_area=0, simplify=0, smooth=False)
    landcover_of_map(folder / "c.tif", folder / "p.tif", folder / "work" / "landcover.json", exact)
    translate(folder / "landcover.parquet", folder / "landcover.geojson")
    assert vectors_check(folder / "c.tif", folder / "vectors_check.json")["holds"]
    features = json.loads((folder / "landcover.geojson").read_text("utf-8"))["features"]
    return geopandas.read_parquet(folder / "landcover.parquet"), features


def test_v06_nothing_inside_the_area_is_a_valid_empty_layer(tmp_path):
    frame, features = run(tmp_path / "empty", np.full((20, 30), 255, np.uint8))
    assert len(frame) == len(features) == 0
    full, _ = run(tmp_path / "full", np.zeros((20, 30), np.uint8))
    assert dict(frame.dtypes) == dict(full.dtypes)
    assert frame.crs == full.crs


def test_v06_nothing_observed_is_one_polygon_of_what_was_not_seen(tmp_path):
    frame, features = run(tmp_path, np.full((20, 30), 254, np.uint8))
    assert (frame["class"].tolist(), frame["name"].tolist(), frame["pixels"].tolist()) == ([254], ["unobserved"], [600])
    assert frame["confidence"].isna().all()
    assert features[0]["properties"]["confidence"] is None


V07 = {
    "donut with island": [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 0, 1, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]],
    "holes that touch at a point": [[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 1]],
    "a hole that touches the rim": [[0, 1, 1], [1, 0, 1], [1, 1, 1]],
    "a ring closed only at a corner": [[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 254]],
    "four corners in one point": [[0, 1], [1, 0]],
}


@pytest.mark.parametrize("name", V07)
def test_v07_holes_and_touching_rings_are_the_map_again(tmp_path, name):
    classes = np.array(V07[name], np.uint8)
    frame, features = run(tmp_path, classes)
    assert frame.is_valid.all()
    pairs = zip(frame.geometry, frame["class"].tolist(), strict=True)
    assert_array_equal(rasterio.features.rasterize(pairs, classes.shape, 255, transform=TRANSFORM), classes)
    assert all(shapely.is_valid(shapely.geometry.shape(feature["geometry"])) for feature in features)
    assert len(features) == len(frame)


@pytest.mark.parametrize("kind", FORMATS)
def test_v09_odd_names_and_nulls_come_back(tmp_path, kind):
    names = ["forêt 雪", 'say "x"', "a\\b", "line\nbreak", "<b>", "", None]
    frame = geopandas.GeoDataFrame(
        {
            "class": np.arange(7, dtype=np.int32),
            "name": pandas.array(names, dtype="string"),
            "größe m²": np.where(np.arange(7) == 3, np.nan, np.arange(7) / 7),
        },
        geometry=[shapely.box(500_000 + n, 5_300_000, 500_001 + n, 5_300_001) for n in range(7)],
        crs="EPSG:32633",
    )
    target = tmp_path / f"a.{kind}"
    write(frame, target)
    back = read(target)
    assert back.columns.tolist() == frame.columns.tolist()
    assert [None if pandas.isna(name) else name for name in back["name"]] == names
    assert_array_equal(back["größe m²"], frame["größe m²"])
    assert back["class"].tolist() == list(range(7))


def test_v04_slivers_stay_valid_after_rounding(tmp_path):
    rng = np.random.default_rng(4)
    corners = rng.random((400, 5, 2)) * [2.0, 0.02] + [500_000, 5_300_000]  # centimetres high: rounding crosses sides
    tiny = shapely.convex_hull(shapely.multipoints(corners.reshape(-1, 2), indices=np.repeat(np.arange(400), 5)))
    stars = shapely.make_valid(shapely.polygons(corners))
    shapes = np.concatenate([tiny, stars[shapely.get_type_id(stars) == 3]])
    frame = geopandas.GeoDataFrame({"class": np.arange(len(shapes))}, geometry=shapes, crs="EPSG:32633")
    rounded = shapely.transform(frame.to_crs(4326).geometry.to_numpy(), lambda xy: np.round(xy, 7))
    assert not shapely.is_valid(rounded).all()
    write(frame, tmp_path / "a.geojson")
    features = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert len(features) == len(shapes)
    found = [shapely.geometry.shape(f["geometry"]) for f in features if f["geometry"]]
    assert len(found) > len(shapes) / 2
    for shape in found:
        assert shape.is_valid
        assert not shape.is_empty
        corner = shapely.get_coordinates(shape)
        assert (np.round(corner, 7) == corner).all()


def test_g10_an_area_across_180_degrees_is_split_in_geojson_alone(tmp_path):
    box = shapely.box(3_290_000, -2_000_000, 3_390_000, -1_900_000)  # Fiji
    frame = geopandas.GeoDataFrame({"class": [1]}, geometry=[box], crs="EPSG:3832")
    write_layer(lambda: [frame], tmp_path / "a", FORMATS, None, None)
    for ending in ("geojson", "geojsonl"):
        back = read(tmp_path / f"a.{ending}")
        assert back.geom_type.tolist() == ["MultiPolygon"]
        assert back.total_bounds[[0, 2]].tolist() == [-180, 180]
        assert sorted(round(part.bounds[2] - part.bounds[0], 1) for part in back.geometry[0].geoms) == [0.4, 0.5]
    for ending in ("parquet", "gpkg"):
        assert read(tmp_path / f"a.{ending}").geometry[0].equals(frame.geometry[0])


def test_x12_names_with_formulas_and_escapes_come_back_and_style_stays_xml(tmp_path):
    names = ["=cmd|' /C calc'!A0", "\x1b]0;title\x07", "'; DROP TABLE a; --", "</qgis>"]
    frame = geopandas.GeoDataFrame(
        {"class": range(4), "name": names}, geometry=list(shapely.box(np.arange(4), 0, np.arange(4) + 1, 1)), crs=4326
    )
    style = landcover_qml([(n, name, "#102030") for n, name in enumerate(names)])
    write_layer(lambda: [frame], tmp_path / "a", FORMATS, style, None)
    for ending in FORMATS:
        assert read(tmp_path / f"a.{ending}")["name"].tolist() == names, ending
    labels = [c.get("label") for c in ET.parse(tmp_path / "a.qml").iter("category")]
    assert labels[:4] == [names[0], "\ufffd]0;title\ufffd", names[2], names[3]]


SWEEP = """
import json, resource, sys
from pathlib import Path
import geopandas, numpy as np, shapely
from geoseg.errors import MachineError
from geoseg.config import Vectors
from geoseg.io.vectors import write_layer

folder, kind = Path(sys.argv[1]), sys.argv[2]
def write(frame, target):
    write_layer(lambda: [frame], target.with_suffix(""), [kind], "<qgis/>" if kind == "gpkg" else None, None)
    target.with_suffix(".qml").unlink(missing_ok=True)
corner = np.random.default_rng(0).random((400, 2)) * 1000 + [500_000, 5_300_000]
frame = geopandas.GeoDataFrame(
    {"class": np.arange(400, dtype=np.int32)}, geometry=shapely.box(*corner.T, *(corner.T + 1)), crs="EPSG:32633"
)
whole = folder / "whole" / f"cut.{kind}"
write(frame, whole)
size = whole.stat().st_size
short = [1, 2, 5, 10, 50, 100, 200, 500, 1000, 3000, size // 2, size - 100, size - 1, size]
found = {}
for missing in short:
    target = folder / f"cut.{kind}"
    resource.setrlimit(resource.RLIMIT_FSIZE, (size - missing, resource.RLIM_INFINITY))
    try:
        write(frame, target)
        found[missing] = "no error"
    except MachineError as error:
        found[missing] = str(error)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    left = sorted(path.name for path in folder.iterdir())
    if left != ["whole"]:
        found[missing] = f"left behind: {left}"
write(frame, folder / f"cut.{kind}")
found["then"] = (folder / f"cut.{kind}").stat().st_size == size
print(json.dumps(found))
"""


@pytest.mark.parametrize("kind", FORMATS)
def test_h02_a_full_disk_leaves_nothing_and_says_so(tmp_path, kind):
    done = subprocess.run(
        [sys.executable, "-c", SWEEP, str(tmp_path), kind], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("then")
    assert len(found) >= 13
    for missing, message in found.items():
        assert f"cut.{kind} could not be written" in message, (missing, message)
        assert "Make room" in message
        assert "free at" in message


FIRST_CALLS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import geopandas, numpy as np, shapely
from geoseg.io.vectors import write_layer
from geoseg.vector.polygonize import polygonize

classes = np.random.default_rng(0).integers(0, 3, (64, 64)).astype(np.uint8)

def work(number):
    polygons, values = polygonize(classes)
    frame = geopandas.GeoDataFrame({"class": values.astype(int)}, geometry=polygons, crs="EPSG:32633")
    folder = Path(sys.argv[1]) / str(number)
    write_layer(lambda: [frame], folder / "a", ["parquet", "geojson", "gpkg"], "<qgis/>", None)
    return {path.name: path.read_bytes() for path in folder.iterdir()}

with ThreadPoolExecutor(6) as pool:
    first, *others = pool.map(work, range(6))
assert len(first) == 4 and all(other == first for other in others)
"""


def test_h17_first_calls_from_many_threads_end_and_agree(tmp_path):
    """GDAL's own tracer can wait for ever here (rasterio issue 3611)."""
    command = [sys.executable, "-X", "faulthandler", "-c", FIRST_CALLS, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
