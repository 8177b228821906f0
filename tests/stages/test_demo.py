"""The demo says how well its maps match a truth, and what it says is right."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geoseg.errors import ConfigError
from geoseg.grid.window import Window
from geoseg.io.aoi_file import load_aoi
from geoseg.io.cog import write_cog
from geoseg.io.rasters import open_raster
from geoseg.stages import demo as stage
from geoseg.stages import town
from geoseg.stages.demo_picture import Files, busiest
from tests.scenes import BUILDING, LAND, ROAD, VEGETATION, Box, small_town, write_scene

REPOSITORY = Path(__file__).parents[2]
ENTRIES = [[i, name, colour] for i, (name, colour) in enumerate(town.CLASSES)]
CLASSES = json.dumps([*ENTRIES, [254, "unobserved", "#808080"]])


def class_map(path, classes, like, entries=CLASSES):
    with open_raster(like) as raster:
        geobox = raster.geobox
    tile = Window(0, 0, *classes.shape[::-1]), classes
    write_cog(path, [tile], geobox, nodata=255, overviews="mode", tags={"GEOSEG_CLASSES": entries})
    return path


@pytest.fixture
def dates(tmp_path):
    """Two dates with maps as good as the truth: 24 px built, 240 px cleared."""
    first = small_town()
    last = first.later(Box(LAND, 4, 30, 20, 12), Box(BUILDING, 30, 32, 6, 4))
    out = []
    for day, scene in zip(town.DATES, (first, last), strict=True):
        image = write_scene(tmp_path / f"{day}.tif", scene.image(), gsd=10.0)
        paths = (tmp_path / f"{day}_truth.tif", tmp_path / f"{day}_map.tif")
        out.append(Files(day.isoformat(), image, *(class_map(p, scene.classes(), image) for p in paths)))
    return out


def said(dates, tmp_path):
    return list(stage.compare(dates, tmp_path / "overview.png"))


def line(lines, start):
    (found,) = [text for text in lines if text.strip().startswith(start)]
    return found


def test_perfect_maps_score_one_and_find_all_change(dates, tmp_path):
    lines = said(dates, tmp_path)
    assert line(lines, "overall accuracy").split()[-2:] == ["1.000", "1.000"]
    assert line(lines, "IoU of water").split()[-2:] == ["1.000", "1.000"]
    assert "2.4 ha cleared" in line(lines, "in truth") and "0.2 ha built" in line(lines, "in truth")
    assert "show 100% of the changed ground; 100% of what they show" in line(lines, "The maps show")


def test_errors_of_one_map_count_once_as_accuracy_and_once_as_change(dates, tmp_path):
    with open_raster(dates[1].classes) as raster:
        wrong = raster.read_classes()
    wrong[0:2, 0:12] = ROAD  # land in truth: 24 px of false change, beside 264 px of true change
    class_map(dates[1].classes, wrong, dates[1].scene)
    lines = said(dates, tmp_path)
    assert line(lines, "overall accuracy").split()[-1] == f"{1 - 24 / (64 * 48):.3f}"
    assert f"show 100% of the changed ground; {264 / 288:.0%} of what" in line(lines, "The maps show")


def test_unobserved_pixels_are_left_out(dates, tmp_path):
    with open_raster(dates[0].classes) as raster:
        holes = raster.read_classes()
    holes[:8] = 254
    class_map(dates[0].classes, holes, dates[0].scene)
    lines = said(dates, tmp_path)
    assert line(lines, "overall accuracy").split()[-2:] == ["1.000", "1.000"]
    assert "100% of what they show" in line(lines, "The maps show")


def test_it_leaves_a_picture_and_says_where(dates, tmp_path):
    lines = said(dates, tmp_path)
    assert (tmp_path / "overview.png").read_bytes().startswith(b"\x89PNG")
    assert str(tmp_path / "overview.png") in line(lines, "Look at")


def test_a_model_of_other_classes_is_refused(dates, tmp_path):
    with open_raster(dates[1].classes) as raster:
        class_map(dates[1].classes, raster.read_classes(), dates[1].scene, CLASSES.replace("road", "rail"))
    with pytest.raises(ConfigError, match="such as vhr-rgb") as caught:
        said(dates, tmp_path)
    assert caught.value.exit_code == 2


def test_a_map_on_another_grid_is_refused(dates, tmp_path):
    moved = write_scene(tmp_path / "moved.tif", small_town().image(), gsd=10.0, origin=(400_010.0, 2_800_000.0))
    class_map(dates[0].classes, small_town().classes(), moved)
    with pytest.raises(ConfigError, match="leave grid: and area:"):
        said(dates, tmp_path)


def test_the_detail_shows_all_kinds_of_change(tmp_path, monkeypatch):
    monkeypatch.setattr("geoseg.stages.demo_picture.DETAIL", 16)
    first = replace(small_town(), boxes=(Box(VEGETATION, 40, 30, 10, 10),))
    last = first.later(Box(LAND, 40, 30, 10, 10), Box(BUILDING, 36, 28, 4, 8))
    paths = [write_scene(tmp_path / f"{i}.tif", s.classes()) for i, s in enumerate((first, last))]
    detail = busiest(*paths)
    assert detail.shape == (16, 16)
    assert Window(0, 0, 64, 48).contains(detail)
    assert np.count_nonzero((first.classes() != last.classes())[detail.slices]) > 100


def test_it_runs_its_aoi_file_and_reads_the_results_of_it(tmp_path, monkeypatch):
    (tmp_path / "aoi").mkdir()
    (tmp_path / "aoi" / "demo.yaml").write_text((REPOSITORY / "aoi" / "demo.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(town, "SIDE", 320)

    def run(aoi, results, cores, dry_run):
        for day in (d.isoformat() for d in town.DATES):
            scene, truth = (Path("scenes", "demo", f"{day}{end}.tif") for end in ("", "_truth"))
            town.town(day, scene, truth)
            with open_raster(truth) as raster:
                class_map(results / "demo" / day / "landcover.tif", raster.read_classes(), truth)

    monkeypatch.setattr(stage, "run", run)
    lines = list(stage.demo(Path("results")))
    assert line(lines, "overall accuracy").split()[-2:] == ["1.000", "1.000"]
    assert Path("results", "demo", "overview.png").is_file()


def test_elsewhere_it_says_where_to_go(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"cd .*geoseg demo.*geoseg init") as caught:
        list(stage.demo(Path("results")))
    assert caught.value.exit_code == 2


def test_the_aoi_file_names_the_scenes_that_are_drawn():
    loaded = load_aoi(REPOSITORY / "aoi" / "demo.yaml")
    for day, entry in loaded.config.dates.items():
        assert [e.path for e in entry.entries] == [f"../scenes/demo/{day}.tif"]
    assert sorted(loaded.config.dates) == list(town.DATES)
