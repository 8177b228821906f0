"""GeoJSON (RFC 7946), whole or one feature a line, written and read back as text: GDAL takes several times as long."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from geoseg.io.commit import commit
from geoseg.io.layers.batches import GEOMETRY, Batches, attribute_schema, opened, pieces, to_wkb
from geoseg.io.layers.degrees import in_degrees
from geoseg.io.layers.digest import Digest, damaged, require_same
from geoseg.io.layers.geojson_back import features

_END = "]\n}\n"
_FEATURE = '{"type":"Feature"'


def write(batches: Batches, path: Path, max_segment: float | None, lines: bool) -> None:
    """The layer in longitude and latitude; see `in_degrees`. Polygons around a pole have no right form there.

    Args:
        batches: the layer, in any CRS.
        path: the file.
        max_segment: edges longer than this get more corners first, CRS units: what is straight in a projection is
            not in degrees, and an edge of 1.6 km may be off by several centimetres, one of 50 km by 50 m.
        lines: one feature a line and nothing else, for readers that stream (GeoJSON text sequences without RS).

    Raises:
        MachineError: the disk is full or the folder cannot be written to; nothing new is there then.
    """
    first, frames = opened(batches)
    schema = attribute_schema(first)
    with commit(path) as part:
        with part.open("wb") as file:
            meant = _write(frames, schema, max_segment, None if lines else path.stem, file)
        try:
            with part.open("rb") as file:
                back = _read_back(file, schema, lines)
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(path, part, f"it cannot be read back, {error}") from error
        require_same(back, meant, path, part)


def count_of(path: Path) -> int:
    """Features of a file that `write` wrote."""
    begin = _FEATURE.encode()
    with path.open("rb") as file:
        return sum(line.startswith(begin) for line in file)


def _write(frames: Batches, schema: pa.Schema, max_segment: float | None, name: str | None, file: BinaryIO) -> Digest:
    """Writes the features, as a collection where it has a name; what is in the file."""
    meant = Digest(schema)
    between = "\n" if name is None else ",\n"
    if name is not None:
        file.write(f'{{\n"type":"FeatureCollection",\n"name":{_quoted(name)},\n"features":[\n'.encode())
    for frame in pieces(frames):
        shapes = in_degrees(frame, max_segment)
        table = pa.Table.from_pandas(pandas.DataFrame(frame.drop(columns=frame.geometry.name)), schema, False)
        texts = _lines(table, shapes)
        file.write(((between if meant.count else "") + between.join(texts)).encode())
        _add(meant, table, shapes)
    end = "" if name is None else _END
    file.write((("\n" if meant.count else "") + end).encode())
    return meant


def _add(digest: Digest, table: pa.Table, shapes: NDArray[np.object_]) -> None:
    column = pa.array(to_wkb(shapes), pa.binary())
    digest.add(table.append_column(GEOMETRY, column), shapely.bounds(shapes))


def _lines(table: pa.Table, shapes: NDArray[np.object_]) -> Iterator[str]:
    """The text of each feature, on one line."""
    columns = [_values(table.column(name)) for name in table.column_names]
    keys = ",".join(f"{_quoted(name)}:%s" for name in (key.replace("%", "%%") for key in table.column_names))
    properties = (keys % values for values in zip(*columns, strict=True)) if columns else [""] * len(table)
    geometries = (text or "null" for text in shapely.to_geojson(shapes))
    for inside, geometry in zip(properties, geometries, strict=True):
        yield f'{_FEATURE},"properties":{{{inside}}},"geometry":{geometry}}}'


def _values(column: pa.ChunkedArray) -> list[str]:
    """JSON of each value; null for NaN, which JSON does not know."""
    kind = column.type
    if pa.types.is_floating(kind):
        return ["null" if text in ("nan", "None") else text for text in map(repr, column.to_pylist())]
    if pa.types.is_integer(kind):
        return ["null" if value is None else str(value) for value in column.to_pylist()]
    if pa.types.is_boolean(kind):
        return [{True: "true", False: "false", None: "null"}[value] for value in column.to_pylist()]
    known: dict[str | None, str] = {None: "null"}
    return [known.get(text) or known.setdefault(text, _quoted(text)) for text in column.to_pylist()]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _read_back(file: BinaryIO, schema: pa.Schema, lines: bool) -> Digest:
    """What the file holds. Raises `ValueError` where it is torn."""
    back = Digest(schema)
    for properties, shapes in features(file, lines):
        columns = [pa.array([own[field.name] for own in properties], field.type) for field in schema]
        _add(back, pa.table(columns, schema=schema), shapes)
    return back
