"""The models: defaults, limits, and the JSON schemas made from them."""

import json
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from geoseg.config import AoiFile, Area, Change, ClassEntry, Recipe, check_name, from_json
from geoseg.errors import ConfigError
from geoseg.stages.schemas import SCHEMAS, schema_json, write_schemas

SCHEMA_FOLDER = Path(__file__).parent.parent / "workflows" / "schemas"


def test_a_small_file_gets_all_defaults():
    aoi = AoiFile.model_validate(
        {"area": {"scenes": True}, "model": "vhr-rgb", "dates": {"2024-06-01": {"scenes": ["a.tif"]}}}
    )
    assert list(aoi.dates) == [date(2024, 6, 1)]
    assert aoi.dates[date(2024, 6, 1)].entries[0].path == "a.tif"
    assert aoi.grid.crs == aoi.grid.gsd == aoi.compute.workers == "auto"
    assert aoi.products == "auto"
    assert aoi.vectors.formats == ["geojson", "gpkg"]
    assert aoi.tiling.patch_size is None


def test_what_was_read_does_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        Area(scenes=True).fix = True


@pytest.mark.parametrize("given", [{}, {"file": "a", "scenes": True}, {"bounds": (0, 0, 1, 1)}, {"crs": "EPSG:4326"}])
def test_an_area_is_named_in_one_way(given):
    with pytest.raises(ValidationError, match=r"one way|belong together"):
        Area(**given)


@pytest.mark.parametrize("name", ["a", "vhr-rgb", "Dubai_2024.v1", "0", "com10", "auxiliary", "x" * 64])
def test_names(name):
    assert check_name(name) == name


def test_class_names_are_names():
    with pytest.raises(ValidationError, match="device on Windows"):
        ClassEntry(name="nul", colour="#000000")


RECIPE = {
    "name": "x",
    "description": "x",
    "licence": "CC0-1.0",
    "released": "2024-06-01",
    "dtypes": ["uint8"],
    "attribution": ["x"],
    "bands": ["red", "green"],
    "value_range": (0, 255),
    "scale": 1.0,
    "mean": [0.0, 0.0],
    "std": [1.0, 1.0],
    "gsd": 1.0,
    "gsd_range": (0.5, 2.0),
    "classes": [{"name": "a", "colour": "#000000"}, {"name": "b", "colour": "#ffffff"}],
    "train": [{"image": "a.tif", "labels": "b.tif"}],
    "steps": 1,
}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"mean": [0.0]}, r"2 bands need as many values in mean \(1\)"),
        ({"architecture": "upernet", "batch": 1}, "upernet pools whole windows and needs at least 2 a device"),
        (
            {"architecture": "pan", "window": 192, "patch_size": 512},
            "window 192 and patch_size 512 .* multiples of 128",
        ),
    ],
)
def test_recipes_that_cannot_be_fitted(wrong, said):
    Recipe(**RECIPE)
    with pytest.raises(ValidationError, match=said):
        Recipe(**{**RECIPE, **wrong})


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_schemas_in_the_tree_are_fresh(name):  # S05; after a change of geoseg/config run: geoseg schemas
    committed = (SCHEMA_FOLDER / name).read_text(encoding="utf-8")
    assert committed == schema_json(SCHEMAS[name])
    assert json.loads(committed)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_schemas_are_written_where_asked(tmp_path):
    write_schemas(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(SCHEMAS)
    assert (tmp_path / "aoi.schema.json").read_bytes() == (SCHEMA_FOLDER / "aoi.schema.json").read_bytes()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"transitions": [{"name": "1bad", "from": ["a"]}]}', r"^--settings transitions\.0\.name cannot be '1bad': "),
        ("garbage", r"^--settings cannot be 'garbage': Invalid JSON"),
        ('{"sed": 1}', r"^--settings sed cannot be 1: "),
        ('{"seed": 0.2}', r"an event grows from seed down to grow"),
    ],
)
def test_settings_as_json_say_which_key_is_wrong(text, words):
    with pytest.raises(ConfigError, match=words):
        from_json(Change, text)
