"""GeoParquet 1.1: zstd, a bounding box for each feature, row groups written as they come.

Source: GeoParquet specification 1.1.0, with its `covering`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geoseg import __version__
from geoseg.io.commit import commit
from geoseg.io.layers.batches import GEOMETRY, Batches, attribute_schema, opened, pieces, to_table
from geoseg.io.layers.digest import Digest, damaged, require_same

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_BOX = pa.struct([(name, pa.float64()) for name in _CORNERS])
_NAMES = ("Point", "LineString", "LinearRing", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon")


def write(batches: Batches, path: Path) -> None:
    """The layer, exactly, in the CRS of its frames.

    Row groups hold at most `MAX_ROWS` features in the order given: give neighbours one after another, for a reader
    with a bounding box skips groups.

    Raises:
        MachineError: the disk is full or the folder cannot be written to; nothing new is there then.
    """
    first, frames = opened(batches)
    schema = attribute_schema(first)
    with commit(path) as part:
        meant, metadata = _write(frames, first.crs, schema, part)
        try:
            back, found = _read_back(part, schema)
        except (OSError, ValueError, KeyError) as error:  # pyarrow's errors are ValueErrors
            raise damaged(path, part, f"it cannot be read back, {error}") from error
        require_same(back, meant, path, part)
        if found != metadata:
            raise damaged(path, part, "its geo metadata changed")


def frames_of(path: Path, columns: list[str] | None = None) -> Iterator[geopandas.GeoDataFrame]:
    """A layer that `write` wrote, by row groups; at least one frame, which may be empty.

    Args:
        path: the file.
        columns: attributes that are wanted, all by default; the geometry always is.
    """
    with pq.ParquetFile(path) as file:
        metadata = json.loads(file.metadata.metadata[b"geo"])
        crs = CRS.from_json_dict(metadata["columns"][GEOMETRY]["crs"])
        names = [name for name in file.schema_arrow.names if name not in (GEOMETRY, "bbox")]
        wanted = [*(names if columns is None else columns), GEOMETRY]
        groups = range(file.num_row_groups)
        tables = (file.read_row_group(group, wanted) for group in groups) if groups else [_empty(file, wanted)]
        for table in tables:
            shapes = shapely.from_wkb(table.column(GEOMETRY).to_numpy())
            frame = table.drop_columns([GEOMETRY]).to_pandas()
            yield geopandas.GeoDataFrame(frame, geometry=shapes, crs=crs)


class Groups:
    """The row groups of a file that `write` wrote: where each is, without its geometries, and its geometries.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(path)
        self.count = int(self._file.metadata.num_rows)

    def __len__(self) -> int:
        return int(self._file.num_row_groups)

    def shapes(self, group: int) -> NDArray[np.object_]:
        """(n,) geometries."""
        column = self._file.read_row_group(group, [GEOMETRY]).column(GEOMETRY)
        return np.asarray(shapely.from_wkb(column.to_numpy()))

    def bounds(self, group: int) -> NDArray[np.float64]:
        """(4,) left, bottom, right, top; NaN where nothing has a place."""
        boxes = _sides(self._file.read_row_group(group, ["bbox"]))
        return np.concatenate([np.fmin.reduce(boxes[:, :2]), np.fmax.reduce(boxes[:, 2:])])


def count_of(path: Path) -> int:
    """Features of a file."""
    return int(pq.read_metadata(path).num_rows)


def _write(frames: Batches, crs: CRS, schema: pa.Schema, part: Path) -> tuple[Digest, dict[str, Any]]:
    """Writes the file; what is in it, and the metadata that says so."""
    meant, kinds = Digest(schema), set[str]()
    full = schema.append(pa.field(GEOMETRY, pa.binary())).append(pa.field("bbox", _BOX))
    with pq.ParquetWriter(part, full, compression="zstd") as writer:
        for frame in pieces(frames):
            shapes = frame.geometry.to_numpy()
            table, bounds = to_table(frame, schema), shapely.bounds(shapes)
            meant.add(table, bounds)
            kinds |= _kinds(shapes)
            writer.write_table(table.append_column("bbox", _boxes(bounds)).cast(full), row_group_size=len(table))
        metadata = _metadata(crs, sorted(kinds), meant.bounds)
        writer.add_key_value_metadata({"geo": json.dumps(metadata)})
    return meant, metadata


def _read_back(part: Path, schema: pa.Schema) -> tuple[Digest, dict[str, Any]]:
    """What is in the file; bounds are those of its boxes."""
    back = Digest(schema)
    with pq.ParquetFile(part) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            back.add(table, _sides(table))
        return back, json.loads(file.metadata.metadata[b"geo"])


def _sides(table: pa.Table) -> NDArray[np.float64]:
    """(n, 4) bounds of features; NaN where there are none."""
    boxes = table.column("bbox").combine_chunks().flatten()
    return np.column_stack([side.to_numpy(zero_copy_only=False) for side in boxes])


def _kinds(shapes: NDArray[np.object_]) -> set[str]:
    """Names of the types of geometry."""
    types = np.unique(shapely.get_type_id(shapes))
    return {_NAMES[number] for number in types.tolist() if number >= 0}


def _boxes(bounds: NDArray[np.float64]) -> pa.StructArray:
    """(n, 4) bounds as a column; null where there are none."""
    sides = [pa.array(side, from_pandas=True) for side in bounds.T]
    return pa.StructArray.from_arrays(sides, _CORNERS, mask=pa.array(np.isnan(bounds[:, 0])))


def _metadata(crs: CRS, kinds: list[str], bounds: NDArray[np.float64]) -> dict[str, Any]:
    column: dict[str, Any] = {
        "encoding": "WKB",
        "crs": crs.to_json_dict(),
        "geometry_types": kinds,
        "covering": {"bbox": {name: ["bbox", name] for name in _CORNERS}},
    }
    if np.isfinite(bounds).all():
        column["bbox"] = bounds.tolist()
    return {
        "version": "1.1.0",
        "primary_column": GEOMETRY,
        "columns": {GEOMETRY: column},
        "creator": {"library": "geoseg", "version": __version__},
    }


def _empty(file: pq.ParquetFile, names: list[str]) -> pa.Table:
    schema = file.schema_arrow
    return pa.schema([schema.field(name) for name in names], metadata=schema.metadata).empty_table()
