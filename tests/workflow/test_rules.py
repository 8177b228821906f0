"""The text of the rules: quoting, one word in four places, what every rule must say."""

import re
from pathlib import Path

import pytest

from geoseg.cli import geoseg
from geoseg.io.steps import WORDS
from geoseg.io.workflow import VERSIONS

ROOT = Path(__file__).parent.parent.parent
RULES = sorted((ROOT / "workflows" / "rules").glob("*.smk"))
FIELD = re.compile(r"(?<!\{)\{(?!\{)([^{}]*)\}(?!\})")


def shell_of(path):
    (text,) = re.findall(r"^    shell:\n((?:        .*\n)+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text))


def test_every_step_has_a_rule():
    assert {p.stem for p in RULES} == set(VERSIONS) == set(WORDS)


@pytest.mark.parametrize("path", RULES, ids=lambda p: p.stem)
def test_one_word_in_four_places(path):
    assert re.findall(r"^rule (\w+):", path.read_text(encoding="utf-8"), re.MULTILINE) == [path.stem]
    assert path.stem in geoseg.commands
    assert (ROOT / "geoseg" / "stages" / f"{path.stem}.py").is_file()


@pytest.mark.parametrize("path", RULES, ids=lambda p: p.stem)
def test_a_rule_says_what_it_must(path):
    text = path.read_text(encoding="utf-8")
    for directive in ("log:", "benchmark:", "params:"):
        assert f"\n    {directive}\n" in text
    assert f'version=VERSIONS["{path.stem}"]' in text
    for banned in ("run:", "script:", "shadow:"):
        assert f"\n    {banned}" not in text


@pytest.mark.parametrize("path", RULES, ids=lambda p: p.stem)
def test_a_shell_is_one_call_with_everything_quoted(path):  # X10: see `x; touch INJECTED`
    shell = shell_of(path)
    assert shell.startswith(f"geoseg {path.stem} ")
    assert shell.count("geoseg ") == 1
    assert not re.search(r"[;|&`$]", shell)
    fields = FIELD.findall(shell)
    assert fields
    assert all(field.endswith(":q") for field in fields), fields
    assert shell.endswith("2> {log:q}")


def test_the_ledger_and_tiles_are_no_outputs():  # Snakemake deletes the outputs of a failed job
    text = (ROOT / "workflows" / "rules" / "predict.smk").read_text(encoding="utf-8")
    outputs = text.split("    output:")[1].split("    log:")[0]
    assert "ledger" not in outputs
    assert "/tiles/" not in outputs
    assert "directory(" not in outputs
