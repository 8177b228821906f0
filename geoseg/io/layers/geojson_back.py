"""Features that `geojson` wrote, read back: one a line, numbers by Arrow's parser, rings from where brackets stand.

A JSON parser makes a Python object of every number and a list of every corner, which takes several times as long.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv
import shapely
from numpy.typing import NDArray

_AT_ONCE = 8_000_000  # bytes
_GEOMETRY = b',"geometry":'
_NULL = b"null}"
_DEPTHS = {  # of brackets around a position
    shapely.GeometryType.POINT: 0,
    shapely.GeometryType.LINESTRING: 1,
    shapely.GeometryType.POLYGON: 2,
    shapely.GeometryType.MULTILINESTRING: 2,
    shapely.GeometryType.MULTIPOLYGON: 3,
}
_HEADS = {
    b'{"type":"%s","coordinates":' % name.encode(): shapely.GeometryType[name.upper()]
    for name in ("Point", "LineString", "Polygon", "MultiLineString", "MultiPolygon")
}
_OPEN, _CLOSE = b"[]"


def features(file: BinaryIO, lines: bool) -> Iterator[tuple[list[dict[str, Any]], NDArray[np.object_]]]:
    """Properties and geometries, some thousand features at a time.

    Args:
        file: at its beginning.
        lines: whether it is features alone, else a collection.

    Raises:
        ValueError: the file is torn, or not as `geojson` writes it.
    """
    rows = iter(file) if lines else _inside(iter(file))
    batch, size = [], 0
    for row in rows:
        batch.append(row)
        size += len(row)
        if size >= _AT_ONCE:
            yield _parsed(batch)
            batch, size = [], 0
    if batch:
        yield _parsed(batch)


def _inside(rows: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of a collection's features, each but the last ended by a comma."""
    head = b"".join(islice(rows, 4))
    previous = b",\n"
    for row in rows:
        if row == b"]\n":
            break
        if not previous.endswith(b",\n"):
            raise ValueError("a comma is missing between two features")
        previous = row
        yield row
    rest = b"".join(rows)
    if rest != b"}\n" or json.loads(head + b"]}")["type"] != "FeatureCollection":
        raise ValueError("its end is missing")


def _parsed(rows: list[bytes]) -> tuple[list[dict[str, Any]], NDArray[np.object_]]:
    parts = [row.rstrip(b",\n").rpartition(_GEOMETRY) for row in rows]
    features = json.loads(b"[" + b",".join(before + b"}" for before, _, _ in parts) + b"]")
    if any(feature["type"] != "Feature" for feature in features):
        raise ValueError("a line is not a feature")
    return [feature["properties"] for feature in features], _geometries([text for _, _, text in parts])


def _geometries(texts: list[bytes]) -> NDArray[np.object_]:
    """Geometries of GeoJSON objects, each with the closing brace of its feature."""
    shapes = np.full(len(texts), None, object)
    of_head: dict[bytes, list[int]] = {}
    for index, text in enumerate(texts):
        if text != _NULL:
            of_head.setdefault(text[: text.find(b"[")], []).append(index)
    for head, own in of_head.items():
        if head not in _HEADS:
            raise ValueError(f"a geometry begins with {head[:60]!r}")
        coordinates = [texts[index][len(head) :].removesuffix(b"}}") for index in own]
        shapes[own] = _of_kind(_HEADS[head], coordinates)
    return shapes


def _of_kind(kind: shapely.GeometryType, coordinates: list[bytes]) -> NDArray[np.object_]:
    """Geometries of one type from the text of their coordinates."""
    text = b",".join(coordinates)
    depths = _opening_depths(np.frombuffer(text, np.uint8))
    deepest = _DEPTHS[kind] + 1
    count = int(np.count_nonzero(depths == 1))
    corners = _numbers(text.translate(None, b"[]")).reshape(-1, 2)
    if count != len(coordinates) or int(np.count_nonzero(depths == deepest)) != len(corners):
        raise ValueError("brackets and numbers do not match")
    # children of one bracket: how many of the next depth stand before the next bracket of its depth
    offsets = [_offsets(depths, depth) for depth in range(deepest - 1, 0, -1)]
    return np.asarray(shapely.from_ragged_array(kind, corners, tuple(offsets) or None))


def _opening_depths(text: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How deep each opening bracket stands, from 1, in the order of the text."""
    places = np.flatnonzero((text == _OPEN) | (text == _CLOSE))
    opens = text[places] == _OPEN
    depths = np.cumsum(np.where(opens, 1, -1))
    if len(depths) and (depths[-1] != 0 or depths.min() < 0):
        raise ValueError("brackets are not closed")
    found: NDArray[np.int64] = depths[opens]
    return found


def _offsets(depths: NDArray[np.int64], depth: int) -> NDArray[np.int64]:
    """Where the children of each bracket of that depth begin among all of their depth; and the end."""
    children = np.cumsum(depths == depth + 1)
    return np.append(children[depths == depth], children[-1])


def _numbers(text: bytes) -> NDArray[np.float64]:
    """Numbers between commas. Raises `ValueError` for anything else."""
    if not text:
        return np.empty(0)
    table = pyarrow.csv.read_csv(
        io.BytesIO(text.replace(b",", b"\n")),
        read_options=pyarrow.csv.ReadOptions(column_names=["n"], use_threads=False),
        parse_options=pyarrow.csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
        convert_options=pyarrow.csv.ConvertOptions(column_types={"n": pa.float64()}, null_values=[]),
    )
    return np.asarray(table.column("n").to_numpy())
