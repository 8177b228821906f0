"""The demo says how well its maps match a truth, and what it says is right."""

import json
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from geoseg.config import Change, NamedTransition
from geoseg.errors import ConfigError
from geoseg.grid.window import Window
from geoseg.io.aoi_file import load_aoi
from geoseg.io.cog import write_cog
from geoseg.io.rasters import open_raster
from geoseg.stages import demo as stage
from geoseg.stages import town
from geoseg.stages.demo_files import Files
from geoseg.stages.demo_picture import busiest
from tests.scenes import BUILDING, LAND, ROAD, VEGETATION, Box, small_town, write_scene

REPOSITORY = Path(__file__).parents[2]
ENTRIES = [[i, name, colour] for i, (name, colour) in enumerate(town.CLASSES)]
ASKED = Change(
    transitions=[
        NamedTransition.model_validate({"name": "clearing", "from": ["vegetation"], "to": ["land"]}),
        "urbanization",
    ]
)
CHANGES = json.dumps([[0, "no change", "#f2f2f2"], [1, "clearing", "#e6550d"], [2, "urbanization", "#6a3d9a"]])
CLASSES = json.dumps([*ENTRIES, [254, "unobserved", "#808080"]])


def class_map(path, classes, like, entries=CLASSES):
    with open_raster(like) as raster:
        geobox = raster.geobox
    tile = Window(0, 0, *classes.shape[::-1]), classes
    write_cog(path, [tile], geobox, nodata=255, overviews="mode", tags={"GEOSEG_CLASSES": entries})
    return path


@pytest.fixture
def dates(tmp_path):
    """Two dates with maps as good as the truth: 240 px cleared, 24 px built. One pixel is 0.01 ha."""
    first = small_town()
    last = first.later(Box(LAND, 4, 30, 20, 12), Box(BUILDING, 30, 32, 6, 4))
    out = []
    for day, scene in zip(town.DATES, (first, last), strict=True):
        image = write_scene(tmp_path / f"{day}.tif", scene.image(), gsd=10.0)
        paths = (tmp_path / f"{day}_truth.tif", tmp_path / f"{day}_map.tif")
        out.append(Files(day.isoformat(), image, *(class_map(p, scene.classes(), image) for p in paths)))
    return out


def said(dates, tmp_path):
    return list(stage.compare(dates, ASKED, tmp_path / "change.tif", tmp_path / "overview.png"))


def changed(dates):
    """The true map of change: 1 where vegetation became land, 2 where anything was built on."""
    was, became = (read(date.truth) for date in dates)
    built = np.isin(became, [BUILDING, ROAD]) & ~np.isin(was, [BUILDING, ROAD])
    return np.select([(was == VEGETATION) & (became == LAND), built], [1, 2], 0).astype(np.uint8)


def read(path):
    with open_raster(path) as raster:
        return raster.read_classes()


def figures(lines, name):
    """Of a transition: true ha; then ha, error, precision and recall by change.tif; then by the two maps."""
    return line(lines, f"{name} ").split()[1:]


def line(lines, start):
    (found,) = [text for text in lines if text.strip().startswith(start)]
    return found


def test_perfect_maps_score_one_and_find_all_change(dates, tmp_path):
    class_map(tmp_path / "change.tif", changed(dates), dates[0].scene, CHANGES)
    lines = said(dates, tmp_path)
    assert line(lines, "overall accuracy").split()[-2:] == ["1.000", "1.000"]
    assert line(lines, "IoU of water").split()[-2:] == ["1.000", "1.000"]
    assert figures(lines, "clearing") == ["2.40", *["2.40", "+0%", "1.00", "1.00"] * 2]
    assert figures(lines, "urbanization") == ["0.24", *["0.24", "+0%", "1.00", "1.00"] * 2]


def test_errors_of_one_map_count_once_as_accuracy_and_once_as_change(dates, tmp_path):
    wrong = read(dates[1].classes)
    wrong[0:2, 0:12] = ROAD  # land in truth: 24 px of false change, beside 24 px of true change
    class_map(dates[1].classes, wrong, dates[1].scene)
    class_map(tmp_path / "change.tif", changed(dates), dates[0].scene, CHANGES)
    lines = said(dates, tmp_path)
    assert line(lines, "overall accuracy").split()[-1] == f"{1 - 24 / (64 * 48):.3f}"
    assert figures(lines, "urbanization")[1:] == ["0.24", "+0%", "1.00", "1.00", "0.48", "+100%", "0.50", "1.00"]


def test_errors_of_the_map_of_change_are_its_own(dates, tmp_path):
    """A quarter of the clearing is mapped as built, an eighth left open, and 6 px elsewhere are made up."""
    mapped = changed(dates)
    cleared = np.flatnonzero(mapped == 1)
    mapped.flat[cleared[:60]], mapped.flat[cleared[60:90]] = 2, 253
    mapped[0, :6] = 1
    class_map(tmp_path / "change.tif", mapped, dates[0].scene, CHANGES)
    lines = said(dates, tmp_path)
    assert figures(lines, "clearing")[:5] == ["2.40", "1.56", "-35%", f"{150 / 156:.2f}", f"{150 / 240:.2f}"]
    assert figures(lines, "clearing")[5:] == ["2.40", "+0%", "1.00", "1.00"]
    assert figures(lines, "urbanization")[1:5] == ["0.84", "+250%", f"{24 / 84:.2f}", "1.00"]
    assert "leaves 0.30 ha open" in line(lines, "change.tif leaves")


def test_what_the_map_of_change_does_not_observe_is_left_out(dates, tmp_path):
    mapped = changed(dates)
    mapped[36:] = 254  # half of the clearing, none of what is built
    class_map(tmp_path / "change.tif", mapped, dates[0].scene, CHANGES)
    lines = said(dates, tmp_path)
    assert figures(lines, "clearing") == ["1.20", *["1.20", "+0%", "1.00", "1.00"] * 2]
    assert figures(lines, "urbanization")[:2] == ["0.24", "0.24"]


def test_without_a_map_of_change_it_says_how_to_have_one(dates, tmp_path):
    assert "no change under products:" in line(said(dates, tmp_path), "There is no map of change")


def test_unobserved_pixels_are_left_out(dates, tmp_path):
    holes = read(dates[0].classes)
    holes[:8] = 254
    class_map(dates[0].classes, holes, dates[0].scene)
    lines = said(dates, tmp_path)
    assert line(lines, "overall accuracy").split()[-2:] == ["1.000", "1.000"]


def test_it_leaves_a_picture_and_says_where(dates, tmp_path):
    lines = said(dates, tmp_path)
    assert (tmp_path / "overview.png").read_bytes().startswith(b"\x89PNG")
    assert str(tmp_path / "overview.png") in line(lines, "Look at")
    without = matplotlib.image.imread(tmp_path / "overview.png")
    class_map(tmp_path / "change.tif", changed(dates), dates[0].scene, CHANGES)
    assert "change.html" in said(dates, tmp_path)[-1]
    picture = (matplotlib.image.imread(tmp_path / "overview.png")[..., :3] * 255).round().astype(int)
    assert picture.shape[0] > 1.3 * without.shape[0]  # two rows more, of change
    for colour in ((0xE6, 0x55, 0x0D), (0x6A, 0x3D, 0x9A)):
        assert (picture == colour).all(axis=2).sum() > 300


def test_a_model_of_other_classes_is_refused(dates, tmp_path):
    class_map(dates[1].classes, read(dates[1].classes), dates[1].scene, CLASSES.replace("road", "rail"))
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
            class_map(results / "demo" / day / "landcover.tif", read(truth), truth)
        mapped = np.zeros((320, 320), np.uint8)
        class_map(results / "demo" / "change" / "change.tif", mapped, truth, CHANGES)

    monkeypatch.setattr(stage, "run", run)
    lines = list(stage.demo(Path("results")))
    assert line(lines, "overall accuracy").split()[-2:] == ["1.000", "1.000"]
    assert figures(lines, "urbanization")[1:5] == ["0.00", "-100%", "none", "0.00"]
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
