"""Vector layers to files: GeoParquet for analysis, GeoJSON for exchange.

Drivers have been seen to lose features on a full disk without a word (FAULTS, M2), so every file is read back and
compared with what was meant before it takes its name. The same layer gives the same bytes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import geopandas
import numpy as np
import pandas
import pyogrio
import pyogrio.errors
import shapely
from numpy.typing import NDArray

from geoseg.errors import MachineError
from geoseg.io.commit import commit, free_text, size_text

DIGITS = 7  # decimals of a degree in GeoJSON: about a centimetre
ROW_GROUP = 50_000  # features; a reader with a bounding box skips whole groups
_GEOJSON_END = b"\n]\n}\n"
_PYOGRIO_ERRORS = (
    pyogrio.errors.DataSourceError,
    pyogrio.errors.DataLayerError,
    pyogrio.errors.FeatureError,
    pyogrio.errors.GeometryError,
)


def write_geoparquet(frame: geopandas.GeoDataFrame, path: Path) -> None:
    """GeoParquet 1.1 with a bounding box for each feature, zstd, in the CRS of `frame`.

    Raises:
        MachineError: the disk is full or the folder cannot be written to; nothing new is there then.
    """
    with commit(path) as part:
        frame.to_parquet(
            part,
            index=False,
            compression="zstd",
            schema_version="1.1.0",
            write_covering_bbox=True,
            row_group_size=ROW_GROUP,
        )
        try:
            back = geopandas.read_parquet(part)
        except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
            raise _damaged(path, part, f"it cannot be read back, {error}") from error
        _require(len(back) == len(frame), path, part, f"{len(back)} of {len(frame)} features came back")
        _require(_same_bounds(back, frame, 0), path, part, "its bounds changed")
        _require(_digest(back) == _digest(frame), path, part, "geometries or attributes changed")


def write_geojson(frame: geopandas.GeoDataFrame, path: Path, max_segment: float | None = None) -> None:
    """GeoJSON as RFC 7946 wants it: WGS 84 longitude and latitude to 7 decimals, exterior rings counterclockwise,
    nothing across the antimeridian, no `crs` member.

    Polygons that rounding makes invalid are repaired; one that vanishes below a centimetre keeps its attributes and
    has a null geometry, as RFC 7946 allows. Polygons around a pole have no right form in longitude and latitude.

    Args:
        frame: polygons in any CRS.
        path: the file.
        max_segment: edges longer than this get more corners first, CRS units: what is straight in a projection is
            not in degrees, and an edge of 1.6 km may be off by several centimetres, one of 50 km by 50 m.

    Raises:
        MachineError: the disk is full or the folder cannot be written to; nothing new is there then.
    """
    degrees = _in_degrees(frame, max_segment)
    with commit(path) as part:
        try:
            pyogrio.write_dataframe(
                degrees,
                part,
                driver="GeoJSON",
                layer=path.stem,
                geometry_type="Unknown",
                # GDAL takes -25.4000008 for a rounding error of -25.4 when those are all digits it may write
                layer_options={"RFC7946": "YES", "COORDINATE_PRECISION": str(DIGITS + 3)},
            )
            back = pyogrio.read_dataframe(part)
        except (*_PYOGRIO_ERRORS, UnicodeDecodeError) as error:
            raise _damaged(path, part, f"it cannot be written or read back, {error}") from error
        _require(_ends_with(part, _GEOJSON_END), path, part, "its end is missing")  # GDAL reads it all the same
        _require(len(back) == len(frame), path, part, f"{len(back)} of {len(frame)} features came back")
        _require(_same_bounds(back, degrees, 0.6 * 10**-DIGITS), path, part, "its bounds changed")
        _require(_same_attributes(back, degrees), path, part, "attributes changed")
        _require(bool(shapely.is_valid(_present(back)).all()), path, part, "some polygons are not valid")


def _in_degrees(frame: geopandas.GeoDataFrame, max_segment: float | None) -> geopandas.GeoDataFrame:
    """`frame` as it will stand in the GeoJSON."""
    shapes = frame.geometry
    if max_segment is not None:
        shapes = shapes.segmentize(max_segment)
    polygons = shapes.to_crs("OGC:CRS84").to_numpy()
    if not frame.crs.is_geographic:
        polygons = _split_at_antimeridian(polygons)
    polygons = shapely.transform(polygons, lambda corners: np.round(corners, DIGITS))
    polygons = shapely.orient_polygons(_repair(polygons))
    attributes = pandas.DataFrame(frame.drop(columns=frame.geometry.name))
    return geopandas.GeoDataFrame(attributes, geometry=polygons, crs="OGC:CRS84")


def _split_at_antimeridian(polygons: NDArray[np.object_]) -> NDArray[np.object_]:
    """Polygons whose corners lie on both sides of 180 degrees, in two parts that meet there."""
    bounds = shapely.bounds(polygons)
    across = bounds[:, 2] - bounds[:, 0] > 180
    if not across.any():
        return polygons
    turned = shapely.make_valid(shapely.transform(polygons[across], lambda xy: xy + (xy[:, :1] < 0) * [360.0, 0.0]))
    halves = [shapely.intersection(turned, shapely.box(left, -90, left + 180, 90)) for left in (0, 180)]
    halves[1] = shapely.transform(halves[1], lambda xy: xy - [360.0, 0.0])
    split = polygons.copy()
    split[across] = shapely.union(*halves)
    return split


def _repair(polygons: NDArray[np.object_]) -> NDArray[np.object_]:
    """Valid polygons; None for those that have no area."""
    wrong = np.flatnonzero(~shapely.is_valid(polygons))
    if not len(wrong):
        return polygons
    parts, of = shapely.get_parts(shapely.make_valid(polygons[wrong]), return_index=True)
    parts, of = _flat(parts, of)
    repaired = polygons.copy()
    repaired[wrong] = None
    for index in np.unique(of):  # few: rounding seldom breaks a polygon
        own = parts[of == index]
        repaired[wrong[index]] = own[0] if len(own) == 1 else shapely.MultiPolygon(own.tolist())
    return repaired


def _flat(parts: NDArray[np.object_], of: NDArray[np.intp]) -> tuple[NDArray[np.object_], NDArray[np.intp]]:
    """The polygons among `parts`, multipolygons taken apart; lines and points have no area and are left out."""
    inner, of_part = shapely.get_parts(parts, return_index=True)
    polygonal = shapely.get_type_id(inner) == shapely.GeometryType.POLYGON
    return inner[polygonal], of[of_part[polygonal]]


def _ends_with(file: Path, end: bytes) -> bool:
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - len(end)))
        return stream.read() == end


def _present(frame: geopandas.GeoDataFrame) -> NDArray[np.object_]:
    """Geometries that are not null."""
    return frame.geometry.to_numpy()[~frame.geometry.isna().to_numpy()]


def _same_bounds(back: geopandas.GeoDataFrame, meant: geopandas.GeoDataFrame, tolerance: float) -> bool:
    """Whether each feature's bounds are as meant; null and empty ones have none."""
    found, wanted = (shapely.bounds(frame.geometry.to_numpy()) for frame in (back, meant))
    return np.allclose(found, wanted, rtol=0, atol=tolerance, equal_nan=True)


def _same_attributes(back: geopandas.GeoDataFrame, meant: geopandas.GeoDataFrame) -> bool:
    """Whether attributes are as meant, by value: GeoJSON has no types of its own, and no columns when it is empty."""
    if not len(meant):
        return True
    names = [name for name in meant.columns if name != meant.geometry.name]
    return all(name in back.columns and _same_values(back[name], meant[name]) for name in names)


def _same_values(back: pandas.Series, meant: pandas.Series) -> bool:
    if pandas.api.types.is_numeric_dtype(meant):
        found, wanted = (pandas.to_numeric(column).to_numpy(np.float64, na_value=np.nan) for column in (back, meant))
        return np.allclose(found, wanted, rtol=1e-12, atol=0, equal_nan=True)
    return bool((back.isna() == meant.isna()).all()) and back.dropna().tolist() == meant.dropna().tolist()


def _digest(frame: geopandas.GeoDataFrame) -> str:
    """Hash of all geometries, bit for bit, and all attributes."""
    digest = hashlib.sha256()
    for geometry in shapely.to_wkb(frame.geometry.to_numpy()):
        digest.update(geometry or b"null")
    attributes = pandas.DataFrame(frame.drop(columns=frame.geometry.name))
    digest.update(pandas.util.hash_pandas_object(attributes, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def _require(holds: bool, path: Path, part: Path, what: str) -> None:
    if not holds:
        raise _damaged(path, part, what)


def _damaged(path: Path, part: Path, what: str) -> MachineError:
    size = part.stat().st_size if part.exists() else 0
    return MachineError(
        f"{path} could not be written: after {size_text(size)} {what}. The disk may be full or failing: "
        f"{free_text(path.parent)}. Make room or choose another output folder, then run the same command again."
    )
