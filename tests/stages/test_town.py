"""The demo's town on disk: its grid, its truth, and what changes between its dates."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from geoseg.errors import ConfigError
from geoseg.grid.lattice import Lattice
from geoseg.io.aoi_file import load_recipe
from geoseg.io.rasters import open_raster
from geoseg.stages import town as stage
from tests.scenes import BUILDING, LAND, ROAD, VEGETATION

REPOSITORY = Path(__file__).parents[2]
DATES = [d.isoformat() for d in stage.DATES]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("town")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "SIDE", 384)
        for date in DATES:
            stage.town(date, path / f"{date}.tif", path / f"{date}_truth.tif")
    return path


def read(path):
    with open_raster(path) as raster:
        return raster.read(range(1, raster.count + 1), nodata="none")[0]


def test_scene_and_truth_lie_on_one_grid_off_the_whole_pixels(folder):
    boxes = []
    for date in DATES:
        for name in (f"{date}.tif", f"{date}_truth.tif"):
            with open_raster(folder / name) as raster:
                raster.check(deep=True)
                boxes.append(raster.geobox)
    assert all(box == boxes[0] for box in boxes)
    lattice = Lattice.from_geobox(boxes[0])
    assert (lattice.crs, lattice.gsd) == ("EPSG:32633", 0.8)
    assert 0 < lattice.phase_x < 0.8 and 0 < lattice.phase_y < 0.8
    assert lattice.phase_x != pytest.approx(lattice.phase_y)


def test_the_scene_names_its_bands_and_has_no_nodata(folder):
    with open_raster(folder / f"{DATES[0]}.tif") as raster:
        assert raster.band_names == ("red", "green", "blue")
        assert (raster.dtype, raster.nodata) == (np.uint8, None)


def test_the_truth_names_and_colours_its_classes(folder):
    with open_raster(folder / f"{DATES[0]}_truth.tif") as raster:
        names = [name for _, name, _ in json.loads(raster.tags()["GEOSEG_CLASSES"])]
        assert names == ["building", "land", "road", "vegetation", "water"]
        assert raster.colours()[0] == (0xD7, 0x48, 0x3D, 255)
    assert (folder / f"{DATES[0]}_truth.tif.aux.xml").is_file()


def test_truth_changes_by_clearing_and_building_only(folder):
    before, after = (read(folder / f"{date}_truth.tif")[0] for date in DATES)
    pairs = {(int(a), int(b)) for a, b in zip(before[before != after], after[before != after], strict=True)}
    assert pairs <= {(VEGETATION, LAND), (LAND, BUILDING), (LAND, ROAD), (LAND, VEGETATION)}
    assert pairs


def test_the_two_scenes_are_two_acquisitions(folder):
    before, after = (read(folder / f"{date}.tif").astype(int) for date in DATES)
    same = read(folder / f"{DATES[0]}_truth.tif")[0] == read(folder / f"{DATES[1]}_truth.tif")[0]
    assert (before != after).any(axis=0)[same].mean() > 0.9


def test_drawn_again_it_is_the_same(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "SIDE", 384)
    stage.town(DATES[1], tmp_path / "scene.tif", tmp_path / "truth.tif")
    assert (tmp_path / "scene.tif").read_bytes() == (folder / f"{DATES[1]}.tif").read_bytes()
    assert_array_equal(read(tmp_path / "truth.tif"), read(folder / f"{DATES[1]}_truth.tif"))


def test_another_date_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(ConfigError, match="2019-05-01 and 2024-05-01") as caught:
        stage.town("2020-01-01", tmp_path / "scene.tif", tmp_path / "truth.tif")
    assert caught.value.exit_code == 2


def test_the_model_was_trained_on_other_towns_with_the_same_classes():
    recipe = load_recipe(REPOSITORY / "workflows" / "train" / "vhr-rgb.yaml").config
    assert recipe.towns is not None
    assert stage.SEED not in recipe.towns.seeds
    assert [(c.name, c.colour) for c in recipe.classes] == list(stage.CLASSES)
