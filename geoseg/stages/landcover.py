"""Land-cover polygons and styles from the maps of classes and confidence."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from pathlib import Path

import geopandas
import numpy as np
import pandas
from numpy.typing import NDArray
from pyproj import CRS

from geoseg.errors import DataError
from geoseg.grid.window import Window
from geoseg.io.commit import write_json, write_text
from geoseg.io.polygons import CornerFile, class_strips
from geoseg.io.rasters import Raster, open_raster
from geoseg.io.vectors import write_geojson, write_geoparquet
from geoseg.report.styles import UNOBSERVED, ClassEntry, confidence_qml, landcover_qml
from geoseg.stats.pixel_area import PixelArea
from geoseg.vector.assemble import Assembly
from geoseg.vector.polygonize import Polygons, canonical, place
from geoseg.vector.trace import trace
from geoseg.vector.zonal import ZonalSums

log = logging.getLogger(__name__)

NO_CONFIDENCE = 255
FULL_CONFIDENCE = 250  # stored value of p = 1
_EARTH_RADIUS = 6.371e6  # metres
_BEND = 0.05  # pixels: how far an edge that is straight on the map may be off in degrees


def landcover(
    classes: Path, confidence: Path, out_dir: Path, class_entries: Sequence[tuple[int, str, str]]
) -> dict[str, object]:
    """Write landcover.parquet, landcover.geojson, landcover.qml and confidence.qml into `out_dir`.

    A polygon is a 4-connected region of one class, on pixel edges; pixels inside the area that were not observed
    (254) make polygons too, of class `unobserved`. Attributes: `class`, `name`, `area_m2` on the ellipsoid,
    `confidence` (mean of p over its pixels, 0 to 1; null where not observed) and `pixels`.

    Neither map is held in memory, but the polygons of one are: see `geoseg.vector.trace`.

    Args:
        classes: uint8 map, 254 not observed, 255 outside.
        confidence: uint8 map on the same grid, p x 250, 255 none.
        out_dir: made if missing.
        class_entries: value, name and colour (#rrggbb) of each class.

    Returns:
        `polygons`: their number; `area_m2` and `class_polygons`: by name, of every class; `bytes`: by file name.

    Raises:
        DataError: the maps do not fit each other or hold a class without a name.
        MachineError: a file cannot be written.
    """
    entries = _with_unobserved(class_entries)
    with open_raster(classes) as class_map, open_raster(confidence) as confidence_map:
        _require_fit(class_map, confidence_map)
        arcs, regions = trace(class_strips(class_map), threads=2, scratch=CornerFile(out_dir))
        assembly = Assembly(arcs.left, arcs.right, arcs.corners, arcs.starts, len(regions))
        polygons, values = canonical(assembly.polygons(straighten=True), regions.values)
        names = _names(values, entries, classes)
        log.info("%s: %d polygons", classes.name, len(polygons))
        sums = _sums(polygons, class_map, confidence_map)
        frame = _frame(polygons, values, names, sums, class_map)
        longest = _longest_straight(class_map)
    write_geoparquet(frame, out_dir / "landcover.parquet")
    write_geojson(frame, out_dir / "landcover.geojson", longest)
    write_text(out_dir / "landcover.qml", landcover_qml(entries))
    write_text(out_dir / "confidence.qml", confidence_qml())
    return _figures(frame, entries, out_dir)


def landcover_of_map(classes: Path, confidence: Path, figures: Path) -> None:
    """`landcover` beside a map that geoseg made and that names its classes itself; figures as JSON in `figures`.

    Raises:
        DataError: the map does not name its classes.
    """
    with open_raster(classes) as class_map:
        entries = class_map.tags().get("GEOSEG_CLASSES")
    if entries is None:
        raise DataError(f"{classes} does not name its classes; name a landcover.tif that geoseg made")
    write_json(figures, landcover(classes, confidence, classes.parent, [tuple(e) for e in json.loads(entries)]))


def _sums(polygons: Polygons, class_map: Raster, confidence_map: Raster) -> NDArray[np.float64]:
    """Area in m2, stored confidence and pixels that have one, summed over each polygon: (3, n)."""
    geobox = class_map.geobox
    area = PixelArea(_crs(class_map), geobox.transform, class_map.shape)
    sums = ZonalSums(polygons, 3, class_map.shape)
    for window in sums:
        sums.add(window, np.stack([area(window), *_confidence(confidence_map, window)]))
    return sums.totals


def _confidence(confidence_map: Raster, window: Window) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Stored confidence, 0 where there is none, and 1 where there is one."""
    stored = confidence_map.read_classes(window)
    known = stored != NO_CONFIDENCE
    return np.where(known, stored, 0).astype(np.float64), known.astype(np.float64)


def _frame(
    polygons: Polygons,
    values: NDArray[np.uint8],
    names: NDArray[np.object_],
    sums: NDArray[np.float64],
    class_map: Raster,
) -> geopandas.GeoDataFrame:
    """The layer, in the CRS of the map."""
    area, stored, known = sums
    known = np.where(values == UNOBSERVED[0], 0, known)
    attributes = {
        "class": values.astype(np.int32),
        "name": pandas.array(names, dtype="string"),
        "area_m2": area,
        "confidence": np.divide(stored, FULL_CONFIDENCE * known, out=np.full(len(known), np.nan), where=known > 0),
        "pixels": np.rint(geopandas.GeoSeries(polygons).area.to_numpy()).astype(np.int64),
    }
    placed = place(polygons, class_map.geobox.transform)
    return geopandas.GeoDataFrame(attributes, geometry=placed, crs=_crs(class_map))


def _figures(frame: geopandas.GeoDataFrame, entries: Sequence[ClassEntry], out_dir: Path) -> dict[str, object]:
    by_class = frame.groupby("class")
    area, count = by_class["area_m2"].sum(), by_class.size()
    written = ("landcover.parquet", "landcover.geojson", "landcover.qml", "confidence.qml")
    return {
        "polygons": len(frame),
        "area_m2": {name: float(area.get(value, 0.0)) for value, name, _ in entries},
        "class_polygons": {name: int(count.get(value, 0)) for value, name, _ in entries},
        "bytes": {name: (out_dir / name).stat().st_size for name in written},
    }


def _with_unobserved(entries: Sequence[ClassEntry]) -> list[ClassEntry]:
    return [*entries, UNOBSERVED] if all(value != UNOBSERVED[0] for value, _, _ in entries) else list(entries)


def _names(values: NDArray[np.uint8], entries: Sequence[ClassEntry], path: Path) -> NDArray[np.object_]:
    """Name of each polygon's class."""
    table = np.full(256, None, object)
    for value, name, _ in entries:
        table[value] = name
    names: NDArray[np.object_] = table[values]
    unknown = sorted(set(values.tolist()) - {value for value, _, _ in entries})
    if unknown:
        raise DataError(
            f"{path} holds the values {', '.join(map(str, unknown))}, which are no class of the model "
            f"({', '.join(f'{value} {name}' for value, name, _ in entries)}). It was made by another model: make it "
            "again, or name that model."
        )
    return names


def _require_fit(class_map: Raster, confidence_map: Raster) -> None:
    if class_map.geobox != confidence_map.geobox:
        raise DataError(
            f"{class_map.path} {_place(class_map)} and {confidence_map.path} {_place(confidence_map)} are not on the "
            "same grid. Make both again from the same run."
        )


def _crs(raster: Raster) -> CRS:
    crs = raster.geobox.crs
    assert crs is not None  # open_raster refuses a file without
    return crs.proj


def _place(raster: Raster) -> str:
    height, width = raster.shape
    return f"({width} x {height} px from {raster.geobox.transform.c}, {raster.geobox.transform.f})"


def _longest_straight(class_map: Raster) -> float | None:
    """Longest edge whose middle moves by less than `_BEND` pixels when it is straight in degrees, units of the CRS.

    On a sphere an edge of length s bows by s^2 / 8R times the tangent of the latitude, taken as 4 (76 degrees).
    """
    crs = _crs(class_map)
    if crs.is_geographic:
        return None
    metres = crs.axis_info[0].unit_conversion_factor
    pixel = abs(class_map.geobox.transform.a) * metres
    return math.sqrt(8 * _EARTH_RADIUS * _BEND * pixel / 4) / metres
