"""Polygons of a GeoPackage, read with SQLite alone, read-only: the file cannot make it open another one.

Source: OGC 12-128r19, GeoPackage 1.4, clauses 1.1 (file), 2.1.3 (geometry blob).
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import shapely
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from geoseg.errors import ConfigError, DataError
from geoseg.io.geojson import MAX_BYTES, MAX_VERTICES, Part
from geoseg.io.small_file import read_small

MAX_STEPS = 200  # millions, of SQLite's machine (some seconds): a view that computes for ever ends here
_SQLITE = b"SQLite format 3\0"
_APPLICATIONS = (b"GPKG", b"GP10", b"GP11")
_ENVELOPE = (0, 32, 48, 48, 64)  # bytes, by its code
_AGAIN = "save the area again as GeoPackage or GeoJSON"


def is_geopackage(head: bytes) -> bool:
    """Whether a file with these first 100 bytes is a GeoPackage: an SQLite file that says so, whatever its name."""
    return head.startswith(_SQLITE) and head[68:72] in _APPLICATIONS


def read_geopackage(path: Path) -> tuple[list[Part], str]:
    """The polygons of its one layer, not yet checked for validity, and their CRS.

    Raises:
        ConfigError: no such file, or it is larger than 20 MB.
        DataError: damaged, not one layer of polygons, or without a CRS.
    """
    read_small(path, MAX_BYTES, ConfigError)
    address = f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
            _restrict(database)
            table, column, srs = _layer(path, database)
            return list(_parts(path, database, table, column)), _crs(path, database, srs)
    except (sqlite3.Error, UnicodeDecodeError) as problem:  # messages of SQLite may quote damaged text
        raise DataError(f"{path} cannot be read as a GeoPackage ({problem}); {_AGAIN}") from problem


def _restrict(database: sqlite3.Connection) -> None:
    database.execute("PRAGMA trusted_schema = OFF")
    database.execute("PRAGMA query_only = ON")
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_BYTES)
    budget = iter(range(MAX_STEPS))
    database.set_progress_handler(lambda: next(budget, None) is None, 1_000_000)
    database.text_factory = lambda raw: raw.decode("utf-8", errors="replace")


def _layer(path: Path, database: sqlite3.Connection) -> tuple[str, str, int]:
    rows = database.execute("SELECT table_name, column_name, srs_id FROM gpkg_geometry_columns LIMIT 100").fetchall()
    if len(rows) != 1:
        names = ", ".join(sorted(str(row[0]) for row in rows)) or "none"
        raise DataError(f"{path} must have one layer of polygons; it has {names}. Save the one you mean to a file")
    table, column, srs = rows[0]
    return str(table), str(column), srs


def _crs(path: Path, database: sqlite3.Connection, srs: int) -> str:
    query = "SELECT organization, organization_coordsys_id, definition FROM gpkg_spatial_ref_sys WHERE srs_id = ?"
    row = database.execute(query, (srs,)).fetchone()
    if row is None or srs in (0, -1) or "undefined" in str(row[2]).lower():
        raise DataError(f"{path} does not say in which CRS it is; set the layer's CRS and save it again")
    return f"EPSG:{row[1]}" if str(row[0]).upper() == "EPSG" else str(row[2])


def _parts(path: Path, database: sqlite3.Connection, table: str, column: str) -> Iterator[Part]:
    quoted = [name.replace('"', '""') for name in (column, table)]
    vertices = 0
    found = False
    for number, (blob,) in enumerate(database.execute(f'SELECT "{quoted[0]}" FROM "{quoted[1]}"'), start=1):  # noqa: S608
        where = f"{path}: feature {number}"
        geometry = _geometry(blob, where)
        vertices += int(shapely.get_num_coordinates(geometry))
        if vertices > MAX_VERTICES:
            raise DataError(f"{path} has more than {MAX_VERTICES} vertices; simplify the area")
        yield where, _polygonal(geometry, where)
        found = True
    if not found:
        raise DataError(f"{path} has no features; draw the area as polygons")


def _geometry(blob: Any, where: str) -> BaseGeometry:
    """The geometry in a GeoPackage blob: a header of stated length, then WKB."""
    if blob is None:
        raise DataError(f"{where} has no geometry; draw the area as polygons, or remove it")
    if not isinstance(blob, bytes) or len(blob) < 8 or blob[:2] != b"GP" or (blob[3] >> 1 & 7) > 4:
        raise DataError(f"{where} is not a GeoPackage geometry; {_AGAIN}")
    try:
        return shapely.force_2d(shapely.from_wkb(blob[8 + _ENVELOPE[blob[3] >> 1 & 7] :]))
    except shapely.errors.GEOSException as problem:
        raise DataError(f"{where} is damaged or has curves ({problem}); {_AGAIN}, with straight edges") from problem


def _polygonal(geometry: BaseGeometry, where: str) -> Polygon | MultiPolygon:
    if geometry.geom_type == "GeometryCollection":
        members = shapely.get_parts(shapely.get_parts(geometry))
        if len(members) and all(isinstance(m, Polygon) for m in members):
            return MultiPolygon(list(members))
    if not isinstance(geometry, Polygon | MultiPolygon):
        raise DataError(f"{where} is a {geometry.geom_type}, which has no area to map; draw the area as polygons")
    if geometry.is_empty:
        raise DataError(f"{where} has an empty geometry; draw the area as polygons, or remove it")
    return geometry
