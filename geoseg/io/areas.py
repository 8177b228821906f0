"""The area of interest, from wherever an AOI file says it is, checked before any imagery is read."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon

from geoseg.config import Area
from geoseg.errors import ConfigError, DataError
from geoseg.grid.area import (
    LONLAT,
    AreaGeometry,
    Footprint,
    continuous,
    coverage,
    crs_name,
    distance,
    ellipsoid_area,
    extent_text,
    is_geographic,
    move,
    parse_crs,
    polygonal,
)
from geoseg.io.geojson import MAX_BYTES, Part, read_geojson
from geoseg.io.geopackage import is_geopackage, read_geopackage
from geoseg.io.small_file import read_small

_AT = re.compile(r"(.*)\[(\S+) (\S+?)(?: \S+)?\]")
_FAULTS = {
    "Self-intersection": "crosses itself",
    "Ring Self-intersection": "touches or crosses itself",
    "Hole lies outside shell": "has a hole outside its outline",
    "Holes are nested": "has a hole inside a hole",
    "Nested shells": "has a part inside another part",
    "Interior is disconnected": "is cut apart by its holes",
    "Duplicate Rings": "has the same ring twice",
    "Too few points in geometry component": "has a part without width",
}


def read_area(area: Area, folder: Path, scenes: Sequence[Footprint]) -> AreaGeometry:
    """The area that section `area` names, valid, and touching at least one of `scenes`.

    Args:
        area: the section.
        folder: what its `file` is relative to.
        scenes: bounds (left, bottom, right, top) and CRS of each scene; empty skips what compares with them.

    Raises:
        ConfigError: no such file, or an unknown CRS.
        DataError: a file that is no area, an invalid outline that `fix` does not allow to repair, coordinates
            outside their range, or an area outside all scenes.
    """
    if area.scenes:
        return _covered(scenes)
    parts, crs = _read(area, folder)
    parts = [(where, _in_range(where, geometry, crs, scenes)) for where, geometry in parts]
    repaired = [_repaired(where, geometry, crs, fix=area.fix) for where, geometry in parts]
    whole = _union([geometry for geometry, _ in repaired], crs)
    if not whole.area:
        raise DataError(f"{parts[0][0]} has no area; draw a polygon")
    notes = [note for _, note in repaired if note]
    if is_geographic(crs) and not -180 <= whole.bounds[0] <= whole.bounds[2] <= 180:
        notes.append("the area crosses the antimeridian; its longitudes are counted past 180")
    found = AreaGeometry(whole, crs, "; ".join(notes) or None)
    if scenes and not coverage(found, scenes):
        raise DataError(_outside(found, scenes))
    return found


def _covered(scenes: Sequence[Footprint]) -> AreaGeometry:
    """Everything the scenes cover, in the CRS of the first."""
    if not scenes:
        raise ConfigError("area: scenes: true needs at least one scene; list them under dates:")
    crs = scenes[0][1]
    boxes = [move(shapely.box(*bounds), other, crs) for bounds, other in dict.fromkeys(scenes)]
    if any(box is None for box in boxes):
        raise DataError(
            f"not all scenes can be shown in {crs_name(crs)}, the CRS of the first; give area: file or bounds"
        )
    return AreaGeometry(polygonal(shapely.union_all(boxes)), crs)


def _read(area: Area, folder: Path) -> tuple[list[Part], str]:
    if area.bounds is not None and area.crs is not None:
        crs = parse_crs(area.crs, "area.crs")
        return [("area.bounds", shapely.box(*area.bounds))], _short(crs.to_epsg(), area.crs)
    path = folder / str(area.file)
    if is_geopackage(read_small(path, MAX_BYTES, ConfigError)[:100]):
        parts, text = read_geopackage(path)
        try:
            return parts, _short(parse_crs(text, str(path)).to_epsg(), text)
        except ConfigError as problem:
            raise DataError(f"{path} is in a CRS that is not known here; save it in EPSG:4326") from problem
    return read_geojson(path), LONLAT


def _short(epsg: int | None, text: str) -> str:
    return f"EPSG:{epsg}" if epsg else text


def _in_range(
    where: str, geometry: Polygon | MultiPolygon, crs: str, scenes: Sequence[Footprint]
) -> Polygon | MultiPolygon:
    """`geometry`, finite, and in degrees continuous and on Earth."""
    points = shapely.get_coordinates(geometry)
    if not np.isfinite(points).all():
        raise DataError(f"{where} has a coordinate that is not a finite number; save the file again")
    if not is_geographic(crs):
        return geometry
    off = (np.abs(points[:, 0]) > 360) | (np.abs(points[:, 1]) > 90)
    if off.any():
        x, y = points[off][0]
        raise DataError(
            f"{where} has longitude {x:g}, latitude {y:g}, which is no place on Earth"
            + (_swap_advice(geometry, crs, scenes) or _projected_advice(points))
        )
    try:
        shifted = continuous(geometry)
    except DataError as problem:
        raise DataError(f"{where}: {problem}") from problem
    split = geometry.is_valid and not shifted.is_valid  # at the antimeridian, as RFC 7946 has it: now its halves touch
    return polygonal(shapely.union_all(shapely.get_parts(shifted))) if split else shifted


def _projected_advice(points: np.ndarray) -> str:
    if np.abs(points).max() > 720:
        return ": these look like coordinates of a projected CRS. Save the area in EPSG:4326, or as GeoPackage"
    return ". Latitude must be between -90 and 90; correct it"


def _swap_advice(geometry: Polygon | MultiPolygon, crs: str, scenes: Sequence[Footprint]) -> str:
    """The end of a sentence, where the area with x and y exchanged would touch the scenes; else nothing."""
    swapped = shapely.transform(geometry, lambda xy: xy[:, ::-1])
    if not scenes or np.abs(shapely.get_coordinates(swapped)[:, 1]).max() > 90:
        return ""
    swapped = swapped if swapped.is_valid else shapely.make_valid(swapped)
    share = coverage(AreaGeometry(polygonal(swapped), crs), scenes)
    if not share:
        return ""
    return (
        f". Did you swap longitude and latitude? Swapped, {_percent(share)} of it would lie in the scenes: "
        "write longitude first"
    )


def _repaired(
    where: str, geometry: Polygon | MultiPolygon, crs: str, *, fix: bool
) -> tuple[Polygon | MultiPolygon, str | None]:
    if geometry.is_valid:
        return geometry, None
    reason = shapely.is_valid_reason(geometry)
    match = _AT.fullmatch(reason)
    fault = _FAULTS.get(match[1] if match else reason, reason) + (f" at {match[2]}, {match[3]}" if match else "")
    if not fix:
        raise DataError(f"{where} {fault}; correct it there, or set area: fix: true to have it repaired")
    repaired = polygonal(shapely.union_all([_filled(part) for part in shapely.get_parts(geometry)]))
    before, after = ellipsoid_area(geometry, crs), ellipsoid_area(repaired, crs)
    return repaired, f"{where} {fault}; repaired: {_size(before)} before, {_size(after)} after"


def _filled(polygon: Polygon) -> Polygon | MultiPolygon:
    """What the outline of `polygon` encloses, each loop of it, less what its holes enclose."""
    shell, *holes = [
        polygonal(shapely.make_valid(Polygon(ring), method="structure", keep_collapsed=False))
        for ring in (polygon.exterior, *polygon.interiors)
    ]
    return polygonal(shapely.difference(shell, shapely.union_all(holes)) if holes else shell)


def _union(polygons: Sequence[Polygon | MultiPolygon], crs: str) -> Polygon | MultiPolygon:
    parts = shapely.get_parts(list(polygons))
    if is_geographic(crs):  # features on both sides of the antimeridian belong together
        parts = shapely.get_parts(continuous(MultiPolygon(list(parts))))
    return polygonal(shapely.union_all(parts))


def _outside(area: AreaGeometry, scenes: Sequence[Footprint]) -> str:
    here = f"the area lies at {extent_text([(area.geometry.bounds, area.crs)])}"
    there = f"the scenes at {extent_text(scenes)}"
    swap = _swap_advice(area.geometry, area.crs, scenes) if is_geographic(area.crs) else ""
    apart = distance(area, scenes)
    far = f", {apart / 1000:,.{0 if apart > 1e4 else 1}f} km apart" if math.isfinite(apart) else ""
    return f"{here}, outside all scenes; {there}{far}" + (swap or ". Correct the area, or name scenes that show it")


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.005 else "less than 1%"


def _size(area: float) -> str:
    return f"{area / 1e6:.6g} km2" if area >= 1e5 else f"{area:.6g} m2"
