"""Vector layers to files: GeoParquet for analysis, GeoJSON for exchange, GeoPackage for QGIS.

Drivers have been seen to lose features on a full disk without a word (FAULTS, M2), so every file is read back and
compared with what was meant before it takes its name: count, bounds, and a hash of geometries and attributes. The
same layer gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import geopandas

from geoseg.io.commit import write_text
from geoseg.io.layers import geojson, geopackage, geoparquet
from geoseg.io.layers.batches import Batches

_COUNT = {
    "parquet": geoparquet.count_of,
    "geojson": geojson.count_of,
    "geojsonl": geojson.count_of,
    "gpkg": geopackage.count_of,
}
FORMATS = tuple(_COUNT)


def write_layer(
    batches: Callable[[], Batches],
    stem: Path,
    formats: Sequence[str],
    style: str | None,
    max_segment: float | None,
    geometry_type: str = "Polygon",
) -> dict[str, int]:
    """Write a layer in every format, as `stem.parquet`, `stem.geojson` and so on, and its style as `stem.qml`.

    The layer is never held whole: memory is bounded by a piece of it (`geoseg.io.layers.batches`).

    Args:
        batches: called once for each format, gives the layer as frames of one schema in one CRS, one after another;
            at least one, which may be empty. Attributes are whole numbers, numbers, texts or truth values.
        stem: folder and name of the layer, without an ending.
        formats: of `parquet`, `geojson`, `geojsonl` (one feature a line) and `gpkg`.
        style: QML; it is inside the GeoPackage, too.
        max_segment: GeoJSON: edges longer than this get more corners first, CRS units; None where a straight edge
            stays straight in degrees.
        geometry_type: of all features: `Polygon`, `MultiPolygon`, `LineString`, `MultiLineString` or `Point`.

    Returns:
        Bytes by file name.

    Raises:
        MachineError: the disk is full or the folder cannot be written to. What has its name by then is complete.
    """
    written = []
    for name in formats:
        path = stem.with_name(f"{stem.name}.{name}")
        if name == "parquet":
            geoparquet.write(batches(), path)
        elif name == "gpkg":
            geopackage.write(batches(), path, geometry_type, style)
        else:
            geojson.write(batches(), path, max_segment, lines=name == "geojsonl")
        written.append(path)
    if style is not None:
        written.append(stem.with_name(f"{stem.name}.qml"))
        write_text(written[-1], style)
    return {path.name: path.stat().st_size for path in written}


def count_features(path: Path) -> int:
    """Features of a file that `write_layer` wrote, without reading it whole where its format allows."""
    return _COUNT[path.suffix.removeprefix(".")](path)


def write_geoparquet(frame: geopandas.GeoDataFrame, path: Path) -> None:
    """A layer that is in memory as GeoParquet 1.1: see `geoseg.io.layers.geoparquet`. Raises `MachineError`."""
    geoparquet.write([frame], path)


def write_geojson(frame: geopandas.GeoDataFrame, path: Path, max_segment: float | None = None) -> None:
    """A layer that is in memory as GeoJSON: see `geoseg.io.layers.geojson`. Raises `MachineError`."""
    geojson.write([frame], path, max_segment, lines=False)
