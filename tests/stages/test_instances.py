"""Mask R-CNN from recipe to polygons: it learns an exact scene, its bundle answers alike, refusals are told."""

import json

import geopandas as gpd
import matplotlib.image
import numpy as np
import pytest
import shapely
import torch

pytest.importorskip("lightning", reason="fitting comes with geoseg[train]")

from geoseg.errors import ConfigError, DataError, ModelError
from geoseg.grid.instance import Instance
from geoseg.grid.patches import PatchPlan
from geoseg.grid.window import Window
from geoseg.io.bundle import read_bundle
from geoseg.io.labelled import own_lattice
from geoseg.io.scenes import Mosaic, Scene
from geoseg.stages.detect import detect, open_detector
from geoseg.stages.dry_run import dry_run
from geoseg.stages.evaluate import EvaluateOptions, evaluate
from geoseg.stages.instance_training import InstanceDrawer
from geoseg.stages.models import probe
from geoseg.stages.plan import request
from geoseg.stages.segment import SegmentOptions, segment
from geoseg.stages.train import train
from tests.bundles import card
from tests.raster.test_instances import EIGHT, canonical, paint, town
from tests.stages.instance_scene import GSD, HOUSES, SIDE, draw, instance_recipe, truth
from tests.tiffs import write_tif


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tiny networks are quicker so."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a training that saw one drawing, and was scored on the same one elsewhere."""
    folder = tmp_path_factory.mktemp("instances")
    path = instance_recipe(folder, [draw(folder, "west")], [draw(folder, "east", east=1000, crs="EPSG:4326")])
    train(path, folder / "out", folder / "work")
    return folder


def test_it_learns_an_exact_scene(trained):
    card = read_bundle("out", trained).card
    (score,) = card.instance_scores
    assert score.instances == len(HOUSES) and score.ap50 > 0.95 and 0.3 < score.ap <= 1
    assert card.task == "instances" and card.architecture == "maskrcnn" and card.radius is None
    assert card.halo == 32  # a house of 34 px asks for 64; a patch of 64 has half of that
    assert "COCO" in score.protocol and "float16" in score.protocol and "halo of 32 px" in score.protocol
    assert (trained / "out" / "curves.csv").read_text().splitlines()[0].startswith("step,loss")


def test_polygons_of_an_image(trained):
    """Through patches of 64 px: each house once, in map coordinates, with class, score and area."""
    figures = segment(trained / "east.tif", str(trained / "out"), trained / "map", SegmentOptions(precision="float32"))
    found = gpd.read_parquet(trained / "map" / "instances.parquet")
    drawn = gpd.read_file(trained / "east.gpkg").to_crs(found.crs)
    assert figures["layers"]["instances"]["features"] == len(found) < len(HOUSES) + 3
    assert figures["pixels"]["observed"] == SIDE**2
    for house in drawn.geometry:
        overlap = found.geometry.intersection(house).area / found.geometry.union(house).area
        assert (overlap > 0.5).sum() == 1
    assert set(found["name"]) == {"building"} and found["score"].between(0.5, 1).all() and found.is_valid.all()
    np.testing.assert_allclose(found.area, found["pixels"] * GSD**2)
    np.testing.assert_allclose(found["area_m2"], found.area, rtol=2e-3)  # the ellipsoid, and UTM's scale
    lonlat = json.loads((trained / "map" / "instances.geojson").read_text())
    assert len(lonlat["features"]) == len(found) and "crs" not in lonlat
    assert shapely.geometry.shape(lonlat["features"][0]["geometry"]).bounds[0] == pytest.approx(56.0, abs=0.1)
    listed = json.loads((trained / "map" / "run.json").read_text())
    footprints = {f"buildings.{end}" for end in ("parquet", "geojson", "gpkg", "qml")}
    assert set(listed["files"]) == {"instances.parquet", "instances.geojson", "instances.qml"} | footprints


def test_objects_of_buildings_become_footprints(trained):
    """Through `segment`: each house once, with the detector's score, drawn with right angles."""
    options = SegmentOptions(precision="float32", formats="geojsonl")
    figures = segment(trained / "east.tif", str(trained / "out"), trained / "prints", options)
    found = gpd.read_parquet(trained / "prints" / "buildings.parquet")
    drawn = gpd.read_file(trained / "east.gpkg").to_crs(found.crs)
    assert figures["layers"]["buildings"]["features"] == len(found)
    for house in drawn.geometry:
        overlap = found.geometry.intersection(house).area / found.geometry.union(house).area
        assert (overlap > 0.5).sum() == 1
    assert found["score"].between(0.5, 1).all() and found["confidence"].isna().all()
    assert (found["status"] == "regular").mean() > 0.5
    assert (trained / "prints" / "buildings.geojsonl").exists() and not (trained / "prints" / "buildings.gpkg").exists()
    only = SegmentOptions(precision="float32", products="landcover")
    figures = segment(trained / "east.tif", str(trained / "out"), trained / "only", only)
    assert list(figures["layers"]) == ["instances"]


def test_the_same_ground_gives_the_same_instances(trained):
    """P1 for instances: those that lie apart from the edge of a smaller target do not depend on it."""
    bundle = read_bundle("out", trained)
    detector, lattice = open_detector(bundle, "cpu", "float32", 1), own_lattice(trained / "east.tif")
    with Mosaic([Scene(str(trained / "east.tif"), (1, 2, 3))], lattice) as mosaic:
        plan, whole = PatchPlan(64, 32, 32), mosaic.extent
        left, top = whole.col_off, whole.row_off
        everything, observed = detect(detector, mosaic, bundle.card, plan, whole, lambda _: None)
        assert observed == SIDE**2
        part = Window(left, top, 64, SIDE)
        few, _ = detect(detector, mosaic, bundle.card, plan, part, lambda _: None)
    inside = [i for i in everything if i.window.right < left + 64 - 32]  # no patch beyond sees more of them

    def told(items):
        return {(i.first, i.pixels, i.index, i.score) for i in items if i.window.right < left + 64 - 32}

    assert told(few) == told(everything) and len(inside) >= 2


@pytest.mark.parametrize("size, halo", [(32, 8), (64, 16), (96, 32)])
def test_perfect_patches_give_the_drawn_objects(tmp_path, size, halo):
    """A network that reads the number of the object from the pixel itself, whatever the patches."""
    labels, classes = town(np.random.default_rng(1), (150, 170), count=30)
    from rasterio.transform import from_origin

    path = write_tif(
        tmp_path / "numbers.tif", labels.astype(np.uint8)[None], transform=from_origin(400_000.5, 2_800_000.5, 1, 1)
    )
    fields = {"bands": ["number"], "mean": [0.0], "std": [1.0], "scale": 1.0, "patch_size": 96, "halo": 32, "stride": 1}

    def perfect(patch):
        from scipy import ndimage

        numbers, found = np.rint(patch[0]).astype(int), []
        for number in np.unique(numbers[numbers > 0]):
            pieces, count = ndimage.label(numbers == number, EIGHT)
            for k in range(1, count + 1):
                found.append(Instance.of(Window(0, 0, *numbers.shape[::-1]), pieces == k, classes[number], 1.0))
        return found

    with Mosaic([Scene(str(path), (1,))], own_lattice(path)) as mosaic:
        extent = mosaic.extent
        found, _ = detect(perfect, mosaic, card(**fields), PatchPlan(size, halo, 1), extent, lambda _: None)
    here = [item.shift(-extent.col_off, -extent.row_off) for item in found]
    np.testing.assert_array_equal(paint(here, labels.shape), canonical(labels))


def test_views_are_refused(trained):
    options = SegmentOptions(symmetry="all", precision="float32")
    with pytest.raises(ConfigError, match="leave symmetry and scales out"):
        segment(trained / "east.tif", str(trained / "out"), trained / "turned", options)


def test_what_goes_with_class_maps_only(trained):
    model = str(trained / "out")
    with pytest.raises(ModelError, match="its halo is their size, there is nothing to probe"):
        list(probe(model, trained / "east.tif", None))
    aoi = {"model": model, "area": {"scenes": True}, "dates": {"2024-01-01": {"scenes": [str(trained / "east.tif")]}}}
    (trained / "town.yaml").write_text(json.dumps(aoi))
    with pytest.raises(ConfigError, match=r"finds single objects.*run it with geoseg segment IMAGE"):
        request(trained / "town.yaml", "2024-01-01")


def test_a_training_that_was_stopped_goes_on(trained):
    """Its last checkpoint is at the end, so nothing is left to do, and the same weights come out."""
    made = read_bundle("out", trained).card.weights_sha256
    path = trained / "again"
    path.mkdir()
    bundle = train(instance_recipe(path, [draw(path, "west")], []), path / "out", trained / "work")
    assert bundle.card.weights_sha256 == made and bundle.card.instance_scores == []
    started = instance_recipe(path, [draw(path, "west")], [], steps=0, start="../out")
    assert train(started, path / "started", path / "work").card.weights_sha256 == made


def test_a_dry_run_counts_and_draws_objects(tmp_path):
    path = instance_recipe(tmp_path, [draw(tmp_path, "west")], [draw(tmp_path, "east", east=1000)])
    lines = list(dry_run(path, tmp_path / "dry", None))
    assert ["building", str(len(HOUSES)), "objects", str(len(HOUSES)), "objects"] in [line.split() for line in lines]
    sheet = matplotlib.image.imread(tmp_path / "dry" / "windows.png")[..., :3]
    house = np.array([0xD7, 0x48, 0x3D]) / 255
    assert (np.abs(sheet - house).max(axis=-1) < 1e-3).sum() > 5000
    assert (tmp_path / "dry" / "split.png").stat().st_size > 5000
    with pytest.raises(ConfigError, match="leave --fold out"):
        list(dry_run(path, tmp_path / "dry", 0))
    with pytest.raises(ConfigError, match="leave --fold out"):
        train(path, tmp_path / "out", tmp_path / "work", 0)


def test_evaluate(trained):
    options = EvaluateOptions(side="test_on", fold=None, block=64, precision="float32")
    lines = list(evaluate(str(trained / "out"), trained / "recipe.yaml", trained / "page", options))
    scores = json.loads((trained / "page" / "scores.json").read_text())
    assert scores["scores"][0]["ap50"] == read_bundle("out", trained).card.instance_scores[0].ap50
    assert any("AP at IoU 0.5" in line for line in lines)


def test_numbers_as_labels_make_the_same_windows(tmp_path):
    """Polygons and a raster of numbers of the same houses are the same labels."""
    from geoseg.io.aoi_file import load_recipe
    from geoseg.io.instance_labels import InstanceLabels
    from geoseg.stages.split import open_split

    entry = draw(tmp_path, "west")
    import rasterio

    with rasterio.open(tmp_path / "west.tif") as file:
        write_tif(tmp_path / "numbers.tif", truth().astype(np.uint32) * 1000, transform=file.transform, crs=file.crs)
    drawn = []
    for labels in (entry["labels"], "numbers.tif"):
        loaded = load_recipe(instance_recipe(tmp_path, [entry | {"labels": labels}], []))
        (scene,) = open_split(loaded.config, tmp_path, None).train
        drawer = InstanceDrawer([InstanceLabels(scene, ("building",))], [1.0], 0.5)
        drawn.append([drawer(np.random.default_rng(seed), 64) for seed in range(6)])
        assert drawer.name(np.random.default_rng(0), 64).startswith(str(tmp_path / "west.tif, "))
    for (image, one), (_, other) in zip(*drawn, strict=True):
        np.testing.assert_array_equal(one > 0, other > 0)
        assert image.shape == (3, 64, 64) and len(np.unique(one)) == len(np.unique(other))


def refused(kind, match, folder, entry, **changes):
    with pytest.raises(kind, match=match):
        train(instance_recipe(folder, [entry], [], **changes), folder / "out", folder / "work")
    assert not (folder / "out").exists()


TWO = [{"name": "house", "colour": "#d7483d"}, {"name": "barn", "colour": "#4f9a55"}]


@pytest.mark.parametrize(
    "kind, match, changes",
    [
        (ConfigError, "does not say which object is house or barn; give polygons, and set attribute", {"classes": TWO}),
        (
            ConfigError,
            "folds go with class maps, not with maskrcnn; leave folds out",
            {"folds": {"count": 2, "block": 50.0}},
        ),
        (ConfigError, "fitted on one device, not 2; leave devices out", {"devices": 2}),
        (ConfigError, "for maskrcnn set gsd and gsd_range", {"resolution": 0.5}),
        (
            DataError,
            r"96 x 96 px to train on; windows of 96 px are read from up to 130 px: set window",
            {"window": 96, "augment": {}},
        ),
        (ModelError, r"one number in decoder_channels.*not \[32, 16\]", {"decoder_channels": [32, 16]}),
        (ConfigError, "patch_size 32 must be a multiple of 32, from 64 on", {"patch_size": 32}),
    ],
)
def test_recipes_that_cannot_be(tmp_path, kind, match, changes):
    refused(kind, match, tmp_path, draw(tmp_path, "west"), **changes)


def test_labels_that_cannot_be(tmp_path):
    entry, far = draw(tmp_path, "west"), draw(tmp_path, "far", east=5000)
    refused(DataError, "gone.gpkg is not there", tmp_path, entry | {"labels": "gone.gpkg"})
    refused(
        DataError,
        r"far\.gpkg has no object on .*west\.tif within the part",
        tmp_path,
        entry | {"labels": far["labels"]},
    )
    refused(DataError, "has no field 'use'; set attribute to one of: kind", tmp_path, entry | {"attribute": "use"})
    refused(DataError, "numbers of objects are one band of whole numbers", tmp_path, entry | {"labels": "west.tif"})
    import rasterio

    with rasterio.open(tmp_path / "west.tif") as file:
        place = {"transform": file.transform, "crs": file.crs}
    write_tif(tmp_path / "large.tif", truth().astype(np.uint32) + 2**24, **place)
    refused(DataError, "use numbers from 1 to 16777215", tmp_path, entry | {"labels": "large.tif"})
    lines = gpd.GeoDataFrame(
        geometry=[shapely.LineString([(400_000, 2_800_000), (400_050, 2_799_950)])], crs="EPSG:32640"
    )
    lines.to_file(tmp_path / "lines.gpkg", driver="GPKG")
    refused(DataError, "has no polygons; draw the outline of each object", tmp_path, entry | {"labels": "lines.gpkg"})
