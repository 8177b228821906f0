"""Each row of the fault catalogue that geoseg promises to handle has a test that carries its number."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROWS = """
F01 F02 F03 F06 F07 F08 G01 G02 G03 G05 G06 G07 G08 G09 G10 G12 G13 G14 G15 G16 G17 R01 R02 R03 R05 R06 R07 R08
R11 R12 R13 R14 H01 H02 H04 H06 H15 H24 S01 S02 S03 S04 S05 S06 S07 S08 X01 X02 X03 X04 X05 X06 X07 X08 X09 X10 X12
V01 V02 V03 V04 V05 V06 V07 V08 V09 H17
"""
TESTS = "\n".join(p.read_text(encoding="utf-8") for p in Path(__file__).parents[1].rglob("test_*.py"))


@pytest.mark.parametrize("row", ROWS.split())
def test_row_has_a_test(row):
    named = rf"(?i)^def test_(\w*_)?{row}_|^def test_.*#.*\b{row}\b|^    \"{row}( \w+)?\": \("
    assert re.search(named, TESTS, re.MULTILINE)
