from xml.etree import ElementTree as ET

import pytest

from geoseg.errors import ConfigError
from geoseg.report.styles import buildings_qml, confidence_qml, landcover_qml, road_nodes_qml, roads_qml
from geoseg.vector.footprints import CIRCLE, OUTLINE, REGULAR

CLASSES = [(0, "building", "#e31a1c"), (1, "bare <&\"' soil", "#C0A070"), (2, "forêt 雪", "#006400")]


def test_raster_part_gives_each_value_its_colour_and_name():
    root = ET.fromstring(landcover_qml(CLASSES))
    renderer = root.find("pipe/rasterrenderer")
    assert (renderer.get("type"), renderer.get("band")) == ("paletted", "1")
    entries = [(int(e.get("value")), e.get("label"), e.get("color")) for e in renderer.iter("paletteEntry")]
    assert entries == [*CLASSES, (254, "unobserved", "#808080")]


def test_vector_part_gives_each_value_its_colour_and_name():
    renderer = ET.fromstring(landcover_qml(CLASSES)).find("renderer-v2")
    assert (renderer.get("type"), renderer.get("attr")) == ("categorizedSymbol", "class")
    fills = {s.get("name"): s.find("layer") for s in renderer.iter("symbol")}
    found = []
    for category in renderer.iter("category"):
        layer = fills[category.get("symbol")]
        by_option = layer.find("Option/Option[@name='color']").get("value")
        assert layer.find("prop[@k='color']").get("v") == by_option
        assert layer.find("Option/Option[@name='outline_color']").get("value") == by_option
        red, green, blue, alpha = map(int, by_option.split(","))
        assert alpha == 255
        found.append((int(category.get("value")), category.get("label"), f"#{red:02x}{green:02x}{blue:02x}"))
    assert found == [(v, n, c.lower()) for v, n, c in CLASSES] + [(254, "unobserved", "#808080")]


def test_own_entry_for_unobserved_is_kept():
    root = ET.fromstring(landcover_qml([(254, "cloud", "#ffffff"), (0, "land", "#000000")]))
    assert [e.get("label") for e in root.iter("paletteEntry")] == ["cloud", "land"]


def test_control_characters_do_not_break_the_file():
    root = ET.fromstring(landcover_qml([(0, "a\x00b\x1bc", "#000000")]))
    assert root.find(".//paletteEntry").get("label") == "a\ufffdb\ufffdc"


def test_no_classes_leave_a_style_of_what_was_not_seen():
    assert len(list(ET.fromstring(landcover_qml([])).iter("category"))) == 1


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ([(0, "a", "#000000"), (0, "b", "#ffffff")], "its own value from 0 to 253"),
        ([(255, "a", "#000000")], "from 0 to 253"),
        ([(0, "a", "red")], "#rrggbb"),
        ([(0, "a", "#12345g")], "#rrggbb"),
    ],
)
def test_bad_entries_are_refused(classes, words):
    with pytest.raises(ConfigError, match=words) as caught:
        landcover_qml(classes)
    assert caught.value.exit_code == 2


def test_confidence_runs_from_0_to_1():
    renderer = ET.fromstring(confidence_qml()).find("pipe/rasterrenderer")
    assert renderer.get("type") == "singlebandpseudocolor"
    assert (renderer.get("classificationMin"), renderer.get("classificationMax")) == ("0", "250")
    items = [(float(i.get("value")), float(i.get("label"))) for i in renderer.iter("item")]
    assert items[0] == (0, 0)
    assert items[-1] == (250, 1)
    assert all(value == pytest.approx(label * 250) for value, label in items)


def settings(layer):
    """What a symbol's layer is drawn with; both spellings say the same."""
    found = {option.get("name"): option.get("value") for option in layer.find("Option")}
    assert found == {prop.get("k"): prop.get("v") for prop in layer.iter("prop")}
    return found


def test_buildings_have_a_fill_for_each_status():
    renderer = ET.fromstring(buildings_qml()).find("renderer-v2")
    assert (renderer.get("type"), renderer.get("attr")) == ("categorizedSymbol", "status")
    assert [c.get("value") for c in renderer.iter("category")] == [REGULAR, CIRCLE, OUTLINE]
    colours = {settings(symbol.find("layer"))["color"] for symbol in renderer.iter("symbol")}
    assert len(colours) == 3


def test_roads_are_as_wide_as_their_field_and_dashed_where_inferred():
    renderer = ET.fromstring(roads_qml('width "m"')).find("renderer-v2")
    rules = {rule.get("symbol"): rule.get("filter") for rule in renderer.iter("rule")}
    styles = {symbol.get("name"): settings(symbol.find("layer")) for symbol in renderer.iter("symbol")}
    assert {rules[name]: style["line_style"] for name, style in styles.items()} == {
        'NOT "inferred"': "solid",
        '"inferred"': "dash",
    }
    assert {style["line_width_unit"] for style in styles.values()} == {"RenderMetersInMapUnits"}
    for symbol in renderer.iter("symbol"):
        by_field = symbol.find("layer/data_defined_properties/Option/Option[@name='properties']/Option")
        assert by_field.get("name") == "outlineWidth"
        assert by_field.find("Option[@name='expression']").get("value") == 'coalesce("width ""m""", 5)'


def test_road_nodes_are_small_dots():
    layer = ET.fromstring(road_nodes_qml()).find("renderer-v2/symbols/symbol[@type='marker']/layer")
    assert settings(layer)["name"] == "circle"
    assert float(settings(layer)["size"]) <= 1
