"""What the Snakefile is told."""

import json

import pytest

from geoseg.errors import ConfigError, ModelError
from geoseg.io.delivery import files
from geoseg.io.workflow import read_workflow
from tests.bundles import tiny_bundle

MAPS_COMPARED = ("landcover.tif", "confidence.tif", "work/probs.tif")
AOI = """area:
  {area}
model: {model}
dates:
  2024-05-01:
    scenes: [{scene}]
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return tiny_bundle(tmp_path_factory.mktemp("model") / "tiny").folder


@pytest.fixture
def project(tmp_path, monkeypatch, bundle):
    (tmp_path / "aoi").mkdir()
    for name in ("a.tif", "b.tif", "aoi/area.geojson"):
        (tmp_path / name).touch()

    def _aoi(name, area="scenes: true", model=bundle, scene="../a.tif"):
        path = tmp_path / "aoi" / f"{name}.yaml"
        path.write_text(AOI.format(area=area, model=model, scene=scene))
        return path

    monkeypatch.chdir(tmp_path)
    return _aoi


def test_inputs_are_named_from_the_project_folder(project):
    project("x", area="file: area.geojson", scene="../*.tif")
    asked = read_workflow({"aoi": "aoi/x.yaml"})
    assert asked.inputs("x", "2024-05-01") == ["a.tif", "b.tif", "aoi/area.geojson"]
    delivered = files(asked.products("x"), ["geojson", "gpkg"])
    assert {"landcover.gpkg", "buildings.geojson", "roads.graphml", "vectors_check.json"} < set(delivered)
    assert asked.targets() == [f"results/x/2024-05-01/{file}" for file in (*delivered, "run.json")]


def test_products_are_those_that_the_classes_allow(project, tmp_path):
    path = project("x")
    asked = read_workflow({"aoi": "aoi/x.yaml"})
    assert asked.products("x") == ("landcover", "buildings", "roads")
    assert [p.split("/")[-1] for p in asked.layers("x", "2024-05-01")] == [
        *("landcover.parquet", "buildings.parquet", "roads.parquet", "road_nodes.parquet")
    ]
    path.write_text(path.read_text() + "products: [roads]\nvectors: {formats: [geojsonl]}\n")
    targets = [p.split("/")[-1] for p in read_workflow({"aoi": "aoi/x.yaml"}).targets()]
    assert {"roads.geojsonl", "road_nodes.geojsonl", "roads.graphml", "landcover.tif"} < set(targets)
    assert not any(name in targets for name in ("landcover.parquet", "buildings.parquet", "roads.gpkg"))
    fields = tiny_bundle(tmp_path / "fields", classes=[{"name": n, "colour": "#000000"} for n in ("crop", "tree")])
    path = project("x", model=fields.folder)
    assert read_workflow({"aoi": "aoi/x.yaml"}).products("x") == ("landcover",)
    path.write_text(path.read_text() + "products: [roads]\n")
    with pytest.raises(ConfigError, match=r"x\.yaml: products: roads need a class called road, and the model has"):
        read_workflow({"aoi": "aoi/x.yaml"})


TWO_DATES = "  2019-05-01:\n    scenes: [../b.tif]\n"


def test_change_zones_and_probabilities_are_products(project, tmp_path):
    path = project("x")
    plain = path.read_text()

    def asked(more):
        path.write_text(plain + more)
        return read_workflow({"aoi": "aoi/x.yaml"})

    assert "change" in asked(TWO_DATES).products("x")  # water, building and road have ready-made transitions
    assert asked(TWO_DATES + "products: [landcover]").products("x") == ("landcover",)
    with pytest.raises(ConfigError, match=r"x\.yaml: zones: there is no file .*zones\.geojson"):
        asked("zones: {file: zones.geojson}")
    (tmp_path / "aoi" / "zones.geojson").touch()
    sections = "zones: {file: zones.geojson, name: district}\nchange: {transitions: [{name: built, to: [building]}]}\n"
    made = asked(f"{TWO_DATES}{sections}")
    assert made.products("x") == ("landcover", "buildings", "roads", "zones", "change")
    assert made.keeps_probs("x")
    assert not any(target.endswith("probs.tif") for target in made.targets())
    assert made.compared("x")[:3] == [f"results/x/2019-05-01/{n}" for n in MAPS_COMPARED]
    assert {
        f"results/x/{n}" for n in ("2019-05-01/zones/zones.csv", "change/change.json", "change/events.parquet")
    } < set(made.targets())
    assert {f"results/x/change/{n}" for n in ("zones/zones.csv", "zones_from_to/transitions.csv")} < set(made.targets())
    assert made.zone_flags("x") == ["--name", "district"]
    assert json.loads(made.drawing("x", "change"))["transitions"] == [{"name": "built", "from": [], "to": ["building"]}]
    assert (made.one_of(series=False), made.one_of(series=True)) == ("x", "(?!)")
    series = asked(f"{TWO_DATES}  2014-05-01:\n    scenes: [../b.tif]\nproducts: [change, probs]\n")
    assert {"change_date.tif", "probs.tif"} < {p.split("/")[-1] for p in series.targets()}
    assert series.compared("x")[2] == "results/x/2014-05-01/probs.tif"
    assert series.inputs("x", "2019-05-01") == ["b.tif", "a.tif"]  # of all dates, its own first


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("products: [change]", "change is told from two dates or more, and there is only 2024-05-01; add a date"),
        ("products: [zones]", "zones need a section zones: with the file of their polygons; add it"),
        (
            TWO_DATES + "change: {transitions: [deforestation]}",
            "change: transitions: deforestation needs a class called forest, and the classes are building, land",
        ),
        (
            TWO_DATES + "change: {transitions: [urbanisation]}",
            r"'urbanisation' is no ready-made transition \(did you mean urbanization\?\)",
        ),
        (
            TWO_DATES + "change: {transitions: [{name: lost, from: [wood]}]}",
            "transition lost: there is no class 'wood'.*; the classes are building, .*, or leave change out",
        ),
        (
            TWO_DATES + "change: {transitions: [water_gain, {name: water_gain, to: [water]}]}",
            "two transitions are called water_gain; give each its own name",
        ),
    ],
)
def test_products_that_cannot_be(project, more, message):
    path = project("x")
    path.write_text(f"{path.read_text()}{more}\n")
    with pytest.raises(ConfigError, match=rf"x\.yaml: products: .*{message}"):
        read_workflow({"aoi": "aoi/x.yaml"})


def test_several_files_by_commas_or_as_a_list(project):
    one, two = project("one"), project("two")
    for aoi in ("aoi/one.yaml, aoi/two.yaml", [str(one), str(two)]):
        assert list(read_workflow({"aoi": aoi}).areas) == ["one", "two"]


def test_a_comma_in_a_name_is_no_separator(project, tmp_path):
    project("one").rename(tmp_path / "aoi" / "one.yaml")
    folder = tmp_path / "a, b"
    (tmp_path / "aoi").rename(folder)
    assert list(read_workflow({"aoi": "a, b/one.yaml"}).areas) == ["one"]


def test_all_faults_of_all_files_at_once(project):
    project("one", area="scene: true")
    project("two", area="bounds: [1]")
    with pytest.raises(ConfigError, match=r"(?s)one\.yaml:2:3.*did you mean scenes.*two\.yaml:2:"):
        read_workflow({"aoi": "aoi/one.yaml,aoi/two.yaml"})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"aio": "x.yaml"}, "no key 'aio'; did you mean aoi"),
        ({"aoi": "aoi/x.yaml", "results": "a\nb"}, "line break"),
        ({"aoi": "aoi/nope.yaml"}, "there is no file"),
        ({"aoi": ["aoi/x.yaml", "other/x.yaml"]}, "both called x; rename one"),
    ],
)
def test_what_cannot_be(project, tmp_path, config, message):
    path = project("x")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.yaml").write_text(path.read_text())
    with pytest.raises(ConfigError, match=message):
        read_workflow(config)


def test_a_missing_scene_is_found_before_any_job(project):
    project("x", scene="../aa.tif")
    with pytest.raises(ConfigError, match=r"no file .*aa\.tif; did you mean a\.tif"):
        read_workflow({"aoi": "aoi/x.yaml"})


def test_a_scene_that_the_workflow_draws_may_be_missing(project):
    project("demo", scene="../scenes/demo/2024-05-01.tif")
    asked = read_workflow({})  # aoi/demo.yaml is the default
    assert asked.inputs("demo", "2024-05-01") == [f"{asked.towns}/2024-05-01.tif"] == ["scenes/demo/2024-05-01.tif"]


def test_a_missing_model_is_found_before_any_job(project):
    project("x", model="../nope")
    with pytest.raises(ModelError, match="neither shipped nor imported nor a folder"):
        read_workflow({"aoi": "aoi/x.yaml"})


def test_settings_are_equal_when_what_is_meant_is(project):
    project("x")
    plain = read_workflow({"aoi": "aoi/x.yaml"})
    project("x", scene="{path: ../a.tif}")
    long = read_workflow({"aoi": "aoi/x.yaml"})
    project("x", scene="{path: ../a.tif, nodata: 0}")
    other = read_workflow({"aoi": "aoi/x.yaml"})
    texts = [w.settings("x", "dates", "tiling") for w in (plain, long, other)]
    assert texts[0] == texts[1] != texts[2]
    assert set(json.loads(texts[0])) == {"dates", "tiling"}


def test_an_area_or_date_that_was_not_asked_for(project):
    project("x")
    asked = read_workflow({"aoi": "aoi/x.yaml"})
    with pytest.raises(ConfigError, match="name its file"):
        asked.inputs("y", "2024-05-01")
    with pytest.raises(ConfigError, match="no date 2024-05-02; it has 2024-05-01"):
        asked.inputs("x", "2024-05-02")


def test_home_is_where_the_state_is(project, tmp_path, monkeypatch):
    path = project("x")
    assert read_workflow({"aoi": "aoi/x.yaml"}).home == tmp_path
    (tmp_path / ".snakemake" / "metadata").mkdir(parents=True)
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    asked = read_workflow({"aoi": str(path), "results": "../results"})
    assert asked.home == tmp_path
    assert "results/x/2024-05-01/run.json" in asked.targets()
    monkeypatch.chdir(tmp_path.parent)
    assert read_workflow({"aoi": str(path), "results": str(tmp_path / "results")}).home == tmp_path


def test_results_far_away_keep_their_own_state(project, tmp_path, tmp_path_factory):
    project("x")
    far = tmp_path_factory.mktemp("far")
    asked = read_workflow({"aoi": "aoi/x.yaml", "results": str(far)})
    assert asked.home == far
    assert asked.inputs("x", "2024-05-01") == [str(tmp_path / "a.tif")]


@pytest.mark.parametrize("results", ["a{b}", "out/<aoi>"])
def test_what_would_be_filled_in_is_refused(project, results):
    project("x")
    with pytest.raises(ConfigError, match="which the workflow would fill in; use another folder"):
        read_workflow({"aoi": "aoi/x.yaml", "results": results})
