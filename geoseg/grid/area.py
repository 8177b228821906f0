"""Where the area of interest is: in which CRS, how much of it imagery covers, how wide it is.

Shares and distances are taken in an equal-area projection centred on the area, or on the ellipsoid, never in degrees
or in Web Mercator. Axis order is always x, y (longitude, latitude), whatever a CRS's definition says.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import CRSError, ProjError
from shapely import LinearRing, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from geoseg.errors import ConfigError, DataError

Bounds = tuple[float, float, float, float]  # left, bottom, right, top
Footprint = tuple[Bounds, str]  # bounds of a scene and their CRS

LONLAT = "EPSG:4326"
MAX_WIDTH = 180.0  # degrees: beyond, there is no telling which way round the Earth an edge goes
_GEOD = Geod(ellps="WGS84")
_STEPS = 20_000  # an outline is cut into at most about this many pieces
_PIECE = 0.01  # degrees: a straight edge of this length is off by at most 4 cm at 60 degrees north


@dataclass(frozen=True, slots=True)
class AreaGeometry:
    """What a map answers for.

    Args:
        geometry: valid, not empty. In a geographic CRS longitudes are continuous, and so may pass 180.
        crs: CRS of `geometry`, as pyproj reads it.
        note: what was done to it that whoever drew it should know.
    """

    geometry: Polygon | MultiPolygon
    crs: str
    note: str | None = None


def parse_crs(text: str, where: str) -> CRS:
    """The CRS that `text` names.

    Raises:
        ConfigError: there is none; the message starts with `where`.
    """
    try:
        if "init=" in text:  # would read a file of definitions
            raise CRSError("init= is not supported")
        crs = CRS.from_user_input(text)
    except (CRSError, ProjError) as problem:
        raise ConfigError(f"{where}: {text[:80]!r} is no CRS; write its EPSG code, such as EPSG:32640") from problem
    if not (crs.is_geographic or crs.is_projected):
        raise ConfigError(f"{where}: {text[:80]!r} has no horizontal axes; write a geographic or projected CRS")
    return crs


def to_crs(area: AreaGeometry, crs: str) -> Polygon | MultiPolygon:
    """The area in another CRS; its edges are cut short first, so that they stay where they were drawn.

    Raises:
        DataError: part of the area cannot be shown in `crs`.
    """
    moved = move(area.geometry, area.crs, crs)
    if moved is None:
        raise DataError(
            f"the area ({extent_text([(area.geometry.bounds, area.crs)])}) cannot be shown in {crs_name(crs)}; "
            "choose another grid: crs, or auto"
        )
    return moved


def move(geometry: BaseGeometry, source: str, target: str) -> Polygon | MultiPolygon | None:
    """Polygons in another CRS, or None where any of their points has no finite place in it."""
    if _crs(source) == _crs(target):
        return polygonal(geometry)
    moved = shapely.transform(_densify(geometry, source), lambda xy: _project(xy, source, target))
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        return None
    if is_geographic(target):
        moved = continuous(moved)
    return polygonal(moved if moved.is_valid else shapely.make_valid(moved))


def polygonal(geometry: BaseGeometry) -> Polygon | MultiPolygon:
    """The polygons among the parts of `geometry`; an empty `MultiPolygon` where there are none."""
    if isinstance(geometry, Polygon | MultiPolygon):
        return geometry
    parts = [p for p in shapely.get_parts(shapely.get_parts(geometry)) if isinstance(p, Polygon)]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def continuous(geometry: Any) -> Any:
    """Polygons in degrees with no jump across the antimeridian: 179, -179 becomes 179, 181.

    Each part is put on that side of the globe where the first part is.

    Raises:
        DataError: an outline runs round a pole, or the whole is wider than half the globe.
    """
    first: float | None = None
    parts = []
    for part in shapely.get_parts(geometry):
        rings = [_unrolled(shapely.get_coordinates(ring)) for ring in (part.exterior, *part.interiors)]
        start = rings[0][0, 0] if first is None else first
        first = start
        shifts = [360.0 * round((start - ring[:, 0].mean()) / 360.0) for ring in rings]
        rings = [np.column_stack([ring[:, 0] + s, ring[:, 1]]) for ring, s in zip(rings, shifts, strict=True)]
        parts.append(Polygon(rings[0], rings[1:]))
    whole = parts[0] if len(parts) == 1 else MultiPolygon(parts)
    if whole.bounds[2] - whole.bounds[0] > MAX_WIDTH:
        raise DataError(f"the area is {whole.bounds[2] - whole.bounds[0]:.0f} degrees wide; map at most 180 at once")
    return whole


def _unrolled(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    step = np.diff(ring[:, 0])
    turn = np.where((np.abs(step) > 180) & (np.abs(step) < 360), -360.0 * np.sign(step), 0.0)
    if turn.sum():
        raise DataError("the area's outline runs round a pole; give it in a polar CRS, such as EPSG:3413 or EPSG:3031")
    return np.column_stack([ring[:, 0] + np.concatenate([[0.0], np.cumsum(turn)]), ring[:, 1]])


def coverage(area: AreaGeometry, scenes: Sequence[Footprint]) -> float:
    """Share of the area, 0 to 1, inside the bounds of at least one scene."""
    local = equal_area(area)
    whole = move(area.geometry, area.crs, local)
    if whole is None or not whole.area:
        return 0.0
    boxes: dict[str, list[Bounds]] = {}
    for bounds, crs in dict.fromkeys(scenes):
        boxes.setdefault(crs, []).append(bounds)
    pieces = [piece for crs, same in boxes.items() for piece in _pieces(area, same, crs, local)]
    share = float(shapely.union_all(pieces).area / whole.area) if pieces else 0.0
    return 1.0 if share > 1 - 1e-9 else share  # rounding must not leave a whole area short of min_coverage: 1


def _pieces(area: AreaGeometry, boxes: Sequence[Bounds], crs: str, local: str) -> list[Polygon | MultiPolygon]:
    """The parts of the area in the bounds of scenes of one CRS, in the CRS `local`.

    The cut is made in the scenes' CRS, where their bounds are straight and its projection holds.
    """
    there = move(area.geometry, area.crs, crs)
    if there is None:
        return []
    shown = shapely.union_all(shapely.box(*np.array(boxes, dtype=np.float64).T))
    turns = (-360.0, 0.0, 360.0) if is_geographic(crs) else (0.0,)
    cuts = [shapely.intersection(there, shapely.transform(shown, lambda xy, t=t: np.add(xy, (t, 0.0)))) for t in turns]
    moved = [move(polygonal(cut), crs, local) for cut in cuts if not cut.is_empty]
    return [piece for piece in moved if piece is not None and not piece.is_empty]


def equal_area(area: AreaGeometry) -> str:
    """An equal-area projection (Lambert's azimuthal) centred on the area, as WKT."""
    lon, lat = _centre(area)
    return str(CRS.from_proj4(f"+proj=laea +lat_0={lat} +lon_0={lon} +datum=WGS84 +units=m +no_defs").to_wkt())


def _centre(area: AreaGeometry) -> tuple[float, float]:
    """The centroid's longitude, -180 to 180, and latitude, in whole degrees."""
    lon, lat = _project(np.array(area.geometry.centroid.coords), area.crs, LONLAT)[0]
    if not (math.isfinite(lon) and math.isfinite(lat)):
        raise DataError(f"the area has no place on Earth in {crs_name(area.crs)}; check its crs")
    return float(round((lon + 180) % 360 - 180)), float(round(lat))


def utm_or_equal_area(geometry: Polygon | MultiPolygon) -> str:
    """The CRS of a grid for an area given in longitude and latitude (EPSG:4326).

    Returns:
        EPSG code of the UTM zone of its centroid, if the area reaches at most 1 degree beyond the zone and lies
        between 80 S and 84 N; of the polar stereographic CRS beyond; else an equal-area CRS on its centre, as WKT.
    """
    west, south, east, north = geometry.bounds
    lon = float(geometry.centroid.x)
    zone = math.floor((lon + 180) / 6)
    if south >= -80 and north <= 84:
        if zone * 6 - 181 <= west and east <= zone * 6 - 173:
            return f"EPSG:{(32600 if geometry.centroid.y >= 0 else 32700) + zone % 60 + 1}"
    elif south >= 80:
        return "EPSG:5041"
    elif north <= -76:
        return "EPSG:5042"
    return equal_area(AreaGeometry(geometry, LONLAT))


def too_thin(geometry: Polygon | MultiPolygon, resolution: float) -> str | None:
    """What to say of an area that is nowhere a pixel wide, or None.

    Args:
        geometry: in the CRS of the grid.
        resolution: side of a pixel in units of that CRS.
    """
    width = 0.0
    for part in shapely.get_parts(geometry):
        width = max(width, 2 * shapely.maximum_inscribed_circle(part, tolerance=resolution / 20).length / resolution)
        if width >= 1:
            return None
    return f"the area is at most {width:.2g} px wide at a pixel of {resolution:g}; draw it wider, or lower grid: gsd"


def ellipsoid_area(geometry: BaseGeometry, crs: str) -> float:
    """Area on the WGS 84 ellipsoid, m2; rings that cross themselves count as the surveyor's formula has it."""
    lonlat = shapely.transform(geometry, lambda xy: _project(xy, crs, LONLAT))
    return float(sum(_inside(p.exterior) - sum(map(_inside, p.interiors)) for p in shapely.get_parts(lonlat)))


def _inside(ring: LinearRing) -> float:
    return float(abs(_GEOD.geometry_area_perimeter(ring)[0]))


def distance(area: AreaGeometry, scenes: Sequence[Footprint]) -> float:
    """Metres from the area to the nearest scene; beyond 100 km to about a percent of their sizes."""
    here = _spots(area.geometry, area.crs)
    gaps = [(_gap(here, _spots(shapely.box(*bounds), crs)), bounds, crs) for bounds, crs in dict.fromkeys(scenes)]
    gap, bounds, crs = min(gaps, key=lambda found: found[0])
    if gap > 1e5:
        return gap
    local = equal_area(area)
    a, b = move(area.geometry, area.crs, local), move(shapely.box(*bounds), crs, local)
    return gap if a is None or b is None else float(shapely.distance(a, b))


def _gap(here: NDArray[np.float64], there: NDArray[np.float64]) -> float:
    """Least distance on the ellipsoid, m, between points given as longitude and latitude."""
    if not len(here) or not len(there):
        return math.inf
    a, b = (
        np.column_stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)])
        for x, y in map(_angles, (here, there))
    )
    one, other = np.unravel_index((a @ b.T).argmax(), (len(a), len(b)))
    return float(_GEOD.inv(*here[one], *there[other])[2])


def _angles(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.radians(lonlat).T)


def _spots(geometry: BaseGeometry, crs: str) -> NDArray[np.float64]:
    """About a hundred points of an outline, (n, 2) longitude and latitude."""
    spots = shapely.line_interpolate_point(geometry.boundary, np.linspace(0, 1, 100), normalized=True)
    lonlat = _project(shapely.get_coordinates(spots), crs, LONLAT)
    return np.asarray(lonlat[np.isfinite(lonlat).all(axis=1)])


def extent_text(boxes: Sequence[Footprint]) -> str:
    """Where some bounds lie together, in longitude and latitude, for a message."""
    corners = [_project_bounds(bounds, crs) for bounds, crs in dict.fromkeys(boxes)]
    corners = [c for c in corners if all(map(math.isfinite, c))]
    if not corners:
        return "nowhere on Earth"
    west, south = min(c[0] for c in corners), min(c[1] for c in corners)
    east, north = max(c[2] for c in corners), max(c[3] for c in corners)
    return f"longitude {west:.4f} to {east:.4f}, latitude {south:.4f} to {north:.4f}"


def crs_name(crs: str) -> str:
    """Short name of a CRS for a message."""
    return crs if len(crs) < 20 else _crs(crs).name


def is_geographic(crs: str) -> bool:
    """Whether coordinates in `crs` are longitude and latitude."""
    return bool(_crs(crs).is_geographic)


@functools.lru_cache(maxsize=64)
def _crs(text: str) -> CRS:
    return CRS.from_user_input(text)


@functools.lru_cache(maxsize=64)
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(_crs(source), _crs(target), always_xy=True)


def _project(xy: NDArray[np.float64], source: str, target: str) -> NDArray[np.float64]:
    """(n, 2) points in another CRS; infinite where they have no place in it."""
    return np.column_stack(_transformer(source, target).transform(xy[:, 0], xy[:, 1]))


def _project_bounds(bounds: Bounds, crs: str) -> Bounds:
    if is_geographic(crs):
        return bounds
    return tuple(_transformer(crs, LONLAT).transform_bounds(*bounds))  # type: ignore[return-value]


def _densify(geometry: BaseGeometry, crs: str) -> BaseGeometry:
    """The same outline in short pieces."""
    unit = 1.0 if is_geographic(crs) else 111_000.0 / _crs(crs).axis_info[0].unit_conversion_factor
    return shapely.segmentize(geometry, max(_PIECE * unit, geometry.length / _STEPS))
