"""A layer in another format."""

from __future__ import annotations

import math
from pathlib import Path

from pyproj import CRS

from geoseg.errors import ConfigError
from geoseg.io.delivery import FORMATS, GEOMETRY
from geoseg.io.layers import geojson, geopackage, geoparquet
from geoseg.io.small_file import check_regular, read_small

_EARTH_RADIUS = 6.371e6  # metres
_STYLE_BYTES = 1_000_000
_BEND = 0.05  # metres that an edge which is straight on the map may be off in degrees


def translate(layer: Path, target: Path) -> None:
    """Writes a layer that geoseg made in the format that the ending of `target` names.

    A GeoPackage gets the style that lies beside the layer, `NAME.qml`.

    Args:
        layer: GeoParquet.
        target: `NAME.geojson`, `NAME.geojsonl` (one feature a line) or `NAME.gpkg`.

    Raises:
        ConfigError: another ending, or no such layer.
        MachineError: the file cannot be written.
    """
    end = target.suffix.removeprefix(".")
    if end not in FORMATS:
        raise ConfigError(f"{target} must end in one of {', '.join(f'.{name}' for name in FORMATS)}")
    if layer.stem not in GEOMETRY or layer.suffix != ".parquet":
        raise ConfigError(
            f"{layer} is no layer; name one that geoseg made: {', '.join(f'{n}.parquet' for n in GEOMETRY)}"
        )
    check_regular(layer, ConfigError)
    if end == "gpkg":
        style = layer.with_suffix(".qml")
        text = read_small(style, _STYLE_BYTES, ConfigError).decode() if style.is_file() else None
        geopackage.write(geoparquet.frames_of(layer), target, GEOMETRY[layer.stem], text)
        return
    crs = next(geoparquet.frames_of(layer, [])).crs
    geojson.write(geoparquet.frames_of(layer), target, longest_straight(crs), lines=end == "geojsonl")


def longest_straight(crs: CRS) -> float | None:
    """Longest edge whose middle moves by less than 5 cm when it is straight in degrees, units of the CRS.

    On a sphere an edge of length s bows by s^2 / 8R times the tangent of the latitude, taken as 4 (76 degrees). None
    where the CRS is in degrees itself.
    """
    if crs.is_geographic:
        return None
    return math.sqrt(8 * _EARTH_RADIUS * _BEND / 4) / float(crs.axis_info[0].unit_conversion_factor)
