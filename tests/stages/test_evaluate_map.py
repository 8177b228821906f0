"""Scoring an existing map against a raster of labels or polygons."""

import csv
import json

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from rasterio.warp import reproject, transform_bounds

from geoseg.errors import ConfigError, DataError
from geoseg.stages.evaluate_map import MapOptions, evaluate_map
from tests import oracles
from tests.tiffs import write_tif

TRANSFORM = Affine(1.0, 0.0, 400_000.0, 0.0, -1.0, 2_800_000.0)
ENTRIES = [[0, "land", "#e0cfa4"], [1, "house", "#d7483d"], [254, "unobserved", "#808080"]]
SHAPE = (90, 120)


def write_map(folder, classes, entries=ENTRIES, name="landcover.tif"):
    path = write_tif(folder / name, classes, transform=TRANSFORM, nodata=255)
    if entries is not None:
        with rasterio.open(path, "r+") as file:
            file.update_tags(GEOSEG_CLASSES=json.dumps(entries))
    return path


@pytest.fixture
def ground(tmp_path):
    """A map with houses on land, holes in it, and its confidence; labels that differ on some of it."""
    rng = np.random.default_rng(2)
    truth = np.kron(rng.integers(0, 2, (9, 12)), np.ones((10, 10))).astype(np.uint8)
    classes = np.where(rng.random(SHAPE) < 0.15, 1 - truth, truth).astype(np.uint8)
    classes[:4, :7], classes[-3:, :] = 254, 255
    truth[20:25, 30:40] = 255
    confidence = np.where(classes < 254, rng.integers(125, 251, SHAPE), 255).astype(np.uint8)
    write_map(tmp_path, classes)
    write_tif(tmp_path / "confidence.tif", confidence, transform=TRANSFORM, nodata=255)
    write_tif(tmp_path / "labels.tif", truth, transform=TRANSFORM)
    return tmp_path, truth, classes, confidence


def run(folder, labels="labels.tif", **changes):
    fields = {"confidence": None, "image": None, "attribute": None, "classes": (), "block": 16}
    lines = list(
        evaluate_map(folder / "landcover.tif", folder / labels, folder / "out", MapOptions(**(fields | changes)))
    )
    return json.loads((folder / "out" / "scores.json").read_text()), lines


def refused(kind, match, folder, labels="labels.tif", **changes):
    with pytest.raises(kind, match=match) as caught:
        run(folder, labels, **changes)
    assert not (folder / "out").exists()
    return str(caught.value)


def test_a_raster_of_labels(ground, tmp_path):
    folder, truth, classes, confidence = ground
    found, lines = run(folder, confidence=folder / "confidence.tif")
    assert found["all"]["confusion"] == oracles.confusion(truth, classes, 2).tolist()
    assert found["all"]["unlabelled"] == 50
    assert found["all"]["unmapped"] == int(((truth < 2) & (classes > 1)).sum())
    use = (truth < 2) & (classes < 2)
    p, hit = confidence[use] / 250, (truth == classes)[use]
    edges = [np.minimum((p * 15).astype(int), 14) == b for b in range(15)]
    ece = sum(abs(p[e].sum() - hit[e].sum()) for e in edges) / use.sum()
    assert found["all"]["scores"]["ece"] == pytest.approx(ece, abs=2e-4)  # p is stored in float32
    told = "\n".join(lines)
    assert "labels.tif" in told and "whether the model was trained on it is not known" in told and "50 px" in told


def test_without_confidence_there_is_no_calibration_error(ground):
    found, _ = run(ground[0])
    assert "ece" not in found["all"]["scores"] and found["reliability"] == [None] * 15
    assert "probabilities of the map are not known" in (ground[0] / "out" / "index.html").read_text()


def test_labels_in_another_crs(ground):
    """Brought to the map's pixels by the nearest, as GDAL does."""
    folder, truth, classes, _ = ground
    left, _, _, top = transform_bounds("EPSG:32640", "EPSG:4326", 400_000, 2_799_910, 400_120, 2_800_000)
    there = Affine(0.00001, 0, left, 0, -0.00001, top)
    moved = np.full((90, 120), 255, np.uint8)
    reproject(truth, moved, src_transform=TRANSFORM, src_crs="EPSG:32640", dst_transform=there, dst_crs="EPSG:4326",
              dst_nodata=255, init_dest_nodata=True, src_nodata=None)  # fmt: skip
    write_tif(folder / "degrees.tif", moved, transform=there, crs="EPSG:4326", nodata=255)
    back = np.full(SHAPE, 255, np.uint8)
    reproject(moved, back, src_transform=there, src_crs="EPSG:4326", dst_transform=TRANSFORM, dst_crs="EPSG:32640",
              src_nodata=255, dst_nodata=255)  # fmt: skip
    expected = oracles.confusion(back, classes, 2)
    assert expected.sum() > 7000
    found, _ = run(folder, "degrees.tif")
    assert abs(np.array(found["all"]["confusion"]) - expected).sum() <= 0.002 * expected.sum()


def test_polygons_with_names_of_their_own(ground):
    folder, _, classes, _ = ground
    boxes = [shapely.box(400_010, 2_799_950, 400_040, 2_799_990), shapely.box(400_050, 2_799_920, 400_100, 2_799_960)]
    frame = gpd.GeoDataFrame({"kind": ["hut", "sand"]}, geometry=boxes, crs="EPSG:32640").to_crs("EPSG:4326")
    frame.to_file(folder / "labels.geojson", driver="GeoJSON")
    truth = np.full(SHAPE, 255, np.uint8)
    truth[10:50, 10:40], truth[40:80, 50:100] = 1, 0
    match = r"labels\.geojson has hut, sand, which the map does not have \(land, house\); .* --class hut=land"
    refused(ConfigError, match, folder, "labels.geojson", attribute="kind")
    found, _ = run(folder, "labels.geojson", attribute="kind", classes=("hut=house", "sand=land"))
    assert found["all"]["confusion"] == oracles.confusion(truth, classes, 2).tolist()
    refused_field = r"has no field 'type'; set --attribute to one of: kind"
    with pytest.raises(DataError, match=refused_field):
        run(folder, "labels.geojson", attribute="type")


def test_one_class_of_the_labels(ground):
    folder, truth, classes, _ = ground
    found, _ = run(folder, classes=("1=house",))
    houses = np.where(truth == 1, 1, 255).astype(np.uint8)
    assert found["all"]["confusion"] == oracles.confusion(houses, classes, 2).tolist()


def test_a_map_as_labels_goes_by_names(ground):
    """Another map numbers its classes otherwise; its own names say what they are."""
    folder, truth, classes, _ = ground
    swapped = np.where(truth < 2, 1 - truth, 254).astype(np.uint8)
    write_map(
        folder, swapped, [[0, "house", "#d7483d"], [1, "land", "#e0cfa4"], [254, "unobserved", "#808080"]], "b.tif"
    )
    found, _ = run(folder, "b.tif")
    assert found["all"]["confusion"] == oracles.confusion(truth, classes, 2).tolist()


def test_imagery_beside_the_worst_places(ground):
    folder = ground[0]
    image = np.random.default_rng(0).integers(0, 255, (3, 60, 80), np.uint8)
    write_tif(folder / "image.tif", image, transform=TRANSFORM)  # it does not reach everywhere
    run(folder, image=folder / "image.tif")
    assert (folder / "out" / "index.html").read_text().count("data:image/png") == 18


def test_a_number_that_is_no_class(ground):
    folder, truth, _, _ = ground
    write_tif(folder / "odd.tif", np.where(truth == 1, 7, truth).astype(np.uint8), transform=TRANSFORM)
    refused(ConfigError, r"odd\.tif has 7, which the map does not have \(land, house\); say which", folder, "odd.tif")


@pytest.mark.parametrize("pair", ["7=house", "1=barn", "1"])
def test_a_pair_that_means_nothing(ground, pair):
    match = rf"--class {pair}: write LABEL=CLASS with a label of the file \(0, 1, 255\) and a class of the map"
    refused(ConfigError, match, ground[0], classes=(pair,))


def test_labels_elsewhere(ground):
    folder, truth, _, _ = ground
    write_tif(folder / "far.tif", truth, transform=Affine(1.0, 0.0, 450_000.0, 0.0, -1.0, 2_800_000.0))
    match = r"far\.tif \(longitude .*\) has no labelled pixel on .*landcover\.tif \(longitude .*name labels of the same"
    refused(DataError, match, folder, "far.tif")


def test_nothing_labelled(ground):
    folder = ground[0]
    write_tif(folder / "empty.tif", np.full(SHAPE, 255, np.uint8), transform=TRANSFORM)
    refused(DataError, r"empty\.tif .* has no labelled pixel on", folder, "empty.tif")


def test_labels_only_where_the_map_is_not(ground):
    folder, truth, classes, _ = ground
    hidden = np.where(classes < 254, 255, truth).astype(np.uint8)
    write_tif(folder / "hidden.tif", hidden, transform=TRANSFORM)
    refused(DataError, "has no class .not observed, or outside.; map that ground first", folder, "hidden.tif")


def test_a_map_without_names(ground):
    write_map(ground[0], ground[2], None)
    refused(DataError, r"landcover\.tif does not name its classes; name a landcover\.tif that geoseg made", ground[0])


def test_confidence_of_another_map(ground):
    folder = ground[0]
    write_tif(folder / "other.tif", np.zeros((9, 9), np.uint8), transform=TRANSFORM)
    match = r"other\.tif is not on the grid of .*; name the confidence\.tif that lies beside it"
    refused(ConfigError, match, folder, confidence=folder / "other.tif")


def test_class_names_are_no_formulas_in_the_table(ground):
    """X12."""
    folder, *_ = ground
    name = "=HYPERLINK(A1)\x1b[31m"
    write_map(folder, ground[2], [[0, name, "#e0cfa4"], *ENTRIES[1:]])
    run(folder)
    with (folder / "out" / "scores.csv").open(newline="") as file:
        assert [row["class"] for row in csv.DictReader(file)] == ["'=HYPERLINK(A1)[31m", "house", "mean"]
