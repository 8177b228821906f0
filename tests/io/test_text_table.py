import csv

import pytest

from geoseg.io.text_table import write_text_table


def written(tmp_path, *rows):
    path = tmp_path / "table.csv"
    write_text_table(path, ["name", "area"], rows)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


@pytest.mark.parametrize(
    "name", ["=cmd|'/c calc'!A0", "+1", "-2+3", "@SUM(A1)", "  =1", "\t=1", "\r\n=1", "＝1", "\x00=1"]
)
def test_a_formula_becomes_text(tmp_path, name):
    [[cell, _]] = written(tmp_path, [name, 1.0])
    assert cell.startswith("'")
    assert cell.lstrip("' ") == name.lstrip("\t\r\n\x00 ")


def test_control_characters_are_gone(tmp_path):
    [[cell, _]] = written(tmp_path, ["\x1b]0;title\x07Nord\x9b31m", 1.0])
    assert cell == "]0;titleNord31m"


@pytest.mark.parametrize(
    "name", ["Île-de-France", "حي الصفا", "नई दिल्ली", "東京都", "Ñuñoa, 3", 'the "old" town', "a\u200db"]
)
def test_names_in_any_script_survive(tmp_path, name):
    assert written(tmp_path, [name, 2.5]) == [[name, "2.5"]]


def test_numbers_stay_numbers_and_nothing_is_empty(tmp_path):
    assert written(tmp_path, ["a", -1234567.891234], ["b", None], ["c", 7]) == [
        ["a", "-1234567.891"],
        ["b", ""],
        ["c", "7"],
    ]
