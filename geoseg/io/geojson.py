"""Polygons of a GeoJSON file, read with a JSON parser: no other format can pass for one.

Source: RFC 7946. Coordinates are longitude and latitude in degrees; a third one, the height, is dropped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon

from geoseg.errors import ConfigError, DataError
from geoseg.io.small_file import read_small
from geoseg.io.sniff import identify, shorten

MAX_BYTES = 20_000_000
MAX_VERTICES = 1_000_000

_WGS84 = re.compile(r"(?i)(urn:ogc:def:crs:)?(ogc:[\d.]*:?crs84|epsg:[\d.]*:?4326|wgs ?84|crs84)")
_ADVICE = "draw the area as polygons"

Part = tuple[str, Polygon | MultiPolygon]  # where it stands in the file, for messages, and what is there


def read_geojson(path: Path) -> list[Part]:
    """Each feature's polygons, not yet checked for validity.

    Raises:
        ConfigError: no such file, or it is larger than 20 MB.
        DataError: not GeoJSON, not in longitude and latitude, no polygons, or a coordinate that is no number;
            the message names line and column, or the feature.
    """
    root = _parse(path, read_small(path, MAX_BYTES, ConfigError))
    parts = []
    for where, geometry in _geometries(path, root):
        polygons = list(_polygons(geometry, where))
        parts.append((where, polygons[0] if len(polygons) == 1 else MultiPolygon(polygons)))
    return parts


def _parse(path: Path, content: bytes) -> Any:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise DataError(f"{path}:{line}:1  is not UTF-8 text, so it is no GeoJSON; {_what(content)}") from problem
    if text.count("[") > MAX_VERTICES * 1.1:
        raise DataError(f"{path} has more than {MAX_VERTICES} vertices; simplify the area")
    try:
        return json.loads(text)
    except json.JSONDecodeError as problem:
        raise DataError(
            f"{path}:{problem.lineno}:{problem.colno}  not JSON: {problem.msg}; {_what(content)}"
        ) from problem
    except ValueError as problem:  # a number of more digits than Python takes
        raise DataError(f"{path}: a number with thousands of digits; save the file again") from problem
    except RecursionError as problem:
        raise DataError(f"{path} is nested too deep to be GeoJSON; save the file again") from problem


def _what(content: bytes) -> str:
    if content.lstrip()[:1] in (b"{", b"["):
        return "save the file again, or correct it there"
    return f"the file is {identify(content[:1024])[0]}; save the area as GeoJSON or GeoPackage"


def _geometries(path: Path, root: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(root, dict):
        raise DataError(f"{path} is JSON, but no GeoJSON object; save the area as GeoJSON")
    _check_crs(path, root)
    if root.get("type") == "Feature":
        yield f"{path}: the feature", root.get("geometry")
    elif root.get("type") == "FeatureCollection":
        features = root.get("features")
        if not isinstance(features, list) or not features:
            raise DataError(f"{path} has no features; {_ADVICE}")
        for number, feature in enumerate(features, start=1):
            where = f"{path}: feature {number}"
            if not isinstance(feature, dict) or feature.get("type") != "Feature":
                raise DataError(f"{where} is not a GeoJSON Feature; save the file again")
            _check_crs(path, feature)
            yield where, feature.get("geometry")
    else:
        yield f"{path}: the geometry", root


def _check_crs(path: Path, member: dict[str, Any]) -> None:
    """GeoJSON has one CRS; files that name another one are of before 2016."""
    crs = member.get("crs")
    if crs is None:
        return
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if not isinstance(name, str) or not _WGS84.fullmatch(name.replace("::", ":")):
        raise DataError(
            f"{path} says that its coordinates are in {shorten(str(name or crs), 80)}; GeoJSON is longitude and "
            "latitude (RFC 7946): save it in EPSG:4326, or as GeoPackage, which may have any CRS"
        )


def _polygons(geometry: Any, where: str, *, nested: bool = False) -> Iterator[Polygon]:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if geometry is None or not isinstance(kind, str):
        raise DataError(f"{where} has no geometry; {_ADVICE}, or remove it")
    if kind == "GeometryCollection" and not nested:
        for member in _list(geometry.get("geometries"), where, "geometries"):
            yield from _polygons(member, where, nested=True)
    elif kind == "MultiPolygon":
        for rings in _list(geometry.get("coordinates"), where, "coordinates"):
            yield _polygon(rings, where)
    elif kind == "Polygon":
        yield _polygon(geometry.get("coordinates"), where)
    else:
        raise DataError(f"{where} is a {shorten(kind, 40)}, which has no area to map; {_ADVICE}")


def _polygon(rings: Any, where: str) -> Polygon:
    shell, *holes = [_ring(ring, where) for ring in _list(rings, where, "a polygon's rings")]
    return Polygon(shell, holes)


def _ring(ring: Any, where: str) -> NDArray[np.float64]:
    """(n, 2) longitude and latitude of a ring with an area."""
    positions = _list(ring, where, "a ring")
    for number, position in enumerate(positions, start=1):
        if not (isinstance(position, list) and len(position) >= 2 and all(_is_number(v) for v in position[:2])):
            _refuse(where, number, position, "is not [longitude, latitude]; save the file again")
    try:
        points = np.array([p[:2] for p in positions], dtype=np.float64)
    except OverflowError as problem:
        raise DataError(f"{where} has a coordinate of hundreds of digits; save the file again") from problem
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(bad):
        _refuse(where, bad[0] + 1, positions[bad[0]], "is not a finite number; save the file again")
    if len(np.unique(points, axis=0)) < 3:
        raise DataError(f"{where} has a ring of fewer than 3 different positions; {_ADVICE}")
    return points


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refuse(where: str, number: int, position: Any, words: str) -> NoReturn:
    raise DataError(f"{where}, position {number}: {shorten(str(position), 60)} {words}")


def _list(value: Any, where: str, what: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise DataError(f"{where}: {what} must be a list that is not empty; {_ADVICE}")
    return value
