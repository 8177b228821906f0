"""Plans come back as they were, or are refused in words."""

import json

import pytest

from geoseg.errors import ConfigError
from geoseg.grid.lattice import Lattice
from geoseg.grid.patches import PatchPlan
from geoseg.grid.views import ViewPlan
from geoseg.grid.window import Window
from geoseg.io.json_file import read_object
from geoseg.io.plan_file import Machine, Plan, PlannedScene
from geoseg.io.scenes import Scene

PLAN = Plan(
    aoi="town",
    date="2024-06-01",
    lattice=Lattice("EPSG:32640", 0.8, 0.1, 1 / 3),
    window=Window(-10, 20, 300, 200),
    area="POLYGON ((0 0, 1 0, 1 1, 0 0))",
    scenes=(
        PlannedScene(Scene("a.tif", (1, 2, 3), nodata="none"), Window(-100, 0, 300, 300), "ab" * 32, "123:456"),
        PlannedScene(Scene("b.tif", (3, 2, 1), 0.0, "EPSG:32640"), Window(50, -40, 10, 10), "cd" * 32, "7:8"),
    ),
    resampling="bilinear",
    model="geoseg/models/vhr-rgb",
    model_sha256="ef" * 32,
    patches=PatchPlan(1024, 128, 32, blend=64),
    tile=2048,
    views=ViewPlan("mirror", (0.75, 1.0, 1.5), 32),
    machine=Machine("cpu", "float32", 2, 1, None),
    allow_partial=False,
    max_seams=0.005,
    probs=True,
    notes=("resampled: b.tif", "ä"),
)


def test_a_plan_comes_back(tmp_path):
    PLAN.write(tmp_path / "plan.json")
    assert Plan.read(tmp_path / "plan.json") == PLAN
    assert hash(Plan.read(tmp_path / "plan.json")) == hash(PLAN)  # tuples all the way down


def test_the_extent_holds_all_scenes():
    assert PLAN.extent == Window(-100, -40, 300, 340)


def change(tmp_path, edit):
    path = tmp_path / "plan.json"
    PLAN.write(path)
    data = json.loads(path.read_text())
    edit(data)
    path.write_text(json.dumps(data))
    return path


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d.pop("window"),
        lambda d: d.update(surprise=1),
        lambda d: d.update(lattice=None),
        lambda d: d["window"].update(width=0),
        lambda d: d["window"].update(width="wide"),
        lambda d: d["scenes"][0].pop("sha256"),
        lambda d: d["scenes"][0]["scene"].pop("bands"),
        lambda d: d.update(scenes={"a": 1}),
        lambda d: d.update(scenes=["a"]),
        lambda d: d.update(patches=[1, 2, 3]),
        lambda d: d["patches"].update(blend=200),
        lambda d: d["views"].pop("scales"),
    ],
)
def test_a_damaged_plan_is_refused(tmp_path, edit):
    with pytest.raises(ConfigError, match=r"plan\.json is damaged .*; delete it and plan again") as caught:
        Plan.read(change(tmp_path, edit))
    assert caught.value.exit_code == 2


def test_a_plan_of_another_version_is_refused(tmp_path):
    path = change(tmp_path, lambda d: d.update(format=99))
    with pytest.raises(ConfigError, match="has format 99, this geoseg writes 4; plan again"):
        Plan.read(path)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "is damaged .*; delete it and run again"),
        (b'{"format": 1, ', "is damaged .*; delete it and run again"),
        (b"\xff\xfe\x00", "is damaged .*; delete it and run again"),
        (b"[]", "does not hold a JSON object; delete it and run again"),
    ],
)
def test_a_file_that_is_no_plan(tmp_path, content, message):
    (tmp_path / "plan.json").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        Plan.read(tmp_path / "plan.json")


def test_a_plan_cut_anywhere_is_refused(tmp_path):
    PLAN.write(tmp_path / "plan.json")
    data = (tmp_path / "plan.json").read_bytes()
    for size in range(0, len(data.rstrip()), 37):
        (tmp_path / "plan.json").write_bytes(data[:size])
        with pytest.raises(ConfigError, match="damaged"):
            Plan.read(tmp_path / "plan.json")


def test_a_step_that_has_not_run_is_named(tmp_path):
    with pytest.raises(ConfigError, match="is missing; run the step that writes it, or geoseg run, first"):
        read_object(tmp_path / "plan.json")
