"""The properties of DESIGN on the whole path from imagery to tiles and maps: P1, P2's exact form, P4."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from numpy.testing import assert_array_equal
from torch import nn

from geoseg.config import AoiFile, Vectors
from geoseg.errors import ConfigError, DataError, ModelError, PartialError
from geoseg.grid.lattice import Lattice
from geoseg.grid.patches import PatchPlan
from geoseg.io.bundle import read_bundle
from geoseg.io.fingerprint import stamp
from geoseg.io.ledger import Ledger
from geoseg.io.plan_file import Plan
from geoseg.io.rasters import open_raster
from geoseg.io.scenes import Mosaic, Scene
from geoseg.io.tile_file import read_tile
from geoseg.nn.inference import Predictor
from geoseg.stages.answer import answer, load_predictor, read_context, read_patches
from geoseg.stages.landcover import landcover_of_map
from geoseg.stages.plan import Request, make_plan
from geoseg.stages.predict import _tasks, predict
from geoseg.stages.seams import seam_score, seam_tasks
from geoseg.stages.stitch import stitch
from geoseg.stages.tile import blank_tile
from geoseg.stages.translate import translate
from tests.bundles import card, tiny_bundle
from tests.tiffs import write_tif

PRODUCTS = ("landcover.tif", "confidence.tif", "landcover.parquet", "landcover.geojson")
SIDE = 200  # of the scene: a few patches of 64, not a multiple of anything
CRS, GSD, LEFT, TOP = "EPSG:32633", 1.0, 400_013.25, 5_000_041.75
GRID = Affine(GSD, 0, LEFT, 0, -GSD, TOP)
BLOCKS = {"blockxsize": 64, "blockysize": 64}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("model") / "tiny").folder


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    """Blobs and noise of three bands, with a hole of no data."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 256, (3, 26, 26)).repeat(8, 1).repeat(8, 2)[:, :SIDE, :SIDE]
    image = np.clip(coarse + rng.normal(0, 12, coarse.shape), 1, 255).astype(np.uint8)
    image[:, 90:120, 30:75] = 0
    path = tmp_path_factory.mktemp("scene") / "scene.tif"
    names = ("red", "green", "blue")
    write_tif(path, image, transform=GRID, crs=CRS, nodata=0, names=names, compress="deflate", tiled=True, **BLOCKS)
    return path


def planned(scene: Path, model: Path, out: Path, /, **changes) -> Path:
    """A plan of the whole scene written below `out`; `changes` are sections of the AOI file."""
    data = {
        "area": {"scenes": True},
        "model": str(model),
        "dates": {"2024-05-01": {"scenes": [str(scene)]}},
        "compute": {"workers": 1, "threads": 1, "precision": "float32", "device": "cpu"},
        **changes,
        "tiling": {"max_seams": 1, **changes.get("tiling", {})},  # random weights are not steady
    }
    config = AoiFile.model_validate_json(json.dumps(data))
    entries = next(iter(config.dates.values())).entries
    plan = make_plan(Request("test", "2024-05-01", config, scene.parent, [(scene, e) for e in entries]), out)
    plan.write(out / "plan.json")
    return out / "plan.json"


def maps(plan: Path) -> tuple[np.ndarray, np.ndarray]:
    """Classes and confidence of a plan, computed through tiles and stitching."""
    folder = plan.parent
    predict(plan, folder / "tiles.json")
    stitch(plan, folder / "tiles.json", folder)
    with open_raster(folder / "landcover.tif") as classes, open_raster(folder / "confidence.tif") as confidence:
        return classes.read_classes(), confidence.read_classes()


def test_P1_tile_size_and_workers_do_not_change_a_byte(scene, model, tmp_path):
    files = {}
    for patches, workers in ((1, 1), (2, 2), (4, 1)):
        compute = {"workers": workers, "threads": 1, "precision": "float32", "device": "cpu"}
        folder = tmp_path / f"{patches}_{workers}"
        maps(planned(scene, model, folder, tiling={"tile_patches": patches}, compute=compute))
        landcover_of_map(folder / "landcover.tif", folder / "confidence.tif", folder / "landcover.json", Vectors())
        translate(folder / "landcover.parquet", folder / "landcover.geojson")
        files[folder] = [(folder / name).read_bytes() for name in PRODUCTS]
    first, *others = files.values()
    assert all(other == first for other in others)
    counts = {len(json.loads((f / "tiles.json").read_text())["tiles"]) for f in files}
    assert len(counts) > 1  # they were cut differently


BLENDED = {"tiling": {"blend": 24}, "views": {"symmetry": "mirror", "scales": [1, 1.5]}}


@pytest.mark.parametrize("shift, ways", [((1, 0), {}), ((17, 5), {}), ((63, 64), {}), ((17, 5), BLENDED)])
def test_P1_a_crop_moved_by_any_number_of_pixels_sees_the_same_labels(scene, model, tmp_path, shift, ways):
    whole, confidence = maps(planned(scene, model, tmp_path / "whole", **ways))
    cols, rows = shift
    left, top = LEFT + cols * GSD, TOP - rows * GSD
    bounds = [left, top - 90 * GSD, left + 80 * GSD, top]
    crop, crop_confidence = maps(planned(scene, model, tmp_path / "crop", area={"bounds": bounds, "crs": CRS}, **ways))
    inside = (slice(rows, rows + 90), slice(cols, cols + 80))
    assert_array_equal(crop, whole[inside])
    assert_array_equal(crop_confidence, confidence[inside])


def test_a_run_measures_its_seams_on_a_few_of_its_patches(scene, model, tmp_path, monkeypatch):
    asked = []
    ask = Predictor.__call__
    monkeypatch.setattr(Predictor, "__call__", lambda *a: (asked.append(len(a[1])), ask(*a))[1])
    path = planned(scene, model, tmp_path, tiling={"tile_patches": 1})
    predict(path, tmp_path / "tiles.json")
    plan, run = Plan.read(path), sum(asked)
    found = json.loads((tmp_path / "tiles.json").read_text())["seams"]
    patches = len(list(plan.patches.cores(plan.window, plan.extent)))
    assert run == patches + 1  # one sample of a small run
    assert 0 < found["pixels"] <= 64 * 64
    assert found["excess"] == found["near"] - found["elsewhere"]
    predictor = load_predictor(read_bundle(model), "cpu", "float32", 1)
    mosaic = Mosaic([plan.scenes[0].scene], plan.lattice)
    (task,) = seam_tasks(plan, path, [], tmp_path)
    again = seam_score(predictor, read_bundle(model).card, plan.patches, mosaic, task.target)
    assert found == again.figures()  # as measured from imagery alone
    predict(path, tmp_path / "tiles.json")  # nothing left to do
    assert json.loads((tmp_path / "tiles.json").read_text())["seams"] == found


def test_more_seams_than_allowed_stop_the_step_and_lose_nothing(scene, model, tmp_path):
    path = planned(scene, model, tmp_path, tiling={"tile_patches": 1, "max_seams": 0.0, "halo": 0})
    with pytest.raises(ConfigError, match=r"the map has seams: .* Raise tiling: halo \(now 0\), or blend patches"):
        predict(path, tmp_path / "tiles.json")
    assert not (tmp_path / "tiles.json").exists()
    path = planned(scene, model, tmp_path, tiling={"tile_patches": 1, "halo": 0})
    predict(path, tmp_path / "tiles.json")
    made = json.loads((tmp_path / "tiles.json").read_text())
    assert made["computed_pixels"] == 0 and made["seams"]["excess"] > 0


def test_exact_halo_is_the_untiled_answer(scene, tmp_path):
    bundle = tiny_bundle(tmp_path / "tiny")
    assert bundle.card.radius is not None
    halo = -(-bundle.card.radius // 32) * 32
    predictor = load_predictor(bundle, "cpu", "float32", 1)
    mosaic = Mosaic([Scene(str(scene), (1, 2, 3))], Lattice.from_geobox(_geobox(scene)))
    target = mosaic.extent
    untiled = read_patches(mosaic, bundle.card, (target.align(32),), halo, target)
    plan = PatchPlan(64, halo, 32)
    tiled = read_context(mosaic, bundle.card, plan, target)
    off = (answer(predictor, plan, tiled)[0] != answer(predictor, plan, untiled)[0]).mean()
    assert off < 1e-4  # sums are taken in another order in a larger image, so an exact tie may fall elsewhere


def test_no_data_is_unobserved_and_changes_nothing_beyond_its_reach(scene, model, tmp_path):
    classes, confidence = maps(planned(scene, model, tmp_path))
    with open_raster(scene) as raster:
        _, valid = raster.read((1, 2, 3))
    assert_array_equal(classes == 254, ~valid)
    assert_array_equal(confidence == 255, ~valid)
    assert len(np.unique(classes[valid])) > 1


def test_R06_tiles_without_data_skip_the_network(scene, model, tmp_path, monkeypatch):
    empty = tmp_path / "empty.tif"
    names = ("red", "green", "blue")
    image = np.zeros((3, 64, 64), np.uint8)
    write_tif(empty, image, transform=GRID, crs=CRS, nodata=0, names=names)
    monkeypatch.setattr(Predictor, "__call__", lambda *_: pytest.fail("the network was run on nothing"))
    classes, confidence = maps(planned(empty, model, tmp_path))
    assert (classes == 254).all()
    assert (confidence == 255).all()


@pytest.mark.parametrize("side", [1, 7, 31, 33, 70])
def test_G16_a_scene_smaller_than_a_patch_is_mapped_to_its_edge(model, tmp_path, side):
    small = tmp_path / "small.tif"
    image = np.random.default_rng(side).integers(1, 256, (3, side, side + 2)).astype(np.uint8)
    write_tif(small, image, transform=GRID, crs=CRS, names=("red", "green", "blue"))
    classes, _ = maps(planned(small, model, tmp_path))
    assert classes.shape == (side, side + 2)
    assert (classes < 4).all()


class Constant(nn.Module):
    """Answers the same logits everywhere."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits = torch.tensor([0.1, 2.0, -1.0, 0.3]).reshape(1, 4, 1, 1)
        return logits.expand(len(image), 4, *image.shape[-2:])


def test_a_constant_model_returns_its_constant_to_the_edges(scene):
    predictor = Predictor(Constant(), "cpu", "float32", 1)
    mosaic = Mosaic([Scene(str(scene), (1, 2, 3), "none")], Lattice.from_geobox(_geobox(scene)))
    plan = PatchPlan(64, 32, 32)
    context = read_context(mosaic, card(), plan, mosaic.extent)
    classes, confidence = answer(predictor, plan, context)
    p = float(torch.softmax(torch.tensor([0.1, 2.0, -1.0, 0.3]), 0).max())
    assert_array_equal(classes, np.ones((SIDE, SIDE), np.uint8))
    assert_array_equal(confidence, np.full((SIDE, SIDE), round(250 * p), np.uint8))


def test_S02_a_changed_tile_is_made_again(scene, model, tmp_path):
    plan = planned(scene, model, tmp_path)
    maps(plan)
    before = (tmp_path / "landcover.tif").read_bytes()
    first, second, *_ = sorted((tmp_path / "tiles").glob("*.tif"))
    first.write_bytes(b"")
    second.write_bytes(second.read_bytes()[:-40])
    stitch(plan, tmp_path / "tiles.json", tmp_path)
    assert (tmp_path / "landcover.tif").read_bytes() == before


def test_S01_what_a_tile_depends_on_makes_it_new_and_nothing_else_does(scene, model, tmp_path):
    plan = planned(scene, model, tmp_path)
    names = _tile_names(plan)
    assert _tile_names(planned(scene, model, tmp_path)) == names
    two = {"workers": 2, "threads": 1, "precision": "float32", "device": "cpu"}
    assert _tile_names(planned(scene, model, tmp_path, compute=two)) == names  # more workers, same bytes
    for change in (
        {"tiling": {"halo": 64}},
        {"tiling": {"blend": 8}},
        {"views": {"symmetry": "all"}},
        {"views": {"scales": [1, 1.5]}},
        {"compute": {**two, "precision": "bfloat16"}},
        {"compute": {**two, "threads": 2}},
        {"model": str(tiny_bundle(tmp_path / "other", seed=1).folder)},
        {"dates": {"2024-05-01": {"scenes": [{"path": str(scene), "nodata": "none"}]}}},
    ):
        assert not _tile_names(planned(scene, model, tmp_path, **change)) & names, change


def test_F03_a_scene_that_changed_since_the_plan_stops_the_run(scene, model, tmp_path):
    copy = tmp_path / "copy.tif"
    copy.write_bytes(scene.read_bytes())
    plan = planned(copy, model, tmp_path)
    data = bytearray(copy.read_bytes())
    data[-10] ^= 1
    copy.write_bytes(data)
    with pytest.raises(DataError, match="has changed since the run was planned; plan again"):
        predict(plan, tmp_path / "tiles.json")


def test_a_mask_beside_a_scene_is_part_of_it(scene, model, tmp_path):
    copy = tmp_path / "copy.tif"
    copy.write_bytes(scene.read_bytes())
    plan = planned(copy, model, tmp_path)
    write_tif(tmp_path / "copy.tif.msk", np.full((1, SIDE, SIDE), 255, np.uint8), transform=None, crs=None)
    with pytest.raises(DataError, match="has changed since the run was planned"):
        predict(plan, tmp_path / "tiles.json")


def test_one_thread_keeps_the_settings_of_two_plans_apart(scene, model, tmp_path):
    with_hole, _ = maps(planned(scene, model, tmp_path))
    entry = {"path": str(scene), "nodata": "none"}
    without, _ = maps(planned(scene, model, tmp_path, dates={"2024-05-01": {"scenes": [entry]}}))
    assert (with_hole == 254).any()
    assert not (without == 254).any()


def test_H10_a_tile_that_kills_its_worker_is_unobserved_and_named(scene, model, tmp_path):
    path = planned(scene, model, tmp_path, compute={"threads": 1, "device": "cpu", "allow_partial": True})
    plan = Plan.read(path)
    task = next(iter(_tasks(plan, path, Ledger(tmp_path / "ledger.jsonl"))))
    entry = blank_tile(task, "its worker was killed twice")
    classes, confidence = read_tile(tmp_path / "tiles" / entry.file, (1, 2))
    assert (classes == 254).all()
    assert (confidence == 255).all()
    assert (entry.observed, entry.damage) == (0, ("its worker was killed twice",))


def test_a_model_that_changed_since_the_plan_stops_the_run(scene, tmp_path):
    bundle = tiny_bundle(tmp_path / "model")
    plan = planned(scene, bundle.folder, tmp_path)
    tiny_bundle(tmp_path / "model", seed=2)
    with pytest.raises(ModelError, match="has changed since the run was planned"):
        predict(plan, tmp_path / "tiles.json")


def test_F01_a_block_damaged_after_planning_becomes_a_named_hole(scene, model, tmp_path):
    copy = tmp_path / "copy.tif"
    copy.write_bytes(scene.read_bytes())
    path = planned(copy, model, tmp_path)
    with rasterio.open(copy) as file:
        offset = int(file.get_tag_item("BLOCK_OFFSET_1_1", "TIFF", bidx=1))
    data = bytearray(copy.read_bytes())
    data[offset : offset + 200] = b"\xff" * 200  # no deflate stream starts like this
    copy.write_bytes(data)
    plan = Plan.read(path)
    same = replace(plan.scenes[0], stamp=stamp(copy))
    replace(plan, scenes=(same,)).write(path)
    with pytest.raises(PartialError, match="allow_partial") as caught:
        predict(path, tmp_path / "tiles.json")
    assert caught.value.exit_code == 8
    assert "copy.tif" in str(caught.value)
    assert not (tmp_path / "tiles.json").exists()
    replace(plan, scenes=(same,), allow_partial=True).write(path)
    predict(path, tmp_path / "tiles.json")
    assert json.loads((tmp_path / "tiles.json").read_text())["holes"]


@pytest.mark.slow
def test_P4_H06_killed_at_random_moments_and_resumed_gives_the_same_bytes(scene, model, tmp_path):
    whole = planned(scene, model, tmp_path / "whole", tiling={"tile_patches": 1})
    maps(whole)
    plan = planned(scene, model, tmp_path / "killed", tiling={"tile_patches": 1})
    out = plan.parent / "tiles.json"
    code = "import sys, pathlib; from geoseg.stages.predict import predict; predict(*map(pathlib.Path, sys.argv[1:]))"
    rng = np.random.default_rng(0)
    kills = 0
    while not out.exists() and kills < 6:
        process = subprocess.Popen([sys.executable, "-c", code, str(plan), str(out)], stderr=subprocess.DEVNULL)
        ledger, seen = plan.parent / "ledger.jsonl", _lines(plan.parent / "ledger.jsonl")
        deadline = time.monotonic() + 90
        while process.poll() is None and _lines(ledger) <= seen and time.monotonic() < deadline:
            time.sleep(0.01)  # at least one more tile, or the kills would never let it end
        time.sleep(float(rng.uniform(0, 0.05)))
        process.kill()
        process.wait()
        kills += 1
    assert kills > 1
    maps(plan)
    for name in ("landcover.tif", "confidence.tif"):
        assert (plan.parent / name).read_bytes() == (whole.parent / name).read_bytes()
    assert not list(plan.parent.rglob("*.part"))


@pytest.mark.slow
def test_a_scheduler_with_workers_of_its_own_gives_the_same_bytes(scene, model, tmp_path):
    local = planned(scene, model, tmp_path / "local", tiling={"tile_patches": 1})
    maps(local)
    address_file = tmp_path / "scheduler.json"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    scheduler = subprocess.Popen([*dask, "--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(address_file)])
    processes = [scheduler]
    try:
        address = _address(address_file)
        for _ in range(2):
            worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "2", "--no-nanny"]
            processes.append(subprocess.Popen([*worker, "--no-dashboard", "--host", "127.0.0.1"], cwd=tmp_path))
        compute = {"scheduler": address, "threads": 1, "precision": "float32", "device": "cpu"}
        remote = planned(scene, model, tmp_path / "remote", tiling={"tile_patches": 1}, compute=compute)
        maps(remote)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    for name in ("landcover.tif", "confidence.tif"):
        assert (remote.parent / name).read_bytes() == (local.parent / name).read_bytes()


def test_a_scene_on_its_own_grid_is_not_resampled(scene, model, tmp_path):
    plan = Plan.read(planned(scene, model, tmp_path))
    mosaic = Mosaic([plan.scenes[0].scene], plan.lattice, plan.resampling)
    image, valid = mosaic.read(mosaic.extent)
    with open_raster(scene) as raster:
        own, own_valid = raster.read((1, 2, 3))
        assert plan.lattice.geobox(plan.window) == raster.geobox
    assert mosaic.resampled == []
    assert_array_equal(valid, own_valid)
    assert_array_equal(image, own.astype(np.float32))


def test_an_area_outline_leaves_the_rest_outside(scene, model, tmp_path):
    whole, _ = maps(planned(scene, model, tmp_path / "whole"))
    corners = [(20, 10), (150, 30), (90, 140), (20, 10)]
    ring = [[LEFT + c * GSD, TOP - r * GSD] for c, r in corners]
    lonlat = _lonlat(ring)
    area = tmp_path / "area.geojson"
    area.write_text(json.dumps({"type": "Polygon", "coordinates": [lonlat]}))
    plan_path = planned(scene, model, tmp_path / "part", area={"file": str(area)})
    plan = Plan.read(plan_path)
    part, _ = maps(plan_path)
    first = Lattice.from_geobox(_geobox(scene)).window((LEFT, TOP - SIDE, LEFT + SIDE, TOP))
    inside = plan.window.within(first)
    within = part != 255
    assert_array_equal(part[within], whole[inside.slices][within])
    rows, cols = np.mgrid[: inside.height, : inside.width] + 0.5
    truth = _in_triangle(cols + inside.col_off, rows + inside.row_off, corners)
    assert (within != truth).mean() < 0.002  # centres on the outline, moved by less than a millimetre


def _in_triangle(x, y, corners) -> np.ndarray:
    sides = []
    for (x0, y0), (x1, y1) in pairwise(corners):
        sides.append((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > 0)
    return np.all(sides, axis=0) | ~np.any(sides, axis=0)


def _lonlat(ring):
    from pyproj import Transformer

    to = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    return [list(to.transform(x, y)) for x, y in ring]


def _geobox(scene: Path):
    with open_raster(scene) as raster:
        return raster.geobox


def _tile_names(plan: Path) -> set[str]:
    return {t.key for t in _tasks(Plan.read(plan), plan, Ledger(plan.parent / "ledger.jsonl"))}


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _address(path: Path) -> str:
    for _ in range(300):
        if path.exists():
            return json.loads(path.read_text())["address"]
        time.sleep(0.1)
    raise AssertionError("the scheduler did not start")
