"""AOI files and recipes as they are read from disk."""

import math
from datetime import date

import pytest

from geoseg.config import AoiFile
from geoseg.errors import ConfigError
from geoseg.io.aoi_file import expand_scenes, load_aoi, load_recipe

DAY = date(2024, 6, 1)
SMALL = "area: {scenes: true}\nmodel: vhr-rgb\ndates:\n  2024-06-01:\n    scenes: [SCENES]\n"
RECIPE = """
name: two
description: two classes
licence: CC0-1.0
attribution: [nobody]
bands: [red]
value_range: [0, 255]
dtypes: [uint8]
released: 2024-06-01
scale: 1
mean: [0]
std: [1]
gsd: 1
gsd_range: [0.5, 2]
classes: [{name: a, colour: '#000000'}, {name: b, colour: '#ffffff'}]
train: [{image: a.tif, labels: b.tif, classes: {1: a, 2: b}}]
steps: 1
"""


@pytest.fixture
def aoi(tmp_path):
    def _aoi(scenes="a.tif", text=SMALL):
        path = tmp_path / "x.yaml"
        path.write_text(text.replace("SCENES", scenes))
        return path

    return _aoi


def refusal(path, read=load_aoi):
    with pytest.raises(ConfigError) as caught:
        read(path)
    return str(caught.value)


def test_name_folder_and_content(aoi, tmp_path):
    loaded = load_aoi(aoi())
    assert (loaded.name, loaded.folder, type(loaded.config)) == ("x", tmp_path, AoiFile)


def test_recipe_takes_label_values_as_keys(tmp_path):
    (tmp_path / "r.yaml").write_text(RECIPE)
    loaded = load_recipe(tmp_path / "r.yaml")
    assert loaded.config.train[0].classes == {"1": "a", "2": "b"}
    assert loaded.folder == tmp_path


def test_recipe_faults_have_places(tmp_path):
    (tmp_path / "r.yaml").write_text(RECIPE.replace("#ffffff", "white").replace("mean: [0]", "mean: [0, 1]"))
    said = refusal(tmp_path / "r.yaml", load_recipe)
    assert "r.yaml:15:59  classes[1].colour: must be a colour such as '#1f77b4'" in said
    assert "not 'white'" in said


def test_all_faults_at_once_in_file_order(aoi):
    said = refusal(
        aoi(
            text="area: {scenes: yes}\ntiling:\n  patch_sise: 512\n  halo: 100\nmodel: x\n"
            "dates:\n  2024-06-01:\n    scenes:\n      - {pth: a.tif}\nproducts: [lndcover]\n"
        )
    ).splitlines()
    places = [line.split(":")[1:3] for line in said]
    assert places == sorted(places, key=lambda p: [int(p[0]), int(p[1].split()[0])])
    text = "\n".join(said)
    for words in (
        "x.yaml:1:16  area.scenes: must be true or false, not 'yes'; did you mean true?",
        "x.yaml:3:3  tiling.patch_sise: unknown key; did you mean patch_size?",
        "x.yaml:4:9  tiling.halo: must be a multiple of 32 from 0 to 4096, not 100; use 96 or 128",
        "x.yaml:9:9  dates.2024-06-01.scenes[0].path: this key is missing: GeoTIFF or glob",
        "x.yaml:9:10  dates.2024-06-01.scenes[0].pth: unknown key; did you mean path?",
        "x.yaml:10:12  products[0]: must be one of landcover, buildings, roads, zones, change, probs, not 'lndcover'",
    ):
        assert words in text
    assert len(said) == 6


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("model: vhr-rgb\n", "", "x.yaml:1:1  model: this key is missing: name of a shipped model"),
        ("model: vhr-rgb\n", "model:\n", "model: nothing is given; it must be"),
        (
            "{scenes: true}",
            "[1]",
            "x.yaml:1:7  area: must be keys with values (file, bounds, crs, scenes: ...), not [1]",
        ),
        (
            "{scenes: true}",
            "{bounds: [3, 0, 1, 1], crs: EPSG:4326}",
            "x.yaml:1:16  area.bounds: [3.0, 0.0, 1.0, 1.0] must",
        ),
        (
            "{scenes: true}",
            "{bounds: [3, 0, 1], crs: EPSG:4326}",
            "must be a list of 4 values, [a, b, ...], not [3, 0, 1]",
        ),
        ("{scenes: true}", "{bounds: [3, 0, .nan, 1], crs: x}", "area.bounds[2]: must be a number, not nan"),
        (
            "{scenes: true}",
            "{}",
            "x.yaml:1:7  area: name the area in one way: file, or bounds with crs, or scenes: true",
        ),
        ("2024-06-01", "2024-6-1", "'2024-6-1' is not a date; write year-month-day, such as 2024-06-01"),
        ("2024-06-01", "1717200000", "'1717200000' is not a date"),
        ("2024-06-01", "2024-06-01T00:00:00Z", "is not a date; write year-month-day"),
        ("[SCENES]", "[]", "scenes: must be a list, such as [a, b], not []"),
        ("[SCENES]", "a.tif", "scenes: must be a list, such as [a, b], not 'a.tif'"),
        ("[SCENES]", "[{path: a, bands: red}]", "bands: must be a list, such as [a, b] or keys with values"),
        ("[SCENES]", "[{path: a, bands: {red: 0}}]", "bands.red: must be a whole number not below 1, not 0"),
        ("[SCENES]", "[{path: a, bands: [red, 2]}]", "bands[1]: must be text of at most 64 characters, not 2"),
        ("[SCENES]", "[{path: a, nodata: non}]", "nodata: must be a number or none, not 'non'; did you mean none?"),
        ("[SCENES]", '["a\\nb"]', "scenes[0]: must be keys with values"),
    ],
)
def test_each_kind_of_fault_has_its_sentence(aoi, old, new, words):
    said = refusal(aoi(text=SMALL.replace(old, new)))
    assert words in said
    assert "nput should" not in said
    assert len(said.splitlines()) == 1


def test_many_faults_are_cut_short(aoi):
    said = refusal(aoi(text=SMALL + "".join(f"k{i}: 1\n" for i in range(100)))).splitlines()
    assert len(said) == 41
    assert said[-1] == "and 60 more"


def test_nodata_may_be_not_a_number(aoi):
    entry = load_aoi(aoi("{path: a, nodata: .nan}")).config.dates[DAY].entries[0]
    assert math.isnan(entry.nodata)


def test_globs_are_sorted_and_no_file_comes_twice(aoi, tmp_path):
    for name in ("c.tif", "a.tif", "b.tif", "d.txt"):
        (tmp_path / name).touch()
    found = expand_scenes(load_aoi(aoi("{path: b.tif, nodata: 0}, '*.tif'")), DAY)
    assert [p.name for p, _ in found] == ["b.tif", "a.tif", "c.tif"]
    assert [e.nodata for _, e in found] == [0, None, None]


def test_a_file_with_brackets_in_its_name_is_no_pattern(aoi, tmp_path):
    (tmp_path / "a[1].tif").touch()
    assert [p.name for p, _ in expand_scenes(load_aoi(aoi("'a[1].tif'")), DAY)] == ["a[1].tif"]


def test_paths_are_relative_to_the_file_and_may_leave_its_folder(aoi, tmp_path, monkeypatch):
    (tmp_path / "aoi").mkdir()
    (tmp_path / "image é 雪.tif").touch()
    (tmp_path / "aoi" / "x.yaml").write_text(SMALL.replace("SCENES", "'../image*.tif'"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    loaded = load_aoi(tmp_path.joinpath("aoi", "x.yaml").relative_to(tmp_path))
    monkeypatch.chdir("/")
    assert expand_scenes(loaded, DAY)[0][0].resolve() == tmp_path / "image é 雪.tif"


@pytest.mark.parametrize(
    ("scenes", "words"),
    [
        ("town_2023.tif", r"there is no file .*town_2023\.tif; did you mean town_2024\.tif\?"),
        ("'*.jp2'", r"no file matches '\*\.jp2' in"),
        ("far/away.tif", r"there is no folder .*far either"),
        (".", "is a folder or a device, not a file"),
        ("https://host/a.tif", "is not a file on this machine; download it"),
        ("/vsicurl/http://host/a.tif", "is not a file on this machine"),
    ],
)
def test_scenes_that_are_not_there(aoi, tmp_path, scenes, words):
    (tmp_path / "town_2024.tif").touch()
    with pytest.raises(ConfigError, match=words):
        expand_scenes(load_aoi(aoi(scenes)), DAY)


def test_a_date_that_is_not_in_the_file(aoi):
    with pytest.raises(ConfigError, match=r"has no date 2024-06-10; did you mean 2024-06-01\?"):
        expand_scenes(load_aoi(aoi()), date(2024, 6, 10))


def test_band_files_are_found_beside_the_aoi_file(aoi, tmp_path):
    for name in ("a.tif", "b.tif", "nir.tif"):
        (tmp_path / name).touch()
    ((path, entry),) = expand_scenes(load_aoi(aoi("{path: a.tif, files: {nir: nir.tif}}")), DAY)
    assert path.name == "a.tif" and entry.files == {"nir": str(tmp_path / "nir.tif")}
    with pytest.raises(ConfigError, match="stands for 3 scenes, but files: names the bands of one; write an entry for"):
        expand_scenes(load_aoi(aoi("{path: '*.tif', files: {nir: nir.tif}}")), DAY)
    with pytest.raises(ConfigError, match=r"swir\.tif"):
        expand_scenes(load_aoi(aoi("{path: a.tif, files: {swir16: swir.tif}}")), DAY)
