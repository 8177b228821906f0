"""Faults as an analyst meets them: on the command line, one sentence and an exit code, never a traceback."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from pyproj import Geod

from geoseg.cli import main
from geoseg.io.rasters import open_raster
from geoseg.stages.segment import SegmentOptions, segment
from tests.bundles import tiny_bundle
from tests.tiffs import write_tif

GRID = Affine(1.0, 0, 400_000, 0, -1.0, 5_000_000)
RGB = ("red", "green", "blue")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("model") / "tiny").folder


def picture(path: Path, dtype: str = "uint8", count: int = 3, **options) -> Path:
    image = np.random.default_rng(0).integers(1, 256, (count, 96, 80)).astype(dtype)
    settings = {"transform": GRID, "crs": "EPSG:32633", "names": RGB[:count], **options}
    return write_tif(path, image, **settings)


def ends(capsys, monkeypatch, *words: str) -> tuple[int, str]:
    """Exit code and what was said on standard error of a command."""
    monkeypatch.setattr(sys, "argv", ["geoseg", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        main()
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert said.startswith("error: ")
    return caught.value.code, said


def _zero(folder: Path) -> Path:
    path = folder / "empty.tif"
    path.write_bytes(b"")
    return path


def _page(folder: Path) -> Path:
    path = folder / "page.tif"
    path.write_text("<!DOCTYPE html><html><body>Please log in</body></html>")
    return path


def _cut(folder: Path) -> Path:
    path = picture(folder / "whole.tif")
    path.write_bytes(path.read_bytes()[:-5000])
    return path


def _vrt(folder: Path) -> Path:
    secret = folder / "secret.bin"
    secret.write_bytes(bytes(range(100)))
    path = folder / "disguised.tif"
    path.write_text(
        '<VRTDataset rasterXSize="10" rasterYSize="10">'
        '<VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand">'
        f"<SourceFilename>{secret}</SourceFilename></VRTRasterBand></VRTDataset>"
    )
    return path


IMAGES = {
    "F01": (_cut, 3, "again"),
    "F02 empty": (_zero, 3, "empty"),
    "F02 page": (_page, 3, "web page"),
    "G01": (lambda f: picture(f / "nowhere.tif", crs=None), 3, "assume"),
    "R01": (lambda f: picture(f / "two.tif", count=2), 4, "blue"),
    "R03": (lambda f: picture(f / "deep.tif", dtype="uint16"), 4, "uint16"),
    "R02": (lambda f: picture(f / "unnamed.tif", names=None, photometric="minisblack"), 2, "bands"),
    "R13": (lambda f: picture(f / "coarse.tif", transform=Affine(30, 0, 400_000, 0, -30, 5e6)), 4, "coarse.tif"),
    "X01": (_vrt, 3, "VRT"),
    "X03": (lambda f: Path("/vsicurl/http://127.0.0.1:9/x.tif"), 3, "file"),
}


@pytest.mark.parametrize("row", IMAGES)
def test_an_image_that_cannot_be_used(row, model, tmp_path, capsys, monkeypatch):
    make, code, words = IMAGES[row]
    image, out = make(tmp_path), tmp_path / "out"
    found, said = ends(capsys, monkeypatch, "segment", image, "--model", model, "--out", out)
    assert (found, words.lower() in said.lower()) == (code, True), said
    assert not list(out.rglob("*.tif"))


def test_R03_values_outside_what_the_model_knows(tmp_path, capsys, monkeypatch):
    bundle = tiny_bundle(tmp_path / "tiny", dtypes=["uint16"], value_range=(0, 10_000))
    image = np.random.default_rng(0).integers(1, 200, (3, 96, 80)).astype(np.uint16)
    image[:, :, 40:] = 60_000
    path = write_tif(tmp_path / "image.tif", image, transform=GRID, crs="EPSG:32633", names=RGB)
    code, said = ends(capsys, monkeypatch, "segment", path, "--model", bundle.folder, "--out", tmp_path / "out")
    assert code == 4
    assert "60000" in said
    assert "0 to 10000" in said


def test_R13_scenes_that_do_not_share_a_grid_are_not_blown_up(model, tmp_path, capsys, monkeypatch):
    first = picture(tmp_path / "a.tif", transform=Affine(30, 0, 400_000, 0, -30, 5e6))
    second = picture(tmp_path / "b.tif", transform=Affine(30, 0, 400_010, 0, -30, 5e6))
    path = aoi(tmp_path, model, first, dates={"2024-05-01": {"scenes": [str(first), str(second)]}})
    code, said = ends(capsys, monkeypatch, "check", path)
    assert code == 4
    assert "a.tif has pixels of 30" in said or "a.tif has pixels of 29.99" in said


@pytest.mark.parametrize("flag", [("--gsd", "0"), ("--workers", "2000"), ("--bands", ",red"), ("--nodata", "nan")])
def test_flags_out_of_range_are_told(flag, model, tmp_path, capsys, monkeypatch):
    image = picture(tmp_path / "image.tif", names=None, photometric="minisblack")
    code, _ = ends(capsys, monkeypatch, "segment", image, "--model", model, "--out", tmp_path / "out", *flag)
    assert code == 2


def test_F07_a_damaged_model(tmp_path, capsys, monkeypatch):
    bundle = tiny_bundle(tmp_path / "tiny")
    weights = bundle.folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    image = picture(tmp_path / "image.tif")
    code, said = ends(capsys, monkeypatch, "segment", image, "--model", bundle.folder, "--out", tmp_path / "out")
    assert code == 4
    assert "copy the bundle again" in said


def test_X04_a_pickle_is_refused_unopened(tmp_path, capsys, monkeypatch):
    evil = tmp_path / "model.pt"
    evil.write_bytes(b"cos\nsystem\n(S'touch INJECTED'\ntR.")
    image = picture(tmp_path / "image.tif")
    code, said = ends(capsys, monkeypatch, "segment", image, "--model", evil, "--out", tmp_path / "out")
    assert code == 4
    assert "can run code" in said
    assert not Path("INJECTED").exists()


def test_an_unknown_model_is_answered_with_the_nearest(tmp_path, capsys, monkeypatch):
    image = picture(tmp_path / "image.tif")
    code, said = ends(capsys, monkeypatch, "segment", image, "--model", "vhr-rbg", "--out", tmp_path / "out")
    assert code == 4
    assert re.search(r"did you mean|shipped models are", said)


def test_H04_results_where_a_file_is(model, tmp_path, capsys, monkeypatch):
    image, out = picture(tmp_path / "image.tif"), tmp_path / "out"
    out.write_text("in the way")
    code, said = ends(capsys, monkeypatch, "segment", image, "--model", model, "--out", out)
    assert code == 5
    assert str(out) in said
    assert out.read_text() == "in the way"


def aoi(folder: Path, model: Path, image: Path, **sections) -> Path:
    data = {
        "area": {"scenes": True},
        "model": str(model),
        "dates": {"2024-05-01": {"scenes": [str(image)]}},
        **sections,
    }
    path = folder / "area.yaml"
    path.write_text(json.dumps(data, indent=1))  # JSON is YAML
    return path


def test_S03_every_fault_of_a_file_with_its_place(model, tmp_path, capsys, monkeypatch):
    path = aoi(tmp_path, model, picture(tmp_path / "i.tif"), tiling={"patch_sise": 64, "halo": 33}, modle="x")
    code, said = ends(capsys, monkeypatch, "check", path)
    assert code == 2
    assert "did you mean patch_size" in said
    assert "did you mean model" in said
    assert len(re.findall(r"area\.yaml:\d+:\d+", said)) == 3


def test_G08_an_area_outside_all_scenes(model, tmp_path, capsys, monkeypatch):
    area = {"bounds": [500_000, 5_100_000, 500_100, 5_100_100], "crs": "EPSG:32633"}
    path = aoi(tmp_path, model, picture(tmp_path / "i.tif"), area=area)
    code, said = ends(capsys, monkeypatch, "check", path)
    assert code == 3
    assert "km" in said


def test_G09_an_area_partly_covered_is_mapped_and_said(model, tmp_path, capsys, monkeypatch):
    area = {"bounds": [400_040, 4_999_920, 400_120, 4_999_980], "crs": "EPSG:32633"}
    path = aoi(tmp_path, model, picture(tmp_path / "i.tif"), area=area)
    monkeypatch.setattr(sys, "argv", ["geoseg", "check", str(path)])
    main()
    assert "cover 50.0 % of the area" in capsys.readouterr().out
    code, said = ends(
        capsys, monkeypatch, "check", aoi(tmp_path, model, tmp_path / "i.tif", area={**area, "min_coverage": 0.9})
    )
    assert code == 8
    assert "50.0 %" in said


def test_G15_an_area_thinner_than_a_pixel(model, tmp_path, capsys, monkeypatch):
    area = {"bounds": [400_010, 4_999_950, 400_010.1, 4_999_990], "crs": "EPSG:32633"}
    code, said = ends(capsys, monkeypatch, "check", aoi(tmp_path, model, picture(tmp_path / "i.tif"), area=area))
    assert code == 3
    assert "px" in said


def test_a_flag_that_does_not_exist(capsys, monkeypatch):
    code, said = ends(capsys, monkeypatch, "segment", "x.tif", "--modle", "y")
    assert code == 2
    assert "--model" in said


def test_G05_a_scene_in_degrees_is_mapped_in_metres_with_areas_on_the_ellipsoid(model, tmp_path):
    side, step = 1000, 1e-5  # degrees: about 0.8 m x 1.1 m at 45 north
    image = np.random.default_rng(1).integers(1, 256, (3, side, side)).astype(np.uint8)
    grid = Affine(step, 0, 16.4, 0, -step, 45.0)
    path = write_tif(tmp_path / "degrees.tif", image, transform=grid, crs="EPSG:4326", names=RGB)
    figures = segment(
        path, str(model), tmp_path / "out", SegmentOptions(threads=1, device="cpu", gsd=1.0, max_seams=1.0)
    )
    east, south = 16.4 + side * step, 45.0 - side * step
    truth, _ = Geod(ellps="WGS84").polygon_area_perimeter([16.4, 16.4, east, east], [45, south, south, 45])
    seen = sum(area for name, area in figures["area_m2"].items() if name != "unobserved")
    assert figures["grid"]["crs"] == "EPSG:32633"
    assert seen == pytest.approx(abs(truth), rel=1e-3)
    assert any("resampled" in note for note in figures["notes"])
    for name in ("landcover.tif", "confidence.tif"):
        with open_raster(tmp_path / "out" / name) as made:
            assert made.tags()["GEOSEG_CARD_SHA256"] == hashlib.sha256((model / "card.json").read_bytes()).hexdigest()
