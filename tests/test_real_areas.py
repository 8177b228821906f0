"""The areas of interest that come with geoseg: their files are right, and imagery that does not fit is refused."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
import yaml

from geoseg.errors import ModelError
from geoseg.io.aoi_file import expand_scenes, load_aoi, load_recipe
from geoseg.io.bundle import read_bundle
from geoseg.stages.check import check
from geoseg.stages.plan import make_plan, request
from tests.bundles import tiny_bundle
from tests.scenes import small_town, write_scene

REPOSITORY = Path(__file__).parents[1]
AOIS = sorted((REPOSITORY / "aoi").glob("*.yaml"))
DATA = REPOSITORY.parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA}, the real imagery, is not on this machine")


@pytest.fixture(scope="module")
def vhr(tmp_path_factory):
    """A bundle that takes what vhr-rgb takes; its network knows nothing."""
    recipe = load_recipe(REPOSITORY / "workflows" / "train" / "vhr-rgb.yaml").config
    taken = {key: getattr(recipe, key) for key in ("bands", "dtypes", "value_range", "gsd", "gsd_range")}
    return tiny_bundle(tmp_path_factory.mktemp("models") / "vhr-rgb", name="vhr-rgb", **taken)


def with_model(aoi, model, folder):
    """The AOI file `aoi` with another model and whole paths, in `folder`."""
    content = yaml.safe_load(aoi.read_text(encoding="utf-8"))
    content["model"] = str(model.folder)
    content["dates"] = {str(day): entry for day, entry in content["dates"].items()}
    for entry in content["dates"].values():
        for scene in entry["scenes"]:
            scene["path"] = str((aoi.parent / scene["path"]).resolve())
    out = folder / aoi.name
    out.write_text(yaml.safe_dump(content), encoding="utf-8")
    return out


def one_scene(folder, path):
    out = folder / "one.yaml"
    scene = {"path": str(path), "bands": ["blue", "green", "red"], "nodata": 0}
    content = {"area": {"scenes": True}, "model": "", "dates": {"2020-05-18": {"scenes": [scene]}}}
    out.write_text(yaml.safe_dump(content), encoding="utf-8")
    return out


@pytest.mark.parametrize("path", AOIS, ids=lambda p: p.stem)
def test_each_area_is_in_order(path):
    assert load_aoi(path).name == path.stem


@needs_data
@pytest.mark.parametrize("path", [p for p in AOIS if p.stem != "demo"], ids=lambda p: p.stem)
def test_the_scenes_of_real_areas_are_there(path):
    loaded = load_aoi(path)
    for day in loaded.config.dates:
        assert expand_scenes(loaded, day)


@needs_data
def test_landsat_is_planned_on_its_own_pixels_south_of_the_equator():
    planned = make_plan(request(REPOSITORY / "aoi" / "landsat8_parana.yaml", "2020-05-18"), Path())
    assert (planned.lattice.crs, planned.lattice.gsd) == ("EPSG:32621", 30.0)
    assert planned.window.shape == (1860, 2041)
    assert planned.window.row_off == 92_567  # southwards from the equator, 2,777,010 m in pixels of 29.99 m
    assert (planned.lattice.phase_x, planned.lattice.phase_y) == (15.0, 15.0)  # Landsat's pixel centres are whole
    assert planned.scenes[0].scene.bands == (3, 2, 1)  # the model wants red, green, blue
    assert planned.scenes[0].scene.nodata == 0
    assert not planned.notes


@needs_data
def test_a_series_is_planned_on_one_grid(tmp_path):
    aoi = REPOSITORY / "aoi" / "pucallpa.yaml"
    days = sorted(load_aoi(aoi).config.dates)
    assert [d.year for d in days] == list(range(1985, 2021, 5))
    one, other = (make_plan(request(aoi, day.isoformat()), tmp_path) for day in (days[0], days[-1]))
    assert (one.lattice, one.window) == (other.lattice, other.window)
    assert (one.lattice.crs, round(one.lattice.gsd)) == ("EPSG:32718", 89)
    assert one.probs  # change asks for the probability of every class
    lines = check(aoi, deep=False)
    assert "products   landcover, change" in lines
    assert "change     deforestation, reforestation; 8 dates from 1985-08-01 to 2020-08-01" in lines


@needs_data
def test_landsat_is_refused_by_the_very_high_resolution_model(vhr, tmp_path):
    aoi = with_model(REPOSITORY / "aoi" / "landsat8_parana.yaml", vhr, tmp_path)
    with pytest.raises(ModelError, match="uint16 pixels; model vhr-rgb was trained on uint8"):
        make_plan(request(aoi, "2020-05-18"), tmp_path)


@pytest.mark.parametrize(
    ("dtype", "reason", "way_out"),
    [
        ("uint16", "has uint16 pixels; model vhr-rgb was trained on uint8", "Use a model for uint16 imagery"),
        ("uint8", "pixels of 29.99 m", "Use another model"),
    ],
)
def test_the_very_high_resolution_model_refuses_landsat_pixels(vhr, tmp_path, dtype, reason, way_out):
    image = np.maximum(small_town().image(dtype), 1)
    scene = write_scene(tmp_path / "landsat.tif", image, gsd=30.0, crs="EPSG:32621", origin=(717_345.0, -2_776_995.0))
    aoi = with_model(one_scene(tmp_path, scene), vhr, tmp_path)
    with pytest.raises(ModelError) as caught:
        make_plan(request(aoi, "2020-05-18"), tmp_path)
    assert reason in str(caught.value)
    assert way_out in str(caught.value)
    assert caught.value.exit_code == 4


def test_the_landsat_bundle_says_that_it_is_not_for_use():
    card = read_bundle("l8-landcover").card
    recipe = load_recipe(REPOSITORY / "workflows" / "train" / "l8-landcover.yaml").config
    assert "not for use" in card.description
    assert card.scores == []
    assert card.radius is not None
    assert (card.name, card.bands, card.classes) == (recipe.name, recipe.bands, recipe.classes)
    assert card.released == date(2026, 11, 22)
