"""The probability of every class: what the network says, whatever the tiles, and nothing where nothing was seen."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from numpy.testing import assert_array_equal
from rio_cogeo.cogeo import cog_validate
from torch import nn

from geoseg.errors import ConfigError
from geoseg.grid.lattice import Lattice
from geoseg.grid.patches import PatchPlan
from geoseg.grid.window import Window
from geoseg.io.bundle import read_bundle
from geoseg.io.ledger import Ledger
from geoseg.io.plan_file import Plan
from geoseg.io.rasters import open_raster
from geoseg.io.scenes import Mosaic, Scene
from geoseg.io.tile_file import read_tile
from geoseg.nn.inference import Predictor
from geoseg.nn.network import build, load
from geoseg.stages.answer import answer, network_spec, read_context
from geoseg.stages.estimate import need
from geoseg.stages.predict import _tasks, predict
from geoseg.stages.probs import probs
from geoseg.stages.segment import SegmentOptions, segment
from geoseg.stages.stitch import stitch
from geoseg.stages.tile import blank_tile
from tests.bundles import card, tiny_bundle
from tests.stages.test_predict import CRS, GRID, GSD, LEFT, TOP, planned
from tests.tiffs import write_tif

HEIGHT, WIDTH = 110, 150
HOLE = (slice(20, 60), slice(70, 120))
SCALE, BIAS = (0.03, 0.05, 0.06, 0.04), (0.1, 0.0, -0.3, 0.2)  # soft, so that no class is sure
CALIBRATION = {"method": "vector", "scale": SCALE, "bias": BIAS, "data": "here", "pixels": 1}
BLENDED = {"tiling": {"blend": 24}, "views": {"symmetry": "mirror"}}
ASKED = {"products": ["landcover", "probs"]}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    calibration = {**CALIBRATION, "ece_before": 0.1, "ece_after": 0.0}
    return tiny_bundle(tmp_path_factory.mktemp("model") / "tiny", calibration=calibration).folder


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    rng = np.random.default_rng(6)
    coarse = rng.integers(0, 256, (3, 14, 19)).repeat(8, 1).repeat(8, 2)[:, :HEIGHT, :WIDTH]
    image = np.clip(coarse + rng.normal(0, 12, coarse.shape), 1, 255).astype(np.uint8)
    image[(slice(None), *HOLE)] = 0
    path = tmp_path_factory.mktemp("scene") / "scene.tif"
    return write_tif(path, image, transform=GRID, crs=CRS, nodata=0, names=("red", "green", "blue"))


def made(plan: Path) -> dict[str, bytes]:
    """All three maps of a plan, computed through tiles."""
    folder = plan.parent
    predict(plan, folder / "tiles.json")
    stitch(plan, folder / "tiles.json", folder)
    if Plan.read(plan).probs:
        probs(plan, folder / "tiles.json", folder / "probs.tif")
    return {path.name: path.read_bytes() for path in folder.glob("*.tif")}


def expected(scene: Path, model: Path, size: int, halo: int) -> np.ndarray:
    """Calibrated softmax of the network on each patch, (class, height, width) float64, by numpy and torch alone."""
    bundle = read_bundle(model)
    network = load(build(network_spec(bundle.card)), bundle.weights()).eval()
    with rasterio.open(scene) as file:
        image, seen = file.read().astype(np.float64), file.read_masks(1) > 0
    image = np.where(seen, (image / 255 - 0.5) / 0.25, 0)
    margin = 2 * size
    padded = np.pad(image, ((0, 0), (margin, margin), (margin, margin)), mode="reflect")
    out = np.zeros((len(SCALE), HEIGHT + 2 * margin, WIDTH + 2 * margin))
    for top, bottom in cut(-int(TOP // GSD), HEIGHT, size):
        for left, right in cut(int(LEFT // GSD), WIDTH, size):
            core = slice(top + margin, bottom + margin), slice(left + margin, right + margin)
            patch = padded[:, core[0].start - halo : core[0].stop + halo, core[1].start - halo : core[1].stop + halo]
            with torch.no_grad():
                logits = network(torch.from_numpy(patch[None]).float())[0].double().numpy()
            log_p = logits - np.logaddexp.reduce(logits, axis=0)
            raised = np.exp(log_p * np.reshape(SCALE, (-1, 1, 1)) + np.reshape(BIAS, (-1, 1, 1)))
            out[(slice(None), *core)] = (raised / raised.sum(axis=0))[:, halo:-halo, halo:-halo]
    return out[:, margin:-margin, margin:-margin]


def cut(first: int, length: int, size: int) -> list[tuple[int, int]]:
    """Whole multiples of `size` along an axis, trimmed to those of 32 around the image that starts at `first`."""
    low, high = first // 32 * 32, -(-(first + length) // 32) * 32
    edges = sorted({low, high, *(n for n in range(low, high) if n % size == 0)})
    return [(start - first, stop - first) for start, stop in pairwise(edges)]


def test_the_bands_are_the_calibrated_softmax_of_the_network(scene, model, tmp_path):
    path = planned(scene, model, tmp_path, **ASKED)
    made(path)
    with rasterio.open(tmp_path / "probs.tif") as file:
        found, names = file.read(), file.descriptions
        assert file.nodata == 255 and file.dtypes[0] == "uint8"
        assert file.transform == GRID and file.shape == (HEIGHT, WIDTH)
        assert "alpha" not in [colour.name for colour in file.colorinterp]
        tags = file.tags()
    entries = read_bundle(model).card.classes
    assert list(names) == [c.name for c in entries]
    assert [tuple(e) for e in json.loads(tags["GEOSEG_CLASSES"])][:-1] == [
        (i, c.name, c.colour) for i, c in enumerate(entries)
    ]
    assert tags["GEOSEG_DATE"] == "2024-05-01" and "GEOSEG_MODEL_SHA256" in tags
    assert cog_validate(tmp_path / "probs.tif")[0]
    unseen = np.zeros((HEIGHT, WIDTH), bool)
    unseen[HOLE] = True
    assert_array_equal((found == 255).all(axis=0), unseen)
    assert_array_equal((found == 255).any(axis=0), unseen)
    truth = expected(scene, model, 64, 32)[:, ~unseen]
    assert np.abs(found[:, ~unseen] - 250 * truth).max() <= 0.5 + 0.02  # to rounding; sums are in another order
    with rasterio.open(tmp_path / "landcover.tif") as file:
        classes = file.read(1)
    with rasterio.open(tmp_path / "confidence.tif") as file:
        confidence = file.read(1)
    best, second = np.sort(found[:, ~unseen].astype(int), axis=0)[[-1, -2]]
    clear = best > second + 1
    assert clear.mean() > 0.9
    assert_array_equal(found[:, ~unseen].argmax(axis=0)[clear], classes[~unseen][clear])
    assert len(np.unique(classes[~unseen])) > 1
    mapped = np.take_along_axis(found, np.where(unseen, 0, classes)[None], 0)[0]
    assert_array_equal(mapped, confidence)
    with open_raster(tmp_path / "probs.tif") as raster:
        assert_array_equal(raster.read_probs(), found)
        assert_array_equal(raster.read_probs(Window(60, 10, 30, 40)), found[:, 10:50, 60:90])


@pytest.mark.parametrize("ways", [{}, BLENDED], ids=["plain", "blended"])
def test_P1_tiles_change_no_byte_and_neither_do_probabilities_change_the_maps(scene, model, tmp_path, ways):
    found = {}
    for patches in (1, 3):
        tiling = {**ways.get("tiling", {}), "tile_patches": patches}
        found[patches] = made(planned(scene, model, tmp_path / str(patches), **{**ways, **ASKED, "tiling": tiling}))
    assert found[1] == found[3]
    assert set(found[1]) == {"landcover.tif", "confidence.tif", "probs.tif"}
    assert len(list((tmp_path / "1" / "tiles").iterdir())) > len(list((tmp_path / "3" / "tiles").iterdir()))
    del found[1]["probs.tif"]
    without = planned(scene, model, tmp_path / "without", **ways, products=["landcover"])
    assert made(without) == found[1]


def test_one_image_without_an_aoi_file_has_them_if_asked_for(scene, model, tmp_path):
    asked = SegmentOptions(products="landcover,probs", formats="geojson", max_seams=1.0, device="cpu", workers=1)
    figures = segment(scene, str(model), tmp_path / "out", asked)
    assert "probs.tif" in figures["files"] and list(figures["layers"]) == ["landcover"]
    with open_raster(tmp_path / "out/probs.tif") as file, open_raster(tmp_path / "out/landcover.tif") as classes:
        mapped, found = classes.read_classes(), file.read_probs(classes.window)
    seen = mapped < 254
    assert (np.take_along_axis(found, np.where(seen, mapped, 0)[None], 0)[0][seen] == found.max(axis=0)[seen]).all()


def test_S02_P4_a_tile_that_is_lost_or_changed_is_made_again(scene, model, tmp_path):
    path = planned(scene, model, tmp_path, **ASKED, tiling={"tile_patches": 1})
    before = made(path)
    first, second, *_ = sorted((tmp_path / "tiles").iterdir())
    first.unlink()
    second.write_bytes(second.read_bytes()[:-40])
    (tmp_path / "run.json").write_text("{}")  # it would call the new map changed
    (tmp_path / "probs.tif").unlink()
    probs(path, tmp_path / "tiles.json", tmp_path / "probs.tif")
    assert {p.name: p.read_bytes() for p in tmp_path.glob("*.tif")} == before
    assert not (tmp_path / "run.json").exists()


def test_outside_the_area_and_in_a_failed_tile_there_is_none(scene, model, tmp_path):
    corners = [(LEFT + x, TOP - y) for x, y in ((5, 5), (140, 40), (30, 100))]
    outline = f"POLYGON (({', '.join(f'{x} {y}' for x, y in [*corners, corners[0]])}))"
    path = planned(scene, model, tmp_path, **ASKED)
    plan = replace(Plan.read(path), area=outline)
    plan.write(path)
    made(path)
    with open_raster(tmp_path / "probs.tif") as file, open_raster(tmp_path / "landcover.tif") as maps:
        found, classes = file.read_probs(), maps.read_classes()
    assert (classes == 255).any() and (classes < 254).any()
    assert_array_equal(found == 255, np.broadcast_to(classes >= 254, found.shape))
    task = next(iter(_tasks(plan, path, Ledger(tmp_path / "ledger.jsonl"))))
    blank = blank_tile(task, "its worker was killed twice")
    assert (read_tile(tmp_path / "tiles" / blank.file, range(2, 7)) == 255).all()


def test_a_plan_without_probabilities_says_how_to_get_them(scene, model, tmp_path):
    path = planned(scene, model, tmp_path)
    plan = Plan.read(path)
    assert not plan.probs
    with pytest.raises(ConfigError, match="name probs under products: in the AOI file and plan again"):
        probs(path, tmp_path / "tiles.json", tmp_path / "probs.tif")
    described = read_bundle(model).card
    kept = replace(plan, probs=True)
    assert need(kept, described).disk == pytest.approx(3 * need(plan, described).disk)  # 6 bands, not 2
    assert need(kept, described).memory > need(plan, described).memory
    ledger = Ledger(tmp_path / "ledger.jsonl")
    assert not {t.key for t in _tasks(plan, path, ledger)} & {t.key for t in _tasks(kept, path, ledger)}


class Constant(nn.Module):
    """Answers the same logits everywhere."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.tensor([0.1, 2.0, -1.0, 0.3]).reshape(1, 4, 1, 1).expand(len(image), 4, *image.shape[-2:])


@pytest.mark.parametrize("blend", [0, 24])
def test_a_constant_model_returns_its_constants_to_the_edges(scene, blend):
    mosaic = Mosaic([Scene(str(scene), (1, 2, 3), "none")], Lattice(CRS, GSD, 0.25, 0.75))
    plan = PatchPlan(64, 32, 32, blend)
    context = read_context(mosaic, card(), plan, mosaic.extent)
    bands = answer(Predictor(Constant(), "cpu", "float32", 1), plan, context, each=True)
    raised = np.exp([0.1, 2.0, -1.0, 0.3])
    codes = np.rint(250 * raised / raised.sum())
    assert_array_equal(bands, np.broadcast_to(np.array([1, codes[1], *codes])[:, None, None], (6, HEIGHT, WIDTH)))
