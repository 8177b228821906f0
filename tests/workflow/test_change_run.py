"""Change and zones as products: what a run delivers, what a stop costs, and what is made again.

Steps before them only put drawn maps where they belong; `change` and `zones` are the real ones.
"""

import json
import os
import signal
import time

import geopandas
import numpy as np
import pandas
import pytest
from shapely import box

from geoseg.io.commit import sha256
from tests.stages.change_maps import TRANSFORM, deliver
from tests.workflow.project import DATE, Project
from tests.workflow.test_jobs import QUICK

EARLIER = "2014-05-01"
CLASSES = ("building", "land", "road", "water")  # of the model
COPY = r"""
geoseg() {
    case $1 in
        stitch) touch "$4"/{landcover,confidence}.qml && cp "maps/${4##*/}"/{landcover,confidence}.tif "$4" ;;
        probs) cp "maps/$(basename "$(dirname "$(dirname "$4")")")/probs.tif" "$4" ;;
        report) echo '{"area_m2": {}, "layers": {}, "files": {}}' > "$4" ;;
        change | zones) command geoseg "$@" ;;
        *) quick "$@" ;;
    esac
}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Land on which 30 x 30 pixels become building and 20 x 10 water, in the east, and two zones, west and east."""
    made = Project(tmp_path_factory.mktemp("project"))
    classes = np.ones((2, 96, 160), np.uint8)
    classes[1, 10:40, 100:130] = CLASSES.index("building")
    classes[1, 60:70, 100:120] = CLASSES.index("water")
    for date, seen in zip((EARLIER, DATE), classes, strict=True):
        probs = np.where(seen == np.arange(4)[:, None, None], 235, 5).astype(np.uint8)
        deliver(made.folder / "maps" / date, date, seen, probs.max(axis=0), probs=probs, names=CLASSES)
    halves = [box(TRANSFORM.c + x, TRANSFORM.f - 960, TRANSFORM.c + x + 800, TRANSFORM.f) for x in (0, 800)]
    layer = geopandas.GeoDataFrame({"half": ["west", "east"]}, geometry=halves, crs="EPSG:32718")
    layer.to_file(made.folder / "halves.gpkg")
    (made.folder / "steps.sh").write_text(QUICK.replace("geoseg()", "quick()") + COPY)
    return made


def aoi(project):
    return project.aoi(
        "two",
        dates={date: {"scenes": ["../town.tif"]} for date in (EARLIER, DATE)},
        products=["landcover", "change", "zones"],
        zones={"file": "../halves.gpkg", "name": "half"},
        change={"transitions": ["urbanization", "water_gain"], "registration": 0},
    )


def hashes(folder):
    """Of everything that is delivered."""
    paths = [path for path in folder.rglob("*") if path.is_file() and not {"work", "logs"} & {*path.parts}]
    return {str(p.relative_to(folder)): sha256(p) for p in paths if p.parent != folder}


def killed_while_comparing(project, path, environment):
    """Starts a run and kills all of it at once when its step `change` begins."""
    folder = project.folder / "results" / "two"
    log = folder / "change" / "logs" / "change.log"
    log.unlink()
    process = project.start("run", str(path), environment=environment)
    while not log.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    group = int((folder / ".geoseg.lock").read_text().split("process group ")[1].split()[0])
    process.kill()
    _, told = process.communicate()
    os.killpg(group, signal.SIGKILL)
    return told


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_change_and_zones_of_two_dates(project):
    path, folder = aoi(project), project.folder / "results" / "two"
    environment = {"BASH_ENV": str(project.folder / "steps.sh")}
    made = project.geoseg("run", str(path), environment=environment)
    assert made.returncode == 0, made.stderr
    assert "two change: adding up zones, from the first date to the last: done in" in made.stderr
    assert made.stdout.splitlines()[-4:] == [
        f"results/two/change: {EARLIER} to {DATE}",
        "  urbanization            9.01 ha in 1 events",
        "  water_gain              2.00 ha in 1 events",
        "  unobserved              0.00 ha",
    ]
    check_zones(folder)
    assert not list(folder.rglob("probs.tif"))
    before = hashes(folder)
    assert {"change/change.html", "change/zones_from_to/zones.json", f"{DATE}/zones/zones.csv"} < before.keys()

    damaged = ("change/annual.csv", "change/zones/zones.csv")
    for name in damaged:
        (folder / name).write_text("overwritten")
    told = killed_while_comparing(project, path, environment)
    assert "two change: annual.csv is not what was made; kept as annual.csv.changed, made again" in told
    assert "two change/zones: zones.csv is not what was made" in told
    made = project.geoseg("run", str(path), environment=environment)
    assert made.returncode == 0, made.stderr
    assert f"two {DATE}: joining tiles" not in made.stderr
    after = hashes(folder)
    for name in damaged:
        assert after.pop(f"{name}.changed") != before[name]
    assert after == before


def check_zones(folder):
    """Areas by zone against those that were drawn."""
    of_change = pandas.read_csv(folder / "change" / "zones" / "zones.csv").pivot(
        index="zone", columns="class", values="pixels"
    )
    assert of_change["urbanization"].to_dict() == {"west": 0, "east": 900}
    assert of_change["water_gain"].to_dict() == {"west": 0, "east": 200}
    pairs = pandas.read_csv(folder / "change" / "zones_from_to" / "transitions.csv")
    changed = pairs[pairs["from"] != pairs["to"]]
    assert [*zip(changed["zone"], changed["to"], changed["pixels"], strict=True)] == [
        ("east", "building", 900),
        ("east", "water", 200),
    ]
    of_date = pandas.read_csv(folder / DATE / "zones" / "zones.csv")
    assert of_date[of_date["class"] == "building"]["pixels"].tolist() == [0, 900]
    assert json.loads((folder / "change" / "zones" / "zones.json").read_text())["map"] == "change.tif"
