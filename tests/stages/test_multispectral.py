"""Six bands in six files, of two pixel types, with labels in another CRS: planned, mapped and trained on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.warp
import torch
import yaml
from affine import Affine
from numpy.testing import assert_array_equal

from geoseg.errors import DataError, ModelError
from geoseg.grid.lattice import Lattice
from geoseg.grid.patches import PatchPlan
from geoseg.io.aoi_file import load_recipe
from geoseg.io.bundle import Bundle, write_bundle
from geoseg.io.plan_file import Plan
from geoseg.io.rasters import open_raster
from geoseg.io.scenes import Mosaic, Scene, describe
from geoseg.nn.network import build, stored
from geoseg.stages.answer import answer, load_predictor, network_spec, read_context
from geoseg.stages.data_checks import survey_split
from geoseg.stages.plan import plan
from geoseg.stages.predict import predict
from geoseg.stages.segment import SegmentOptions, segment
from geoseg.stages.split import open_split
from geoseg.stages.stitch import stitch
from tests.bundles import card
from tests.stages.recipes import recipe
from tests.tiffs import write_tif

DATA = Path(__file__).parents[2].parent / "shared/data/nc_landsat7"
BANDS = dict(zip((10, 20, 30, 40, 50, 70), ("blue", "green", "red", "nir08", "swir16", "swir22"), strict=True))
SHAPE, PLACE = (70, 90), Affine(28.5, 0, 630_534.0, 0, -28.5, 228_114.0)
CLASSES = [{"name": f"stratum_{i}", "colour": f"#{i}0{i}0{i}0"} for i in range(1, 8)]


@dataclass(frozen=True)
class Data:
    """A file for each band by its name, and labels 1 to 7."""

    files: dict[str, Path]
    labels: Path

    @property
    def first(self) -> Path:
        return self.files["blue"]

    @property
    def others(self) -> dict[str, str]:
        return {name: str(path) for name, path in self.files.items() if name != "blue"}

    def stacked(self, folder: Path) -> tuple[Path, np.ndarray]:
        """All bands as one file made by rasterio, NaN where any lacks data; and where all have some."""
        pixels, valid = [], []
        for path in self.files.values():
            with rasterio.open(path) as file:
                pixels.append(file.read(1).astype("float32"))
                valid.append(pixels[-1] != file.nodata)
                transform, crs = file.transform, file.crs
        seen = np.all(valid, axis=0)
        image = np.where(seen, pixels, np.nan).astype("float32")
        return write_tif(folder / "stack.tif", image, transform=transform, crs=crs, names=tuple(self.files)), seen


def drawn(folder: Path) -> Data:
    """What `nc_landsat7` is, small."""
    rng = np.random.default_rng(3)
    strata = np.kron(rng.integers(1, 8, (10, 13)), np.ones((7, 7)))[: SHAPE[0], : SHAPE[1]]
    files = {}
    for number, (band, name) in enumerate(BANDS.items()):
        dtype, nodata = ("int16", -32768) if band == 70 else ("float32", -99999)
        pixels = (30 * strata * (1 + number % 3) % 256 + rng.normal(0, 5, SHAPE)).clip(1, 255).astype(dtype)
        pixels[number : number + 9, 10 * number : 10 * number + 7] = nodata
        files[name] = write_tif(folder / f"{band}.tif", pixels, transform=PLACE, crs="EPSG:32119", nodata=nodata)
    labels = write_tif(folder / "strata.tif", strata.astype("float32"), transform=PLACE, crs="EPSG:3358", nodata=-99999)
    return Data(files, labels)


@pytest.fixture(params=["drawn", "nc_landsat7"])
def data(request, tmp_path) -> Data:
    if request.param == "drawn":
        return drawn(tmp_path)
    if not DATA.is_dir():
        pytest.skip("shared/data/nc_landsat7 is not here")
    return Data({name: DATA / f"lsat7_2000_{band}.tif" for band, name in BANDS.items()}, DATA / "strata.tif")


@pytest.fixture
def model(tmp_path) -> Bundle:
    """Six bands in, random weights."""
    torch.set_num_threads(1)
    described = card(
        bands=list(BANDS.values()),
        dtypes=["float32", "int16"],
        mean=[0.3, 0.25, 0.25, 0.27, 0.35, 0.23],
        std=[0.06, 0.07, 0.09, 0.06, 0.1, 0.09],
        gsd=28.5,
        gsd_range=(20.0, 40.0),
        patch_size=256,
    )
    torch.manual_seed(0)
    network = build(network_spec(described)).eval()
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.startswith("segmentation_head"):
                weight.mul_(30)  # lively
    return write_bundle(tmp_path / "model", described, stored(network))


def require_same_map(out, data, model, folder):
    """The maps in `out` are those of all bands in one file, cut and answered without a plan."""
    path, seen = data.stacked(folder)
    whole = Scene(str(path), (1, 2, 3, 4, 5, 6))
    mosaic = Mosaic([whole], Lattice.from_geobox(describe(whole).geobox))
    patches = PatchPlan(model.card.patch_size, model.card.halo, model.card.stride)
    expected = answer(
        load_predictor(model, "cpu", "float32", 1), patches, read_context(mosaic, model.card, patches, mosaic.extent)
    )
    for name, values in zip(("landcover.tif", "confidence.tif"), expected, strict=True):
        with open_raster(out / name) as raster:
            assert_array_equal(raster.read_classes(), values)
    assert_array_equal(expected[0] == 254, ~seen)
    assert len(np.unique(expected[0][seen])) > 1


def test_segment_maps_bands_in_several_files_as_if_they_were_one(model, tmp_path):
    data = drawn(tmp_path)
    ways = {"workers": 1, "threads": 1, "precision": "float32", "device": "cpu"}
    options = SegmentOptions(max_seams=1.0, bands="blue", band_files=tuple(data.others.items()), **ways)
    segment(data.first, str(model.folder), tmp_path / "out", options)
    require_same_map(tmp_path / "out", data, model, tmp_path)


def test_a_run_maps_bands_in_several_files_as_if_they_were_one(data, model, tmp_path):
    path, tiles = tmp_path / "plan.json", tmp_path / "tiles.json"
    plan(aoi(tmp_path, data, model), "2000-03-31", path)
    predict(path, tiles)
    stitch(path, tiles, tmp_path / "out")
    require_same_map(tmp_path / "out", data, model, tmp_path)


def aoi(folder, data, model, **entry) -> Path:
    fields = {"path": str(data.first), "bands": ["blue"], "files": data.others} | entry
    content = {
        "area": {"scenes": True},
        "model": str(model.folder),
        "dates": {"2000-03-31": {"scenes": [fields]}},
        "compute": {"workers": 1, "threads": 1, "device": "cpu", "precision": "float32"},
        "tiling": {"max_seams": 1},  # random weights are not steady
    }
    (folder / "aoi.yaml").write_text(yaml.safe_dump(content))
    return folder / "aoi.yaml"


def test_a_plan_holds_all_files_and_notes_when_one_has_changed(model, tmp_path):
    data = drawn(tmp_path)
    names = {name: path.name for name, path in data.files.items() if name != "blue"}  # relative to the AOI file
    path = aoi(tmp_path, data, model, files=names)
    planned = plan(path, "2000-03-31", tmp_path / "plan.json")
    (scene,) = Plan.read(tmp_path / "plan.json").scenes
    assert scene == planned.scenes[0]
    assert [Path(f).name for f in scene.scene.files] == [f.name for f in data.files.values()]
    with rasterio.open(data.files["swir22"], "r+") as file:
        file.write(file.read() + np.int16(1))
    with pytest.raises(DataError, match=r"70\.tif has changed since the run was planned"):
        predict(tmp_path / "plan.json", tmp_path / "tiles.json")
    data.files["red"].unlink()
    with pytest.raises(DataError, match=r"30\.tif was planned but is gone"):
        predict(tmp_path / "plan.json", tmp_path / "tiles.json")


def test_each_file_must_hold_pixels_that_the_model_takes(model, tmp_path):
    data = drawn(tmp_path)
    with rasterio.open(data.files["green"]) as file:
        pixels = file.read().clip(0, 255)
    write_tif(data.files["green"], pixels.astype("uint16"), transform=PLACE, crs="EPSG:32119")
    with pytest.raises(ModelError, match="has uint16 pixels; model tiny was trained on float32 or int16"):
        plan(aoi(tmp_path, data, model), "2000-03-31", tmp_path / "plan.json")


def test_training_windows_come_from_all_files_with_labels_of_another_crs(data, tmp_path):
    entry = {
        "image": str(data.first),
        "labels": str(data.labels),
        "bands": ["blue"],
        "files": data.others,
        "classes": {str(i): f"stratum_{i}" for i in range(1, 8)},
    }
    path = recipe(
        tmp_path,
        [entry],
        [],
        bands=list(BANDS.values()),
        dtypes=["float32", "int16"],
        mean=[0.3] * 6,
        std=[0.1] * 6,
        gsd=28.5,
        gsd_range=[20.0, 40.0],
        classes=CLASSES,
    )
    loaded = load_recipe(path)
    found = survey_split(open_split(loaded.config, loaded.folder, None), loaded.config)
    (scene,) = found.split.train
    stack, seen = data.stacked(tmp_path)
    with rasterio.open(stack) as file:
        pixels, place, crs = file.read(), file.transform, file.crs
    truth = np.full(seen.shape, 255, "uint8")
    with rasterio.open(data.labels) as file:
        rasterio.warp.reproject(
            rasterio.band(file, 1), truth, dst_transform=place, dst_crs=crs, init_dest_nodata=False, tolerance=0
        )
    truth[~seen] = 255
    counts = np.bincount(truth[(truth > 0) & (truth < 8)], minlength=8)[1:]
    assert found.surveys["train"][0].pixels == pytest.approx(counts, rel=0.01, abs=3)
    image, labels = found.drawer(loaded.config)(np.random.default_rng(1), 32)
    assert image.shape == (6, 32, 32) and (labels < 7).any()
    whole, known = scene.imagery.read(scene.extent)
    assert_array_equal(known, seen)
    assert_array_equal(whole[:, seen], pixels[:, seen])
