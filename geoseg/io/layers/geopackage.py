"""GeoPackage with its QGIS style inside, written by GDAL in one stream and read back; the same layer, the same bytes.

Source: OGC 12-128r19 (GeoPackage 1.4); the table `layer_styles` is QGIS's own convention.
"""

from __future__ import annotations

import sqlite3
import threading
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyogrio
import pyogrio.errors
import shapely
from pyproj import CRS

from geoseg.io.commit import commit
from geoseg.io.layers.batches import GEOMETRY, Batches, attribute_schema, opened, pieces, to_table
from geoseg.io.layers.digest import Digest, damaged, require_same

_DATE = "2000-01-01T00:00:00.000Z"  # of the last change, so that the same layer gives the same bytes
_SETTINGS = {"OGR_CURRENT_DATE": _DATE, "OGR_SQLITE_SYNCHRONOUS": "OFF"}  # `commit` flushes the file itself
_GDAL_ERRORS = (
    pyogrio.errors.DataSourceError,
    pyogrio.errors.DataLayerError,
    pyogrio.errors.FieldError,
    pyogrio.errors.FeatureError,
    pyogrio.errors.GeometryError,
)
_AT_ONCE = 4096  # features that are read back
_FID = ("fid", "ogc_fid", "feature_id")
_COLUMN = ("geom", "the_geom", "geom_")
_STYLES = """
CREATE TABLE layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), f_table_schema TEXT(256),
  f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
  useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30), update_time DATETIME
)"""
_settings_lock = threading.Lock()


def write(batches: Batches, path: Path, geometry_type: str, style: str | None) -> None:
    """The layer, exactly, in the CRS of its frames, in a table named as the file; with a spatial index.

    Args:
        batches: the layer.
        path: the file.
        geometry_type: `Polygon`, `MultiPolygon`, `LineString`, `MultiLineString` or `Point`, of every feature.
        style: QML that QGIS opens the layer with.

    Raises:
        MachineError: the disk is full or the folder cannot be written to; nothing new is there then.
    """
    first, frames = opened(batches)
    schema = attribute_schema(first)
    meant = Digest(schema)
    tables = _Tables(frames, schema, meant)
    with commit(path) as part:
        try:
            _write(tables, part, path.stem, first.crs, schema.names, geometry_type)
            with closing(sqlite3.connect(part)) as database:
                _add_style(database, path.stem, style)
                fault = _fault(database, path.stem, meant)
            back = _read_back(part, path.stem, schema)
        except (*_GDAL_ERRORS, sqlite3.Error, UnicodeDecodeError) as error:
            raise damaged(path, part, f"it cannot be written or read back, {error}") from error
        if fault is not None:
            raise damaged(path, part, fault)
        require_same(back, meant, path, part)


def count_of(path: Path) -> int:
    """Features of a file that `write` wrote."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        return int(database.execute(f"SELECT count(*) FROM {_name(path.stem)}").fetchone()[0])  # noqa: S608


class _Tables:
    """The layer as record batches for GDAL, which only says that a stream failed; `error` keeps why."""

    def __init__(self, frames: Batches, schema: pa.Schema, meant: Digest) -> None:
        self.error: BaseException | None = None
        self._frames, self._schema, self._meant = frames, schema, meant

    def reader(self) -> pa.RecordBatchReader:
        full = self._schema.append(pa.field(GEOMETRY, pa.binary())).remove_metadata()
        return pa.RecordBatchReader.from_batches(full, self._batches(full))

    def _batches(self, full: pa.Schema) -> Iterator[pa.RecordBatch]:
        try:
            for frame in pieces(self._frames):
                table = to_table(frame, self._schema)
                self._meant.add(table, shapely.bounds(frame.geometry.to_numpy()))
                yield from table.cast(full).to_batches()
        except BaseException as error:
            self.error = error
            raise


def _write(tables: _Tables, part: Path, layer: str, crs: CRS, names: list[str], geometry_type: str) -> None:
    taken = {name.lower() for name in names}
    options = {
        "FID": next(name for name in _FID if name not in taken),
        "GEOMETRY_NAME": next(name for name in _COLUMN if name not in taken),
        "SPATIAL_INDEX": "YES",
    }
    part.unlink()  # GDAL makes its own
    try:
        with _gdal_settings():
            pyogrio.write_arrow(
                tables.reader(),
                part,
                layer=layer,
                driver="GPKG",
                geometry_name=GEOMETRY,
                geometry_type=geometry_type,
                crs=crs.to_wkt(),
                layer_options=options,
            )
    except (*_GDAL_ERRORS, RuntimeError, OSError) as error:
        if tables.error is not None:
            raise tables.error from error
        raise


@contextmanager
def _gdal_settings() -> Iterator[None]:
    """GDAL's settings are global, so one layer is written at a time. It warns of the temporary file's name."""
    with _settings_lock, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*extension.*", category=RuntimeWarning)
        before = {name: pyogrio.get_gdal_config_option(name) for name in _SETTINGS}
        pyogrio.set_gdal_config_options(_SETTINGS)
        try:
            yield
        finally:
            pyogrio.set_gdal_config_options(before)


def _add_style(database: sqlite3.Connection, layer: str, style: str | None) -> None:
    """Adds the style, registered as GDAL and QGIS do."""
    if style is None:
        return
    column = database.execute("SELECT column_name FROM gpkg_geometry_columns").fetchone()[0]
    with database:
        database.execute(_STYLES)
        database.execute(
            "INSERT INTO layer_styles VALUES (1, '', '', ?, ?, ?, ?, '', 1, '', '', NULL, ?)",
            (layer, column, layer, style, _DATE),
        )
        database.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change) "
            "VALUES ('layer_styles', 'attributes', 'layer_styles', '', ?)",
            (_DATE,),
        )


def _fault(database: sqlite3.Connection, layer: str, meant: Digest) -> str | None:
    """What is wrong with the file beyond its features, or None: pages, spatial index, extent."""
    found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        return f"SQLite finds {found}"
    column, *extent = database.execute(
        "SELECT column_name, min_x, min_y, max_x, max_y "
        "FROM gpkg_contents JOIN gpkg_geometry_columns USING (table_name)"
    ).fetchone()
    index = _name(f"rtree_{layer}_{column}_rowid")
    indexed = database.execute(f"SELECT count(*) FROM {index}").fetchone()[0]  # noqa: S608
    if indexed != meant.placed:
        return f"{indexed} of {meant.placed} features are in its spatial index"
    if meant.placed and not np.allclose(extent, meant.bounds, rtol=1e-12, atol=0):  # it is kept to 15 digits
        return "its extent changed"
    return None


def _read_back(part: Path, layer: str, schema: pa.Schema) -> Digest:
    """What GDAL reads from the file."""
    back = Digest(schema)
    with (
        _gdal_settings(),
        pyogrio.open_arrow(part, layer=layer, use_pyarrow=True, batch_size=_AT_ONCE) as (about, reader),
    ):
        for batch in reader:
            table = pa.Table.from_batches([batch])
            wkb = table.column(about["geometry_name"]).cast(pa.binary())
            bounds = shapely.bounds(shapely.from_wkb(wkb.to_numpy()))
            back.add(table.append_column(GEOMETRY, wkb), bounds)
    return back


def _name(table: str) -> str:
    """A table's name in SQL."""
    return '"' + table.replace('"', '""') + '"'
