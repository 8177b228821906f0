"""FAULTS V06, V07, V09 and H02 on vector layers."""

import json
import subprocess
import sys

import geopandas
import numpy as np
import pandas
import pytest
import rasterio
import rasterio.features
import shapely
from affine import Affine
from numpy.testing import assert_array_equal

from geoseg.io.vectors import write_geojson, write_geoparquet
from geoseg.stages.landcover import landcover

CLASSES = [(0, "building", "#e31a1c"), (1, "land", "#c0a070")]
TRANSFORM = Affine(0.8, 0, 500_000, 0, -0.8, 5_300_000)
WRITERS = {"parquet": write_geoparquet, "geojson": write_geojson}


def run(folder, classes):
    for name, pixels in [("c.tif", classes), ("p.tif", np.where(classes < 254, 200, 255).astype(np.uint8))]:
        kind = {"driver": "GTiff", "count": 1, "dtype": "uint8", "crs": "EPSG:32633", "transform": TRANSFORM}
        with rasterio.open(folder / name, "w", width=classes.shape[1], height=classes.shape[0], **kind) as dataset:
            dataset.write(pixels, 1)
    figures = landcover(folder / "c.tif", folder / "p.tif", folder / "out", CLASSES)
    features = json.loads((folder / "out" / "landcover.geojson").read_text("utf-8"))["features"]
    return figures, geopandas.read_parquet(folder / "out" / "landcover.parquet"), features


def test_v06_nothing_inside_the_area_is_a_valid_empty_layer(tmp_path):
    figures, frame, features = run(tmp_path, np.full((20, 30), 255, np.uint8))
    assert figures["polygons"] == len(frame) == len(features) == 0
    assert figures["area_m2"] == {"building": 0, "land": 0, "unobserved": 0}
    full = run(tmp_path, np.zeros((20, 30), np.uint8))[1]
    assert dict(frame.dtypes) == dict(full.dtypes)
    assert frame.crs == full.crs


def test_v06_nothing_observed_is_one_polygon_of_what_was_not_seen(tmp_path):
    figures, frame, features = run(tmp_path, np.full((20, 30), 254, np.uint8))
    assert (frame["class"].tolist(), frame["name"].tolist(), frame["pixels"].tolist()) == ([254], ["unobserved"], [600])
    assert frame["confidence"].isna().all()
    assert features[0]["properties"]["confidence"] is None
    assert figures["area_m2"]["building"] == 0


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
    _, frame, features = run(tmp_path, classes)
    assert frame.is_valid.all()
    pairs = zip(frame.geometry, frame["class"].tolist(), strict=True)
    assert_array_equal(rasterio.features.rasterize(pairs, classes.shape, 255, transform=TRANSFORM), classes)
    assert all(shapely.is_valid(shapely.geometry.shape(feature["geometry"])) for feature in features)
    assert len(features) == len(frame)


@pytest.mark.parametrize("kind", WRITERS)
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
    WRITERS[kind](frame, target)
    back = geopandas.read_parquet(target) if kind == "parquet" else geopandas.read_file(target)
    assert back.columns.tolist() == frame.columns.tolist()
    assert [None if pandas.isna(name) else name for name in back["name"]] == names
    assert_array_equal(back["größe m²"], frame["größe m²"])
    assert back["class"].tolist() == list(range(7))


SWEEP = """
import json, resource, sys
from pathlib import Path
import geopandas, numpy as np, shapely
from geoseg.errors import MachineError
from geoseg.io.vectors import write_geojson, write_geoparquet

folder, kind = Path(sys.argv[1]), sys.argv[2]
write = {"parquet": write_geoparquet, "geojson": write_geojson}[kind]
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


@pytest.mark.parametrize("kind", WRITERS)
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
