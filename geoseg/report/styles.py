"""QGIS styles, so that a map opens in its colours and with its classes' names.

QGIS loads `NAME.qml` by itself beside `NAME.tif`, `NAME.parquet` and `NAME.geojson`. So the land cover's one file
holds both a raster part (`pipe`) and a vector part (`renderer-v2`); each kind of layer reads its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from geoseg.errors import ConfigError

ClassEntry = tuple[int, str, str]  # value, name, colour as #rrggbb

UNOBSERVED: ClassEntry = (254, "unobserved", "#808080")
FULL_CONFIDENCE = 250  # the pixel value that means p = 1
# viridis at fifths, dark where the map is unsure: read as light and dark it says the same, also by the colour-blind
_RAMP = ("#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725")
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
    _categories(root, entries)
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


def _categories(root: ET.Element, entries: Sequence[ClassEntry]) -> None:
    """The vector part: one fill a value of the attribute `class`."""
    renderer = ET.SubElement(
        root,
        "renderer-v2",
        type="categorizedSymbol",
        attr="class",
        enableorderby="0",
        forceraster="0",
        symbollevels="0",
    )
    categories = ET.SubElement(renderer, "categories")
    symbols = ET.SubElement(renderer, "symbols")
    for number, (value, name, colour) in enumerate(entries):
        ET.SubElement(
            categories, "category", type="long", value=str(value), symbol=str(number), label=name, render="true"
        )
        symbol = ET.SubElement(symbols, "symbol", type="fill", name=str(number), alpha="1", clip_to_extent="1")
        _plain_fill(symbol, colour)


def _plain_fill(symbol: ET.Element, colour: str) -> None:
    """A fill whose outline has its own colour and is a hair wide: a dark one would hide small polygons, and with
    none the map's background shines through between neighbours. QGIS from 3.24 reads `Option`, older ones `prop`.
    """
    layer = ET.SubElement(symbol, "layer", {"class": "SimpleFill", "enabled": "1", "locked": "0", "pass": "0"})
    options = ET.SubElement(layer, "Option", type="Map")
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    rgba = f"{red},{green},{blue},255"
    fill = {"color": rgba, "style": "solid", "joinstyle": "miter"}
    outline = {"outline_color": rgba, "outline_style": "solid", "outline_width": "0.05", "outline_width_unit": "MM"}
    for key, text in (fill | outline).items():
        ET.SubElement(options, "Option", type="QString", name=key, value=text)
        ET.SubElement(layer, "prop", k=key, v=text)


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
