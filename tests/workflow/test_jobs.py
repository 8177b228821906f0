"""Which jobs there are, and which of them a change makes due. Nothing is computed."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.workflow.project import DATE, STEPS, Project, due

OTHER = "2020-01-31"
QUICK = """
geoseg() {
    case $1 in
        plan) if [ -f "${2##*/}.$3" ]; then cat "${2##*/}.$3" > "$4"; else touch "$4"; fi ;;
        predict) touch "$3" ;;
        stitch) touch "$4"/{landcover,confidence}.{tif,qml} ;;
        probs) touch "$4" ;;
        landcover) touch "$4" "${2%.tif}.parquet" ;;
        translate | vectors_check) touch "$3" ;;
        zones) touch "$4"/zones.{csv,parquet,geojson,json} "$4"/transitions.csv ;;
        change)
            while [ "$2" != --settings ]; do shift; done
            touch "$1"/change{,_probability,_date}.{tif,qml} "$1"/events.{parquet,geojson,qml}
            touch "$1"/{annual.csv,sensitivity.csv,change.html,change.json}
            ;;
        report) touch "$4" ;;
    esac
}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("project"))


def jobs(text):
    """(rule, aoi, date) of each job of a dry run."""
    pattern = r"^(?:local)?rule (\w+):\n(?:    .*\n)*?    wildcards: aoi=(.*), date=([^,\n]*)(?:, .*)?$"
    found = re.findall(pattern, text, re.MULTILINE)
    assert found
    return sorted(found)


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """Environment in which `geoseg` only makes the files that the step named first would: empty ones."""
    script = tmp_path_factory.mktemp("quick") / "steps.sh"
    script.write_text(QUICK)
    return {"BASH_ENV": str(script)}


def test_a_dry_run_lists_each_step_of_each_date_once(project):
    one = project.aoi("one", dates={d: {"scenes": ["../t*n.tif"]} for d in (DATE, OTHER)})
    two = project.aoi("two")
    made = project.snakemake("--dry-run", "--config", f"aoi={one},{two}")
    assert made.returncode == 0, made.stderr
    expected = [(s, "one", d) for s in STEPS for d in (DATE, OTHER)] + [(s, "two", DATE) for s in STEPS]
    assert jobs(made.stdout) == sorted(expected)
    assert not (project.folder / "results").exists()


def test_a_mistyped_key_stops_before_any_job(project):
    bad = project.aoi("bad", modle="x")
    made = project.snakemake("--config", f"aoi={bad}")
    assert made.returncode != 0
    assert re.search(r"bad\.yaml:\d+:1 +modle: unknown key; did you mean model\?", made.stderr)
    assert "Traceback" not in made.stderr
    assert "rule plan" not in made.stderr


def test_a_change_makes_due_what_depends_on_it(project, quick):
    """S01 as Snakemake sees it: one area a change, all in one look."""
    changes = {
        "same": {"compute": {"workers": 1, "threads": 1, "device": "cpu"}},  # other order of keys
        "halo": {"tiling": {"halo": 64}},
        "threads": {"compute": {"device": "cpu", "workers": 1, "threads": 2}},
        "products": {"products": ["landcover", "roads"]},
        "formats": {"vectors": {"formats": ["geojson", "gpkg"]}},
        "simplify": {"vectors": {"formats": ["geojson"], "simplify": 2}},
        "scenes": {"dates": {DATE: {"scenes": [{"path": "../town.tif", "nodata": 0}]}}},
        "newdate": {"dates": {d: {"scenes": ["../town.tif"]} for d in (DATE, OTHER)}},
        "model": {"model": "../other"},
    }
    files = [project.aoi(name) for name in changes]
    asked = ("--config", f"aoi={','.join(map(str, files))}")
    made = project.snakemake(*asked, environment=quick)
    assert made.returncode == 0, made.stderr
    shutil.copytree(project.folder / "model", project.folder / "other")
    with (project.folder / "other" / "card.json").open("a") as card:
        card.write("\n")
    for name, change in changes.items():
        project.aoi(name, **change)
    pending = due(project.snakemake("--summary", *asked))
    everything = set(STEPS)
    assert pending == {
        "same": set(),
        "halo": everything,
        "threads": everything,  # the plan holds them; which tiles are computed again is the ledger's to say
        "products": {"roads", "translate", "vectors_check", "report"},
        "formats": {"translate", "vectors_check", "report"},
        "simplify": {"landcover", "translate", "vectors_check", "report"},
        "scenes": everything,
        "newdate": everything,
        "model": everything,
    }


def test_what_makes_change_and_zones_due(project, quick):
    """All dates share a grid, so all are planned again; what follows from a plan that stays as it was is not due."""
    dates = {date: {"scenes": ["../town.tif"]} for date in (OTHER, DATE)}
    (project.folder / "zones.geojson").touch()
    sections = {
        "dates": dates,
        "products": ["landcover", "change", "zones"],
        "zones": {"file": "../zones.geojson"},
        "change": {"transitions": ["urbanization"]},
    }
    names = ("seed", "zone", "third", "scene")
    files = {name: project.aoi(f"change_{name}", **sections) for name in names}
    asked = ("--config", f"aoi={','.join(map(str, files.values()))}")
    made = project.snakemake(*asked, environment=quick)
    assert made.returncode == 0, made.stderr
    results = project.folder / "results" / "change_seed"
    assert not list(results.rglob("probs.tif"))  # they were there for as long as they were needed
    assert (results / "change" / "zones_from_to" / "transitions.csv").is_file()

    project.aoi("change_seed", **{**sections, "change": {"transitions": ["urbanization"], "seed": 0.7}})
    project.aoi("change_zone", **{**sections, "zones": {"file": "../zones.geojson", "exact": True}})
    third = {**dates, "2022-01-31": {"scenes": ["../town.tif"]}}
    project.aoi("change_third", **{**sections, "dates": third})
    other = {**dates, DATE: {"scenes": [{"path": "../town.tif", "nodata": 0}]}}
    project.aoi("change_scene", **{**sections, "dates": other})
    (project.folder / f"change_scene.yaml.{DATE}").write_text("another plan")
    made = project.snakemake("plans", *asked, environment=quick)
    assert made.returncode == 0, made.stderr
    made = project.snakemake("--summary", *asked)
    everything = {*STEPS, "zones", "zones_from_to", "probs_for_a_while"} - {"plan"}
    assert due(made) == {
        "change_seed": {"change", "probs_for_a_while", "zones"},
        "change_zone": {"zones", "zones_from_to", "report"},
        "change_third": {*everything, "change_in_series"} - {"zones_from_to"},  # first and last are as they were
        "change_scene": {*everything, "change"},
    }
    pending = [line.split("\t")[0] for line in made.stdout.splitlines() if line.endswith("update pending")]
    for area in ("third", "scene"):  # what was mapped of a date whose scenes stay is not computed again
        kept = f"results/change_{area}/{OTHER}/"
        assert [path.removeprefix(kept) for path in pending if path.startswith(kept)] == ["work/probs.tif"]


def test_the_state_is_found_again_from_another_folder(project):
    """Settings that were in force are known from wherever the results are named."""
    elsewhere = project.folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    asked = f"aoi={project.aoi('same', tiling={'halo': 64})}"
    for results in ("../results", str(project.folder / "results")):
        made = project.snakemake("--summary", "--config", asked, f"results={results}", folder=elsewhere)
        assert due(made) == {"same": set(STEPS)}
    assert not (elsewhere / ".snakemake" / "metadata").exists()


def test_a_name_that_is_shell_text_is_refused(project):  # X10
    evil = project.folder / "aoi" / "x; touch INJECTED;.yaml"
    evil.write_text(project.aoi("good").read_text())
    made = project.snakemake("--config", f"aoi={evil}")
    assert made.returncode != 0
    assert "is not a name: use 1 to 64 of A-Z" in made.stderr
    target = f"results/x; touch INJECTED;/{DATE}/work/plan.json"
    made = project.snakemake(target, "--config", f"aoi={project.aoi('good')}")
    assert made.returncode != 0
    assert "MissingRuleException" in made.stderr
    assert not list(project.folder.rglob("INJECTED"))


def test_the_profile_lets_one_area_map_at_a_time():  # gpu=1 is only a limit if something limits it
    profile = Path(__file__).parent.parent.parent / "workflows" / "profiles" / "default" / "config.yaml"
    assert yaml.safe_load(profile.read_text())["resources"] == {"gpu": 1}
