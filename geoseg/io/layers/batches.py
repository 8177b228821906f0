"""A layer in pieces: frames of one schema, one after another, so that no layer has to be held whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import geopandas
import numpy as np
import pandas
import pyarrow as pa
import shapely
from numpy.typing import NDArray

Batches = Iterable[geopandas.GeoDataFrame]

GEOMETRY = "geometry"  # its column in tables
MAX_ROWS = 50_000
MAX_CORNERS = 2_000_000


def opened(batches: Batches) -> tuple[geopandas.GeoDataFrame, Iterator[geopandas.GeoDataFrame]]:
    """The first frame, without its rows, and all frames. A layer without features is one frame without rows."""
    frames = iter(batches)
    first = next(frames)
    return first[:0], chain([first], frames)


def pieces(frames: Batches) -> Iterator[geopandas.GeoDataFrame]:
    """The same features in the same order, at most `MAX_ROWS` and about `MAX_CORNERS` at a time.

    Where a piece ends depends on the features alone, not on how they came.
    """
    waiting: list[geopandas.GeoDataFrame] = []
    rows = corners = 0
    for frame in frames:
        if not len(frame):
            continue
        waiting.append(frame)
        rows += len(frame)
        corners += int(shapely.get_num_coordinates(frame.geometry.to_numpy()).sum())
        if rows >= MAX_ROWS or corners >= MAX_CORNERS:
            full, rest = _cut(_joined(waiting))
            yield from full
            waiting = [rest] if len(rest) else []
            rows, corners = len(rest), int(shapely.get_num_coordinates(rest.geometry.to_numpy()).sum())
    if waiting:
        yield _joined(waiting)


def _joined(frames: list[geopandas.GeoDataFrame]) -> geopandas.GeoDataFrame:
    return frames[0] if len(frames) == 1 else pandas.concat(frames, ignore_index=True)


def _cut(frame: geopandas.GeoDataFrame) -> tuple[list[geopandas.GeoDataFrame], geopandas.GeoDataFrame]:
    """Pieces that are full, and what is left."""
    ends = np.concatenate([[0], np.cumsum(shapely.get_num_coordinates(frame.geometry.to_numpy()))])
    full: list[geopandas.GeoDataFrame] = []
    begin = 0
    while True:
        end = int(np.searchsorted(ends, ends[begin] + MAX_CORNERS))  # the feature that reaches the limit belongs to it
        end = min(end, begin + MAX_ROWS)
        if end >= len(ends):
            return full, frame[begin:]
        full.append(frame[begin:end])
        begin = end


def attribute_schema(frame: geopandas.GeoDataFrame) -> pa.Schema:
    """Arrow types of the attributes, from the types of the columns: an empty frame has the same as a full one."""
    schema = pa.Schema.from_pandas(attributes(frame[:0]), preserve_index=False)
    for number, field in enumerate(schema):
        if pa.types.is_null(field.type):  # a column of objects, which are texts
            schema = schema.set(number, pa.field(field.name, pa.string()))
    return schema


def attributes(frame: geopandas.GeoDataFrame) -> pandas.DataFrame:
    """All columns but the geometry."""
    return pandas.DataFrame(frame.drop(columns=frame.geometry.name))


def to_table(frame: geopandas.GeoDataFrame, schema: pa.Schema) -> pa.Table:
    """Attributes, and the geometries as ISO WKB in the column `geometry`."""
    table = pa.Table.from_pandas(attributes(frame), schema=schema, preserve_index=False)
    return table.append_column(GEOMETRY, pa.array(to_wkb(frame.geometry.to_numpy()), pa.binary())).combine_chunks()


def to_wkb(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    """Little-endian ISO WKB, None for None."""
    wkb: NDArray[np.object_] = shapely.to_wkb(geometries, byte_order=1, flavor="iso")
    return wkb
