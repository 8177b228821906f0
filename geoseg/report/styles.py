"""QGIS styles, so that a map opens in its colours and with its classes' names.

QGIS loads `NAME.qml` by itself beside `NAME.tif`, `NAME.parquet` and `NAME.geojson`. So the land cover's one file
holds both a raster part (`pipe`) and a vector part (`renderer-v2`); each kind of layer reads its own. Inside a
GeoPackage the same text stands in the table `layer_styles`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

from geoseg.errors import ConfigError

ClassEntry = tuple[int, str, str]  # value, name, colour as #rrggbb

UNOBSERVED: ClassEntry = (254, "unobserved", "#808080")
FULL_CONFIDENCE = 250  # the pixel value that means p = 1
# viridis at fifths, dark where the map is unsure: read as light and dark it says the same, also by the colour-blind
_RAMP = ("#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725")
# value of `status`, what it means, colour: apart in lightness, too
_STATUSES = (
    ("regular", "right angles", "#b5423c"),
    ("circle", "round", "#e3a23a"),
    ("outline", "outline of the map", "#7d6bb0"),
)
_ROADS = (("seen", 'NOT "inferred"', "#f2d16b"), ("inferred", '"inferred"', "#e8833a"))
_NODE = "#303030"
_COMMON_WIDTH = 5.0  # metres, of a road whose width is not known
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # no escape makes these well-formed
_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"


def landcover_qml(classes: Sequence[ClassEntry]) -> str:
    """Style of a land-cover map, raster and polygons, in the order given.

    Args:
        classes: value, name and colour of each class, 0 to 254. Where 254, not observed, is missing it is added.

    Raises:
        ConfigError: a value twice, or a colour that is not #rrggbb.
    """
    entries = list(classes)
    if all(value != UNOBSERVED[0] for value, _, _ in entries):
        entries.append(UNOBSERVED)
    _check(entries)
    root = ET.Element("qgis", version="3.22", styleCategories="Symbology")
    _palette(root, entries)
    _categories(root, "class", "long", [(str(value), name, colour) for value, name, colour in entries])
    return _text(root)


def buildings_qml() -> str:
    """Style of footprints: one fill for each `status`."""
    root = ET.Element("qgis", version="3.22", styleCategories="Symbology")
    _categories(root, "status", "string", _STATUSES)
    return _text(root)


def events_qml(transitions: Sequence[ClassEntry]) -> str:
    """Style of events of change: one fill for each `transition`. Args: value, name and colour of each."""
    root = ET.Element("qgis", version="3.22", styleCategories="Symbology")
    _categories(root, "transition", "string", [(name, name, colour) for _, name, colour in transitions])
    return _text(root)


def time_colours(count: int) -> list[str]:
    """Colours of `count` steps in time: the later, the lighter."""
    out = []
    for step in range(count):
        place = 5 * step / max(1, count - 1)
        left = min(int(place), 4)
        one, two = (bytes.fromhex(_RAMP[k][1:]) for k in (left, left + 1))
        out.append("#" + bytes(round(a + (b - a) * (place - left)) for a, b in zip(one, two, strict=True)).hex())
    return out


def roads_qml(width: str) -> str:
    """Style of centre lines: as wide as the road, dashed where `inferred` is true.

    Args:
        width: field that holds the road's width in metres.
    """
    root = ET.Element("qgis", version="3.22", styleCategories="Symbology")
    renderer = _vector_renderer(root, "RuleRenderer")
    rules = ET.SubElement(renderer, "rules", key="{roads}")
    symbols = ET.SubElement(renderer, "symbols")
    for number, (label, condition, colour) in enumerate(_ROADS):
        ET.SubElement(rules, "rule", key=f"{{{label}}}", symbol=str(number), label=label, filter=condition)
        _road_line(symbols, number, colour, dashed=label == "inferred", width=width)
    return _text(root)


def road_nodes_qml() -> str:
    """Style of junctions and ends of roads: small dots."""
    root = ET.Element("qgis", version="3.22", styleCategories="Symbology")
    symbols = ET.SubElement(_vector_renderer(root, "singleSymbol"), "symbols")
    dot = {"name": "circle", "color": _rgba(_NODE), "outline_style": "no", "size": "1", "size_unit": "MM"}
    _layer(_symbol(symbols, "marker", 0), "SimpleMarker", dot)
    return _text(root)


def confidence_qml() -> str:
    """Style of a confidence map: p from 0 to 1, stored as 0 to 250."""
    root = ET.Element("qgis", version="3.22", styleCategories="Symbology")
    renderer = _renderer(root, "singlebandpseudocolor", classificationMin="0", classificationMax=str(FULL_CONFIDENCE))
    ramp = ET.SubElement(
        ET.SubElement(renderer, "rastershader"),
        "colorrampshader",
        colorRampType="INTERPOLATED",
        classificationMode="1",
        clip="0",
        minimumValue="0",
        maximumValue=str(FULL_CONFIDENCE),
    )
    for step, colour in enumerate(_RAMP):
        share = step / (len(_RAMP) - 1)
        ET.SubElement(
            ramp, "item", value=f"{share * FULL_CONFIDENCE:g}", label=f"{share:.1f}", color=colour, alpha="255"
        )
    return _text(root)


def _palette(root: ET.Element, entries: Sequence[ClassEntry]) -> None:
    """The raster part: one colour a value."""
    palette = ET.SubElement(_renderer(root, "paletted"), "colorPalette")
    for value, name, colour in entries:
        ET.SubElement(palette, "paletteEntry", value=str(value), label=name, color=colour, alpha="255")


def _renderer(root: ET.Element, kind: str, **attributes: str) -> ET.Element:
    pipe = ET.SubElement(root, "pipe")
    return ET.SubElement(
        pipe, "rasterrenderer", type=kind, band="1", opacity="1", alphaBand="-1", nodataColor="", **attributes
    )


def _categories(root: ET.Element, attribute: str, kind: str, entries: Sequence[tuple[str, str, str]]) -> None:
    """The vector part: one fill for each value of an attribute. `entries`: value, label, colour."""
    renderer = _vector_renderer(root, "categorizedSymbol", attr=attribute)
    categories = ET.SubElement(renderer, "categories")
    symbols = ET.SubElement(renderer, "symbols")
    for number, (value, label, colour) in enumerate(entries):
        ET.SubElement(categories, "category", type=kind, value=value, symbol=str(number), label=label, render="true")
        _layer(_symbol(symbols, "fill", number), "SimpleFill", _plain_fill(colour))


def _vector_renderer(root: ET.Element, kind: str, **attributes: str) -> ET.Element:
    plain = {"enableorderby": "0", "forceraster": "0", "symbollevels": "0"}
    return ET.SubElement(root, "renderer-v2", {"type": kind} | attributes | plain)


def _symbol(symbols: ET.Element, kind: str, number: int) -> ET.Element:
    return ET.SubElement(symbols, "symbol", type=kind, name=str(number), alpha="1", clip_to_extent="1")


def _layer(symbol: ET.Element, kind: str, settings: Mapping[str, str]) -> ET.Element:
    """What draws a symbol. QGIS from 3.24 reads `Option`, older ones `prop`."""
    layer = ET.SubElement(symbol, "layer", {"class": kind, "enabled": "1", "locked": "0", "pass": "0"})
    options = ET.SubElement(layer, "Option", type="Map")
    for key, text in settings.items():
        ET.SubElement(options, "Option", type="QString", name=key, value=text)
        ET.SubElement(layer, "prop", k=key, v=text)
    return layer


def _plain_fill(colour: str) -> dict[str, str]:
    """A fill whose outline has its own colour and is a hair wide: a dark one would hide small polygons, and with
    none the map's background shines through between neighbours.
    """
    rgba = _rgba(colour)
    fill = {"color": rgba, "style": "solid", "joinstyle": "miter"}
    return fill | {"outline_color": rgba, "outline_style": "solid", "outline_width": "0.05", "outline_width_unit": "MM"}


def _road_line(symbols: ET.Element, number: int, colour: str, dashed: bool, width: str) -> None:
    """A line as wide as the road on the ground, whatever the unit of the map."""
    settings = {
        "line_color": _rgba(colour),
        "line_style": "dash" if dashed else "solid",
        "line_width": f"{_COMMON_WIDTH:g}",
        "line_width_unit": "RenderMetersInMapUnits",
        "capstyle": "flat" if dashed else "round",
        "joinstyle": "round",
    }
    layer = _layer(_symbol(symbols, "line", number), "SimpleLine", settings)
    collection = ET.SubElement(ET.SubElement(layer, "data_defined_properties"), "Option", type="Map")
    ET.SubElement(collection, "Option", name="name", type="QString", value="")
    properties = ET.SubElement(collection, "Option", name="properties", type="Map")
    by_field = ET.SubElement(properties, "Option", name="outlineWidth", type="Map")
    ET.SubElement(by_field, "Option", name="active", type="bool", value="true")
    expression = f"coalesce({_field(width)}, {_COMMON_WIDTH:g})"
    ET.SubElement(by_field, "Option", name="expression", type="QString", value=expression)
    ET.SubElement(by_field, "Option", name="type", type="int", value="3")  # an expression
    ET.SubElement(collection, "Option", name="type", type="QString", value="collection")


def _field(name: str) -> str:
    """A field's name in an expression of QGIS."""
    return '"' + name.replace('"', '""') + '"'


def _rgba(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"{red},{green},{blue},255"


def _check(entries: Sequence[ClassEntry]) -> None:
    values = [value for value, _, _ in entries]
    for value, name, colour in entries:
        if not 0 <= value <= 254 or values.count(value) > 1:
            raise ConfigError(f"class {name} has value {value}; give each class its own value from 0 to 253")
        digits = colour.removeprefix("#").lower()
        if len(colour) != 7 or len(digits) != 6 or digits.strip("0123456789abcdef"):
            raise ConfigError(f"class {name} has colour {colour!r}; write it as #rrggbb, for example #2ca02c")


def _text(root: ET.Element) -> str:
    ET.indent(root, " ")
    text = ET.tostring(root, encoding="unicode")
    return _DOCTYPE + _NOT_XML.sub("\ufffd", text) + "\n"
