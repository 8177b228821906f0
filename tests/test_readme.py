"""What README.md says exists, exists: commands, options, files, keys and YAML. Run as a module it writes the keys."""

import re
import shlex
from pathlib import Path
from typing import get_args, get_origin

import click
import pytest
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from geoseg.cli import geoseg
from geoseg.config import AoiFile, Product
from geoseg.io.aoi_file import read_model
from geoseg.io.delivery import CHANGE_FIGURES, FORMATS, FROM_TO_FILES, LAYERS, SERIES, change_files, files, layers

REPOSITORY = Path(__file__).parents[1]
README = REPOSITORY / "README.md"
TEXT = README.read_text(encoding="utf-8")
BEGIN, END = (
    "<!-- keys: begin; python -m tests.test_readme writes this table from geoseg/config -->",
    "<!-- keys: end -->",
)
FOLDERS = ("geoseg/", "aoi/", "workflows/", "tests/", "docs/")


def key_table() -> str:
    """Markdown table of all keys of an AOI file."""
    rows = ["| key | default | what |", "| --- | --- | --- |"]
    rows += [f"| `{key}` | {default} | {what} |" for key, default, what in _keys(AoiFile, "")]
    return "\n".join(rows)


def _keys(model, prefix):
    for name, field in model.model_fields.items():
        section, name = field.annotation, field.alias or name
        if _is_section(section):
            yield from _keys(section, f"{prefix}{name}.")
            continue
        yield f"{prefix}{name}", _default(field), _what(field)
        for inside, place in _sections(section):
            yield from _keys(inside, f"{prefix}{name}{place}.")


def _is_section(annotation):
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _sections(annotation):
    """Sections that the value of a key may hold, each with the way there."""
    place = {list: "[]", dict: ".<date>"}.get(get_origin(annotation), "")
    for branch in get_args(annotation):
        if _is_section(branch):
            yield branch, place
        else:
            yield from ((section, place + below) for section, below in _sections(branch))


def _default(field):
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None:
        return ""
    return f"`{field.default}`".replace("'", "").lower()


def _what(field):
    assert field.description, f"{field} has no description"
    choices = [c for c in get_args(field.annotation) if isinstance(c, str)]
    return field.description + (f"; one of {', '.join(f'`{c}`' for c in choices)}" if len(choices) > 1 else "")


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", TEXT, flags=re.M | re.S)


def calls():
    """Every `geoseg ...` of the page, as words."""
    shown = [line.split("#")[0] for block in blocks("sh") for line in block.splitlines()]
    shown += re.findall(r"`(geoseg [^`]+)`", TEXT)
    return sorted({line.strip() for line in shown if line.startswith("geoseg ")})


def test_the_table_of_keys_is_that_of_the_models():
    written = TEXT.split(BEGIN)[1].split(END)[0].strip()
    assert written == key_table(), "run: python -m tests.test_readme"


@pytest.mark.parametrize("line", calls())
def test_commands_and_their_options_exist(line):
    words = shlex.split(line)[1:]
    command: click.Command = geoseg
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        command, words = command.commands[words[0]], words[1:]
    options = {"--help", "-h"} | {o for p in command.params for o in p.opts}
    assert {w for w in words if w.startswith("-")} <= options


def test_make_targets_exist():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(?:`|)make (\w+)", "\n".join(blocks("sh")), flags=re.M)) | set(
        re.findall(r"`make (\w+)`", TEXT)
    )
    assert {"demo", "test"} <= targets
    assert targets <= set(re.findall(r"^(\w+):", makefile, flags=re.M))


def test_files_that_are_named_exist():
    named = set(re.findall(r"\]\(([^)#:]+)\)", TEXT)) | {
        path for path in re.findall(r"`([\w./-]+)`", TEXT) if path.startswith(FOLDERS)
    }
    for line in calls():
        named |= {word for word in shlex.split(line) if word.startswith(FOLDERS) and word.endswith(".yaml")}
    assert len(named) > 4
    assert [path for path in sorted(named) if not (REPOSITORY / path).exists()] == []


def test_products_are_listed():
    translated = {f"{layer}.{end}" for layer in layers(list(LAYERS)) for end in FORMATS}  # said once, as NAME
    made = {*files(get_args(Product), FORMATS), "run.json", *change_files(SERIES), CHANGE_FIGURES, *FROM_TO_FILES}
    names = {name.removeprefix("zones/") for name in {*made, *(f"NAME.{end}" for end in FORMATS)} - translated}
    assert [name for name in sorted(names) if f"`{name}`" not in TEXT] == []


@pytest.mark.parametrize("number", range(len(blocks("yaml"))))
def test_yaml_is_an_aoi_file(number, tmp_path):
    path = tmp_path / "readme.yaml"
    path.write_text(blocks("yaml")[number], encoding="utf-8")
    assert read_model(AoiFile, path).dates


def test_models_in_the_table_have_recipes_that_agree():
    for name, taken, answers in re.findall(
        r"^\| `([\w-]+)` \| ([^|]+) \| ([^|;]+)", TEXT.split("## The AOI file")[0], re.M
    ):
        recipe = yaml.safe_load((REPOSITORY / "workflows" / "train" / f"{name}.yaml").read_text(encoding="utf-8"))
        assert answers.strip() == ", ".join(c["name"] for c in recipe["classes"])
        assert taken.startswith(", ".join(recipe["bands"]))
        assert "{:g} to {:g} m".format(*recipe["gsd_range"]) in taken
        assert f"{recipe['dtypes'][0].removeprefix('uint')} bit" in taken


if __name__ == "__main__":
    head, rest = TEXT.split(BEGIN)
    README.write_text(f"{head}{BEGIN}\n{key_table()}\n{END}{rest.split(END)[1]}", encoding="utf-8")
