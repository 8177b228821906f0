"""The strict YAML reader: what it accepts is plain data, with the place of every part."""

import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.errors import ConfigError
from geoseg.io.yaml_file import MAX_DEPTH, MAX_VALUES, read_yaml, resolve


@pytest.fixture
def read(tmp_path):
    def _read(content):
        path = tmp_path / "x.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_yaml(path)

    return _read


def refusal(read, content):
    with pytest.raises(ConfigError) as caught:
        read(content)
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("~", None),
        ("", None),
        ("true", True),
        ("False", False),
        ("12", 12),
        ("-7", -7),
        ("+3", 3),
        ("1.10", 1.1),
        ("-.5", -0.5),
        ("2e3", 2000.0),
        ("-.inf", -math.inf),
        *((t, t) for t in ("no", "on", "Yes", "12:30:00", "1_000", "2024-06-01", "0x10", "1.2.3", "nan", "tRUE")),
    ],
)
def test_unquoted_text_means_what_a_person_reads(text, value):
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


def test_quoted_text_stays_text(read):
    data, _ = read("a: '1'\nb: \"true\"\nc: |\n  two\n  lines\n")
    assert data == {"a": "1", "b": "true", "c": "two\nlines\n"}


def test_keys_are_text(read):
    assert read("no: 1\n1: 2\n2024-06-01: 3\n")[0] == {"no": 1, "1": 2, "2024-06-01": 3}


def test_not_a_number_is_a_number(read):
    assert math.isnan(read("a: .nan\n")[0]["a"])


def test_places_are_lines_and_columns_from_one(read):
    _, positions = read("# comment\na: 1\nb:\n  - x\n  - {c:  3}\n")
    assert positions.key(("a",)) == (2, 1)
    assert positions.value(("a",)) == (2, 4)
    assert positions.value(("b", 0)) == (4, 5)
    assert positions.key(("b", 1, "c")) == (5, 6)
    assert positions.value(("b", 1, "c")) == (5, 10)


def test_a_place_that_is_not_in_the_file_is_that_of_what_is_around_it(read):
    _, positions = read("a:\n  b: 1\n")
    assert positions.key(("a", "absent")) == positions.value(("a",)) == (2, 3)
    assert positions.value(("absent",)) == (1, 1)


names = st.text("abcdefgh xyz", min_size=1).map(str.strip).filter(bool)
scalars = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9) | names
trees = st.recursive(scalars, lambda t: st.lists(t, max_size=4) | st.dictionaries(names, t, max_size=4), max_leaves=12)


@settings(max_examples=50, deadline=None)
@given(tree=st.dictionaries(names, trees, min_size=1, max_size=5), flow=st.booleans())
def test_reads_back_what_pyyaml_wrote(tree, flow, tmp_path_factory):
    path = tmp_path_factory.mktemp("yaml") / "x.yaml"
    path.write_text(yaml.safe_dump(tree, allow_unicode=True, default_flow_style=flow))
    if "*id0" not in path.read_text():  # pyyaml writes an equal list twice as an alias
        assert read_yaml(path)[0] == tree


def test_as_deep_and_as_many_as_the_limits_and_no_more(read):
    deep = "a: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert read(deep)[0]
    assert "nested deeper than 32" in refusal(read, deep.replace("[]", "[[]]"))
    many = "a: [" + "1," * (MAX_VALUES - 3) + "]"
    assert len(read(many)[0]["a"]) == MAX_VALUES - 3
    assert "more than 50000 values" in refusal(read, many.replace("]", "1]"))


def test_a_byte_order_mark_is_no_content(read):
    assert read(b"\xef\xbb\xbfa: 1")[0] == {"a": 1}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: 1\n  b: 2\n", "x.yaml:2:4  not YAML: a second ': '"),
        ("a:\n\tb: 2\n", "x.yaml:2:1  not YAML: found character that cannot start any token; indent with spaces"),
        ("a: 1\n---\nb: 1\n", "x.yaml:2:1  a second document starts here"),
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3:1  the key a is already on line 1"),
        ("1: x\n'1': y\n", "the key 1 is already on line 1"),
        ("a: &b 1\n", "x.yaml:1:4  &b marks a part to repeat"),
        ("a: !!str 1\n", "x.yaml:1:4  the tag tag:yaml.org,2002:str is not allowed"),
        ("? [a]\n: 1\n", "a key must be plain text"),
        ("a: 1e999\n", "x.yaml:1:4  the number 1e999... is too large"),
        (b"a: 1\nb: \xff\n", "x.yaml:2:1  is not UTF-8 text"),
        ("a: 1\n".encode("utf-16"), "is not UTF-8 text"),
        (b"a: 1\nb: x\x00\n", "x.yaml:2:5  control character U+0000"),
        ('a: "\\e[2J"\n', "x.yaml:1:4  control character U+001B"),
        ('"\\e": 1\n', "control character U+001B"),
        ("a: 'x", "not YAML"),
    ],
)
def test_refuses_with_the_place_and_the_fix(read, content, words):
    assert words in refusal(read, content)


def test_names_files_that_may_have_been_meant(tmp_path):
    (tmp_path / "dubai.yaml").write_text("a: 1")
    with pytest.raises(ConfigError, match=r"there is no file .*dubia\.yaml; did you mean dubai\.yaml\?"):
        read_yaml(tmp_path / "dubia.yaml")
    with pytest.raises(ConfigError, match="is a folder or a device, not a file"):
        read_yaml(tmp_path)
    with pytest.raises(ConfigError, match=r"there is no folder .*gone either"):
        read_yaml(tmp_path / "gone" / "x.yaml")
