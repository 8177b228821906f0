"""FAULTS 4.5 and the part of 4.7 that AOI files meet: wrong, broken and hostile settings."""

import copy
import subprocess
import sys
import time

import pytest
import yaml

from geoseg.config import check_name
from geoseg.errors import ConfigError
from geoseg.io.aoi_file import aoi_name, load_aoi

FULL = {
    "area": {"bounds": [0.0, 0.0, 1.0, 1.0], "crs": "EPSG:32640", "fix": False, "min_coverage": 0.5},
    "grid": {"crs": "auto", "gsd": 0.8, "resampling": "bilinear"},
    "model": "vhr-rgb",
    "dates": {
        "2024-06-01": {
            "scenes": [
                {"path": "a.tif", "bands": ["red", "green"], "nodata": 0, "assume_crs": "EPSG:32640"},
                {"path": "b.tif", "bands": {"red": 3}, "nodata": "none"},
                "c.tif",
            ]
        },
    },
    "products": ["landcover"],
    "vectors": {"formats": ["geojson"], "min_area": 50, "simplify": 0.5, "smooth": False},
    "tiling": {"patch_size": 512, "halo": 128, "exact": False, "tile_patches": 2, "max_seams": 0.01},
    "compute": {
        "workers": 2,
        "threads": "auto",
        "device": "auto",
        "precision": "auto",
        "scheduler": "tcp://host:8786",
        "allow_partial": False,
    },
}


def places(tree, at=()):
    """Every place in the tree below its root."""
    steps = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for step, value in steps:
        yield (*at, step)
        yield from places(value, (*at, step))


def holder(tree, place):
    for step in place[:-1]:
        tree = tree[step]
    return tree


def said_of(tmp_path, tree):
    path = tmp_path / "x.yaml"
    path.write_text(tree if isinstance(tree, str) else yaml.safe_dump(tree, sort_keys=False))
    with pytest.raises(ConfigError) as caught:
        load_aoi(path)
    assert caught.value.exit_code == 2
    return str(caught.value)


def line_of(tmp_path, key):
    lines = (tmp_path / "x.yaml").read_text().splitlines()
    return next(i for i, line in enumerate(lines, 1) if f"{key}:" in line)


NULL_IS_DEFAULT = ("patch_size", "halo", "scheduler", "bands", "nodata", "assume_crs", "bounds")
KEYS = [p for p in places(FULL) if isinstance(p[-1], str) and p[-1] not in ("2024-06-01", "red")]


def test_S03_the_unchanged_file_is_right(tmp_path):
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(FULL))
    assert load_aoi(tmp_path / "x.yaml").config.tiling.halo == 128


@pytest.mark.parametrize("place", KEYS, ids=lambda p: ".".join(map(str, p)))
def test_S03_each_key_misspelt(tmp_path, place):
    tree = copy.deepcopy(FULL)
    key = place[-1]
    typo = key[:-2] + key[-1] + key[-2]  # the last two letters swapped
    section = holder(tree, place)
    section[typo] = section.pop(key)
    said = said_of(tmp_path, tree)
    assert f"x.yaml:{line_of(tmp_path, typo)}:" in said
    assert f"{typo}: unknown key; did you mean {key}" in said


@pytest.mark.parametrize("wrong", [{"x": 1}, [[1]], None], ids=["section", "list", "nothing"])
@pytest.mark.parametrize("place", list(places(FULL)), ids=lambda p: ".".join(map(str, p)))
def test_S03_each_value_of_a_wrong_kind(tmp_path, place, wrong):
    if (wrong is None and place[-1] in NULL_IS_DEFAULT) or (isinstance(wrong, dict) and place[-1] == "bands"):
        return  # right, in these places
    tree = copy.deepcopy(FULL)
    holder(tree, place)[place[-1]] = wrong
    said = said_of(tmp_path, tree)
    assert str(place[-1]) in said.replace("[", ".").replace("]", ".")
    assert "nput should" not in said
    assert "must be" in said or "unknown key" in said or "nothing is given" in said or "belong together" in said


NUMBERS = [
    *((("area", "min_coverage"), v) for v in (-0.1, 1.5, float("nan"), "half", True)),
    *((("area", "bounds", 0), v) for v in (2.0, float("inf"), "west", True)),
    *((("grid", "gsd"), v) for v in (0, -1, 1e6, float("inf"), "ten", False)),
    *((("dates", "2024-06-01", "scenes", 0, "nodata"), v) for v in ("null value", True)),
    *((("dates", "2024-06-01", "scenes", 1, "bands", "red"), v) for v in (0, -1, 1.5, "one", True)),
    *((("tiling", "patch_size"), v) for v in (0, -32, 500, 8224, 512.5, "512", True)),
    *((("tiling", "halo"), v) for v in (-32, 100, 4128, 64.5, "64", True)),
    *((("tiling", "tile_patches"), v) for v in (0, 17, 1.5, "2", True)),
    *((("tiling", "max_seams"), v) for v in (-0.1, 1.5, "few", True)),
    *((("vectors", "min_area"), v) for v in (-1, "small", True)),
    *((("vectors", "simplify"), v) for v in (-0.5, 21, "much", True)),
    *((("compute", "workers"), v) for v in (0, -1, 1025, 1.5, "many", True)),
    *((("compute", "threads"), v) for v in (0, -1, 1025, 1.5, "many", True)),
]


@pytest.mark.parametrize(("place", "wrong"), NUMBERS, ids=lambda v: str(v))
def test_S03_each_number_out_of_range_or_of_a_wrong_type(tmp_path, place, wrong):
    tree = copy.deepcopy(FULL)
    holder(tree, place)[place[-1]] = wrong
    said = said_of(tmp_path, tree)
    assert "must be" in said
    assert len(said.splitlines()) == 1
    if place[-1] != 0:  # bounds are judged together
        shown = str(wrong).lower() if isinstance(wrong, bool | float) and wrong != 512.5 else str(wrong)
        assert f"{place[-1]}: must be" in said
        assert shown in said


WORDS = {
    ("grid", "resampling"): ("bilinar", "bilinear"),
    ("compute", "device"): ("cudda", "cuda"),
    ("compute", "precision"): ("bfloat-16", "bfloat16"),
    ("products", 0): ("Landcovers", "landcover"),
    ("tiling", "exact"): ("yes", "true"),
    ("vectors", "formats", 0): ("geojsn", "geojson"),
    ("vectors", "smooth"): ("yes", "true"),
    ("area", "fix"): ("no", "false"),
    ("grid", "gsd"): ("automatic", "auto"),
}


@pytest.mark.parametrize("place", WORDS, ids=str)
def test_S03_each_word_with_its_nearest(tmp_path, place):
    tree = copy.deepcopy(FULL)
    wrong, right = WORDS[place]
    holder(tree, place)[place[-1]] = wrong
    assert f"not '{wrong}'; did you mean {right}" in said_of(tmp_path, tree)


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60))
HOSTILE = {
    "bomb": (BOMB, "marks a part to repeat"),
    "nest": ("[" * 100_000, "nested deeper than 32 levels"),
    "nest-blocks": ("- " * 100_000, "nested deeper than 32 levels"),
    "nest-keys": ("{a: " * 100_000, "nested deeper than 32 levels"),
    "wide": ("a: [" + "1," * 400_000 + "]", "more than 50000 values"),
    "large": ("# " + "x" * 2_000_000, "larger than 1 MB"),
    "duplicate": ("area: {scenes: true}\narea: {file: x}\n", "x.yaml:2:1  the key area is already on line 1"),
    "tag": ("area: !!python/object/apply:os.system ['touch INJECTED']\n", "the tag tag:yaml.org,2002:python/object"),
    "local-tag": ("area: !include /etc/passwd\n", "the tag !include is not allowed"),
    "merge": ("area: {<<: {scenes: true}}\n", "area.<<: unknown key"),
    "no": ("area: {scenes: no}\n", "area.scenes: must be true or false, not 'no'; did you mean false?"),
    "time": ("tiling: {halo: 12:30:00}\n", "tiling.halo: must be a multiple of 32 from 0 to 4096, not '12:30:00'"),
    "grouped": ("tiling: {halo: 1_024}\n", "not '1_024'"),
    "number": ("tiling: {halo: " + "9" * 5000 + "}\n", "is too large"),
    "float": ("tiling: {halo: 1.10}\n", "not 1.1"),
    "control": ('model: "\\e]0;title\\a"\n', "control character U+001B"),
    "documents": ("area: {scenes: true}\n---\nmodel: x\n", "a second document starts here"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_S04_hostile_yaml_is_refused_within_a_second(tmp_path, kind):
    text, words = HOSTILE[kind]
    start = time.process_time()
    assert words in said_of(tmp_path, text)
    assert time.process_time() - start < 1


def test_S04_a_sparse_gigabyte_and_the_worst_megabytes_need_little_memory(tmp_path):
    with (tmp_path / "giga.yaml").open("wb") as file:
        file.truncate(1 << 30)
    (tmp_path / "wide.yaml").write_text("a: [" + "1," * 400_000 + "]")
    (tmp_path / "bomb.yaml").write_text(BOMB)
    code = (
        "import sys, resource, pathlib\n"
        "from geoseg.errors import ConfigError\n"
        "from geoseg.io.aoi_file import load_aoi\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for path in sys.argv[1:]:\n"
        "    try: load_aoi(pathlib.Path(path)); sys.exit('accepted ' + path)\n"
        "    except ConfigError: pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    files = [str(p) for p in sorted(tmp_path.glob("*.yaml"))]
    done = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, text=True, check=True, timeout=60)
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < 200e6


@pytest.mark.parametrize("content", ["", "\n\n", "# only a comment\n", "---\n", "null\n", "\ufeff"])
def test_S07_an_empty_file_is_an_error(tmp_path, content):
    said = said_of(tmp_path, content)
    assert "x.yaml:1:1  the file is empty; `geoseg init` writes one" in said


@pytest.mark.parametrize("content", ["just text\n", "- a\n", "12\n"])
def test_S07_a_file_without_keys_is_an_error(tmp_path, content):
    assert "the file must consist of keys with values" in said_of(tmp_path, content)


@pytest.mark.parametrize("day", ["2024-02-30", "2023-02-29", "2024-13-01", "2024-04-31", "2024-00-10", "0000-01-01"])
def test_S08_a_day_that_is_not_in_the_calendar(tmp_path, day):
    tree = copy.deepcopy(FULL)
    tree["dates"][day] = tree["dates"].pop("2024-06-01")
    said = said_of(tmp_path, tree)
    assert f"dates.{day}: {day} is not in the calendar" in said
    assert "x.yaml:16:3  dates" in said


@pytest.mark.parametrize("day", ["2024-6-1", "20240601", "01-06-2024", "2024-06-01T10:00:00", "1717200000", "today"])
def test_S08_a_day_in_another_notation(tmp_path, day):
    tree = copy.deepcopy(FULL)
    tree["dates"][day] = tree["dates"].pop("2024-06-01")
    assert f"'{day}' is not a date; write year-month-day, such as 2024-06-01" in said_of(tmp_path, tree)


def test_S08_a_day_twice_is_an_error_however_it_is_written(tmp_path):
    text = yaml.safe_dump(FULL, sort_keys=False).replace("'2024-06-01'", "2024-06-01")
    doubled = text.replace("products:", "  '2024-06-01': {scenes: [z.tif]}\nproducts:")
    assert "the key 2024-06-01 is already on line" in said_of(tmp_path, doubled)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Asia/Kolkata", "Pacific/Niue"])
def test_S08_a_day_is_the_same_in_every_time_zone(tmp_path, monkeypatch, zone):
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(FULL))
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert [d.isoformat() for d in load_aoi(tmp_path / "x.yaml").config.dates] == ["2024-06-01"]
    finally:
        monkeypatch.undo()
        time.tzset()


BAD_NAMES = [
    *(
        "..",
        ".",
        "",
        " ",
        "-rf",
        "--help",
        ".hidden",
        "_x",
        "a/../b",
        "a\\b",
        "C:",
        "a:b",
        "a b",
        "a\tb",
        "a\nb",
        "a\x00b",
    ),
    *("CON", "con", "nul", "NUL.v1", "AUX", "prn", "COM1", "lpt9.x", "a.part", "a.", "x" * 65, "é", "雪", "a\u202eb"),
    *("{aoi}", "a*", "a?", "~", "$HOME", "%x%", "a%2f", "a=b", "@a", "#a"),
]
SHELL_NAMES = [
    "x; touch INJECTED;",
    "$(touch INJECTED)",
    "`touch INJECTED`",
    "a&b",
    "a|b",
    "a>b",
    "a'b",
    'a"b',
    "a\\$b",
]


@pytest.mark.parametrize("name", BAD_NAMES, ids=repr)
def test_X09_names_that_could_leave_their_folder_or_break_a_system(name):
    with pytest.raises(ValueError, match="name"):
        check_name(name)


@pytest.mark.parametrize("name", [n for n in BAD_NAMES if "/" not in n and "\x00" not in n and len(n) < 200], ids=repr)
def test_X09_such_a_name_is_refused_before_the_file_is_opened(tmp_path, name):
    with pytest.raises(ConfigError, match=r"names its results|must end in \.yaml") as caught:
        load_aoi(tmp_path / f"{name}.yaml")
    assert caught.value.exit_code == 2


def test_X09_other_suffixes_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"must end in \.yaml"):
        aoi_name(tmp_path / "x.json")


@pytest.mark.parametrize("path", ["a\nb.tif", "a\x00.tif", "\x1b[2J.tif", "", "x" * 2000])
def test_X09_paths_with_control_characters_or_without_end(tmp_path, path):
    tree = copy.deepcopy(FULL)
    tree["dates"]["2024-06-01"]["scenes"] = [{"path": path}]
    said = said_of(tmp_path, tree)
    assert "control character" in said or "scenes[0].path: must be one line of text of at most 1024 characters" in said


@pytest.mark.parametrize("name", SHELL_NAMES)
def test_X10_names_with_shell_text_are_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="names its results"):
        load_aoi(tmp_path / f"{name}.yaml")
    assert not (tmp_path / "INJECTED").exists()
